# SPDX-License-Identifier: GPL-2.0-or-later
"""Accurate ECN (RFC 9768): the handshake as a table, the counter of three bits, the option, what is told when."""

from collections.abc import Callable

import pytest
from tcp_script import Script

from labstack.tcp.ecn import CE, ECT0, ECT1, NOT_ECT
from labstack.tcp.loss import CWR, OPEN

Tcp = Callable[..., Script]
BARE = {"net.ipv4.tcp_ecn": 3, "net.ipv4.tcp_ecn_option": 0}
ACE = {0: "", 1: "E", 2: "W", 3: "EW", 4: "N", 5: "EN", 6: "WN", 7: "EWN"}


def passive(tcp: Tcp, **settings: object) -> Script:
    s = tcp(**{"sysctl": BARE, **settings})
    s.listen()
    s.rx("SEWN", mss=1460)
    s.tx("SAW", tos=0)
    s.rx("AW")
    s.accept()
    return s


def active(tcp: Tcp, **settings: object) -> Script:
    s = tcp(**{"sysctl": BARE, **settings})
    s.connect()
    s.tx("SEWN", tos=0)
    s.rx("SAW", mss=1460)
    s.tx("AW", tos=0)
    return s


ROLES = pytest.mark.parametrize("opened", [passive, active])


@pytest.mark.parametrize(("mark", "field"), [(NOT_ECT, 2), (ECT1, 3), (ECT0, 4), (CE, 6)])
def test_the_answer_tells_how_the_syn_came(tcp: Tcp, mark: int, field: int) -> None:
    """RFC 9768 §3.1.1, table 2, upper block."""
    s = tcp(sysctl=BARE)
    s.listen()
    s.rx("SEWN", mss=1460, tos=mark)
    s.tx("SA" + ACE[field])


@pytest.mark.parametrize(("mark", "field"), [(NOT_ECT, 2), (ECT1, 3), (ECT0, 4), (CE, 6)])
def test_our_first_ack_tells_how_the_answer_came(tcp: Tcp, mark: int, field: int) -> None:
    """RFC 9768 §3.2.2.1, table 3."""
    s = tcp(sysctl=BARE)
    s.connect()
    s.tx("SEWN")
    s.rx("SAW", mss=1460, tos=mark)
    s.tx("A" + ACE[field])
    assert s.conn.acc.came == (mark == CE)


@pytest.mark.parametrize("field", range(8))
def test_what_an_answer_to_our_offer_means(tcp: Tcp, field: int) -> None:
    """RFC 9768 §3.1.2, table 2: accurate ECN, ECN, or none."""
    s = tcp(sysctl=BARE)
    s.connect()
    s.tx("SEWN")
    s.rx("SA" + ACE[field], mss=1460)
    s.burst()
    kind = "accurate" if s.conn.acc is not None else "ecn" if s.conn.ecn else "none"
    assert kind == {0: "none", 7: "none", 1: "ecn", 5: "ecn"}.get(field, "accurate")


@pytest.mark.parametrize("field", range(8))
def test_what_a_syn_asks_for(tcp: Tcp, field: int) -> None:
    """RFC 9768 §3.1.2: classic ECN has its own code, everything else that is not zero is accurate ECN."""
    s = tcp(sysctl=BARE)
    s.listen()
    s.rx("S" + ACE[field], mss=1460)
    s.tx({0: "SA", 3: "SAE"}.get(field, "SAW"))


@pytest.mark.parametrize(
    ("mode", "answer", "ours"), [(3, "SAW", "SEWN"), (4, "SAW", "SEW"), (5, "SAW", "S"), (1, "SAE", "SEW")]
)
def test_what_is_taken_and_offered_is_configured(tcp: Tcp, mode: int, answer: str, ours: str) -> None:
    """tcp_ecn 3, 4, 5."""
    s = tcp(sysctl={"net.ipv4.tcp_ecn": mode, "net.ipv4.tcp_ecn_option": 0})
    s.listen()
    s.rx("SEWN", mss=1460)
    s.tx(answer)
    s = tcp(sysctl={"net.ipv4.tcp_ecn": mode})
    s.connect()
    s.tx(ours)


