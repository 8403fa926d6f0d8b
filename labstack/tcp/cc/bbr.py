# SPDX-License-Identifier: GPL-2.0-or-later
"""BBR, version 1, as Linux has it: a model of the path, its bandwidth and its round-trip time, instead of a window that
reacts to loss.

    STARTUP -> DRAIN -> PROBE_BW <-> PROBE_RTT      STARTUP doubles the rate each round until three rounds bring no more

The bandwidth is the greatest delivery rate of ten rounds, the round-trip time the least of ten seconds. Pacing is what
controls; cwnd, twice the product of both, is an upper bound. No RFC has it; the sources are "BBR: Congestion-Based
Congestion Control" (ACM Queue 14/5, 2016) and Linux's behaviour, whose integers these are: bandwidths are segments/us
<< 24, gains are 256ths, times are us unless they say ms. `policer` and `bursts` are parts of it.
"""

from typing import ClassVar

from labstack.core.rng import Rng
from labstack.core.state import field, state
from labstack.tcp.cc import windowed
from labstack.tcp.cc.bursts import Bursts
from labstack.tcp.cc.controller import INFINITE, INITIAL, LOSS, OPEN, RECOVERY, Controller, Sample
from labstack.tcp.cc.policer import BW_SCALE, MS, Policer
from labstack.tcp.cc.windowed import Best

