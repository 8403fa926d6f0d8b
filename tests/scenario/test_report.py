# SPDX-License-Identifier: GPL-2.0-or-later
"""Reports of many outcomes: JSON, TAP 13, the summary, the exit status."""

import json

import pytest

from labstack.packetdrill.script import Place
from labstack.scenario.report import report
from labstack.scenario.verdict import BAD, VERDICTS, Failure, Outcome


def outcome(verdict: str, reason: str = "", line: int = 0, file: str = "a.pkt") -> Outcome:
    failure = Failure(Place(file, line, 1), "packet", reason) if line else None
    return Outcome(file, "lab", "ipv4", verdict, reason, line, 1.23456, failure)


def test_json_is_a_list_of_exactly_these_members() -> None:
    [row] = json.loads(report.to_json([outcome("fail", "the ack differs", 7)]))
    assert row == {"file": "a.pkt", "target": "lab", "ip": "ipv4", "verdict": "fail", "reason": "the ack differs",
                   "line": 7, "ms": 1.235}  # fmt: skip
    assert list(row) == ["file", "target", "ip", "verdict", "reason", "line", "ms"]


def test_json_of_nothing_is_an_empty_list() -> None:
    assert json.loads(report.to_json([])) == []


@pytest.mark.parametrize(
    ("verdict", "line"),
    [
        ("pass", "ok 1 - a.pkt lab ipv4"),
        ("fail", "not ok 1 - a.pkt lab ipv4"),
        ("xpass", "not ok 1 - a.pkt lab ipv4"),
        ("refused", "not ok 1 - a.pkt lab ipv4"),
        ("error", "not ok 1 - a.pkt lab ipv4"),
        ("xfail", "not ok 1 - a.pkt lab ipv4 # TODO why \\# not"),
        ("skip", "ok 1 - a.pkt lab ipv4 # SKIP why \\# not"),
    ],
)
def test_a_tap_line_says_how_a_harness_is_to_count_it(verdict: str, line: str) -> None:
    first, *block = report.tap(1, outcome(verdict, "why\n# not", 3)).splitlines()
    assert first == line
    assert bool(block) == (verdict in BAD)


def test_a_tap_failure_explains_itself_in_a_yaml_block() -> None:
    lines = report.tap(2, outcome("fail", 'says "no"', 3)).splitlines()
    assert lines[1:] == [
        "  ---",
        '  verdict: "fail"',
        '  message: "says \\"no\\""',
        "  line: 3",
        "  ms: 1.235",
        "  ...",
    ]


def test_tap_begins_with_its_version_and_its_plan() -> None:
    assert report.tap_plan(12) == "TAP version 13\n1..12"


@pytest.mark.parametrize("verdict", VERDICTS)
def test_the_exit_status_is_1_as_soon_as_something_is_not_as_expected(verdict: str) -> None:
    assert report.status([outcome("pass"), outcome(verdict)]) == (1 if verdict in BAD else 0)


def test_the_summary_counts_verdicts_and_says_what_was_not_run() -> None:
    outcomes = [outcome("pass"), outcome("pass"), outcome("xfail", "waits for SACK"), outcome("fail", "late", 4)]
    lines = report.Summary(outcomes, 6, 1.5).text().splitlines()
    assert lines[0] == "✗ fail    a.pkt:4  lab ipv4  late"
    assert lines[1].split() == ["xfail", "1", "waits", "for", "SACK"]
    assert lines[-1] == "2 pass, 1 fail, 1 xfail, 2 not run in 1.50 s"


def test_the_summary_tells_what_passed_only_at_a_second_attempt() -> None:
    lines = report.Summary([outcome("pass", "attempt 2; before that: 20 ms late")], 1, 0).text().splitlines()
    assert lines[0].split() == ["pass", "1", "attempt", "2;", "before", "that:", "20", "ms", "late"]


def test_only_the_verbose_summary_has_a_line_for_each() -> None:
    outcomes = [outcome("pass", file="one.pkt"), outcome("pass", file="two.pkt")]
    assert "one.pkt" not in report.Summary(outcomes, 2, 0).text()
    assert [name in report.Summary(outcomes, 2, 0, every=True).text() for name in ("one.pkt", "two.pkt")] == [True] * 2


def test_few_failures_are_told_whole_and_many_only_where_that_is_asked_for() -> None:
    few, many = ([outcome("fail", "late", 4)] * n for n in (report.WHOLE, report.WHOLE + 1))
    assert len(list(report.stories(few))) == report.WHOLE
    assert len(list(report.stories(many))) == 0
    assert len(list(report.stories(many, every=True))) == report.WHOLE + 1
