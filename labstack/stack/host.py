# SPDX-License-Identifier: GPL-2.0-or-later
"""Host: the whole state of one stack: the network layer and the socket table, and where to find what in it."""

from collections import deque

from labstack.core import kinds
from labstack.core.env import Env
from labstack.core.state import State, field, state
from labstack.ip.net import Net
from labstack.stack.syscall.files import Files
from labstack.tcp.closing import TIMERS
from labstack.tcp.conn import DELAYED, Conn
from labstack.tcp.eager import Memory
from labstack.tcp.listen import Listener
from labstack.tcp.states import CLOSED, CURRENT, FIN_WAIT_2, SENDING, TIME_WAIT
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
    turns: dict[int, int] = field(default_factory=dict)  # slot: how many ephemeral ports were tried (RFC 6056 §3.3.4)
    orphans: dict[int, None] = field(default_factory=dict)  # that nobody holds, and whose FIN is not acknowledged
    lingering: dict[int, None] = field(
        default_factory=dict
    )  # in FIN-WAIT-2 or TIME-WAIT without an owner, oldest first
    files: Files = field(default_factory=Files)  # of the system calls
    memory: Memory = field(default_factory=Memory)  # of servers, for Fast Open

    def check(self) -> None:
        """Raise AssertionError with a sentence if the host is in an impossible condition."""
        conns, dirty, current, held = self.conns, self.env.dirty, 0, 0
        for conn in conns.values():
            conn.check()
            if conn.sock not in dirty:
                self._check_place(conn)
                self._check_timers(conn)
            if conn.state in CURRENT:
                current += 1
            held += conn.memory
        for udp in self.udps.values():
            udp.check()
        for listener in self.listeners.values():
            known = listener.half.keys() <= conns.keys() and all(sock in conns for sock in listener.ready)
            assert known, f"socket {listener.sock}: queues the dead"
        calls = set()  # system calls that have a timer
        for key in self.env.timers.at:
            if key[0] >= kinds.TCP_RETRANSMIT:
                assert key[1] in conns, f"socket {key[1]}: is gone and has a timer"
            elif key[0] == kinds.SYSCALL:
                calls.add(key[1])
        for sock in self.flows.values():
            assert sock in conns, f"socket {sock}: is gone and has a flow"
        for sock in self.bound.values():
            assert sock in self.listeners or sock in self.udps, f"socket {sock}: is gone and has a port"
        counted = self.env.count.get("TcpCurrEstab", 0)
        assert counted == current, f"{current} connections are open, and not counted so"
        assert self.env.memory == held, f"{self.env.memory} bytes of memory are counted, {held} are in use"
        if self.files.next_file > 1 or self.files.next_ticket > 1:  # else there never were any
            self._check_files(calls)

    def _check_files(self, armed: set[int]) -> None:
        """Descriptors lead to sockets that there are; who may wait only for some time has a timer."""
        self.files.check()
        for sock in self.files.owners:
            there = sock in self.conns or sock in self.listeners or sock in self.udps or sock in self.echoes
            assert there, f"socket {sock}: is gone and has a descriptor"
        timed = {ticket for ticket, call in self.files.parked.items() if call.patience >= 0}
        assert timed == armed, f"calls {sorted(timed ^ armed)} wait without a timer, or have one and do not wait"

    def _check_place(self, conn: Conn) -> None:
        """A living connection can be found, by its addresses and by its listener; a dead one only by its owner."""
        sock, found = conn.sock, self.flows.get(conn.key) == conn.sock
        assert found == (conn.state != CLOSED), f"socket {sock}: in {conn.state}: its addresses lead elsewhere"
        if conn.parent:
            listener = self.listeners.get(conn.parent)
            waits = listener is not None and (sock in listener.half or sock in listener.ready)
            assert waits, f"socket {sock}: waits for a listener that does not know it"
        if sock in self.lingering:
            waits = conn.state in (FIN_WAIT_2, TIME_WAIT) and not conn.held
            assert waits, f"socket {sock}: in {conn.state} lingers"

    def _check_timers(self, conn: Conn) -> None:
        """After a drain nothing waits for ever: what can only happen later has a timer."""
        snd, sock, armed = conn.snd, conn.sock, self.env.timers.at
        if conn.state == CLOSED:
            assert not any((kind, sock) in armed for kind in TIMERS), f"socket {sock}: is CLOSED and has a timer"
            assert conn.held or conn.parent, f"socket {sock}: is CLOSED and nobody's"
            return
        if snd.flight.queue:
            waits = kinds.TCP_RETRANSMIT if conn.half is None else kinds.TCP_SYNACK
            assert (waits, sock) in armed, f"socket {sock}: in flight and no timer"
        elif conn.state in SENDING and snd.nxt < snd.out.end + snd.fin:
            probed = (kinds.TCP_PERSIST, sock) in armed or (kinds.TCP_PACING, sock) in armed
            assert probed, f"socket {sock}: something to send and no probe"
        if conn.state == TIME_WAIT or (conn.state == FIN_WAIT_2 and not conn.held):
            assert (kinds.TCP_TIMEWAIT, sock) in armed, f"socket {sock}: {conn.state} for ever"
        if conn.rcv.ack == DELAYED:
            assert (kinds.TCP_DELACK, sock) in armed, f"socket {sock}: a delayed ACK and no timer"
