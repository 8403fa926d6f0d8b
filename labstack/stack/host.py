# SPDX-License-Identifier: GPL-2.0-or-later
"""Host: the whole state of one stack: the network layer and the socket table, and where to find what in it."""

from collections import deque

from labstack.core.env import Env
from labstack.core.state import State, field, state
from labstack.ip.net import Net
from labstack.tcp.conn import Conn
from labstack.tcp.listen import Listener
from labstack.udp.socket import Udp

TCP, UDP = "tcp", "udp"
Port = tuple[str, bytes, int]  # protocol, local address (b"": any), port


@state
class Echo(State):
    """A ping socket: echo requests out, replies in."""

    sock: int
    ident: int
    queue: deque[tuple[bytes, bytes, int]] = field(default_factory=deque)  # payload, from, sequence number
    seq: int = 0
    error: int = 0


@state
class Host(State):
    name: str
    env: Env
    net: Net = field(default_factory=Net)
    conns: dict[int, Conn] = field(default_factory=dict)
    listeners: dict[int, Listener] = field(default_factory=dict)
    udps: dict[int, Udp] = field(default_factory=dict)
    echoes: dict[int, Echo] = field(default_factory=dict)
    flows: dict[bytes, int] = field(default_factory=dict)  # a segment's addresses and ports: its connection
    bound: dict[Port, int] = field(default_factory=dict)  # listeners and datagram sockets
    next_sock: int = 1
    lingering: dict[int, None] = field(default_factory=dict)  # in TIME-WAIT without an owner, oldest first

    def check(self) -> None:
        """Raise AssertionError with a sentence if the host is in an impossible condition."""
        timers = self.env.timers.at
        for sock, conn in self.conns.items():
            conn.check()
            if conn.state == "CLOSED" and any(key[-1] == sock and key[0] >= 10 for key in timers):
                raise AssertionError(f"connection {sock} is CLOSED and has a timer")
            if conn.state != "CLOSED" and self.flows.get(conn.key) != sock:
                raise AssertionError(f"connection {sock} in {conn.state} cannot be found by its addresses")
        for udp in self.udps.values():
            udp.check()
        for key, sock in self.flows.items():
            if sock not in self.conns:
                raise AssertionError(f"flow {key.hex()} leads to socket {sock}, which is gone")
