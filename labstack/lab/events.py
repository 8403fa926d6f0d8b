# SPDX-License-Identifier: GPL-2.0-or-later
"""Events as a list: one line an event, with what it was, what it changed, what it sent and the rule behind it."""

from collections.abc import Iterable, Mapping, Sequence

from labstack.core.record import Record
from labstack.core.rules import Rule
from labstack.lab.view import Line, Span, View, ms, wrap
from labstack.lab.why import Why, changes, event_words, short
from labstack.lab.words import Script, Told

INDENT = 20  # of what is continued
ENDLESS = 1 << 20  # columns
MORE = "  … and {} more"


class Events(View):
    """Some of a run's records. It is a sequence of Record; `why` explains the last one.

    history: all records up to the last one of these; first: the index in it of the first of these
    script: their frames in words; containing: show only events whose line mentions this text
    faults: what went wrong meanwhile, line by line
    """

    def __init__(
        self,
        history: Sequence[Record],
        first: int,
        script: Script,
        rules: Mapping[str, Rule],
        containing: str = "",
        nothing: str = "",
        faults: Sequence[str] = (),
    ) -> None:
        self.history = history
        self.records = history[first:]
        self.script = script
        self.rules = rules
        self.containing = containing
        self.nothing = nothing or "no events"
        self.faults = faults

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Record:
        return self.records[index]

    @property
    def why(self) -> Why:
        """The explanation of the last event."""
        if not self.records:
            raise IndexError("nothing happened: there is no reason to tell")
        return Why(self.records[-1], self.rules, self.told()[-1])

    def told(self) -> list[Told]:
        """The frames of these events in words."""
        whole = self.script.read(self.history).told
        return whole[len(self.history) - len(self.records) : len(self.history)]

    def lines(self, width: int) -> Iterable[Line]:
        shown = False
        for record, told in zip(self.records, self.told(), strict=True):
            if self.containing in _text(_lines(record, told, self.rules, ENDLESS)):
                shown = True
                yield from _lines(record, told, self.rules, width)
        if not shown:
            yield [Span(f"({self.nothing})", "dim")]
        for fault in self.faults:
            yield [Span(fault, "bad")]


def _text(lines: Sequence[Line]) -> str:
    return "\n".join("".join(span.text for span in line) for line in lines)


def _lines(record: Record, told: Told, rules: Mapping[str, Rule], width: int) -> list[Line]:
    """One line, or more where one would be too long: what happened, then what it changed and why."""
    line = [Span(f"{'#' + str(record.n):>4} ", "mark"), Span(f"{ms(record.at):>10} ms  ", "dim")]
    line += [Span(f"{record.host:<4} ", "host"), Span(event_words(record, told.came))]
    line += _sent(record, told, width - _size(line))
    more: Line = []
    for what, path in changes(record):
        more += [Span(f"  {what} "), Span(path, "state")]
    reason = short(record, rules)
    more += [Span("   " + reason, "bad" if reason.startswith("drop.") else "rule")] if reason else []
    if _size(line + more) <= width:
        return [line + more]
    return [*wrap(line, width, INDENT), *(wrap([Span(" " * INDENT), *more], width, INDENT + 2) if more else ())]


def _sent(record: Record, told: Told, room: int) -> Line:
    """The frames that an event sent: the first one, those for which there is room, and how many more there are."""
    line: Line = []
    for i, (sent, (label, style)) in enumerate(zip(record.sent, told.sent, strict=True)):
        part = [Span("  ─▶ ", "dim"), Span(f" {label} ", style)]
        part += [Span(f" ✗ {sent.fate}", "bad")] if sent.fate else []
        left = len(record.sent) - i
        if line and _size(line + part) > room - len(MORE) * (left > 1):
            return [*line, Span(MORE.format(left), "dim")]
        line += part
    return line


def _size(line: Line) -> int:
    return sum(len(span.text) for span in line)
