# SPDX-License-Identifier: GPL-2.0-or-later
"""The runner: plays a packetdrill script on a target, event by event, and says where they part.

    failure = play(script, lab(script, settings), settings)          None: all went as the script says

Inbound packets, calls, commands and code wait for their time; an outbound packet is waited for from the moment the
runner gets to its line, so that one which comes early is seen. What a call means is the affair of `calling`, when
things may happen that of `clock`, whose packets they are that of `undertest`.
"""

from collections import deque
from typing import Any

from labstack.packetdrill.printer import packet as shown
from labstack.packetdrill.printer import seconds
from labstack.packetdrill.script import Code, Command, Event, Packet, Place, Script, Syscall
from labstack.scenario import profiles
from labstack.scenario.calls import Calls
from labstack.scenario.code.blocks import Blocks, CodeError
from labstack.scenario.packets import match, segments
from labstack.scenario.packets.flow import Flow, PacketError
from labstack.scenario.script.calling import Calling
from labstack.scenario.script.clock import LONGEST, PATIENCE, SECOND, Clock, Span
from labstack.scenario.script.plan import Plan, plan
from labstack.scenario.script.undertest import Sockets
from labstack.scenario.settings import Settings
from labstack.scenario.shell.real import real_shell
from labstack.scenario.shell.shell import RefusedError, Shell
from labstack.scenario.target import Packet as Sent
from labstack.scenario.target import Target
from labstack.scenario.verdict import FailedError, Failure, Field
from labstack.sim.world import UnendingError


def lab(script: Script, settings: Settings, kind: type[Calls] = Calls) -> Any:
    """A host of ours, of this kind, as a script and its run want it. Raises ScriptError, RefusedError."""
    return kind(**plan(script, settings).needs("lab"), seed=settings.seed, events=settings.events)


def play(script: Script, target: Target, settings: Settings) -> Failure | None:
    """Play a script from beginning to end; returns the first thing that is not as it says, or None.

    On the kernel the script's own tolerances hold, and two ticks of its timers at least. Raises ScriptError for an
    option that cannot be, and RefusedError for one that we do not have; all else is a Failure.
    """
    if target.name == "kernel":
        settings = settings._replace(tolerance_us=None)
    it = plan(script, settings)
    return None if it.dry_run else Run(script, target, it, settings).play()


