# SPDX-License-Identifier: GPL-2.0-or-later
"""The receiver: acknowledgments, reassembly, the window it offers."""

import errno
import sys
from collections.abc import Callable
from itertools import permutations

import pytest
from tcp_script import Script, pattern

from labstack.core.counters import drops
from labstack.core.event import READABLE, Rx, Wake
from labstack.core.frame import Frame

Tcp = Callable[..., Script]

# ---- when to acknowledge --------------------------------------------------------------------------------------------


def test_an_ack_waits_40_ms_for_company(tcp: Tcp) -> None:
    """RFC 9293 §3.8.6.3, MUST-40, SHLD-18."""
    s = tcp().passive().settled()
    s.rx("PA", data=100)
    s.tx("A", after=40, ack=101, size=0)
    assert s.count("TcpExtDelayedACKs") == 1
    s.nothing(10_000)


@pytest.mark.parametrize("size", [1460, 590])
def test_every_second_full_segment_is_acknowledged_at_once(tcp: Tcp, size: int) -> None:
    """RFC 9293 §3.8.6.3, SHLD-19: a full-sized segment is what the peer sends, not what it might."""
    s = tcp().passive()
    for _ in range(20):  # until the window is as wide as it gets
        s.rx("A", data=size)
        s.call("recv", s.sock)
        s.burst()
    for n in range(1, 7):
        s.rx("A", data=size)
        s.call("recv", s.sock)
        if n % 2:
            s.nothing()
        else:
            s.tx("A", ack=size * (20 + n) + 1, size=0)


def test_the_first_sixteen_acks_go_at_once(tcp: Tcp) -> None:
    """Linux's quick ACK mode: while the peer's window is small an ACK must not wait."""
    s = tcp().passive()
    for n in range(1, 17):
        s.wait(100)
        s.rx("PA", data=100)
        s.tx("A", after=0, ack=100 * n + 1)
    s.wait(100)
    s.rx("PA", data=100)
    s.tx("A", after=40, ack=1701)


def test_a_peer_that_repeats_itself_is_answered_quickly_for_a_while(tcp: Tcp) -> None:
    """Linux's tcp_enter_quickack_mode: it may have missed an ACK."""
    s = tcp().passive().settled()
    s.rx("PA", data=100)
    s.tx("A", after=40)
    s.rx("PA", seq=1, data=100)
    s.tx("A", after=0)
    s.rx("PA", data=100)
    s.tx("A", after=0, ack=201)


def test_in_a_dialogue_the_ack_waits_for_the_answer(tcp: Tcp) -> None:
    """RFC 9293 §3.8.6.3: once an answer has followed a question, the ACK of the next one can ride on its answer."""
    s = tcp().passive()
    s.rx("PA", data=10)
    s.tx("A", after=0)
    s.call("send", s.sock, b"answer")
    s.tx("PA")
    s.rx("PA", ack=7, data=10)
    s.wait(20)
    s.call("send", s.sock, b"answer")
    s.tx("PA", ack=21)
    s.rx("A", ack=13)
    s.nothing(1000)


def test_the_ack_of_a_fin_waits_for_ours(tcp: Tcp) -> None:
    """RFC 9293 §3.8.6.3: but no longer than any delayed ACK."""
    s = tcp().passive().settled()
    s.rx("FA")
    s.tx("A", after=40, ack=2)


