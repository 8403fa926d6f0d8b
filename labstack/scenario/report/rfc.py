# SPDX-License-Identifier: GPL-2.0-or-later
"""Which requirement of an RFC is tested by which scenario, and how that went; and which rules nobody has reached.

The requirements are a table beside this module: one row a MUST, SHOULD or MAY, in our own words. A scenario says with
`// covers: MUST-10 SEC-1` which of them it tests; a rule of the stack says which it serves.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from labstack.core.rules import Rule
from labstack.lab.errors import LabError
from labstack.scenario.verdict import ERROR, FAIL, PASS, REFUSED, SKIP, XFAIL, XPASS, Outcome
from labstack.stack.rules import RULES

TESTABLE = {"W": "on the wire", "A": "through sockets", "U": "by a unit test", "N": "not by a test", "": "not said"}
WORST = (FAIL, ERROR, XPASS, REFUSED, XFAIL, SKIP, PASS)
LEVELS = ("MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY")


class Requirement(NamedTuple):
    """A row of the table. rfc: its number; level: one of LEVELS; group: of RFC 9293's; testable: a key of TESTABLE."""

    id: str
    rfc: str
    section: str
    level: str
    group: str
    testable: str
    meaning: str

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
    """All of them by id, in the order of the table."""
    text = files(__package__).joinpath("requirements.tsv").read_text(encoding="utf-8")
    return {(row := Requirement(*line.split("\t"))).id: row for line in text.splitlines()[1:]}


class Cover(NamedTuple):
    """A scenario that covers a requirement; verdicts: the worst of its families, by target."""

    file: str
    verdicts: Mapping[str, str]


class Row(NamedTuple):
    requirement: Requirement
    covers: tuple[Cover, ...]

    def verdict(self, target: str) -> str:
        """The worst verdict of its scenarios on a target; "" if there is none."""
        return worst(cover.verdicts[target] for cover in self.covers if target in cover.verdicts)


class Count(NamedTuple):
    """Of one level: how many requirements, how many of them a scenario can test, and does.

    passed, xfailed: of those that are tested, by target
    """

    level: str
    every: int
    testable: int
    tested: int
    passed: Mapping[str, int]
    xfailed: Mapping[str, int]

    @property
    def untested(self) -> int:
        """How many a scenario could test, and none does."""
        return self.testable - self.tested


def choose(words: Sequence[str]) -> list[Requirement]:
    """The requirements that words name: '9293', 'RFC5961', 'MUST-10'; no word: all. Raises LabError for others."""
    known = requirements()
    found: dict[str, Requirement] = {}
    for word in words:
        name = word.upper().removeprefix("RFC").strip()
        mine = {row.id: row for row in known.values() if name in (row.id, row.rfc)}
        if not mine:
            raise LabError(f"no requirement {word!r}: expected an id such as MUST-10, or an RFC: {_rfcs(known)}")
        found |= mine
    return list((found or known).values())


def _rfcs(known: Mapping[str, Requirement]) -> str:
    return " ".join(dict.fromkeys(row.rfc for row in known.values()))


def matrix(wanted: Iterable[Requirement], outcomes: Sequence[Outcome]) -> list[Row]:
    """A row for each requirement, with the scenarios that cover it."""
    verdicts: dict[str, dict[str, str]] = {}  # scenario -> target -> the worst of its families
    covered: dict[str, dict[str, None]] = {}  # requirement -> scenarios, in order
    for it in outcomes:
        mine = verdicts.setdefault(it.file, {})
        mine[it.target] = worst([it.verdict, mine.get(it.target, "")])
        for requirement in it.covers:
            covered.setdefault(requirement, {})[it.file] = None
    return [Row(row, tuple(Cover(file, verdicts[file]) for file in covered.get(row.id, ()))) for row in wanted]


def worst(verdicts: Iterable[str]) -> str:
    """The worst of them; one that was skipped says nothing beside others; "" if there is none."""
    found = set(verdicts) - {""}
    return min(found - {SKIP} or found, key=WORST.index, default="")


def unknown(outcomes: Iterable[Outcome]) -> list[str]:
    """A sentence for each requirement that a scenario says to cover and that is in no table."""
    known = requirements()
    found = {(o.file, name): None for o in outcomes for name in o.covers if name not in known}
    return [f"{file} covers {name}, which is in no table" for file, name in found]


def targets(outcomes: Iterable[Outcome]) -> list[str]:
    """The targets that were tried, in order."""
    return list(dict.fromkeys(outcome.target for outcome in outcomes))


def counts(rows: Sequence[Row], names: Sequence[str]) -> list[Count]:
    """The rows counted by level, then all together."""
    found = [_count(level, [row for row in rows if row.requirement.level == level], names) for level in LEVELS]
    return [*(count for count in found if count.every), _count("all", rows, names)]


def _count(level: str, rows: Sequence[Row], names: Sequence[str]) -> Count:
    testable = [row for row in rows if row.requirement.by_scenario]
    passed, xfailed = (
        {name: sum(row.verdict(name) == it for row in testable) for name in names} for it in (PASS, XFAIL)
    )
    return Count(level, len(rows), len(testable), sum(bool(row.covers) for row in testable), passed, xfailed)


def serving(requirement: str) -> dict[str, Rule]:
    """The rules of the stack that serve a requirement, by id."""
    return {name: rule for name, rule in RULES.items() if requirement in rule.serves}


def unreached(outcomes: Iterable[Outcome]) -> dict[str, Rule]:
    """The rules of the stack that none of these outcomes has reached, by id."""
    reached = frozenset[str]().union(*(outcome.rules for outcome in outcomes))
    return {name: rule for name, rule in RULES.items() if name not in reached}
