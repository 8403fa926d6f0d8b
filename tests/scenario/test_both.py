# SPDX-License-Identifier: GPL-2.0-or-later
"""Two targets side by side: the first packet in which they part, and of which kind that is."""

from typing import Any

import pytest

from labstack.scenario.report.both import Both, Tally
from labstack.scenario.verdict import Outcome, Passed
from layers import IP, TCP, UDP, IPv6

MS = 1_000_000
SYN_OPTIONS = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (7, 0)), ("NOP", None), ("WScale", 7)]


def out(at: int, isn: int = 1000, **fields: Any) -> Passed:
    """A segment of the host; seq counts from its ISN, ack from the peer's, which is 500."""
    seq, ack, data = fields.pop("seq", 0), fields.pop("ack", 1), fields.pop("data", b"")
    named = {"flags": "A", "options": [], "window": 100, **fields}
    return Passed(at, False, bytes(IP(src="192.168.0.1", dst="192.0.2.1") / TCP(
        sport=8080, dport=1024, seq=isn + seq, ack=500 + ack, **named) / data))  # fmt: skip


def into(at: int) -> Passed:
    return Passed(at, True, bytes(IP(src="192.0.2.1", dst="192.168.0.1") / TCP(
        sport=1024, dport=8080, seq=500, flags="S")))  # fmt: skip


def both(lab: list[Passed], kernel: list[Passed]) -> Both:
    blank = Outcome("a.pkt", "lab", "ipv4", "pass")
    return Both(blank._replace(passed=tuple(lab)), blank._replace(target="kernel", passed=tuple(kernel)))


def handshake(isn: int, **fields: Any) -> list[Passed]:
    return [into(0), out(0, isn, flags="SA", options=SYN_OPTIONS, **fields)]


def test_other_initial_numbers_and_timestamps_are_no_difference() -> None:
    other = [(name, (99, 0)) if name == "Timestamp" else (name, value) for name, value in SYN_OPTIONS]
    pair = both(handshake(1000), [into(0), out(MS, 77, flags="SA", options=other)])
    assert (pair.kind, pair.found) == ("", [])
    assert pair.text() == "a.pkt ipv4  lab pass, kernel pass: the same packets at the same times"


@pytest.mark.parametrize(
    ("ours", "theirs", "kind"),
    [
        ({"flags": "A"}, {"flags": "PA"}, "behaviour"),
        ({"ack": 1}, {"ack": 2}, "behaviour"),
        ({"data": b"xx"}, {"data": b"x"}, "behaviour"),
        ({"options": [("MSS", 1460)]}, {"options": [("MSS", 1400)]}, "behaviour"),
        ({"options": [("MSS", 1460), ("WScale", 7), ("NOP", None)]},
         {"options": [("MSS", 1460), ("NOP", None), ("WScale", 7)]}, "option order"),
        ({"window": 100}, {"window": 101}, "window"),
    ],
)  # fmt: skip
def test_a_difference_has_a_kind(ours: dict[str, Any], theirs: dict[str, Any], kind: str) -> None:
    pair = both([*handshake(1000), out(MS, seq=1, **ours)], [*handshake(5000), out(MS, 5000, seq=1, **theirs)])
    assert [(it.kind, it.n) for it in pair.found] == [(kind, 2)]
    assert f"first divergence: {kind}, packet 2" in pair.text()


def test_a_time_is_compared_as_packetdrill_does() -> None:
    """4 ms, or an eighth of the time since the packet before."""
    start, second = handshake(1000), 1_000_000_000
    assert both([*start, out(second, seq=1)], [*start, out(second + 120 * MS, seq=1)]).kind == ""
    assert both([*start, out(second, seq=1)], [*start, out(second + 200 * MS, seq=1)]).kind == "timing"


def test_times_count_from_the_packet_before_so_that_one_delay_is_one_difference() -> None:
    second = 1_000_000_000
    lab = [*handshake(1000), out(second, seq=1), out(second + MS, seq=2)]
    kernel = [*handshake(1000), out(2 * second, seq=1), out(2 * second + MS, seq=2)]
    assert [(it.kind, it.n) for it in both(lab, kernel).found] == [("timing", 2)]


def test_when_the_first_packet_passed_is_no_difference() -> None:
    later = [passed._replace(at=passed.at + 30 * MS) for passed in handshake(1000)]
    assert both(handshake(1000), later).kind == ""


def test_a_packet_that_only_one_sends_is_behaviour() -> None:
    pair = both([*handshake(1000), out(MS, seq=1)], handshake(1000))
    assert [(it.kind, it.n, it.theirs) for it in pair.found] == [("behaviour", 2, None)]


def test_the_first_of_each_kind_is_told_and_nothing_behind_a_difference_in_behaviour() -> None:
    lab = [*handshake(1, window=9), out(MS, 1, seq=1), out(2 * MS, 1, seq=5), out(3 * MS, 1, seq=9, window=1)]
    kernel = [*handshake(1), out(MS, 1, seq=1), out(2 * MS, 1, seq=6), out(90 * MS, 1, seq=9)]
    pair = both(lab, kernel)
    assert [(it.kind, it.n) for it in pair.found] == [("window", 1), ("behaviour", 3)]
    assert "first divergence: window, packet 1; behaviour from packet 3 on" in pair.text()


def test_the_ladder_goes_side_by_side_up_to_the_divergence_and_no_further() -> None:
    lab = [*handshake(1000), out(MS, seq=1, flags="PA", data=b"x"), out(2 * MS, seq=2)]
    kernel = [*handshake(2000), out(MS, 2000, seq=1, flags="A", data=b"x"), out(2 * MS, 2000, seq=2)]
    lines = both(lab, kernel).text().splitlines()
    assert any(line.split() == ["≠", "flags", "P.", "."] for line in lines)
    ladder = [line for line in lines if " ms" not in line and ("> " in line or "< " in line)]
    assert ladder[0].count("< S 0:0(0)") == 2
    assert ladder[-1].count("1:2(1) ack 1") == 2
    assert len(ladder) == 3


def test_other_protocols_are_compared_by_what_they_are_and_how_long() -> None:
    def datagram(size: int) -> Passed:
        return Passed(0, False, bytes(IPv6() / UDP(sport=1, dport=2) / bytes(size)))

    assert both([datagram(3)], [datagram(3)]).kind == ""
    assert both([datagram(3)], [datagram(4)]).kind == "behaviour"


def test_the_tally_counts_kinds() -> None:
    pairs = [both(handshake(1), handshake(2)), both(handshake(1, window=2), handshake(1))]
    assert Tally(pairs).text() == "1 the same on both, 1 window"
    assert Tally(pairs, listed=True).text().splitlines()[0].endswith("first divergence: window, packet 1")


def test_what_was_not_played_on_both_is_not_compared() -> None:
    blank = Outcome("a.pkt", "lab", "ipv4", "pass", passed=tuple(handshake(1)))
    pair = Both(blank, blank._replace(target="kernel", verdict="skip", passed=()))
    assert pair.kind == ""
    assert pair.text().splitlines()[0].endswith("lab pass, kernel skip: nothing to compare")
    assert Tally([pair]).text() == "0 the same on both"
