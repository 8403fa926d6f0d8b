# SPDX-License-Identifier: GPL-2.0-or-later
"""The sender: segments, windows, Nagle, silly windows, zero-window probes, PSH and FIN."""

import errno
from collections.abc import Callable

import pytest
from tcp_script import Script, pattern

from labstack.core.event import CLOSED, FAILED, WRITABLE, Wake
from labstack.tcp import sndbuf

Tcp = Callable[..., Script]


def test_data_goes_out_at_once_with_psh_on_the_last_segment(tcp: Tcp) -> None:
    """RFC 9293 §3.9.1.2, MUST-61; SHLD-28: full-sized segments as far as they go."""
    s = tcp().passive(mss=1000)
    s.call("send", s.sock, pattern(0, 2500))
    s.tx("A", seq=1, size=1000, data=pattern(0, 1000))
    s.tx("A", seq=1001, size=1000)
    s.tx("PA", seq=2001, size=500, data=pattern(2000, 500))
    s.call("send", s.sock, b"more")
    s.nothing()  # Nagle: a small segment is on its way already
    s.rx("A")
    s.tx("PA", seq=2501, size=4)


def test_nagle_holds_small_data_while_something_is_in_flight(tcp: Tcp) -> None:
    """RFC 9293 §3.7.4, SHLD-7."""
    s = tcp().passive()
    s.call("send", s.sock, b"a")
    s.tx("PA", seq=1, size=1)
    for letter in (b"b", b"c", b"d"):
        s.call("send", s.sock, letter)
        s.nothing()
    s.rx("A")
    s.tx("PA", seq=2, data=b"bcd")


def test_nagle_lets_full_segments_pass(tcp: Tcp) -> None:
    """RFC 9293 §3.8.6.2.1 (1)."""
    s = tcp().passive(mss=1000)
    s.call("send", s.sock, b"a")
    s.tx("PA", size=1)
    s.call("send", s.sock, bytes(1500))
    s.tx("A", seq=2, size=1000)
    s.nothing()


def test_nodelay_switches_nagle_off_also_for_what_waits(tcp: Tcp) -> None:
    """RFC 9293 §3.7.4, MUST-17."""
    s = tcp().passive()
    s.call("send", s.sock, b"a")
    s.tx("PA", size=1)
    s.call("send", s.sock, b"bc")
    s.nothing()
    s.call("setopt", s.sock, "nodelay", 1)
    s.tx("PA", seq=2, data=b"bc")
    s.call("send", s.sock, b"d")
    s.tx("PA", seq=4, data=b"d")


def test_a_fin_lets_the_last_small_segment_go(tcp: Tcp) -> None:
    """RFC 9293 §3.7.4: nothing more will come that could join it; the FIN rides on it."""
    s = tcp().passive()
    s.call("send", s.sock, b"a")
    s.tx("PA", size=1)
    s.call("send", s.sock, b"bc")
    s.call("shutdown", s.sock, 1)
    s.tx("FPA", seq=2, data=b"bc")
    s.state("FIN_WAIT_1")


def test_the_window_bounds_what_is_in_flight(tcp: Tcp) -> None:
    """RFC 9293 §3.8.6."""
    s = tcp().passive(win=2500, mss=1000)
    s.call("send", s.sock, bytes(9000))
    assert [seg.size for seg in s.burst()] == [1000, 1000]
    s.rx("A", ack=1001, win=2500)
    s.tx(seq=2001, size=1000)
    s.nothing()


def test_a_window_smaller_than_the_mss_is_used_when_it_is_half_of_the_largest(tcp: Tcp) -> None:
    """RFC 9293 §3.8.6.2.1 (3), Fs = 1/2."""
    s = tcp().passive(win=1000)
    s.call("send", s.sock, bytes(3000))
    assert [seg.size for seg in s.burst()] == [500, 500]
    s.conn.snd.mss = 1000  # as if the window had been larger when the connection opened
    s.rx("A", win=500)
    s.tx("A", size=500)
    s.rx("A", win=499)
    s.nothing()
    s.rx("A", win=1000)
    s.tx(size=1000)


