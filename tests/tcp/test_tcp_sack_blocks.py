# SPDX-License-Identifier: GPL-2.0-or-later
"""The SACK blocks that we tell: what came beyond a gap, and what came twice (RFC 2018, RFC 2883)."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tcp_script import ALWAYS, Script

from labstack.core.config import MS
from labstack.core.counters import drops

Tcp = Callable[..., Script]
SYN = {"mss": 1460, "sack_ok": True}
BLOCK = 1000


def opened(tcp: Tcp, ts: int = 0, squeeze: int = 0, **more: Any) -> Script:
    """squeeze: how many duplicate ACKs one may stand for."""
    more["sysctl"] = {"net.ipv4.tcp_comp_sack_nr": squeeze, **more.get("sysctl", {})}
    s = tcp(sack=True, stamps=bool(ts), **more)
    s.wait(1000)
    return s.opened(SYN, ts)


def block(s: Script, n: int, **more: Any) -> None:
    """The n-th thousand bytes of the peer's stream."""
    s.rx("A", seq=1 + n * BLOCK, data=BLOCK, **more)


def told(*ns: int) -> list[tuple[int, int]]:
    """Blocks of one thousand bytes each."""
    return [(1 + n * BLOCK, 1 + (n + 1) * BLOCK) for n in ns]


def ext(s: Script) -> dict[str, int]:
    return {k[6:]: v for k, v in s.stack.env.count.items() if k.startswith("TcpExt") and v and k not in ALWAYS}


# ---- agreeing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theirs", [True, False])
@pytest.mark.parametrize("ours", [True, False])
def test_blocks_are_told_if_both_syns_permit_it(tcp: Tcp, ours: bool, theirs: bool) -> None:
    """RFC 2018 §2; tcp_sack."""
    s = tcp(sack=ours).opened({"mss": 1460, "sack_ok": theirs})
    block(s, 1)
    assert s.tx("A", ack=1).sack == (told(1) if ours and theirs else [])


def test_sack_permitted_on_a_later_segment_is_nothing(tcp: Tcp) -> None:
    """RFC 2018 §2: it belongs to SYNs."""
    s = tcp(sack=True).passive()
    block(s, 1, sack_ok=True)
    assert s.tx("A").sack == []


# ---- blocks ---------------------------------------------------------------------------------------------------------


def test_the_first_block_has_the_segment_that_came_last(tcp: Tcp) -> None:
    """RFC 2018 §4, the first rule; the others repeat what was told last."""
    s = opened(tcp)
    for n, wanted in ((1, (1,)), (5, (5, 1)), (3, (3, 5, 1)), (7, (7, 3, 5, 1)), (9, (9, 7, 3, 5))):
        block(s, n)
        assert s.tx("A", ack=1).sack == told(*wanted)
    assert ext(s) == {"TCPOFOQueue": 5}


@pytest.mark.parametrize(("ts", "fits"), [(0, 4), (5000, 3)])
def test_as_many_blocks_as_there_is_room_for(tcp: Tcp, ts: int, fits: int) -> None:
    """RFC 2018 §3."""
    s = opened(tcp, ts)
    for n in (1, 3, 5, 7, 9):
        block(s, n, **({"ts": (ts, 1000)} if ts else {}))
    assert s.burst()[-1].sack == told(9, 7, 5, 3)[:fits]


def test_blocks_that_meet_become_one_and_the_latest(tcp: Tcp) -> None:
    """RFC 2018 §4: a block is one contiguous piece."""
    s = opened(tcp)
    for n in (1, 3, 5):
        block(s, n)
    block(s, 2)
    assert s.burst()[-1].sack == [(1001, 4001), (5001, 6001)]


def test_what_the_acknowledgment_has_passed_is_told_no_more(tcp: Tcp) -> None:
    """RFC 2018 §4."""
    s = opened(tcp)
    for n in (1, 3):
        block(s, n)
    block(s, 0)
    assert s.burst()[-1].sack == told(3)
    block(s, 2)
    assert s.tx("A", ack=4001).sack == []


def test_a_block_that_nobody_was_told_of_for_long_is_forgotten(tcp: Tcp) -> None:
    """RFC 2018 §4: of five islands four are told; what fills the first gap does not bring the fifth back."""
    s = opened(tcp)
    for n in (1, 3, 5, 7, 9):
        block(s, n)
    s.burst()
    block(s, 8)
    assert s.tx("A").sack == [(7001, 10001), (5001, 6001), (3001, 4001)]
    block(s, 1)  # again: it is the latest
    assert s.tx("A").sack == [*told(1), *told(1), (7001, 10001), (5001, 6001)]


