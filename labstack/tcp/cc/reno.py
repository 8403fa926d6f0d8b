# SPDX-License-Identifier: GPL-2.0-or-later
"""Reno's window growth (RFC 5681), and NewReno's arithmetic in recovery (RFC 6582). Only this file writes cwnd."""

from labstack.core.state import State, state

INFINITE = 1 << 62


@state
class Reno(State):
    mss: int
    cwnd: int
    ssthresh: int = INFINITE
    credit: int = 0  # bytes acknowledged towards the next step of congestion avoidance

    def acked(self, size: int) -> None:
        """New data was acknowledged outside recovery, and cwnd was what limited us.

        DEVIATES: RFC 5681 §3.1 adds at most one SMSS per ACK in slow start; we add every acknowledged byte, as
        Linux does, because one ACK answers a whole super-segment. Counting bytes keeps ACK division harmless.
        """
        if self.cwnd < self.ssthresh:
            self.cwnd += size
            return
        self.credit += size
        if self.credit >= self.cwnd:
            self.credit -= self.cwnd
            self.cwnd += self.mss

    def enter_recovery(self, flight: int) -> None:
        """RFC 5681 §3.2 (2), (3): three duplicate ACKs."""
        self.ssthresh = max(flight // 2, 2 * self.mss)
        self.cwnd = self.ssthresh + 3 * self.mss
        self.credit = 0

    def inflate(self) -> None:
        """RFC 5681 §3.2 (4): one more segment has left the network."""
        self.cwnd += self.mss

    def partial(self, size: int) -> None:
        """RFC 6582 §3.2: an ACK that does not end recovery deflates by what it covers, and adds back one SMSS."""
        self.cwnd = max(self.cwnd - size, 0) + (self.mss if size >= self.mss else 0)
        self.cwnd = max(self.cwnd, self.mss)

    def leave_recovery(self, flight: int) -> None:
        """RFC 6582 §3.2, full acknowledgment, option 1: no burst."""
        self.cwnd = min(self.ssthresh, max(flight, self.mss) + self.mss)

    def timed_out(self, flight: int, first: bool) -> None:
        """RFC 5681 §3.1 (4): the loss window is one segment; ssthresh is set by the first timeout only."""
        if first:
            self.ssthresh = max(flight // 2, 2 * self.mss)
        self.cwnd = self.mss
        self.credit = 0

    def idle(self, initial: int) -> None:
        """RFC 5681 §4.1: after an idle RTO start again from the restart window."""
        self.cwnd = min(self.cwnd, initial)
