# SPDX-License-Identifier: GPL-2.0-or-later
"""None: no congestion control, a window of constant size, for experiments in a lab. Never where others need the net.

Linux has no such controller.
"""

from typing import ClassVar

from labstack.core.state import state
from labstack.tcp.cc.controller import Controller, Sample

WINDOW = 10_000  # segments, unless the clamp says less


@state
class Constant(Controller):
    name: ClassVar[str] = "none"
    own: ClassVar[bool] = True

    def start(self, s: Sample) -> None:
        self.cwnd = min(WINDOW, self.clamp)

    def control(self, s: Sample) -> None:
        self.cwnd = min(WINDOW, self.clamp)

    def threshold(self, now: int) -> int:
        return self.ssthresh
