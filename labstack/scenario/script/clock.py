# SPDX-License-Identifier: GPL-2.0-or-later
"""Clock: from the times of a script to times of the target, and how far off one may be.

A relative time counts from when the runner gets there; behind an outbound packet, from when that came; between two
inbound packets, from the scripted time of the first. Tolerance: so many ns, or a share of the scripted time since the
event before, whichever is more.
"""

from typing import NamedTuple

from labstack.packetdrill.printer import seconds
from labstack.packetdrill.script import ABSOLUTE, ANYTIME, RANGE, Event, Packet

SECOND = 1_000_000_000  # ns
PATIENCE = 2 * SECOND  # how long after its time a packet is waited for, to be called late
LONGEST = 86_400 * SECOND  # of a script
EVER = 300 * SECOND  # how long `*` waits: two retransmission timeouts at their greatest, and more


class Span(NamedTuple):
    """When an event may be, in ns since the script began: from first to last, and slack on either side."""

    first: int
    last: int
    slack: int = 0

    def early(self, at: int) -> bool:
        return at < self.first - self.slack

    def late(self, at: int) -> bool:
        return at > self.last + self.slack

    def __str__(self) -> str:
        shown = seconds(self.first) if self.first == self.last else f"{seconds(self.first)}~{seconds(self.last)}"
        return f"{shown} ± {seconds(self.slack)}" if self.slack else shown


class Clock:
    """start: ns of the target at which the script begins; tolerance: ns; percent: 0..100."""

    def __init__(self, start: int, tolerance: int, percent: float) -> None:
        self.start, self.tolerance, self.percent = start, tolerance, percent
        self._base = 0  # what the times of the present event count from
        self._before = 0  # scripted time of the event before
        self._came: int | None = None  # when it came, if it was an outbound packet
        self._inbound = False  # was it an inbound packet?
        self._scripted = 0  # the time of the present event, had none before it been late
        self.behind = 0  # ns: how late the present event is because others were

    def since(self, now: int) -> int:
        """A time of the target, as one of the script."""
        return now - self.start

    def live(self, at: int) -> int:
        """A time of the script, as one of the target."""
        return self.start + at

    def span(self, event: Event, now: int) -> Span:
        """When the next event may be; `now` (of the target): the runner got there."""
        when, here = event.when, self.since(now)
        inbound = isinstance(event.action, Packet) and event.action.inbound
        awaited = isinstance(event.action, Packet) and not inbound
        came, self._came = self._came, None
        self._base = self._before if inbound and self._inbound else here if came is None else came
        if when.kind == ANYTIME:
            span = Span(0, here + EVER)
        elif when.kind in (ABSOLUTE, RANGE):
            span = self._loose(when.at, max(when.at, when.end))
        else:
            span = self._loose(self._base + when.at, self._base + max(when.at, when.end))
            if came is not None and not awaited and span.first < here:
                span = span._replace(first=here, last=here)  # it could not be done before
        self._before = here if when.kind == ANYTIME else span.first
        self._scripted = when.at if when.kind in (ABSOLUTE, RANGE) else self._scripted + when.at
        self.behind = max(self._before - self._scripted, 0)
        self._inbound = inbound
        return span

    def came(self, at: int) -> None:
        """The packet of the present event came at `at` (of the target)."""
        self._came = self.since(at)

    def returns(self, end: int, event: Event, first: int) -> Span:
        """When the blocking call of the present event returns that began at `first`."""
        at = end if event.when.kind == ABSOLUTE else self._base + end
        return Span(at, at, self._slack(at - first))

    def drift(self, now: int) -> int:
        """How far (ns) a clock of the host may be off that was right when the script began."""
        return self._slack(self.since(now))

    def _loose(self, first: int, last: int) -> Span:
        return Span(first, last, self._slack(first - self._before))

    def _slack(self, gap: int) -> int:
        return max(self.tolerance, round(gap * self.percent / 100))
