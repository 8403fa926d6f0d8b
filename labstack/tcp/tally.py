# SPDX-License-Identifier: GPL-2.0-or-later
"""Tally: what a connection remembers only to be asked for it (TCP_INFO): counts, times, and what is in flight.

No rule of TCP looks at it. It is fed where things happen, in a line or two each; `info` makes Linux's figures of it.
What changes seldom stands in immutable records, which clones share.
"""

from typing import NamedTuple

from labstack.core.named import named
from labstack.core.state import State, state

IDLE, BUSY, RWND_LIMITED, SNDBUF_LIMITED = range(4)  # what a sender's time goes by; a greater one comes first


class Chrono(NamedTuple):
    """A sender's stop watch: what it does since when, and ns spent so far; Linux's tcp_chrono_start and _stop."""

    kind: int = IDLE
    since: int = 0
    spent: tuple[int, int, int, int] = (0, 0, 0, 0)

    def turn(self, kind: int, now: int) -> "Chrono":
        was, since, spent = self
        if was != IDLE:
            sums = list(spent)
            sums[was] += now - since
            spent = tuple(sums)  # type: ignore[assignment]
        return named(Chrono, (kind, now, spent))


class Timeouts(NamedTuple):
    """Retransmission timeouts, how many times recovery began with one, ns spent in that; since: of the present one."""

    total: int = 0
    recoveries: int = 0
    spent: int = 0
    since: int | None = None


@state
class Tally(State):
    data_segs_in: int = 0  # segments with data
    data_segs_out: int = 0
    bare_in: int = 0  # the others
    bare_out: int = 0
    retrans: int = 0  # segments sent again
    bytes_retrans: int = 0
    beyond_gap: int = 0  # segments that arrived out of order
    sent_at: int = 0  # ns; when data last went out
    chrono: Chrono = Chrono()
    timeouts: Timeouts = Timeouts()


def opened(tally: Tally, passive: bool, now: int) -> None:
    """The connection is established."""
    tally.sent_at = now
    if passive:
        # until now it was a request, for Linux, whose SYN and ACK count, however often the rest was repeated
        tally.bare_in, tally.bare_out = 2, 0
        recovered(tally, now)


def arrived(tally: Tally, size: int, gso: int | None) -> None:
    """A segment, or a super-segment of pieces of gso bytes, with so many bytes of data."""
    if not size:
        tally.bare_in += 1
    elif gso is None:
        tally.data_segs_in += 1
    else:
        tally.data_segs_in += -(-size // gso)


def sent(tally: Tally, size: int, segs: int, now: int, again: bool = False) -> None:
    """So many segments went out, with size bytes of data in all; again: not for the first time."""
    if size:
        tally.data_segs_out += segs
        tally.sent_at = now
    else:
        tally.bare_out += 1
    if again:
        tally.retrans += segs
        tally.bytes_retrans += size


def timed_out(tally: Tally, first: bool, now: int) -> None:
    """The retransmission timer expired; first: since something was last acknowledged. Linux then forgets the time
    that it spent in the recovery before, if that was not over yet (tcp_update_rto_stats)."""
    total, recoveries, spent, since = tally.timeouts
    tally.timeouts = Timeouts(total + 1, recoveries + first, spent, now if first else since)


def recovered(tally: Tally, now: int) -> None:
    """The recovery that began with a timeout is over."""
    total, recoveries, spent, since = tally.timeouts
    if since is not None:
        tally.timeouts = Timeouts(total, recoveries, spent + now - since)


def watch(tally: Tally, kind: int, now: int) -> None:
    """There is something to send or in flight, and this is what the sender waits for. Of several things the greater
    counts; RWND_LIMITED ends with the next look, SNDBUF_LIMITED only when there is room (`room`)."""
    if kind > tally.chrono.kind or tally.chrono.kind == RWND_LIMITED:
        tally.chrono = tally.chrono.turn(kind, now)


def room(tally: Tally, now: int) -> None:
    """The application may write again."""
    if tally.chrono.kind == SNDBUF_LIMITED:
        tally.chrono = tally.chrono.turn(BUSY, now)


def idle(tally: Tally, now: int) -> None:
    """There is nothing to send, and nothing in flight."""
    if tally.chrono.kind:
        tally.chrono = tally.chrono.turn(IDLE, now)


def over(tally: Tally, now: int) -> None:
    """The connection has ended."""
    idle(tally, now)
