# SPDX-License-Identifier: GPL-2.0-or-later
"""`Lab(wire="tap")`: one host of ours in real time, and the Linux kernel as the other, under the same verbs.

A TapHistory stands where a memory lab has its sim.History. An event happens when something does: `step` waits for it.
While the prompt waits for the user, `serve` lets events happen, unless the user is stepping. The kernel cannot
be rewound, so there is no going back: what happened can be looked at.
"""

import select
import subprocess
from collections import deque
from collections.abc import Callable, Iterable
from time import monotonic_ns
from typing import Any, NoReturn

from labstack.core.errors import StackError
from labstack.core.event import Call, Event, Quarantine, Rx, Tick, Tx, Wake
from labstack.core.frame import Frame
from labstack.core.record import Record, Sent
from labstack.lab.build import Entry
from labstack.lab.errors import LabError
from labstack.lab.quiet import quiet
from labstack.lab.rows import KERNEL
from labstack.lab.view import Line, Span, View
from labstack.live.host import LiveHost, up
from labstack.sim.world import outcome

PATIENCE = 1_000_000_000  # ns that a step, or a condition, waits for something to happen
LOOK = 20_000_000  # ns between two looks at whether a program has ended
CALM = 300_000_000  # ns without an event after which `continue` returns
FROM_KERNEL = -1  # the flight of its frames, which nobody here saw leave
KEPT = 20_000  # records
NO_WAY_BACK = "on a TAP the world outside cannot be rewound; look at what was with ladder, events, why N"


class Ran(View):
    """A program that has ended: returncode, stdout, stderr. It shows what it said."""

    def __init__(self, returncode: int, stdout: str, stderr: str) -> None:
        self.returncode = returncode
        self.stdout = stdout
        self.stderr = stderr

    def lines(self, width: int) -> Iterable[Line]:
        for text, style in ((self.stdout, ""), (self.stderr, "bad")):
            yield from ([Span(line.expandtabs(), style)] for line in text.splitlines())
        if self.returncode:
            yield [Span(f"(exit status {self.returncode})", "dim")]


class TapWorld:
    """What a memory lab's world has, as far as there is such a thing here."""

    def __init__(self, host: LiveHost) -> None:
        self.hosts = {host.stack.name: host.stack}
        self.calendar: list[tuple[int, int, str, Event, int]] = []
        self.start = monotonic_ns()

    @property
    def now(self) -> int:
        """The stack's time, ns; records count from `start`."""
        return monotonic_ns()

    @property
    def timers(self) -> dict[str, int | None]:
        """Every host's deadline."""
        return {name: stack.deadline() for name, stack in self.hosts.items()}


