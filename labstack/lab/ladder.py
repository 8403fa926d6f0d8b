# SPDX-License-Identifier: GPL-2.0-or-later
"""The ladder: one picture of what the hosts did. rows.py says what is on it; draw_text.py and draw_svg.py draw it."""

from collections.abc import Iterable, Mapping, Sequence

from labstack.core.record import Record
from labstack.core.rules import Rule
from labstack.lab import draw_svg, draw_text
from labstack.lab.rows import rows
from labstack.lab.view import Line, View
from labstack.lab.words import Script


class Ladder(View):
    """The ladder of some records: text, rich, or SVG.

    records: all of them, oldest first (relative sequence numbers start at the SYN)
    hosts: names in the order of their rails
    rules: meanings of the rule ids
    last: show only so many rows, 0 for all
    script: the records in words, if somebody has read them already
    """

    def __init__(
        self,
        records: Sequence[Record],
        hosts: Sequence[str],
        rules: Mapping[str, Rule],
        last: int = 0,
        script: Script | None = None,
    ) -> None:
        self.hosts = tuple(hosts)
        every = rows(records, self.hosts, rules, script)
        self.rows = every[-last:] if last else every
        self.hidden = len(every) - len(self.rows)

    def lines(self, width: int) -> Iterable[Line]:
        return draw_text.lines(self.rows, self.hosts, self.hidden, width)

    def svg(self) -> str:
        return draw_svg.picture(self.rows, self.hosts, self.hidden)
