# SPDX-License-Identifier: GPL-2.0-or-later
"""ARP rule by rule: RFC 826's algorithm, and what RFC 1122 and RFC 5227 add."""

import pytest
from link_tools import ME, OTHER, PEER, SECOND, Link, hole, ip

from labstack.core.counters import unbalanced
from labstack.core.frame import Frame
from labstack.link import arp, neighbour
from labstack.link.check import check
from labstack.link.iface import REACHABLE, STALE, TENTATIVE, Addr
from layers import ARP, Ether

BROADCAST = b"\xff" * 6


def packet(
    op: int = 1,
    mac: bytes = PEER,
    sender: str = "10.0.0.2",
    target: str = "10.0.0.1",
    dst: bytes = BROADCAST,
    kinds: bytes = b"\0\1\x08\0\6\4",
) -> Frame:
    raw = kinds + op.to_bytes(2, "big") + mac + ip(sender) + bytes(6) + ip(target)
    return Frame(dst + mac + b"\x08\x06" + raw + bytes(18))


def arrive(link: Link, frame: Frame) -> None:
    arp.arrive(link.env, link.iface, frame)
    check(link.env, link.iface)
    assert all(link.said())
    assert unbalanced({"ArpInPackets": 0} | link.env.count) == []


def reply(**fields: object) -> Frame:
    return packet(**{"op": 2, "dst": ME, **fields})  # type: ignore[arg-type]


def test_a_request_for_our_address_is_answered_to_its_sender_and_its_sender_remembered() -> None:
    """RFC 826: "swap hardware and protocol fields", and the triplet added when we are the target."""
    link = Link()
    arrive(link, packet())
    (frame,) = link.sent()
    assert (frame.dst, frame.src) == ("02:00:00:00:00:02", "02:00:00:00:00:01")
    it = frame[ARP]
    assert (it.op, it.hwsrc, it.psrc, it.hwdst, it.pdst) == (
        2,
        "02:00:00:00:00:01",
        "10.0.0.1",
        "02:00:00:00:00:02",
        "10.0.0.2",
    )
    assert link.state("10.0.0.2") == STALE
    assert link.said() == [
        "10.0.0.2 wrote to us from 02:00:00:00:00:02: worth remembering, but not yet proof that it hears us.",
        "The request asks for 10.0.0.1, which is us: we tell 02:00:00:00:00:02 our MAC.",
    ]
    assert link.rules() == ["826/-/learned", "826/-/reply"]


def test_a_request_for_somebody_else_is_neither_answered_nor_learned_from() -> None:
    """RFC 826: a new entry only when we are the target."""
    link = Link()
    arrive(link, packet(target="10.0.0.9"))
    assert (link.sent(), link.state("10.0.0.2"), link.drops()) == ([], "", {"drop.arp.not_target": 1})


def test_what_we_know_already_is_refreshed_by_any_packet_whoever_is_its_target() -> None:
    """RFC 826: Merge_flag, before the opcode and the target are looked at."""
    link = Link()
    neighbour.heard(link.env, link.iface, ip("10.0.0.2"), PEER)
    neighbour.confirm(link.env, link.iface, ip("10.0.0.2"))
    arrive(link, packet(mac=OTHER, target="10.0.0.9"))
    entry = link.iface.neigh.table[ip("10.0.0.2")]
    assert (entry.mac, entry.state, link.sent()) == (OTHER, STALE, [])


def test_the_reply_to_our_question_makes_the_neighbour_reachable_and_lets_packets_go() -> None:
    """RFC 826, RFC 4861 §7.3.3"""
    link = Link()
    neighbour.resolve(link.env, link.iface, ip("10.0.0.2"))
    neighbour.wait(link.env, link.iface, ip("10.0.0.2"), hole())
    link.env.actions.clear()
    arrive(link, reply())
    assert link.state("10.0.0.2") == REACHABLE
    assert [a.frame.head for a in link.env.actions] == [PEER + ME + b"\x08\0packet"]


def test_a_broadcast_reply_is_believed_but_proves_no_reachability() -> None:
    link = Link()
    neighbour.resolve(link.env, link.iface, ip("10.0.0.2"))
    arrive(link, reply(dst=BROADCAST))
    assert link.state("10.0.0.2") == STALE


@pytest.mark.parametrize("dst", [ME, BROADCAST])
def test_a_reply_that_nobody_asked_for_makes_no_entry(dst: bytes) -> None:
    """Hostile-input row 37: cache poisoning."""
    link = Link()
    arrive(link, reply(dst=dst))
    assert (link.state("10.0.0.2"), link.drops()) == ("", {"drop.arp.unasked": 1})


