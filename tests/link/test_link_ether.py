# SPDX-License-Identifier: GPL-2.0-or-later
"""Ethernet's filter, group addresses, and the link without Ethernet."""

import pytest
from link_tools import ME, PEER, Link, ip

from labstack.core.counters import unbalanced
from labstack.core.frame import Frame
from labstack.link import ether, groups

IPV4 = b"\x08\x00"


def arrive(link: Link, raw: bytes, **more: int) -> int | None:
    return ether.arrive(link.env, link.iface, Frame(raw, **more))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "drop.link.runt"),
        (ME + PEER + b"\x08", "drop.link.runt"),
        (PEER + ME + IPV4, "drop.link.other_host"),
        (b"\x01\x00\x5e\x00\x00\x07" + PEER + IPV4, "drop.link.other_host"),
        (b"\x33\x33\xff\x00\x00\x07" + PEER + b"\x86\xdd", "drop.link.other_host"),
        (ME + b"\x03" + PEER[1:] + IPV4, "drop.link.group_source"),
        (ME + b"\xff" * 6 + IPV4, "drop.link.group_source"),
        (ME + PEER + b"\x00\x2e", "drop.link.length_field"),
        (ME + PEER + b"\x05\xff", "drop.link.length_field"),
        (ME + PEER + b"\x81\x00", "drop.link.vlan"),
        (ME + PEER + b"\x88\xa8", "drop.link.vlan"),
        (ME + PEER + b"\x88\xcc", "drop.link.ethertype"),
        (ME + PEER + b"\x06\x00", "drop.link.ethertype"),
    ],
)
def test_what_is_not_for_us_is_dropped_by_name(raw: bytes, reason: str) -> None:
    """RFC 894, RFC 1122 §2.3.3; hostile-input row 1"""
    link = Link()
    assert arrive(link, raw + bytes(50) if len(raw) == 14 else raw) is None
    assert dict(link.env.count) == {"LinkInFrames": 1, reason: 1}
    assert unbalanced(link.env.count) == []


@pytest.mark.parametrize("kind", [0x0800, 0x0806, 0x86DD])
@pytest.mark.parametrize("dst", [ME, b"\xff" * 6, groups.mac_of(groups.ALL_NODES), groups.mac_of(ip("224.0.0.1"))])
def test_our_own_mac_broadcast_and_joined_groups_are_heard(dst: bytes, kind: int) -> None:
    link = Link()
    assert arrive(link, dst + PEER + kind.to_bytes(2, "big")) == kind
    assert dict(link.env.count) == {"LinkInFrames": 1, "LinkInDelivers": 1}


def test_a_device_header_before_the_frame_is_skipped() -> None:
    link = Link()
    assert arrive(link, b"\xee" * 10 + ME + PEER + IPV4, start=10) == 0x0800


@pytest.mark.parametrize(("raw", "kind"), [(b"\x45", 0x0800), (b"\x60", 0x86DD)])
def test_on_a_link_without_ethernet_the_version_says_what_it_is(raw: bytes, kind: int) -> None:
    link = Link(mac=b"")
    assert arrive(link, raw + bytes(39), net=0) == kind


@pytest.mark.parametrize(("raw", "reason"), [(b"", "drop.link.empty"), (b"\x50", "drop.link.version")])
def test_on_a_link_without_ethernet_anything_else_is_dropped(raw: bytes, reason: str) -> None:
    link = Link(mac=b"")
    assert arrive(link, raw, net=0) is None
    assert link.drops() == {reason: 1}


def test_an_interface_that_is_down_hears_nothing() -> None:
    link = Link()
    link.iface.up = False
    assert arrive(link, ME + PEER + IPV4) is None
    assert link.drops() == {"drop.link.down": 1}


@pytest.mark.parametrize(
    ("group", "mac"),
    [
        ("224.0.0.1", "01005e000001"),
        ("239.255.1.2", "01005e7f0102"),  # RFC 1112 §6.4: only 23 bits are mapped
        ("239.127.1.2", "01005e7f0102"),
        ("ff02::1", "333300000001"),
        ("ff02::1:ff28:9c5a", "3333ff289c5a"),  # RFC 2464 §7
    ],
)
def test_groups_map_to_ethernet_addresses(group: str, mac: str) -> None:
    """RFC 1112 §6.4, RFC 2464 §7"""
    assert groups.mac_of(ip(group)).hex() == mac


def test_the_solicited_node_group_ends_like_the_address() -> None:
    """RFC 4291 §2.7.1's own example"""
    assert groups.solicited_node(ip("4037::1:800:200e:8c6c")) == ip("ff02::1:ff0e:8c6c")


def test_groups_are_left_as_often_as_they_were_joined() -> None:
    """Two addresses with the same last 24 bits share a group, and two groups may share a MAC."""
    link = Link()
    group, same_mac = ip("239.1.2.3"), ip("224.1.2.3")
    mac = groups.mac_of(group)
    for it in (group, group, same_mac):
        groups.join(link.iface, it)
    for it in (group, group, ip("239.9.9.9")):
        groups.leave(link.iface, it)
    assert (group in link.iface.groups, same_mac in link.iface.groups, mac in link.iface.accept) == (False, True, True)
    groups.leave(link.iface, same_mac)
    assert mac not in link.iface.accept
