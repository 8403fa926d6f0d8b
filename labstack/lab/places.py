# SPDX-License-Identifier: GPL-2.0-or-later
"""Where we are in time (Place), and where two worlds differ (Difference)."""

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from labstack.core.event import Rx
from labstack.core.record import Record
from labstack.core.rules import Rule
from labstack.lab.view import Line, Span, View, clip, ms
from labstack.lab.why import event_words, short
from labstack.lab.words import Script

SHOWN = 12  # pending events, differing states


class Place(View):
    """The clock, what is pending, and the last reason, as they were when this was made."""

    def __init__(self, history: Any, past: Sequence[Record], rules: Mapping[str, Rule], script: Script) -> None:
        world = history.world
        self.n, self.total, self.name = history.n, len(history.records), history.name
        self.start = getattr(world, "start", 0)  # of real time, ns
        self.now = world.now - self.start
        self.pending = sorted(world.calendar)[:SHOWN]
        self.more = max(0, len(world.calendar) - SHOWN)
        self.timers = {name: at for name, at in world.timers.items() if at is not None}
        self.last = short(past[-1], rules) if past else ""
        self.past, self.script = past, script

    def lines(self, width: int) -> Iterable[Line]:
        future = f" (of {self.total} known)" if self.total > self.n else ""
        place = f"  event #{self.n}{future}  world {self.name}"
        yield [Span("▸ ", "mark"), Span(f"{ms(self.now)} ms", "head"), Span(place)]
        if self.last:
            yield [Span("  last: ", "dim"), Span(clip(self.last, width - 8), "rule")]
        self.script.read(self.past)
        for at, _, host, event, flight in self.pending:
            came = self.script.look(event.frame) if isinstance(event, Rx) else None
            words = event_words(Record(0, at, host, event, flight), came).replace("received", "will receive")
            yield [*self._when(at, host), Span(clip(words, width - 24))]
        if self.more:
            yield [Span(f"  … and {self.more} more", "dim")]
        for host, at in sorted(self.timers.items(), key=itemgetter(1)):
            yield [*self._when(at, host), Span("a timer", "dim")]
        if not (self.pending or self.timers):
            yield [Span("  nothing is pending", "dim")]

    def _when(self, at: int, host: str) -> Line:
        return [Span(f"  {ms(at - self.start):>12} ms  ", "dim"), Span(f"{host:<4} ", "host")]


class Difference(View):
    """Two histories side by side: the first event that differs, then every state that differs now."""

    def __init__(self, ours: Any, theirs: Any, rules: Mapping[str, Rule]) -> None:
        self.ours, self.theirs = ours.name, theirs.name
        self.found = ours.diff(theirs)
        self.pasts = (ours.past, theirs.past)
        self.rules = rules

    def __bool__(self) -> bool:
        return bool(self.found.n or self.found.states)

    def lines(self, width: int) -> Iterable[Line]:
        if not self:
            yield [Span(f"{self.ours} and {self.theirs} are the same")]
            return
        if self.found.n:
            yield [Span(f"first difference: event #{self.found.n}", "head")]
            for name, record, past in zip((self.ours, self.theirs), self.found[1:3], self.pasts, strict=True):
                yield [Span(f"  {name:<10} ", "host"), Span(clip(self._event(record, past), width - 13))]
        states = [(path, _value(ours), _value(theirs)) for path, ours, theirs in self.found.states[:SHOWN]]
        first = max([len(path) for path, _, _ in states], default=0)
        rest = max((width - first) // 2 - 2, 20)
        yield [Span(f"{'state':<{first}}  {clip(self.ours, rest):<{rest}}  {clip(self.theirs, rest)}".rstrip(), "head")]
        for path, ours, theirs in states:
            mine = Span(f"{clip(ours, rest):<{rest}}  ", "state")
            yield [Span(f"{path:<{first}}  "), mine, Span(clip(theirs, rest))]
        if len(self.found.states) > SHOWN:
            yield [Span(f"… and {len(self.found.states) - SHOWN} more", "dim")]

    def _event(self, record: Record | None, past: Sequence[Record]) -> str:
        if record is None:
            return "(not there yet)"
        told = Script(past)[self.found.n - 1]
        sent = "".join(
            f" ─▶ {seen.label}" + (f" ✗ {sent.fate}" if sent.fate else "")
            for sent, seen in zip(record.sent, told.sent, strict=True)
        )
        return f"{ms(record.at)} ms {record.host} {event_words(record, told.came)}{sent}"


def _value(value: object) -> str:
    if value is None:
        return "-"
    return value.hex(":") if isinstance(value, bytes) and len(value) in (4, 6, 16) else str(value)
