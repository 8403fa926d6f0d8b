# SPDX-License-Identifier: GPL-2.0-or-later
"""Proportional Rate Reduction: RFC 6937 §3, RFC 9937. Only numbers: a sender with so many segments in flight."""

from hypothesis import given
from hypothesis import strategies as st
from lossy import RTT, Tcp, ack, counted, sent, start
from tcp_script import Script

from labstack.tcp import prr
from labstack.tcp.cc.controller import INFINITE, Sample
from labstack.tcp.loss import CWR, OPEN


def begun(cwnd: int, ssthresh: int) -> Script:
    """A connection whose window is about to become ssthresh."""
    s = Script().passive()
    s.conn.snd.cc.cwnd = cwnd
    prr.begin(s.stack.env, s.conn, ssthresh)
    return s


def allows(s: Script, flight: int, delivered: int = 1, losses: int = 0, advanced: bool = False) -> int:
    """How many segments may go after an ACK; they go."""
    prr.reduce(s.stack.env, s.conn, Sample(s.now, delivered=delivered, flight=flight, losses=losses), advanced)
    count: int = s.conn.snd.cc.cwnd - flight
    s.conn.snd.loss.prr_out += count
    return count


def test_above_ssthresh_what_goes_is_to_what_arrives_as_ssthresh_to_the_old_window() -> None:
    """RFC 6937 §3: sndcnt = CEIL(prr_delivered * ssthresh / RecoverFS) - prr_out."""
    s = begun(20, 10)
    flight, went = 19, []
    for _ in range(10):
        went.append(allows(s, flight))
        flight += went[-1] - 1
    assert went == [1, 0, 1, 0, 1, 0, 1, 0, 1, 0]


def test_seven_tenths_are_seven_of_ten() -> None:
    """RFC 6937 §3, with CUBIC's factor."""
    s = begun(10, 7)
    assert [allows(s, 9) for _ in range(10)] == [1, 1, 1, 0, 1, 1, 0, 1, 1, 0]


def test_the_first_retransmission_goes_at_once() -> None:
    """RFC 9937: whatever the proportion says."""
    s = begun(100, 1)
    assert [allows(s, 50) for _ in range(3)] == [1, 0, 0]


def test_below_ssthresh_one_goes_for_one_while_there_are_more_losses() -> None:
    """RFC 6937 §3, conservation (PRR-CRB) where an ACK tells of losses, or acknowledges nothing."""
    s = begun(20, 10)
    assert [allows(s, 4, losses=2, advanced=True) for _ in range(3)] == [1, 1, 1]
    assert [allows(s, 4, delivered=2) for _ in range(2)] == [2, 2]


def test_below_ssthresh_it_is_slow_start_when_all_goes_well() -> None:
    """RFC 6937 §3 (PRR-SSRB), RFC 9937: one more for each ACK that advances and tells of no loss."""
    s = begun(20, 10)
    assert [allows(s, 4, advanced=True) for _ in range(3)] == [2, 2, 2]


def test_what_was_not_sent_earlier_may_be_made_up_for() -> None:
    """RFC 6937 §3: prr_delivered - prr_out, if that is more than this ACK delivered."""
    s = begun(20, 10)
    s.conn.snd.loss.prr_delivered = 5
    assert allows(s, 2, losses=1) == 6
    assert allows(s, 9, losses=1) == 1


def test_never_more_than_ssthresh_is_rebuilt() -> None:
    """RFC 6937 §3: MIN(ssthresh - pipe, limit)."""
    s = begun(20, 10)
    assert allows(s, 7, delivered=8, advanced=True) == 3
    assert s.conn.snd.cc.cwnd == 10


def test_an_ack_that_delivers_nothing_changes_nothing() -> None:
    """RFC 6937 §3: DeliveredData is the clock."""
    s = begun(20, 10)
    prr.reduce(s.stack.env, s.conn, Sample(s.now, delivered=0, flight=3), advanced=False)
    assert s.conn.snd.cc.cwnd == 20


@given(st.integers(2, 200), st.data())
def test_one_round_trip_later_the_window_is_ssthresh(cwnd: int, data: st.DataObject) -> None:
    """RFC 6937 §3.1: whatever is lost, what is in flight comes to ssthresh, and never rises above it again."""
    ssthresh = data.draw(st.integers(1, cwnd))
    lost = data.draw(st.integers(1, cwnd - 1))
    s = begun(cwnd, ssthresh)
    flight, arriving = cwnd - lost, cwnd - lost
    while arriving:
        delivered = data.draw(st.integers(1, min(arriving, 3)))
        arriving -= delivered
        before = flight
        flight -= delivered
        went = allows(s, flight, delivered)
        flight += went
        assert 0 <= went <= max(delivered + 1, s.conn.snd.loss.prr_delivered)
        assert flight <= max(before, ssthresh, 1)
    assert s.conn.snd.loss.prr_out <= max(s.conn.snd.loss.prr_delivered, 1)
    assert flight <= max(ssthresh, 1)


def test_at_the_end_cwnd_is_ssthresh() -> None:
    """RFC 6937 §3, RFC 6582 §3.2 (3)."""
    s = begun(20, 10)
    s.conn.snd.loss.state, s.conn.snd.cc.cwnd = CWR, 3
    prr.end(s.stack.env, s.conn)
    assert s.conn.snd.cc.cwnd == 10
    s.conn.snd.cc.cwnd, s.conn.snd.cc.ssthresh = 3, INFINITE
    prr.end(s.stack.env, s.conn)
    assert s.conn.snd.cc.cwnd == 3


def test_a_recovery_from_beginning_to_end(tcp: Tcp) -> None:
    """RFC 6937 §4, its first example: one loss of 20, Reno; every second ACK lets a new segment go."""
    s = start(tcp, size=40, cwnd=20)
    assert sent(s) == list(range(20))
    went = []
    for n in range(2, 21):
        ack(s, 0, (1, n))
        went.append(sent(s))
    assert went[:4] == [[20], [21], [0], []]  # limited transmit, RFC 3042; then three have arrived
    assert s.conn.snd.cc.ssthresh == 10
    later = [len(w) for w in went[4:]]
    assert (sum(later), max(later)) == (7, 1)  # 29 sent, 19 arrived, one lost and sent again: 10 are in flight
    assert s.conn.snd.flight.now == s.conn.snd.cc.cwnd == 10
    s.wait(RTT)
    ack(s, 22)
    assert (s.conn.snd.loss.state, s.conn.snd.cc.cwnd) == (OPEN, 10)
    assert counted(s) == {"SackRecovery": 1, "FastRetrans": 1, "TcpRetransSegs": 1}
    sent(s)
