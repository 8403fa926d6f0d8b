# SPDX-License-Identifier: GPL-2.0-or-later
"""The requirement tables, the matrix of what is tested, and the rules that nobody has reached."""

import json
from html.parser import HTMLParser

import pytest

from labstack.lab.errors import LabError
from labstack.scenario import collect, command, kinds
from labstack.scenario.report import rfc
from labstack.scenario.report.matrix import Matrix, Rules, markdown
from labstack.scenario.report.rfc import TESTABLE, requirements
from labstack.scenario.settings import Settings
from labstack.scenario.verdict import Outcome
from labstack.stack.rules import RULES


def ran(
    file: str, verdict: str, *covers: str, target: str = "lab", ip: str = "ipv4", rules: tuple[str, ...] = ()
) -> Outcome:
    return Outcome(file, target, ip, verdict, covers=covers, rules=frozenset(rules))


OUTCOMES = [
    ran("open.pkt", "pass", "MUST-10", "MUST-11"),
    ran("open.pkt", "pass", "MUST-10", "MUST-11", ip="ipv6"),
    ran("open.pkt", "fail", "MUST-10", "MUST-11", target="kernel"),
    ran("close.pkt", "xfail", "MUST-11"),
    ran("close.pkt", "skip", "MUST-11", target="kernel"),
]


def rows(*ids: str) -> list[rfc.Row]:
    return rfc.matrix(rfc.choose(ids), OUTCOMES)


# the tables


def test_every_requirement_has_an_id_of_its_own_a_level_and_a_meaning() -> None:
    known = requirements()
    assert len(known) == 297
    assert {it.level for it in known.values()} == set(rfc.LEVELS)
    assert all(it.meaning and it.section and it.rfc.isdigit() and it.testable in TESTABLE for it in known.values())


def test_a_requirement_knows_its_place() -> None:
    known = requirements()
    assert known["MUST-10"].place == "RFC 9293 §3.5"
    assert known["ARP-1"].place == "RFC 826"
    assert (known["MUST-9"].by_scenario, known["ARP-1"].by_scenario) == (False, True)


def test_every_requirement_that_a_rule_says_to_serve_is_in_a_table() -> None:
    known = requirements()
    assert [(name, it) for name, rule in RULES.items() for it in rule.serves if it not in known] == []


# the matrix


def test_requirements_are_chosen_by_id_and_by_rfc() -> None:
    assert [it.id for it in rfc.choose(["must-10"])] == ["MUST-10"]
    assert {it.rfc for it in rfc.choose(["RFC826", "5961"])} == {"826", "5961"}
    assert len(rfc.choose([])) == 297


def test_an_unknown_word_is_answered_with_what_there_is() -> None:
    with pytest.raises(LabError, match=r"no requirement 'MUST-999'.*9293"):
        rfc.choose(["MUST-999"])


def test_a_row_has_its_scenarios_and_the_worst_verdict_on_each_target() -> None:
    ten, eleven = rows("MUST-10", "MUST-11")
    assert [cover.file for cover in ten.covers] == ["open.pkt"]
    assert [cover.file for cover in eleven.covers] == ["open.pkt", "close.pkt"]
    assert [ten.verdict(name) for name in ("lab", "kernel", "none")] == ["pass", "fail", ""]
    assert [eleven.verdict(name) for name in ("lab", "kernel")] == ["xfail", "fail"]


def test_what_was_skipped_says_nothing_beside_what_was_run() -> None:
    assert rfc.worst(["skip", "pass"]) == "pass"
    assert rfc.worst(["skip"]) == "skip"
    assert rfc.worst([]) == ""


def test_counts_by_level_tell_what_is_tested_and_what_is_not() -> None:
    found = rfc.counts(rows("MUST-10", "MUST-11", "MUST-12", "MUST-9", "SHLD-1"), ["lab", "kernel"])
    assert [(it.level, it.every, it.testable, it.tested, it.untested, it.passed, it.xfailed) for it in found] == [
        ("MUST", 3, 3, 2, 1, {"lab": 1, "kernel": 0}, {"lab": 1, "kernel": 0}),
        ("MUST NOT", 1, 0, 0, 0, {"lab": 0, "kernel": 0}, {"lab": 0, "kernel": 0}),
        ("SHOULD", 1, 1, 0, 1, {"lab": 0, "kernel": 0}, {"lab": 0, "kernel": 0}),
        ("all", 5, 4, 2, 2, {"lab": 1, "kernel": 0}, {"lab": 1, "kernel": 0}),
    ]


