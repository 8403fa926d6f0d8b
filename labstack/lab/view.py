# SPDX-License-Identifier: GPL-2.0-or-later
"""View: what every command of the lab returns. It shows itself: rich in a terminal, HTML or SVG in Jupyter, and text.

One model, `lines()`: each line is a list of spans, each span a text and the name of a style. `STYLES` says what a
style is in a terminal and in HTML; packet styles are Wireshark's default colours. Colour never stands alone: the
words say the same. rich is imported only when something is shown in colour.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any, NamedTuple


class Span(NamedTuple):
    text: str
    style: str = ""


Line = list[Span]
WORD = re.compile(r"\s*(?:\[[^\]]*\]|\S+)|\s+$")  # with the space before it


class Style(NamedTuple):
    """term: a rich style; fg, bg: colours in HTML and SVG ('' is none)."""

    term: str
    fg: str = ""
    bg: str = ""


STYLES: dict[str, Style] = {
    "": Style(""),
    "arp": Style("#12272e on #faf0d7", "#12272e", "#faf0d7"),
    "icmp": Style("#12272e on #fce0ff", "#12272e", "#fce0ff"),
    "icmperr": Style("#b7f774 on #12272e", "#b7f774", "#12272e"),
    "tcp": Style("#12272e on #e7e6ff", "#12272e", "#e7e6ff"),
    "syn": Style("#12272e on #a0a0a0", "#12272e", "#a0a0a0"),
    "rst": Style("#fffc9c on #a40000", "#fffc9c", "#a40000"),
    "badtcp": Style("#f78787 on #12272e", "#f78787", "#12272e"),
    "udp": Style("#12272e on #daeeff", "#12272e", "#daeeff"),
    "other": Style("#12272e on #ffffff", "#12272e", "#ffffff"),
    "head": Style("bold", "#444444"),
    "dim": Style("dim", "#777777"),
    "state": Style("bold green", "#186a3b"),
    "bad": Style("bold red", "#b00020"),
    "rule": Style("cyan", "#0b5394"),
    "mark": Style("bold yellow", "#b06000"),
    "host": Style("bold", "#000000"),
}


class View(ABC):
    """Something that shows itself. Subclasses give `lines(width)`, and `svg()` when they have a picture."""

    wide = 170  # columns of the plain text

    @abstractmethod
    def lines(self, width: int) -> Iterable[Line]:
        """The view as lines of spans, no wider than `width` columns where that can be helped."""

    def svg(self) -> str:
        """The view as a picture, or '' when it has none."""
        return ""

    def text(self, width: int | None = None) -> str:
        """The view as plain text."""
        return "\n".join("".join(s.text for s in line).rstrip() for line in self.lines(width or self.wide))

    def html(self) -> str:
        """The view as one <pre> element."""
        rows = "\n".join("".join(_html(span) for span in line) for line in self.lines(self.wide))
        return f'<pre style="line-height:1.3">{rows}</pre>'

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return self.text()

    def __rich_console__(self, console: Any, options: Any) -> Any:
        from rich.text import Text

        for line in self.lines(options.max_width):
            yield Text.assemble(*((s.text, STYLES[s.style].term) for s in line), no_wrap=True, overflow="ellipsis")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        picture = self.svg()
        shown = {"image/svg+xml": picture} if picture else {"text/html": self.html()}
        return {**shown, "text/plain": self.text()}


class Lines(View):
    """A view made of lines that are already there. An empty one says so in the words of `nothing`."""

    def __init__(self, lines: Sequence[Line], nothing: str = "nothing yet") -> None:
        self.rows = list(lines)
        self.nothing = nothing

    def lines(self, width: int) -> Iterable[Line]:
        return self.rows or [[Span(f"({self.nothing})", "dim")]]


def _html(span: Span) -> str:
    style = STYLES[span.style]
    if not span.style:
        return escape(span.text)
    css = (f"color:{style.fg};" if style.fg else "") + (f"background:{style.bg};" if style.bg else "")
    return f'<span style="{css}">{escape(span.text)}</span>'


def table(head: Sequence[str], rows: Sequence[Sequence[str]], styles: Sequence[str] = ()) -> list[Line]:
    """Rows in columns as wide as their widest cell; `styles` names one style a column."""
    every = [head, *rows]
    width = [max(len(row[i]) for row in every) for i in range(len(head))]
    used = [*styles, *([""] * (len(head) - len(styles)))]
    lines = [[Span("  ".join(cell.ljust(w) for cell, w in zip(head, width, strict=True)).rstrip(), "head")]]
    for row in rows:
        cells = [Span(c.ljust(w), s) for c, w, s in zip(row, width, used, strict=True)]
        lines.append([x for cell in cells for x in (cell, Span("  "))][:-1])
    return lines


def wrap(line: Line, width: int, indent: int) -> Iterator[Line]:
    """The line, broken between words, but not inside [], where it is too long; what follows is indented."""
    if sum(len(span.text) for span in line) <= width:
        yield line
        return
    out, column = list[Span](), 0
    for text, style in line:
        for word in WORD.findall(text):
            if column + len(word) > width and column > indent and not word.isspace():
                yield out
                out, column, word = [Span(" " * indent)], indent, word.lstrip()
            out.append(Span(word, style))
            column += len(word)
    yield out


def ms(at: int) -> str:
    """A time in ns as milliseconds with three decimals, '12.345'."""
    return f"{at // 1_000_000}.{at // 1000 % 1000:03d}"


def clip(text: str, width: int) -> str:
    """The text, cut with an ellipsis when it is longer than width."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"
