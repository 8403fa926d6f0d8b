# SPDX-License-Identifier: GPL-2.0-or-later
"""Judged: a host of ours whose invariants are looked at after every event, and what came in beside what goes out.

Nothing fails inside; the host's own check() holds; every packet that came was delivered or dropped for a reason; what
it sends can be read, with right sums, is no larger than the peer takes, and acknowledges only what came; a reset is not
answered with one; what applications read is what came for that place in the stream; numbers only grow, and only the
right reset ends a connection (progress). Payload sent to it must say where it belongs (bits.filled). In the end the
connections are gone, and the whole run, made again, is the same.
"""

import re
from typing import Any

from labstack.core.event import Rx
from labstack.core.frame import Frame
from labstack.core.record import Record
from labstack.packetdrill.script import Place
from labstack.scenario.calls import Calls, wrong
from labstack.scenario.mutate.came import Came
from labstack.scenario.mutate.progress import Progress
from labstack.scenario.packets.wire import ACK, RST, Wire, take_apart
from labstack.scenario.target import Result, Ticket
from labstack.scenario.verdict import FailedError, Failure
from labstack.sim.history import UnrepeatableError
from labstack.sim.world import UnendingError
from labstack.stack.stack import Stack
from labstack.tcp.conn import Conn

READS = frozenset({"read", "recv", "readv", "recvfrom", "recvmsg"})
PEEK, OOB, TRUNC, ERRQUEUE = 2, 1, 0x20, 0x2000
AGES = 3 * 3600 * 10**9  # ns after which a host that nobody talks to has forgotten its connections
RESTS = 20_000  # events that this may take
NOWHERE = Place("", 0, 0)


