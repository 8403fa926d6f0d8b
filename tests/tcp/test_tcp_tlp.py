# SPDX-License-Identifier: GPL-2.0-or-later
"""Tail loss probes: RFC 8985 §7."""

import pytest
from lossy import MSS, NO_PROBES, RTT, Tcp, ack, counted, marks, sent, start, write

from labstack.core.kinds import TCP_RETRANSMIT
from labstack.tcp.loss import CWR, LOSS, OPEN, RECOVERY

PTO = 2 * RTT + 2  # ms; a timer never has less than 2
RTO = 300  # SRTT and tcp_rto_min


def test_the_last_segment_goes_again_after_two_round_trips(tcp: Tcp) -> None:
    """RFC 8985 §7.2, §7.3: an RTO would be a round trip later, and end in Loss."""
    s = start(tcp, size=2)
    assert sent(s) == [0, 1]
    s.wait(PTO - RTT - 1)
    s.nothing()
    s.wait(1)
    assert (sent(s), marks(s)) == ([1], "..")
    assert counted(s) == {"LossProbes": 1, "TcpRetransSegs": 1}
    assert (s.conn.snd.loss.state, s.conn.snd.loss.tail_end) == (OPEN, s.conn.snd.nxt)


def test_new_data_goes_if_there_is_any(tcp: Tcp) -> None:
    """RFC 8985 §7.3: although cwnd has no room for it."""
    s = start(tcp, size=0, cwnd=2)
    write(s, 3)
    assert sent(s) == [0, 1]
    s.tx(after=PTO, seq=1 + 2 * MSS, size=MSS)
    assert counted(s) == {"LossProbes": 1}


def test_one_segment_alone_waits_for_a_receiver_that_delays_its_ack(tcp: Tcp) -> None:
    """RFC 8985 §7.2: WCDelAckT, with Linux tcp_rto_min; here it is no sooner than the RTO would be."""
    s = start(tcp, size=0)
    write(s, 1)
    sent(s)
    s.tx(after=RTO, seq=1)
    assert (s.count("TcpExtTCPLossProbes"), s.count("TcpExtTCPTimeouts")) == (1, 0)


def test_at_most_one_probe_then_the_timeout(tcp: Tcp) -> None:
    """RFC 8985 §7.3: the RTO runs from the probe."""
    s = start(tcp, size=0)
    write(s, 2)
    sent(s)
    s.tx(after=PTO, seq=1 + MSS)
    s.tx(after=RTO, seq=1)
    assert s.conn.snd.loss.state == LOSS
    assert (s.count("TcpExtTCPLossProbes"), s.count("TcpExtTCPTimeouts"), s.conn.snd.loss.tail_end) == (1, 1, 0)


def test_what_the_probe_brings_back_starts_recovery(tcp: Tcp) -> None:
    """RFC 8985 §7.1: with the SACK of the probe RACK finds what was lost before it."""
    s = start(tcp, size=5)
    sent(s)
    ack(s, 1)
    s.tx(after=PTO, seq=1 + 4 * MSS)
    s.wait(RTT)
    ack(s, 1, (4, 5))
    assert (s.conn.snd.loss.state, sent(s), marks(s)) == (RECOVERY, [1], "RLLS")


def test_a_probe_that_repaired_the_only_loss_still_costs_the_window(tcp: Tcp) -> None:
    """RFC 8985 §7.4.2: an ACK beyond the probe, and no sign that both copies arrived."""
    s = start(tcp, size=3)
    sent(s)
    ack(s, 2)
    s.soon()
    s.wait(RTT)
    ack(s, 3)
    assert s.conn.snd.loss.tail_end > 0  # both may have arrived
    write(s, 1)
    sent(s)
    s.wait(RTT)
    ack(s, 4)
    assert counted(s) == {"LossProbes": 1, "LossProbeRecovery": 1, "TcpRetransSegs": 1}
    assert (s.conn.snd.loss.state, s.conn.snd.cc.ssthresh, s.conn.snd.cc.cwnd) == (OPEN, 5, 5)


