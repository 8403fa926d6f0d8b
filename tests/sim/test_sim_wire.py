# SPDX-License-Identifier: GPL-2.0-or-later
"""Each wire does what its name says to the frames it carries, and to nothing else."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labstack.core.config import MS, SECOND
from labstack.core.frame import Frame
from labstack.core.rng import Rng
from labstack.sim.wire import (
    Arrival,
    Blackhole,
    Bursts,
    Corrupt,
    Delay,
    Duplicate,
    Exactly,
    Loss,
    Lost,
    Mark,
    Mtu,
    Police,
    Rate,
    Reorder,
    Rule,
    Wire,
    cut,
    damaged,
    marked,
)
from layers import IP, TCP, Ether, IPv6
from layers.checksum import checksum

INSTANT = Delay(0)
FRAME = Frame(bytes(14) + b"hello")


def fates(wire: Wire, count: int, seed: int = 1) -> list[str]:
    """The fate of each of `count` frames that enter one after the other, 1 ms apart."""
    rng = Rng(seed)
    return [a.fate for i in range(count) for a in wire.carry(FRAME, i * MS, rng)]


def test_a_delay_is_constant_and_passes_the_same_frame() -> None:
    assert Delay(7).carry(FRAME, 100, Rng(1)) == [Arrival(107, FRAME)]
    assert Delay().carry(FRAME, 0, Rng(1))[0].at == 10 * MS


def test_jitter_spreads_evenly_over_its_whole_range() -> None:
    rng, wire = Rng(1), Delay(100, jitter=3)
    times = [wire.carry(FRAME, 0, rng)[0].at for _ in range(4000)]
    assert set(times) == {100, 101, 102, 103}
    assert all(900 < times.count(t) < 1100 for t in set(times))


def test_a_rate_sends_frames_one_after_the_other() -> None:
    wire = Rate(INSTANT, bits=8_000)  # a byte takes a millisecond
    rng = Rng(1)
    assert [wire.carry(FRAME, 0, rng)[0].at for _ in range(3)] == [19 * MS, 38 * MS, 57 * MS]
    assert wire.carry(FRAME, SECOND, rng)[0].at == SECOND + 19 * MS  # idle in between


def test_a_full_queue_drops_and_a_frame_that_left_makes_room() -> None:
    wire, rng = Rate(INSTANT, bits=8_000, queue=1), Rng(1)
    assert [wire.carry(FRAME, 0, rng)[0].fate for _ in range(3)] == ["", "", "queue full"]
    assert wire.carry(FRAME, 19 * MS - 1, rng)[0].fate == "queue full"
    assert wire.carry(FRAME, 19 * MS, rng) == [Arrival(57 * MS, FRAME)]
    assert len(wire.leaves) == 2


def test_loss_is_as_frequent_as_asked() -> None:
    assert set(fates(Loss(INSTANT, 0), 100)) == {""}
    assert set(fates(Loss(INSTANT, 1), 100)) == {"loss 100 %"}
    assert 900 < fates(Loss(INSTANT, 0.1), 10_000).count("loss 10 %") < 1100


def test_burst_losses_come_in_runs_of_the_expected_length() -> None:
    """Gilbert: runs of loss last 1/leave frames on average, and begin every 1/enter good ones."""
    lost = [bool(f) for f in fates(Bursts(INSTANT, enter=0.02, leave=0.25), 50_000)]
    starts = sum(b and not a for a, b in zip([False, *lost], lost, strict=False))
    assert 3.5 < sum(lost) / starts < 4.5
    assert 45 < lost.count(False) / starts < 55


def test_exactly_the_numbered_frames_are_lost() -> None:
    assert fates(Exactly(INSTANT, (2, 4)), 5) == ["", "loss of frame 2", "", "loss of frame 4", ""]


def test_a_rule_diverts_the_next_frames_that_match_and_no_more() -> None:
    wire = Rule(INSTANT, lambda raw: b"hello" in raw, Lost("rule 1"), left=2)
    other = Frame(bytes(14) + b"other")
    rng = Rng(1)
    met = [wire.carry(frame, 0, rng)[0].fate for frame in (other, FRAME, other, FRAME, FRAME)]
    assert met == ["", "rule 1", "", "rule 1", ""]
    late = Rule(INSTANT, lambda raw: True, Delay(5), left=-1)
    assert [late.carry(FRAME, 0, rng)[0].at for _ in range(3)] == [5, 5, 5]


def test_a_rule_that_raises_costs_itself_and_not_the_frame() -> None:
    wire = Rule(INSTANT, lambda raw: raw[999] == 1, Lost("rule 1"))
    assert fates(wire, 3) == ["", "", ""]
    assert wire.left == 0
    assert wire.fault == "IndexError: index out of range"


def test_a_duplicate_travels_through_all_that_is_inside() -> None:
    wire = Duplicate(Rate(INSTANT, bits=8_000), 1)
    assert [a.at for a in wire.carry(FRAME, 0, Rng(1))] == [19 * MS, 38 * MS]
    assert 900 < len(fates(Duplicate(INSTANT, 0.1), 10_000)) - 10_000 < 1100


def test_a_reordered_frame_is_overtaken() -> None:
    wire, rng = Reorder(Delay(10), 0.5, by=100), Rng(1)
    assert {wire.carry(FRAME, 0, rng)[0].at for _ in range(100)} == {10, 110}


def test_corruption_spares_the_link_header_and_takes_away_trust() -> None:
    """RFC 1071 §1: a burst of up to 15 bits changes every sum that covers it."""
    rng, trusted = Rng(1), Frame(bytes(14) + bytes(range(1, 101)), sure=True)
    for _ in range(2000):
        (arrival,) = Corrupt(INSTANT, 1).carry(trusted, 0, rng)
        assert not arrival.frame.sure
        assert arrival.frame.head[:14] == bytes(14)
        assert checksum(arrival.frame.head[14:]) != checksum(trusted.head[14:])
    assert Corrupt(INSTANT, 0).carry(trusted, 0, rng)[0].frame is trusted


def test_corruption_of_a_partial_checksum_completes_it_first() -> None:
    """The receiver must see a wrong checksum, not one that is still to be computed."""
    partial = Frame(bytes(14) + bytes(40), csum=(34, 16))
    (arrival,) = Corrupt(INSTANT, 1, burst=1).carry(partial, 0, Rng(1))
    assert arrival.frame.csum is None
    ours, theirs = partial.cuts()[0], arrival.frame.cuts()[0]
    assert (int.from_bytes(ours, "big") ^ int.from_bytes(theirs, "big")).bit_count() == 1


@given(raw=st.binary(max_size=40), first=st.integers(0, 14), burst=st.integers(1, 15), seed=st.integers(0, 2**32))
def test_damage_is_one_short_burst_behind_the_first_byte(raw: bytes, first: int, burst: int, seed: int) -> None:
    flipped = int.from_bytes(damaged(raw, first, burst, Rng(seed)), "big") ^ int.from_bytes(raw, "big")
    if len(raw) <= first:
        assert flipped == 0
    else:
        assert 1 <= (flipped // (flipped & -flipped)).bit_length() <= burst
        assert flipped < 1 << 8 * (len(raw) - first)


def test_an_mtu_counts_from_behind_the_link_header() -> None:
    wire = Mtu(INSTANT, 5)
    assert fates(wire, 1) == [""]
    assert wire.carry(Frame(bytes(14) + b"sixsix"), 0, Rng(1))[0].fate == "mtu 5"
    assert wire.carry(Frame(b"sixsix", net=0), 0, Rng(1))[0].fate == "mtu 5"


def test_a_black_hole_has_a_beginning_and_an_end() -> None:
    assert fates(Blackhole(INSTANT, since=1 * MS, until=3 * MS), 4) == ["", "black hole", "black hole", ""]


@pytest.mark.parametrize("packet", [IP(src="10.0.0.1", dst="10.0.0.2", tos=2), IPv6(src="::1", dst="::2", tc=2)])
def test_a_mark_is_ce_and_nothing_else_changes(packet: IP | IPv6) -> None:
    """RFC 3168 §5."""
    raw, field = bytes(Ether() / packet / TCP()), "tos" if isinstance(packet, IP) else "tc"
    found = Ether(marked(Frame(raw)).cuts()[0])
    setattr(packet, field, 3)
    assert bytes(found) == bytes(Ether() / packet / TCP())


def test_what_is_not_ecn_capable_is_not_marked() -> None:
    plain = Frame(bytes(Ether() / IP() / TCP()))
    for frame in (plain, FRAME):
        assert marked(frame) is frame


def test_marks_begin_with_so_many_frames_in_the_queue() -> None:
    wire, rng = Mark(INSTANT, bits=8_000, above=2), Rng(1)
    raw = bytes(Ether() / IP(tos=1) / TCP())
    seen = [wire.carry(Frame(raw), 0, rng)[0].frame.cuts()[0][15] & 3 for _ in range(4)]
    assert seen == [1, 1, 3, 3]


def test_a_policer_lets_a_burst_pass_and_then_a_rate() -> None:
    wire = Police(INSTANT, bits=19 * 8 * 500, burst=38)  # a frame in 2 ms
    assert fates(wire, 6) == ["", "", "", "policed", "", "policed"]


def test_wires_compose_from_the_outside_in() -> None:
    wire = Exactly(Rate(Delay(5), bits=8_000), (1,))
    rng = Rng(1)
    assert wire.carry(FRAME, 0, rng)[0].fate == "loss of frame 1"
    assert wire.carry(FRAME, 0, rng)[0].at == 19 * MS + 5  # the lost frame never queued


def test_a_clone_of_a_wire_goes_on_alone() -> None:
    wire = Exactly(Rate(INSTANT, bits=8_000), (2,))
    fates(wire, 1)
    twin = wire.clone()
    assert twin == wire
    assert fates(twin, 1) == ["loss of frame 2"]
    assert wire.seen == 1
    assert twin.diff(wire) == [("seen", 2, 1)]
    fates(wire, 3)
    assert twin.inner.leaves != wire.inner.leaves  # type: ignore[attr-defined]


def test_only_wires_that_look_at_single_frames_need_them_cut() -> None:
    assert not Blackhole(Delay(), 0, 1).real()
    assert Blackhole(Mtu(Delay(), 1500), 0, 1).real()
    assert all(w.real() for w in (Loss(INSTANT, 0.1), Rate(INSTANT, 1), Rule(INSTANT, bool, INSTANT)))


def test_cut_frames_are_small_complete_and_trusted() -> None:
    tcp = struct.pack("!HHIIBBHHH", 1, 2, 3, 4, 5 << 4, 0x18, 100, 0, 0)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 0, 1, 0, 64, 6, 0, b"\x0a\0\0\1", b"\x0a\0\0\2")
    pieces = cut(Frame(bytes(14) + ip + tcp, (b"x" * 2500,), gso=1000, csum=(34, 16)))
    assert [len(p) - 54 for p in pieces] == [1000, 1000, 500]
    assert all(p.sure and p.gso is None and p.csum is None for p in pieces)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Loss(INSTANT, 10), "chance = 10: expected a probability"),
        (lambda: Bursts(INSTANT, 0.1, -1), "leave = -1"),
        (lambda: Rate(INSTANT, 0), "bits = 0: expected a whole number, 1 or greater"),
        (lambda: Delay(0.01), "delay = 0.01: expected a whole number"),
        (lambda: Corrupt(INSTANT, 0.1, 16), "burst = 16: expected 1..15"),
        (lambda: Exactly(INSTANT, (0,)), "which = 0"),
    ],
)
def test_a_wire_says_what_is_wrong_with_its_numbers(make: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make()  # type: ignore[operator]