class Judged(Calls):
    """What does not hold is raised as a FailedError of the kind "crash", as soon as it is seen."""

    def __init__(self, **given: Any) -> None:
        self.came = Came()
        self._progress = Progress()
        self._reads: dict[int, tuple[str, tuple[Any, ...], int]] = {}  # ticket: call, its connection
        self._position: dict[int, int] = {}  # connection: bytes read
        super().__init__(**given)

    # applications

    def call(self, name: str, *args: Any) -> Result | Ticket:
        sock = self._stream(args[0]) if name in READS else 0
        back = super().call(name, *args)
        if isinstance(back, Ticket):
            self._reads[back.number] = name, args, sock
        else:
            self._read(name, args, sock, back)
        return back

    def finished(self, ticket: Ticket) -> tuple[int, Result] | None:
        done = super().finished(ticket)
        if done is not None and ticket.number in self._reads:
            self._read(*self._reads.pop(ticket.number), done[1])
        return done

    def _stream(self, fd: Any) -> int:
        """The connection behind a descriptor, 0 if there is none."""
        files = self.host.files
        file = files.sockets.get(files.fds.get(fd, 0))
        return file.sock if file is not None and file.sock in self.host.conns else 0

    def _read(self, name: str, args: tuple[Any, ...], sock: int, back: Result) -> None:
        """What was read is what came for this place."""
        flags = args[2] if name in ("recv", "recvfrom", "recvmsg") and len(args) > 2 else 0
        conn = self.host.conns.get(sock)
        if conn is None or back.result <= 0 or flags & (PEEK | OOB | ERRQUEUE):
            return
        start = self._position.get(sock, 0)
        self._position[sock] = start + back.result
        data = back.data[0] if isinstance(back.data, tuple) else back.data
        if flags & TRUNC or not conn.rcv.wanted:
            return
        if not self.came.has((conn.lport, conn.rport), conn.rcv.irs + 1 + start, bytes(data)):
            raise broken(f"{name}() gave bytes {start}:{start + back.result} of the stream, which never came like this")

    # every event

    def _take(self, record: Record | None) -> None:
        super()._take(record)
        if record is None or record.host != self.host.name:
            return
        if record.fault:
            raise broken(record.fault)
        came = self._came(record)
        host = self.host
        why = wrong(host) or next(filter(None, (_hoards(conn, host) for conn in host.conns.values())), "")
        why = why or self._progress.after(host, came)
        why = why or next(filter(None, (self._leaves(sent.frame, came) for sent in record.sent)), "")
        if why:
            raise broken(why)

    def _came(self, record: Record) -> Wire | None:
        """The packet that this event was, if it can be read."""
        if not isinstance(record.event, Rx):
            return None
        wires = [it for it in map(take_apart, record.event.frame.cuts()) if not isinstance(it, str)]
        for wire in wires:
            self.came.take(wire)
        return wires[0] if wires else None

    def _leaves(self, frame: Frame, came: Wire | None) -> str:
        """What is wrong with a frame of the host's; "" if nothing is."""
        for data in frame.cuts():
            wire = take_apart(data)
            if isinstance(wire, str):
                return f"it sent a packet that cannot be read: {wire}"
            if not (wire.good and wire.ip_good) or wire.length != wire.size:
                return "it sent a packet with a wrong checksum or length"
            why = self._segment(wire, came) if wire.tcp is not None else ""
            if why:
                return why
        return ""

    def _segment(self, wire: Wire, came: Wire | None) -> str:
        head = wire.head
        if head.reserved:
            return "it sent a segment with reserved bits set"
        key = head.sport, head.dport
        if head.flags & RST and came is not None and came.tcp is not None and (
            came.good and came.head.flags & RST and (came.head.dport, came.head.sport) == key):  # fmt: skip
            return "it answered a reset with a reset"
        if head.flags & ACK and not self.came.acknowledges(key, head.ack):
            return "it acknowledged what never came"
        least = self.host.env.config["net.ipv4.tcp_min_snd_mss"]
        if len(wire.payload) > max(self.came.largest(key, wire.version), least):
            return "it sent a segment that is larger than its peer takes"
        return ""

    # the end

    def repeat(self) -> None:
        """The same steps, made again from the beginning, are the same and lead to the same state."""
        again = self.history.fork("again")
        try:
            again.goto(0)
            again.goto(self.history.n)
        except UnrepeatableError as error:
            raise broken(str(error)) from None
        differs = self.history.world.diff(again.world)
        if differs:
            raise broken(f"the same steps led to another state: {differs[0]}")

    def rest(self) -> None:
        """All descriptors are closed: let the host come to rest, and see that nothing is left of the connections."""
        try:
            end = self.now + AGES
            first = self.history.n
            while self._step(end):
                if self.history.n - first > RESTS:
                    raise broken(f"it does not come to rest: {RESTS} events after the last descriptor was closed")
        except UnendingError as error:
            raise broken(str(error)) from None
        host = self.host
        if not host.files.parked and not host.files.fds:
            left = {
                "connections": len(host.conns),
                "listeners": len(host.listeners),
                "datagram sockets": len(host.udps),
                "flows": len(host.flows),
                "ports": len(host.bound),
                "sockets": len(host.files.sockets),
            }
            there = [f"{n} {what}" for what, n in left.items() if n]
            if there:
                raise broken(f"hours after everything was closed there are still {', '.join(there)}")


def _hoards(conn: Conn, host: Stack) -> str:
    """Memory of a connection is bounded by the window that it offered, and by a number of islands."""
    rcv = conn.rcv
    if any(end > rcv.edge for _, end, _ in rcv.islands):
        return f"connection {conn.sock} keeps bytes beyond the window that it offered"
    if len(rcv.islands) > host.env.config["net.ipv4.tcp_max_islands"]:
        return f"connection {conn.sock} keeps {len(rcv.islands)} islands"
    held = sum(sum(map(len, pieces)) for _, _, pieces in rcv.islands)
    if held != sum(end - start for start, end, _ in rcv.islands):
        return f"connection {conn.sock} keeps islands whose bytes are not as many as they say"
    return ""


def broken(why: str) -> FailedError:
    """The error that an invariant does not hold."""
    return FailedError(Failure(NOWHERE, "crash", why))


def signature(why: str) -> str:
    """The kind of a failure: its words without numbers; of a traceback, the error and the place that raised it."""
    lines = [line.strip() for line in why.strip().splitlines()]
    if len(lines) > 1 and lines[0].startswith("Traceback"):
        places = [line for line in lines if line.startswith("File ")]
        return re.sub(r"0x[0-9a-f]+|\d+", "#", f"{lines[-1]} {places[-1] if places else ''}")
    return re.sub(r"0x[0-9a-f]+|\d+", "#", lines[0] if lines else "")
