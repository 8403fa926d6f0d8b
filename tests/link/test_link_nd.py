# SPDX-License-Identifier: GPL-2.0-or-later
"""Neighbour Discovery: what makes a message invalid, one check at a time, and how valid ones are answered."""

import pytest
from link_tools import ME, OTHER, PEER, Link, hole, ip

from labstack.core.counters import unbalanced
from labstack.link import groups, nd, neighbour
from labstack.link.check import check
from labstack.link.iface import DUPLICATED, PREFERRED, REACHABLE, STALE, TENTATIVE
from layers import Ether, ICMPv6ND_NA, IPv6

TARGET, FROM = "fd00::1", "fd00::2"
GROUP = "ff02::1:ff00:1"
ROUTER, SOLICITED, OVERRIDE = 0x80, 0x40, 0x20


def slla(mac: bytes = PEER) -> bytes:
    return b"\1\1" + mac


def tlla(mac: bytes = PEER) -> bytes:
    return b"\2\1" + mac


def ns(target: str = TARGET, options: bytes = slla(), code: int = 0) -> bytes:
    return bytes((135, code)) + bytes(6) + ip(target) + options


def na(target: str = FROM, flags: int = SOLICITED | OVERRIDE, options: bytes = tlla(), code: int = 0) -> bytes:
    return bytes((136, code, 0, 0, flags, 0, 0, 0)) + ip(target) + options


def arrive(link: Link, message: bytes, src: str = FROM, dst: str = GROUP, hops: int = 255) -> None:
    nd.arrive(link.env, link.iface, ip(src), ip(dst), hops, message)
    check(link.env, link.iface)
    assert all(link.said())
    assert unbalanced({"NdInMsgs": 0} | link.env.count) == []


def asking(link: Link) -> None:
    """A packet waits for FROM."""
    neighbour.resolve(link.env, link.iface, ip(FROM))
    neighbour.wait(link.env, link.iface, ip(FROM), hole())
    link.env.actions.clear()


def test_a_solicitation_for_us_is_answered_to_its_sender_and_its_sender_remembered() -> None:
    """RFC 4861 §7.2.3, §7.2.4"""
    link = Link()
    arrive(link, ns())
    (frame,) = link.sent()
    packet = frame[IPv6]
    assert (frame.dst, packet.src, packet.dst, packet.hlim) == ("02:00:00:00:00:02", TARGET, FROM, 255)
    advert = packet[ICMPv6ND_NA]
    assert (advert.tgt, advert.R, advert.S, advert.O) == (TARGET, 0, 1, 1)
    assert bytes(frame)[-8:] == b"\2\1" + ME
    rebuilt = Ether(bytes(frame))
    rebuilt[ICMPv6ND_NA].cksum = None
    assert bytes(rebuilt) == bytes(frame)
    assert link.iface.neigh.table[ip(FROM)].mac == PEER


# one thing wrong with a solicitation or advertisement: its bytes, source, destination, hop limit, the reason
INVALID: dict[str, tuple[bytes, str, str, int, str]] = {
    "NS hop limit 254": (ns(), FROM, GROUP, 254, "drop.nd.hop_limit"),
    "NS hop limit 1": (ns(), FROM, GROUP, 1, "drop.nd.hop_limit"),
    "NS code 1": (ns(code=1), FROM, GROUP, 255, "drop.nd.code"),
    "NS of 23 bytes": (ns()[:23], FROM, GROUP, 255, "drop.nd.short"),
    "NS of 8 bytes": (ns()[:8], FROM, GROUP, 255, "drop.nd.short"),
    "NS for a group": (ns(target="ff02::1"), FROM, GROUP, 255, "drop.nd.target"),
    "NS with one trailing byte": (ns() + b"\1", FROM, GROUP, 255, "drop.nd.option"),
    "NS with one trailing byte and no option": (ns(options=b"\0"), FROM, GROUP, 255, "drop.nd.option"),
    "NS with an option of length zero": (ns(options=b"\1\0" + PEER), FROM, GROUP, 255, "drop.nd.option"),
    "NS with a second option of length zero": (ns(options=slla() + b"\7\0"), FROM, GROUP, 255, "drop.nd.option"),
    "NS with a truncated option": (ns(options=b"\1\2" + PEER), FROM, GROUP, 255, "drop.nd.option"),
    "NS with a MAC that is a group": (ns(options=slla(b"\1\0\x5e\0\0\1")), FROM, GROUP, 255, "drop.nd.mac"),
    "NS with a MAC of zeros": (ns(options=slla(bytes(6))), FROM, GROUP, 255, "drop.nd.mac"),
    "NS with a MAC of 14 bytes": (ns(options=b"\1\2" + bytes(14)), FROM, GROUP, 255, "drop.nd.mac"),
    "NS from :: to a unicast address": (ns(options=b""), "::", TARGET, 255, "drop.nd.probe_destination"),
    "NS from :: to another group": (ns(options=b""), "::", "ff02::1", 255, "drop.nd.probe_destination"),
    "NS from :: with a source MAC": (ns(), "::", GROUP, 255, "drop.nd.probe_mac"),
    "NS for somebody else": (ns(target="fd00::7"), FROM, GROUP, 255, "drop.nd.not_target"),
    "NA hop limit 64": (na(), FROM, TARGET, 64, "drop.nd.hop_limit"),
    "NA code 3": (na(code=3), FROM, TARGET, 255, "drop.nd.code"),
    "NA of 20 bytes": (na()[:20], FROM, TARGET, 255, "drop.nd.short"),
    "NA for a group": (na(target="ff02::2"), FROM, TARGET, 255, "drop.nd.target"),
    "NA with an option of length zero": (na(options=b"\2\0" + PEER), FROM, TARGET, 255, "drop.nd.option"),
    "NA with one trailing byte": (na() + b"\0", FROM, TARGET, 255, "drop.nd.option"),
    "NA solicited but to a group": (na(), FROM, "ff02::1", 255, "drop.nd.solicited_group"),
    "NA for our own address": (na(target=TARGET), FROM, TARGET, 255, "drop.nd.own_address"),
    "NA with a broadcast MAC": (na(options=tlla(b"\xff" * 6)), FROM, TARGET, 255, "drop.nd.mac"),
    "RS": (bytes((133,)) + bytes(7), FROM, "ff02::2", 255, "drop.nd.router"),
    "RA": (bytes((134,)) + bytes(15), "fe80::9", "ff02::1", 255, "drop.nd.router"),
    "RA from afar": (bytes((134,)) + bytes(15), "fe80::9", "ff02::1", 254, "drop.nd.hop_limit"),
    "Redirect": (bytes((137,)) + bytes(39), "fe80::9", TARGET, 255, "drop.nd.router"),
}