class TapHistory:
    """The events of a host on a TAP; see sim.History for the names."""

    name = "main"

    def __init__(self, host: LiveHost) -> None:
        self.host = host
        self.peers = [Entry(KERNEL, *_plain(host.wire.kernel.addresses), host.wire.kernel.mac.hex(":"))]
        self.stack = host.stack
        self.stack.env.tracing = True
        self.device = host.wire.device
        self.world = TapWorld(host)
        self.kept: deque[Record] = deque(maxlen=KEPT)
        self.count = 0
        self.stepping = False
        self.poll = select.poll()
        self.poll.register(self.device.fd, select.POLLIN)

    @property
    def n(self) -> int:
        return self.count

    @property
    def past(self) -> list[Record]:
        return list(self.kept)

    records = past

    def call(self, host: str, op: str, *args: Any) -> None:
        """Queue an application's call for the next step."""
        self.world.calendar.append((self.world.now, len(self.world.calendar), host, Call(op, args), 0))

    def now_call(self, host: str, op: str, *args: Any) -> Any:
        """Do an application's call at once."""
        return outcome(self._happen(Call(op, args)))

    def inject(self, frame: Frame | bytes, to: str, dev: int | None = None) -> None:
        """A frame will arrive that nobody sent."""
        made = frame if isinstance(frame, Frame) else Frame(bytes(frame))
        self.world.calendar.append((self.world.now, len(self.world.calendar), to, Rx(self.host.dev, made), 0))

    def step(self, n: int = 1) -> list[Record]:
        """The next n events; each is waited for, a second at most."""
        self.stepping = True
        return [record for _ in range(n) if (record := self._next(PATIENCE))]

    def run(self, until: Any = None, limit: int = 0) -> list[Record]:
        """Let events happen until it is calm, up to a time (ns), or until a function of the world is true."""
        self.stepping = False
        made: list[Record] = []
        while True:
            if isinstance(until, int):
                wait = until - self.world.now
            else:
                wait = CALM if until is None or until is quiet else PATIENCE
            record = self._next(wait) if wait > 0 else None
            if record is None:
                return made
            made.append(record)
            if callable(until) and until is not quiet and until(self.world):
                return made

    def serve(self, over: Callable[[], bool], fd: int = -1) -> None:
        """Let events happen until over() is true, unless the user is stepping; fd: readable when it may be true."""
        patience = LOOK if fd < 0 else PATIENCE
        if fd >= 0:
            self.poll.register(fd, select.POLLIN)
        try:
            while not over():
                if self.stepping or self.device.fd < 0:  # closed
                    select.select([fd] if fd >= 0 else [], [], [], patience / 1e9)
                else:
                    self._next(patience, fd)
        finally:
            if fd >= 0:
                self.poll.unregister(fd)

    def plug(self, host: Any, wire: Any) -> NoReturn:
        raise LabError("Scapy's lab0 is for a wire in memory; use Lab(), or Scapy on the kernel's side of the TAP")

    def exec(self, *argv: str) -> Ran:
        """Run a program on the kernel's side to its end, while we answer it."""
        pipe = subprocess.PIPE
        with self.host.wire.popen(argv, stdout=pipe, stderr=pipe, text=True) as program:
            self.stepping = False
            try:
                self.serve(lambda: program.poll() is not None)
            except KeyboardInterrupt:
                program.kill()
                raise
            out, err = program.communicate()
        return Ran(program.returncode, out, err)

    def back(self, n: int = 1) -> NoReturn:
        raise LabError(NO_WAY_BACK)

    def fork(self, name: str) -> NoReturn:
        raise LabError("a world with the Linux kernel in it cannot be copied; Lab() in memory can")

    def diff(self, other: Any) -> NoReturn:
        raise LabError("a world with the Linux kernel in it is the only one: there is no other to compare it with")

    def close(self) -> None:
        """Give back the TAP and its namespace."""
        self.host.close()

    def _next(self, patience: int, fd: int = -1) -> Record | None:
        """The next event within patience (ns), or None; also None when fd becomes readable."""
        if self.world.calendar:
            return self._happen(self.world.calendar.pop(0)[3])
        end = self.world.now + patience
        while True:
            due = self.stack.deadline()
            wait = min(end, end if due is None else due) - self.world.now
            ready = [number for number, _ in self.poll.poll(max(0, wait) / 1e6)]
            if fd in ready:
                return None
            if ready and (frame := self.device.read()) is not None:
                return self._happen(Rx(self.host.dev, frame), FROM_KERNEL)
            if due is not None and due <= self.world.now:
                return self._happen(Tick())
            if self.world.now >= end:
                return None

    def _happen(self, event: Event, flight: int = 0) -> Record:
        now = self.world.now
        try:
            result = self.stack.handle(event, now)
        except StackError as error:
            result = error
        actions = self.stack.drain(now)
        for action in actions:
            if type(action) is Tx:
                self.device.write(action.frame)
        self.count += 1
        record = Record(
            n=self.count,
            at=now - self.world.start,
            host=self.stack.name,
            event=event,
            flight=flight,
            result=result,
            trace=self.stack.take_trace(),
            sent=tuple(Sent(0, a.dev, a.frame) for a in actions if type(a) is Tx),
            wakes=tuple(a for a in actions if type(a) is Wake),
            fault="".join(a.why for a in actions if type(a) is Quarantine),
        )
        self.kept.append(record)
        return record


def begin() -> tuple[TapHistory, list[Entry]]:
    """A host on a TAP, and who is who. Raises NoWireError (an OSError) with doctor's line when none is to be had."""
    host = up("tap", name="h1", start=False)
    ours = host.wire.ours
    return TapHistory(host), [Entry("h1", *_plain(ours.addresses), ours.mac.hex(":"))]


def _plain(prefixes: tuple[str, ...]) -> tuple[str, str]:
    four = [p.partition("/")[0] for p in prefixes if ":" not in p]
    six = [p.partition("/")[0] for p in prefixes if ":" in p]
    return (four or [""])[0], (six or [""])[0]


def shifted(records: list[Record]) -> list[Record]:
    """Records whose times begin at 0."""
    start = records[0].at if records else 0
    return [record._replace(at=record.at - start) for record in records]
