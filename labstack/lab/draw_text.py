# SPDX-License-Identifier: GPL-2.0-or-later
"""The ladder as lines of text: number, time, rails with arrows between them, states beside the outer rails, why."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from labstack.lab.rows import LOST, Row
from labstack.lab.view import Line, Span, clip, ms

NUMBER, TIME, STATE = 4, 12, 12
SHORTEST_GAP, WIDEST_GAP = 18, 46
SHORTEST_WHY = 24


def lines(rows: Sequence[Row], hosts: Sequence[str], hidden: int, width: int) -> Iterator[Line]:
    """Lines for `rows`, no wider than width where that leaves room for the arrows."""
    x = rails(len(hosts), width)
    room = max(width - NUMBER - TIME - 2 * (STATE + 1) - (x[-1] + 1) - 2, SHORTEST_WHY)
    yield _head(hosts, x)
    if hidden:
        yield [Span(f"{'':{NUMBER}} … {hidden} rows before", "dim")]
    for row in rows:
        yield from _lines(row, x, room, hosts)
    if not rows:
        yield [Span("(nothing happened yet)", "dim")]


def rails(count: int, width: int) -> list[int]:
    """The columns of the rails, the first at 0."""
    free = width - NUMBER - TIME - 2 * (STATE + 1) - SHORTEST_WHY - 3
    gap = max(SHORTEST_GAP, min(WIDEST_GAP, free // max(count - 1, 1)))
    return [i * gap for i in range(max(count, 2))]


def _head(hosts: Sequence[str], x: Sequence[int]) -> Line:
    names = [" "] * (x[-1] + 1 + STATE)
    for column, name in zip(x, hosts, strict=False):
        _put(names, column, name)
    left = f"{'#':>{NUMBER - 1}} {'t (ms)':>{TIME - 1}} {'':{STATE}} "
    return [Span(left + "".join(names) + "  why", "head")]


def _lines(row: Row, x: Sequence[int], room: int, hosts: Sequence[str]) -> Iterator[Line]:
    """The line of a row, and one more for each further reason."""
    number = f"{row.n or '':>{NUMBER - 1}}"
    left, right = row.states.get(0, ""), row.states.get(len(hosts) - 1, "") if len(hosts) > 1 else ""
    line = [Span("▸" if row.now else " ", "mark"), Span(number[1:] if len(number) >= NUMBER else number, "dim")]
    line += [Span(f"{ms(row.at):>{TIME - 1}} ", "dim"), Span(f"{clip(left, STATE):>{STATE}} ", "state")]
    first, *more = row.why or ("",)
    line += [*_rungs(row, x), Span(f" {clip(right, STATE):{STATE}} ", "state"), Span(clip(first, room), tone(first))]
    yield line
    for words in more:
        margin = " " * (NUMBER + TIME + STATE + 1)
        yield [Span(margin + "".join(_empty(x)) + " " * (STATE + 2)), Span(clip(words, room), tone(words))]


def tone(reason: str) -> str:
    """The style of a reason."""
    return "bad" if reason.startswith(LOST) or "drop." in reason else "rule"


def _rungs(row: Row, x: Sequence[int]) -> Line:
    """The rails of one line with its arrow, lost arrow, or remark."""
    cells = _empty(x)
    if row.mark:
        return _remark(row, cells, x)
    spot = _draw(row, cells, x)
    label = f" {clip(row.label, spot[1] - spot[0] - 6)} "
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
