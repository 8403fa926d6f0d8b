# SPDX-License-Identifier: GPL-2.0-or-later
"""History: a world that remembers. Step, step back, jump, fork, compare.

Every few steps the world is cloned (a snapshot). Any moment is reached by going to the last snapshot before it and
stepping on; because a world is deterministic, and whatever came from outside is written down as an Input with the step
after which it came, that is exact. One snapshot for each step was measured too: a step then costs 43 us instead of 30
(two hosts, four connections, tracing), and saves the repetition of at most seven steps, 0.1 ms, when going back.

Going back keeps the future: stepping on repeats it. The first thing done otherwise (a call, an injected frame,
another wire) begins a new future and drops the old one. All changes from outside must therefore come through here.
"""

from bisect import bisect_left, bisect_right
from hashlib import blake2b
from typing import Any, NamedTuple

from labstack.core.frame import Frame
from labstack.core.record import Record
from labstack.core.state import Difference, State
from labstack.sim.net import Port
from labstack.sim.wire import Wire
from labstack.sim.world import LIMIT, Until, World, outcome, walk
from labstack.stack.stack import Stack

SPACING = 4  # steps between snapshots for each host, to begin with
MOST = 256  # snapshots; if there are more, every second one goes


class Input(NamedTuple):
    """Something done to the world from outside after step n: World's method `verb` with `args`."""

    n: int
    verb: str
    args: tuple[Any, ...]


class UnrepeatableError(RuntimeError):
    """A step that was made again came out otherwise."""


class Divergence(NamedTuple):
    """How two histories differ: the first step that does (0: none yet), its two records, and the states now."""

    n: int
    ours: Record | None
    theirs: Record | None
    states: list[Difference]