def test_a_lost_syn_goes_again_without_any_flag(tcp: Tcp) -> None:
    """RFC 9768 §3.1.4.1."""
    s = tcp(sysctl=BARE)
    s.connect()
    s.tx("SEWN")
    s.tx("S", after=1000)


@ROLES
def test_the_counter_begins_with_five_and_wraps(tcp: Tcp, opened: Callable[..., Script]) -> None:
    """RFC 9768 §3.2.2: packets with CE, in three bits."""
    s = opened(tcp)
    s.rx("AEN", data=10, tos=ECT0)
    s.tx("AEN", tos=0)
    for count in range(1, 20):
        s.rx("AEN", data=10, tos=CE)
        s.rx("AEN", data=10, tos=ECT0)
        assert s.burst()[-1].flags == "A" + ACE[(count + 5) & 7]
    assert s.conn.acc.came == 19


@ROLES
def test_data_is_ect_and_carries_the_counter_too(tcp: Tcp, opened: Callable[..., Script]) -> None:
    """RFC 9768 §3.2.2: on every packet of a connection; no CWR of classic ECN."""
    s = opened(tcp)
    s.rx("AEN", tos=CE)
    s.call("send", s.sock, bytes(100))
    s.tx("PAWN", tos=ECT0)


def test_marks_of_ours_are_counted_by_differences(tcp: Tcp) -> None:
    """RFC 9768 §3.2.2.5: and the window is reduced once a round trip."""
    s = passive(tcp)
    s.call("send", s.sock, bytes(14_600))
    s.burst()
    for at, field, marks in ((2, 6, 1), (4, 6, 1), (6, 1, 4)):
        s.rx("A" + ACE[field], ack=1 + 1460 * at)
        assert s.conn.snd.loss.marks == marks
    assert s.conn.snd.loss.state == CWR
    s.call("send", s.sock, bytes(1000))
    s.rx("A" + ACE[1], ack=1 + 14_600)
    assert [seg.flags for seg in s.burst()] == ["PAEN"]
    s.rx("A" + ACE[1])
    assert s.conn.snd.loss.state == OPEN


def test_an_ack_for_more_than_seven_packets_means_the_worst(tcp: Tcp) -> None:
    """RFC 9768 §3.2.2.5.2: without the option, 8 packets and a difference of 0 may be 8 marks."""
    s = passive(tcp)
    s.call("send", s.sock, bytes(8 * 1460))
    s.burst()
    s.rx("A" + ACE[5])
    assert s.conn.snd.loss.marks == 8


def test_a_pure_duplicate_of_the_counter_tells_nothing(tcp: Tcp) -> None:
    """An ACK without progress may be an old one."""
    s = passive(tcp)
    s.call("send", s.sock, bytes(1460))
    s.burst()
    s.rx("A" + ACE[0], ack=1)
    assert (s.conn.snd.loss.marks, s.conn.acc.told) == (0, 0)
    s.rx("A" + ACE[5])
    assert s.conn.snd.loss.marks == 0


def test_the_first_mark_is_told_at_once(tcp: Tcp) -> None:
    """RFC 9768 §3.2.2.5.1, change-triggered ACKs."""
    s = passive(tcp).settled()
    s.conn.rcv.quick = 0
    s.rx("AEN", data=10, tos=CE)
    s.tx("A" + ACE[6])


def test_marked_acks_are_told_by_every_third_only(tcp: Tcp) -> None:
    """RFC 9768 §3.2.2.5.1: or two hosts would acknowledge each other's ACKs for ever."""
    s = passive(tcp)
    for _ in range(9):
        s.rx("AEN", tos=CE)
    assert len(s.burst()) == 3


