# SPDX-License-Identifier: GPL-2.0-or-later
"""World: hosts, the net between them, a calendar and a seed. Virtual time; one event a step; clonable as a whole.

An event is what happens at one host: a frame arrives, a timer is due, an application calls. `step()` takes the next
one from the calendar, lets its host handle it, drains that host and puts what it sends on the wires. What is due at
the same time happens in the order in which it was put there, then timers, in the order of the hosts: a run is a
function of the seed and of what was called, injected and changed from outside.
"""

from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from typing import Any, TypeVar

from labstack.core.errors import StackError
from labstack.core.event import Call, Event, Quarantine, Rx, Tick, Trace, Tx, Wake
from labstack.core.frame import Frame
from labstack.core.named import named
from labstack.core.record import Record, Sent
from labstack.core.rng import Rng
from labstack.core.state import State, field, state
from labstack.sim.net import Net, Port
from labstack.sim.wire import Wire
from labstack.stack.stack import Stack

LIMIT = 1_000_000  # events in one run

TICK = Tick()
Entry = tuple[int, int, str, Event, int]  # at (ns), sequence number, host, event, flight
Drained = tuple[tuple[Trace, ...], tuple[Sent, ...], tuple[Wake, ...], str]
Happening = tuple[str, Event, int, Any, tuple[Trace, ...], tuple[Sent, ...], tuple[Wake, ...], str]  # as in a Record
T = TypeVar("T")
Until = int | Callable[["World"], bool] | None


class UnendingError(RuntimeError):
    """A run did not come to its end within the events it was allowed."""


def _seeded() -> Rng:
    return Rng(1)


