"""CUBIC: its curve against the real-valued formulas of RFC 9438, its reductions, and figures that scripts know."""

import pytest

from labstack.tcp.cc.controller import CWR, INFINITE, LOSS, OPEN, RECOVERY, Sample
from labstack.tcp.cc.cubic import CUBE, Cubic, cube_root

MS = 1_000_000
MSS = 1000
C, BETA = 0.4, 0.7  # RFC 9438 §5


def cubic(**fields: int) -> Cubic:
    cc = Cubic(mss=MSS)
    cc.start(Sample(0))
    for name, value in fields.items():
        setattr(cc, name, value)
    return cc


def after_loss(cwnd: int, **fields: int) -> Cubic:
    """In congestion avoidance, at 0.7 of a window that was too great."""
    cc = cubic(cwnd=cwnd, **fields)
    cc.cwnd = cc.ssthresh = cc.threshold(0)
    return cc


def grow(cc: Cubic, rtt: int, rounds: int, begin: int = 1000) -> list[tuple[float, int]]:
    """A window of ACKs a round trip (ms), one for each segment: (seconds since the first, cwnd) after each round."""
    cc.least_rtt = rtt * 1000
    found, ns = [], begin * MS
    for _ in range(rounds):
        for i in range(cc.cwnd):
            cc.grow(Sample(ns + i * rtt * MS // cc.cwnd, acked=1, delivered=1))
        ns += rtt * MS
        found.append(((ns - begin * MS) / 1e9, cc.cwnd))
    return found


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 26, 27, 28, 10**6 - 1, 10**6, CUBE, CUBE * 999, 10**30 + 1])
def test_the_cube_root_is_exact(n: int) -> None:
    root = cube_root(n)
    assert root**3 <= n < (root + 1) ** 3


@pytest.mark.parametrize("w_max", [100, 300, 1000])
def test_cwnd_follows_the_curve_of_the_rfc(w_max: int) -> None:
    """RFC 9438 §4.2, figures 1 and 2: W(t) = C (t - K)^3 + W_max, K = cbrt(W_max (1 - beta) / C).

    Within two segments: a step holds for 32 ms, and steps are whole segments.
    """
    cc = after_loss(w_max, friendly=0)
    start = cc.cwnd
    k = ((w_max - start) / C) ** (1 / 3)
    for t, cwnd in grow(cc, rtt=50, rounds=int(1.2 * k / 0.05)):
        assert abs(cwnd - (C * (t - k) ** 3 + w_max)) < 2, t
    assert cc.k == pytest.approx(k * 1024, rel=0.001)
    assert cc.news[-1] == ("9438/4.2/epoch", w_max, "")


def test_loss_leaves_seven_tenths() -> None:
    """RFC 9438 §4.6, with 717/1024 as Linux has it."""
    assert [cubic(cwnd=n).threshold(0) for n in (10, 100, 1000, 2, 1)] == [7, 70, 700, 2, 2]


def test_loss_below_the_last_maximum_gives_way() -> None:
    """RFC 9438 §4.7: W_max = cwnd (1 + beta) / 2."""
    cc = cubic(cwnd=100)
    cc.threshold(0)
    assert cc.w_max == 100
    cc.cwnd = 80
    cc.threshold(0)
    assert (cc.w_max, cc.news[-1]) == (68, ("9438/4.7/converge", 68, ""))
    cc.cwnd = 68
    cc.threshold(0)
    assert cc.w_max == 68  # it is not below
    cc.convergence, cc.cwnd = 0, 50
    cc.threshold(0)
    assert cc.w_max == 50


def test_on_short_paths_it_is_as_fast_as_reno_on_average() -> None:
    """RFC 9438 §4.3: W_est grows by 3 (1 - beta) / (1 + beta) = 0.53 segments a round, where the cubic is slower."""
    cc = after_loss(30)
    start = cc.cwnd
    gained = grow(cc, rtt=2, rounds=200)[-1][1] - start
    assert gained == pytest.approx(200 * 3 * (1 - BETA) / (1 + BETA), rel=0.1)
    assert grow(after_loss(30, friendly=0), rtt=2, rounds=200)[-1][1] - start < 5


