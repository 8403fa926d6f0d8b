# SPDX-License-Identifier: GPL-2.0-or-later
"""Slow start, congestion avoidance, fast retransmit, NewReno, limited transmit, idle restart.

The peers have no SACK, and the controller is Reno, whose figures the RFCs give. cwnd and ssthresh are segments.
"""

from collections.abc import Callable

import pytest
from tcp_script import RENO, Script

from labstack.tcp.loss import DISORDER, LOSS, OPEN, RECOVERY

Tcp = Callable[..., Script]
MSS = 1000


@pytest.fixture
def reno(tcp: Tcp) -> Tcp:
    """Scripts whose controller is Reno."""

    def factory(sysctl: dict[str, int] | None = None, **settings: object) -> Script:
        return tcp(sysctl={**RENO, **(sysctl or {})}, **settings)

    return factory


def start(s: Script, size: int = 200_000, cwnd: int | None = None, ssthresh: int | None = None) -> Script:
    """An established connection with much to send, and a wide window; cwnd and ssthresh in segments."""
    s.passive(win=60_000, mss=MSS, ws=4)
    s.rx("A", win=60_000)
    if cwnd is not None:
        s.conn.snd.cc.cwnd = cwnd
    if ssthresh is not None:
        s.conn.snd.cc.ssthresh = ssthresh
    s.call("send", s.sock, bytes(size))
    return s