@state
class World(State):
    rng: Rng = field(default_factory=_seeded)  # for wires; every host has its own
    hosts: dict[str, Stack] = field(default_factory=dict)
    net: Net = field(default_factory=Net)
    calendar: list[Entry] = field(default_factory=list)  # a heap
    timers: dict[str, int | None] = field(default_factory=dict)  # every host's deadline (ns), in the order of the hosts
    soonest: tuple[int, str] | None = None  # of the timers
    now: int = 0  # ns
    n: int = 0  # events so far
    queued: int = 0  # entries put into the calendar so far
    flights: int = 0  # frames sent so far
    asleep: dict[str, int] = field(default_factory=dict)  # hosts that nothing reaches until then (ns)

    # what is there

    def add(self, host: Stack) -> None:
        """Take a host in, under its name."""
        if host.name in self.hosts or host.name in self.net.switches:
            raise ValueError(f"there is a {host.name!r} already")
        self.hosts[host.name], self.timers[host.name] = host, None
        self._ask(host)

    def plug(self, host: Stack, wire: Wire, dev: int = 1) -> None:
        """Take a clone of `host` in and connect its interface `dev` with all others; see Net.plug."""
        self.add(host.clone())
        self.net.plug((host.name, dev), wire)

    def trace(self, on: bool = True) -> None:
        """Have every host say which rules it follows, for the Records to come."""
        for host in self.hosts.values():
            host.env.tracing = on

    def rewire(self, port: Port, wire: Wire) -> None:
        """Put a clone of `wire` in the place of the one that leaves `port`; frames on their way are not touched."""
        if port not in self.net.wires:
            raise ValueError(f"no wire leaves {port}; there are {sorted(self.net.wires)}")
        self.net.wires[port] = wire.clone()

    # what comes from outside

    def suspend(self, host: str, until: int) -> None:
        """Nothing happens at a host before `until` (ns): frames, timers and calls wait, and then come all at once.

        So a laptop wakes up whose lid was closed, or a process that was not scheduled: its clock jumps.
        """
        self._known(host)
        self.asleep[host] = until
        self.calendar = [(max(it[0], until), *it[1:]) if it[2] == host else it for it in self.calendar]
        heapify(self.calendar)
        self._ask(self.hosts[host])

    def call(self, host: str, op: str, *args: Any) -> None:
        """An application on `host` will call: at the present time, after what was put in for this time before it."""
        self._put(self.now, host, Call(op, args))

    def call_first(self, host: str, op: str, *args: Any) -> None:
        """As call(), but the very next step."""
        self._known(host)
        self.queued += 1
        heappush(self.calendar, (self.now, -self.queued, host, Call(op, args), 0))

    def now_call(self, host: str, op: str, *args: Any) -> Any:
        """Call at once, as a step of its own, and return the result. Raises the StackError that the call raised."""
        self.call_first(host, op, *args)
        happened = self._happen(None)
        return _returned(happened[3] if happened else None)

    def inject(self, frame: Frame | bytes, to: str, dev: int | None = None) -> None:
        """A frame from nowhere will arrive at `to` now; dev: interface index, default its first one with a cable."""
        self._known(to)
        if dev is None:
            dev = min((number for name, number in self.net.ends if name == to), default=1)
        made = frame if isinstance(frame, Frame) else Frame(bytes(frame))
        self._put(self.now, to, Rx(dev, made))

    def advance(self, until: int) -> None:
        """Let time pass up to `until` (ns), in which nothing may be due."""
        due = self.next()
        if due is not None and due[0] < until:
            raise ValueError(f"cannot advance to {until} ns: {due[1]} has something to do at {due[0]} ns; use run()")
        self.now = max(self.now, until)

    # going on

    def next(self) -> tuple[int, str] | None:
        """When (ns) and at which host the next event happens; None if nothing is left to happen."""
        timer, calendar = self.soonest, self.calendar
        if calendar and (timer is None or calendar[0][0] <= timer[0]):
            return calendar[0][0], calendar[0][2]
        return timer

    def step(self, by: int | None = None) -> Record | None:
        """Let the next event happen; None if there is none (or none due by the time `by`, in ns)."""
        happened = self._happen(by)
        return Record(self.n, self.now, *happened) if happened else None

    def run(self, until: Until = None, limit: int = LIMIT) -> int:
        """Step until nothing is left, up to a time (ns), or until a function of this world is true after an event.

        Returns the number of events. Raises UnendingError after `limit` events.
        """
        first = self.n
        for _ in walk(self, self._happen, until, limit):
            pass
        if isinstance(until, int):
            self.advance(until)
        return self.n - first

    # how it goes

    def _happen(self, by: int | None) -> Happening | None:
        """The next event: its host handles it, is drained, and what it sends goes on its way."""
        timer, calendar = self.soonest, self.calendar
        event: Event = TICK
        flight = 0
        if calendar and (timer is None or calendar[0][0] <= timer[0]):
            if by is not None and calendar[0][0] > by:
                return None
            at, _, name, event, flight = heappop(calendar)
        elif timer is None or (by is not None and timer[0] > by):
            return None
        else:
            at, name = timer
        self.now = at
        self.n += 1
        host = self.hosts[name]
        try:
            result = host.handle(event, at)
        except StackError as error:
            result = error
        return name, event, flight, result, *self._drain(host)

    def _ask(self, host: Stack) -> None:
        """When is this host's next timer due (now, if it is overdue), and whose is then the soonest of all?"""
        deadline = host.deadline()
        if deadline is not None:
            deadline = (
                max(deadline, self.now, self.asleep.get(host.name, 0)) if self.asleep else max(deadline, self.now)
            )
        timers = self.timers
        if timers[host.name] == deadline:
            return
        timers[host.name] = deadline
        soonest = None
        for name, due in timers.items():
            if due is not None and (soonest is None or due < soonest[0]):
                soonest = (due, name)
        self.soonest = soonest

    def _drain(self, host: Stack) -> Drained:
        sent: list[Sent] = []
        wakes: list[Wake] = []
        fault = ""
        for action in host.drain(self.now):
            if type(action) is Tx:
                self._send(host.name, action, sent)
            elif type(action) is Wake:
                wakes.append(action)
            elif type(action) is Quarantine:
                fault = action.why
        self._ask(host)
        trace = host.env.trace
        if trace:
            host.env.trace = []
        return tuple(trace), tuple(sent), tuple(wakes), fault

    def _send(self, name: str, tx: Tx, sent: list[Sent]) -> None:
        """Put a frame on its wire: what will arrive goes into the calendar, what will not is its fate."""
        net, dev, whole = self.net, tx.dev, tx.frame
        for frame in (whole,) if whole.gso is None else net.real(whole):
            self.flights += 1
            lost = ""
            for (host, there), arrivals in net.carry((name, dev), frame, self.now, self.rng):
                landed = False
                for at, arrived, fate in arrivals:
                    if not fate:
                        landed = True
                        self.queued += 1
                        if self.asleep:
                            at = max(at, self.asleep.get(host, 0))
                        heappush(self.calendar, (at, self.queued, host, named(Rx, (there, arrived)), self.flights))
                if not landed and arrivals:
                    lost += ("; " if lost else "") + arrivals[-1].fate + (f" to {host}" if net.switches else "")
            sent.append(named(Sent, (self.flights, dev, frame, lost)))

    def _put(self, at: int, host: str, event: Event, flight: int = 0) -> None:
        if host not in self.hosts:
            self._known(host)
        self.queued += 1
        heappush(self.calendar, (max(at, self.asleep.get(host, 0)), self.queued, host, event, flight))

    def _known(self, host: str) -> None:
        if host not in self.hosts:
            raise ValueError(f"no host {host!r}; there are {', '.join(self.hosts) or 'none'}")


def walk(world: World, step: Callable[[int | None], T | None], until: Until, limit: int) -> Iterator[T]:
    """What `step` returns for each step of a run, up to the end that World.run() describes; or UnendingError."""
    by, ends = (until, None) if isinstance(until, int) else (None, until)
    for _ in range(limit):
        record = step(by)
        if record is None:
            return
        yield record
        if ends is not None and ends(world):
            return
    due = world.next()
    if due is not None and (by is None or due[0] <= by):
        raise UnendingError(
            f"{limit} events and no end: it is {world.now} ns and {due[1]} is next; give a greater limit, or a time"
        )


def outcome(record: Record | None) -> Any:
    """What the call of this Record returned. Raises the StackError that it raised."""
    return _returned(record.result if record else None)


def _returned(result: Any) -> Any:
    if isinstance(result, StackError):
        raise result
    return result