def test_a_silly_window_is_used_when_the_override_timer_expires(tcp: Tcp) -> None:
    """RFC 9293 §3.8.6.2.1 (4): the usable window then, all of it."""
    s = tcp().passive(win=5000, mss=1000)
    s.call("send", s.sock, pattern(0, 5300))
    assert [seg.size for seg in s.burst()] == [1000] * 5
    s.rx("A", win=100)
    s.tx("PA", after=200, seq=5001, size=100, data=pattern(5000, 100))  # pushed, as Linux does
    s.rx("A", win=100)
    s.tx("PA", after=200, seq=5101, size=100)
    s.rx("A", win=100)
    s.tx("PA", seq=5201, size=100)
    assert (s.count("TcpRetransSegs"), s.count("TcpExtTCPWinProbe")) == (0, 0)  # a small window is not a closed one


def test_data_beyond_a_shrunken_window_is_not_sent_and_does_not_kill(tcp: Tcp) -> None:
    """RFC 9293 §3.8.6, MUST-34, SHLD-15, SHLD-17."""
    s = tcp().passive(win=4000, mss=1000)
    s.call("send", s.sock, bytes(6000))
    assert len(s.burst()) == 4
    s.rx("A", ack=1001, win=0)  # the right edge moves from 4001 to 1001
    s.nothing()
    wait = 200
    for _ in range(30):
        s.tx("A", after=wait, seq=1001, size=1000)
        s.rx("A", ack=1001, win=0)
        wait = min(wait * 2, 120_000)
    s.state("ESTABLISHED")
    assert (s.count("TcpExtTCPTimeouts"), s.count("TcpRetransSegs"), s.count("TcpExtTCPWinProbe")) == (0, 30, 0)
    s.rx("A", ack=1001, win=3000)
    s.tx("A", seq=1001, size=1000)
    s.nothing()


def test_a_peer_that_shrinks_its_window_and_falls_silent_is_given_up(tcp: Tcp) -> None:
    """RFC 9293 §3.8.3, R2; Linux's tcp_rtx_probe0_timed_out: twice the longest RTO without an ACK."""
    s = tcp().passive(win=4000, mss=1000)
    s.call("send", s.sock, bytes(3000))
    s.burst()
    s.rx("A", ack=1001, win=0)
    s.wakes.clear()
    s.wait(324_599)  # 0.2 s, doubled nine times, makes 204.6 s, and then 120 s
    assert s.wakes == []
    s.burst()
    s.wait(1)
    assert s.wakes == [Wake(s.sock, CLOSED | FAILED)]
    assert s.count("TcpExtTCPAbortOnTimeout") == 1


def test_unacknowledged_data_inside_a_shrunken_window_is_retransmitted(tcp: Tcp) -> None:
    """RFC 9293 §3.8.6, SHLD-16: when the retransmission timer says so, not later."""
    s = tcp().passive(win=4000, mss=1000)
    s.call("send", s.sock, bytes(3000))
    assert len(s.burst()) == 3
    s.rx("A", ack=1, win=500)
    s.tx(after=200, seq=1, size=500)
    s.rx("A", ack=501, win=500)
    s.tx(seq=501, size=500)


def test_an_ack_from_behind_a_shrunken_window_stands_at_its_edge(tcp: Tcp) -> None:
    """Linux's tcp_acceptable_seq: SND.NXT is outside, and the peer would not listen."""
    s = tcp().passive(win=4000, mss=1000)
    s.call("send", s.sock, bytes(4000))
    assert len(s.burst()) == 4
    s.rx("PA", data=b"x", ack=1001, win=500)
    s.tx("A", seq=1501, ack=2)