def test_data_carries_the_ack(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.4: piggybacked where possible."""
    s = tcp().passive().settled()
    s.rx("PA", data=100)
    s.call("send", s.sock, b"reply")
    s.tx("PA", ack=101, data=b"reply")
    s.rx("A")
    s.nothing(1000)


def test_a_batch_of_segments_costs_one_ack(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.4, MUST-58, MUST-59: all that is queued is processed before an ACK is emitted."""
    s = tcp().passive()
    for n in range(20):
        raw = s.packet("A", 1 + n * 1460, data=pattern(n * 1460, 1460))
        s.stack.handle(Rx(1, Frame(raw, net=0)), s.now)
    s.settle()
    s.tx("A", ack=1 + 20 * 1460, size=0)
    assert s.call("recv", s.sock) == pattern(0, 20 * 1460)
    s.burst()


def test_out_of_order_and_gap_filling_segments_are_acknowledged_at_once(tcp: Tcp) -> None:
    """RFC 5681 §4.2, MAY-13."""
    s = tcp().passive()
    s.rx("A", seq=101, data=100)
    s.tx("A", ack=1)
    s.rx("A", seq=301, data=100)
    s.tx("A", ack=1)
    s.rx("A", seq=1, data=100)
    s.tx("A", ack=201)
    s.rx("A", seq=201, data=100)
    s.tx("A", ack=401)


def test_a_duplicate_segment_is_acknowledged_at_once_and_dropped(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.4, first: no throttle for text, the peer may have missed our ACK."""
    s = tcp().passive().settled()
    s.rx("PA", data=b"hello")
    s.tx("A", after=40)
    for _ in range(3):
        s.rx("PA", seq=1, data=b"hello")
        s.tx("A", ack=6, size=0)
    assert s.call("recv", s.sock) == b"hello"
    assert drops(s.stack.env.count) == {"drop.tcp.outside_window": 3}


def test_acks_for_segments_without_text_are_throttled(tcp: Tcp) -> None:
    """RFC 5961 §7, §10; tcp_invalid_ratelimit: one in 500 ms."""
    s = tcp().passive()
    for _ in range(100):
        s.rx("A", seq=-1)
    s.tx("A", ack=1)
    s.nothing()
    s.wait(499)
    s.rx("A", seq=0)
    s.nothing()
    s.wait(1)
    s.rx("A", seq=0)
    s.tx("A", ack=1)
    assert (s.count("TcpExtTCPACKSkippedSeq"), s.count("TcpExtTCPChallengeACK")) == (100, 0)


# ---- reassembly -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_any_order_gives_the_same_stream(tcp: Tcp, order: tuple[int, ...]) -> None:
    """RFC 9293 §3.10.7.4, seventh, SHLD-31."""
    s = tcp().passive()
    for n in order:
        s.rx("A", seq=1 + 100 * n, data=pattern(100 * n, 100))
    assert s.call("recv", s.sock) == pattern(0, 400)
    assert s.conn.rcv.islands == []
    s.wait(100)
    assert s.burst()[-1].ack == 401


def test_overlaps_are_cut_and_the_first_copy_wins(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.4, seventh: what was delivered or kept stays as it is."""
    s = tcp().passive()
    s.rx("A", seq=1, data=b"aaaa")
    s.rx("A", seq=7, data=b"cccc")  # 7..10
    s.rx("A", seq=3, data=b"XXbbYYYY")  # 3..10: only 5, 6 are new
    assert s.call("recv", s.sock) == b"aaaabbcccc"
    s.rx("A", seq=13, data=b"ff")
    s.rx("A", seq=12, data=b"eZZg")
    s.rx("A", seq=11, data=b"dZZZZ")
    assert s.call("recv", s.sock) == b"deffg"
    s.burst()


def test_text_beyond_the_window_is_cut(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.4, first: trim any portion outside the window."""
    s = tcp().passive(rcvbuf=1152)
    s.rx("A", data=pattern(0, 1300))
    s.tx("A", ack=1153, win=0)
    assert s.call("recv", s.sock) == pattern(0, 1152)
    s.tx("A", ack=1153, win=1152)


def test_text_wholly_beyond_the_window_is_dropped(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.4, first."""
    s = tcp().passive(rcvbuf=1152)
    s.rx("A", seq=1153, data=100)
    s.tx("A", ack=1)
    assert drops(s.stack.env.count) == {"drop.tcp.outside_window": 1}


def test_islands_are_bounded_and_the_farthest_makes_room(tcp: Tcp) -> None:
    """CVE-2018-5390: tcp_max_islands."""
    s = tcp(sysctl={"net.ipv4.tcp_max_islands": 4}).passive()
    for at in (11, 21, 31, 41, 51, 61):
        s.rx("A", seq=at, data=1)
    assert [i[0] - s.irs for i in s.conn.rcv.islands] == [11, 21, 31, 41]
    assert s.count("TcpExtOfoPruned") == 2
    s.rx("A", seq=5, data=1)
    assert [i[0] - s.irs for i in s.conn.rcv.islands] == [5, 11, 21, 31]
    assert s.count("TcpExtOfoPruned") == 3
    s.rx("A", seq=12, data=1)
    assert [i[:2] for i in s.conn.rcv.islands][1] == (s.irs + 11, s.irs + 13)
    s.burst()


def test_a_full_house_of_islands_still_takes_what_joins_one(tcp: Tcp) -> None:
    """It makes no island more."""
    s = tcp(sysctl={"net.ipv4.tcp_max_islands": 2}).passive()
    for at in (11, 21, 22):
        s.rx("A", seq=at, data=1)
    assert [(i[0] - s.irs, i[1] - s.irs) for i in s.conn.rcv.islands] == [(11, 12), (21, 23)]
    s.burst()


@pytest.mark.parametrize("beyond", [0, 1])
def test_tiny_segments_cost_memory_in_proportion_to_their_bytes(tcp: Tcp, beyond: int) -> None:
    """A peer that sends bytes one by one must not fill our memory, nor make each next byte dearer."""
    s = tcp(tracing=False).passive()
    for n in range(20_000):
        s.stack.handle(Rx(1, Frame(s.packet("A", 1 + beyond + n, data=b"x"), net=0)), s.now)
    s.settle()
    rcv = s.conn.rcv
    pieces = [*rcv.ready, *(p for island in rcv.islands for p in island[2])]
    assert sum(map(len, pieces)) == 20_000
    assert len(pieces) < 40
    assert sum(sys.getsizeof(p) + (len(p.obj) if isinstance(p, memoryview) else 0) for p in pieces) < 60_000
    s.burst()


# ---- the FIN --------------------------------------------------------------------------------------------------------


def test_an_early_fin_counts_when_the_gap_is_filled(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.4, eighth."""
    s = tcp().passive()
    s.rx("FA", seq=101, data=10)
    s.tx("A", ack=1)
    s.state("ESTABLISHED")
    s.rx("A", seq=1, data=100)
    s.tx("A", ack=112)
    s.state("CLOSE_WAIT")
    assert len(s.call("recv", s.sock)) == 110
    assert s.call("recv", s.sock) == b""


def test_text_beyond_an_early_fin_is_not_part_of_the_stream(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.4, eighth: the FIN is the end of the stream, whatever arrives first."""
    s = tcp().passive()
    s.rx("FA", seq=11, data=pattern(10, 10))  # FIN at 21
    s.rx("A", seq=5, data=pattern(4, 40))  # and text to 45
    s.rx("A", seq=1, data=pattern(0, 4))
    s.state("CLOSE_WAIT")
    assert s.call("recv", s.sock) == pattern(0, 20)
    assert s.call("recv", s.sock) == b""
    assert s.burst()[-1].ack == 22


def test_text_that_waited_beyond_a_fin_is_forgotten(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.4, eighth."""
    s = tcp().passive()
    s.rx("A", seq=15, data=pattern(14, 30))
    s.rx("FA", seq=11, data=pattern(10, 10))
    s.rx("A", seq=1, data=pattern(0, 10))
    s.state("CLOSE_WAIT")
    assert s.call("recv", s.sock) == pattern(0, 20)
    assert s.burst()[-1].ack == 22


def test_a_second_fin_elsewhere_changes_nothing(tcp: Tcp) -> None:
    """The first copy wins for the FIN, too."""
    s = tcp().passive()
    s.rx("FA", seq=21)
    s.rx("FA", seq=11)
    s.rx("A", seq=1, data=20)
    s.state("CLOSE_WAIT")
    assert s.burst()[-1].ack == 22


def test_nothing_is_taken_after_the_fin(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.4, seventh: this should not occur; ignore the text."""
    s = tcp().passive()
    s.rx("FA")
    s.tx("A", ack=2)
    s.rx("A", seq=2, data=b"ghost")
    s.nothing(1000)
    assert s.call("recv", s.sock) == b""


# ---- the window we offer --------------------------------------------------------------------------------------------


def test_the_right_edge_never_moves_left(tcp: Tcp) -> None:
    """RFC 9293 §3.8.6, SHLD-14."""
    s = tcp().passive(rcvbuf=10_000)
    edges = []
    for _ in range(6):
        s.rx("A", data=1460)
        s.wait(50)
        edges += [seg.ack + seg.win for seg in s.burst()]
    assert edges == [11_681] * 6


def test_the_window_opens_again_only_by_a_worthwhile_amount(tcp: Tcp) -> None:
    """RFC 9293 §3.8.6.2.2, MUST-39."""
    s = tcp().passive(rcvbuf=6000)
    for _ in range(4):
        s.rx("A", data=1460)
    s.burst()
    s.tx("A", after=40, ack=5841, win=1460)
    s.rx("A", data=1460)
    s.tx("A", after=40, ack=7301, win=0)
    for _ in range(14):
        s.call("recv", s.sock, 100)
        s.nothing()
    s.call("recv", s.sock, 60)  # one segment is read: its memory is free
    s.tx("A", ack=7301, win=1460)
    s.call("recv", s.sock, 1459)
    s.nothing()
    s.call("recv", s.sock, 1)
    s.tx("A", ack=7301, win=2920)


def test_a_closed_window_still_hears_acks_and_resets_and_answers_probes(tcp: Tcp) -> None:
    """RFC 9293 §3.4, §3.8.6.1, MUST-66."""
    s = tcp().passive(rcvbuf=1152)
    s.rx("A", data=1152)
    s.tx("A", win=0)  # half of the buffer is enough for an ACK at once
    s.rx("A", data=1)
    s.tx("A", ack=1153, win=0)
    s.call("send", s.sock, b"x")
    s.tx("PA", win=0)
    s.rx("A", seq=1153, data=1, ack=2)  # a probe that acknowledges
    assert s.conn.snd.una == s.conn.snd.nxt
    s.tx("A", ack=1153)
    s.rx("R", seq=1153)
    s.state("CLOSED")
    assert len(s.call("recv", s.sock)) == 1152
    s.fails(errno.ECONNRESET, "recv", s.sock)
    assert s.count("TcpExtTCPZeroWindowDrop") == 2


def test_the_second_segment_waits_while_the_window_stands_still(tcp: Tcp) -> None:
    """RFC 9293 §3.8.6.3, SHLD-19, does not have that; Linux's __tcp_ack_snd_check: the reading will bring the ACK."""
    s = tcp().passive(rcvbuf=4000)
    s.rx("A", data=1000)
    s.tx("A", ack=1001)
    s.rx("A", data=1000)
    s.rx("A", data=1000)
    s.nothing()
    assert s.noted("linux/tcp_ack_snd_check/waits") == s.stack.env.tracing
    s.tx("A", after=40, ack=3001)


@pytest.mark.parametrize("alone", [False, True])
def test_a_fin_right_behind_the_window_is_taken(tcp: Tcp, alone: bool) -> None:
    """Linux's tcp_sequence and tcp_data_queue, not RFC 9293 §3.10.7.4: a FIN needs no room."""
    s = tcp().passive(rcvbuf=1152)
    s.rx("A" if alone else "FA", data=1152)
    if alone:
        s.tx("A", ack=1153, win=0)
        s.rx("FA", seq=1153)
    s.tx("A", after=40, ack=1154, win=0)  # a FIN of ours may take it along
    s.state("CLOSE_WAIT")
    assert s.count("TcpExtTCPZeroWindowDrop") == 0
    assert (len(s.call("recv", s.sock)), s.call("recv", s.sock)) == (1152, b"")


def test_text_for_a_closed_window_takes_its_fin_along(tcp: Tcp) -> None:
    """RFC 9293 §3.4, MUST-66: the stream ends behind text that was not taken."""
    s = tcp().passive(rcvbuf=1152)
    s.rx("A", data=1152)
    s.tx("A", win=0)
    s.rx("FA", seq=1153, data=1)
    s.tx("A", ack=1153, win=0)
    s.state("ESTABLISHED")


def test_acks_from_a_peer_that_filled_our_window_and_lost_it_are_heard(tcp: Tcp) -> None:
    """Linux's tcp_sequence: SEG.SEQ at the very edge of the window, without text."""
    s = tcp().passive(rcvbuf=1152)
    s.call("send", s.sock, b"x")
    s.tx("PA", win=1152)
    s.rx("A", seq=1153)
    assert s.conn.snd.una == s.conn.snd.nxt
    s.nothing()


def test_without_window_scaling_a_read_does_not_beg_for_a_larger_window(tcp: Tcp) -> None:
    """RFC 9293 §3.8.6: 65,535 is all that can be said; a large buffer is no reason for an ACK on every read."""
    s = tcp().passive(rcvbuf=500_000).settled()
    s.rx("PA", data=100)
    for _ in range(5):
        s.call("recv", s.sock, 10)
        s.nothing()
    s.tx("A", after=40)


def test_shutdown_for_reading_throws_away_and_keeps_the_window_open(tcp: Tcp) -> None:
    """RFC 9293 §3.9.1.5 has no half close of this direction; Linux acknowledges and discards."""
    s = tcp().passive(rcvbuf=2000)
    s.rx("A", data=1460)
    s.tx("A", win=0)
    s.call("shutdown", s.sock, 0)
    s.tx("A", win=1460)
    s.rx("A", data=1460)
    s.tx("A", ack=2921, win=1460)
    assert s.call("recv", s.sock) == b""
    assert s.call("readable", s.sock) == -1


def test_readers_are_woken_once_per_batch(tcp: Tcp) -> None:
    """RFC 9293 §3.9.1.3."""
    s = tcp().passive()
    s.wakes.clear()
    s.rx("PA", data=10)
    assert s.wakes == [Wake(s.sock, READABLE)]
    s.tx("A")
    s.rx("A", seq=100, data=10)
    assert s.wakes == [Wake(s.sock, READABLE)]
    s.tx("A")


def test_reading_in_parts(tcp: Tcp) -> None:
    """RFC 9293 §3.9.1.3."""
    s = tcp().passive().settled()
    s.rx("PA", data=pattern(0, 100))
    s.rx("PA", data=pattern(100, 100))
    assert b"".join(s.call("recv", s.sock, n) for n in (1, 98, 2, 50, 60)) == pattern(0, 200)
    s.fails(errno.EAGAIN, "recv", s.sock)
    s.tx("A", after=0)


def test_what_nobody_wants_fills_gaps_all_the_same(tcp: Tcp) -> None:
    """RFC 9293 §3.10.4: after SHUT_RD what arrives is acknowledged and thrown away, in whatever order it comes."""
    s = tcp().passive()
    s.call("shutdown", s.sock, 0)
    s.rx("PA", seq=1001, data=pattern(1000, 1000))
    s.tx("A", ack=1)
    s.rx("PA", seq=1, data=pattern(0, 1000))
    s.tx("A", ack=2001)