@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_message_is_dropped_by_name_and_changes_nothing(name: str) -> None:
    """RFC 4861 §6.1, §7.1.1, §7.1.2, §8.1; hostile-input row 39"""
    message, src, dst, hops, reason = INVALID[name]
    link = Link()
    asking(link)
    before = link.iface.clone()
    arrive(link, message, src, dst, hops)
    assert (link.drops(), link.sent()) == ({reason: 1}, [])
    assert link.iface == before


@pytest.mark.parametrize(
    "options", [b"", b"\x63\1" + bytes(6) + slla(), slla() + slla(OTHER), slla() + b"\xfd\2" + bytes(14)]
)
def test_unknown_options_are_skipped_and_the_first_of_a_kind_counts(options: bytes) -> None:
    """RFC 4861 §4.6, §9"""
    link = Link()
    neighbour.heard(link.env, link.iface, ip(FROM), PEER)
    arrive(link, ns(options=options))
    assert [f.dst for f in link.sent()] == ["02:00:00:00:00:02"]


def test_a_solicitation_without_mac_makes_us_ask_before_we_answer() -> None:
    """RFC 4861 §7.2.4: address resolution for the sender comes first."""
    link = Link()
    arrive(link, ns(options=b""), dst=TARGET)
    (question,) = link.sent()
    assert question[IPv6].dst == "ff02::1:ff00:2"
    arrive(link, na(), dst=TARGET)
    (answer,) = link.sent()
    assert (answer.dst, answer[ICMPv6ND_NA].S) == ("02:00:00:00:00:02", 1)


def test_a_probe_for_our_address_is_answered_to_everybody_unsolicited() -> None:
    """RFC 4861 §7.2.4: from ::, so all-nodes and S clear."""
    link = Link()
    arrive(link, ns(options=b"\x0e\1abcdef"), src="::")
    (frame,) = link.sent()
    advert = frame[ICMPv6ND_NA]
    assert (frame.dst, frame[IPv6].dst) == ("33:33:00:00:00:01", "ff02::1")
    assert (advert.S, advert.O, advert.tgt) == (0, 1, TARGET)
    assert not link.iface.neigh.table


def test_a_solicited_advertisement_resolves_and_lets_packets_go() -> None:
    """RFC 4861 §7.2.5"""
    link = Link()
    asking(link)
    arrive(link, na(flags=SOLICITED | ROUTER), dst=TARGET)
    assert link.state(FROM) == REACHABLE
    assert link.iface.neigh.table[ip(FROM)].router
    assert len(link.env.actions) == 1


def test_an_unsolicited_advertisement_resolves_without_proving_reachability() -> None:
    """RFC 4861 §7.2.5"""
    link = Link()
    asking(link)
    arrive(link, na(flags=OVERRIDE), dst="ff02::1")
    assert link.state(FROM) == STALE


def test_an_advertisement_that_nobody_waits_for_makes_no_entry() -> None:
    """RFC 4861 §7.2.5: no entry should be created."""
    link = Link()
    arrive(link, na(), dst=TARGET)
    assert (link.drops(), link.iface.neigh.table) == ({"drop.nd.unasked": 1}, {})


def test_a_neighbour_that_stops_being_a_router_is_noticed() -> None:
    """RFC 4861 §7.2.5"""
    link = Link()
    asking(link)
    arrive(link, na(flags=SOLICITED | ROUTER), dst=TARGET)
    link.rules()
    arrive(link, na(flags=SOLICITED), dst=TARGET)
    assert not link.iface.neigh.table[ip(FROM)].router
    assert "4861/7.2.5/router" in link.rules()


def test_a_tentative_address_is_not_answered_for() -> None:
    """RFC 4862 §5.4.3"""
    link = Link()
    link.set(dad_transmits=1)
    addr = link.iface.addrs[1]
    addr.state = TENTATIVE
    nd.arrive(link.env, link.iface, ip(FROM), ip(GROUP), 255, ns())
    assert (link.drops(), link.sent(), addr.state) == ({"drop.nd.tentative": 1}, [], TENTATIVE)


def test_a_duplicated_address_is_not_answered_for() -> None:
    """RFC 4862 §5.4.5"""
    link = Link()
    link.iface.addrs[1].state = DUPLICATED
    arrive(link, ns())
    assert (link.drops(), link.sent()) == ({"drop.nd.not_target": 1}, [])


def test_a_link_without_ethernet_has_no_neighbours_to_discover() -> None:
    link = Link(mac=b"")
    arrive(link, ns())
    assert link.drops() == {"drop.nd.no_ethernet": 1}


def test_groups_of_every_address_are_joined() -> None:
    link = Link()
    assert groups.mac_of(ip(GROUP)) in link.iface.accept
    assert all(a.state == PREFERRED for a in link.iface.addrs)
