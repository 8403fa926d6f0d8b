# SPDX-License-Identifier: GPL-2.0-or-later
"""Delivery rate samples: how many segments arrived in which time (Linux's tcp_rate.c, draft-cheng-iccrg-delivery-rate).

When a segment is sent, what was delivered until then is noted on it (`sent`); when it is acknowledged, or SACKed, the
newest such note of this ACK (`newest`) says how much was delivered since, and how long that took (`sample`). Sending
may have taken longer than acknowledging, because ACKs get compressed; the longer time counts. Pure arithmetic: how many
segments were delivered in all, `total`, somebody else counts. Times are ns.
"""

from typing import NamedTuple

from labstack.core.named import named
from labstack.core.state import State, state


class Note(NamedTuple):
    """On a segment, when it is sent the last time."""

    total: int
    delivered_at: int  # when the last of them was
    first_sent_at: int  # when that one was sent
    app_limited: bool
    nth: int  # of all sendings: many leave at the same moment


class Newest(NamedTuple):
    """The segment that was sent last, of those that an ACK delivers."""

    note: Note
    sent_at: int
    end: int  # sequence number


# prior, interval, app_limited: total - prior segments were delivered in so many ns.
# prior -1: no sample; interval -1: no valid one
RateSample = tuple[int, int, bool]
NO_SAMPLE: RateSample = (-1, -1, False)


@state
class Delivery(State):
    at: int = 0  # when something was last delivered, or when sending began again after nothing was in flight
    first_sent_at: int = 0  # when that was sent
    sendings: int = 0  # of (super-)segments that occupy sequence numbers
    app_limited: int = 0  # until so many are delivered in all, samples are application-limited; 0: they are not
    best: int = 0  # segments of the sample to report: the last one, unless it is application-limited and less
    best_interval: int = 0
    best_limited: bool = False


def sent(it: Delivery, now: int, total: int, packets_out: int) -> Note:
    """A segment goes out, with packets_out sent and not yet acknowledged before it: the note for it."""
    if not packets_out:
        it.first_sent_at = it.at = now
    it.sendings += 1
    return named(Note, (total, it.at, it.first_sent_at, it.app_limited > 0, it.sendings))


def newest(found: Newest | None, note: Note, sent_at: int, end: int) -> Newest:
    """An ACK delivers this segment, too, cumulatively or by SACK, and for the first time: which one counts?"""
    if found is not None and (note.nth, end) <= (found.note.nth, found.end):
        return found
    return Newest(note, sent_at, end)


def sample(
    it: Delivery,
    now: int,
    found: tuple[Note, int, int] | None,
    total: int,
    delivered: int,
    min_rtt: int,
    reneged: bool = False,
) -> RateSample:
    """An ACK has been worked on, and delivered so many of the total (tcp_rate_gen).

    found: a Newest, or its fields.
    min_rtt: -1 if not known. What took less is an error: something was acknowledged that had arrived before.
    """
    if it.app_limited and total > it.app_limited:
        it.app_limited = 0
    if delivered:
        it.at = now
    if found is None:
        return NO_SAMPLE
    note, sent_at, _ = found
    it.first_sent_at = sent_at
    if reneged:
        return NO_SAMPLE
    prior, delivered_at, first_sent_at, limited, _ = note
    interval, sending = now - delivered_at, sent_at - first_sent_at
    if sending > interval:
        interval = sending
    if min_rtt < 0 or interval // 1000 < min_rtt // 1000:
        return prior, -1, limited
    count = total - prior
    if not limited or count * it.best_interval >= it.best * interval:
        it.best, it.best_interval, it.best_limited = count, interval, limited
    return prior, interval, limited


def starve(it: Delivery, total: int, flight: int) -> None:
    """There is not enough to send: what is in flight now will say nothing about the network."""
    it.app_limited = total + flight or 1


def starved(unsent: int, mss: int, flight: int, cwnd: int, lost: int, retransmitted: int) -> bool:
    """Is it the application that keeps the sender short (tcp_rate_check_app_limited)? Asked when it writes.

    unsent: bytes; the others segments, lost and retransmitted of those in flight. (What waits in a device is not seen.)
    """
    return unsent < mss and flight < cwnd and lost <= retransmitted


def rate(it: Delivery, mss: int) -> int:
    """Bytes/s, to report (tcpi_delivery_rate); 0: not known."""
    us = it.best_interval // 1000
    return it.best * mss * 1_000_000 // us if us else 0
