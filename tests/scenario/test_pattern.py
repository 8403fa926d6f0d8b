# SPDX-License-Identifier: GPL-2.0-or-later
"""Patterns and conditions: what of a packet is compared, and how a difference is told."""

from typing import Any

import pytest

from labstack.scenario.play.condition import ANY, condition, exactly, has, lacks, near, size
from labstack.scenario.play.pattern import Pattern, PatternError, read, unsound
from labstack.scenario.verdict import ANYTHING
from layers import (
    ICMP,
    IP,
    TCP,
    UDP,
    Ether,
    ICMPv6,
    ICMPv6ND_NS,
    IPerror,
    IPv6,
    Padding,
    Raw,
    UDPerror,
)
from layers import ICMPv6NDOptSrcLLAddr as Source

OPTIONS = [("MSS", 1460), ("NOP", None), ("WScale", 7), ("SAckOK", b""), ("Timestamp", (3, 4))]
SEGMENT = Ether(
    bytes(
        Ether()
        / IP(src="10.0.0.1", dst="10.0.0.2", flags="DF")
        / TCP(dport=80, flags="SA", seq=5, ack=80, options=OPTIONS)
        / b"hello"
        / Padding(b"\0\0")
    )
)


def differing(pattern: Any, packet: Any = SEGMENT) -> list[tuple[str, str, str]]:
    return [row[:3] for row in Pattern(pattern).rows(packet) if row.differs]


def test_only_what_was_set_is_compared_even_where_it_is_the_default() -> None:
    assert differing(TCP(ack=80)) == []
    assert differing(TCP(dport=80)) == []  # 80 is the default
    assert differing(TCP(seq=0)) == [("TCP.seq", "0", "5")]
    assert differing(IP(ttl=64) / TCP(window=8192)) == []
    assert differing(TCP(flags="S", window=1)) == [("TCP.flags", "S", "SA"), ("TCP.window", "1", "8192")]


def test_headers_may_stand_between_and_must_be_in_order() -> None:
    assert differing(Ether() / TCP()) == []
    assert differing(UDP()) == [("headers", "UDP", "Ether / IP / TCP / Raw / Padding")]
    assert differing(TCP() / IP()) == [("headers", "TCP / IP", "Ether / IP / TCP / Raw / Padding")]


def test_a_class_means_any_packet_with_that_header() -> None:
    assert differing(TCP) == []
    assert differing(UDP)[0][0] == "headers"
    solicitation = IPv6() / ICMPv6ND_NS() / Source()
    assert Pattern(ICMPv6).matches(IPv6(bytes(solicitation)))


def test_a_header_quoted_in_an_error_is_meant_only_if_it_is_named() -> None:
    error = IP(bytes(IP() / ICMP(type=3, code=3) / IPerror(src="10.0.0.9") / UDPerror(dport=7)))
    assert Pattern(IPerror(src="10.0.0.9") / UDPerror(dport=7)).matches(error)
    assert not Pattern(UDP(dport=7)).matches(error)
    assert Pattern(IP(src="127.0.0.1") / ICMP()).matches(error)


def test_values_may_be_conditions() -> None:
    assert differing(TCP(seq=range(1, 9), dport={80, 81}, ack=ANY, window=near(8000, 200))) == []
    assert differing(IP(src={"10.0.0.1", "10.0.0.3"}, dst=lambda address: address.endswith(".2"))) == []
    assert differing(TCP(seq=range(5), dport={1, 2})) == [("TCP.dport", "1 or 2", "80"), ("TCP.seq", "0..4", "5")]
    [row] = differing(TCP(seq=lambda number: number > 5))
    assert row[1].startswith("the condition of line ")


def test_flags_may_be_asked_for_one_by_one() -> None:
    assert differing(TCP(flags=has("A"))) == []
    assert differing(IP(flags=has("DF"))) == []
    assert differing(TCP(flags=has("A") & lacks("S"))) == [("TCP.flags", "has A and lacks S", "SA")]
    assert differing(TCP(flags=lacks("S") | has("S"))) == []
    assert differing(TCP(flags=~has("S", "A"))) == [("TCP.flags", "not (has S A)", "SA")]


def test_options_are_a_subset_in_any_order_with_conditions_inside() -> None:
    assert differing(TCP(options=[("Timestamp", (ANY, 4)), ("MSS", range(536, 1461)), ("SAckOK", None)])) == []
    assert differing(TCP(options=[("MSS", 536)])) == [("TCP.options.MSS", "536", "1460")]
    assert differing(TCP(options=[("MD5", b"")])) == [("TCP.options.MD5", "there", "")]
    assert differing(TCP(options=[("NOP", None), ("NOP", None)])) == [("TCP.options.NOP", "there", "")]
    assert differing(TCP(options=has("MSS", "SAckOK"))) == []
    assert differing(TCP(options=lacks("Timestamp")))[0][:2] == ("TCP.options", "lacks Timestamp")


