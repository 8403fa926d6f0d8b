# SPDX-License-Identifier: GPL-2.0-or-later
"""The neighbour machine as a matrix: state x event, for both families; then its times, bounds and queues."""

import errno
from collections.abc import Callable

import pytest
from link_tools import ME, MS, OTHER, PEER, SECOND, Link, hole, ip

from labstack.core.errors import StackError
from labstack.core.frame import Frame
from labstack.link import neighbour
from labstack.link.check import check
from labstack.link.iface import DELAY, FAILED, INCOMPLETE, PERMANENT, PROBE, REACHABLE, STALE
from layers import ARP, Ether, ICMPv6ND_NS, IPv6

V4, V6 = "10.0.0.2", "fd00::2"
STATES = ("", INCOMPLETE, REACHABLE, STALE, DELAY, PROBE, FAILED, PERMANENT)


def send(link: Link, address: str) -> None:
    if neighbour.resolve(link.env, link.iface, ip(address)) is None:
        neighbour.wait(link.env, link.iface, ip(address), hole())


def heard(mac: bytes) -> Callable[[Link, str], None]:
    return lambda link, address: neighbour.heard(link.env, link.iface, ip(address), mac)


def advert(mac: bytes, solicited: bool, override: bool) -> Callable[[Link, str], None]:
    return lambda link, address: neighbour.answered(link.env, link.iface, ip(address), mac, solicited, override)


def hint(link: Link, address: str) -> None:
    neighbour.confirm(link.env, link.iface, ip(address))


def timeout(link: Link, address: str) -> None:
    neighbour.expire(link.env, link.iface, ip(address))


def put(link: Link, address: str, state: str) -> None:
    """Bring a neighbour at PEER into a state the way it gets there in life."""
    steps: dict[str, list[Callable[[Link, str], None]]] = {
        "": [],
        INCOMPLETE: [send],
        REACHABLE: [heard(PEER), hint],
        STALE: [heard(PEER)],
        DELAY: [heard(PEER), send],
        PROBE: [heard(PEER), send, timeout],
        FAILED: [send, timeout, timeout, timeout],
        PERMANENT: [lambda link, a: neighbour.permanent(link.env, link.iface, ip(a), PEER)],
    }
    for step in steps[state]:
        step(link, address)
    assert link.state(address) == state


# what each event makes of: (none) INCOMPLETE REACHABLE STALE DELAY PROBE FAILED PERMANENT
# "." unchanged; "*" the MAC is now the other one
MATRIX: dict[str, tuple[Callable[[Link, str], None], str]] = {
    "send": (send, "INCOMPLETE . . DELAY . . INCOMPLETE ."),
    "heard, same MAC": (heard(PEER), "STALE STALE . . . . STALE ."),
    "heard, other MAC": (heard(OTHER), "STALE* STALE* STALE* STALE* STALE* STALE* STALE* ."),
    "NA no MAC": (advert(b"", False, False), ". . . . . . . ."),
    "NA no MAC, override": (advert(b"", False, True), ". . . . . . . ."),
    "NA no MAC, solicited": (advert(b"", True, False), ". . . REACHABLE REACHABLE REACHABLE . ."),
    "NA same": (advert(PEER, False, False), ". STALE . . . . . ."),
    "NA same, override": (advert(PEER, False, True), ". STALE . . . . . ."),
    "NA same, solicited": (advert(PEER, True, False), ". REACHABLE . REACHABLE REACHABLE REACHABLE . ."),
    "NA other": (advert(OTHER, False, False), ". STALE* STALE . . . . ."),
    "NA other, solicited": (advert(OTHER, True, False), ". REACHABLE* STALE . . . . ."),
    "NA other, override": (advert(OTHER, False, True), ". STALE* STALE* STALE* STALE* STALE* . ."),
    "NA other, both": (advert(OTHER, True, True), ". REACHABLE* REACHABLE* REACHABLE* REACHABLE* REACHABLE* . ."),
    "hint": (hint, ". . . REACHABLE REACHABLE REACHABLE . ."),
    "timeout": (timeout, ". . STALE (none) PROBE . (none) ."),
}


