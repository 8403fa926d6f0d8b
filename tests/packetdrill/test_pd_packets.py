# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets of scripts: every form that the language has, and what is said about those that it has not."""

import pytest

from labstack.packetdrill.parser import parse
from labstack.packetdrill.script import Icmp, Ip, Option, Packet, Quote, RefusedError, ScriptError, Tcp, Udp

SYN = "< S 0:0(0) win 100"


def packet(text: str, **defines: str) -> Packet:
    (event,) = parse(f"0 {text}", defines=defines).events
    assert isinstance(event.action, Packet)
    return event.action


def tcp(text: str, **defines: str) -> Tcp:
    body = packet(text, **defines).body
    assert isinstance(body, Tcp)
    return body


def error(text: str) -> str:
    with pytest.raises(ScriptError) as caught:
        packet(text)
    return caught.value.why


def test_a_segment_has_flags_numbers_window_and_urgent_pointer() -> None:
    assert packet("< PU. 1:1001(1000) ack 5 win 257 urg 7") == Packet(True, Tcp("P.U", 1, 1000, 5, 257, 7))


def test_what_an_expected_segment_does_not_say_is_none() -> None:
    assert packet("> . 1:1(0)") == Packet(False, Tcp(".", 1, 0, None, None, None, ()))


def test_three_dots_say_that_options_are_not_looked_at() -> None:
    assert tcp("> S. 0:0(0) ack 1 <...>").options is None
    assert "only" not in error(SYN + " <...>")
    assert "'<...>'" in error(SYN + " <...>")


@pytest.mark.parametrize(
    ("text", "flags", "ace"),
    [
        ("S", "S", None),
        ("S.", "S.", None),
        (".", ".", None),
        ("-", "", None),
        (".F", "F.", None),
        ("WES", "SEW", None),
        ("SEWA", "SEWA", None),
        ("SE.", "S.E", None),
        (".5", ".", 5),
        ("P.3", "P.", 3),
        ("S7", "S", 7),
        ("S0.", "S.", 0),
        ("4", "", 4),
    ],
)
def test_flags_come_in_any_order_and_the_digit_is_the_ace_field(text: str, flags: str, ace: int | None) -> None:
    assert tcp(f"> {text} 1:1(0)")[:1] + tcp(f"> {text} 1:1(0)")[-1:] == (flags, ace)


@pytest.mark.parametrize("text", ["Q", "SX", "S8", ".12", "SS", "E.1", "A3", "S-", "--", "-S", "-1"])
def test_what_are_no_flags_is_an_error(text: str) -> None:
    assert error(f"> {text} 1:1(0)").startswith("found ")


def test_the_end_of_a_range_is_its_start_and_its_length() -> None:
    assert error("> . 1:1002(1000)") == "found the end 1002, expected 1001 (1 and 1000 bytes)"
    assert error("> . 1:70001(70000)") == "found number 70000, expected a length in bytes from 0 to 65535"


def test_sequence_numbers_wrap_around() -> None:
    """RFC 9293 §3.4"""
    assert tcp("> . 4294967295:99(100)")[1:3] == (4294967295, 100)


