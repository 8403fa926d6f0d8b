# SPDX-License-Identifier: GPL-2.0-or-later
"""Events as a list: one line an event, with what it was, what it changed, what it sent and the rule behind it."""

from collections.abc import Iterable, Mapping, Sequence

from labstack.core.record import Record
from labstack.core.rules import Rule
from labstack.lab.view import Line, Span, View, ms
from labstack.lab.why import Why, changes, event_words, short
from labstack.lab.words import Script, Told


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
            lines = _lines(record, told, self.rules, width)
            if any(self.containing in "".join(span.text for span in line) for line in lines):
                shown = True
                yield from lines
        if not shown:
            yield [Span(f"({self.nothing})", "dim")]
        for fault in self.faults:
            yield [Span(fault, "bad")]


def _lines(record: Record, told: Told, rules: Mapping[str, Rule], width: int) -> list[Line]:
    """One line, or two where one would be too long: what happened, then what it changed and why."""
    line = [Span(f"{'#' + str(record.n):>4} ", "mark"), Span(f"{ms(record.at):>10} ms  ", "dim")]
    line += [Span(f"{record.host:<4} ", "host"), Span(event_words(record, told.came))]
    for sent, (label, style) in zip(record.sent, told.sent, strict=True):
        line += [Span("  ─▶ ", "dim"), Span(f" {label} ", style)]
        line += [Span(f" ✗ {sent.fate}", "bad")] if sent.fate else []
    more: Line = []
    for what, path in changes(record):
        more += [Span(f"  {what} "), Span(path, "state")]
    reason = short(record, rules)
    more += [Span("   " + reason, "bad" if reason.startswith("drop.") else "rule")] if reason else []
    if sum(len(span.text) for span in line + more) <= width:
        return [line + more]
    return [line, [Span(" " * 20), *more]] if more else [line]