class History:
    """A world with its past (and, after going back, its future).

    world:   the present state; another object after going back, so hold on to the History and not to its parts
    records: one for each step, past and future; `n` of them are past
    """

    def __init__(self, world: World, name: str = "main") -> None:
        self.world = world
        self.name = name
        self.records: list[Record] = []
        self.inputs: list[Input] = []
        self._first = world.n  # steps the world had made before
        self._snapshots: dict[int, World] = {}  # the world right before step n+1; never written to
        self._spacing = SPACING * max(len(world.hosts), 2)

    @property
    def n(self) -> int:
        """Steps made up to the present."""
        return self.world.n - self._first

    @property
    def past(self) -> list[Record]:
        """The records up to the present."""
        return self.records[: self.n]

    @property
    def last(self) -> Record | None:
        """The last record up to the present."""
        return self.records[self.n - 1] if self.n else None

    # from outside

    def call(self, host: str, op: str, *args: Any) -> None:
        """As World.call: queue an application's call."""
        self._do("call", host, op, *args)

    def now_call(self, host: str, op: str, *args: Any) -> Any:
        """As World.now_call: a call as the next step. Returns its result, raises its StackError."""
        self._do("call_first", host, op, *args)
        return outcome(self._step())

    def inject(self, frame: Frame | bytes, to: str, dev: int | None = None) -> None:
        """As World.inject: a frame from nowhere arrives now."""
        self._do("inject", frame, to, dev)

    def rewire(self, port: Port, wire: Wire) -> None:
        """As World.rewire: put a clone of `wire` in the place of the one that leaves `port`."""
        self._do("rewire", port, wire.clone())

    def plug(self, host: Stack, wire: Wire, dev: int = 1) -> None:
        """As World.plug: one more host, a clone of `host`, on the wire of the others."""
        self._do("plug", host.clone(), wire.clone(), dev)

    def suspend(self, host: str, until: int) -> None:
        """As World.suspend: nothing happens at this host before `until` (ns)."""
        self._do("suspend", host, until)

    def advance(self, until: int) -> None:
        """As World.advance: let time pass up to `until` (ns), in which nothing may be due."""
        self._do("advance", until)

    def trace(self, on: bool = True) -> None:
        """As World.trace: have every host name its rules from now on."""
        self._do("trace", on)

    # through time

    def step(self, n: int = 1) -> list[Record]:
        """The records of the next n events, or of fewer if nothing is left to happen."""
        made = []
        for _ in range(n):
            record = self._step()
            if record is None:
                break
            made.append(record)
        return made

    def step_by(self, by: int) -> Record | None:
        """The record of the next event, or None if none is due by the time `by` (ns)."""
        return self._step(by)

    def back(self, n: int = 1) -> int:
        """Undo n steps (or all there are); returns the step that is now the last."""
        return self.goto(max(0, self.n - n))

    def goto(self, n: int) -> int:
        """Go back or on until step n is the last one made. Returns it, or an earlier one if all comes to rest."""
        if n < 0:
            raise ValueError(f"cannot go to step {n}: expected 0 (the beginning) or a later step")
        if n < self.n:
            self._return(n)
        while self.n < n and self._step() is not None:
            pass
        return self.n

    def when(self, at: int) -> int:
        """The last recorded step that happened at or before `at` (ns), for goto()."""
        return bisect_right(self.records, at, key=lambda record: record.at)

    def run(self, until: Until = None, limit: int = LIMIT) -> list[Record]:
        """As World.run, with the records of all that happened."""
        made = list(walk(self.world, self._step, until, limit))
        if isinstance(until, int) and until > self.world.now:
            self._do("advance", until)
        return made

    # side by side

    def fork(self, name: str) -> "History":
        """Another History with the same past and present (and no future); neither ever sees what the other does."""
        n = self.n
        other = History(self.world.clone(), name)
        other.records = self.records[:n]
        other.inputs = self.inputs[: bisect_right(self.inputs, n, key=_when)]
        other._first, other._spacing = self._first, self._spacing
        other._snapshots = {at: world for at, world in self._snapshots.items() if at < n}
        return other

    def diff(self, other: "History") -> Divergence:
        """The first step that differs between the two pasts, and every path at which the two present states differ."""
        ours, theirs = self.past, other.past
        n = next((i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs)))
        pair = [records[n] if n < len(records) else None for records in (ours, theirs)]
        return Divergence(n + 1 if any(pair) else 0, pair[0], pair[1], self.world.diff(other.world))

    # how

    def _do(self, verb: str, *args: Any) -> None:
        """Change the world from outside, and write down how. What was to come is dropped."""
        getattr(self.world, verb)(*args)
        self._branch(self.n)
        self.inputs.append(Input(self.n, verb, args))

    def _step(self, by: int | None = None) -> Record | None:
        n = self.n
        if n % self._spacing == 0:
            self._keep(n)
        try:
            record = self.world.step(by)
        except BaseException:  # Ctrl-C, or a bug: the step was not made
            self._return(n)
            raise
        if record is None:
            return None
        if self.n > len(self.records):
            self.records.append(record)
        else:
            self._again(self.n, record)
        return record

    def _again(self, n: int, record: Record) -> None:
        """Step n was made again: repeat what came from outside after it, unless the step came out otherwise."""
        first = bisect_left(self.inputs, n, key=_when)
        if record != self.records[n - 1]:
            self._branch(n)
            self.records[n - 1] = record
            del self.inputs[first:]
            raise UnrepeatableError(
                f"step {n} came out otherwise when it was repeated: something outside the world takes part in it "
                "(the function of a wire's Rule?). What was recorded after it is dropped"
            )
        for _, verb, args in self.inputs[first : bisect_right(self.inputs, n, key=_when)]:
            getattr(self.world, verb)(*args)

    def _branch(self, n: int) -> None:
        """Drop what was to come after step n."""
        del self.records[n:]
        del self.inputs[bisect_right(self.inputs, n, key=_when) :]
        self._snapshots = {at: world for at, world in self._snapshots.items() if at < n}

    def _keep(self, n: int) -> None:
        """Take a snapshot of the present, before step n+1."""
        self._snapshots[n] = self.world.clone()
        if len(self._snapshots) > MOST:
            self._spacing *= 2
            self._snapshots = {at: world for at, world in self._snapshots.items() if at % self._spacing == 0}

    def _return(self, n: int) -> None:
        """Go back to step n: to the snapshot before it, and on from there."""
        self.world = self._snapshots[max(at for at in self._snapshots if at <= n)].clone()
        while self.n < n:
            self._step()


def _when(given: Input) -> int:
    return given.n


def digest(records: list[Record]) -> str:
    """A hash of everything that happened, the same in every process: two runs are equal if their digests are."""
    total = blake2b(digest_size=16)
    for record in records:
        total.update(repr(_canonical(record)).encode())
    return total.hexdigest()


def _canonical(value: Any) -> Any:
    if isinstance(value, Frame):
        return value.cuts()
    if isinstance(value, State):
        return _canonical(value.as_dict())
    if isinstance(value, dict):
        return [(_canonical(k), _canonical(v)) for k, v in value.items()]
    if isinstance(value, tuple | list):
        return [type(value).__name__, *map(_canonical, value)]
    return bytes(value) if isinstance(value, memoryview) else value