def test_an_injected_segment_says_its_window() -> None:
    assert "expected 'ack N' or 'win N'" in error("< S 0:0(0)")
    assert "expected 'win N'" in error("< . 1:1(0) ack 1")
    assert tcp("> . 1:1(0) win 0").win == 0
    assert "from 0 to 65535" in error("> . 1:1(0) win 65536")


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("nop,nop,nop,nop", Option("nop")),
        ("mss 1460", Option("mss", (1460,))),
        ("wscale 255,nop", Option("wscale", (255,))),
        ("sackOK,nop,nop", Option("sackOK")),
        ("TS val 100 ecr 4294967295,nop,nop", Option("TS", (100, 4294967295))),
        ("sack 1:1001 2001:3001,nop,nop", Option("sack", (1, 1001, 2001, 3001))),
        ("sack,nop,nop", Option("sack")),
        ("md5 000102030405060708090a0b0c0d0e0f,nop,nop", Option("md5", (bytes(range(16)),))),
        ("md5 0001", Option("md5", (b"\x00\x01",))),
        ("FO,nop,nop", Option("FO")),
        ("FO 3021b9d889017eeb,nop,nop", Option("FO", (bytes.fromhex("3021b9d889017eeb"),))),
        ("FO 12345678,nop,nop", Option("FO", (b"\x12\x34\x56\x78",))),
        ("FOEXP", Option("FOEXP")),
        ("FOEXP ABCD,nop,nop", Option("FOEXP", (b"\xab\xcd",))),
        ("ECN e0b 1 ceb 2 e1b 3,nop", Option("ECN", ("e0b", 1, "ceb", 2, "e1b", 3))),
        ("ECN e1b 1 ceb 16777215", Option("ECN", ("e1b", 1, "ceb", 16777215))),
        ("ECN e0b 1,nop,nop,nop", Option("ECN", ("e0b", 1))),
    ],
)
def test_every_option_has_its_form(text: str, option: Option) -> None:
    """RFC 9293 §3.2, 7323 §2.2, 2018 §3, 7413 §4.1.1, 9768 §3.2.3"""
    options = tcp(f"> S 0:0(0) <{text}>").options
    assert options is not None
    assert options[0] == option


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "found '>', expected nop, eol, mss,"),
        ("foo 1", "found 'foo', expected nop, eol, mss,"),
        ("nop", "found TCP options of 1 bytes, expected a multiple of 4: 3 more nop would do"),
        ("sack 1:2 1:2 1:2 1:2 1:2,nop,nop", "found TCP options of 42 bytes or more, expected at most 40"),
        ("mss 65536", "found number 65536, expected a maximum segment size from 0 to 65535"),
        ("mss MSS", "found 'MSS', expected a maximum segment size (a number, or a word that stands for one)"),
        ("wscale 256,nop", "found number 256, expected a window scale from 0 to 255"),
        ("FO 123,nop", "found number 123, expected pairs of hexadecimal digits"),
        ("FO COOKIE,nop", "found 'COOKIE', expected pairs of hexadecimal digits"),
        ("ECN ceb 1,nop", "found 'ceb', expected 'e0b N' or 'e1b N'"),
        ("ECN e0b 1 e1b 1,nop", "found 'e1b', expected ',' or '>'"),
        ("TS 1 2,nop,nop", "found number 1, expected 'val'"),
        ("mss 1460 nop", "found 'nop', expected ',' or '>'"),
    ],
)
def test_options_that_do_not_fit_are_errors(text: str, why: str) -> None:
    assert error(f"> S 0:0(0) <{text}>").startswith(why)


def test_options_are_as_they_are_written() -> None:
    options = tcp("> S 0:0(0) <mss 1460 , nop,\n wscale 8>").options
    assert options == (Option("mss", (1460,)), Option("nop"), Option("wscale", (8,)))


def test_a_cookie_may_be_a_defined_word() -> None:
    assert tcp("> S 0:0(0) <FO COOKIE,nop,nop>", COOKIE="00ff00ff").options == (
        Option("FO", (b"\x00\xff\x00\xff",)), Option("nop"), Option("nop"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "ip"),
    [
        ("[ect0]", Ip("ect0")),
        ("(ce)", Ip("ce")),
        ("[noecn]", Ip("noecn")),
        ("[ect01]", Ip("ect01")),
        ("[tos 0x1c]", Ip(tos=0x1C)),
        ("[ttl 64]", Ip(ttl=64)),
        ("[flowlabel 0x12345]", Ip(flowlabel=0x12345)),
        ("[ect1, flowlabel 0x1]", Ip("ect1", flowlabel=1)),
        ("[tos 0x10, flowlabel 0xfffff]", Ip(tos=16, flowlabel=0xFFFFF)),
    ],
)
def test_brackets_before_a_packet_speak_of_its_ip_header(text: str, ip: Ip) -> None:
    """RFC 3168 §5, RFC 6437 §2"""
    assert packet(f"> {text} . 1:1(0)").ip == ip


@pytest.mark.parametrize("text", ["[]", "[foo]", "[ect0, ce]", "[ect0, tos 0x3]", "[ect0)", "[flowlabel 0x100000]"])
def test_brackets_that_say_nothing_sensible_are_errors(text: str) -> None:
    assert error(f"> {text} . 1:1(0)").startswith("found ")


