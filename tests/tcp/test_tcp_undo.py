# SPDX-License-Identifier: GPL-2.0-or-later
"""Taking a reduction back: D-SACK (RFC 3708), Eifel with timestamps (RFC 3522, RFC 4015)."""

from lossy import NO_PROBES, RTT, Tcp, ack, counted, marks, sent, start
from tcp_script import Script

from labstack.tcp.loss import LOSS, OPEN, RECOVERY

INFINITE = 0x7FFFFFFF


def recovering(tcp: Tcp, stamps: bool = False) -> Script:
    """Ten were sent, the first was late by three and went again."""
    s = start(tcp, stamps=stamps, sysctl=NO_PROBES)
    assert sent(s) == list(range(10))
    ack(s, 0, (1, 4))
    assert (sent(s), s.conn.snd.loss.state) == ([0], RECOVERY)
    assert (s.conn.snd.cc.ssthresh, s.conn.snd.loss.prior_cwnd) == (5, 10)
    return s


def test_a_dsack_for_every_retransmission_takes_the_reduction_back(tcp: Tcp) -> None:
    """RFC 3708 §3; RFC 4015 §3.2: cwnd and ssthresh are what they were."""
    s = recovering(tcp)
    ack(s, 4)
    s.wait(RTT)
    ack(s, 4, (0, 1))
    cc, loss = s.conn.snd.cc, s.conn.snd.loss
    assert (loss.state, cc.cwnd, cc.ssthresh) == (OPEN, 10, INFINITE)
    assert counted(s) == {
        "SackRecovery": 1, "FastRetrans": 1, "TcpRetransSegs": 1,
        "DSACKRecv": 1, "DSACKRecvSegs": 1, "DSACKUndo": 1,
    }  # fmt: skip


def test_one_dsack_for_two_retransmissions_proves_nothing(tcp: Tcp) -> None:
    """RFC 3708 §3: each of them must have been superfluous."""
    s = start(tcp, sysctl=NO_PROBES)
    sent(s)
    ack(s, 0, (2, 8))
    assert sent(s) == [0, 1]
    assert s.conn.snd.loss.doubtful == 2
    ack(s, 8)
    s.wait(RTT)
    ack(s, 8, (0, 1))
    assert (s.conn.snd.loss.state, s.conn.snd.loss.doubtful, s.conn.snd.cc.ssthresh) == (RECOVERY, 1, 5)
    ack(s, 8, (1, 2))
    assert (s.conn.snd.loss.state, s.conn.snd.cc.ssthresh, s.conn.snd.cc.cwnd) == (OPEN, INFINITE, 10)
    assert s.count("TcpExtTCPDSACKUndo") == 1


def test_a_timestamp_from_before_the_retransmission_takes_it_back(tcp: Tcp) -> None:
    """RFC 3522 §3.2 (4): what fills the hole was sent the first time."""
    s = recovering(tcp, stamps=True)
    s.wait(10)
    ack(s, 4, echo=1100)  # when the first ten were sent
    cc, loss = s.conn.snd.cc, s.conn.snd.loss
    assert (loss.state, cc.cwnd, cc.ssthresh) == (OPEN, 11, INFINITE)  # and one by slow start
    assert s.count("TcpExtTCPPartialUndo") + s.count("TcpExtTCPFullUndo") == 1
    assert marks(s) == "......"
    s.nothing()


def test_the_timestamp_of_the_retransmission_takes_nothing_back(tcp: Tcp) -> None:
    """RFC 3522 §3.2 (4): the original was lost."""
    s = recovering(tcp, stamps=True)
    s.wait(RTT)
    ack(s, 10, echo=1200)  # when the first went again
    assert (s.conn.snd.loss.state, s.conn.snd.cc.cwnd, s.conn.snd.cc.ssthresh) == (OPEN, 6, 5)  # 5, and six more came
    assert counted(s) == {"SackRecovery": 1, "FastRetrans": 1, "TcpRetransSegs": 1}


def test_an_old_timestamp_after_a_timeout_takes_that_back(tcp: Tcp) -> None:
    """RFC 3522 §3.2, RFC 4015 §3.2: a timeout that came too early; nothing that counted as lost goes again."""
    s = start(tcp, stamps=True, sysctl={**NO_PROBES, "net.ipv4.tcp_frto": 0})
    sent(s)
    s.tx(after=200, seq=1)
    assert (s.conn.snd.loss.state, s.conn.snd.cc.cwnd) == (LOSS, 1)
    ack(s, 1, echo=1100)
    assert (s.conn.snd.loss.state, s.conn.snd.cc.ssthresh) == (OPEN, INFINITE)
    assert s.conn.snd.cc.cwnd >= 10
    assert marks(s) == "." * 9
    s.nothing()
    assert counted(s) == {"Timeouts": 1, "LossUndo": 1, "TcpRetransSegs": 1}


def test_without_timestamps_and_dsacks_a_reduction_stays(tcp: Tcp) -> None:
    """RFC 5681 §3.2: nothing tells one copy from the other."""
    s = recovering(tcp)
    s.wait(RTT)
    ack(s, 10)
    assert (s.conn.snd.loss.state, s.conn.snd.cc.cwnd, s.conn.snd.cc.ssthresh) == (OPEN, 6, 5)  # 5, and six more came


def test_duplicates_that_the_network_made_prove_nothing(tcp: Tcp) -> None:
    """RFC 3708 §3: more that came twice than was sent twice is not about that."""
    s = recovering(tcp)
    ack(s, 4)
    sent(s)
    s.wait(RTT)
    ack(s, 4, (2, 4))
    assert (s.conn.snd.loss.state, s.conn.snd.cc.ssthresh, s.count("TcpExtTCPDSACKUndo")) == (RECOVERY, 5, 0)