def sizes(s: Script) -> list[tuple[int, int]]:
    """What has left, as (first segment, segments), in units of MSS."""
    return [((seg.seq - 1) // MSS, seg.size // MSS) for seg in s.burst()]


def ack(s: Script, segments: int, times: int = 1) -> None:
    for _ in range(times):
        s.rx("A", ack=1 + segments * MSS, win=60_000)


def test_ten_segments_at_first(reno: Tcp) -> None:
    """RFC 6928."""
    s = start(reno())
    assert sizes(s) == [(n, 1) for n in range(10)]


def test_slow_start_doubles_per_round_trip(reno: Tcp) -> None:
    """RFC 5681 §3.1, equation (2), with bytes counted (RFC 3465)."""
    s = start(reno(), cwnd=2)
    assert sizes(s) == [(0, 1), (1, 1)]
    ack(s, 1)
    assert sizes(s) == [(2, 1), (3, 1)]
    ack(s, 4)
    assert len(sizes(s)) == 6
    assert s.conn.snd.cc.cwnd == 6


def test_congestion_avoidance_adds_one_segment_per_round_trip(reno: Tcp) -> None:
    """RFC 5681 §3.1, equation (3) by byte counting."""
    s = start(reno(), cwnd=4, ssthresh=2)
    s.burst()
    for n in range(1, 5):
        ack(s, n)
    assert s.conn.snd.cc.cwnd == 5
    for n in range(5, 10):
        ack(s, n)
    assert s.conn.snd.cc.cwnd == 6
    s.burst()


def test_ack_division_gains_nothing(reno: Tcp) -> None:
    """RFC 3465; hostile-inputs row 26: a segment acknowledged in ten pieces grows cwnd like one."""
    s = start(reno(), cwnd=2)
    s.burst()
    for n in range(1, 11):
        s.rx("A", ack=1 + n * 100, win=60_000)
    assert s.conn.snd.cc.cwnd == 3
    s.burst()


def test_cwnd_does_not_grow_while_the_application_is_the_limit(reno: Tcp) -> None:
    """RFC 7661 §3."""
    s = start(reno(), size=0)
    for n in range(1, 30):
        s.call("send", s.sock, bytes(MSS))
        s.tx()
        ack(s, n)
    assert s.conn.snd.cc.cwnd == 10


def test_three_duplicate_acks_retransmit_and_halve(reno: Tcp) -> None:
    """RFC 5681 §3.2 (2), RFC 6937 §3: ssthresh falls at once, cwnd follows what arrives, and reaches it."""
    s = start(reno(), size=10 * MSS)
    assert len(sizes(s)) == 10
    ack(s, 0, times=2)
    s.nothing()
    assert (s.conn.snd.loss.state, s.conn.snd.cc.cwnd) == (DISORDER, 10)
    ack(s, 0)
    assert sizes(s) == [(0, 1)]
    loss, cc = s.conn.snd.loss, s.conn.snd.cc
    assert (loss.state, cc.ssthresh, cc.cwnd) == (RECOVERY, 5, 7)  # 10 - 3 - 1 in flight, and one that goes at once
    cwnds = []
    for _ in range(4):
        ack(s, 0)
        cwnds.append(cc.cwnd)
    assert cwnds == [6, 5, 5, 5]
    assert (s.count("TcpExtTCPFastRetrans"), s.count("TcpRetransSegs"), s.count("TcpExtTCPTimeouts")) == (1, 1, 0)
    ack(s, 10)
    s.nothing(10_000)
    assert cc.cwnd == 5


def test_ssthresh_is_never_below_two_segments(reno: Tcp) -> None:
    """RFC 5681 §3.1, equation (4)."""
    s = start(reno(), cwnd=3)
    assert len(sizes(s)) == 3
    ack(s, 0, times=3)
    assert sizes(s) == [(3, 1), (4, 1), (0, 1)]
    assert s.conn.snd.cc.ssthresh == 2
    s = start(reno(), size=MSS)
    s.burst()
    s.conn.snd.cc.cwnd = 3
    s.tx(after=200)
    assert s.conn.snd.cc.ssthresh == 2


def test_duplicates_of_as_many_segments_as_are_in_flight_tell_no_loss(reno: Tcp) -> None:
    """RFC 5681 §3.2: one at least is missing, so three of three cannot have arrived: segments overtake each other
    (Linux's tcp_check_reno_reordering)."""
    s = start(reno(), size=3 * MSS)
    assert len(sizes(s)) == 3
    ack(s, 0, times=3)
    s.nothing()
    assert (s.conn.snd.loss.state, s.conn.snd.flight.sacked) == (DISORDER, 2)
    assert (s.count("TcpExtTCPRenoReorder"), s.count("TcpExtTCPRenoRecovery")) == (1, 0)
    s.tx(after=200, seq=1, size=MSS)


def test_recovery_lasts_until_something_beyond_it_is_acknowledged(reno: Tcp) -> None:
    """RFC 6582 §3.2 (1), (3): without SACK more duplicates of the same flight would begin another one; the full
    acknowledgment lets the window be ssthresh."""
    s = start(reno(), cwnd=10, ssthresh=10)
    s.burst()
    ack(s, 0, times=3)
    assert sizes(s) == [(10, 1), (11, 1), (0, 1)]
    ack(s, 12)
    assert (s.conn.snd.loss.state, s.conn.snd.cc.cwnd, s.conn.snd.cc.ssthresh) == (RECOVERY, 5, 5)
    assert sizes(s) == [(n, 1) for n in range(12, 17)]
    ack(s, 12, times=4)
    assert s.count("TcpExtTCPRenoRecovery") == 1
    s.burst()
    ack(s, 13)
    assert (s.conn.snd.loss.state, s.conn.snd.cc.cwnd) == (OPEN, 5)
    s.burst()


def test_limited_transmit_sends_new_segments_on_the_first_two_duplicates(reno: Tcp) -> None:
    """RFC 3042 §2; RFC 5681 §3.2 (1), (2): those are not counted into ssthresh."""
    s = start(reno(), cwnd=8, ssthresh=8)
    assert len(sizes(s)) == 8
    ack(s, 0)
    assert sizes(s) == [(8, 1)]
    ack(s, 0)
    assert sizes(s) == [(9, 1)]
    ack(s, 0)
    assert sizes(s) == [(0, 1)]
    assert s.conn.snd.cc.ssthresh == 4


def test_in_recovery_a_segment_goes_for_every_second_duplicate_then_for_each(reno: Tcp) -> None:
    """RFC 6937 §3: in proportion to the windows, 4 to 8, until no more than 4 are in flight, then one for one."""
    s = start(reno(), cwnd=8, ssthresh=8)
    s.burst()
    ack(s, 0, times=3)
    s.burst()
    sent = []
    for _ in range(8):
        ack(s, 0)
        sent.append(sizes(s))
    assert sent == [[], [(10, 1)], [], [], [(11, 1)], [(12, 1)], [(13, 1)], [(14, 1)]]
    assert s.conn.snd.flight.now == s.conn.snd.cc.cwnd == 4


def test_spoofed_duplicates_keep_no_more_in_flight_than_ssthresh(reno: Tcp) -> None:
    """RFC 5681 §3.2, last paragraph; hostile-inputs row 26."""
    s = start(reno(), cwnd=8, ssthresh=8)
    s.burst()
    ack(s, 0, times=11)
    s.burst()
    for _ in range(500):
        ack(s, 0)
        assert len(s.burst()) <= 1
        assert s.conn.snd.flight.now <= 4
        assert s.conn.snd.flight.sacked < s.conn.snd.flight.out


def test_a_partial_ack_retransmits_the_next_hole_at_once(reno: Tcp) -> None:
    """RFC 6582 §3.2 (3), partial acknowledgment."""
    s = start(reno(), size=10 * MSS)
    s.burst()
    ack(s, 0, times=5)
    assert sizes(s) == [(0, 1)]
    ack(s, 4)
    assert sizes(s) == [(4, 1)]
    ack(s, 7)
    assert sizes(s) == [(7, 1)]
    ack(s, 10)
    s.nothing(5000)
    assert (s.count("TcpExtTCPRenoRecovery"), s.count("TcpExtTCPTimeouts")) == (1, 0)
    assert s.count("TcpExtTCPFastRetrans") == s.count("TcpRetransSegs") == 3


def test_duplicates_from_before_a_timeout_do_not_start_recovery(reno: Tcp) -> None:
    """RFC 6582 §3.2 (1), §4: recover."""
    s = start(reno(), size=10 * MSS)
    s.burst()
    s.tx(after=200, seq=1)
    ack(s, 1)
    assert sizes(s) == [(1, 1), (2, 1)]
    ack(s, 1, times=6)
    assert s.count("TcpExtTCPFastRetrans") == 0
    s.burst()


def test_what_is_no_duplicate_ack_is_not_counted(reno: Tcp) -> None:
    """RFC 5681 §2: (b) no data, (c) no SYN or FIN, (e) no greater window. A smaller one may be the price of what
    arrived out of order (RFC 6675 §2)."""
    s = start(reno(), size=10 * MSS)
    s.burst()
    for n in range(3):
        s.rx("PA", ack=1, data=10, win=60_000)
        s.rx("A", ack=1, win=50_000 + n)
    s.burst()
    flight = s.conn.snd.flight
    assert flight.sacked == 0
    ack(s, 0)
    assert flight.sacked == 0, "(e) the window changed back"
    ack(s, 0)
    assert flight.sacked == 1
    s.rx("A", ack=1, win=59_999)
    assert flight.sacked == 2


def test_a_timeout_falls_to_one_segment_and_starts_slowly(reno: Tcp) -> None:
    """RFC 5681 §3.1 (4), RFC 6298 (5.4) to (5.6); without F-RTO, which lets new data go first."""
    s = start(reno(sysctl={"net.ipv4.tcp_frto": 0}), size=20 * MSS)
    assert len(s.burst()) == 10
    s.tx("A", after=200, seq=1, size=MSS)
    cc, loss = s.conn.snd.cc, s.conn.snd.loss
    assert (loss.state, cc.cwnd, cc.ssthresh) == (LOSS, 1, 5)
    ack(s, 1)
    assert sizes(s) == [(1, 1), (2, 1)]
    ack(s, 3)
    assert sizes(s) == [(3, 1), (4, 1), (5, 1), (6, 1)]
    assert (cc.cwnd, s.count("TcpExtTCPSlowStartRetrans")) == (4, 6)
    ack(s, 10)
    assert (cc.cwnd, loss.state) == (6, LOSS)  # 5 by slow start, the rest of the seven by congestion avoidance
    assert sizes(s) == [(n, 1) for n in range(10, 16)], "go on behind what was acknowledged"
    ack(s, 11)
    assert loss.state == OPEN
    s.burst()


def test_a_second_timeout_leaves_ssthresh(reno: Tcp) -> None:
    """RFC 5681 §3.1 (4): a retransmitted segment that is lost again does not halve again."""
    s = start(reno(), size=20 * MSS)
    s.burst()
    s.tx(after=200)
    s.tx(after=400)
    s.tx(after=800)
    assert s.conn.snd.cc.ssthresh == 5


def test_after_an_idle_rto_the_window_restarts(reno: Tcp) -> None:
    """RFC 5681 §4.1."""
    s = start(reno(), size=0, cwnd=40)
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


def test_without_slow_start_after_idle_the_window_stays(reno: Tcp) -> None:
    """Linux's tcp_slow_start_after_idle; RFC 5681 §4.1 only recommends the restart."""
    s = start(reno(sysctl={"net.ipv4.tcp_slow_start_after_idle": 0}), size=0, cwnd=40)
    s.call("send", s.sock, bytes(MSS))
    s.tx()
    ack(s, 1)
    s.wait(5000)
    s.call("send", s.sock, bytes(60 * MSS))
    assert len(s.burst()) == 40


def test_two_lost_syns_begin_with_one_segment(reno: Tcp) -> None:
    """RFC 6928 §2; RFC 6298 (5.7): and with an RTO of 3 s."""
    s = reno()
    s.connect()
    s.tx("S")
    s.tx("S", after=1000)
    s.tx("S", after=1000)
    s.rx("SA", mss=MSS)
    s.tx("A")
    s.call("send", s.sock, bytes(5 * MSS))
    s.tx(seq=1, size=MSS)
    s.nothing()
    s.tx(after=3000, seq=1, size=MSS)


def test_one_lost_syn_may_have_been_late_and_changes_nothing(reno: Tcp) -> None:
    """RFC 6928 §2: more than one retransmission is needed to believe in a loss."""
    s = reno()
    s.connect()
    s.tx("S")
    s.tx("S", after=1000)
    s.rx("SA", mss=MSS)
    s.tx("A")
    s.call("send", s.sock, bytes(10 * MSS))
    assert len(s.burst()) == 10


def test_two_lost_syn_acks_begin_with_one_segment_and_slow_start(reno: Tcp) -> None:
    """RFC 6928 §2: the initial window is one segment; ssthresh stays high, nothing is known of the path yet."""
    s = reno()
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


def test_loss_of_the_last_segments_needs_the_timer(reno: Tcp) -> None:
    """RFC 6298 (5.4)."""
    s = start(reno(), size=3 * MSS)
    s.burst()
    ack(s, 1)
    s.tx(after=200, seq=1001, size=MSS)
    ack(s, 3)
    s.nothing(1000)


def test_super_segments_obey_the_same_window(reno: Tcp) -> None:
    """RFC 5681: one frame of five segments counts as five."""
    s = start(reno(gso=65_535))
    assert [(len(f) - 40, f.gso) for f in s.frames[-2:]] == [(5 * MSS, MSS)] * 2, "at most half of cwnd at once"
    assert sizes(s) == [(n, 1) for n in range(10)]