def test_it_never_grows_faster_than_half_of_slow_start() -> None:
    """RFC 9438 §4.4: the target is 1.5 cwnd at most; Linux: one segment for two."""
    cc = after_loss(20)
    grow(cc, rtt=100, rounds=1)
    before, cc.credit = cc.cwnd, 0
    for i in range(10):
        cc.grow(Sample((60_000 + i) * MS, acked=2, delivered=2))
        assert cc.cwnd == before + i + 1


def test_before_the_first_loss_it_adds_a_segment_for_twenty() -> None:
    """Linux: without a W_max the curve would be too careful. A script of google/packetdrill knows these figures
    (cubic-bulk-166k): two segments acknowledged each 100 ms, slow start left at 48."""
    cc, known = cubic(ssthresh=48), {}
    for i in range(200):
        s = Sample((200 + i * 100) * MS, acked=2, delivered=2, rtt=100 * MS if i == 0 else -1, una=i, nxt=i + 40)
        cc.heard(s)
        cc.grow(s)
        known[2 * i + 2] = cc.cwnd
    assert [known[n] for n in (10, 20, 30, 38, 60, 80, 100, 120, 122)] == [20, 30, 40, 48, 49, 50, 52, 58, 59]
    assert [known[n] for n in (140, 160, 400)] == [68, 78, 198]


def test_idleness_shifts_the_curve() -> None:
    """RFC 9438 §5.8, and the same script with a pause of 4 s: what is not used is not credited."""
    busy, idle = after_loss(100), after_loss(100)
    grow(busy, 100, 10)
    grow(idle, 100, 10)
    assert busy == idle
    idle.transmit(Sample(6000 * MS), 4000 * MS, False)
    assert idle.epoch == busy.epoch + 4000
    both = zip(grow(idle, 100, 10, 6000), grow(busy, 100, 10, 2000), strict=True)
    assert all(abs(a - b) <= 1 for (_, a), (_, b) in both)
    hasty = after_loss(100)
    grow(hasty, 100, 10)
    assert grow(hasty, 100, 10, 6000)[-1][1] >= idle.cwnd + 5


def test_an_epoch_does_not_begin_in_the_future() -> None:
    cc = after_loss(100)
    grow(cc, 100, 1)
    cc.transmit(Sample(2000 * MS), 90_000 * MS, False)
    assert cc.epoch == 2000
    quiet = after_loss(100)
    quiet.transmit(Sample(2000 * MS), 90_000 * MS, False)
    assert quiet.epoch == -1


def test_a_timeout_forgets() -> None:
    """RFC 9438 §4.8 as Linux: after it the path may be another."""
    cc = after_loss(100)
    grow(cc, 100, 3)
    cc.became(Sample(5000 * MS, state=RECOVERY), OPEN)
    assert cc.w_max == 100
    cc.became(Sample(5000 * MS, nxt=77, state=LOSS), OPEN)
    assert (cc.w_max, cc.k, cc.epoch, cc.least_rtt, cc.lookout.round_end) == (0, 0, -1, 0, 77)


def test_a_second_after_loss_round_trips_count_again() -> None:
    """Linux: in recovery they tell of the queue, not of the path."""
    cc = after_loss(100)
    grow(cc, 100, 1)
    cc.heard(Sample(1900 * MS, rtt=10 * MS))
    assert cc.least_rtt == 100_000
    cc.heard(Sample(2000 * MS, rtt=10 * MS))
    assert cc.least_rtt == 10_000
    cc.heard(Sample(2001 * MS, rtt=0))
    assert cc.least_rtt == 1


def test_abe_keeps_more_after_a_mark() -> None:
    """RFC 8511 §3.1: 0.85 for CUBIC; W_max is remembered all the same."""
    cc = cubic(cwnd=100, ssthresh=50, abe=1)
    assert (cc.threshold_ecn(0), cc.w_max, cc.epoch) == (84, 100, -1)


def test_undo_leaves_the_curve() -> None:
    cc = after_loss(100)
    cc.became(Sample(0, state=CWR), OPEN)
    assert (cc.after_undo(100), cc.w_max, cc.ssthresh) == (100, 100, 70)


def test_a_new_connection_is_in_slow_start() -> None:
    assert (cubic().cwnd, cubic().ssthresh) == (10, INFINITE)
