# SPDX-License-Identifier: GPL-2.0-or-later
"""CUBIC (RFC 9438) in Linux's integers, so that cwnd is what Linux's is, segment for segment.

After loss cwnd follows W(t) = C (t - K)^3 + W_max: steep at first, flat around W_max, where loss was, steep again then.
Time counts in ms and the cubic in 1024ths of a second; cwnd goes there by `increase`, one segment for every `every`
acknowledged. An epoch is the time since the curve began.

DEVIATES: RFC 9438 §4.3 lets the Reno-friendly window grow as fast as Reno's once it has passed the cwnd before loss;
here, as in Linux, alpha stays 3 (1 - beta) / (1 + beta). §4.9 takes back all that a spurious loss changed; as in Linux,
only cwnd and ssthresh are restored. §4.8: a timeout forgets W_max altogether, as in Linux.
"""

from typing import ClassVar

from labstack.core.state import field, state
from labstack.tcp.cc.controller import LOSS, UNIT, Controller, Sample
from labstack.tcp.cc.hystart import DELAY, KINDS, LINUX, TRAIN, Lookout

MS = 1_000_000  # ns
BETA = 717  # of UNIT: RFC 9438 §4.6's 0.7
C = 410  # of UNIT: RFC 9438 §5's 0.4 segments/s^3
CUBE = (1 << 40) // C  # times the segments to the plateau: K^3, in (1/1024 s)^3
FRIENDLY = 8 * (UNIT + BETA) // 3 // (UNIT - BETA)  # 8ths: RFC 9438 §4.3's 1 / alpha
LAG = 31  # ms for which a step holds, if cwnd has not moved: HZ / 32
SLOWEST = 20  # segments acknowledged for a step, before there ever was a loss
FASTEST = 2  # ... and at the most aggressive: half as fast as slow start
CALM = 1000  # ms after loss in which round-trip times do not count


@state
class Cubic(Controller):
    name: ClassVar[str] = "cubic"
    beta: ClassVar[int] = BETA
    beta_ecn: ClassVar[int] = UNIT * 85 // 100  # RFC 8511 §3.1
    settings: ClassVar[dict[str, str]] = {
        **Controller.settings,
        "convergence": "net.ipv4.tcp_cubic_fast_convergence",
        "friendly": "net.ipv4.tcp_cubic_friendliness",
        "hystart": "net.ipv4.tcp_cubic_hystart",
        "detect": "net.ipv4.tcp_cubic_hystart_detect",
        "low_window": "net.ipv4.tcp_cubic_hystart_low_window",
    }

    w_max: int = 0  # segments; cwnd when something was last lost, or what fast convergence makes of it
    origin: int = 0  # segments; the plateau of this epoch's curve
    k: int = 0  # 1/1024 s from the epoch to the plateau
    epoch: int = -1  # ms, when this epoch began; -1: it has not
    every: int = 0  # segments acknowledged for a step (Linux's cnt)
    w_est: int = 0  # segments; Reno's cwnd in our place
    est_acked: int = 0  # segments acknowledged towards the next of w_est
    seen: int = 0  # cwnd at the last look at the curve
    seen_at: int = 0  # ms, of that look
    least_rtt: int = 0  # us; 0: not known
    convergence: int = 1
    friendly: int = 1
    hystart: int = LINUX
    detect: int = TRAIN | DELAY
    low_window: int = 16
    lookout: Lookout = field(default_factory=Lookout)

    def start(self, s: Sample) -> None:
        self._forget(s)

    def heard(self, s: Sample) -> None:
        if s.rtt < 0 or (self.epoch >= 0 and s.now // MS - self.epoch < CALM):
            return
        rtt = s.rtt // 1000 or 1
        if rtt < self.least_rtt or not self.least_rtt:
            self.least_rtt = rtt
        if self.cwnd < self.ssthresh:
            self.lookout.watch(self, s, rtt, self.least_rtt)

    def grow(self, s: Sample) -> None:
        acked = s.acked
        if self.cwnd < self.ssthresh:
            acked = self.slow_start(self.lookout.share(self, acked, s.paced))
            if not acked:
                return
        self._look(s.now // MS, acked)
        self.increase(self.every, acked)

    def threshold(self, now: int) -> int:
        """RFC 9438 §4.6, and §4.7: if loss comes earlier than the last time, others want room."""
        self.epoch = -1
        if self.convergence and self.cwnd < self.w_max:
            self.w_max = self.cwnd * (UNIT + BETA) // (2 * UNIT)
            self.say("9438/4.7/converge", self.w_max)
        else:
            self.w_max = self.cwnd
        return Controller.threshold(self, now)

    def became(self, s: Sample, before: int) -> None:
        if s.state == LOSS:
            self._forget(s)

    def transmit(self, s: Sample, idle: int, app_limited: bool) -> None:
        """RFC 9438 §5.8: the curve waits while there is nothing to send."""
        now, pause = s.now // MS, idle // MS
        if self.epoch >= 0 and pause > 0:
            self.epoch = min(self.epoch + pause, now)

    def _forget(self, s: Sample) -> None:
        self.w_max = self.origin = self.k = self.every = 0
        self.w_est = self.est_acked = self.seen = self.seen_at = self.least_rtt = 0
        self.epoch = -1
        self.lookout = KINDS[self.hystart](low_window=self.low_window, detect=self.detect)
        self.lookout.begin(s)

    def _look(self, now: int, acked: int) -> None:
        """How many segments must be acknowledged for the next step?"""
        cwnd = self.cwnd
        self.est_acked += acked
        if self.seen == cwnd and now - self.seen_at <= LAG:
            return
        if self.epoch < 0 or now != self.seen_at:  # at most once a ms
            self.seen, self.seen_at = cwnd, now
            if self.epoch < 0:
                self._begin(now, acked)
            self.every = self._step(now - self.epoch + -(-self.least_rtt // 1000))
        if self.friendly:
            self._befriend()
        if self.every < FASTEST:
            self.every = FASTEST

    def _begin(self, now: int, acked: int) -> None:
        """An epoch begins: K is where W(0) = cwnd (RFC 9438 §4.2)."""
        self.epoch, self.est_acked, self.w_est = now, acked, self.cwnd
        self.k = cube_root(CUBE * (self.w_max - self.cwnd)) if self.w_max > self.cwnd else 0
        self.origin = max(self.w_max, self.cwnd)
        self.say("9438/4.2/epoch", self.origin)

    def _step(self, t: int) -> int:
        """From W(t) an RTT ahead, in ms since the epoch (RFC 9438 §4.2)."""
        cwnd, away = self.cwnd, (t << 10) // 1000 - self.k
        rise = C * abs(away) ** 3 >> 40
        target = self.origin + rise if away >= 0 else self.origin - rise
        every = cwnd // (target - cwnd) if target > cwnd else 100 * cwnd
        return min(every, SLOWEST) if not self.w_max else every

    def _befriend(self) -> None:
        """At least as fast as Reno with the same average (RFC 9438 §4.3)."""
        cwnd = self.cwnd
        each = cwnd * FRIENDLY >> 3
        if 0 < each < self.est_acked:
            steps = (self.est_acked - 1) // each
            self.est_acked -= steps * each
            self.w_est += steps
        if self.w_est > cwnd:
            self.every = min(self.every, cwnd // (self.w_est - cwnd))


def cube_root(n: int) -> int:
    """The integer part of the cube root of n > 0, by Newton's method. (Linux's comes from a table, up to 0.2 % off.)"""
    root = 1 << -(-n.bit_length() // 3)
    while True:
        closer = (2 * root + n // (root * root)) // 3
        if closer >= root:
            return root
        root = closer
