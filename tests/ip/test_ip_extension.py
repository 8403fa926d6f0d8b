# SPDX-License-Identifier: GPL-2.0-or-later
"""IPv6 extension headers: order, bounds, the four actions of unknown options, and the answers."""

import pytest
from ip_tools import MY6, YOU6, Host

from labstack.ip.family import parse_addr
from labstack.link.groups import mac_of
from layers import UDP, ICMPv6ParamProblem, IPv6

HBH, ROUTING, FRAGMENT, AH, NONE, DEST, UDP_NH = 0, 43, 44, 51, 59, 60, 17
UDP8 = bytes(UDP(sport=7, dport=9))
REPORT = b"\x9e\4abcd"  # an unknown option: drop the packet and say so
PADN4 = b"\1\4\0\0\0\0"


def packet(first: int, *headers: bytes, dst: str = MY6, last: bytes = UDP8) -> bytes:
    """An IPv6 packet whose extension headers are given as bytes, their next-header fields already right."""
    payload = b"".join(headers) + last
    return bytes(IPv6(src=YOU6, dst=dst, nh=first, plen=len(payload))) + payload


def options(nh: int, body: bytes = PADN4) -> bytes:
    """A hop-by-hop or destination header; body fills a multiple of 8 with the two bytes before it."""
    return bytes((nh, (len(body) + 2) // 8 - 1)) + body


def routing(nh: int, kind: int, left: int) -> bytes:
    return bytes((nh, 0, kind, left)) + bytes(4)


@pytest.mark.parametrize(
    "raw",
    [
        packet(HBH, options(UDP_NH)),
        packet(HBH, options(UDP_NH, b"\0" * 6)),  # Pad1
        packet(HBH, options(UDP_NH, b"\5\2\0\0\1\0")),  # router alert
        packet(DEST, options(UDP_NH, b"\x1e\4abcd")),  # unknown, action 00: skip
        packet(DEST, options(UDP_NH, b"\0" * 7 + b"\x1e\5abcde")),  # 7 bytes of padding
        packet(ROUTING, routing(UDP_NH, 0, 0)),
        packet(ROUTING, routing(UDP_NH, 99, 0)),
        packet(HBH, options(DEST), options(ROUTING), routing(DEST, 2, 0), options(UDP_NH)),
        packet(DEST, *[options(DEST)] * 14, options(UDP_NH)),
        packet(DEST, options(UDP_NH, b"\x1e\0" * 7 + b"\x1e\6abcdef")),  # 8 options
    ],
)
def test_headers_that_need_nothing_of_us_are_walked_through(raw: bytes) -> None:
    """RFC 8200 §4; hostile-input row 7: padding and ignorable options are still answered."""
    host = Host()
    d = host.hear(raw)
    assert d is not None
    assert (d.proto, bytes(d.buf[d.at : d.end]), d.length, d.flow[32:]) == (17, UDP8, 8, b"\0\7\0\x09")
    assert host.drops() == {}


# an option's top bits: 00 skip, 01 discard, 10 discard and report, 11 report only to a unicast destination
@pytest.mark.parametrize("dst", [MY6, "ff02::1"])
@pytest.mark.parametrize("first", [HBH, DEST])
@pytest.mark.parametrize(("kind", "dropped"), [(0x1E, ""), (0x5E, "discard"), (0x9E, "report"), (0xDE, "report")])
def test_the_top_bits_of_an_unknown_option_say_what_to_do(kind: int, dropped: str, first: int, dst: str) -> None:
    """RFC 8200 §4.2, RFC 4443 §3.4 and §2.4 (e.3)"""
    host = Host()
    raw = packet(first, options(UDP_NH, b"\1\0" + bytes((kind, 2)) + b"ab"), dst=dst)
    found = host.hear(raw, dst=mac_of(parse_addr(dst)) if dst != MY6 else b"\2\0\0\0\0\1")
    assert (found is None) == bool(dropped)
    assert host.drops() == ({"drop.ip.option_" + dropped: 1} if dropped else {})
    told = kind == 0x9E or (kind == 0xDE and dst == MY6)
    answers = host.sent()
    assert len(answers) == told
    if told:
        problem = answers[0][ICMPv6ParamProblem]
        assert (problem.code, problem.ptr) == (2, 44)
        assert bytes(problem.payload) == raw
        assert answers[0][IPv6].dst == YOU6


@pytest.mark.parametrize("kind", [1, 2, 3, 4, 100, 137, 128])
def test_an_error_hidden_behind_an_option_that_wants_a_report_is_still_an_error(kind: int) -> None:
    """RFC 4443 §2.4 (e.1), (e.2)"""
    for chain in ([options(58, REPORT)], [options(ROUTING, REPORT), routing(DEST, 0, 0), options(58)]):
        host = Host()
        assert host.hear(packet(DEST, *chain, last=bytes((kind,)) + bytes(55))) is None
        assert host.drops() == {"drop.ip.option_report": 1}
        assert len(host.sent()) == (kind == 128)


def test_no_report_about_a_chain_whose_end_is_out_of_reach() -> None:
    host = Host()
    host.hear(packet(DEST, options(DEST, REPORT), *[options(DEST)] * 20, options(58), last=bytes(8)))
    host.hear(packet(DEST, options(DEST, REPORT), last=b""))
    assert (host.drops(), host.sent()) == ({"drop.ip.option_report": 2}, [])


@pytest.mark.parametrize(
    ("raw", "reason", "code", "pointer"),
    [
        (packet(253), "drop.ip.next_header", 1, 6),
        (packet(AH), "drop.ip.next_header", 1, 6),
        (packet(1), "drop.ip.next_header", 1, 6),  # ICMP for IPv4 does not belong here
        (packet(HBH, options(253)), "drop.ip.next_header", 1, 40),
        (packet(DEST, options(DEST), options(254)), "drop.ip.next_header", 1, 48),
        (packet(DEST, options(HBH), options(UDP_NH)), "drop.ip.hop_by_hop_late", 1, 40),
        (packet(HBH, options(HBH), options(UDP_NH)), "drop.ip.hop_by_hop_late", 1, 40),
        (packet(ROUTING, routing(UDP_NH, 0, 1)), "drop.ip.routing", 0, 42),
        (packet(ROUTING, routing(UDP_NH, 2, 1)), "drop.ip.routing", 0, 42),
        (packet(HBH, options(ROUTING), routing(UDP_NH, 77, 255)), "drop.ip.routing", 0, 50),
    ],
)
def test_what_cannot_be_understood_is_reported_with_the_place(raw: bytes, reason: str, code: int, pointer: int) -> None:
    """RFC 8200 §4, §4.4, RFC 5095 §3, RFC 4443 §3.4; hostile-input rows 7 and 8"""
    host = Host()
    assert host.hear(raw) is None
    assert host.drops() == {reason: 1}
    (answer,) = host.sent()
    problem = answer[ICMPv6ParamProblem]
    assert (problem.code, problem.ptr, bytes(problem.payload)) == (code, pointer, raw)
    assert host.hear(packet(253, dst="ff02::1"), dst=b"\x33\x33\0\0\0\1") is None
    assert host.sent() == []


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (packet(HBH, last=b""), "drop.ip.extension_short"),
        (packet(HBH, last=bytes((UDP_NH,))), "drop.ip.extension_short"),
        (packet(HBH, last=options(UDP_NH)[:7]), "drop.ip.extension_short"),
        (packet(DEST, last=bytes((UDP_NH, 1)) + PADN4), "drop.ip.extension_short"),
        (packet(DEST, last=bytes((UDP_NH, 255)) + PADN4), "drop.ip.extension_short"),
        (packet(DEST, options(UDP_NH, b"\x1e\5abcd")), "drop.ip.option_overrun"),
        (packet(DEST, options(UDP_NH, b"\1\3\0\0\0\x1e")), "drop.ip.option_overrun"),
        (packet(DEST, options(UDP_NH, b"\0" * 8 + b"\x1e\4abcd")), "drop.ip.padding"),
        (packet(DEST, options(UDP_NH, b"\0" * 14)), "drop.ip.padding"),
        (packet(DEST, options(UDP_NH, b"\1\x0c" + bytes(12))), "drop.ip.padding"),
        (packet(DEST, options(UDP_NH, b"\x1e\0" * 11)), "drop.ip.options"),
        (packet(DEST, *[options(DEST)] * 200, options(UDP_NH)), "drop.ip.extensions"),
        (packet(NONE, last=b""), "drop.ip.no_next_header"),
        (packet(NONE, last=b"anything"), "drop.ip.no_next_header"),
        (packet(FRAGMENT, bytes((UDP_NH, 0, 0, 1, 0, 0, 0, 9))), "drop.ip.fragment"),
        (packet(HBH, options(FRAGMENT), bytes((UDP_NH, 0, 0, 8, 0, 0, 0, 9))), "drop.ip.fragment"),
    ],
)
def test_malformed_or_excessive_chains_are_dropped_silently(raw: bytes, reason: str) -> None:
    """RFC 8200 §4, RFC 8504 §5.3; hostile-input row 7: count and bytes are capped, no recursion."""
    host = Host()
    assert host.hear(raw) is None
    assert (host.drops(), host.sent()) == ({reason: 1}, [])