@pytest.mark.parametrize("address", [V4, V6])
@pytest.mark.parametrize("start", STATES)
@pytest.mark.parametrize("event", MATRIX)
def test_every_state_meets_every_event(event: str, start: str, address: str) -> None:
    """RFC 4861 §7.3.2, §7.3.3, §7.2.3, §7.2.5 and its appendix C, cell by cell."""
    link = Link()
    put(link, address, start)
    if event == "timeout" and start == REACHABLE:
        link.env.now += 45 * SECOND
    if event == "timeout" and start == PERMANENT:
        assert not link.env.timers.at
        return
    act, row = MATRIX[event]
    act(link, address)
    expected = row.split()[STATES.index(start)]
    if expected == ".":
        expected = start
    changed = expected.endswith("*")
    assert link.state(address) == expected.removesuffix("*").removeprefix("(none)")
    entry = link.iface.neigh.table.get(ip(address))
    if entry is not None and entry.header:
        assert entry.mac == (OTHER if changed else PEER)
        assert entry.header == entry.mac + ME + (b"\x08\x00" if address == V4 else b"\x86\xdd")
    check(link.env, link.iface)
    assert all(link.said())


def test_an_arp_question_goes_to_everybody_from_the_address_that_the_packet_has() -> None:
    """RFC 826: sender fields ours, target hardware address unknown."""
    link = Link()
    assert neighbour.resolve(link.env, link.iface, ip(V4), ip("10.0.0.1")) is None
    (frame,) = link.sent()
    assert (frame.dst, frame.src) == ("ff:ff:ff:ff:ff:ff", "02:00:00:00:00:01")
    arp = frame[ARP]
    assert (arp.op, arp.psrc, arp.hwsrc, arp.pdst, arp.hwdst) == (
        1,
        "10.0.0.1",
        "02:00:00:00:00:01",
        "10.0.0.2",
        "00:00:00:00:00:00",
    )


def test_a_solicitation_goes_to_the_solicited_node_group_with_hop_limit_255_and_our_mac() -> None:
    """RFC 4861 §4.3, §7.2.2"""
    link = Link()
    assert neighbour.resolve(link.env, link.iface, ip("fe80::a:2"), ip("fe80::1")) is None
    (frame,) = link.sent()
    assert frame.dst == "33:33:ff:0a:00:02"
    packet = frame[IPv6]
    assert (packet.src, packet.dst, packet.hlim) == ("fe80::1", "ff02::1:ff0a:2", 255)
    assert packet[ICMPv6ND_NS].tgt == "fe80::a:2"
    assert bytes(frame)[-8:] == b"\1\1" + ME
    rebuilt = Ether(bytes(frame))
    rebuilt[ICMPv6ND_NS].cksum = None
    assert bytes(rebuilt) == bytes(frame)


def test_three_questions_a_second_apart_and_then_the_packets_are_undeliverable() -> None:
    """RFC 4861 §7.2.2, RFC 1122 §2.3.2.1: never more than one a second."""
    link = Link()
    send(link, V4)
    asked = [(link.env.now, len(link.sent()))]
    for _ in range(3):
        link.wait(SECOND)
        asked.append((link.env.now, len(link.sent())))
    assert asked == [(0, 1), (SECOND, 1), (2 * SECOND, 1), (3 * SECOND, 0)]
    assert link.state(V4) == FAILED
    assert [bytes(f.head[14:]) for f in link.iface.neigh.failed] == [b"packet"]
    assert link.drops() == {"drop.neigh.unreachable": 1}


def test_more_packets_while_waiting_ask_no_more_questions() -> None:
    """RFC 1122 §2.3.2.1: no flood of requests."""
    link = Link()
    for _ in range(5):
        send(link, V4)
    assert len(link.sent()) == 1


def test_waiting_packets_go_out_in_order_the_moment_the_answer_comes() -> None:
    """RFC 4861 §7.2.2, RFC 1122 §2.3.2.2"""
    link = Link()
    for tag in (b"1", b"2", b"3"):
        if neighbour.resolve(link.env, link.iface, ip(V4)) is None:
            neighbour.wait(link.env, link.iface, ip(V4), hole(tag))
    link.sent()
    advert(PEER, True, True)(link, V4)
    sent = link.env.actions
    assert [bytes(a.frame.head) for a in sent] == [PEER + ME + b"\x08\0" + tag for tag in (b"1", b"2", b"3")]


