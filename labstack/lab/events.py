# SPDX-License-Identifier: GPL-2.0-or-later
"""Events as a list: one line an event, with what it was, what it changed, what it sent and the rule behind it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from labstack.core.record import Record
from labstack.core.rules import Rule
from labstack.lab.view import Line, Span, View, ms
from labstack.lab.why import Why, changes, event_words, short
from labstack.lab.words import Reader, Seen


class Events(View):
    """Some of a run's records. It is a sequence of Record; `why` explains the last one.

    history: all records up to the last shown, because relative numbers begin at the SYN
    first: the index in history of the first one shown; containing: show only those whose line mentions this text
    """

    def __init__(
        self, history: Sequence[Record], first: int, rules: Mapping[str, Rule], containing: str = "", nothing: str = ""
    ) -> None:
        self.history = history
        self.first = first
        self.rules = rules
        self.containing = containing
        self.nothing = nothing or "no events"

    def __len__(self) -> int:
        return len(self.history) - self.first

    def __getitem__(self, index: int) -> Record:
        return self.history[self.first :][index]

    @property
    def why(self) -> Why:
        """The explanation of the last event."""
        if not self.history:
            raise IndexError("nothing has happened yet: there is no reason to tell")
        return Why(self.history[-1], self.rules, self.history[:-1])

    def lines(self, width: int) -> Iterable[Line]:
        shown = False
        for lines in self._told(width):
            if any(self.containing in "".join(span.text for span in line) for line in lines):
                shown = True
                yield from lines
        if not shown:
            yield [Span(f"({self.nothing})", "dim")]

    def _told(self, width: int) -> Iterator[list[Line]]:
        reader = Reader()
        for i, record in enumerate(self.history):
            words = event_words(record, reader)
            sent = [(reader.read(s.frame), s.fate) for s in record.sent]
            if i >= self.first:
                yield _lines(record, words, sent, self.rules, width)


def _lines(
    record: Record, words: str, sent: Sequence[tuple[Seen, str]], rules: Mapping[str, Rule], width: int
) -> list[Line]:
    """One line, or two where one would be too long: what happened, then what it changed and why."""
    line = [Span(f"{'#' + str(record.n):>4} ", "mark"), Span(f"{ms(record.at):>10} ms  ", "dim")]
    line += [Span(f"{record.host:<4} ", "host"), Span(words)]
    for (label, style), fate in sent:
        line += [Span("  ─▶ ", "dim"), Span(f" {label} ", style)]
        line += [Span(f" ✗ {fate}", "bad")] if fate else []
    more: Line = []
    for what, path in changes(record):
        more += [Span(f"  {what} "), Span(path, "state")]
    reason = short(record, rules)
    more += [Span("   " + reason, "bad" if reason.startswith("drop.") else "rule")] if reason else []
    if sum(len(span.text) for span in line + more) <= width:
        return [line + more]
    return [line, [Span(" " * 20), *more]] if more else [line]
