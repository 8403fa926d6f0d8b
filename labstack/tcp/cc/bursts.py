# SPDX-License-Identifier: GPL-2.0-or-later
"""BBR's measure of ACKs that come in bursts: how many more segments are acknowledged than the bandwidth explains.

Wi-Fi and other links hold back ACKs; meanwhile a window of bandwidth times delay would run out. cwnd gets on top what
was in excess, at most, in the last 5 to 10 rounds (Linux's extra_acked).
"""

from labstack.core.state import State, state

ROUNDS = 5  # of one half of the memory
MOST_ROUNDS = 31
MOST_ACKED = 1 << 20  # segments; then an epoch has lasted long enough


@state
class Bursts(State):
    began: int = 0  # us; an epoch of ACKs that come faster than the bandwidth
    acked: int = 0  # segments, in this epoch
    most: tuple[int, int] = (0, 0)  # in excess, at most: in these rounds, and in those before
    rounds: int = 0  # of the present half

    def begin(self, us: int) -> None:
        self.began, self.acked = us, 0

    def watch(self, us: int, delivered: int, round_start: bool, bw: int, cwnd: int) -> None:
        """An ACK delivered so many segments; bw is segments/us << 24."""
        if round_start:
            self.rounds = min(self.rounds + 1, MOST_ROUNDS)
            if self.rounds >= ROUNDS:
                self.rounds, self.most = 0, (0, self.most[0])
        expected = bw * (us - self.began) >> 24
        if self.acked <= expected or self.acked + delivered >= MOST_ACKED:
            self.begin(us)
            expected = 0
        self.acked = min(self.acked + delivered, MOST_ACKED - 1)
        excess = min(self.acked - expected, cwnd)
        if excess > self.most[0]:
            self.most = (excess, self.most[1])
