# SPDX-License-Identifier: GPL-2.0-or-later
"""Duplicate Address Detection, and the link-local address made from a MAC."""

import pytest
from link_tools import ME, PEER, SECOND, Link, ip

from labstack.link import dad, groups, nd
from labstack.link.check import check
from labstack.link.iface import DUPLICATED, PREFERRED, TENTATIVE, Addr
from layers import Ether, ICMPv6ND_NS, IPv6

ADDRESS = "fe80::ab:cdef"
GROUP = "ff02::1:ffab:cdef"


def start(link: Link) -> Addr:
    addr = Addr(ip(ADDRESS), 64, TENTATIVE)
    link.iface.addrs.append(addr)
    groups.join(link.iface, groups.solicited_node(addr.ip))
    dad.start(link.env, link.iface, addr)
    return addr


def test_the_link_local_address_is_the_modified_eui_64_of_the_mac() -> None:
    """RFC 2464 §4's own example"""
    assert dad.link_local(bytes.fromhex("3456789abcde")) == ip("fe80::3656:78ff:fe9a:bcde")


def test_one_probe_after_a_random_wait_and_a_second_of_silence_make_an_address_ours() -> None:
    """RFC 4862 §5.4.2"""
    link = Link()
    addr = start(link)
    link.wait(SECOND)
    (frame,) = link.sent()
    assert (frame.dst, frame[IPv6].src, frame[IPv6].dst, frame[IPv6].hlim) == ("33:33:ff:ab:cd:ef", "::", GROUP, 255)
    assert frame[ICMPv6ND_NS].tgt == ADDRESS
    assert bytes(frame)[-8:-6] == b"\x0e\1"  # a nonce (RFC 7527), and no source MAC
    assert addr.state == TENTATIVE
    link.wait(SECOND)
    assert (addr.state, link.sent(), link.env.timers.at) == (PREFERRED, [], {})


def test_the_first_probe_waits_a_different_time_on_every_host() -> None:
    """RFC 4862 §5.4.2: up to MAX_RTR_SOLICITATION_DELAY"""
    waits = set()
    for seed in range(20):
        link = Link()
        link.env.rng.seed = seed
        start(link)
        waits.add(link.env.timers.next())
    assert len(waits) == 20
    assert all(0 <= w < SECOND for w in waits if w is not None)


@pytest.mark.parametrize("probes", [2, 3])
def test_as_many_probes_as_configured_a_second_apart(probes: int) -> None:
    """RFC 4862 §5.1: DupAddrDetectTransmits"""
    link = Link(dad_transmits=probes)
    addr = start(link)
    link.wait(probes * SECOND)
    nonces = {bytes(f)[-6:] for f in link.sent()}
    assert (len(nonces), addr.state) == (probes, TENTATIVE)
    link.wait(SECOND)
    assert addr.state == PREFERRED


def test_without_probes_an_address_is_ours_at_once() -> None:
    """RFC 4862 §5.1: zero disables detection."""
    link = Link(dad_transmits=0)
    assert start(link).state == PREFERRED
    assert (link.sent(), link.env.timers.at) == ([], {})


def test_an_advertisement_for_a_tentative_address_means_a_duplicate() -> None:
    """RFC 4862 §5.4.4"""
    link = Link()
    addr = start(link)
    link.wait(SECOND)
    message = bytes((136, 0, 0, 0, 0x20, 0, 0, 0)) + addr.ip + b"\2\1" + PEER
    nd.arrive(link.env, link.iface, addr.ip, ip("ff02::1"), 255, message)
    assert addr.state == DUPLICATED
    check(link.env, link.iface)
    link.sent()
    link.wait(60 * SECOND)
    assert (addr.state, link.sent()) == (DUPLICATED, [])
    assert link.env.count["Ip6DadFailures"] == 1
    check(link.env, link.iface)


def probe(nonce: bytes = b"") -> bytes:
    return bytes((135, 0)) + bytes(6) + ip(ADDRESS) + (b"\x0e\1" + nonce if nonce else b"")


@pytest.mark.parametrize("nonce", [b"", b"others"])
def test_the_probe_of_another_host_for_the_same_address_means_a_duplicate(nonce: bytes) -> None:
    """RFC 4862 §5.4.3; RFC 7527 §4.2"""
    link = Link()
    addr = start(link)
    link.wait(SECOND)
    nd.arrive(link.env, link.iface, bytes(16), ip(GROUP), 255, probe(nonce))
    assert addr.state == DUPLICATED


def test_our_own_probe_looped_back_means_nothing() -> None:
    """RFC 7527 §4.2; hostile-input row 41"""
    link = Link()
    addr = start(link)
    link.wait(SECOND)
    (ours,) = link.sent()
    message = bytes(ours[IPv6].payload)
    nd.arrive(link.env, link.iface, bytes(16), ip(GROUP), 255, message)
    assert (addr.state, link.drops()) == (TENTATIVE, {"drop.nd.own_probe": 1})


def test_a_solicitation_from_a_real_address_is_silently_ignored_meanwhile() -> None:
    """RFC 4862 §5.4.3"""
    link = Link()
    addr = start(link)
    nd.arrive(link.env, link.iface, ip("fe80::9"), ip(GROUP), 255, probe() + b"\1\1" + PEER)
    assert (addr.state, link.drops(), link.iface.neigh.table) == (TENTATIVE, {"drop.nd.tentative": 1}, {})


def test_a_probe_is_what_the_layers_would_build() -> None:
    link = Link()
    addr = start(link)
    link.wait(SECOND)
    (frame,) = link.sent()
    rebuilt = Ether(bytes(frame))
    rebuilt[ICMPv6ND_NS].cksum = None
    assert bytes(rebuilt) == bytes(frame)
    assert (frame.src, bytes(frame)[-6:]) == (ME.hex(":"), addr.nonce)