def test_a_reply_after_we_gave_up_makes_no_entry_either() -> None:
    link = Link()
    neighbour.resolve(link.env, link.iface, ip("10.0.0.2"))
    link.wait(4 * SECOND)
    arrive(link, reply())
    assert link.drops() == {"drop.arp.unasked": 1}


def test_a_gratuitous_announcement_updates_what_we_know_and_creates_nothing() -> None:
    """RFC 5227 §3: gratuitous ARP is an announcement."""
    link = Link()
    arrive(link, packet(target="10.0.0.2"))
    assert link.drops() == {"drop.arp.not_target": 1}
    neighbour.heard(link.env, link.iface, ip("10.0.0.2"), PEER)
    arrive(link, packet(mac=OTHER, target="10.0.0.2"))
    assert link.iface.neigh.table[ip("10.0.0.2")].mac == OTHER
    assert link.sent() == []


def test_a_probe_for_our_address_is_answered_and_leaves_no_entry() -> None:
    """RFC 5227 §2.1.1: the sender address is zero, and we have the address."""
    link = Link()
    arrive(link, packet(sender="0.0.0.0"))
    assert len(link.sent()) == 1
    assert not link.iface.neigh.table


@pytest.mark.parametrize("op", [1, 2])
def test_somebody_with_our_address_is_answered_by_one_announcement_in_ten_seconds(op: int) -> None:
    """RFC 5227 §2.4 (b)"""
    link = Link()
    claim = packet(op=op, sender="10.0.0.1", target="10.0.0.7")
    arrive(link, claim)
    (frame,) = link.sent()
    assert (frame.dst, frame[ARP].op, frame[ARP].psrc, frame[ARP].pdst) == (
        "ff:ff:ff:ff:ff:ff",
        1,
        "10.0.0.1",
        "10.0.0.1",
    )
    link.wait(10 * SECOND - 1)
    arrive(link, claim)
    assert link.sent() == []
    link.wait(1)
    arrive(link, claim)
    assert len(link.sent()) == 1
    assert not link.iface.neigh.table
    assert link.env.count["ArpConflicts"] == 3


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"kinds": b"\0\6\x08\0\6\4"}, "drop.arp.kind"),
        ({"kinds": b"\0\1\x86\xdd\6\4"}, "drop.arp.kind"),
        ({"kinds": b"\0\1\x08\0\5\4"}, "drop.arp.kind"),
        ({"kinds": b"\0\1\x08\0\6\x10"}, "drop.arp.kind"),
        ({"op": 0}, "drop.arp.op"),
        ({"op": 3}, "drop.arp.op"),
        ({"op": 9}, "drop.arp.op"),
        ({"mac": BROADCAST}, "drop.arp.sender_mac"),
        ({"mac": b"\1\0\x5e\0\0\1"}, "drop.arp.sender_mac"),
        ({"mac": bytes(6)}, "drop.arp.sender_mac"),
        ({"sender": "255.255.255.255"}, "drop.arp.sender"),
        ({"sender": "224.0.0.1"}, "drop.arp.sender"),
        ({"sender": "127.0.0.1"}, "drop.arp.sender"),
    ],
)
def test_invalid_packets_are_dropped_by_name_without_answer_or_entry(fields: dict[str, object], reason: str) -> None:
    """RFC 826 "?Do I have the hardware type in ar$hrd?" and on; hostile-input row 37"""
    link = Link()
    arrive(link, packet(**fields))  # type: ignore[arg-type]
    assert (link.drops(), link.sent(), link.iface.neigh.table) == ({reason: 1}, [], {})


@pytest.mark.parametrize("size", [0, 1, 27])
def test_a_truncated_packet_is_dropped(size: int) -> None:
    link = Link()
    arrive(link, Frame(packet().head[: 14 + size]))
    assert link.drops() == {"drop.arp.short": 1}


def test_trailing_padding_does_not_matter() -> None:
    """RFC 894: frames are padded to 60 bytes."""
    link = Link()
    arrive(link, Frame(packet().head[:42]))
    arrive(link, Frame(packet(mac=OTHER, sender="10.0.0.3").head + b"\xff" * 400))
    assert len(link.sent()) == 2


def test_an_address_that_is_not_usable_yet_is_not_answered_for() -> None:
    link = Link()
    link.iface.addrs = [Addr(ip("10.0.0.1"), 24, TENTATIVE)]
    arp.arrive(link.env, link.iface, packet())
    assert (link.sent(), link.drops()) == ([], {"drop.arp.not_target": 1})


def test_our_answer_is_what_the_layers_would_build() -> None:
    link = Link()
    arrive(link, packet())
    built = Ether(src=ME, dst=PEER) / ARP(op=2, hwsrc=ME, psrc="10.0.0.1", hwdst=PEER, pdst="10.0.0.2")
    assert [bytes(f) for f in link.sent()] == [bytes(built)]