def test_what_only_a_unit_test_can_test_is_no_pass_of_a_scenario_that_happens_to_cover_it() -> None:
    wanted = rfc.choose(["MUST-9", "MUST-10"])
    both = rfc.matrix(wanted, [ran("isn.pkt", "pass", "MUST-9", "MUST-10")])
    *_, every = rfc.counts(both, ["lab"])
    assert (every.every, every.testable, every.tested, every.passed) == (2, 1, 1, {"lab": 1})


def test_a_scenario_that_covers_what_is_in_no_table_is_told() -> None:
    assert rfc.unknown([*OUTCOMES, ran("x.pkt", "pass", "MUST-999")]) == ["x.pkt covers MUST-999, which is in no table"]


def test_the_text_has_a_row_each_and_the_summary_below() -> None:
    lines = Matrix(rows("MUST-10", "MUST-12"), ["lab", "kernel"]).text().splitlines()
    assert lines[0].split() == ["id", "level", "by", "RFC", "lab", "kernel", "meaning"]
    assert lines[1].split()[:7] == ["MUST-10", "MUST", "W", "9293", "§3.5", "pass", "fail"]
    assert lines[2].split()[5:7] == ["-", "-"]
    assert lines[-1].split() == ["all", "2", "2", "1", "1", "1", "0", "0", "0"]
    assert lines[-3].endswith("untested  pass on lab  xfail on lab  pass on kernel  xfail on kernel")


def test_one_requirement_is_told_with_its_scenarios_and_rules() -> None:
    text = Matrix(rows("MUST-10"), ["lab", "kernel"]).text()
    assert "MUST-10  MUST  RFC 9293 §3.5" in text
    assert "scenario  open.pkt  lab pass  kernel fail" in text
    assert all(name in text for name in rfc.serving("MUST-10"))
    assert "no scenario covers it" in Matrix(rows("MUST-12"), ["lab"]).text()


def test_json_has_a_member_for_each_requirement() -> None:
    [found] = json.loads(Matrix(rows("MUST-10"), ["lab", "kernel"]).to_json())
    assert found["id"] == "MUST-10"
    assert found["verdicts"] == {"lab": "pass", "kernel": "fail"}
    assert found["scenarios"] == [{"file": "open.pkt", "verdicts": {"lab": "pass", "kernel": "fail"}}]
    assert list(found) == ["id", "rfc", "section", "level", "testable", "meaning", "verdicts", "scenarios"]


def test_markdown_is_a_table_in_which_bars_are_text() -> None:
    assert markdown(("a", "b"), [("1|2", "3")]) == "| a | b |\n| --- | --- |\n| 1\\|2 | 3 |"
    first, rule, *body = Matrix(rows("MUST-10", "MUST-12"), ["lab"]).md().splitlines()
    assert first.count("|") == rule.count("|") == 8
    assert len(body) == 2


class Page(HTMLParser):
    """Counts rows, and what a page would load from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.rows, self.loads = 0, []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.rows += tag == "tr"
        self.loads += [value for name, value in attrs if name in ("src", "href")]


def test_the_page_has_every_row_and_loads_nothing() -> None:
    page = Page()
    page.feed(Matrix(rows(), ["lab"]).page("Requirements & scenarios"))
    assert page.rows == 297 + 1 + len(rfc.LEVELS) + 2
    assert page.loads == []


# rules


def test_rules_that_no_outcome_reached_are_told_with_what_they_serve() -> None:
    names = list(RULES)
    reached = [ran("a.pkt", "pass", rules=tuple(names[:-2])), ran("b.pkt", "fail", rules=(names[-2],))]
    missing = rfc.unreached(reached)
    assert list(missing) == names[-1:]
    view = Rules(missing, len(RULES))
    assert view.text().splitlines()[-1] == f"{len(RULES) - 1} of {len(RULES)} rules reached, 1 not"
    assert json.loads(view.to_json()) == [
        {"rule": names[-1], "says": RULES[names[-1]].says, "serves": list(RULES[names[-1]].serves)}
    ]
    assert names[-1] in view.md()
    assert names[-1] in view.page("Rules")


def test_when_every_rule_is_reached_only_the_count_is_left() -> None:
    assert Rules({}, 7).text() == "7 of 7 rules reached, 0 not"


def test_what_our_own_scenarios_say_to_cover_is_in_a_table() -> None:
    files = collect.find([command.own()])
    named = [it.file for file in files for it in kinds.scenarios(file)]
    covers = [(file, name) for file in named for name in kinds.ready(file, Settings()).covers]
    assert [(file, name) for file, name in covers if name not in requirements()] == []
    assert covers
