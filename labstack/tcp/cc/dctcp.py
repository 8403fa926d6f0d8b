# SPDX-License-Identifier: GPL-2.0-or-later
"""DCTCP (RFC 8257): Reno that gives way by how much was marked, not by whether something was.

alpha is the average of the fraction of segments that arrive with a CE mark; after a window with marks cwnd loses
alpha / 2 of itself. Needs a network that marks early, and a receiver that echoes each mark (§3.2). Without ECN it is
Reno. Loss halves the window, as ever (§3.5).
"""

from typing import ClassVar

from labstack.core.state import state
from labstack.tcp.cc.controller import LEAST, RECOVERY, UNIT, Controller, Sample
from labstack.tcp.cc.reno import Reno


@state
class Dctcp(Reno):
    name: ClassVar[str] = "dctcp"
    ecn: ClassVar[bool] = True
    settings: ClassVar[dict[str, str]] = {
        "shift": "net.ipv4.tcp_dctcp_shift_g",
        "alpha": "net.ipv4.tcp_dctcp_alpha_on_init",
    }

    alpha: int = UNIT  # of UNIT
    shift: int = 4  # g is 1 / 2^shift
    window_end: int = 0  # sequence number; when it is acknowledged, alpha is computed again
    total: int = 0  # delivered when this window began
    total_ce: int = 0
    latest: int = 0  # delivered so far, for `info`
    latest_ce: int = 0
    lossless: int = 0  # cwnd before the last reduction

    def start(self, s: Sample) -> None:
        self._begin(s)

    def heard(self, s: Sample) -> None:
        """RFC 8257 §3.3 (4) to (9): once a window, alpha = (1 - g) alpha + g M."""
        self.latest, self.latest_ce = s.total, s.total_ce
        if s.una < self.window_end:
            return
        alpha = self.alpha
        alpha -= (alpha >> self.shift) or alpha
        marked = s.total_ce - self.total_ce
        if marked:
            alpha += (marked << (10 - self.shift)) // max(s.total - self.total, 1)
            self.say("8257/3.3/alpha", min(alpha, UNIT))
        self.alpha = min(alpha, UNIT)
        self._begin(s)

    def threshold(self, now: int) -> int:
        """RFC 8257 §3.5: after loss as without DCTCP."""
        self.lossless = self.cwnd
        return Controller.threshold(self, now)

    def threshold_ecn(self, now: int) -> int:
        """RFC 8257 §3.3 (9): cwnd = cwnd (1 - alpha / 2)."""
        self.lossless = self.cwnd
        return max(self.cwnd - (self.cwnd * self.alpha >> 11), LEAST)

    def became(self, s: Sample, before: int) -> None:
        """Loss while marks were being answered counts on its own, as in Linux."""
        if s.state == RECOVERY and before != RECOVERY:
            self.lossless = self.cwnd
            self.ssthresh = max(self.cwnd >> 1, LEAST)

    def after_undo(self, prior: int) -> int:
        return max(self.cwnd, self.lossless)

    def info(self) -> dict[str, int]:
        ce, total = self.latest_ce - self.total_ce, self.latest - self.total
        return {
            "dctcp_enabled": 1,
            "dctcp_ce_state": 0,  # the receiver knows, see `info.of_controller`
            "dctcp_alpha": self.alpha,
            "dctcp_ab_ecn": ce * self.mss,
            "dctcp_ab_tot": total * self.mss,
        }

    def _begin(self, s: Sample) -> None:
        self.window_end, self.total, self.total_ce = s.nxt, s.total, s.total_ce
        self.latest, self.latest_ce = s.total, s.total_ce


@state
class WithoutEcn(Reno):
    """What a connection that asked for DCTCP and did not get ECN has: Reno, by Linux's name."""

    name: ClassVar[str] = "dctcp-reno"

    def info(self) -> dict[str, int]:
        return {"dctcp_enabled": 0}
