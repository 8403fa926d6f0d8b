# SPDX-License-Identifier: GPL-2.0-or-later
"""Why an event went as it did: which rule is the one to show, and the whole story layer by layer."""

import pytest

from labstack.core.errors import StackError
from labstack.core.event import Became, Call, Note, Tick
from labstack.core.record import Record
from labstack.core.rules import Rule
from labstack.lab.why import Why, changes, choose, layer, short
from labstack.lab.words import Told

RULES = {
    "9293/3.10.7.2/syn": Rule("a SYN for a listening port"),
    "4861/7.2.3/learned": Rule("learned {0}"),
    "drop.tcp.closed": Rule("nobody has port {0}"),
}


def note(rule: str, *values: object) -> Note:
    return Note(rule, 0, values)


def chosen(*rules: str, answered: bool = False) -> str:
    found = choose([note(rule) for rule in rules], answered)
    return found.rule if found else ""


def test_the_highest_layer_has_the_reason() -> None:
    assert chosen("9293/3.10.7.2/syn", "4861/7.2.3/learned") == "9293/3.10.7.2/syn"


def test_what_only_accompanies_an_event_is_not_its_reason() -> None:
    assert chosen("9293/3.10.7.2/syn", "9293/3.7.1/mss", "9293/3.10.7.4/ack/window") == "9293/3.10.7.2/syn"
    assert chosen("9293/3.7.1/mss", "9293/3.10.7.4/ack/new") == "9293/3.10.7.4/ack/new"


def test_of_two_equal_ones_the_last_decides() -> None:
    assert chosen("826/-/merge", "826/-/reply") == "826/-/reply"


def test_a_drop_is_the_reason_unless_something_was_sent_in_answer() -> None:
    assert chosen("drop.tcp.closed", "9293/3.10.7.2/syn") == "drop.tcp.closed"
    assert chosen("drop.tcp.closed", "9293/3.10.7.2/syn", answered=True) == "9293/3.10.7.2/syn"
    assert chosen() == ""


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        ("9293/3.10.1/active", "tcp"),
        ("826/-/reply", "arp"),
        ("4861/7.2.2/solicit", "nd"),
        ("drop.ip.ttl", "ip"),
        ("linux/tcp_prune/last", "tcp"),
        ("2018/5/sacked", "tcp"),
        ("1191/3/learnt", "ip"),
        ("6583/5.1/evict", "nd"),
        ("1122/2.3.2.1/probe", "arp"),
        ("1122/2.4/undelivered", "ip"),
        ("linux/gc_stale_time/collect", "nd"),
    ],
)
def test_every_rule_belongs_to_a_layer(rule: str, name: str) -> None:
    assert layer(rule) == name


def test_one_line_cites_the_rule_and_says_it_with_its_values() -> None:
    record = Record(1, 0, "h1", Tick(), trace=(note("4861/7.2.3/learned", b"\x0a\0\0\1"),))
    assert short(record, RULES) == "RFC 4861 §7.2.3 learned 10.0.0.1"


def test_a_call_that_failed_has_its_error_for_a_reason() -> None:
    record = Record(1, 0, "h1", Call("connect", ("10.0.0.9", 80)), result=StackError(101, "no route to 10.0.0.9"))
    assert short(record, RULES) == "network is unreachable: no route to 10.0.0.9"


def test_a_contained_fault_is_told_by_its_last_line() -> None:
    record = Record(1, 0, "h1", Tick(), fault="Traceback ...\nZeroDivisionError: division by zero\n")
    assert short(record, RULES) == "fault contained: ZeroDivisionError: division by zero"


def test_state_changes_of_one_thing_make_one_path() -> None:
    trace = (Became("tcp", 1, "CLOSED", "LISTEN"), Became("neigh", 0, "", "STALE"), Became("tcp", 1, "LISTEN", "X"))
    found = changes(Record(1, 0, "h1", Tick(), trace=trace))
    assert found == [("tcp", "CLOSED → LISTEN → X"), ("neigh", "(none) → STALE")]


def test_the_whole_story_has_a_line_for_each_rule_and_change() -> None:
    trace = (note("drop.tcp.closed", 81), Became("tcp", 1, "A", "B"))
    text = Why(Record(3, 20_000_000, "h2", Tick(), trace=trace), RULES, Told(None, ())).text()
    assert text.splitlines() == [
        "#3  20.000 ms  h2  a timer ran out",
        "  tcp    nobody has port 81   [drop.tcp.closed]",
        "  tcp    A → B",
    ]


def test_a_story_is_broken_between_words_and_not_inside_what_is_cited() -> None:
    trace = (note("9293/3.10.7.2/syn"), note("4861/7.2.3/learned", "what" + " what" * 8))
    text = Why(Record(3, 20_000_000, "h2", Tick(), trace=trace), RULES, Told(None, ())).text(50)
    assert text.splitlines() == [
        "#3  20.000 ms  h2  a timer ran out",
        "  tcp    a SYN for a listening port",
        "         [RFC 9293 §3.10.7.2]",
        "  nd     learned what what what what what what",
        "         what what what   [RFC 4861 §7.2.3]",
    ]


def test_an_event_without_consequences_says_so() -> None:
    assert "nothing changed" in Why(Record(1, 0, "h1", Tick()), RULES, Told(None, ())).text()
