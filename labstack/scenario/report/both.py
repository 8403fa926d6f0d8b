# SPDX-License-Identifier: GPL-2.0-or-later
"""Two targets side by side: where what they sent first parts, of which kind that is, and the ladder up to there."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import NamedTuple

from labstack.lab.view import Line, Span, View, clip, ms
from labstack.scenario.report.failure import side_by_side
from labstack.scenario.report.shapes import Shape, Shaper
from labstack.scenario.verdict import ERROR, REFUSED, SKIP, Field, Outcome

BEHAVIOUR, OPTIONS, WINDOW, TIMING = "behaviour", "option order", "window", "timing"
GRAVITY = (BEHAVIOUR, OPTIONS, WINDOW, TIMING)
SLACK, PART = 4_000_000, 0.125  # ns, and part of the time since the packet before: packetdrill's own tolerances
ROWS = 24  # of a ladder
UNPLAYED = (SKIP, REFUSED, ERROR)  # verdicts of what is not compared: it was not played, or not to its end
NOTHING: tuple[Shape | None, int] = (None, 0)


class Divergence(NamedTuple):
    """The first packet in which two runs differ in one kind of way.

    kind: one of GRAVITY; n: which packet of those that the hosts sent, from 1; ours, theirs: None if nothing was sent
    """

    kind: str
    n: int
    ours: Shape | None
    theirs: Shape | None


def shapes(outcome: Outcome) -> list[Shape]:
    """All packets of a run, in the order of time, which counts from the first of them."""
    shaper = Shaper(outcome.link)
    made = [shaper.shape(passed) for passed in outcome.passed]
    return [it._replace(at=it.at - made[0].at) for it in made]


def divergences(ours: Sequence[Shape], theirs: Sequence[Shape]) -> list[Divergence]:
    """The first of each kind, the first one first; nothing behind a difference in behaviour is compared."""
    found: dict[str, Divergence] = {}
    for n, ((a, gap), (b, other_gap)) in enumerate(zip_longest(_sent(ours), _sent(theirs), fillvalue=NOTHING), 1):
        for kind in _kinds(a, b, gap, other_gap):
            found.setdefault(kind, Divergence(kind, n, a, b))
        if BEHAVIOUR in found:
            break
    return list(found.values())


def _sent(every: Sequence[Shape]) -> list[tuple[Shape | None, int]]:
    """What the host sent, each with the time (ns) since the packet before it, whoever's that was."""
    before = [0, *(it.at for it in every)]
    return [(it, it.at - before[i]) for i, it in enumerate(every) if not it.inbound]


def _kinds(a: Shape | None, b: Shape | None, gap: int, other_gap: int) -> Iterable[str]:
    """In which ways two packets differ."""
    if a is None or b is None or _meaning(a) != _meaning(b):
        yield BEHAVIOUR
        return
    if a.options != b.options:
        yield OPTIONS
    if a.win != b.win:
        yield WINDOW
    if abs(gap - other_gap) > max(SLACK, PART * max(gap, other_gap)):
        yield TIMING


def _meaning(it: Shape) -> tuple[object, ...]:
    """All but time, window, and the order of options (and the padding that goes with it)."""
    options = sorted(option for option in it.options if option not in ("nop", "eol"))
    return it.what, it.flags, it.seq, it.ack, it.size, tuple(options), it.ip


class Both(View):
    """One scenario on two targets: the verdicts, and the first divergence."""

    def __init__(self, ours: Outcome, theirs: Outcome) -> None:
        self.outcomes = (ours, theirs)
        self.shapes = (shapes(ours), shapes(theirs))
        self.played = not any(it.verdict in UNPLAYED for it in self.outcomes)
        self.found = divergences(*self.shapes) if self.played else []

    @property
    def kind(self) -> str:
        """The kind of the first divergence; "" if there is none."""
        return self.found[0].kind if self.found else ""

    def lines(self, width: int) -> Iterable[Line]:
        ours, theirs = self.outcomes
        yield self._head()
        if not self.found:
            return
        first = self.found[0]
        yield []
        yield from side_by_side(_fields(first), ("field", ours.target, theirs.target))
        yield []
        yield from self._ladder(first, max((width - 20) // 2, 30))

    def _head(self) -> Line:
        ours, theirs = self.outcomes
        line = [Span(f"{ours.file} {ours.ip}  ", "head"),
                Span(f"{ours.target} {ours.verdict}, {theirs.target} {theirs.verdict}: ")]  # fmt: skip
        if not self.found:
            return [*line, Span("the same packets at the same times" if self.played else "nothing to compare", "state")]
        first, *later = self.found
        line.append(Span(f"first divergence: {first.kind}, packet {first.n}", "bad"))
        return line + [Span(f"; {it.kind} from packet {it.n} on", "mark") for it in later]

    def _ladder(self, first: Divergence, room: int) -> Iterable[Line]:
        """What passed up to the divergence, side by side."""
        left, right = (_up_to(every, first.n)[-ROWS:] for every in self.shapes)
        names = [outcome.target for outcome in self.outcomes]
        yield [Span(f"{names[0]:>{10}}" + " " * room + f"{names[1]:>{10}}", "head")]
        for a, b in zip_longest(left, right):
            differs = (a and _meaning(a)) != (b and _meaning(b))
            style = "bad" if differs else "dim" if a and a.inbound else ""
            yield [Span(_cell(a, room), style), Span(_cell(b, room).rstrip(), style)]


def _up_to(every: Sequence[Shape], n: int) -> list[Shape]:
    """The packets up to the n-th that was sent."""
    last = [i for i, it in enumerate(every) if not it.inbound][:n]
    return list(every[: last[-1] + 1]) if len(last) == n else list(every)


def _cell(it: Shape | None, room: int) -> str:
    if it is None:
        return " " * (room + 10)
    words = clip(f"{'<' if it.inbound else '>'} {it}", room - 2)
    return f"{ms(it.at):>10} {words:<{room - 1}}"


def _fields(it: Divergence) -> list[Field]:
    """The two packets by field."""
    a, b = it.ours, it.theirs
    if a is None or b is None:
        return [Field("packet", str(a or ""), str(b or ""))]
    rows = [("time (ms)", ms(a.at), ms(b.at)), ("flags", a.flags, b.flags)]
    rows += [(name, str(getattr(a, name)), str(getattr(b, name))) for name in ("seq", "ack", "size", "win")]
    rows += [("options", ",".join(a.options), ",".join(b.options)), ("ip", a.ip, b.ip)]
    return [Field(name, x, y, name == "time (ms)" and it.kind != TIMING) for name, x, y in rows]


class Tally(View):
    """How often two targets part, and how; listed: with a line for each that does."""

    def __init__(self, pairs: Sequence[Both], listed: bool = False) -> None:
        self.pairs = pairs
        self.listed = listed

    def lines(self, width: int) -> Iterable[Line]:
        parted = [pair for pair in self.pairs if pair.kind]
        for pair in parted if self.listed else ():
            yield from list(pair.lines(width))[:1]
        counts = Counter(pair.kind for pair in parted)
        same = sum(pair.played for pair in self.pairs) - len(parted)
        kinds = "".join(f", {counts[kind]} {kind}" for kind in GRAVITY if counts[kind])
        yield [Span(f"{same} the same on both{kinds}", "head")]
