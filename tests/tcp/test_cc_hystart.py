"""When slow start ends before loss: HyStart as Linux has it, HyStart++ (RFC 9406). Rounds of ACKs in virtual time."""

from itertools import pairwise

import pytest

from labstack.core.config import Config
from labstack.tcp.cc import table
from labstack.tcp.cc.controller import INFINITE, Controller, Sample
from labstack.tcp.cc.cubic import Cubic
from labstack.tcp.cc.hystart import HyStartPlus, rise

MS = 1_000_000
MSS = 1000


def cubic(hystart: int = 1, detect: int = 3) -> Cubic:
    changes = {"net.ipv4.tcp_cubic_hystart": hystart, "net.ipv4.tcp_cubic_hystart_detect": detect}
    cc = table.make("cubic", Config(**changes), MSS)
    assert isinstance(cc, Cubic)
    cc.start(Sample(0))
    return cc


class Rounds:
    """A window of ACKs a round; sequence numbers count segments."""

    def __init__(self, cc: Controller, paced: bool = False, pacing: int = 0) -> None:
        self.cc, self.paced, self.pacing = cc, paced, pacing
        self.now, self.una, self.nxt = 0, 0, cc.cwnd

    def ack(self, rtt: float, count: int = 1, gap: float = 5) -> int:
        """gap ms later an ACK of so many segments, which took rtt ms: cwnd."""
        self.now += int(gap * MS)
        self.una += count
        s = Sample(
            self.now, acked=count, delivered=count, rtt=int(rtt * MS), una=self.una, nxt=self.nxt, paced=self.paced,
            pacing=self.pacing,
        )  # fmt: skip
        self.cc.heard(s)
        self.cc.grow(s)
        self.nxt = max(self.nxt, self.una + self.cc.cwnd)
        return self.cc.cwnd

    def round(self, rtt: float, gap: float = 5) -> int:
        """All that is in flight is acknowledged, segment by segment."""
        for _ in range(self.nxt - self.una):
            self.ack(rtt, gap=gap)
        return self.cc.cwnd


@pytest.mark.parametrize(("rtt", "ms"), [(1, 4), (32, 4), (40, 5), (100, 12.5), (128, 16), (500, 16)])
def test_a_rise_is_an_eighth_but_four_to_sixteen_ms(rtt: int, ms: float) -> None:
    """RFC 9406 §4.3's MIN_RTT_THRESH and MAX_RTT_THRESH, and Linux's HYSTART_DELAY_THRESH."""
    assert rise(rtt * 1000) == ms * 1000


def test_the_ninth_slow_round_trip_ends_slow_start() -> None:
    """Linux: eight samples of a round are collected first; a script of google/packetdrill knows that
    (cubic-hystart-delay-rtt-jumps-upward): ACKs of two segments, 200 ms become 240, and slow start ends at 36."""
    path = Rounds(cubic())
    path.ack(200, count=10, gap=200)
    assert (path.cc.cwnd, path.nxt) == (20, 30)
    assert [path.ack(240 + i, count=2, gap=240 if not i else 1) for i in range(9)] == [
        22,
        24,
        26,
        28,
        30,
        32,
        34,
        36,
        36,
    ]
    assert path.cc.ssthresh == 36
    assert path.cc.news[-2].rule == "linux/hystart_update/delay"
    assert path.cc.news[-2][1:] == (36, "TcpExtTCPHystartDelay")


def test_round_trips_that_get_shorter_do_not() -> None:
    """The same corpus, cubic-hystart-delay-min-rtt-jumps-downward: the shortest one counts, also if it is the last."""
    path = Rounds(cubic())
    path.ack(200, count=10, gap=200)
    for i in range(9):
        path.ack(200 + i, count=2, gap=200 if not i else 1)
    path.ack(29, count=2, gap=1)
    assert (path.cc.cwnd, path.cc.ssthresh) == (40, INFINITE)


def test_below_sixteen_segments_nothing_is_looked_for() -> None:
    path = Rounds(cubic())
    path.ack(100)
    path.cc.cwnd = 5
    for _ in range(10):
        path.ack(400)
    assert path.cc.ssthresh == INFINITE