def test_the_oldest_packet_makes_room_in_a_full_queue() -> None:
    """RFC 1122 §2.3.2.2: the latest packet is kept."""
    link = Link(unres_qlen=2)
    for tag in (b"1", b"2", b"3"):
        neighbour.resolve(link.env, link.iface, ip(V4))
        neighbour.wait(link.env, link.iface, ip(V4), hole(tag))
    entry = link.iface.neigh.table[ip(V4)]
    assert [bytes(f.head[14:]) for f in entry.pending] == [b"2", b"3"]
    assert link.drops() == {"drop.neigh.queue": 1}


def test_a_super_segment_waits_and_leaves_with_its_offload_marks() -> None:
    link = Link()
    neighbour.resolve(link.env, link.iface, ip(V4))
    body = (memoryview(b"x" * 3000),)
    frame = Frame(b"\0" * 6 + ME + b"\x08\0" + bytes(40), body, gso=1460, csum=(34, 16))
    neighbour.wait(link.env, link.iface, ip(V4), frame)
    link.env.actions.clear()
    heard(PEER)(link, V4)
    (tx,) = link.env.actions
    assert (tx.frame.gso, tx.frame.csum, tx.frame.body) == (1460, (34, 16), body)
    assert tx.frame.head[:6] == PEER


def test_reachable_lasts_between_half_and_one_and_a_half_base_times_and_not_always_the_same() -> None:
    """RFC 4861 §6.3.2"""
    link = Link()
    ends = []
    for n in range(2, 40):
        address = f"10.0.0.{n}"
        put(link, address, REACHABLE)
        ends.append(link.iface.neigh.table[ip(address)].reachable)
    assert all(15 * SECOND <= e <= 45 * SECOND for e in ends)
    assert len(set(ends)) == len(ends)


def test_hints_keep_a_neighbour_reachable_without_any_question() -> None:
    """RFC 4861 §7.3.1"""
    link = Link()
    put(link, V4, REACHABLE)
    link.env.trace.clear()
    for _ in range(60):
        link.wait(10 * SECOND)
        hint(link, V4)
        send(link, V4)
    assert link.state(V4) == REACHABLE
    assert (link.sent(), link.env.trace) == ([], [])
    link.wait(46 * SECOND)
    assert link.state(V4) == STALE


def test_a_stale_neighbour_is_used_at_once_and_asked_alone_five_seconds_later() -> None:
    """RFC 4861 §7.3.3: DELAY_FIRST_PROBE_TIME, then unicast probes; ARP likewise (RFC 1122 §2.3.2.1 (2))."""
    link = Link()
    put(link, V4, STALE)
    assert neighbour.resolve(link.env, link.iface, ip(V4)) == PEER + ME + b"\x08\0"
    link.wait(5 * SECOND - 1)
    assert link.sent() == []
    link.wait(1)
    (probe,) = link.sent()
    assert (probe.dst, probe[ARP].pdst) == ("02:00:00:00:00:02", V4)
    link.wait(3 * SECOND)
    assert len(link.sent()) == 2
    assert link.state(V4) == FAILED
    assert neighbour.resolve(link.env, link.iface, ip(V4)) is None


def test_a_unicast_probe_of_nd_goes_to_the_neighbour_itself() -> None:
    """RFC 4861 §7.3.3"""
    link = Link()
    put(link, V6, PROBE)
    (probe,) = link.sent()
    assert (probe.dst, probe[IPv6].dst) == ("02:00:00:00:00:02", V6)


def test_an_entry_that_nobody_uses_is_collected() -> None:
    """RFC 1122 §2.3.2.1: out-of-date entries are flushed."""
    link = Link(gc_stale_time=60)
    put(link, V4, STALE)
    link.wait(59 * SECOND)
    assert link.state(V4) == STALE
    link.wait(SECOND)
    assert link.state(V4) == ""
    assert not link.env.timers.at


