# SPDX-License-Identifier: GPL-2.0-or-later
"""A failure that a person understands: where in the script, expected beside actual, and what led to it.

One model, shown by View in a terminal, as plain text (pytest, files) and as HTML.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import mkdtemp

from labstack.lab.view import Line, Span, View, clip, ms
from labstack.scenario.verdict import ANYTHING, PASS, Evidence, Failure, Field, Outcome

AROUND = 2  # lines of the script before and after the one that failed
CELL = 44  # columns of a value
FOLDER = ".labstack"
UNPLAYED = ("unread", "refused")  # kinds of failure that have no time
HEAD = ("field", "expected", "actual")


class Report(View):
    """The whole story of an outcome that is not as it should be; capture: where its packets were saved."""

    def __init__(self, outcome: Outcome, capture: str = "") -> None:
        self.outcome = outcome
        self.capture = capture

    def lines(self, width: int) -> Iterable[Line]:
        outcome, failure = self.outcome, self.outcome.failure
        yield headline(outcome)
        if failure is None:
            return
        yield from source(failure, width)
        if failure.kind == "crash":
            yield from ([Span(f"  {line}", "dim")] for line in failure.why.rstrip().splitlines())
        if failure.fields:
            yield []
            yield from side_by_side(failure.fields)
        yield from self._evidence(outcome.evidence or Evidence(), failure)

    def _evidence(self, evidence: Evidence, failure: Failure) -> Iterable[Line]:
        for part in (evidence.ladder, evidence.state):
            if part:
                yield []
                yield from part
        yield []
        if self.capture:
            yield [Span("packets:  ", "dim"), Span(self.capture)]
        if evidence.n:
            yield [Span("go there: ", "dim"), Span(command(self.outcome, evidence.n), "head")]


def headline(outcome: Outcome) -> Line:
    """'✗ fail  tcp/close.pkt:12  lab ipv4  the flags differ: expected F., got .'"""
    where = f"{outcome.file}:{outcome.line}" if outcome.line else outcome.file
    if outcome.failure is not None and outcome.failure.kind == "unread":
        where += f":{outcome.failure.place.column}"
    good = not outcome.bad
    mark = Span(f"{'✓' if outcome.verdict == PASS else '·' if good else '✗'} ", "state" if good else "bad")
    line = [mark, Span(f"{outcome.verdict:<7} ", "state" if good else "bad"), Span(where, "head")]
    line.append(Span(f"  {outcome.target} {outcome.ip}", "dim"))
    return [*line, Span(f"  {_one_line(outcome.reason)}")] if outcome.reason else line


def source(failure: Failure, width: int) -> Iterable[Line]:
    """The line of the script with its neighbours, and a marker below it."""
    place = failure.place
    try:
        text = Path(place.file).read_text(encoding="utf-8-sig", errors="replace").removesuffix("\n").split("\n")
    except OSError:
        return
    first, last = max(1, place.line - AROUND), min(len(text), place.line + AROUND)
    if not 1 <= place.line <= len(text):
        return
    for number in range(first, last + 1):
        here = number == place.line
        shown = Span(clip(text[number - 1].expandtabs(), max(width - 10, 20)), "head" if here else "")
        yield [Span("  ▸" if here else "   ", "mark"), Span(f"{number:>4} │ ", "dim"), shown]
        if here:
            at = len(text[number - 1][: place.column - 1].expandtabs())
            when = "" if failure.kind in UNPLAYED else f"  at {ms(failure.at)} ms"
            yield [Span(f"{'':7} │ ", "dim"), Span(" " * at + "^ ", "mark"), Span(_one_line(failure.why), "bad"),
                   Span(when, "dim")]  # fmt: skip


def side_by_side(fields: Sequence[Field], head: tuple[str, str, str] = HEAD) -> Iterable[Line]:
    """Expected and actual by field; ≠ marks those that differ, so that colour does not stand alone."""
    cells = [(f.name, _cell(f.expected), _cell(f.actual), f.differs) for f in fields]
    names, wants, haves = (max(len(str(row[i])) for row in [*cells, head]) for i in range(3))
    yield [Span(f"      {head[0]:<{names}}  {head[1]:<{wants}}  {head[2]:<{haves}}".rstrip(), "head")]
    for name, expected, actual, differs in cells:
        mark, style = ("≠", "bad") if differs else (" ", "")
        yield [Span(f"    {mark} ", "bad"), Span(f"{name:<{names}}  "), Span(f"{expected:<{wants}}", style and "state"),
               Span("  "), Span(actual, style)]  # fmt: skip


def command(outcome: Outcome, n: int) -> str:
    """The command that leads to event n at the prompt."""
    ip = "" if outcome.ip == "ipv4" else f" --ip-version {outcome.ip}"
    file = outcome.file if re.fullmatch(r"[\w./:-]+", outcome.file) else f"'{outcome.file}'"
    return f"labstack run {file}{ip} --at {n}"


def save(outcome: Outcome, folder: str | Path = FOLDER) -> str:
    """Write the packets of a failure beside it; returns the path, or "" where there are none or it cannot be written.

    folder: made if need be, with a note for git that nothing in it is to be kept; where that is not allowed, a new one
    among the temporary files.
    """
    if outcome.evidence is None or not outcome.evidence.pcapng:
        return ""
    name = "-".join(re.findall(r"\w+", f"{outcome.file.removesuffix('.pkt')} {outcome.target} {outcome.ip}"))[-120:]
    try:
        place = Path(folder)
        place.mkdir(exist_ok=True)
        (place / ".gitignore").write_text("*\n")
        path = place / f"{name}.pcapng"
        path.write_bytes(outcome.evidence.pcapng)
    except OSError:
        return "" if folder != FOLDER else save(outcome, mkdtemp(prefix="labstack-"))
    return str(path)


def _cell(value: str) -> str:
    return "(any)" if value == ANYTHING else clip(value, CELL) if value else "-"


def _one_line(text: str) -> str:
    return " ".join(text.split())