def test_exactly_says_that_there_are_no_other_options() -> None:
    bare = IP(bytes(IP() / TCP()))
    assert Pattern(TCP(options=exactly([]))).matches(bare)
    assert not Pattern(TCP(options=exactly([("MSS", 1460)]))).matches(SEGMENT)
    assert Pattern(TCP(options=exactly([("MSS", 1460)]))).matches(IP(bytes(IP() / TCP(options=[("MSS", 1460)]))))


def test_payload_is_compared_whole_or_by_its_size_and_padding_is_none() -> None:
    assert differing(TCP() / b"hello") == []
    assert differing(TCP() / b"hell") == [("Raw.load", "b'hell'", "b'hello'")]
    assert differing(TCP() / size(5)) == []
    assert differing(TCP() / size(range(5))) == [("Raw.load", "0..4 bytes", "b'hello'")]
    assert Pattern(TCP() / size(0)).matches(IP(bytes(IP() / TCP())))
    assert Pattern(UDP() / Raw(load=lambda data: data[0] == 1)).matches(IP(bytes(IP() / UDP() / b"\1\2")))


def test_bytes_are_these_bytes_and_differences_are_told_by_field() -> None:
    other = SEGMENT.copy()
    other[TCP].seq = 9
    assert differing(bytes(SEGMENT)) == []
    assert differing(bytes(other)) == [("TCP.seq", "9", "5")]


def test_a_function_of_the_packet_is_a_pattern() -> None:
    assert differing(lambda packet: packet[TCP].seq == 5) == []
    assert differing(lambda packet: packet[TCP].seq == 6)[0][0] == "packet"


def test_scapy_packets_are_patterns_of_what_was_set_in_them() -> None:
    inet = pytest.importorskip("scapy.layers.inet", reason="Scapy is not installed")
    assert differing(inet.IP(dst="10.0.0.2") / inet.TCP(dport=80, flags="SA", options=[("MSS", 1460)])) == []
    assert differing(inet.IP() / inet.TCP(flags="A")) == [("TCP.flags", "A", "SA")]
    assert differing(inet.TCP) == []
    assert differing(inet.IP() / inet.TCP() / b"hello") == []


def test_what_was_not_asked_is_shown_and_not_compared() -> None:
    rows = Pattern(TCP(ack=80)).rows(SEGMENT)
    assert {row.name for row in rows if row.expected == ANYTHING} >= {"TCP.sport", "TCP.window"}
    assert "TCP.chksum" not in {row.name for row in rows}


@pytest.mark.parametrize("wanted", [5, "x", None, [TCP()]])
def test_what_is_no_pattern_is_told(wanted: object) -> None:
    with pytest.raises(PatternError, match="is no pattern: expected a packet"):
        Pattern(wanted)


@pytest.mark.parametrize("wanted", [TCP(dport="http"), TCP(dport=70_000), TCP(flags={"Q"})])
def test_a_value_that_can_never_be_is_told(wanted: TCP) -> None:
    with pytest.raises(PatternError, match=r"^TCP: (dport|flags)="):
        Pattern(wanted)


def test_a_pattern_says_what_it_is() -> None:
    pattern = Pattern(IP(dst="10.0.0.2") / TCP(flags="SA", ack=range(3)) / size(9))
    assert str(pattern) == "IP(dst=10.0.0.2) / TCP(ack=0..2, flags=SA) / Raw(load=9 bytes)"


def test_wrong_checksums_are_told_with_the_right_ones() -> None:
    good = IP(bytes(IP() / UDP() / b"x"))
    bad = good.copy()
    bad[UDP].chksum ^= 1
    assert unsound(good) == ()
    assert [(row.name, row.actual) for row in unsound(bad)] == [("UDP.chksum", hex(bad[UDP].chksum))]


def test_checksums_of_quoted_and_of_fragmented_packets_are_left_alone() -> None:
    quoted = IP(bytes(IP() / ICMP(type=3) / IPerror() / UDPerror(chksum=1)))
    fragment = IP(bytes(IP(flags="MF") / UDP(chksum=1) / b"x"))
    unsummed = IP(bytes(IP() / UDP(chksum=0) / b"x"))
    assert unsound(quoted) == unsound(fragment) == unsound(unsummed) == ()


def test_a_sum_of_zero_may_be_written_in_either_way() -> None:
    """RFC 1071 §1: with one's complement 0 and 0xffff are the same; Linux writes either for TCP."""
    segments = (bytes(IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=port, dport=80)) for port in range(1 << 16))
    zero = next(raw for raw in segments if raw[36:38] == b"\0\0")
    assert unsound(IP(zero[:36] + b"\xff\xff" + zero[38:])) == ()


def test_packets_are_read_as_the_link_carries_them() -> None:
    assert type(read(bytes(IP()), "ip")) is IP
    assert type(read(bytes(IPv6()), "ip")) is IPv6
    assert type(read(bytes(IPv6()), "ether")) is Ether


def test_a_value_alone_is_a_condition_of_being_equal() -> None:
    assert condition(5)(5)
    assert not condition(b"x")(b"y")
    assert condition((1, 2))([1, 2])
    assert repr(condition(range(3, 7))) == "3..6"
