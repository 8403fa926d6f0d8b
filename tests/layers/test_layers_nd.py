# SPDX-License-Identifier: GPL-2.0-or-later
"""RFC 4861 §4.6, §6.1, §7.1: messages with malformed options are dropped whole; good ones give their options."""

import pytest

from layers import IGMP as IGMP12
from layers import (
    ICMPv6MLQuery,
    ICMPv6MLQuery2,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6NDOptMTU,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptSrcLLAddr,
    ICMPv6NDOptUnknown,
    IGMPv3mq,
    IPv6,
    icmp6,
    igmp,
    mld,
    ndopt,
)  # fmt: skip

SLLA = ICMPv6NDOptSrcLLAddr(lladdr="02:00:00:00:00:01")


def message(extra: bytes) -> bytes:
    return bytes(ICMPv6ND_NS(tgt="fe80::2", cksum=1) / SLLA) + extra


def test_parse_reads_the_message_with_its_options() -> None:
    data = message(b"")
    read = ICMPv6ND_NS.parse(data)
    assert isinstance(read, ICMPv6ND_NS)
    assert read.size == len(data)
    assert read.tgt_packed == bytes.fromhex("fe80000000000000") + bytes(7) + b"\x02"
    assert read.options == [SLLA]
    assert read.options[0].lladdr_packed == bytes((2, 0, 0, 0, 0, 1))
    assert bytes(read) == data


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        (b"\x01", ndopt.TRUNCATED),
        (b"\x01\x00", ndopt.ZERO_LENGTH),
        (b"\x00" * 8, ndopt.ZERO_LENGTH),
        (b"\x01\x01\x00", ndopt.TRUNCATED),
        (b"\x05\x02" + bytes(6), ndopt.TRUNCATED),
    ],
)
def test_malformed_options_are_a_drop_reason(extra: bytes, reason: str) -> None:
    assert ICMPv6ND_NS.parse(message(extra)) == reason
    assert icmp6.parse(message(extra)) == reason
    seen = ICMPv6ND_NS(message(extra))  # the permissive view shows what can be shown
    assert seen.drop == reason
    assert seen[ICMPv6NDOptSrcLLAddr].lladdr == "02:00:00:00:00:01"
    assert bytes(seen) == message(extra)


def test_walk_lists_options() -> None:
    data = bytes(SLLA / ICMPv6NDOptPrefixInfo() / ICMPv6NDOptMTU())
    assert ndopt.walk(data, 0, len(data)) == [(1, 0, 8), (3, 8, 32), (5, 40, 8)]


def test_known_type_of_another_size_is_unknown() -> None:
    data = bytes((1, 2)) + bytes(14)
    assert isinstance(ICMPv6ND_RA(bytes(ICMPv6ND_RA()) + data).payload, ICMPv6NDOptUnknown)


def test_hop_limit_and_group_are_filled_below() -> None:
    packet = IPv6(src="fe80::1") / ICMPv6ND_NS()
    assert (packet.hlim, packet.nh, packet.dst) == (255, 58, "ff02::1")
    assert (IPv6(hlim=7, dst="::2") / ICMPv6ND_NS()).hlim == 7


def test_queries_are_told_apart_by_length() -> None:
    assert type(icmp6.parse(bytes(ICMPv6MLQuery()))) is ICMPv6MLQuery
    assert type(icmp6.parse(bytes(ICMPv6MLQuery2()))) is ICMPv6MLQuery2
    assert type(igmp.parse(bytes(IGMP12()))) is IGMP12
    assert type(igmp.parse(bytes(IGMPv3mq()))) is IGMPv3mq


@pytest.mark.parametrize(("code", "value"), [(0, 0), (127, 127), (0x80, 128), (0xFF, 31744)])
def test_igmp_codes_are_floating_point(code: int, value: int) -> None:
    assert igmp.duration(code) == value


@pytest.mark.parametrize(("code", "value"), [(0, 0), (32767, 32767), (0x8000, 32768), (0xFFFF, 8387584)])
def test_mld_codes_are_floating_point(code: int, value: int) -> None:
    assert mld.delay(code) == value
