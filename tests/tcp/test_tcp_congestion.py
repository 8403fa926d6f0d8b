# SPDX-License-Identifier: GPL-2.0-or-later
"""Slow start, congestion avoidance, fast retransmit, NewReno, limited transmit, idle restart."""

from collections.abc import Callable

from tcp_script import Script

Tcp = Callable[..., Script]
MSS = 1000


def start(s: Script, size: int = 200_000, cwnd: int | None = None, ssthresh: int | None = None) -> Script:
    """An established connection with much to send, and a wide window; cwnd and ssthresh in segments."""
    s.passive(win=60_000, mss=MSS, ws=4)
    s.rx("A", win=60_000)
    if cwnd is not None:
        s.conn.snd.cc.cwnd = cwnd * MSS
    if ssthresh is not None:
        s.conn.snd.cc.ssthresh = ssthresh * MSS
    s.call("send", s.sock, bytes(size))
    return s


def sizes(s: Script) -> list[tuple[int, int]]:
    """What has left, as (first segment, segments), in units of MSS."""
    return [((seg.seq - 1) // MSS, seg.size // MSS) for seg in s.burst()]


def ack(s: Script, segments: int, times: int = 1) -> None:
    for _ in range(times):
        s.rx("A", ack=1 + segments * MSS, win=60_000)


def test_ten_segments_at_first(tcp: Tcp) -> None:
    """RFC 6928."""
    s = start(tcp())
    assert sizes(s) == [(n, 1) for n in range(10)]


def test_slow_start_doubles_per_round_trip(tcp: Tcp) -> None:
    """RFC 5681 §3.1, equation (2), with bytes counted (RFC 3465)."""
    s = start(tcp(), cwnd=2)
    assert sizes(s) == [(0, 1), (1, 1)]
    ack(s, 1)
    assert sizes(s) == [(2, 1), (3, 1)]
    ack(s, 4)
    assert len(sizes(s)) == 6
    assert s.conn.snd.cc.cwnd == 6 * MSS


def test_congestion_avoidance_adds_one_segment_per_round_trip(tcp: Tcp) -> None:
    """RFC 5681 §3.1, equation (3) by byte counting."""
    s = start(tcp(), cwnd=4, ssthresh=2)
    s.burst()
    for n in range(1, 5):
        ack(s, n)
    assert s.conn.snd.cc.cwnd == 5 * MSS
    for n in range(5, 10):
        ack(s, n)
    assert s.conn.snd.cc.cwnd == 6 * MSS
    s.burst()


def test_ack_division_gains_nothing(tcp: Tcp) -> None:
    """RFC 3465; hostile-inputs row 26: a segment acknowledged in ten pieces grows cwnd like one."""
    s = start(tcp(), cwnd=2)
    s.burst()
    for n in range(1, 11):
        s.rx("A", ack=1 + n * 100, win=60_000)
    assert s.conn.snd.cc.cwnd == 3 * MSS
    s.burst()


def test_cwnd_does_not_grow_while_the_application_is_the_limit(tcp: Tcp) -> None:
    """RFC 7661 §3."""
    s = start(tcp(), size=0)
    for n in range(1, 30):
        s.call("send", s.sock, bytes(MSS))
        s.tx()
        ack(s, n)
    assert s.conn.snd.cc.cwnd == 10 * MSS


def test_three_duplicate_acks_retransmit_and_halve(tcp: Tcp) -> None:
    """RFC 5681 §3.2 (2) to (4)."""
    s = start(tcp(), size=10 * MSS)
    assert len(sizes(s)) == 10
    ack(s, 0, times=2)
    s.nothing()
    ack(s, 0)
    assert sizes(s) == [(0, 1)]
    cc = s.conn.snd.cc
    assert (cc.ssthresh, cc.cwnd) == (5 * MSS, 8 * MSS)
    ack(s, 0, times=4)
    assert cc.cwnd == 12 * MSS
    assert (s.count("TcpExtTCPFastRetrans"), s.count("TcpRetransSegs"), s.count("TcpExtTCPTimeouts")) == (1, 1, 0)
    ack(s, 10)
    s.nothing(10_000)
    assert not s.conn.snd.recovering


def test_ssthresh_is_never_below_two_segments(tcp: Tcp) -> None:
    """RFC 5681 §3.1, equation (4)."""
    s = start(tcp(), size=3 * MSS)
    assert len(sizes(s)) == 3
    ack(s, 0, times=3)
    assert sizes(s) == [(0, 1)]
    assert s.conn.snd.cc.ssthresh == 2 * MSS
    s = start(tcp(), size=MSS)
    s.burst()
    s.tx(after=200)
    assert s.conn.snd.cc.ssthresh == 2 * MSS


def test_a_full_ack_ends_recovery_with_ssthresh(tcp: Tcp) -> None:
    """RFC 6582 §3.2 (3), full acknowledgment: everything up to recover, not a byte more is asked for."""
    s = start(tcp(), cwnd=10, ssthresh=10)
    s.burst()
    ack(s, 0, times=3)
    assert sizes(s) == [(10, 1), (11, 1), (0, 1)]
    ack(s, 12)
    assert not s.conn.snd.recovering
    assert s.conn.snd.cc.cwnd == 2 * MSS, "min(ssthresh, max(FlightSize, SMSS) + SMSS)"
    assert sizes(s) == [(12, 1), (13, 1)]


def test_limited_transmit_sends_new_segments_on_the_first_two_duplicates(tcp: Tcp) -> None:
    """RFC 3042 §2; RFC 5681 §3.2 (1), (2): those are not counted into ssthresh."""
    s = start(tcp(), cwnd=8, ssthresh=8)
    assert len(sizes(s)) == 8
    ack(s, 0)
    assert sizes(s) == [(8, 1)]
    ack(s, 0)
    assert sizes(s) == [(9, 1)]
    ack(s, 0)
    assert sizes(s) == [(0, 1)]
    assert s.conn.snd.cc.ssthresh == 4 * MSS


def test_duplicates_in_recovery_inflate_and_let_new_segments_go(tcp: Tcp) -> None:
    """RFC 5681 §3.2 (4), (5)."""
    s = start(tcp(), cwnd=8, ssthresh=8)
    s.burst()
    ack(s, 0, times=3)
    s.burst()
    ack(s, 0, times=2)  # cwnd 4+3+2 = 9, flight 10
    s.nothing()
    ack(s, 0, times=2)
    assert sizes(s) == [(10, 1)]


def test_spoofed_duplicates_inflate_no_more_than_what_is_in_flight(tcp: Tcp) -> None:
    """RFC 5681 §3.2, last paragraph; hostile-inputs row 26."""
    s = start(tcp(), cwnd=8, ssthresh=8)
    s.burst()
    ack(s, 0, times=500)
    assert s.conn.snd.nxt - s.conn.snd.una <= 24 * MSS
    s.burst()


def test_a_partial_ack_retransmits_the_next_hole_at_once(tcp: Tcp) -> None:
    """RFC 6582 §3.2 (3), partial acknowledgment."""
    s = start(tcp(), size=10 * MSS, cwnd=10, ssthresh=10)
    s.burst()
    ack(s, 0, times=5)
    assert sizes(s) == [(0, 1)]
    ack(s, 4)
    assert sizes(s) == [(4, 1)]
    ack(s, 7)
    assert sizes(s) == [(7, 1)]
    ack(s, 10)
    s.nothing(5000)
    assert s.count("TcpExtTCPFastRetrans") == 1
    assert s.count("TcpRetransSegs") == 3
    assert not s.conn.snd.recovering


def test_duplicates_from_before_a_timeout_do_not_start_recovery(tcp: Tcp) -> None:
    """RFC 6582 §3.2 (1), §4: recover."""
    s = start(tcp(), size=10 * MSS)
    s.burst()
    s.tx(after=200, seq=1)
    ack(s, 1)
    assert sizes(s) == [(1, 1), (2, 1)]
    ack(s, 1, times=6)
    assert s.count("TcpExtTCPFastRetrans") == 0
    s.burst()


def test_what_is_no_duplicate_ack_is_not_counted(tcp: Tcp) -> None:
    """RFC 5681 §2: (b) no data, (c) no SYN or FIN, (e) the same window."""
    s = start(tcp(), size=10 * MSS)
    s.burst()
    for n in range(3):
        s.rx("PA", ack=1, data=10, win=60_000)
        s.rx("A", ack=1, win=50_000 + n)
    s.burst()
    assert s.conn.snd.dupacks == 0
    ack(s, 0)
    assert s.conn.snd.dupacks == 0, "(e) the window changed back"
    ack(s, 0)
    assert s.conn.snd.dupacks == 1


def test_a_timeout_falls_to_one_segment_and_starts_slowly(tcp: Tcp) -> None:
    """RFC 5681 §3.1 (4), RFC 6298 (5.4) to (5.6)."""
    s = start(tcp(), size=20 * MSS)
    assert len(s.burst()) == 10
    s.tx("A", after=200, seq=1, size=MSS)
    cc = s.conn.snd.cc
    assert (cc.cwnd, cc.ssthresh) == (MSS, 5 * MSS)
    ack(s, 1)
    assert sizes(s) == [(1, 1), (2, 1)]
    ack(s, 3)
    assert sizes(s) == [(3, 1), (4, 1), (5, 1), (6, 1)]
    ack(s, 20 if s.conn.snd.nxt - s.conn.snd.iss > 20 * MSS else 10)
    assert all(first >= 10 for first, _ in sizes(s)), "go on behind what was acknowledged"


def test_a_second_timeout_leaves_ssthresh(tcp: Tcp) -> None:
    """RFC 5681 §3.1 (4): a retransmitted segment that is lost again does not halve again."""
    s = start(tcp(), size=20 * MSS)
    s.burst()
    s.tx(after=200)
    s.tx(after=400)
    s.tx(after=800)
    assert s.conn.snd.cc.ssthresh == 5 * MSS


def test_after_an_idle_rto_the_window_restarts(tcp: Tcp) -> None:
    """RFC 5681 §4.1."""
    s = start(tcp(), size=0, cwnd=40)
    s.call("send", s.sock, bytes(MSS))
    s.tx()
    ack(s, 1)
    s.wait(150)
    s.call("send", s.sock, bytes(50 * MSS))
    assert len(s.burst()) == 40
    ack(s, 41)
    assert len(s.burst()) == 10
    ack(s, 51)
    s.wait(5000)
    s.call("send", s.sock, bytes(60 * MSS))
    assert len(s.burst()) == 10


def test_without_slow_start_after_idle_the_window_stays(tcp: Tcp) -> None:
    """Linux's tcp_slow_start_after_idle; RFC 5681 §4.1 only recommends the restart."""
    s = start(tcp(sysctl={"net.ipv4.tcp_slow_start_after_idle": 0}), size=0, cwnd=40)
    s.call("send", s.sock, bytes(MSS))
    s.tx()
    ack(s, 1)
    s.wait(5000)
    s.call("send", s.sock, bytes(60 * MSS))
    assert len(s.burst()) == 40


def test_two_lost_syns_begin_with_one_segment(tcp: Tcp) -> None:
    """RFC 6928 §2; RFC 6298 (5.7): and with an RTO of 3 s."""
    s = tcp()
    s.connect()
    s.tx("S")
    s.tx("S", after=1000)
    s.tx("S", after=2000)
    s.rx("SA", mss=MSS)
    s.tx("A")
    s.call("send", s.sock, bytes(5 * MSS))
    s.tx(seq=1, size=MSS)
    s.nothing()
    s.tx(after=3000, seq=1, size=MSS)


def test_one_lost_syn_may_have_been_late_and_changes_nothing(tcp: Tcp) -> None:
    """RFC 6928 §2: more than one retransmission is needed to believe in a loss."""
    s = tcp()
    s.connect()
    s.tx("S")
    s.tx("S", after=1000)
    s.rx("SA", mss=MSS)
    s.tx("A")
    s.call("send", s.sock, bytes(10 * MSS))
    assert len(s.burst()) == 10


def test_two_lost_syn_acks_begin_with_one_segment_and_slow_start(tcp: Tcp) -> None:
    """RFC 6928 §2: the initial window is one segment; ssthresh stays high, nothing is known of the path yet."""
    s = tcp()
    s.listen()
    s.rx("S", mss=MSS)
    s.tx("SA")
    s.tx("SA", after=1000)
    s.tx("SA", after=2000)
    s.rx("A")
    s.accept()
    s.call("send", s.sock, bytes(50 * MSS))
    s.tx(size=MSS)
    s.nothing()
    for n in (1, 3, 7, 15):
        ack(s, n)
        assert len(s.burst()) == n + 1


def test_loss_of_the_last_segments_needs_the_timer(tcp: Tcp) -> None:
    """RFC 6298 (5.4)."""
    s = start(tcp(), size=3 * MSS)
    s.burst()
    ack(s, 1)
    s.tx(after=200, seq=1001, size=MSS)
    ack(s, 3)
    s.nothing(1000)


def test_super_segments_obey_the_same_window(tcp: Tcp) -> None:
    """RFC 5681: one frame of ten segments counts as ten."""
    s = start(tcp(gso=65_535))
    assert len(s.frames[-1]) > 9000
    assert s.frames[-1].gso == MSS
    assert sizes(s) == [(n, 1) for n in range(10)]
