# SPDX-License-Identifier: GPL-2.0-or-later
"""The ladder as lines of text: number, time, rails with arrows between them, states beside the outer rails, why.

Where that is too wide, reasons stand below their arrow, so that the arrow keeps its words.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from labstack.lab.rows import LOST, Row
from labstack.lab.view import Line, Span, clip, ms

NUMBER, TIME, STATE = 4, 12, 12  # columns; of a number and a time at least
SHORTEST_GAP, USUAL_GAP, WIDEST_GAP = 18, 36, 46  # between rails
SHORTEST_WHY = 32
LEN = re.compile(r"(?<=\d) len=\d+")  # of a segment with numbers: they tell it, too


class Plan(NamedTuple):
    """The columns of a picture: how wide numbers and times are, the rails (the first at 0), how much room a reason has,
    and whether it stands below its arrow instead of beside it."""

    number: int
    time: int
    x: Sequence[int]
    room: int
    below: bool

    @property
    def margin(self) -> int:
        """Columns before the first rail."""
        return self.number + self.time + STATE + 1


def plan(rows: Sequence[Row], count: int, width: int) -> Plan:
    """Columns for so many hosts, no wider than width where that leaves room for the arrows."""
    number = max([NUMBER, *(len(str(row.n)) + 1 for row in rows)])
    time = max([TIME, *(len(ms(row.at)) + 2 for row in rows)])
    gaps = max(count - 1, 1)
    left = width - number - time - 2 * (STATE + 1)
    gap = (left - SHORTEST_WHY - 3) // gaps
    below = gap < USUAL_GAP
    if below:
        gap = (left - 1) // gaps
    x = [i * max(SHORTEST_GAP, min(WIDEST_GAP, gap)) for i in range(max(count, 2))]
    room = width - number - 1 if below else left - (x[-1] + 1) - 2
    return Plan(number, time, x, max(room, SHORTEST_WHY), below)


def lines(rows: Sequence[Row], hosts: Sequence[str], hidden: int, width: int) -> Iterator[Line]:
    """Lines for `rows`."""
    it = plan(rows, len(hosts), width)
    yield _head(hosts, it)
    if hidden:
        yield [Span(f"{'':{it.number}} … {hidden} rows before", "dim")]
    for row in rows:
        yield from _lines(row, it, hosts)
    if not rows:
        yield [Span("(nothing happened yet)", "dim")]


def _head(hosts: Sequence[str], it: Plan) -> Line:
    names = [" "] * (it.x[-1] + 1 + STATE)
    for column, name in zip(it.x, hosts, strict=False):
        _put(names, column, name)
    left = f"{'#':>{it.number - 1}} {'t (ms)':>{it.time - 1}} {'':{STATE}} "
    return [Span(left + "".join(names) + "  why" * (not it.below), "head")]


def _lines(row: Row, it: Plan, hosts: Sequence[str]) -> Iterator[Line]:
    """The line of a row, and one more for each reason that has no room beside it."""
    left, right = row.states.get(0, ""), row.states.get(len(hosts) - 1, "") if len(hosts) > 1 else ""
    line = [Span("▸" if row.now else " ", "mark"), Span(f"{row.n or '':>{it.number - 1}}", "dim")]
    line += [Span(f"{ms(row.at):>{it.time - 1}} ", "dim"), Span(f"{clip(left, STATE):>{STATE}} ", "state")]
    line += [*_rungs(row, it.x), Span(f" {clip(right, STATE):{STATE}}", "state")]
    first, *more = row.why if row.why and not it.below else ("", *row.why)
    yield line if it.below else [*line, Span(f" {clip(first, it.room)}", tone(first))]
    blank = " " * (it.number + 1) if it.below else " " * it.margin + "".join(_empty(it.x)) + " " * (STATE + 2)
    for words in more:
        yield [Span(blank), Span(clip(words, it.room), tone(words))]


def tone(reason: str) -> str:
    """The style of a reason."""
    return "bad" if reason.startswith(LOST) or "drop." in reason else "rule"


def _rungs(row: Row, x: Sequence[int]) -> Line:
    """The rails of one line with its arrow, lost arrow, or remark."""
    cells = _empty(x)
    if row.mark:
        return _remark(row, cells, x)
    spot = _draw(row, cells, x)
    room = spot[1] - spot[0] - 6
    words = row.label if len(row.label) <= room else LEN.sub("", row.label)
    label = f" {clip(words, room)} "
    at = (spot[0] + spot[1] - len(label)) // 2 + (spot[0] + spot[1] - len(label)) % 2
    return [Span("".join(cells[:at])), Span(label, row.style), Span("".join(cells[at + len(label) :]))]


def _empty(x: Sequence[int]) -> list[str]:
    cells = [" "] * (x[-1] + 1)
    for column in x:
        cells[column] = "│"
    return cells


def _draw(row: Row, cells: list[str], x: Sequence[int]) -> tuple[int, int]:
    """Draw the shafts and heads; returns the stretch (from, to) in which the label goes."""
    if row.src < 0:
        return _from_outside(row, cells, x)
    start = x[row.src]
    shaft = "╌" if row.late else "─"
    ends = [x[i] for i in row.to] or [_half(row.src, x)]
    for end in ends:
        lo, hi = min(start, end) + 1, max(start, end) - 1
        for i in range(lo, hi + 1):
            cells[i] = "┼" if cells[i] in "│┼" else shaft
        head = "▷◁" if row.late else "▶◀"
        cells[hi if end > start else lo] = "✗" if row.fate and not row.to else head[end < start]
    return _widest([start, *ends])


def _widest(marks: Sequence[int]) -> tuple[int, int]:
    """The widest stretch between two neighbouring marks: there the label goes."""
    order = sorted(marks)
    return max(pairwise(order), key=lambda pair: pair[1] - pair[0])


def _half(src: int, x: Sequence[int]) -> int:
    """Where a lost frame ends: most of the way to the next rail."""
    other = x[src + 1] if src + 1 < len(x) else x[src - 1]
    return x[src] + (other - x[src]) * 9 // 10


def _from_outside(row: Row, cells: list[str], x: Sequence[int]) -> tuple[int, int]:
    """A frame that was injected: a short arrow that comes from no rail."""
    end = x[row.to[0]]
    if row.to[0] == 0:
        lo, hi = end + 1, x[1]
        cells[lo : hi - 3] = "◀" + "─" * (hi - 4 - lo)
    else:
        lo, hi = x[row.to[0] - 1], end - 1
        cells[lo + 4 : hi + 1] = "─" * (hi - lo - 4) + "▶"
    return (lo, hi - 3) if row.to[0] == 0 else (lo + 4, hi)


def _remark(row: Row, cells: list[str], x: Sequence[int]) -> Line:
    """A timer or a call: words that begin, or end, at the rail of the host."""
    sign = "⏲" if row.mark == "timer" else "●"
    whole = x[1] - 3
    text = clip(f"{sign} {row.label}", whole)
    at = x[row.src] + 2 if row.src < len(x) - 1 else x[row.src] - 1 - len(text)
    return [Span("".join(cells[:at])), Span(text, row.style), Span("".join(cells[at + len(text) :]))]


def _put(cells: list[str], at: int, text: str) -> None:
    at = max(0, at - len(text) // 2)
    cells[at : at + len(text)] = text
