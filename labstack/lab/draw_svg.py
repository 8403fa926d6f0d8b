# SPDX-License-Identifier: GPL-2.0-or-later
"""The ladder as an SVG picture without any dependency: the same rows as draw_text.py, one <g data-ev="n"> a row."""

from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise

from labstack.lab.draw_text import tone
from labstack.lab.rows import Row
from labstack.lab.view import STYLES, clip, ms

LEFT, STEP, TOP = 206, 23, 44
LINE = 14  # px from one reason of a row to the next
GAP = {2: 350, 3: 250}  # px between rails; 200 for more
WHY = 620  # px
LETTER = 6.7  # px a character of the 11 px monospace
STYLE = (
    "text{font:11px 'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#222}"
    ".h{font-weight:bold;font-size:13px}.d{fill:#777}.s{fill:#186a3b;font-weight:bold}"
    ".w{fill:#0b5394}.x{fill:#b00020}.e{text-anchor:end}.m{text-anchor:middle}"
    "line{stroke:#555;stroke-width:1.2}.r{stroke:#999}.l{stroke-dasharray:5 4}"
)
HEAD = (
    '<marker id="lab-a" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto">'
    '<path d="M0 0L10 5L0 10z" fill="#555"/></marker>'
)


def picture(rows: Sequence[Row], hosts: Sequence[str], hidden: int = 0) -> str:
    """The SVG document for `rows`."""
    gap = GAP.get(len(hosts), 200)
    x = [LEFT + i * gap for i in range(max(len(hosts), 2))]
    heights = _heights(rows)
    times = _beyond([ms(row.at) for row in rows], 10)
    left = times + _beyond([str(row.n) for row in rows], 4)
    width, height = x[-1] + 116 + WHY + left, heights[-1] + 2
    size = f'viewBox="{-left} 0 {width} {height}" width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
        f"<style>{STYLE}</style><defs>{HEAD}</defs>",
        f'<rect x="{-left}" width="{width}" height="{height}" fill="#fff"/>',
        *_frame(hosts, x, height, hidden, 30 - times),
    ]
    for row, y in zip(rows, heights, strict=False):
        parts.append(_row(row, x, y, hosts, 30 - times))
    return "\n".join([*parts, "</svg>"])


def _beyond(words: Sequence[str], usual: int) -> int:
    """How many pixels the longest of them needs beyond the usual number of letters."""
    return round(max([0, *(len(word) - usual for word in words)]) * LETTER)


def _heights(rows: Sequence[Row]) -> list[int]:
    """The y of each row, and of what follows the last."""
    y, found = TOP + STEP // 2, []
    for row in rows:
        found.append(y)
        y += STEP + LINE * max(len(row.why) - 1, 0)
    return [*found, y]


def _text(x: float, y: float, words: str, kind: str, fill: str = "") -> str:
    colour = f' style="fill:{fill}"' if fill else ""
    return f'<text x="{x:g}" y="{y:g}" class="{kind}"{colour}>{escape(words)}</text>' if words else ""


def _frame(hosts: Sequence[str], x: Sequence[int], height: int, hidden: int, number: int) -> Iterator[str]:
    yield _text(number, 22, "#", "d e") + _text(98, 22, "t (ms)", "d e") + _text(x[-1] + 112, 22, "why", "d")
    for column, name in zip(x, hosts, strict=False):
        yield _text(column, 22, name, "h m")
        yield f'<line class="r" x1="{column}" y1="30" x2="{column}" y2="{height - 10}"/>'
    if hidden:
        yield _text(x[0] + 10, 40, f"… {hidden} rows before", "d")


def _row(row: Row, x: Sequence[int], y: int, hosts: Sequence[str], number: int) -> str:
    last = len(hosts) - 1
    parts = [
        _text(number, y + 4, f"{'▸' if row.now else ''}{row.n or ''}", "d e"),
        _text(98, y + 4, ms(row.at), "d e"),
        _text(x[0] - 8, y + 4, row.states.get(0, ""), "s e"),
        _text(x[-1] + 8, y + 4, row.states.get(last, "") if last else "", "s"),
        *(
            _text(x[-1] + 112, y + 4 + LINE * i, clip(words, int(WHY / LETTER)), "x" if tone(words) == "bad" else "w")
            for i, words in enumerate(row.why)
        ),
        _remark(row, x, y) if row.mark else _arrow(row, x, y),
    ]
    return f'<g data-ev="{row.n}"><title>{escape("; ".join(row.why))}</title>{"".join(parts)}</g>'


def _remark(row: Row, x: Sequence[int], y: int) -> str:
    sign = "⏲" if row.mark == "timer" else "●"
    side = "d e" if 0 < row.src == len(x) - 1 else "d"
    return _text(x[row.src] + (-8 if side == "d e" else 8), y + 4, f"{sign} {row.label}", side)


def _arrow(row: Row, x: Sequence[int], y: int) -> str:
    start, ends = _reach(row, x)
    kind = "l" if row.late else ""
    parts = []
    for end in ends:
        lost = bool(row.fate) and not row.to
        tip = "" if lost else ' marker-end="url(#lab-a)"'
        inset = 0 if lost else (-1 if end > start else 1)
        parts.append(f'<line class="{kind}" x1="{start}" y1="{y}" x2="{end + inset}" y2="{y}"{tip}/>')
        if lost:
            parts.append(_text(end, y + 5, "✗", "x m"))
    order = sorted([start, *ends])
    left, right = max(pairwise(order), key=lambda pair: pair[1] - pair[0])
    return "".join(parts) + _label(row, (left + right) / 2, y, right - left)


def _reach(row: Row, x: Sequence[int]) -> tuple[int, list[int]]:
    """Where the arrow begins and its ends."""
    if row.src < 0:
        end, length = x[row.to[0]], (x[1] - x[0]) * 3 // 4  # from between the rails: nobody of them sent it
        return (end + length if row.to[0] == 0 else end - length), [end]
    if row.to:
        return x[row.src], [x[i] for i in row.to]
    other = x[row.src + 1] if row.src + 1 < len(x) else x[row.src - 1]
    return x[row.src], [x[row.src] + (other - x[row.src]) * 4 // 5]


def _label(row: Row, middle: float, y: int, room: float) -> str:
    words = clip(row.label, max(int(room / LETTER) - 5, 8))
    style = STYLES[row.style]
    wide = len(words) * LETTER + 10
    box = (
        f'<rect x="{middle - wide / 2:g}" y="{y - 8}" width="{wide:g}" height="16" rx="3" '
        f'fill="{style.bg or "#fff"}" stroke="#bbb" stroke-width=".5"/>'
    )
    return box + _text(middle, y + 4, words, "m", style.fg or "#222")
