# SPDX-License-Identifier: GPL-2.0-or-later
"""The requirements of the RFCs, as tables beside this file: one row a MUST, SHOULD or MAY, in our own words.

A scenario says with `// covers: MUST-10 SEC-1` which of them it tests; a rule of the stack says which it serves.
"""

import csv
from functools import cache
from importlib.resources import files
from typing import NamedTuple

TABLES = ("rfc9293_requirements.tsv", "other_requirements.tsv")
TESTABLE = {"W": "on the wire", "A": "through sockets", "U": "by a unit test", "N": "not by a test", "": "not said"}


class Requirement(NamedTuple):
    """rfc: its number; level: MUST, MUST NOT, SHOULD, SHOULD NOT, MAY; testable: a key of TESTABLE."""

    id: str
    rfc: str
    section: str
    level: str
    meaning: str
    group: str = ""
    testable: str = ""

    @property
    def place(self) -> str:
        """'RFC 9293 §3.5'."""
        return f"RFC {self.rfc}" + (f" §{self.section}" if self.section != "-" else "")

    @property
    def by_scenario(self) -> bool:
        """Can a scenario test it? Where the table does not say, it can."""
        return self.testable not in ("U", "N")


@cache
def requirements() -> dict[str, Requirement]:
    """All of them by id, in the order of the tables."""
    rows = [_row(cells) for name in TABLES for cells in _table(name)]
    return {row.id: row for row in rows}


def _table(name: str) -> list[dict[str, str]]:
    text = files("labstack.scenario").joinpath("requirements", name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))


def _row(cells: dict[str, str]) -> Requirement:
    """A row of either table; the one of RFC 9293 has a group, and says how a requirement can be tested."""
    testable = next((value for name, value in cells.items() if name.startswith("testable")), "")
    return Requirement(
        cells["id"],
        cells.get("rfc", "RFC9293").removeprefix("RFC"),
        cells.get("section") or cells["rfc9293_section"],
        cells["level"],
        cells["meaning_in_own_words"],
        cells.get("group", ""),
        testable,
    )
