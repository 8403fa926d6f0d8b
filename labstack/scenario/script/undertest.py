# SPDX-License-Identifier: GPL-2.0-or-later
"""The sockets of a script: its descriptors and the live ones, and which connection its packets belong to.

One is current: the latest socket() made; an inbound packet while that listens, or while there is none, begins a
connection, which is current from then on and gets its descriptor from accept(). Packets that name their ports
choose among all connections by them.
"""

from contextlib import suppress
from dataclasses import dataclass

from labstack.ip.family import parse_addr
from labstack.packetdrill.script import Packet
from labstack.scenario.packets import match, segments
from labstack.scenario.packets.flow import Flow, PacketError
from labstack.scenario.script.plan import Plan

FIRST_PORT = 40_001  # of the remote ends that connect to us
NOWHERE = 1_000_000  # added to a script's descriptor that is not open: EBADF on every target


@dataclass(slots=True)
class Socket:
    """flow: its packets; since: ns, when it began to connect, so that an older SYN is not taken for its own."""

    flow: Flow
    fd: int | None = None  # the script's name of it
    tcp: bool = True
    listening: bool = False
    port: int = 0  # that it was bound to
    over: bool = False  # the script disconnected it
    since: int = 0


class Sockets:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.live: dict[int, int] = {}  # the script's descriptor: the target's
        self.open: dict[int, Socket] = {}  # the script's descriptor: its socket
        self.known: list[Socket] = []
        self.current: Socket | None = None
        self._ports = FIRST_PORT

    # descriptors

    def fd(self, fd: int) -> int:
        """The target's descriptor; for one that is not open, a number that is none."""
        return self.live.get(fd, fd if fd < 0 else NOWHERE + fd)

    def socket(self, fd: int, live: int, tcp: bool) -> None:
        """The script's socket() returned: it is the current one."""
        self.live[fd] = live
        self.current = self.open[fd] = self._new(0, 0 if tcp else self._port(), fd, tcp)

    def accepted(self, fd: int, live: int, port: int) -> None:
        """accept() returned the connection from this port of the remote end."""
        self.live[fd] = live
        waiting = [it for it in self.known if it.fd is None]
        for it in [it for it in waiting if it.flow.remote_port == port] or waiting[:1]:
            it.fd, self.open[fd] = fd, it

    def other(self, fd: int, live: int) -> None:
        """A descriptor that is no socket."""
        self.live[fd] = live

    def closed(self, fd: int) -> None:
        self.live.pop(fd, None)
        self.open.pop(fd, None)

    # what calls say about ports

    def bound(self, fd: int, port: int) -> None:
        if fd in self.open:
            self.open[fd].port = self.open[fd].flow.local_port = port

    def connecting(self, fd: int, port: int, now: int) -> None:
        """connect(), or what sends the first data, named the remote port; again: it is another connection."""
        it = self.open[fd]
        if it.flow.local_isn is not None:
            it.flow = self._flow(it.port, port)
        it.flow.remote_port, it.since, it.over = port, now, False

    def disconnected(self, fd: int) -> None:
        """connect() with AF_UNSPEC: packets are still those of the old connection; the next connect() begins one."""
        self.open[fd].over = True

    def listens(self, fd: int) -> None:
        if fd in self.open:
            self.open[fd].listening = True

    # packets

    def sender(self, packet: Packet) -> Flow:
        """The flow that an inbound packet of the script belongs to; it may begin one."""
        if packet.ports is not None:
            source, destination = packet.ports
            return self._named(destination, source) or self._child(destination, source).flow
        if self.current is None or self.current.listening:
            local = self.current.flow.local_port if self.current else 0
            return self._child(local or self.plan.bind_port, self._port()).flow
        return self.current.flow

    def receiver(self, packet: Packet) -> tuple[Flow, int]:
        """The flow of an outbound packet of the script, and since when (ns) its packets count."""
        it = self.current
        if packet.ports is not None and (named := self._named(*packet.ports)) is not None:
            return named, 0
        if it is None:
            it = self.current = self._new(self.plan.bind_port, self._port())
        return it.flow, 0 if it.flow.local_port else it.since

    def _named(self, local: int, remote: int) -> Flow | None:
        """The latest flow with these ports."""
        flows = [it.flow for it in self.known if (it.flow.local_port, it.flow.remote_port) == (local, remote)]
        return flows[-1] if flows else None

    def _child(self, local: int, remote: int) -> Socket:
        tcp = self.current is None or self.current.tcp
        self.current = self._new(local, remote, None, tcp)
        return self.current

    def _new(self, local: int, remote: int, fd: int | None = None, tcp: bool = True) -> Socket:
        made = Socket(self._flow(local, remote), fd, tcp)
        self.known.append(made)
        return made

    def rehearse(self, packet: Packet) -> None:
        """Do with a packet what is done with all: the first one of a process takes ms, too long where time is real."""
        flow = self._flow(1, 1)
        with suppress(PacketError):
            pieces = match.Pieces(packet, flow)
            pieces.take(segments.build(packet, flow))
            pieces.rows()

    def _flow(self, local: int, remote: int) -> Flow:
        plan = self.plan
        return Flow(parse_addr(plan.local), local, parse_addr(plan.remote), remote, plan.ecr_scaled, plan.tick)

    def _port(self) -> int:
        self._ports += 1
        return self._ports - 1