@pytest.mark.parametrize(("flags", "plain"), [("AW", False), ("A", True), ("AN", True), ("AEN", False)])
def test_marks_that_do_not_survive_the_path_are_not_used(tcp: Tcp, flags: str, plain: bool) -> None:
    """RFC 9768 §3.2.2.3, §3.2.2.4: the third ACK has zeroes, or says our SYN,ACK came as we did not send it."""
    s = tcp(sysctl=BARE)
    s.listen()
    s.rx("SEWN", mss=1460)
    s.tx("SAW")
    s.rx(flags)
    s.accept()
    s.call("send", s.sock, b"x")
    assert s.tx().tos == (0 if plain else ECT0)


# the option


def with_option(tcp: Tcp, first: tuple[int, int, int] = (1, 0, 1), mode: int = 2) -> Script:
    s = tcp(sysctl={"net.ipv4.tcp_ecn": 3, "net.ipv4.tcp_ecn_option": mode})
    s.listen()
    s.rx("SEWN", mss=1460)
    assert "AccECN1" in s.tx("SAW").options
    s.rx("AW", options=[("AccECN1", first), ("NOP", None)])
    s.accept()
    return s


def counters(seg: object) -> tuple[int, ...] | None:
    raw = seg.raw  # type: ignore[attr-defined]
    at = raw.find(b"\xae\x0b")
    return tuple(int.from_bytes(raw[at + 2 + 3 * i : at + 5 + 3 * i], "big") for i in range(3)) if at > 0 else None


def test_the_option_counts_bytes_by_mark(tcp: Tcp) -> None:
    """RFC 9768 §3.2.3: ECT(1), CE, ECT(0), from 1, 0, 1 on."""
    s = with_option(tcp)
    for mark, expected in ((ECT0, (1, 0, 11)), (CE, (1, 10, 11)), (ECT1, (11, 10, 11)), (NOT_ECT, (11, 10, 11))):
        s.rx("AEN", data=10, tos=mark)
        assert counters(s.tx()) == expected


def test_an_option_that_the_path_has_changed_is_neither_believed_nor_sent(tcp: Tcp) -> None:
    """RFC 9768 §3.2.3.2.4: zeroes are no initial values."""
    s = with_option(tcp, first=(0, 0, 0))
    s.rx("AEN", data=10, tos=ECT0)
    assert counters(s.tx()) is None


def test_options_only_where_something_changed(tcp: Tcp) -> None:
    """tcp_ecn_option 1."""
    s = with_option(tcp, mode=1)
    seen = []
    for mark in (ECT0, ECT0, ECT0, CE, CE):
        s.rx("AEN", data=10, tos=mark)
        seen.append(counters(s.tx()) is not None)
    assert seen == [True, True, False, True, True]


def test_the_option_says_that_a_long_ack_brought_no_mark(tcp: Tcp) -> None:
    """RFC 9768 §3.2.2.5.2: its bytes tell more than three bits."""
    s = with_option(tcp)
    s.call("send", s.sock, bytes(8 * 1460))
    s.burst()
    s.rx("A" + ACE[5], options=[("AccECN1", (1, 0, 1 + 8 * 1460)), ("NOP", None)])
    assert s.conn.snd.loss.marks == 0
    assert s.conn.acc.told_bytes == (0, 0, 8 * 1460)


def test_the_other_order_of_the_option_is_understood(tcp: Tcp) -> None:
    """RFC 9768 §3.2.3: kind 172 begins with ECT(0)."""
    s = with_option(tcp)
    s.call("send", s.sock, bytes(1460))
    s.burst()
    s.rx("A" + ACE[6], options=[("AccECN0", (1, 1460, 1)), ("NOP", None)])
    assert s.conn.snd.loss.marks == 1


def test_segments_of_a_connection_with_accurate_ecn_are_cut_by_us(tcp: Tcp) -> None:
    """A device that cuts a super-segment clears CWR in all segments but the first, and so would spoil the counter."""
    s = passive(tcp, gso=65_000)
    s.rx("AEN", data=10, tos=CE)
    s.burst()
    s.call("send", s.sock, bytes(6 * 1460))
    assert {seg.flags.replace("P", "") for seg in s.burst()} == {"A" + ACE[6]}
    assert {frame.gso for frame in s.frames} == {None}
