# SPDX-License-Identifier: GPL-2.0-or-later
"""The ladder's model and its two drawings, from records made by hand."""

import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from labstack.core.event import Became, Call, Note, Rx, Tick
from labstack.core.frame import Frame
from labstack.core.record import Record, Sent
from labstack.core.rules import Rule
from labstack.lab.ladder import Ladder
from labstack.lab.rows import OUTSIDE, rows
from layers import ARP, IP, TCP, Ether

RULES = {"9293/3.10.1/active": Rule("active OPEN"), "drop.tcp.csum": Rule("the checksum of {0} is wrong")}
SYN = Frame(bytes(Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=5, dport=80, flags="S")))
ASK = Frame(bytes(Ether() / ARP(psrc="10.0.0.1", pdst="10.0.0.2")))
HOSTS = ("h1", "h2")


def opened(**more: Any) -> Record:
    """h1 sends a SYN as flight 1."""
    trace = (Note("9293/3.10.1/active", 7, ()), Became("tcp", 7, "CLOSED", "SYN_SENT"))
    made = Record(1, 0, "h1", Call("connect", ("10.0.0.2", 80, 7)), trace=trace, sent=(Sent(1, 1, SYN),))
    return made._replace(**more)


def came(n: int = 2, host: str = "h2", **more: Any) -> Record:
    return Record(n, 10_000_000, host, Rx(1, SYN), flight=1)._replace(**more)


def test_a_frame_that_arrived_and_was_answered_with_nothing_is_one_row_with_both_sides() -> None:
    dropped = came(trace=(Note("drop.tcp.csum", 0, ("h2",)),))
    (row,) = rows([opened(), dropped], HOSTS, RULES)
    assert (row.n, row.src, row.to, row.label) == (1, 0, (1,), "SYN seq=0")
    assert row.states == {0: "SYN_SENT"}
    assert row.why == ("connect: RFC 9293 §3.10.1 active OPEN", "#2 drop.tcp.csum the checksum of h2 is wrong")
    assert row.now


def test_an_answered_arrival_shows_its_state_on_the_row_of_the_answer() -> None:
    answer = came(trace=(Became("tcp", 1, "LISTEN", "SYN_RECEIVED"),), sent=(Sent(2, 1, ASK),))
    first, second = rows([opened(), answer], HOSTS, RULES)
    assert first.states == {0: "SYN_SENT"}
    assert (second.n, second.src, second.states) == (2, 1, {1: "SYN_RECEIVED"})
    assert second.late  # nobody has it yet
    assert [first.now, second.now] == [False, True]


def test_a_lost_frame_says_its_fate_and_reaches_nobody() -> None:
    (row,) = rows([opened(sent=(Sent(1, 1, SYN, "loss 10 %"),))], HOSTS, RULES)
    assert (row.to, row.fate, row.late) == ((), "loss 10 %", False)
    assert row.why[-1] == "✗ loss 10 %"
    assert row.style == "badtcp"


def test_a_duplicate_arrival_gets_a_row_of_its_own() -> None:
    assert [row.n for row in rows([opened(), came(2), came(3)], HOSTS, RULES)] == [1, 3]


def test_an_injected_frame_comes_from_outside_and_so_do_its_answers_rows() -> None:
    injected = Record(1, 0, "h2", Rx(1, SYN), sent=(Sent(1, 1, ASK),))
    first, second = rows([injected], HOSTS, RULES)
    assert (first.n, first.src, first.to) == (1, OUTSIDE, (1,))
    assert (second.n, second.src) == (0, 1)


def test_timers_and_calls_that_send_nothing_are_remarks() -> None:
    tick = Record(1, 0, "h2", Tick(), trace=(Note("9293/3.10.1/active", 7, ()),))
    call = Record(2, 0, "h1", Call("listen", (80, b"", 128, 5)))
    assert [(row.mark, row.label) for row in rows([tick, call], HOSTS, RULES)] == [
        ("timer", "tcp timer"),
        ("app", "listen on port 80"),
    ]


def test_a_broadcast_reaches_every_rail() -> None:
    asked = Record(1, 0, "h2", Tick(), sent=(Sent(1, 1, ASK),))
    (row,) = rows([asked, came(2, "h1"), came(3, "h3")], ("h1", "h2", "h3"), RULES)
    assert (row.src, row.to) == (1, (0, 2))


def test_the_text_shows_number_time_states_arrow_and_reason() -> None:
    text = Ladder([opened(), came()], HOSTS, RULES).text(120)
    assert text.splitlines()[1] == (
        "▸  1      0.000     SYN_SENT │─────────────── SYN seq=0 ───────────────▶│              "
        "connect: RFC 9293 §3.10.1 activ…"
    )


