# SPDX-License-Identifier: GPL-2.0-or-later
"""`labstack fuzz tcp`, once the command line was read: many seeds in several processes, and what was found.

Exit status 0: everything held for every seed; 1: something did not; 2: what was asked for is not there.
"""

import json
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from time import perf_counter
from typing import NamedTuple

from labstack.fuzz import at
from labstack.fuzz.faults import named
from labstack.fuzz.outcome import Outcome, play
from labstack.fuzz.plan import Meeting, Plan, draw
from labstack.lab.errors import LabError
from labstack.lab.view import Line, Span, View
from labstack.scenario.command import show
from labstack.scenario.many import spread, watched
from labstack.stack.rules import RULES
from labstack.tcp.rules import RULES as OF_TCP
from labstack.tcp.states import TRANSITIONS

SEEDS = 1000  # if nothing is said
CHUNK = 20  # seeds that a process plays in one go
INTERRUPTED = 130
TOLD = 10  # failures that are told whole


class Task(NamedTuple):
    """Seeds, from the first on."""

    first: int
    many: int


class Done(NamedTuple):
    """What became of a few seeds. found: those for which something did not hold."""

    first: int
    seeds: int
    events: int
    ns: int
    found: tuple[Outcome, ...]
    seen: Counter[str]
    states: frozenset[str]
    rules: frozenset[str]

    @property
    def bad(self) -> bool:
        return bool(self.found)

    @property
    def file(self) -> str:
        return f"seed {self.first}"