@pytest.mark.parametrize(("win", "seq"), [(2873, 4001), (2872, 3873)])
def test_a_window_that_a_scale_may_have_rounded_has_not_shrunk(tcp: Tcp, win: int, seq: int) -> None:
    """Linux's tcp_acceptable_seq: less than a unit of the scale is no loss of window; it means our scale, here 7."""
    s = tcp().passive(win=4000, mss=1000, ws=0)
    assert s.conn.rcv.shift == 7
    s.call("send", s.sock, bytes(4000))
    assert len(s.burst()) == 4
    s.rx("PA", data=b"x", ack=1001, win=win)
    s.tx("A", seq=seq, ack=2)


@pytest.mark.parametrize("win", [0, 500])
def test_after_every_other_timeout_it_has_the_number_that_the_rfc_gives_it(tcp: Tcp, win: int) -> None:
    """RFC 9293 §3.10.7.4. A window may only seem to have shrunk: if both sides think so, and have everything, the end
    of the window is old to both (seed 451013)."""
    s = tcp().passive(win=4000, mss=1000)
    s.call("send", s.sock, bytes(4000))
    assert len(s.burst()) == 4
    s.rx("PA", data=b"x", ack=1001, win=win)
    s.tx("A", seq=1001 + win, ack=2)
    wait = 200
    for seq in (4001, 1001 + win, 4001):
        s.tx(after=wait, seq=1001)
        s.rx("A", seq=1, data=b"x", ack=1, win=win)  # again: our ACK did not arrive
        s.tx("A", seq=seq, ack=2)
        wait *= 2