@pytest.mark.parametrize(("paced", "after"), [(False, 50), (True, 100)])
def test_a_train_of_half_a_round_trip_ends_slow_start(paced: bool, after: int) -> None:
    """Linux: ACKs less than 2 ms apart; a whole round trip with pacing, which spreads them by itself."""
    path = Rounds(cubic(detect=1), paced=paced)
    path.cc.cwnd, path.nxt = 1000, 2000
    path.ack(100, gap=100)
    begin = path.now
    while path.cc.ssthresh == INFINITE:
        path.ack(100, gap=1)
    assert path.now - begin == (after + 1) * MS
    assert path.cc.news[-2].rule == "linux/hystart_update/train"


def test_what_one_burst_takes_does_not_count_in_a_train() -> None:
    """Linux's hystart_ack_delay: four super-segments at the pacing rate, 1 ms at most."""
    slow, fast = Rounds(cubic(detect=1), pacing=10**6), Rounds(cubic(detect=1), pacing=4 << 30)
    for path in (slow, fast):
        path.cc.cwnd, path.nxt = 1000, 2000
        path.ack(2, gap=100)
        begin = path.now
        while path.cc.ssthresh == INFINITE:
            path.ack(2, gap=0.25)
        path.now -= begin
    assert (slow.now, fast.now) == (1.75 * MS, 1.25 * MS)  # beyond (2 + 1) / 2 and (2 + 0.06) / 2 ms


def test_a_gap_ends_the_train() -> None:
    path = Rounds(cubic(detect=1))
    path.cc.cwnd, path.nxt = 1000, 2000
    path.ack(100, gap=100)
    path.ack(100, gap=3)
    for _ in range(200):
        path.ack(100, gap=1)
    assert path.cc.ssthresh == INFINITE


def test_without_hystart_only_loss_ends_slow_start() -> None:
    path = Rounds(cubic(hystart=0))
    for rtt in (100, 200, 400, 800):
        path.round(rtt, gap=1)
    assert (path.cc.cwnd, path.cc.ssthresh) == (160, INFINITE)


def plus() -> tuple[Rounds, HyStartPlus]:
    """HyStart++ after a round of 40 ms: 20 segments."""
    cc = cubic(hystart=2)
    path = Rounds(cc)
    assert isinstance(cc.lookout, HyStartPlus)
    assert path.round(40) == 20
    return path, cc.lookout


def test_conservative_slow_start_takes_a_quarter_for_five_rounds() -> None:
    """RFC 9406 §4.2: entered when the eighth round trip is 5 ms longer than the last round's; then ssthresh = cwnd."""
    path, lookout = plus()
    for _ in range(7):
        path.ack(46)
    assert lookout.baseline > 46_000
    path.ack(46)
    assert (lookout.baseline, path.cc.news[-1].rule, path.cc.cwnd) == (46_000, "9406/4.2/css", 27)
    sizes = [path.cc.cwnd]
    while path.cc.ssthresh == INFINITE:
        sizes.append(path.round(46))
    assert [b / a for a, b in pairwise(sizes[:5])] == pytest.approx([1.25] * 4, abs=0.02)
    assert path.cc.news[-2].rule == "9406/4.2/avoid"
    assert lookout.rounds == 6


def test_a_round_trip_that_was_a_mistake_resumes_slow_start() -> None:
    """RFC 9406 §4.2: shorter than when CSS began."""
    path, lookout = plus()
    path.round(46)
    assert lookout.baseline == 46_000
    for _ in range(8):
        path.ack(45)
    assert (path.cc.news[-1].rule, path.cc.ssthresh) == ("9406/4.2/resume", INFINITE)
    before = path.cc.cwnd
    assert path.ack(45) == before + 1


@pytest.mark.parametrize(("paced", "grown"), [(False, 8), (True, 64)])
def test_an_ack_adds_eight_segments_at_most_without_pacing(paced: bool, grown: int) -> None:
    """RFC 9406 §4.3: L."""
    path = Rounds(cubic(hystart=2), paced=paced)
    path.nxt = 1000
    assert path.ack(40, count=64) == 10 + grown


def test_only_the_first_slow_start_is_watched() -> None:
    """RFC 9406 §4.3: later ones know where they end."""
    path, lookout = plus()
    path.cc.ssthresh = 10_000
    before = path.cc.cwnd
    assert path.ack(500, count=32) == before + 32
    path.round(500)
    assert (lookout.rounds, path.cc.news) == (0, ())