def run(args: Namespace) -> int:
    """Play the seeds. Raises LabError for what cannot be asked for."""
    if not __debug__:
        raise LabError("python -O leaves out what is to be checked: run it without -O")
    if args.at is not None:
        if args.seed is None or args.seeds not in (None, 1):
            raise LabError("--at leads into one seed: give --seed S, and no number of them")
        return at.enter(args.seed, args.at)
    first, count = args.seed or 1, args.seeds or (1 if args.seed else SEEDS)
    end = first + count
    tasks = [Task(seed, min(CHUNK, end - seed)) for seed in range(first, end, CHUNK)]
    began, done, interrupted = perf_counter(), list[Done](), False
    try:
        outcomes = spread(tasks, partial(hunt, differential=args.differential), lost, min(args.jobs or 1, len(tasks)))
        for outcome in watched(outcomes, len(tasks), sys.stdout.isatty() and not args.json):
            done.append(outcome)
            if not sys.stdout.isatty():  # who waits for hours, or stops it, knows which; the summary tells them whole
                for it in outcome.found:
                    print(f"seed {it.seed} event {it.n}: {it.broken.splitlines()[0]}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        interrupted = True
    summary = Summary(merged(done), perf_counter() - began, args.differential)
    if args.json:
        print(summary.json())
    else:
        show(summary)
    return INTERRUPTED if interrupted else int(bool(summary.all.found))


def hunt(task: Task, differential: bool = False) -> Done:
    """Play the seeds of a task."""
    return merged([done(play(seed, differential)) for seed in range(task.first, task.first + task.many)])


def done(it: Outcome) -> Done:
    return Done(it.seed, 1, it.n, it.ns, (it,) if it.broken else (), it.seen, it.states, it.rules)


def merged(parts: Sequence[Done]) -> Done:
    """All of them as one."""
    seen: Counter[str] = Counter()
    for part in parts:
        seen.update(part.seen)
    return Done(
        parts[0].first if parts else 0,
        sum(part.seeds for part in parts),
        sum(part.events for part in parts),
        sum(part.ns for part in parts),
        tuple(it for part in parts for it in part.found),
        seen,
        frozenset().union(*(part.states for part in parts)),
        frozenset().union(*(part.rules for part in parts)),
    )


def lost(task: Task, reason: str) -> Done:
    """A process died over these seeds."""
    broken = f"{reason}, at one of the seeds {task.first} to {task.first + task.many - 1}"
    return done(Outcome(task.first, 0, 0, broken, Counter(), frozenset(), frozenset()))


class Summary(View):
    """What did not hold, with the seed and how to look at it; then what was covered, and how fast."""

    def __init__(self, all: Done, seconds: float, differential: bool = False) -> None:
        self.all, self.seconds, self.differential = all, seconds, differential

    def lines(self, width: int) -> Iterable[Line]:
        for it in self.all.found[:TOLD]:
            yield from story(it, self.differential)
        if len(self.all.found) > TOLD:
            yield [Span(f"  and {len(self.all.found) - TOLD} more seeds: "), Span(self._more(), "bad")]
        seen = self.all.seen
        yield [Span("covered  ", "dim"), Span(f"{len(self.all.states)} of {len(TRANSITIONS)} states, {self._rules()}")]
        yield [Span("wires    ", "dim"), Span(_listed(seen, lambda name: name.islower() and not set(".:") & set(name)))]
        yield [Span("attacks  ", "dim"), Span(_listed(seen, lambda name: name.startswith("attack: "), "attack: "))]
        yield [Span("turns    ", "dim"), Span(_listed(seen, lambda name: name.startswith("turn: "), "turn: "))]
        yield [Span("hosts    ", "dim"), Span(_listed(seen, lambda name: not name.islower() and ":" not in name))]
        yield [Span("dropped  ", "dim"), Span(_listed(seen, lambda name: name.startswith("drop."), "drop."))]
        yield [
            Span(f"{self.all.seeds} seed{'s' * (self.all.seeds != 1)}, {self.all.events:,} events: "),
            Span(f"{len(self.all.found)} failed", "bad") if self.all.found else Span("everything held", "state"),
            Span(f" in {self.seconds:.1f} s, {self.all.seeds / self.seconds:.1f} seeds/s", "dim"),
        ]

    def _rules(self) -> str:
        reached = self.all.rules & OF_TCP.keys()
        return (
            f"{len(reached)} of {len(OF_TCP)} rules of TCP, {len(self.all.rules & RULES.keys())} of {len(RULES)} of all"
        )

    def _more(self) -> str:
        return " ".join(str(it.seed) for it in self.all.found[TOLD:])

    def json(self) -> str:
        """What a program wants to know."""
        all = self.all
        found = [{"seed": it.seed, "event": it.n, "broken": it.broken} for it in all.found]
        return json.dumps({
            "seeds": all.seeds, "events": all.events, "seconds": round(self.seconds, 3), "virtual": all.ns // 10**9,
            "found": found, "seen": dict(all.seen), "states": sorted(all.states), "rules": sorted(all.rules),
        }, indent=1)  # fmt: skip


def story(it: Outcome, differential: bool) -> Iterable[Line]:
    """A seed that failed: what did not hold, what it was like, how to go there."""
    first, *rest = it.broken.strip().splitlines()
    last = rest[-1] if first.startswith("Traceback") else first
    yield [Span(f"seed {it.seed} event {it.n}  ", "bad"), Span(last)]
    yield from ([Span(f"  {line}")] for line in rest)
    yield from ([Span(f"  {line}", "dim")] for line in told(draw(it.seed)))
    again = "--differential" if differential else "--at"
    yield [Span(f"  labstack fuzz tcp --seed {it.seed} {again}", "mark")]
    yield []


def told(plan: Plan) -> Iterable[str]:
    """A plan in words."""
    link = "bare IP" if plan.bare else "Ethernet"
    yield f"{link}, MTU {plan.mtu}, offload {plan.gso}, backlog {plan.backlog}, calm after {plan.calm / 1e9:.3f} s"
    for host, sysctls in zip(("h1", "h2"), plan.sysctls, strict=True):
        if sysctls:
            yield f"{host}: " + ", ".join(f"{name.rpartition('ipv4.')[2]} {value}" for name, value in sysctls.items())
    for change in plan.changes:
        yield f"{change.at / 1e9:.3f} s: the wire from {change.host}: {named(change.wire)}"
    if plan.attacks:
        kinds = Counter(attack.kind for attack in plan.attacks)
        yield "a stranger: " + ", ".join(f"{kind} {n}" for kind, n in kinds.items())
    for since, host, until in plan.sleeps:
        yield f"{since / 1e9:.3f} s: {host} sleeps until {until / 1e9:.3f} s"
    for it in plan.meetings:
        yield f"{it.at / 1e9:.3f} s: {'both connect' if it.both else f'{it.caller} connects'}, IPv{6 if it.v6 else 4}"
        yield from _lives(it)
        while it.then:
            it = it.then
            yield f"{it.at / 1e9:.3f} s after that: the same again"
            yield from _lives(it)


def _lives(it: Meeting) -> Iterable[str]:
    return (f"  {host} {life}" for host, life in zip(("h1", "h2"), it.lives, strict=True))


def _listed(seen: Counter[str], which: Callable[[str], bool], less: str = "") -> str:
    return ", ".join(f"{name.removeprefix(less)} {n:,}" for name, n in seen.most_common() if n and which(name)) or "-"