def test_where_the_picture_is_narrow_reasons_stand_below_and_arrows_keep_their_words() -> None:
    dropped = came(trace=(Note("drop.tcp.csum", 0, ("h2",)),))
    text = Ladder([opened(), dropped], HOSTS, RULES).text(80)
    assert text.splitlines() == [
        "  #      t (ms)              h1                                  h2",
        "▸  1      0.000     SYN_SENT │──────────── SYN seq=0 ────────────▶│",
        "     connect: RFC 9293 §3.10.1 active OPEN",
        "     #2 drop.tcp.csum the checksum of h2 is wrong",
    ]
    for width, hosts in ((80, HOSTS), (100, HOSTS), (120, (*HOSTS, "h3")), (170, (*HOSTS, "h3", "h4"))):
        assert max(map(len, Ladder([opened(), dropped], hosts, RULES).text(width).splitlines())) <= width


def test_a_label_that_is_too_long_loses_first_what_its_numbers_tell_too() -> None:
    data = IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=5, dport=80, flags="PA") / (b"x" * 1448)
    sent = Record(1, 0, "h1", Tick(), sent=(Sent(1, 1, Frame(bytes(Ether() / data))),) * 2)
    text = Ladder([sent], HOSTS, RULES).text(80)
    assert "╌ PSH,ACK seq=0:1448 ack=1 rtx #1 ╌" in text
    assert "len=1448 rtx #1 ╌" in Ladder([sent], HOSTS, RULES).text(170)


def test_large_numbers_and_times_have_columns_wide_enough() -> None:
    late = Record(12345, 22348411171936000, "h1", Tick(), sent=(Sent(1, 1, SYN),))
    ladder = Ladder([opened(n=1050, at=5, sent=()), late], HOSTS, RULES)
    lines = ladder.text().splitlines()
    assert lines[1].startswith("  1050           0.000     SYN_SENT │")
    assert lines[2].startswith("▸12345 22348411171.936              │")
    picture = ElementTree.fromstring(ladder.svg())
    assert picture.get("viewBox", "").startswith("-41 0 ")


def test_arrows_say_which_way_and_whether_they_arrived() -> None:
    late = Ladder([opened()], HOSTS, RULES).text(120)
    lost = Ladder([opened(sent=(Sent(1, 1, SYN, "queue full"),))], HOSTS, RULES).text(120)
    back = Ladder([opened(host="h2"), came(host="h1")], HOSTS, RULES).text(120)
    assert "╌▷│" in late
    assert "─✗" in lost
    assert "✗ queue full" in lost
    assert "│◀─" in back


@pytest.mark.parametrize("width", [72, 80, 90, 100, 120, 170])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for line in Ladder([opened(), came(2), came(3)], HOSTS, RULES).lines(width):
        assert sum(len(span.text) for span in line) <= width


def test_an_arrow_crosses_the_rails_between() -> None:
    ladder = Ladder([opened(), came(host="h3")], ("h1", "h2", "h3"), RULES)
    assert "SYN seq=0" in ladder.text(170)
    assert "┼" in Ladder([opened(), came(host="h2"), came(3, "h3")], ("h1", "h2", "h3"), RULES).text(170)


def test_states_of_rails_in_the_middle_are_told_with_the_reason() -> None:
    trace = (Became("tcp", 1, "LISTEN", "SYN_RECEIVED"),)
    (row,) = rows([opened(), came(trace=trace)], ("h1", "h2", "h3"), RULES)
    assert row.states[1] == "SYN_RECEIVED"
    assert "h2 SYN_RECEIVED" in Ladder([opened(), came(trace=trace)], ("h1", "h2", "h3"), RULES).text(170)


def test_last_shows_the_last_rows_and_says_how_many_are_hidden() -> None:
    ladder = Ladder([opened(), came(2), came(3)], HOSTS, RULES, last=1)
    assert len(ladder.rows) == 1
    assert "1 rows before" in ladder.text()


def test_an_empty_ladder_says_so() -> None:
    assert "nothing happened yet" in Ladder([], HOSTS, RULES).text()


def test_the_picture_is_well_formed_and_has_a_group_for_each_row() -> None:
    picture = ElementTree.fromstring(Ladder([opened(), came()], HOSTS, RULES).svg())
    groups = [g for g in picture.iter("{http://www.w3.org/2000/svg}g") if "data-ev" in g.attrib]
    assert [g.attrib["data-ev"] for g in groups] == ["1"]
    assert "active OPEN" in "".join(groups[0].itertext())


def test_markup_in_a_reason_is_escaped_in_the_picture() -> None:
    rules = {"9293/3.10.1/active": Rule("<script>&")}
    assert "<script>" not in Ladder([opened()], HOSTS, rules).svg()


def test_jupyter_gets_a_picture_and_the_text() -> None:
    shown = Ladder([opened()], HOSTS, RULES)._repr_mimebundle_()
    assert set(shown) == {"image/svg+xml", "text/plain"}