def test_a_probe_that_was_not_needed_costs_nothing(tcp: Tcp) -> None:
    """RFC 8985 §7.4.1 (1): a D-SACK tells that both copies arrived."""
    s = start(tcp, size=3)
    sent(s)
    ack(s, 2)
    s.soon()
    ack(s, 3)
    ack(s, 3, (2, 3))
    assert s.conn.snd.loss.tail_end == 0
    write(s, 1)
    sent(s)
    ack(s, 4)
    assert (s.count("TcpExtTCPLossProbeRecovery"), s.conn.snd.cc.cwnd, s.conn.snd.loss.state) == (0, 10, OPEN)


def test_a_duplicate_ack_tells_the_same(tcp: Tcp) -> None:
    """RFC 8985 §7.4.1 (2): from a receiver without D-SACK."""
    s = start(tcp, size=3)
    sent(s)
    ack(s, 2)
    s.soon()
    ack(s, 3)
    write(s, 1)
    sent(s)
    ack(s, 3)
    assert s.conn.snd.loss.tail_end == 0
    assert s.conn.snd.loss.state != CWR


def test_another_waits_until_the_first_is_answered(tcp: Tcp) -> None:
    """RFC 8985 §7.2: one is under way; its time over, what comes is the timeout, an RTO after the oldest was sent."""
    s = start(tcp, size=4)
    sent(s)
    s.tx(after=PTO - RTT, seq=1 + 3 * MSS)
    ack(s, 1)
    s.soon()
    assert (s.count("TcpExtTCPLossProbes"), s.count("TcpExtTCPTimeouts"), s.conn.snd.loss.state) == (1, 1, LOSS)


def test_without_a_round_trip_time_it_comes_after_a_second(tcp: Tcp) -> None:
    """RFC 8985 §7.2: our SYN,ACK went twice, and nothing tells which was answered."""
    s = tcp(sack=True)
    s.listen()
    s.rx("S", win=60_000, mss=MSS, options=[("SAckOK", b"")])
    s.tx("SA")
    s.tx("SA", seq=0, after=1000)
    s.rx("A", ack=1)
    s.accept()
    write(s, 2)
    assert sent(s) == [0, 1]
    s.tx(after=1000, seq=1 + MSS)
    assert s.count("TcpExtTCPLossProbes") == 1


def test_there_are_none_after_everything_was_acknowledged(tcp: Tcp) -> None:
    """RFC 6298 (5.2): no timer is left."""
    s = start(tcp, size=2)
    sent(s)
    ack(s, 2)
    assert TCP_RETRANSMIT not in {kind for kind, _ in s.stack.env.timers.at}


def test_there_are_none_without_sack(tcp: Tcp) -> None:
    """RFC 8985 §7: nothing would tell what was lost."""
    s = start(tcp, size=0, agreed=False)
    write(s, 2)
    sent(s)
    s.tx(after=RTO, seq=1)
    assert (s.count("TcpExtTCPLossProbes"), s.count("TcpExtTCPTimeouts")) == (0, 1)


def test_there_are_none_if_tcp_early_retrans_says_so(tcp: Tcp) -> None:
    """Linux's sysctl."""
    s = start(tcp, size=0, sysctl=NO_PROBES)
    write(s, 2)
    sent(s)
    s.tx(after=RTO, seq=1)
    assert s.count("TcpExtTCPLossProbes") == 0


@pytest.mark.parametrize("more", [0, 1])
def test_there_are_none_in_recovery(tcp: Tcp, more: int) -> None:
    """RFC 8985 §7.2: recovery has its own ways, also if new data goes out."""
    s = start(tcp)
    sent(s)
    ack(s, 0, (1, 8))
    write(s, more)
    assert sent(s) == [0, 10][: 1 + more]
    s.soon()
    assert (s.count("TcpExtTCPLossProbes"), s.count("TcpExtTCPTimeouts"), s.conn.snd.loss.state) == (0, 1, LOSS)
