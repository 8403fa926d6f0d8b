"""BBR on a simulated bottleneck of 2,500 segments/s and 40 ms: modes, gains, the model, what it does about loss."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from cc_path import MS, MSS, SECOND, Path

from labstack.tcp.cc.bbr import CYCLE, DRAIN, GAIN, HIGH, LOW, PROBE_BW, STARTUP, Bbr
from labstack.tcp.cc.bursts import Bursts
from labstack.tcp.cc.controller import INFINITE, LOSS, OPEN, RECOVERY, Sample
from labstack.tcp.cc.policer import BELIEVED, Policer

RATE, DELAY = 2500, 40 * MS
BDP = 100  # segments
BW = (RATE << 24) // 1_000_000


class Watched(Path):
    """Remembers what each ACK led to."""

    def __init__(self, cc: Bbr, queue: int = 1000, drops: Callable[[int], bool] = lambda _: False) -> None:
        super().__init__(cc, RATE, DELAY, queue, drops=drops)
        self.bbr = cc
        self.modes: list[int] = []
        self.gains: list[tuple[int, int]] = []  # when, of pacing
        self.seen = lambda _, s: self.look(s)

    def look(self, s: Sample) -> None:
        if not self.modes or self.modes[-1] != self.bbr.mode:
            self.modes.append(self.bbr.mode)
        if not self.gains or self.gains[-1][1] != self.bbr.gain:
            self.gains.append((s.now, self.bbr.gain))


def fresh(seed: int = 0) -> Bbr:
    return Bbr(mss=MSS, seed=seed)


def test_it_paces_from_the_start_at_the_initial_window_times_the_high_gain() -> None:
    """Linux's bbr_init_pacing_rate_from_rtt: 10 segments in 40 ms, 2.885 times, less 1 %."""
    cc = fresh()
    cc.start(Sample(0, srtt=DELAY, min_rtt=DELAY))
    assert cc.pacing == pytest.approx(10 * MSS / 0.04 * 2.885 * 0.99, rel=0.002)
    blind = fresh()
    blind.start(Sample(0))
    assert blind.pacing == pytest.approx(10 * MSS / 0.001 * 2.885 * 0.99, rel=0.002)
    assert (blind.mode, blind.ssthresh, blind.least) == (STARTUP, INFINITE, -1)


def test_startup_finds_the_bandwidth_and_drain_empties_the_queue() -> None:
    path = Watched(fresh()).run(2 * SECOND)
    assert path.modes == [STARTUP, DRAIN, PROBE_BW]
    assert [gain for _, gain in path.gains[:3]][:2] == [HIGH, LOW]
    assert path.bbr.bandwidth[0][1] == pytest.approx(BW, rel=0.001)
    assert path.bbr.least == 40_000
    assert path.bbr.ssthresh >= BDP
    assert path.lost == 0
    rules = [it.rule for it in path.bbr.news]
    assert rules[:2] == ["linux/bbr_check_drain/full", "linux/bbr_check_drain/drained"]


def test_probe_bw_cycles_through_eight_gains_a_round_trip_each() -> None:
    """5/4, 3/4, and six times 1; cwnd is two bandwidth-delay products, rounded up by what waits in devices."""
    path = Watched(fresh()).run(6 * SECOND)
    late = [(at, gain) for at, gain in path.gains if at > SECOND]
    asks = [at for at, gain in late if gain == CYCLE[0]]
    assert {gain for _, gain in late} == {GAIN, CYCLE[0], CYCLE[1]}
    periods = [b - a for a, b in pairwise(asks)]
    assert all(6 * DELAY < period < 10 * DELAY for period in periods)
    assert 2 * BDP <= path.bbr.cwnd <= 2 * BDP + 3 * path.bbr.pacing // 1024 // MSS + 10
    assert path.total > 0.97 * RATE * 6 - 10 * BDP
    assert path.cc.info()["bbr_bw_lo"] == pytest.approx(RATE * MSS, rel=0.001)


def test_the_first_phase_is_by_lot_but_never_the_one_that_drains() -> None:
    phases = set()
    for seed in range(60):
        cc = fresh(seed)
        cc.start(Sample(0))
        cc._cruise(Sample(0))
        phases.add(cc.phase)
    assert phases == {0, 2, 3, 4, 5, 6, 7}


def test_a_seed_makes_the_lots_repeatable() -> None:
    a, b, c = (Watched(fresh(seed)).run(SECOND).bbr for seed in (5, 5, 6))
    assert a == b
    assert a != c


def test_after_ten_seconds_without_a_shorter_round_trip_it_dips() -> None:
    """PROBE_RTT: four segments for 200 ms and a round, then everything as before. The queue keeps the samples up."""
    path = Watched(fresh()).run(8 * SECOND)
    before, path.delay = path.bbr.cwnd, DELAY + 5 * MS  # the path has become longer
    dips: list[tuple[int, int]] = []

    def look(path: Path, s: Sample) -> None:
        if path.cc.dipping:
            dips.append((s.now, path.cc.cwnd))

    path.seen = look
    path.run(12 * SECOND)
    assert 10 * SECOND < dips[0][0] < 10 * SECOND + 200 * MS
    assert {cwnd for _, cwnd in dips} == {4}
    assert 200 * MS < dips[-1][0] - dips[0][0] < 350 * MS
    assert (path.bbr.mode, path.bbr.least) == (PROBE_BW, 45_400)
    assert path.bbr.cwnd >= before
    assert path.modes == [STARTUP, DRAIN, PROBE_BW]  # until the look was replaced
    assert "linux/bbr_update_min_rtt/probe" in [it.rule for it in path.bbr.news]