STARTUP, DRAIN, PROBE_BW, PROBE_RTT = range(4)
BW_UNIT = 1 << BW_SCALE
GAIN = 256  # a gain of 1
HIGH, LOW = GAIN * 2885 // 1000 + 1, GAIN * 1000 // 2885  # 2 / ln 2, and its inverse
CYCLE = (GAIN * 5 // 4, GAIN * 3 // 4, *[GAIN] * 6)  # PROBE_BW: ask for more, drain, cruise
BW_ROUNDS = len(CYCLE) + 2  # of the bandwidth's window
RTT_WINDOW, RTT_TIME = 10_000, 200  # ms: of the round trip's window; in PROBE_RTT
LEAST_CWND = 4  # segments
GROWTH, GIVE_UP = GAIN * 5 // 4, 3  # a round in STARTUP brings so much more, or after three the pipe is full
BURST_MEMORY = 100_000  # us of bandwidth that `bursts` may add to cwnd
MARGIN = 99  # % of the bandwidth at which to pace
SLOW = 150_000  # bytes/s; below it a burst is one segment
BURST_SHIFT, MOST_BYTES, MOST_SEGMENTS = 10, 65_215, 127  # of a burst: 1/1024 s, within one super-segment


@state
class Bbr(Controller):
    name: ClassVar[str] = "bbr"
    paced: ClassVar[bool] = True
    own: ClassVar[bool] = True
    buffers: ClassVar[int] = 3
    settings: ClassVar[dict[str, str]] = {}

    mode: int = STARTUP
    gain: int = HIGH  # of pacing
    cwnd_gain: int = HIGH
    bandwidth: Best = windowed.only(0, 0)
    rounds: int = 0
    round_end: int = 0  # segments delivered when it will be over
    round_start: bool = False  # this ACK began one
    least: int = -1  # us; the least round trip; -1: not known
    least_at: int = 0  # ms
    full: bool = False  # STARTUP has found the bandwidth
    full_bw: int = 0  # when it last grew
    full_rounds: int = 0  # since
    phase: int = 0  # of CYCLE
    phase_at: int = 0
    leave_at: int = -1  # ms, of PROBE_RTT; -1: not decided yet
    lasted: bool = False  # PROBE_RTT has lasted a round
    prior_cwnd: int = 0  # before recovery or PROBE_RTT
    before: int = OPEN  # ca_state of the ACK before
    conserving: bool = False  # first round of recovery: a segment goes for each that arrived
    resuming: bool = False  # after idleness, nothing delivered yet
    seen_rtt: bool = False
    policer: Policer = field(default_factory=Policer)
    bursts: Bursts = field(default_factory=Bursts)
    lots: Rng = field(default_factory=lambda: Rng(0))

    def start(self, s: Sample) -> None:
        self.ssthresh = INFINITE
        self.least, self.least_at = _us(s.min_rtt), s.now // MS
        self.lots = Rng(self.seed)
        self.bursts.begin(s.now // 1000)
        self._first_rate(s)

    def control(self, s: Sample) -> None:
        self._bandwidth(s)
        self._phase(s)
        self._pipe(s)
        self._drained(s)
        self._round_trip(s)
        self._gains()
        self._pace(s, self.bw, self.gain)
        self._window(s)

    @property
    def bw(self) -> int:
        """What the path is believed to carry."""
        return self.policer.bw if self.policer.using else self.bandwidth[0][1]

    # the model

    def _bandwidth(self, s: Sample) -> None:
        self.round_start = False
        us = s.interval // 1000
        if s.prior < 0 or us <= 0:
            return
        if s.prior >= self.round_end:
            self.round_end = s.total
            self.rounds += 1
            self.round_start, self.conserving = True, False
        self._police(s)
        bw = ((s.total - s.prior) << BW_SCALE) // us
        if not s.app_limited or bw >= self.bandwidth[0][1]:
            self.bandwidth = windowed.highest(self.bandwidth, BW_ROUNDS, self.rounds, bw)
        if s.delivered > 0:
            self.bursts.watch(s.delivered_at // 1000, s.delivered, self.round_start, self.bw, self.cwnd)

    def _police(self, s: Sample) -> None:
        if self.policer.using:
            if self.policer.tired(self.round_start, self.mode == PROBE_BW):
                self.policer.reset()
                self._cruise(s)
        elif self.policer.watch(s, self.round_start, self.mss):
            self.gain = GAIN
            self.say("linux/bbr_lt_bw_sampling/policed", self._rate(self.policer.bw, GAIN))

    def _phase(self, s: Sample) -> None:
        if self.mode == PROBE_BW and self._phase_over(s):
            self._next_phase(s)

    def _phase_over(self, s: Sample) -> bool:
        long_enough = s.delivered_at // 1000 - self.phase_at > (self.least if self.least >= 0 else 1 << 32)
        if self.gain == GAIN:
            return long_enough
        flight = self._flight_at_departure(s, s.in_flight)
        if self.gain > GAIN:  # until it fills the pipe that much more, or something is lost
            return long_enough and (s.losses > 0 or flight >= self._target(self.bandwidth[0][1], self.gain))
        return long_enough or flight <= self._target(self.bandwidth[0][1], GAIN)

    def _next_phase(self, s: Sample) -> None:
        self.phase = (self.phase + 1) % len(CYCLE)
        self.phase_at = s.delivered_at // 1000

    def _pipe(self, s: Sample) -> None:
        """Has STARTUP found the bandwidth?"""
        if self.full or not self.round_start or s.app_limited:
            return
        if self.bandwidth[0][1] >= self.full_bw * GROWTH // GAIN:
            self.full_bw, self.full_rounds = self.bandwidth[0][1], 0
            return
        self.full_rounds += 1
        self.full = self.full_rounds >= GIVE_UP

    def _drained(self, s: Sample) -> None:
        if self.mode == STARTUP and self.full:
            self.mode = DRAIN
            self.ssthresh = self._target(self.bandwidth[0][1], GAIN)
            self.say("linux/bbr_check_drain/full", self._rate(self.bandwidth[0][1], GAIN))
        if self.mode == DRAIN and self._flight_at_departure(s, s.flight) <= self._target(self.bandwidth[0][1], GAIN):
            self.say("linux/bbr_check_drain/drained", s.flight)
            self._cruise(s)

    def _round_trip(self, s: Sample) -> None:
        now = s.now // MS
        expired = now > self.least_at + RTT_WINDOW
        rtt = _us(s.rtt)
        if rtt >= 0 and (self.least < 0 or rtt <= self.least or (expired and not s.delayed)):
            self.least, self.least_at = rtt, now
        if expired and not self.resuming and self.mode != PROBE_RTT:
            self.mode = PROBE_RTT
            self._save()
            self.leave_at = -1
            self.say("linux/bbr_update_min_rtt/probe", self.least)
        if self.mode == PROBE_RTT:
            self._dip(s, now)
        self.dipping = self.mode == PROBE_RTT
        if 0 <= s.prior < s.total:
            self.resuming = False

    def _dip(self, s: Sample, now: int) -> None:
        """PROBE_RTT: four segments in flight, for 200 ms and a round."""
        if self.leave_at < 0:
            if s.flight <= LEAST_CWND:
                self.leave_at, self.lasted, self.round_end = now + RTT_TIME, False, s.total
            return
        self.lasted |= self.round_start
        if self.lasted:
            self._rise(s)

    def _rise(self, s: Sample) -> None:
        now = s.now // MS
        if 0 <= self.leave_at < now:
            self.least_at = now
            self.cwnd = max(self.cwnd, self.prior_cwnd)
            self._resume(s)

    def _resume(self, s: Sample) -> None:
        if self.full:
            self._cruise(s)
        else:
            self.mode = STARTUP

    def _cruise(self, s: Sample) -> None:
        """PROBE_BW, from a phase by lot, but not the one that drains."""
        self.mode = PROBE_BW
        self.phase = len(CYCLE) - 1 - self.lots.below(len(CYCLE) - 1)
        self._next_phase(s)

    def _gains(self) -> None:
        if self.mode == STARTUP:
            self.gain = self.cwnd_gain = HIGH
        elif self.mode == DRAIN:
            self.gain, self.cwnd_gain = LOW, HIGH
        elif self.mode == PROBE_BW:
            self.gain, self.cwnd_gain = GAIN if self.policer.using else CYCLE[self.phase], 2 * GAIN
        else:
            self.gain = self.cwnd_gain = GAIN

    # what follows from the model

    def _rate(self, bw: int, gain: int) -> int:
        """bytes/s"""
        return (bw * self.mss * gain >> 8) * (1_000_000 // 100 * MARGIN) >> BW_SCALE

    def _first_rate(self, s: Sample) -> None:
        """cwnd in a round trip, or, as long as that is not known, in a ms."""
        self.seen_rtt = s.srtt > 0
        us = max(s.srtt // 1000, 1) if s.srtt else 1000
        self.pacing = self._rate((self.cwnd << BW_SCALE) // us, HIGH)

    def _pace(self, s: Sample, bw: int, gain: int) -> None:
        rate = self._rate(bw, gain)
        if not self.seen_rtt and s.srtt:
            self._first_rate(s)
        if self.full or rate > self.pacing:
            self.pacing = rate

    def _product(self, bw: int, gain: int) -> int:
        """Bandwidth times round trip times gain, in segments, rounded up."""
        if self.least < 0:
            return INITIAL
        return ((bw * self.least * gain >> 8) + BW_UNIT - 1) >> BW_SCALE

    def _budget(self, segments: int) -> int:
        """With what sits in devices, in GRO, and in delayed ACKs."""
        segments += 3 * self._burst()
        segments += segments & 1
        return segments + 2 if self.mode == PROBE_BW and self.phase == 0 else segments

    def _target(self, bw: int, gain: int) -> int:
        return self._budget(self._product(bw, gain))

    def _burst(self) -> int:
        size = min(self.pacing >> BURST_SHIFT, MOST_BYTES)
        return min(max(size // self.mss, self.segments()), MOST_SEGMENTS)

    def segments(self) -> int:
        return 1 if self.pacing < SLOW else 2

    def _flight_at_departure(self, s: Sample, flight: int) -> int:
        """What will be in flight when pacing lets the next burst go."""
        waits = max(s.departs - s.now, 0) // 1000
        if self.gain > GAIN:
            flight += self._burst()
        return max(flight - (self.bw * waits >> BW_SCALE), 0)

    def _window(self, s: Sample) -> None:
        cwnd = self.cwnd
        if s.delivered:
            cwnd, conserving = self._recovering(s, cwnd)
            if not conserving:
                cwnd = self._towards(s, cwnd)
        self.cwnd = min(cwnd, self.clamp)
        if self.mode == PROBE_RTT:
            self.cwnd = min(self.cwnd, LEAST_CWND)

    def _towards(self, s: Sample, cwnd: int) -> int:
        target = self._product(self.bw, self.cwnd_gain)
        if self.full:
            target += min(max(self.bursts.most), self.bw * BURST_MEMORY >> BW_SCALE)
        target = self._budget(target)
        if self.full:
            cwnd = min(cwnd + s.delivered, target)
        elif cwnd < target or s.total < INITIAL:
            cwnd += s.delivered
        return max(cwnd, LEAST_CWND)

    # loss, idleness

    def _recovering(self, s: Sample, cwnd: int) -> tuple[int, bool]:
        """cwnd as recovery leaves it, and whether that is all: in the first round only what arrived is replaced."""
        before, self.before = self.before, s.state
        if s.losses:
            cwnd = max(cwnd - s.losses, 1)
        if s.state == RECOVERY != before:
            self.conserving, self.round_end = True, s.total
            cwnd = s.flight + s.delivered
        elif before >= RECOVERY > s.state:
            cwnd, self.conserving = max(cwnd, self.prior_cwnd), False
        if self.conserving:
            return max(cwnd, s.flight + s.delivered), True
        return cwnd, False

    def _save(self) -> None:
        if self.before < RECOVERY and self.mode != PROBE_RTT:
            self.prior_cwnd = self.cwnd
        else:
            self.prior_cwnd = max(self.prior_cwnd, self.cwnd)

    def threshold(self, now: int) -> int:
        self._save()
        return self.ssthresh

    def threshold_ecn(self, now: int) -> int:
        return self.threshold(now)

    def became(self, s: Sample, before: int) -> None:
        if s.state == LOSS:
            self.before, self.full_bw, self.round_start = LOSS, 0, True
            self._police(s._replace(losses=1, app_limited=False))

    def transmit(self, s: Sample, idle: int, app_limited: bool) -> None:
        if not app_limited:
            return
        self.resuming = True
        self.bursts.begin(s.now // 1000)
        if self.mode == PROBE_BW:
            self._pace(s, self.bw, GAIN)
        elif self.mode == PROBE_RTT:
            self._rise(s)

    def after_undo(self, prior: int) -> int:
        self.full_bw = self.full_rounds = 0
        self.policer.reset()
        return self.cwnd

    def info(self) -> dict[str, int]:
        bw = self.bw * self.mss * 1_000_000 >> BW_SCALE
        return {
            "bbr_bw_lo": bw & 0xFFFFFFFF,
            "bbr_bw_hi": bw >> 32,
            "bbr_min_rtt": self.least & 0xFFFFFFFF,
            "bbr_pacing_gain": self.gain,
            "bbr_cwnd_gain": self.cwnd_gain,
        }


def _us(ns: int) -> int:
    return ns // 1000 if ns >= 0 else -1
