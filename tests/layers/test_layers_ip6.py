# SPDX-License-Identifier: GPL-2.0-or-later
"""RFC 8200 §4: extension headers are followed to a bound; options tell what who does not know them must do."""

import pytest

from layers import (
    IP,
    TCP,
    UDP,
    ICMPv6EchoRequest,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    Jumbo,
    PadN,
    Raw,
    RouterAlert,
    ip6,
    ip6opt,
)  # fmt: skip
from layers.ip6 import MAX_EXTENSIONS, MISPLACED, TOO_MANY, TRUNCATED, walk
from layers.packet import Header


def tail(packet: Header) -> tuple[bytes, int]:
    data = bytes(packet)
    return data, data[6]


def test_walk_lists_each_extension_and_where_it_ends() -> None:
    packet = IPv6() / IPv6ExtHdrHopByHop(options=[RouterAlert()]) / IPv6ExtHdrDestOpt() / IPv6ExtHdrFragment() / UDP()
    data, nh = tail(packet)
    assert walk(data, 40, len(data), nh) == (17, 64, [(0, 40, 8), (60, 48, 8), (44, 56, 8)])


def test_walk_without_extensions_stays() -> None:
    assert walk(b"", 0, 0, 6) == (6, 0, [])


def test_walk_ends_behind_a_later_fragment() -> None:
    data, nh = tail(IPv6() / IPv6ExtHdrFragment(nh=60, offset=1) / Raw(load=bytes(8)))
    assert walk(data, 40, len(data), nh) == (60, 48, [(44, 40, 8)])


def test_walk_is_bounded() -> None:
    chain = bytes((60, 0, 1, 4, 0, 0, 0, 0)) * (MAX_EXTENSIONS + 1)
    assert walk(chain, 0, len(chain), 60) == TOO_MANY
    assert walk(chain, 0, len(chain), 60, limit=2) == TOO_MANY


def test_walk_says_what_it_cannot_follow() -> None:
    assert walk(bytes(7), 0, 7, 60) == TRUNCATED
    assert walk(bytes((6, 1)) + bytes(8), 0, 10, 60) == TRUNCATED
    data = bytes((0, 0, 1, 4, 0, 0, 0, 0)) + bytes((6, 0, 1, 4, 0, 0, 0, 0))
    assert walk(data, 0, 16, 60) == MISPLACED


@pytest.mark.parametrize(("kind", "action"), [(0x1E, 0), (0x5E, 1), (0x9E, 2), (0xDE, 3), (0x05, 0), (0xC2, 3)])
def test_option_type_says_what_to_do_with_the_unknown(kind: int, action: int) -> None:
    data = bytes((0, kind, 2, 7, 7, 1, 0))
    assert ip6opt.options(data, 0, len(data)) == [(0, 0, 1, 0), (kind, action, 3, 2), (1, 0, 7, 0)]


@pytest.mark.parametrize("raw", ["05", "0502", "050200", "00 01 04 00 00 00"])
def test_truncated_option_is_a_drop_reason(raw: str) -> None:
    data = bytes.fromhex(raw)
    assert ip6opt.options(data, 0, len(data)) == ip6opt.BAD_OPTION


def test_malformed_options_are_told_and_kept() -> None:
    data = bytes((59, 0, 5, 9, 0, 0, 0, 0))
    read = IPv6ExtHdrHopByHop(data)
    assert read.drop == ip6opt.BAD_OPTION
    assert bytes(read) == data


def test_autopad_aligns_options() -> None:
    header = bytes(IPv6ExtHdrHopByHop(options=[PadN(optdata=b"x"), Jumbo(jumboplen=1)]))
    assert len(header) % 8 == 0
    assert header.index(b"\xc2\x04") % 4 == 2
    assert bytes(IPv6ExtHdrHopByHop(autopad=0, options=[RouterAlert()])).hex() == "3b0005020000"


def test_checksum_behind_a_routing_header_is_that_of_the_final_destination() -> None:
    final = IPv6(src="::1", dst="::9") / UDP() / b"x"
    routed = IPv6(src="::1", dst="::2") / IPv6ExtHdrRouting(addresses=["::5", "::9"]) / UDP() / b"x"
    arrived = IPv6(src="::1", dst="::9") / IPv6ExtHdrRouting(addresses=["::5", "::2"], segleft=0) / UDP() / b"x"
    sums = {IPv6(bytes(packet))[UDP].chksum for packet in (final, routed, arrived)}
    assert len(sums) == 1


def test_payload_length_ends_the_packet_and_padding_follows() -> None:
    read = IPv6(bytes(IPv6() / UDP() / b"x") + b"trailer")
    assert read[Raw].load == b"x"
    assert bytes(read["Padding"].load) == b"trailer"


def test_headers_behind_a_first_fragment_are_read_and_behind_a_later_one_not() -> None:
    assert TCP in IPv6(bytes(IPv6() / IPv6ExtHdrFragment(m=1) / TCP()))
    assert TCP not in IPv6(bytes(IPv6() / IPv6ExtHdrFragment(offset=1) / TCP()))
    assert TCP not in IP(bytes(IP(frag=1) / TCP()))


def test_stacking_fills_next_header_along_the_chain() -> None:
    packet = IPv6() / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / ICMPv6EchoRequest()
    assert [layer.nh for layer in list(packet.layers())[:3]] == [ip6.HOPOPTS, ip6.DSTOPTS, 58]
