# SPDX-License-Identifier: GPL-2.0-or-later
"""BBR's eye for policers: token buckets that let a burst pass and then drop all that exceeds their rate.

Two intervals in a row, each of 4 to 16 rounds from loss to loss, in which at least a fifth was lost and the same rate
was delivered: that rate is what a policer allows, and for 48 rounds BBR takes it for the bandwidth (Linux's lt_bw).
Bandwidths are segments/us << BW_SCALE.
"""

from labstack.core.state import State, state
from labstack.tcp.cc.controller import Sample

BW_SCALE = 24
LEAST_ROUNDS, MOST_ROUNDS = 4, 16  # of an interval
LOSSY = 50  # lost of 256 delivered
RATIO = 8  # bandwidths that differ by an eighth are the same
SLACK = 500  # bytes/s, likewise
BELIEVED = 48  # rounds
MS = 1_000_000  # ns


@state
class Policer(State):
    bw: int = 0  # of the last interval, or what the policer allows; 0: not known
    using: bool = False  # bw is what the policer allows
    sampling: bool = False  # an interval is under way
    rounds: int = 0  # of this interval, or for which bw has been believed
    total: int = 0  # segments delivered when it began
    lost: int = 0  # ... lost
    began: int = 0  # ms

    def reset(self) -> None:
        self.bw = self.rounds = 0
        self.using = self.sampling = False

    def _begin(self, s: Sample) -> None:
        self.began, self.total, self.lost, self.rounds = s.delivered_at // MS, s.total, s.lost, 0

    def tired(self, round_start: bool, probing: bool) -> bool:
        """While bw is used, in PROBE_BW: has it been long enough?"""
        if probing and round_start:
            self.rounds += 1
            return self.rounds >= BELIEVED
        return False

    def watch(self, s: Sample, round_start: bool, mss: int) -> bool:
        """While bw is not used: does this ACK show a policer? Then bw is its rate."""
        if not self.sampling:
            if not s.losses:
                return False  # until the first loss the bucket is not empty
            self._begin(s)
            self.sampling = True
        if s.app_limited:
            self.reset()
            return False
        self.rounds += round_start
        if self.rounds > MOST_ROUNDS:
            self.reset()
            return False
        if self.rounds < LEAST_ROUNDS or not s.losses:
            return False
        delivered, ms = s.total - self.total, s.delivered_at // MS - self.began
        if delivered <= 0 or ms < 1 or (s.lost - self.lost) << 8 < LOSSY * delivered:
            return False
        return self._ended(s, (delivered << BW_SCALE) // (ms * 1000), mss)

    def _ended(self, s: Sample, bw: int, mss: int) -> bool:
        apart = abs(bw - self.bw)
        alike = apart * RATIO <= self.bw or apart * mss * 990_000 >> BW_SCALE <= SLACK
        if self.bw and alike:
            self.bw, self.using, self.rounds = (bw + self.bw) >> 1, True, 0
            return True
        self.bw = bw
        self._begin(s)
        return False