class Run:
    """One run of a script; warnings: failures that the script calls non-fatal."""

    def __init__(self, script: Script, target: Target, it: Plan, settings: Settings) -> None:
        self.script, self.target, self.plan, self.settings = script, target, it, settings
        self.warnings: list[Failure] = []
        self.kept: deque[Sent] = deque()  # packets that came while something else was waited for
        self.number, self.place = 0, Place(script.file, 1, 1)  # of the present event
        self.sockets = Sockets(it)
        self.clock = Clock(target.now, max(it.tolerance, 2 * target.tick), it.percent)
        self.calling = Calling(target, self.sockets, self.clock, self._tell_of_call)
        self.blocks = Blocks(settings.allow_code)
        self.shell = Shell(target, self._defaults, real_shell(target, script.file) if settings.allow_shell else None)

    def play(self) -> Failure | None:
        """The first failure, or None."""
        try:
            self._begin()
            for number, event in enumerate(self.script.events):
                self.number, self.place = number, event.place
                self._event(event)
            self._end()
        except FailedError as error:
            return self._crash() or error.failure
        except UnendingError as error:
            return self._crash() or self._failure("endless", str(error))
        return self._crash()

    # one event after the other

    def _begin(self) -> None:
        profiles.apply(self.target, self.plan.profile)
        if self.script.init is not None:
            self._command(self.script.init)
        for packet in [it.action for it in self.script.events if isinstance(it.action, Packet)][:1]:
            self.sockets.rehearse(packet)
        self.clock.start = self.target.now

    def _defaults(self) -> None:
        """What defaults.sh does."""
        profiles.apply(self.target, "linux")

    def _event(self, event: Event) -> None:
        """Do what a line says."""
        span = self.clock.span(event, self.target.now)
        if span.first > LONGEST:
            raise self._failed("endless", f"the script goes on after {LONGEST // SECOND} s")
        action = event.action
        if isinstance(action, Packet) and not action.inbound:
            self._expect(action, span)
            return
        made = self._made(action) if isinstance(action, Packet) else b""  # before its time, which it takes
        self._until(span, "packet" if made else "syscall")
        if made:
            self.target.inject(made)
        elif isinstance(action, Syscall):
            self._call(event, action, span)
        elif isinstance(action, Command):
            self._command(action)
        elif isinstance(action, Code):
            self._code(action)

    def _end(self) -> None:
        """No call may still block; sockets that are open are closed."""
        blocking = self.calling.blocking
        if blocking is not None:
            self._returned_by(max(self.clock.live(blocking.returns.last + blocking.returns.slack), self._soon()))
        for live in self.sockets.live.values():
            self.target.call("close", live)
        if self.script.cleanup is not None:
            self._command(self.script.cleanup)

    # packets

    def _made(self, packet: Packet) -> bytes:
        """The bytes of an inbound packet."""
        try:
            return segments.build(packet, self.sockets.sender(packet))
        except PacketError as error:
            raise self._failed("packet", str(error)) from None

    def _expect(self, packet: Packet, span: Span) -> None:
        """The packet of the line comes, in one or more pieces, or else."""
        flow, since = self.sockets.receiver(packet)
        pieces = match.Pieces(packet, flow, self.plan.strict)
        until = self.clock.live(span.last) + span.slack + PATIENCE
        at = self.target.now
        while pieces.wants:
            sent = self._next(packet, flow, since, until)
            if sent is None:
                self._missing(packet, span, bool(pieces.found))
                return
            pieces.take(sent.data)
            at = sent.at
        try:
            rows = pieces.rows(self.clock.drift(at) / 1000)
        except PacketError as error:
            raise self._failed("packet", str(error)) from None
        self._judge(rows, span, at)

    def _judge(self, rows: tuple[Field, ...], span: Span, at: int) -> None:
        """Is the packet that came what was expected, and was it in time?"""
        here = self.clock.since(at)
        self.clock.came(at)
        early, late = span.early(here), span.late(here)
        time = Field("time", str(span), seconds(here), not (early or late))
        differs = match.why(rows)
        if not differs and time.enough:
            return
        kind = "packet" if differs else "early" if early else "late"
        came = "" if time.enough else f"it came at {time.actual}, expected at {time.expected}"
        why = "; ".join(filter(None, (differs, came)))
        self._tell(Failure(self.place, kind, why, (*rows, time), at, self.number), "packet")

    def _missing(self, packet: Packet, span: Span, some: bool) -> None:
        came = "only a part" if some else "nothing"
        until = seconds(self.clock.since(self.target.now))
        others = f"; packets of other connections came: {len(self.kept)}" if self.kept else ""
        why = f"{came} came by {until} where the script expects {shown(packet)} at {span}{others}"
        self._tell(self._failure("missing", why, (Field("time", str(span), ""),)), "packet")

    def _next(self, packet: Packet, flow: Flow, since: int, until: int) -> Sent | None:
        """The next packet of a flow that was sent from `since` on, up to `until` (ns of the target)."""
        for i, sent in enumerate(self.kept):
            if sent.at >= since and match.belongs(sent.data, packet, flow):
                del self.kept[i]
                return sent
        while (new := self._wait(until)) is not None:
            if match.belongs(new.data, packet, flow):
                return new
            self.kept.append(new)
        return None

    # time

    def _wait(self, until: int) -> Sent | None:
        """The next packet by `until`, whatever calls return meanwhile."""
        while True:
            sent = self.target.wait(until, self.calling.ticket)
            if sent is not None:
                return sent
            blocked = self.calling.ticket
            self.calling.reap()
            if self.calling.ticket == blocked:
                return None

    def _until(self, span: Span, about: str) -> None:
        """Let it be the time of an event; packets that come are kept."""
        self._pass(self.clock.live(span.first))
        here = self.clock.since(self.target.now)
        if span.late(here):
            row = Field("time", str(span), seconds(here))
            self._tell(self._failure("late", f"it is {row.actual} already, expected {row.expected}", (row,)), about)

    def _pass(self, until: int) -> None:
        while (sent := self._wait(until)) is not None:
            self.kept.append(sent)

    def _soon(self) -> int:
        """How long a call that blocks is waited for."""
        return self.target.now + SECOND

    def _returned_by(self, until: int) -> None:
        """Wait up to `until` for the call that blocks."""
        blocking = self.calling.blocking
        if blocking is None:
            return
        while self.calling.blocking is blocking and (sent := self.target.wait(until, blocking.ticket)) is not None:
            self.kept.append(sent)
        self.calling.reap()
        if self.calling.blocking is blocking:
            self._tell_of_call(self.calling.overdue(blocking))

    # calls, commands, code

    def _call(self, event: Event, call: Syscall, span: Span) -> None:
        """Make a call; where times need not be exact, one that is not said to block may take up to a second."""
        self._returned_by(self._soon())
        returns = span._replace(slack=SECOND if span.slack else 0)
        if call.end is not None:
            returns = self.clock.returns(call.end, event, span.first)
        self.calling.start(self.number, event, call, returns)
        if call.end is None:
            self._returned_by(self.target.now + returns.slack)

    def _command(self, command: Command) -> None:
        if command.line:
            self.place = Place(self.script.file, command.line, 1)
        try:
            ran = self.shell.run(command.text)
        except RefusedError as error:
            raise self._failed("refused", str(error)) from None
        if ran.status:
            said = " ".join(ran.output.split()) or f"`{' '.join(command.text.split())}`"
            raise self._failed("shell", f"a command ended with status {ran.status}: {said}")

    def _code(self, code: Code) -> None:
        try:
            self.blocks.run(code, self.place, self._info())
        except CodeError as error:
            raise FailedError(Failure(error.place, error.kind, error.why, (), self.target.now, self.number)) from None

    def _info(self) -> dict[str, int]:
        """What there is to know about the socket under test."""
        it = self.sockets.current
        return self.target.info(self.sockets.fd(it.fd)) if it is not None and it.fd in self.sockets.live else {}

    # failures

    def _crash(self) -> Failure | None:
        fault = self.target.fault
        return self._failure("crash", fault) if fault else None

    def _failure(self, kind: str, why: str, rows: tuple[Field, ...] = ()) -> Failure:
        return Failure(self.place, kind, why, rows, self.target.now, self.number)

    def _failed(self, kind: str, why: str) -> FailedError:
        return FailedError(self._failure(kind, why))

    def _tell_of_call(self, failure: Failure) -> None:
        self._tell(failure, "syscall" if failure.kind != "refused" else "")

    def _tell(self, failure: Failure, about: str) -> None:
        """It is over, unless the script calls such failures warnings."""
        if about not in self.plan.non_fatal:
            raise FailedError(failure)
        self.warnings.append(failure)