def test_an_ack_beside_window_probes_stands_at_snd_nxt(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.4: a probe takes no sequence number."""
    s = tcp().passive(win=0, rcvbuf=1152)
    s.call("send", s.sock, b"abc")
    s.tx("A", after=200, seq=0, size=0)
    s.rx("PA", ack=1, data=b"x" * 10, win=0)
    s.tx("A", seq=1, ack=11)


def test_a_burst_takes_no_more_than_half_of_the_window(tcp: Tcp) -> None:
    """RFC 9293 §3.8.6.2.1: so there is an ACK to come while the rest is sent (Linux's tcp_bound_to_half_wnd); and what
    is left at the edge of the window goes with the last burst, if Nagle has nothing against it."""
    s = tcp(gso=65_535).passive(win=5500, mss=1000)
    s.call("send", s.sock, bytes(9000))
    assert [(seg.flags, seg.size) for seg in s.burst()] == [
        ("A", 1000), ("PA", 1000), ("A", 1000), ("PA", 1000), ("A", 1000), ("PA", 500),
    ]  # fmt: skip
    assert [len(f) - 40 for f in s.frames[-3:]] == [2000, 2000, 1500]


# ---- the closed window ----------------------------------------------------------------------------------------------


def test_a_closed_window_is_probed_ever_more_slowly_and_for_ever(tcp: Tcp) -> None:
    """RFC 9293 §3.8.6.1, MUST-36, MUST-37, SHLD-29, SHLD-30."""
    s = tcp().passive(win=0)
    s.call("send", s.sock, b"abc")
    s.nothing()
    wait = 200
    for n in range(40):
        s.tx("A", after=wait, seq=0, size=0)
        s.rx("A", ack=1, win=0)
        wait = min(wait * 2, 120_000)
        s.state("ESTABLISHED")
        assert s.count("TcpExtTCPWinProbe") == n + 1
    assert s.count("TcpExtTCPTimeouts") == 0
    s.rx("A", ack=1, win=1000)
    s.tx("PA", seq=1, data=b"abc")


def test_the_window_opens_again_without_a_probe(tcp: Tcp) -> None:
    """RFC 9293 §3.8.6.1."""
    s = tcp().passive(win=0)
    s.call("send", s.sock, b"abc")
    s.wait(100)
    s.rx("A", win=10)
    s.tx("PA", seq=1, data=b"abc")
    s.rx("A")
    s.nothing(500_000)


def test_a_fin_waits_for_a_closed_window_to_open(tcp: Tcp) -> None:
    """RFC 9293 §3.8.6.1: the FIN occupies sequence space like a byte, so it is probed for."""
    s = tcp().passive(win=0)
    s.call("shutdown", s.sock, 1)
    s.state("FIN_WAIT_1")
    s.tx("A", seq=0, size=0, after=200)
    s.rx("A", ack=1, win=0)
    s.tx("A", seq=0, size=0, after=400)
    s.rx("A", ack=1, win=1)
    s.tx("FA", seq=1, size=0)
    s.rx("A", ack=2, win=0)
    s.state("FIN_WAIT_2")


def test_a_fin_waits_when_the_data_fill_the_window(tcp: Tcp) -> None:
    """RFC 9293 §3.4: the FIN occupies a place of its own."""
    s = tcp().passive(win=10)
    s.call("send", s.sock, b"0123456789")
    s.call("shutdown", s.sock, 1)
    s.tx("PA", seq=1, size=10)
    s.rx("A", ack=11, win=0)
    s.tx("A", seq=10, size=0, after=200)
    s.rx("A", ack=11, win=5)
    s.tx("FA", seq=11, size=0)


def test_an_orphan_does_not_probe_for_ever(tcp: Tcp) -> None:
    """Linux's tcp_probe_timer: nobody holds the socket, the peer answers and keeps its window closed; the last probe is
    the one before which two would be as far apart as can be, 120 s."""
    s = tcp().passive(win=0)
    s.call("send", s.sock, b"abc")
    s.call("close", s.sock)
    for n in range(10):
        s.tx("A", after=200 << n, seq=0, size=0)
        s.rx("A", ack=1, win=0)
    s.nothing(120_000)
    s.gone()


def test_an_orphan_whose_probes_nobody_answers_ends_sooner(tcp: Tcp) -> None:
    """Linux's tcp_orphan_retries, 8."""
    s = tcp().passive(win=0)
    s.call("send", s.sock, b"abc")
    s.call("close", s.sock)
    for n in range(8):
        s.tx("A", after=200 << n, seq=0, size=0)
    s.nothing(200 << 8)
    s.gone()


def test_a_peer_that_answers_nothing_at_all_to_probes_is_given_up_in_the_end(tcp: Tcp) -> None:
    """RFC 9293 §3.8.6.1, MUST-37 is for peers that answer: this one is given up after tcp_retries2 probes (Linux)."""
    s = tcp().passive(win=0)
    s.call("send", s.sock, b"abc")
    s.wait(204_600 + 5 * 120_000)
    assert [(seg.flags, seg.seq, seg.size) for seg in s.burst()] == [("A", 0, 0)] * 15
    s.state("ESTABLISHED")
    s.nothing(120_000)
    s.fails(errno.ETIMEDOUT, "recv", s.sock)


# ---- buffers --------------------------------------------------------------------------------------------------------


def test_a_full_send_buffer_takes_part_and_wakes_when_there_is_room(tcp: Tcp) -> None:
    """RFC 9293 §3.9.1.2: the caller is told how much was taken. Linux's sk_stream_min_wspace: a third must be free."""
    s = tcp().passive(win=65535, sndbuf=10_000, nodelay=1)
    # a chunk of half the window, and what leaves of it during the write
    assert s.call("send", s.sock, bytes(60_000)) == 22 * 1460 + 10 * 1460
    s.fails(errno.EAGAIN, "send", s.sock, b"x")
    s.burst()
    s.wakes.clear()
    for acked in range(1, 33):
        s.rx("A", ack=1 + acked * 1460)
        s.burst()
        room = 3 * sndbuf.queued(s.conn.snd) <= 2 * 20_000
        assert s.wakes == ([Wake(s.sock, WRITABLE)] if room else [])
        if room:
            break
    assert s.call("send", s.sock, b"x") == 1
    s.burst()


def test_the_send_buffer_grows_with_cwnd_unless_its_size_was_chosen(tcp: Tcp) -> None:
    """Linux's tcp_sndbuf_expand: two windows of full-sized segments, each in a buffer of its own."""
    s, chosen = tcp().passive(ws=7), tcp().passive(ws=7, sndbuf=30_000)
    assert (s.conn.snd.limit, chosen.conn.snd.limit) == (20 * 2304, 60_000)
    for it in (s, chosen):
        it.call("send", it.sock, bytes(1 << 20))
        it.burst()
        it.rx("A", ack=1 + 10 * 1460)
        it.burst()
        while it.conn.snd.nxt < it.conn.snd.out.end:
            it.rx("A", ack=it.conn.snd.nxt - it.conn.snd.iss)
            it.burst()
        it.rx("A", ack=it.conn.snd.nxt - it.conn.snd.iss)
    assert 20 * 2304 < s.conn.snd.limit <= 2 * s.conn.snd.cc.cwnd * 2304
    assert chosen.conn.snd.limit == 60_000


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_kind_of_bytes_can_be_sent(tcp: Tcp, kind: Callable[[bytes], object]) -> None:
    """The in-process API."""
    s = tcp().passive()
    s.call("send", s.sock, kind(b"hello"))
    s.tx("PA", data=b"hello")


def test_many_tiny_writes_are_gathered_into_full_segments(tcp: Tcp) -> None:
    """RFC 9293 §3.7.4, SHLD-28: and in order."""
    s = tcp().passive(mss=500, win=1400)
    for at in range(3000):
        s.call("send", s.sock, pattern(at, 1))
    got = b"".join(seg.data for seg in s.burst())
    while len(got) < 3000:
        s.rx("A", ack=len(got) + 1, win=5000)
        segs = s.burst()
        assert [seg.size for seg in segs[:-1]] == [500] * (len(segs) - 1)
        got += b"".join(seg.data for seg in segs)
    assert got == pattern(0, 3000)


# ---- what a resent segment may hold ---------------------------------------------------------------------------------


def test_a_fast_retransmit_holds_only_what_was_sent(tcp: Tcp) -> None:
    """RFC 9293 §3.8.6: new data does not slip beyond the window with old segments, though those are joined."""
    s = tcp().passive(win=800, mss=1000, nodelay=1)
    for _ in range(4):
        s.call("send", s.sock, bytes(50))
    assert [seg.size for seg in s.burst()] == [50] * 4
    s.call("send", s.sock, bytes(5000))
    s.tx(size=400)
    for _ in range(3):
        s.rx("A", ack=1, win=800)
    assert [(seg.seq, seg.size) for seg in s.burst()] == [(1, 200)]


def test_what_is_left_of_a_super_segment_is_as_many_segments_as_it_fills(tcp: Tcp) -> None:
    """Else a fast retransmit would cut it behind its end."""
    s = tcp().passive(nodelay=1)
    for at, size in ((0, 3000), (3000, 7300)):
        s.call("send", s.sock, pattern(at, size))
    s.burst()
    for _ in range(4):
        s.rx("A", ack=2000)
    assert [(seg.seq, seg.size) for seg in s.burst() if seg.seq < 3001] == [(2000, 1001)]
    s.rx("A", ack=10_301)
    s.burst()


def test_retransmission_carries_the_same_bytes_and_may_join_segments(tcp: Tcp) -> None:
    """RFC 9293 §3.8.1."""
    s = tcp().passive(mss=1000, nodelay=1)
    for at in range(0, 300, 100):
        s.call("send", s.sock, pattern(at, 100))
    assert [seg.size for seg in s.burst()] == [100, 100, 100]
    s.tx("PA", after=200, seq=1, data=pattern(0, 300))