def test_data_carries_blocks_too_if_it_leaves_room(tcp: Tcp) -> None:
    """RFC 2018 §4: SACK options go on all ACKs; never beyond the segment size."""
    s = opened(tcp)
    block(s, 1)
    s.tx("A")
    s.call("send", s.sock, bytes(10))
    assert s.tx("PA").sack == told(1)
    s.call("send", s.sock, bytes(1460))
    for seg in s.burst():
        assert seg.size + 4 * len(seg.options) <= 1460


def test_a_fin_beyond_a_gap_is_part_of_the_block_that_it_follows(tcp: Tcp) -> None:
    """RFC 2018 §3: it has a sequence number, and who knows that it arrived need not send it again, as on Linux."""
    s = opened(tcp)
    s.rx("FA", seq=1001, data=500)
    assert s.tx("A", ack=1).sack == [(1001, 1502)]


def test_a_fin_alone_beyond_a_gap_is_a_block(tcp: Tcp) -> None:
    """RFC 2018 §4: so the sender learns at once what was lost before it."""
    s = opened(tcp)
    s.rx("FA", seq=2001)
    assert s.tx("A", ack=1).sack == [(2001, 2002)]
    block(s, 0)
    assert s.tx("A", ack=1001).sack == [(2001, 2002)]
    block(s, 1)
    assert s.tx("A", ack=2002).sack == []
    assert s.conn.rcv.recent == ()


def test_a_fin_that_comes_again_beyond_a_gap_is_answered_again(tcp: Tcp) -> None:
    """RFC 5681 §4.2: it may be a tail loss probe, which needs an answer; with SACK that says that it came twice."""
    s = opened(tcp)
    s.rx("FA", seq=2001)
    assert s.tx("A", ack=1).sack == [(2001, 2002)]
    s.rx("FA", seq=2001)
    assert s.tx("A", ack=1).sack == [(2001, 2002), (2001, 2002)]
    s = tcp(sack=False).passive()
    for _ in range(2):
        s.rx("FA", seq=2001)
        s.tx("A", ack=1)


# ---- what came twice ------------------------------------------------------------------------------------------------


def test_a_duplicate_below_the_acknowledgment_is_told_once(tcp: Tcp) -> None:
    """RFC 2883 §4.1."""
    s = opened(tcp)
    block(s, 0)
    s.tx("A", ack=1001)
    block(s, 0)
    assert s.tx("A", ack=1001).sack == told(0)
    block(s, 2)
    assert s.tx("A", ack=1001).sack == told(2)
    assert ext(s) == {"DelayedACKLost": 1, "TCPDSACKOldSent": 1, "TCPOFOQueue": 1}
    assert drops(s.stack.env.count) == {"drop.tcp.outside_window": 1}


def test_of_a_segment_that_is_partly_old_the_old_part_is_told(tcp: Tcp) -> None:
    """RFC 2883 §4.1."""
    s = opened(tcp)
    block(s, 0)
    s.tx("A")
    s.rx("A", seq=501, data=1000)
    assert s.tx("A", ack=1501).sack == [(501, 1001)]
    assert ext(s) == {"TCPDSACKOldSent": 1}


@pytest.mark.parametrize(
    ("start", "end", "twice", "island"),
    [
        (1001, 2001, (1001, 2001), (1001, 3001)),
        (2001, 3501, (2001, 3001), (1001, 3501)),
        (501, 1501, (1001, 1501), (501, 3001)),
        (501, 4001, (1001, 3001), (501, 4001)),
    ],
)
def test_a_duplicate_beyond_a_gap_is_told_before_the_block_it_lies_in(
    tcp: Tcp, start: int, end: int, twice: tuple[int, int], island: tuple[int, int]
) -> None:
    """RFC 2883 §4.2: also if only a part of it came twice."""
    s = opened(tcp)
    s.rx("A", seq=1001, data=2000)
    s.tx("A")
    s.rx("A", seq=start, data=end - start)
    assert s.tx("A", ack=1).sack == [twice, island]
    assert ext(s)["TCPDSACKOfoSent"] == 1


def test_of_several_duplicates_in_one_segment_the_first_is_told(tcp: Tcp) -> None:
    """RFC 2883 §4: one D-SACK block in an option."""
    s = opened(tcp)
    for n in (1, 3):
        block(s, n)
    s.burst()
    s.rx("A", seq=501, data=4000)
    assert s.tx("A").sack == [(1001, 2001), (501, 4501)]
    assert ext(s)["TCPDSACKOfoSent"] == 1


def test_a_fin_that_came_twice_is_told(tcp: Tcp) -> None:
    """RFC 2883 §4.1: its sequence number, too."""
    s = opened(tcp)
    s.rx("FA")
    s.soon()
    s.rx("FA", seq=1)
    assert s.tx("A", ack=2).sack == [(1, 2)]


