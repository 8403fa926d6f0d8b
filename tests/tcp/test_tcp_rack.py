# SPDX-License-Identifier: GPL-2.0-or-later
"""RACK: a segment that was sent well before another that has arrived is lost (RFC 8985 §6).

Without it what RFC 6675 counts.
"""

from lossy import NO_PROBES, RTT, Tcp, ack, counted, marks, sent, start, write
from tcp_script import Script

from labstack.core.config import MS
from labstack.tcp.loss import DISORDER, OPEN, RECOVERY

WINDOW = RTT / 4  # ms; the reordering window, at first a quarter of the least round trip
LEAST = 2  # ms more that the timer has


def apart(tcp: Tcp, *waits: float, sysctl: dict[str, int] | None = None) -> Script:
    """A segment, and others so many ms after each other; the first is to be acknowledged now."""
    s = start(tcp, size=0, sysctl={**NO_PROBES, **(sysctl or {})})
    write(s, 1)
    for wait in waits:
        s.wait(wait)
        write(s, 1)
    sent(s)
    s.wait(RTT - sum(waits))
    return s


def test_what_was_sent_a_window_before_what_arrived_is_lost(tcp: Tcp) -> None:
    """RFC 8985 §6.2 step 5: one segment that arrived is enough, if it was sent later by the reordering window."""
    s = apart(tcp, WINDOW)
    s.wait(WINDOW)
    ack(s, 0, (1, 2))
    assert (sent(s), marks(s), s.conn.snd.loss.state) == ([0], "RS", RECOVERY)
    assert counted(s) == {"SackRecovery": 1, "FastRetrans": 1, "TcpRetransSegs": 1}


def test_what_was_sent_shortly_before_may_only_be_late(tcp: Tcp) -> None:
    """RFC 8985 §6.2 step 5, §6.3: the rest of the window is waited for."""
    s = apart(tcp, 10)
    s.wait(10)
    ack(s, 0, (1, 2))
    assert s.conn.snd.loss.state == DISORDER
    s.tx(after=WINDOW - 10 + LEAST, seq=1)
    assert (marks(s), s.conn.snd.loss.state, counted(s)) == (
        "RS",
        RECOVERY,
        {"SackRecovery": 1, "FastRetrans": 1, "TcpRetransSegs": 1},
    )


def test_what_arrives_in_time_was_only_late(tcp: Tcp) -> None:
    """RFC 8985 §6.3: the timer does nothing then."""
    s = apart(tcp, 10)
    s.wait(10)
    ack(s, 0, (1, 2))
    s.wait(10)
    ack(s, 2)
    s.nothing(1000)
    assert (s.conn.snd.loss.state, counted(s)) == (OPEN, {"SACKReorder": 1})


def test_three_segments_that_arrived_are_enough_at_once(tcp: Tcp) -> None:
    """RFC 8985 §6.2 step 4: no window as long as no reordering was seen, if DupThresh segments were SACKed."""
    s = start(tcp, sysctl=NO_PROBES)
    sent(s)
    ack(s, 0, (1, 3))
    s.nothing()
    ack(s, 0, (1, 4))
    assert sent(s)[:1] == [0]


def test_tcp_recovery_can_forbid_counting(tcp: Tcp) -> None:
    """Linux's tcp_recovery, bit 4: the window counts, whatever was SACKed."""
    s = start(tcp, sysctl={**NO_PROBES, "net.ipv4.tcp_recovery": 5})
    sent(s)
    ack(s, 0, (1, 9))
    s.tx(after=WINDOW + LEAST, seq=1)


def test_where_segments_overtake_each_other_the_window_stays(tcp: Tcp) -> None:
    """RFC 8985 §6.2 step 4: once reordering was seen, three segments prove nothing."""
    s = start(tcp, sysctl=NO_PROBES)
    sent(s)
    ack(s, 0, (1, 2))
    ack(s, 10)
    assert s.conn.snd.loss.reorderings == 1
    write(s, 10)
    sent(s)
    s.wait(RTT)
    ack(s, 10, (11, 16))
    s.tx(after=WINDOW + LEAST, seq=10_001)


def test_a_retransmission_is_lost_when_what_was_sent_after_it_arrives(tcp: Tcp) -> None:
    """RFC 8985 §6.2, §1: the third advantage; nothing but a timeout told of this before."""
    s = start(tcp, size=20, sysctl=NO_PROBES)
    assert sent(s) == list(range(10))
    ack(s, 0, (1, 4))
    assert (sent(s), marks(s)) == ([0, 10], "RSSS.......")
    s.wait(RTT)
    ack(s, 0, (10, 11), (1, 4))
    assert (sent(s), marks(s)) == ([0, 4], "RSSSRLLLLLS")
    assert s.count("TcpExtTCPLostRetransmit") == 1


def test_a_retransmission_that_cannot_have_arrived_yet_is_no_measure(tcp: Tcp) -> None:
    """RFC 8985 §6.2 step 2: sooner than the least round trip it was the original that arrived."""
    s = start(tcp, size=20, sysctl=NO_PROBES)
    sent(s)
    ack(s, 0, (1, 4))
    assert sent(s) == [0, 10]
    newest = s.conn.snd.loss.newest
    s.wait(RTT - 1)
    ack(s, 4)
    sent(s)
    assert s.conn.snd.loss.newest == newest


def test_dsacks_widen_the_window_once_a_round_trip(tcp: Tcp) -> None:
    """RFC 8985 §6.2 step 4: by a quarter of the least round trip each, for 16 recoveries."""
    s = start(tcp, sysctl=NO_PROBES)
    sent(s)
    ack(s, 0, (1, 2))
    ack(s, 10)  # segments overtake each other
    write(s, 2)
    sent(s)
    s.wait(RTT)
    ack(s, 10, (11, 12))
    s.tx(after=WINDOW + LEAST, seq=10_001)
    s.wait(1)
    ack(s, 12)  # it was only late
    s.wait(RTT)
    ack(s, 12, (10, 11))  # and now it came twice
    write(s, 2)
    sent(s)
    s.wait(RTT)
    ack(s, 12, (13, 14))
    loss = s.conn.snd.loss
    assert (loss.steps, loss.persist) == (2, 16)
    s.tx(after=2 * WINDOW + LEAST, seq=12_001)


def test_the_window_is_never_longer_than_the_round_trip(tcp: Tcp) -> None:
    """RFC 8985 §6.2 step 4."""
    s = start(tcp, sysctl=NO_PROBES)
    sent(s)
    s.conn.snd.loss.steps, s.conn.snd.loss.reorderings, s.conn.snd.loss.persist = 50, 1, 16
    ack(s, 0, (1, 2))
    srtt = s.conn.snd.rtt.srtt
    s.tx(after=srtt / MS + LEAST, seq=1)


def test_without_rack_three_segments_beyond_make_a_loss(tcp: Tcp) -> None:
    """RFC 6675 §4, IsLost(): DupThresh SACKed segments above it, counted for each."""
    s = start(tcp, sysctl={**NO_PROBES, "net.ipv4.tcp_recovery": 0})
    sent(s)
    ack(s, 0, (2, 3), (5, 6))
    s.nothing()
    ack(s, 0, (7, 8), (5, 6), (2, 3))
    assert (sent(s), marks(s)) == ([0], "RLS..S.S..")
