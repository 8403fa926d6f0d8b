# SPDX-License-Identifier: GPL-2.0-or-later
"""Flipped bits and filled payload: the sums are right afterwards, unless it is they that were flipped."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labstack.scenario.mutate.bits import Flip, filled, flipped, mend, sums
from labstack.scenario.packets.wire import take_apart
from layers import ICMP, IP, TCP, UDP, ICMPv6EchoRequest, IPv6, Raw

PACKETS = {
    "tcp4": bytes(IP(src="192.0.2.1", dst="192.0.2.2") / TCP(options=[("MSS", 1460)]) / Raw(load=b"hello")),
    "tcp6": bytes(IPv6(src="fd00::1", dst="fd00::2") / TCP() / Raw(load=b"hello!")),
    "udp4": bytes(IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=1, dport=2) / Raw(load=b"hello")),
    "icmp": bytes(IP(src="192.0.2.1", dst="192.0.2.2") / ICMP() / Raw(load=b"hello")),
    "icmp6": bytes(IPv6(src="fd00::1", dst="fd00::2") / ICMPv6EchoRequest(data=b"hello")),
}


@pytest.mark.parametrize("name", PACKETS)
def test_mending_a_packet_that_is_right_changes_nothing(name: str) -> None:
    raw = bytearray(PACKETS[name])
    mend(raw)
    assert bytes(raw) == PACKETS[name]


@pytest.mark.parametrize(("name", "offset"), [("tcp4", 24), ("tcp4", 33), ("tcp6", 53), ("udp4", 21), ("icmp", 24)])
def test_a_flipped_packet_has_right_sums(name: str, offset: int) -> None:
    changed = flipped(PACKETS[name], (Flip(offset, 0x10),))
    wire = take_apart(changed)
    assert not isinstance(wire, str)
    assert (wire.good, wire.ip_good) == (True, True)
    assert changed[offset] == PACKETS[name][offset] ^ 0x10


def test_a_flipped_sum_stays_wrong() -> None:
    for at in sums(PACKETS["tcp4"]):
        wire = take_apart(flipped(PACKETS["tcp4"], (Flip(at, 1),)))
        assert not isinstance(wire, str)
        assert (wire.good, wire.ip_good).count(False) == 1


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(PACKETS)), st.lists(st.tuples(st.integers(0, 80), st.integers(1, 255)), max_size=4))
def test_no_flips_make_it_raise_and_the_length_stays(name: str, flips: list[tuple[int, int]]) -> None:
    changed = flipped(PACKETS[name], tuple(Flip(*it) for it in flips))
    assert len(changed) == len(PACKETS[name])


def test_payload_says_where_it_belongs_whatever_way_it_is_cut() -> None:
    whole = filled(bytes(IP() / TCP() / Raw(load=bytes(1000))), 1000, 77)[-1000:]
    part = filled(bytes(IP() / TCP() / Raw(load=bytes(300))), 300, 77 + 500)[-300:]
    assert whole[500:800] == part
    assert len(set(whole)) > 200
