# SPDX-License-Identifier: GPL-2.0-or-later
"""Leaving slow start before it overflows the bottleneck's queue: HyStart as Linux has it, and HyStart++ (RFC 9406).

A `Lookout` watches ACKs in slow start, round by round: a round ends when what was sent before it began is acknowledged.
HyStart looks for ACKs that come in a row for half a round trip, and for round-trip times that grow; HyStart++ only for
the latter, and then goes on carefully for five rounds (CSS), to see whether it was a mistake. Times are us.
"""

from labstack.core.state import State, state
from labstack.tcp.cc.controller import INFINITE, Controller, Sample

OFF, LINUX, PLUS = range(3)  # net.ipv4.tcp_cubic_hystart
TRAIN, DELAY = 1, 2  # net.ipv4.tcp_cubic_hystart_detect
NONE = 1 << 32  # us; no round-trip time seen yet
SAMPLES = 8  # round-trip times of a round before it can say something
LEAST_RISE, MOST_RISE = 4000, 16_000  # us; otherwise an eighth of the round trip
TRAIN_GAP = 2000  # us between ACKs of one train
CUSHION, BURST = 1000, 4 << 16  # us at most, for the time that so many bytes take in devices and in GRO
CSS_ROUNDS, CSS_DIVISOR = 5, 4  # RFC 9406 §4.3
LIMIT = 8  # RFC 9406 §4.3: L, segments that an ACK may add to cwnd, without pacing


@state
class Lookout(State):
    """Standard slow start: it ends with a loss."""

    low_window: int = 16  # segments; below it there is nothing to see
    detect: int = TRAIN | DELAY
    round_end: int = 0  # sequence number
    round_at: int = 0
    least: int = NONE  # the shortest round trip of this round
    samples: int = 0

    def begin(self, s: Sample) -> None:
        """A round begins."""
        self.round_at, self.round_end = s.now // 1000, s.nxt
        self.least, self.samples = NONE, 0

    def watch(self, cc: Controller, s: Sample, rtt: int, min_rtt: int) -> None:
        """A round-trip time in slow start; min_rtt is the shortest ever. Sets cc.ssthresh if slow start is over."""

    def share(self, cc: Controller, acked: int, paced: bool) -> int:
        """By how much slow start may grow for so many segments."""
        return acked


@state
class HyStart(Lookout):
    """Linux's: a train of ACKs that is as long as half the round trip, or a round trip that has grown by an eighth."""

    last_ack: int = 0  # of the train
    found: bool = False

    def begin(self, s: Sample) -> None:
        Lookout.begin(self, s)
        self.last_ack = self.round_at

    def watch(self, cc: Controller, s: Sample, rtt: int, min_rtt: int) -> None:
        if self.found:
            return
        if s.una > self.round_end:
            self.begin(s)
        if cc.cwnd < self.low_window:
            return
        if self.detect & TRAIN and self._long_train(s, min_rtt):
            self.found = True
            cc.ssthresh = cc.cwnd
            cc.say("linux/hystart_update/train", cc.cwnd, "TcpExtTCPHystartTrain")
        if self.detect & DELAY and self._slower(rtt, min_rtt):
            self.found = True
            cc.ssthresh = cc.cwnd
            cc.say("linux/hystart_update/delay", cc.cwnd, "TcpExtTCPHystartDelay")

    def _long_train(self, s: Sample, min_rtt: int) -> bool:
        now = s.now // 1000
        if now - self.last_ack > TRAIN_GAP:
            return False
        self.last_ack = now
        enough = min_rtt + (min(CUSHION, BURST * 1_000_000 // s.pacing) if s.pacing else 0)
        if not s.paced:
            enough >>= 1  # pacing spreads a window over half the round trip all by itself
        return now - self.round_at > enough

    def _slower(self, rtt: int, min_rtt: int) -> bool:
        self.least = min(self.least, rtt)
        if self.samples < SAMPLES:
            self.samples += 1
            return False
        return self.least > min_rtt + rise(min_rtt)


@state
class HyStartPlus(Lookout):
    """RFC 9406: a round trip that has grown since the last round leads to conservative slow start."""

    last: int = NONE  # the shortest round trip of the round before
    baseline: int = NONE  # RFC 9406's cssBaselineMinRtt; NONE: not in CSS
    rounds: int = 0  # of CSS that have begun
    rest: int = 0  # segments acknowledged in CSS, not yet enough for another one

    def begin(self, s: Sample) -> None:
        self.last = self.least
        Lookout.begin(self, s)

    def watch(self, cc: Controller, s: Sample, rtt: int, min_rtt: int) -> None:
        if cc.ssthresh != INFINITE:
            return  # §4.3: only in the first slow start
        if s.una > self.round_end:
            self.begin(s)
            if self.baseline != NONE and self._another_round(cc):
                return
        self.least = min(self.least, rtt)
        self.samples += 1
        if self.samples < SAMPLES:
            return
        if self.baseline == NONE:
            self._look(cc)
        elif self.least < self.baseline:
            self.baseline = NONE
            cc.say("9406/4.2/resume", cc.cwnd)

    def _look(self, cc: Controller) -> None:
        if self.last != NONE and self.least >= self.last + rise(self.last):
            self.baseline, self.rounds, self.rest = self.least, 1, 0
            cc.say("9406/4.2/css", cc.cwnd)

    def _another_round(self, cc: Controller) -> bool:
        self.rounds += 1
        if self.rounds <= CSS_ROUNDS:
            return False
        self.baseline = NONE
        cc.ssthresh = cc.cwnd
        cc.say("9406/4.2/avoid", cc.cwnd)
        return True

    def share(self, cc: Controller, acked: int, paced: bool) -> int:
        if cc.ssthresh != INFINITE:
            return acked
        if not paced:
            acked = min(acked, LIMIT)
        if self.baseline == NONE:
            return acked
        steps, self.rest = divmod(self.rest + acked, CSS_DIVISOR)
        return steps


def rise(rtt: int) -> int:
    """By how much a round trip must grow to mean a queue: an eighth, but 4 ms at least and 16 ms at most."""
    return max(LEAST_RISE, min(rtt >> 3, MOST_RISE))


KINDS: tuple[type[Lookout], ...] = (Lookout, HyStart, HyStartPlus)
