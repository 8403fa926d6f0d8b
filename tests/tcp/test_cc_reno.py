"""What controllers share, Reno, and a constant window: exact numbers."""

import pytest

from labstack.tcp.cc.controller import CWR, INFINITE, LOSS, OPEN, RECOVERY, Controller, Sample
from labstack.tcp.cc.none import WINDOW, Constant
from labstack.tcp.cc.reno import Reno

MSS = 1000


def acked(cc: Controller, *counts: int) -> list[int]:
    """cwnd after ACKs of so many segments each."""
    found = []
    for count in counts:
        cc.grow(Sample(0, acked=count, delivered=count))
        found.append(cc.cwnd)
    return found


def test_slow_start_adds_what_was_acknowledged() -> None:
    """RFC 5681 §3.1 (2) with RFC 3465 §2.2 as Linux counts: two segments by one ACK are two."""
    assert acked(Reno(mss=MSS), 1, 2, 10, 0) == [11, 13, 23, 23]


def test_slow_start_stops_at_ssthresh_and_the_rest_counts_in_congestion_avoidance() -> None:
    """RFC 5681 §3.1: cwnd < ssthresh is slow start, cwnd = ssthresh congestion avoidance."""
    cc = Reno(mss=MSS, ssthresh=12)
    assert acked(cc, 5) == [12]
    assert cc.credit == 3
    assert acked(cc, 8, 1) == [12, 13]


def test_congestion_avoidance_adds_a_segment_a_window() -> None:
    """RFC 3465 §2.1: when cwnd segments were acknowledged, whatever ACKs did it."""
    cc = Reno(mss=MSS, cwnd=4, ssthresh=4)
    assert acked(cc, 1, 1, 1, 1) == [4, 4, 4, 5]
    assert acked(cc, 4, 1) == [5, 6]
    assert acked(cc, 20) == [9]  # a stretch ACK: three windows of six
    assert cc.credit == 2


def test_credit_from_longer_steps_is_used_for_one_step_only() -> None:
    """Linux's tcp_cong_avoid_ai: a step that got shorter does not make a burst."""
    cc = Reno(mss=MSS, cwnd=100, ssthresh=100)
    cc.increase(100, 90)
    cc.increase(10, 1)
    assert (cc.cwnd, cc.credit) == (101, 1)


@pytest.mark.parametrize("grow", [1, 100])
def test_nothing_exceeds_the_clamp(grow: int) -> None:
    cc = Reno(mss=MSS, clamp=12)
    acked(cc, grow, grow, grow)
    assert cc.cwnd <= 12
    cc.ssthresh = 5
    acked(cc, *[grow] * 50)
    assert cc.cwnd == 12


@pytest.mark.parametrize(("cwnd", "ssthresh"), [(10, 5), (11, 5), (5, 2), (3, 2), (1, 2)])
def test_loss_halves_but_leaves_two(cwnd: int, ssthresh: int) -> None:
    """RFC 5681 §3.1 (4), by cwnd as in Linux and not by flight."""
    assert Reno(mss=MSS, cwnd=cwnd).threshold(0) == ssthresh


def test_a_mark_is_worth_a_loss_unless_abe_is_on() -> None:
    """RFC 8511 §3: 0.8 instead of 0.5, in congestion avoidance only."""
    assert Reno(mss=MSS, cwnd=100, ssthresh=50).threshold_ecn(0) == 50
    cc = Reno(mss=MSS, cwnd=100, ssthresh=50, abe=1)
    assert (cc.threshold_ecn(0), cc.threshold(0)) == (79, 50)
    assert cc.news[-1] == ("8511/3/backoff", 79, "")
    assert Reno(mss=MSS, cwnd=100, abe=1).threshold_ecn(0) == 50  # slow start
    assert Reno(mss=MSS, cwnd=2, ssthresh=2, abe=1).threshold_ecn(0) == 2


@pytest.mark.parametrize(("rtos", "cwnd"), [(1, 80), (2, 40), (3, 20), (4, 10), (5, 10), (500, 10)])
def test_idleness_halves_cwnd_for_each_rto_down_to_the_initial_window(rtos: int, cwnd: int) -> None:
    """RFC 5681 §4.1 in RFC 2861's and Linux's gentler way (tcp_cwnd_restart)."""
    cc = Reno(mss=MSS, cwnd=80, ssthresh=30)
    cc.restart(rtos * 200, 200, 10)
    assert (cc.cwnd, cc.ssthresh) == (cwnd, 60)


def test_idleness_does_not_enlarge_a_small_window() -> None:
    cc = Reno(mss=MSS, cwnd=4)
    cc.restart(10_000, 200, 10)
    assert (cc.cwnd, cc.ssthresh) == (4, INFINITE)


def test_what_is_known_of_the_path_is_ssthresh_or_three_quarters_of_cwnd() -> None:
    """Linux's tcp_current_ssthresh: not while the window is being reduced."""
    cc = Reno(mss=MSS, cwnd=41, ssthresh=20)
    assert [cc.worth(state) for state in (OPEN, CWR, RECOVERY, LOSS)] == [30, 20, 20, 30]


def test_undo_gives_back_what_there_was() -> None:
    """RFC 4015 §3.2 as Linux: never less than what there is now."""
    assert Reno(mss=MSS, cwnd=5).after_undo(20) == 20
    assert Reno(mss=MSS, cwnd=25).after_undo(20) == 25


def test_a_constant_window_is_constant() -> None:
    cc = Constant(mss=MSS)
    cc.start(Sample(0))
    cc.ssthresh = cc.threshold(0)
    cc.control(Sample(0, acked=4, losses=7, state=RECOVERY))
    cc.restart(10**12, 1, 10)
    assert (cc.cwnd, cc.ssthresh) == (WINDOW, INFINITE)
    cc.clamp = 30
    cc.control(Sample(0))
    assert cc.cwnd == 30


def test_only_the_latest_news_is_kept() -> None:
    """What nobody takes does not grow."""
    cc = Reno(mss=MSS)
    for i in range(100):
        cc.say("9438/4.2/epoch", i)
    assert [it.value for it in cc.news] == list(range(84, 100))
