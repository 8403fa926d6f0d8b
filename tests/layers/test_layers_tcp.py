# SPDX-License-Identifier: GPL-2.0-or-later
"""RFC 9293 §3.2: TCP options never stop a parser, what was read is kept, and the same bytes come out again."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layers import IP, TCP, IPerror, Raw, TCPerror, build_options, parse_options
from layers.tcp import OPTION_LENGTH, OPTION_TRUNCATED, REST

NOP, EOL = ("NOP", None), ("EOL", None)


@pytest.mark.parametrize(
    ("raw", "options", "flaw"),
    [
        ("", [], None),
        ("01010108", [NOP, NOP, NOP], OPTION_TRUNCATED),
        ("020405b4", [("MSS", 1460)], None),
        ("020405b401", [("MSS", 1460), NOP], None),
        ("030300", [("WScale", 0)], None),
        ("0402", [("SAckOK", b"")], None),
        ("0101050a0000000100000002", [NOP, NOP, ("SAck", (1, 2))], None),
        ("0101080a0000000100000002", [NOP, NOP, ("Timestamp", (1, 2))], None),
        ("080a0000000100000002", [("Timestamp", (1, 2))], None),
        ("2202", [("TFO", b"")], None),
        ("22060102030405", [("TFO", bytes((1, 2, 3, 4))), (5, b"")][:1], OPTION_TRUNCATED),
        ("1c04012c", [("UTO", 300)], None),
        ("1d060102aabb", [("AO", (1, 2, b"\xaa\xbb"))], None),
        ("ac05000001ae08000002000003", [("AccECN0", (1,)), ("AccECN1", (2, 3))], None),
        ("fd04abcd", [(253, b"\xab\xcd")], None),
        ("0202", [("MSS", b"")], None),
        ("0001020304", [EOL], None),
        ("020405b40800", [("MSS", 1460)], OPTION_LENGTH),
        ("020405b40801", [("MSS", 1460)], OPTION_LENGTH),
        ("02ff", [], OPTION_TRUNCATED),
        ("0305010101", [("WScale", b"\x01\x01\x01")], None),
    ],
)
def test_options_are_read_as_far_as_they_go(raw: str, options: list[Any], flaw: str | None) -> None:
    assert parse_options(bytes.fromhex(raw)) == (options, flaw)
    assert parse_options(memoryview(bytes.fromhex(raw))) == (options, flaw)


@settings(max_examples=400, deadline=None, database=None)
@given(st.binary(max_size=40))
def test_any_option_bytes_come_out_again(raw: bytes) -> None:
    raw = raw[: len(raw) & ~3]
    data = bytes(TCP(dataofs=5 + len(raw) // 4))[:20] + raw
    read = TCP.parse(data)
    assert isinstance(read, TCP)
    assert bytes(read) == data
    assert read.drop == parse_options(raw)[1]


def test_malformed_options_are_told_by_the_packet_and_kept_verbatim() -> None:
    header = bytes(TCP(dataofs=6))[:20] + bytes.fromhex("01010108")
    read = IP(bytes(IP(proto=6) / Raw(load=header)))
    assert read[TCP].options == [NOP, NOP, NOP, (REST, b"\x08")]
    assert read.drop == read[TCP].drop == OPTION_TRUNCATED


@pytest.mark.parametrize("dataofs", range(16))
def test_data_offset_outside_the_segment_is_a_drop_reason(dataofs: int) -> None:
    got = TCP.parse(bytes(TCP(dataofs=dataofs)) + bytes(4))
    assert isinstance(got, TCP) == (dataofs in (5, 6))
    if dataofs < 5:
        assert got == "tcp-dataofs"
    elif dataofs > 6:
        assert got == "tcp-short"


@pytest.mark.parametrize(
    "option", [("MSS", 70000), ("Nope", 1), ("Timestamp", (1,)), ("SAckOK", 3), ("WScale", "x" * 300)]
)
def test_a_wrong_option_is_named(option: tuple[str, Any]) -> None:
    with pytest.raises(ValueError, match=option[0]):
        build_options([option])


def test_options_are_padded_to_words() -> None:
    assert build_options([("WScale", 7)]).hex() == "03030700"
    assert build_options([("TFO", b"cook")]).hex() == "2206636f6f6b0000"
    assert build_options([NOP] * 3 + [EOL]).hex() == "01010100"
    assert build_options([("Timestamp", b"ab"), NOP, NOP, NOP]).hex() == "0804616201010100"
    assert build_options([NOP, NOP, ("Timestamp", b"ab")]).hex() == "0101080461620000"
    assert build_options([(2, b"\x05\xb4")]).hex() == "020405b4"


def test_a_quoted_header_may_be_cut_after_the_sequence_number() -> None:
    whole = bytes(TCP(sport=1, dport=2, seq=3, options=[("MSS", 1460)]))
    for size in range(8, 24):
        quoted = TCPerror(whole[:size])
        assert (quoted.sport, quoted.dport, quoted.seq) == (1, 2, 3)
        assert bytes(quoted) == whole[:size]
    quote = bytes(IPerror(len=32, proto=6) / Raw(load=whole[:12])) + b"padding"
    assert bytes(IPerror(quote)) == quote
    assert TCPerror.parse(whole[:7]) == "tcp-short"
