# SPDX-License-Identifier: GPL-2.0-or-later
"""No bytes of any length make a parser raise, and reading permissively loses none of them."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layers_fields import CLASSES, values

import layers
from layers import icmp6, igmp, ip6, ip6opt, ndopt, pcapng
from layers.packet import LIMIT, Header

MANY = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)


def look(cls: type[Header], data: bytes) -> None:
    """Do with `data` whatever a user may do."""
    packet = cls(data)
    assert bytes(packet) == data
    assert packet.summary()
    assert repr(packet)
    packet.show(dump=True)
    assert packet.copy() == packet
    read = cls.parse(data)
    assert isinstance(read, (str, cls))
    assert isinstance(read, str) or 0 <= (read.size or 0) <= len(data)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_any_bytes_can_be_read(cls: type[Header]) -> None:
    @MANY
    @given(st.binary(max_size=90))
    def check(data: bytes) -> None:
        look(cls, data)

    check()


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_damaged_headers_can_be_read(cls: type[Header]) -> None:
    @MANY
    @given(values(cls), st.binary(max_size=30), st.data())
    def check(drawn: dict[str, Any], tail: bytes, data: st.DataObject) -> None:
        packet = bytearray(bytes(cls(**drawn)) + tail)
        for _ in range(data.draw(st.integers(0, 3))):
            if packet:
                at = data.draw(st.integers(0, len(packet) - 1))
                packet[at] = data.draw(st.sampled_from((0, 1, 2, 8, 58, 127, 255)))
        look(cls, bytes(packet[: data.draw(st.integers(0, len(packet)))]))

    check()


FRAMES = [
    layers.Ether() / layers.IP() / layers.TCP(options=[("MSS", 1460), ("SAckOK", b""), ("WScale", 7)]) / b"data",
    layers.Ether() / layers.IP() / layers.UDP() / b"data",
    layers.Ether() / layers.IP() / layers.ICMP(type=3, code=4) / layers.IPerror() / layers.TCPerror(),
    layers.Ether() / layers.IP() / layers.IGMPv3mr(records=[layers.IGMPv3gr(srcaddrs=["10.0.0.1"])]),
    layers.Ether() / layers.IPv6() / layers.IPv6ExtHdrHopByHop(options=[layers.RouterAlert()]) / layers.ICMPv6MLDone(),
    layers.Ether() / layers.IPv6() / layers.ICMPv6ND_RA() / layers.ICMPv6NDOptPrefixInfo() / layers.ICMPv6NDOptMTU(),
    layers.Ether() / layers.IPv6() / layers.ICMPv6ND_RA() / layers.ICMPv6NDOptDNSSL(searchlist=["a.example."]),
    layers.Ether() / layers.IPv6() / layers.IPv6ExtHdrFragment(offset=1) / b"data",
    layers.Ether() / layers.Dot1Q() / layers.ARP(),
    layers.Dot3() / layers.LLC() / layers.SNAP() / layers.IP(options=[layers.IPOption_RR(routers=["10.0.0.1"])]),
]


@settings(max_examples=600, deadline=None, database=None)
@given(st.sampled_from(FRAMES), st.data())
def test_damaged_frames_can_be_read(frame: Header, data: st.DataObject) -> None:
    packet = bytearray(bytes(frame))
    for _ in range(data.draw(st.integers(1, 4))):
        packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    look(frame.__class__, bytes(packet[: data.draw(st.integers(0, len(packet)))]))


@settings(max_examples=300, deadline=None, database=None)
@given(st.binary(max_size=60), st.integers(0, 20), st.integers(0, 255))
def test_walkers_never_raise(data: bytes, at: int, kind: int) -> None:
    end = len(data)
    for nh in (kind, 0, 43, 44, 60):
        walked = ip6.walk(data, at, end, nh)
        assert isinstance(walked, str) or at <= walked[1] <= max(end, at)
    assert isinstance(ip6opt.options(data, at, end), (str, list))
    assert isinstance(ndopt.walk(data, at, end), (str, list))
    assert isinstance(layers.parse_options(data)[0], list)
    assert isinstance(icmp6.parse(data, at, end), (str, Header))
    assert isinstance(igmp.parse(data, at, end), (str, Header))
    list(pcapng.read(data))


def test_a_tower_of_headers_stays_bounded() -> None:
    tower = bytes(layers.Ether(type=0x8100)) + bytes.fromhex("00018100") * 5000
    packet = layers.Ether(tower)
    assert len(list(packet.layers())) <= LIMIT + 2
    assert packet.drop == "too-many-headers"
    assert bytes(packet) == tower
    assert packet.copy() == packet