def test_either_ect_is_for_expected_packets_only() -> None:
    assert "expected noecn, ect0, ect1 or ce" in error("< [ect01] . 1:1(0) win 1")


def test_ports_stand_before_the_segment() -> None:
    assert packet("> 80>1024 . 1:1(0)").ports == (80, 1024)
    assert error("> 80>65536 . 1:1(0)") == "found number 65536, expected a port from 0 to 65535"


def test_a_datagram_says_its_length_and_perhaps_its_ports() -> None:
    assert packet("< udp (100)") == Packet(True, Udp(100))
    assert packet("> udp 53>1024 (0)") == packet("> 53>1024 udp (0)") == Packet(False, Udp(0), ports=(53, 1024))
    assert error("> udp 100") == "found number 100, expected '(' and a length in bytes"


@pytest.mark.parametrize(
    ("text", "icmp"),
    [
        ("unreachable", Icmp("unreachable")),
        ("unreachable host_unreachable", Icmp("unreachable", "host_unreachable")),
        ("unreachable no_route", Icmp("unreachable", "no_route")),
        (
            "unreachable frag_needed mtu 1400 [1:1001(1000)]",
            Icmp("unreachable", "frag_needed", 1400, None, Quote("tcp", 1, 1000)),
        ),
        ("unreachable code_4 mtu 1400", Icmp("unreachable", 4, 1400)),
        ("type_3 code_4 mtu 1400", Icmp(3, 4, 1400)),
        ("packet_too_big mtu 1280 [udp (100)]", Icmp("packet_too_big", None, 1280, None, Quote("udp", 0, 100))),
        ("time_exceeded exceeded_frag_time", Icmp("time_exceeded", "exceeded_frag_time")),
        ("type_255 code_255", Icmp(255, 255)),
        ("echo_request id 7 [raw (8)]", Icmp("echo_request", None, None, 7, Quote("raw", 0, 8))),
        ("parameter_problem header_field", Icmp("parameter_problem", "header_field")),
    ],
)
def test_icmp_messages_have_a_type_a_code_and_what_they_quote(text: str, icmp: Icmp) -> None:
    """RFC 792, RFC 4443"""
    assert packet(f"< icmp {text}").body == icmp


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "found the end of the script, expected an ICMP type (echo_reply, unreachable,"),
        ("unreachables", "found 'unreachables', expected an ICMP type (echo_reply, unreachable,"),
        ("type_256", "found 'type_256', expected an ICMP type"),
        ("unreachable frag", "found 'frag', expected a code of unreachable (net_unreachable,"),
        ("echo_reply no_route", "found 'no_route', expected code_N with N from 0 to 255"),
        ("time_exceeded mtu 5", "found 'mtu', which only 'unreachable frag_needed' and 'packet_too_big' have"),
        ("unreachable id 5", "found 'id', which only echo_reply, echo_request,"),
        ("unreachable [foo]", "found 'foo', expected a quoted segment, as in 1:1001(1000), 'udp (N)' or 'raw (N)'"),
        ("unreachable [1:3(1)]", "found the end 3, expected 2"),
        ("unreachable [1:2(1)", "found the end of the script, expected ']'"),
    ],
)
def test_icmp_that_cannot_be_is_an_error(text: str, why: str) -> None:
    assert error(f"< icmp {text}").startswith(why)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("ipv4 192.0.2.1 > 192.0.2.2: . 1:1(0)", "encapsulation in IPv4"),
        ("ipv6 fd::1 > fd::2: . 1:1(0)", "encapsulation in IPv6"),
        ("gre flags 0x0: . 1:1(0)", "GRE"),
        ("mpls (label 5, tc 0, ttl 9): . 1:1(0)", "MPLS"),
        ("encap psp spi 7 . 1:1(0)", "PSP encapsulation"),
        ("sctp: COOKIE_ACK[flgs=0]", "SCTP"),
        ("[ect0] sctp: COOKIE_ACK[flgs=0]", "SCTP"),
    ],
)
def test_what_is_not_supported_is_refused_by_its_name(text: str, what: str) -> None:
    with pytest.raises(RefusedError) as caught:
        packet(f"> {text}")
    assert caught.value.why == f"{what} is not supported"
    assert caught.value.why == f"{what} is not supported"
