# SPDX-License-Identifier: GPL-2.0-or-later
"""The requirement matrix and the unreached rules, for people: text, Markdown, one page of HTML; and JSON."""

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from labstack import __version__
from labstack.core.rules import Rule, cite
from labstack.lab.view import Line, Span, View, clip, table
from labstack.lab.why import layer
from labstack.scenario.report.rfc import TESTABLE, Count, Cover, Row, counts, serving
from labstack.scenario.verdict import BAD, PASS, XFAIL

Cells = Sequence[Sequence[str]]
CITED = ("rule", "where", "serves", "says")
CSS = """body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:90em;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:1em 0}
td,th{border:1px solid #ccc;padding:.25em .6em;text-align:left;vertical-align:top}
th{background:#eee;position:sticky;top:0}.pass{color:#186a3b}.bad{color:#b00020;font-weight:bold}.other{color:#b06000}
.none{color:#888}input{font:inherit;padding:.2em .5em;width:30em}code{font-size:90%}"""
SEARCH = """<p><input placeholder="only rows with these words" aria-label="search" oninput="
for (const row of document.querySelectorAll('#matrix tbody tr'))
  row.hidden = !this.value.toLowerCase().split(' ').every(w => row.textContent.toLowerCase().includes(w))"></p>"""


class Matrix(View):
    """The rows on these targets."""

    def __init__(self, rows: Sequence[Row], targets: Sequence[str]) -> None:
        self.rows = rows
        self.targets = targets

    def lines(self, width: int) -> Iterable[Line]:
        """Text: the summary last, where a terminal ends; one row, with all that is known of it."""
        if len(self.rows) == 1:
            yield from detail(self.rows[0], width)
            return
        room = max(width - 46 - 8 * len(self.targets), 30)
        cells = [
            (row.requirement.id, row.requirement.level, row.requirement.testable or "-",
             f"{row.requirement.rfc} §{row.requirement.section}", *self._verdicts(row),
             clip(row.requirement.meaning, room))
            for row in self.rows
        ]  # fmt: skip
        yield from table(("id", "level", "by", "RFC", *self.targets, "meaning"), cells, ("head",))
        yield []
        yield from self.summary()

    def summary(self) -> Iterable[Line]:
        """How many of which level are tested and pass."""
        return table(*self._counts())

    def summary_md(self) -> str:
        return markdown(*self._counts())

    def md(self) -> str:
        """A table in Markdown; scenarios by their file names."""
        return markdown(*self._cells())

    def page(self, title: str) -> str:
        """One page of HTML that needs nothing else."""
        return _page(title, html(*self._counts()), SEARCH, f'<div id="matrix">{html(*self._cells())}</div>')

    def to_json(self) -> str:
        """A list of {id, rfc, section, level, testable, meaning, verdicts, scenarios: [{file, verdicts}]}."""
        found = [
            {
                **{name: getattr(row.requirement, name) for name in ("id", "rfc", "section", "level", "testable")},
                "meaning": row.requirement.meaning,
                "verdicts": {name: row.verdict(name) for name in self.targets},
                "scenarios": [{"file": cover.file, "verdicts": dict(cover.verdicts)} for cover in row.covers],
            }
            for row in self.rows
        ]
        return json.dumps(found, indent=1, ensure_ascii=False)

    def _verdicts(self, row: Row) -> list[str]:
        return [row.verdict(name) or "-" for name in self.targets]

    def _cells(self) -> tuple[Sequence[str], Cells]:
        cells = [
            (row.requirement.id, row.requirement.level, TESTABLE[row.requirement.testable], row.requirement.place,
             row.requirement.meaning, ", ".join(_name(cover) for cover in row.covers) or "-", *self._verdicts(row))
            for row in self.rows
        ]  # fmt: skip
        return ("id", "level", "testable", "section", "meaning", "scenarios", *self.targets), cells

    def _counts(self) -> tuple[Sequence[str], Cells]:
        head = ("level", "requirements", "a scenario can test", "tested", "untested")
        verdicts = tuple(f"{it} on {name}" for name in self.targets for it in (PASS, XFAIL))
        return (*head, *verdicts), [self._count(count) for count in counts(self.rows, self.targets)]

    def _count(self, count: Count) -> Sequence[str]:
        numbers = (count.every, count.testable, count.tested, count.untested)
        verdicts = [it[name] for name in self.targets for it in (count.passed, count.xfailed)]
        return (count.level, *map(str, (*numbers, *verdicts)))


