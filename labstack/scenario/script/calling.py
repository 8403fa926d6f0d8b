# SPDX-License-Identifier: GPL-2.0-or-later
"""Calling: makes the system calls of a script, judges what they return and when, and keeps account of its sockets.

A call with an end time blocks, beside the script: one at a time. Any other call returns at once.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from labstack.packetdrill import symbols
from labstack.packetdrill.printer import expression, seconds
from labstack.packetdrill.script import Event, Place, Syscall
from labstack.scenario.packets import match
from labstack.scenario.script import arguments, values
from labstack.scenario.script.arguments import Prepared
from labstack.scenario.script.clock import Clock, Span
from labstack.scenario.script.messages import Stamps
from labstack.scenario.script.undertest import Sockets
from labstack.scenario.script.values import ValueRefusedError
from labstack.scenario.target import OPENS, Result, Target, Ticket
from labstack.scenario.verdict import ANYTHING, Failure, Field

CONNECTS = frozenset({"connect", "sendto", "sendmsg"})
AF_UNSPEC = 0
EINPROGRESS = 115
SOCK_STREAM, SOCK_TYPES = 1, 0xF


class Started(NamedTuple):
    """A call that was made; returns: when it may return (since the start of the script); ticket: if it blocks."""

    number: int  # of the event
    place: Place
    call: Syscall
    prepared: Prepared
    returns: Span
    ticket: Ticket | None = None


class Calling:
    """clock: of the script; tell: is given what went otherwise."""

    def __init__(self, target: Target, sockets: Sockets, clock: Clock, tell: Callable[[Failure], None]) -> None:
        self.target, self.sockets, self.clock, self.tell = target, sockets, clock, tell
        self.blocking: Started | None = None

    @property
    def ticket(self) -> Ticket | None:
        """Of the call that blocks."""
        return self.blocking.ticket if self.blocking else None

    def start(self, index: int, event: Event, call: Syscall, returns: Span) -> None:
        """Make a call; if it blocks, it is `blocking` until it returned."""
        epoch, slack = self.target.epoch, self.sockets.plan.tolerance
        stamps = Stamps(lambda at: self.clock.since(at - epoch), slack, self.clock.behind)
        try:
            prepared = arguments.prepare(call, self.sockets, stamps)
        except ValueRefusedError as error:
            self.tell(Failure(event.place, "refused", f"{call.name}(): {error}", (), self.target.now, index))
            return
        started = Started(index, event.place, call, prepared, returns)
        began = self.target.now
        back = self.target.call(prepared.name, *prepared.args)
        self._under_way(call, prepared.args, back, began)
        if isinstance(back, Ticket):
            self.blocking = started._replace(ticket=back)
        else:
            self._returned(started, self.target.now, back)

    def reap(self) -> None:
        """See whether the call that blocked has returned, and judge it."""
        if self.blocking is None or self.blocking.ticket is None:
            return
        done = self.target.finished(self.blocking.ticket)
        if done is not None:
            started, self.blocking = self.blocking, None
            self._returned(started, *done)

    def overdue(self, it: Started) -> Failure:
        """The failure of a call that blocks for longer than it may."""
        said = "the script says that it returns at once" if it.call.end is None else f"expected until {it.returns}"
        row = Field("returns", str(it.returns), "")
        why = f"{it.call.name}() still blocks at {seconds(self.clock.since(self.target.now))}: {said}"
        return Failure(it.place, "late", why, (row,), self.target.now, it.number)

    # what a call returned

    def _returned(self, it: Started, at: int, back: Result) -> None:
        self._done(it.call, it.prepared.args, back)
        try:
            rows = (*_rows(it.call, back), *it.prepared.judge(back), self._time(it, at))
        except ValueRefusedError as error:
            self.tell(Failure(it.place, "refused", f"{it.call.name}(): {error}", (), at, it.number))
            return
        kind = next((kind for row, kind in zip(rows, ("result", "errno"), strict=False) if row.differs), "")
        if not kind and any(row.differs for row in rows[:-1]):
            kind = "data"
        if not kind and rows[-1].differs:
            kind = "early" if it.returns.early(self.clock.since(at)) else "late"
        if kind:
            why = _said(it.call, back) if kind in ("result", "errno") else match.why(rows)
            self.tell(Failure(it.place, kind, f"{it.call.name}(): {why}", rows, at, it.number))

    def _time(self, it: Started, at: int) -> Field:
        """When it returned; of a call that does not block, when it was made."""
        here = self.clock.since(at)
        in_time = not (it.returns.early(here) or it.returns.late(here))
        return Field("returns", str(it.returns), seconds(here), in_time)

    # what a call means for the sockets of the script

    def _under_way(self, call: Syscall, args: tuple[Any, ...], back: Result | Ticket, began: int) -> None:
        """What a call does whether it blocks or not; began: ns of the target."""
        if isinstance(back, Result) and back.result < 0 and back.errno != EINPROGRESS:
            return
        fd = _number(call, 0)
        if call.name == "close":
            self.sockets.closed(fd)
        elif call.name in CONNECTS and fd in self.sockets.open:
            addr, it = args[3 if call.name != "connect" else 1], self.sockets.open[fd]
            told = call.name != "connect" or (isinstance(back, Result) and back.result == 0)  # of an earlier connect()
            if isinstance(addr, tuple) and not (told and it.tcp and it.flow.remote_port and not it.over):
                self.sockets.connecting(fd, addr[1], began)
                self._learn(fd, args[0])
            elif call.name == "connect" and addr == AF_UNSPEC:
                self.sockets.disconnected(fd)

    def _done(self, call: Syscall, args: tuple[Any, ...], back: Result) -> None:
        """What a call does when it has returned."""
        if back.result < 0:
            return
        fd, named = _number(call, 0), values.number(call.result)
        if call.name in OPENS and named < 0:
            self.target.call("close", back.result)  # a script that does not expect it has no name for it
        elif call.name == "socket":
            self.sockets.socket(named, back.result, args[1] & SOCK_TYPES == SOCK_STREAM)
        elif call.name in ("accept", "accept4"):
            self.sockets.accepted(named, back.result, back.data[1] if back.data else 0)
        elif call.name in OPENS:
            self.sockets.other(named, back.result)
        elif call.name == "bind" and args[1]:
            self.sockets.bound(fd, args[1][1] or self._port(args[0]))
        elif call.name == "listen":
            self.sockets.listens(fd)
            self._learn(fd, args[0])

    def _learn(self, fd: int, live: int) -> None:
        """Ask for the port of a socket that nobody bound, where no SYN of its own will tell."""
        it = self.sockets.open.get(fd)
        if it is not None and not it.flow.local_port and (it.listening or not it.tcp):
            it.flow.local_port = self._port(live)

    def _port(self, live: int) -> int:
        back = self.target.call("getsockname", live)
        return int(back.data[1]) if isinstance(back, Result) and back.data else 0


def _number(call: Syscall, at: int) -> int:
    """An argument that is a number; -1 if it is something else."""
    try:
        return values.signed(call.args[at])
    except ValueRefusedError:
        return -1


def _rows(call: Syscall, back: Result) -> tuple[Field, Field]:
    """Result and errno, expected beside actual."""
    wanted, live = values.number(call.result), _errno(back)
    opened = call.name in OPENS and wanted >= 0 and back.result >= 0
    result = Field("result", expression(call.result), str(back.result), opened or wanted == back.result)
    if call.errno is None:
        return result, Field("errno", ANYTHING, live)
    return result, Field("errno", call.errno, live, symbols.value(call.errno) == back.errno)


def _errno(back: Result) -> str:
    return symbols.name("errno", back.errno) if back.errno else ""


def _said(call: Syscall, back: Result) -> str:
    """'expected 1000, got -1 EAGAIN'"""
    wanted = " ".join(filter(None, (expression(call.result), call.errno)))
    return f"expected {wanted}, got {' '.join(filter(None, (str(back.result), _errno(back))))}"