def test_random_loss_does_not_slow_it_down() -> None:
    """2 % at random: Reno would get a tenth of the path."""
    path = Watched(fresh(), drops=lambda n: n % 50 == 7).run(10 * SECOND)
    assert path.total > 0.9 * RATE * 10
    assert path.lost > 300


def test_recovery_conserves_packets_for_a_round_and_restores_cwnd() -> None:
    """cwnd is what is in flight and what arrived, then grows again; after it, the cwnd from before."""
    path = Watched(fresh()).run(2 * SECOND)
    cc, s = path.bbr, path._sample()
    cc.threshold(s.now)
    held = cc.cwnd
    cc.control(s._replace(state=RECOVERY, flight=50, delivered=2, losses=3))
    assert (cc.cwnd, cc.conserving) == (52, True)
    cc.control(s._replace(state=RECOVERY, flight=40, delivered=1))
    assert cc.cwnd == 52
    cc.control(s._replace(state=RECOVERY, flight=51, delivered=5, prior=s.total, total=s.total + 9, interval=40 * MS))
    assert (cc.cwnd, cc.conserving) == (57, False)
    cc.control(s._replace(state=OPEN, flight=52, delivered=1))
    assert cc.cwnd >= held


def test_a_timeout_ends_a_round_and_forgets_how_the_bandwidth_grew() -> None:
    cc = Watched(fresh()).run(300 * MS).bbr
    assert cc.full_bw > 0
    cc.became(Sample(300 * MS, state=LOSS, total=500, lost=60), OPEN)
    assert (cc.full_bw, cc.round_start, cc.before) == (0, True, LOSS)
    assert cc.policer.sampling


def test_undo_keeps_cwnd_and_looks_for_bandwidth_again() -> None:
    cc = fresh()
    cc.full_bw, cc.full_rounds, cc.cwnd = 99, 2, 7
    assert (cc.after_undo(50), cc.full_bw, cc.full_rounds) == (7, 0, 0)


def test_what_the_application_limits_does_not_lower_the_bandwidth() -> None:
    path = Watched(fresh()).run(2 * SECOND)
    cc, s = path.bbr, path._sample()
    best = cc.bandwidth[0][1]
    for i in range(40):
        total = s.total + i
        cc.control(s._replace(now=s.now + i * DELAY, total=total + 1, prior=total, interval=DELAY, app_limited=True))
    assert cc.bandwidth[0][1] == best
    cc.control(s._replace(total=s.total + 1000, prior=s.total, interval=DELAY, app_limited=True))
    assert cc.bandwidth[0][1] > best


def test_sending_again_after_idleness_paces_at_the_bandwidth() -> None:
    path = Watched(fresh()).run(2 * SECOND)
    cc = path.bbr
    cc.pacing = 1
    cc.transmit(path._sample(), SECOND, False)
    assert (cc.pacing, cc.resuming) == (1, False)
    cc.transmit(path._sample(), SECOND, True)
    assert cc.pacing == pytest.approx(RATE * MSS * 0.99, rel=0.001)
    assert cc.resuming


def test_bursts_are_small_where_the_path_is_slow() -> None:
    """Linux's bbr_min_tso_segs: below 1.2 Mbit/s one segment at a time."""
    cc = fresh()
    for pacing, segments in ((149_999, 1), (150_000, 2)):
        cc.pacing = pacing
        assert cc.segments() == segments


def test_two_lossy_intervals_of_one_rate_are_a_policer() -> None:
    """A fifth lost, 4 to 16 rounds, the same bandwidth within an eighth: believed for 48 rounds."""
    p, total, lost, found = Policer(), 0, 0, []
    for i in range(40):
        total, lost = total + 100, lost + 30
        found.append(p.watch(Sample(0, losses=30, total=total, lost=lost, delivered_at=i * DELAY), True, MSS))
    assert found.index(True) == 7
    assert p.using
    assert p.bw == pytest.approx(BW, rel=0.01)
    assert [p.tired(True, True) for _ in range(BELIEVED - p.rounds)][-1]
    assert not p.tired(False, True)


@pytest.mark.parametrize("change", [{"lost": 0}, {"app_limited": True}, {"losses": 0}])
def test_without_loss_or_without_data_there_is_no_policer(change: dict[str, Any]) -> None:
    p = Policer()
    for i in range(40):
        s = Sample(0, losses=30, total=100 * i, lost=30 * i, delivered_at=i * DELAY)._replace(**change)
        assert not p.watch(s, True, MSS)


def test_intervals_of_different_rates_are_none() -> None:
    p, total, lost = Policer(), 0, 0
    for i in range(60):
        total, lost = total + (100 if i // 5 % 2 else 300), lost + 90
        assert not p.watch(Sample(0, losses=30, total=total, lost=lost, delivered_at=i * DELAY), True, MSS)


def test_what_arrives_in_bursts_is_measured_and_forgotten() -> None:
    """100 segments at once, each 40 ms: all but what the bandwidth explains is extra, for 5 to 10 rounds."""
    b = Bursts()
    b.begin(0)
    b.watch(40_000, 100, True, BW, 1000)
    assert b.most == (100, 0)
    b.watch(40_800, 10, False, BW, 1000)
    assert b.most == (109, 0)
    b.watch(40_400, 500, False, BW, 300)
    assert b.most == (300, 0)  # never more than cwnd
    for i in range(2, 40):
        b.watch(40_000 * i, 50, True, BW, 1000)
    assert max(b.most) < 100