def detail(row: Row, width: int) -> Iterable[Line]:
    """All that is known of one requirement."""
    it = row.requirement
    yield [Span(it.id, "mark"), Span(f"  {it.level}", "head"), Span(f"  {it.place}", "rule"), Span(f"  {it.group}")]
    yield [Span(f"  {it.meaning}")]
    yield [Span(f"  testable {TESTABLE[it.testable]}", "dim")]
    for cover in row.covers:
        yield [Span("  scenario  ", "dim"), Span(cover.file), *_marks(cover)]
    for name, rule in serving(it.id).items():
        yield [Span("  rule      ", "dim"), Span(name, "rule"), Span(clip(f"  {rule.says}", max(width - 60, 40)))]
    if not row.covers:
        yield [Span("  no scenario covers it", "bad")]


class Rules(View):
    """The rules that no scenario has reached, layer by layer."""

    def __init__(self, missing: Mapping[str, Rule], every: int) -> None:
        self.missing = missing
        self.every = every

    def lines(self, width: int) -> Iterable[Line]:
        if self.missing:
            yield from table(("rule", "layer", "serves", "says"), self._cells(max(width - 72, 40)), ("rule",))
        yield self._count()

    def md(self) -> str:
        return markdown(CITED, self._cells(10_000, True))

    def page(self, title: str) -> str:
        """One page of HTML that needs nothing else."""
        count = "".join(span.text for span in self._count())
        return _page(title, f"<p>{escape(count)}</p>", html(CITED, self._cells(10_000, True)))

    def to_json(self) -> str:
        """A list of {rule, says, serves}."""
        found = [{"rule": name, "says": it.says, "serves": list(it.serves)} for name, it in self.missing.items()]
        return json.dumps(found, indent=1, ensure_ascii=False)

    def _count(self) -> Line:
        reached = self.every - len(self.missing)
        return [Span(f"{reached} of {self.every} rules reached, {len(self.missing)} not", "head")]

    def _cells(self, room: int, cited: bool = False) -> Cells:
        return [
            (name, cite(name) if cited else layer(name), " ".join(rule.serves), clip(rule.says, room))
            for name, rule in self.missing.items()
        ]


def _page(title: str, *parts: str) -> str:
    head = f"<!doctype html>\n<html lang=en><meta charset=utf-8><title>{escape(title)}</title>\n<style>{CSS}</style>"
    return "\n".join([head, f"<h1>{escape(title)}</h1><p>labstack {__version__}</p>", *parts, "</html>\n"])


def markdown(head: Sequence[str], cells: Cells) -> str:
    """A table in Markdown."""
    rows = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in cells)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def html(head: Sequence[str], cells: Cells) -> str:
    """A table in HTML; verdicts are coloured."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    rows = "\n".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in cells)
    return f"<table><thead><tr>{top}</tr></thead><tbody>\n{rows}\n</tbody></table>"


def _cell(text: str) -> str:
    kind = "pass" if text == PASS else "bad" if text in BAD else "none" if text == "-" else ""
    return f'<td class="{kind}">{escape(text)}</td>' if kind else f"<td>{escape(text)}</td>"


def _marks(cover: Cover) -> Line:
    marks = cover.verdicts.items()
    return [Span(f"  {name} {verdict}", "bad" if verdict in BAD else "state") for name, verdict in marks]


def _name(cover: Cover) -> str:
    return cover.file.rpartition("/")[2]
