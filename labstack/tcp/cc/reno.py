# SPDX-License-Identifier: GPL-2.0-or-later
"""Reno: slow start, then one segment more per window, half after loss (RFC 5681 §3.1, with RFC 3465's counting)."""

from typing import ClassVar

from labstack.core.state import state
from labstack.tcp.cc.controller import Controller, Sample


@state
class Reno(Controller):
    name: ClassVar[str] = "reno"

    def grow(self, s: Sample) -> None:
        acked = s.acked
        if self.cwnd < self.ssthresh:
            acked = self.slow_start(acked)
            if not acked:
                return
        self.increase(self.cwnd, acked)
