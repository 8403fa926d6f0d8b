# SPDX-License-Identifier: GPL-2.0-or-later
"""After a timeout: was it too early? RFC 5682 §3, the SACK-enhanced version."""

from lossy import MSS, NO_PROBES, Tcp, ack, counted, marks, sent, start
from tcp_script import Script

from labstack.tcp.loss import DISORDER, LOSS, OPEN


def timed_out(tcp: Tcp, size: int = 30, **sysctl: int) -> Script:
    """Ten segments were sent, and the first again after a timeout."""
    s = start(tcp, size=size, sysctl={**NO_PROBES, **{f"net.ipv4.tcp_{name}": value for name, value in sysctl.items()}})
    assert sent(s) == list(range(10))
    s.tx(after=200, seq=1, size=MSS)  # the RTO is 300 ms
    assert (s.conn.snd.loss.state, s.conn.snd.cc.cwnd, s.conn.snd.cc.ssthresh) == (LOSS, 1, 5)
    assert marks(s) == "RLLLLLLLLL"
    return s


def test_the_first_ack_that_advances_lets_new_data_go_first(tcp: Tcp) -> None:
    """RFC 5682 §3.1 (2) b): up to two segments that were never sent."""
    s = timed_out(tcp)
    ack(s, 1)
    assert sent(s) == [10, 11]
    assert s.conn.snd.loss.frto


def test_an_ack_of_what_was_never_sent_again_proves_that_nothing_was_lost(tcp: Tcp) -> None:
    """RFC 5682 §3.1 (3) b), §3.3 with Eifel's response (RFC 4015): the window is what it was."""
    s = timed_out(tcp)
    ack(s, 1)
    sent(s)
    ack(s, 2)
    assert (s.conn.snd.loss.state, s.conn.snd.cc.cwnd >= 10, s.conn.snd.cc.ssthresh) == (OPEN, True, 0x7FFFFFFF)
    assert set(marks(s)) == {"."}
    assert counted(s) == {"Timeouts": 1, "LossUndo": 1, "SpuriousRTOs": 1, "TcpRetransSegs": 1}
    assert sent(s)[0] == 12


def test_a_sack_of_what_was_never_sent_again_proves_it_too(tcp: Tcp) -> None:
    """RFC 5682 §3.1 (3) b): segments from before the timeout that arrive now were on their way."""
    s = timed_out(tcp)
    ack(s, 0, (1, 2))
    assert s.conn.snd.loss.state == DISORDER  # the first is missing still
    assert s.count("TcpExtTCPSpuriousRTOs") == 1
    sent(s)


def test_a_duplicate_ack_after_new_data_proves_that_the_loss_was_real(tcp: Tcp) -> None:
    """RFC 5682 §3.1 (3) a): what arrived is the new data; the rest goes again, in slow start."""
    s = timed_out(tcp)
    ack(s, 1)
    assert sent(s) == [10, 11]
    ack(s, 1, (10, 11))
    assert (s.conn.snd.loss.state, s.conn.snd.loss.frto) == (LOSS, False)
    assert sent(s)[0] == 1
    assert s.count("TcpExtTCPSpuriousRTOs") == 0


def test_without_new_data_there_is_nothing_to_ask_with(tcp: Tcp) -> None:
    """RFC 5682 §3.1 (2) b): then the timeout counts as right."""
    s = timed_out(tcp, size=10)
    ack(s, 1)
    assert (sent(s), s.conn.snd.loss.frto) == ([1, 2], False)


def test_tcp_frto_switches_it_off(tcp: Tcp) -> None:
    """Linux's sysctl: retransmissions at once, RFC 5681 §3.1."""
    s = timed_out(tcp, frto=0)
    ack(s, 1)
    assert sent(s) == [1, 2]
    assert counted(s) == {"Timeouts": 1, "SlowStartRetrans": 2, "TcpRetransSegs": 3}


def test_an_ack_of_everything_proves_it_at_once(tcp: Tcp) -> None:
    """RFC 5682 §3.1 (3) b): only the first went again, and one copy of it alone acknowledges no more than itself."""
    s = timed_out(tcp)
    ack(s, 10)
    assert (s.conn.snd.loss.state, s.conn.snd.cc.ssthresh, s.conn.snd.cc.cwnd) == (OPEN, 0x7FFFFFFF, 20)
    assert counted(s) == {"Timeouts": 1, "LossUndo": 1, "SpuriousRTOs": 1, "TcpRetransSegs": 1}
    sent(s)


def test_a_second_timeout_is_under_suspicion_again(tcp: Tcp) -> None:
    """RFC 5682 §3.1 (1): also one that follows another."""
    s = timed_out(tcp)
    s.tx(after=600, seq=1)
    assert s.conn.snd.loss.frto
    assert (s.conn.snd.cc.cwnd, s.conn.snd.cc.ssthresh) == (1, 5)