def test_a_flood_of_strangers_never_displaces_a_neighbour_in_use() -> None:
    """RFC 6583 §5.1: REACHABLE, DELAY, PROBE and PERMANENT entries stay, and the table stays bounded."""
    link = Link(gc_thresh3=16)
    for n, state in enumerate((REACHABLE, DELAY, PROBE, PERMANENT), 2):
        put(link, f"fd00::{n}", state)
    for n in range(1000):
        heard(OTHER)(link, f"fd00::1:{n:x}")
        check(link.env, link.iface)
    assert len(link.iface.neigh.table) == 16
    assert [link.state(f"fd00::{n}") for n in range(2, 6)] == [REACHABLE, DELAY, PROBE, PERMANENT]
    assert link.env.count["NeighEvictions"] == 1000 - 12
    assert link.state("fd00::1:3e7") == STALE
    assert len(link.env.timers.heap) <= 64 + 4 * len(link.env.timers.at)


def test_unanswered_questions_are_bounded_apart_from_the_table() -> None:
    """RFC 6583 §5.1: a scan of the subnet does not fill the table with INCOMPLETE entries."""
    link = Link(gc_thresh3=16)
    for n in range(100):
        send(link, f"fd00::1:{n:x}")
        check(link.env, link.iface)
    assert len(link.iface.neigh.incomplete) == 4
    assert len(link.iface.neigh.failed) == 96
    assert link.state("fd00::1:63") == INCOMPLETE


def test_a_table_full_of_neighbours_in_use_asks_for_no_more_and_says_so() -> None:
    link = Link(gc_thresh3=4)
    for n in range(2, 6):
        put(link, f"10.0.0.{n}", PERMANENT)
    send(link, "10.0.0.9")
    assert link.sent() == []
    assert link.drops() == {"drop.neigh.full": 1, "drop.neigh.unreachable": 1}


def test_without_any_question_allowed_a_neighbour_fails_at_once() -> None:
    link = Link(mcast_solicit=0)
    send(link, V4)
    assert (link.state(V4), len(link.iface.neigh.failed), link.sent()) == (FAILED, 1, [])


def test_forgetting_a_neighbour_gives_its_packets_up_and_stops_its_timer() -> None:
    link = Link()
    send(link, V4)
    neighbour.forget(link.env, link.iface, ip(V4))
    assert (link.state(V4), len(link.iface.neigh.failed), link.env.timers.at) == ("", 1, {})


def test_a_link_without_ethernet_needs_no_neighbours() -> None:
    link = Link(mac=b"")
    assert neighbour.resolve(link.env, link.iface, ip(V4)) == b""
    assert not link.iface.neigh.table


@pytest.mark.parametrize(
    ("own", "mac", "code"),
    [
        (ME, b"\2\0\0", errno.EINVAL),
        (ME, b"\xff" * 6, errno.EINVAL),
        (ME, b"", errno.EINVAL),
        (b"", PEER, errno.EOPNOTSUPP),
    ],
)
def test_a_neighbour_that_makes_no_sense_cannot_be_entered(own: bytes, mac: bytes, code: int) -> None:
    link = Link(mac=own)
    with pytest.raises(StackError) as caught:
        neighbour.permanent(link.env, link.iface, ip(V4), mac)
    assert (caught.value.errno, link.iface.neigh.table) == (code, {})


def test_a_neighbour_cannot_be_entered_into_a_table_full_of_neighbours_in_use() -> None:
    link = Link(gc_thresh3=4)
    for n in range(2, 6):
        put(link, f"10.0.0.{n}", PERMANENT)
    with pytest.raises(StackError) as caught:
        neighbour.permanent(link.env, link.iface, ip("10.0.0.9"), PEER)
    assert caught.value.errno == errno.ENOBUFS


def test_only_changes_of_state_are_traced() -> None:
    link = Link()
    put(link, V4, REACHABLE)
    link.env.trace.clear()
    advert(PEER, True, True)(link, V4)
    assert link.env.trace == []


def test_a_clone_of_a_busy_table_lives_the_same_life() -> None:
    link = Link()
    for n, state in enumerate(STATES[1:], 2):
        put(link, f"10.0.0.{n}", state)
    twin = Link()
    twin.env, twin.iface = link.env.clone(), link.iface.clone()
    assert (twin.env, twin.iface) == (link.env, link.iface)
    for it in (link, twin):
        it.wait(200 * SECOND + 3 * MS)
    assert (twin.env, twin.iface) == (link.env, link.iface)
    assert link.iface.neigh.table.keys() == {ip("10.0.0.8")}