def test_nothing_is_told_twice_if_dsack_is_off(tcp: Tcp) -> None:
    """tcp_dsack = 0."""
    s = opened(tcp, sysctl={"net.ipv4.tcp_dsack": 0})
    block(s, 0)
    block(s, 0)
    assert s.burst()[-1].sack == []
    assert ext(s) == {"DelayedACKLost": 1}


# ---- one ACK for many -----------------------------------------------------------------------------------------------


def test_of_the_duplicate_acks_for_a_gap_three_go_at_once(tcp: Tcp) -> None:
    """Linux's ACK compression: the others wait a twentieth of the round trip, 1 ms at most, and 0.1 ms of slack."""
    s = opened(tcp, 5000, squeeze=44)
    s.conn.snd.rtt.srtt = 100 * MS
    s.wait(100)
    for n in range(1, 9):
        block(s, n, ts=(5000, 1000))
    assert [seg.sack[0][1] for seg in s.burst()] == [2001, 3001, 4001]
    assert s.soon().sack == [(1001, 9001)]
    assert s.now == 1_101_100_000
    s.nothing(100)
    assert ext(s) == {"TCPOFOQueue": 8, "TCPAckCompressed": 4}


def test_an_ack_that_goes_anyhow_stands_for_those_that_wait(tcp: Tcp) -> None:
    """Data takes them along; what fills the gap ends the matter."""
    s = opened(tcp, 5000, squeeze=44)
    s.wait(100)
    for n in range(1, 7):
        block(s, n, ts=(5000, 1000))
    s.burst()
    s.call("send", s.sock, b"x")
    assert s.tx("PA").sack == [(1001, 7001)]
    block(s, 7, ts=(5000, 1000))
    s.nothing()
    block(s, 0, ts=(5000, 1000))
    assert s.tx("A", ack=8001).sack == []
    assert ext(s) == {"TCPOFOQueue": 7, "TCPAckCompressed": 4}
    s.nothing(100)


def test_after_so_many_one_goes_at_once(tcp: Tcp) -> None:
    """tcp_comp_sack_nr."""
    s = opened(tcp, 5000, squeeze=2)
    s.wait(100)
    for n in range(1, 9):
        block(s, n, ts=(5000, 1000))
    assert [seg.sack[0][1] for seg in s.burst()] == [2001, 3001, 4001, 7001]


def test_what_changes_a_block_far_behind_lets_the_others_go(tcp: Tcp) -> None:
    """Linux's TCP_SACK_BLOCKS_EXPECTED: the peer may know nothing of it yet."""
    s = opened(tcp, 5000, squeeze=44)
    s.wait(100)
    for n in (1, 3, 5, 6):
        block(s, n, ts=(5000, 1000))
    s.burst()
    block(s, 8, ts=(5000, 1000))
    assert s.tx("A").sack == [(8001, 9001), (5001, 7001), (3001, 4001)]


def test_without_sack_each_duplicate_ack_goes_at_once(tcp: Tcp) -> None:
    """RFC 5681 §4.2: they are all that the peer has to go by."""
    s = tcp().passive()
    for n in range(1, 9):
        block(s, n)
    assert len(s.burst()) == 8


# ---- whatever comes -------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 12)), min_size=1, max_size=40), st.booleans())
def test_whatever_comes_blocks_tell_the_truth(pieces: list[tuple[int, int]], stamped: bool) -> None:
    """RFC 2018 §4, RFC 2883 §4: every block is disjoint and was received; the latest segment is in the first."""
    s = opened(lambda **more: Script(tracing=False, **more), 5000 if stamped else 0)
    have: set[int] = set()
    more: dict[str, Any] = {"ts": (5000, 1000)} if stamped else {}
    for start, size in pieces:
        s.rx("A", seq=1 + start, data=size, **more)
        new = set(range(1 + start, 1 + start + size))
        twice, have = have & new, have | new
        acks = s.burst()
        for seg in acks:
            blocks = seg.sack[1:] if twice and seg is acks[0] else seg.sack
            assert not twice or seg is not acks[0] or set(range(*seg.sack[0])) <= twice
            for low, high in blocks:
                assert set(range(low, high)) <= have
                assert {low - 1, high}.isdisjoint(have), "a whole island"
                assert low > seg.ack
            assert len({low for low, _ in blocks}) == len(blocks)
            if blocks and start + 1 > seg.ack:
                assert blocks[0][0] <= start + 1 < blocks[0][1]
    s.stack.check()


def test_a_block_that_was_given_up_is_forgotten(tcp: Tcp) -> None:
    """RFC 2018 §8: what lay beyond the peer's FIN is thrown away, and the next block stands alone."""
    s = opened(tcp)
    block(s, 3)
    s.tx(sack=told(3))
    s.rx("FA", seq=1 + 2 * BLOCK)
    assert s.tx().sack == [(2001, 2002)]
    block(s, 1)
    assert [seg.sack for seg in s.burst()] == [[(1001, 2002)]]  # with the FIN
