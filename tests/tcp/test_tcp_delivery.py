"""Delivery rate samples: which interval counts, which segment, and what is thrown away."""

from hypothesis import given
from hypothesis import strategies as st

from labstack.tcp import delivery
from labstack.tcp.delivery import NO_SAMPLE, Delivery, Newest, Note

MS = 1_000_000


def test_a_burst_that_arrives_together_is_measured_over_a_round_trip() -> None:
    """The interval begins with the first transmission, as nothing was in flight."""
    it = Delivery()
    notes = [delivery.sent(it, 100 * MS, 0, n) for n in range(10)]
    assert notes == [Note(0, 100 * MS, 100 * MS, False, n + 1) for n in range(10)]
    found: Newest | None = None
    for n, note in enumerate(notes):
        found = delivery.newest(found, note, 100 * MS, 1000 * n)
    assert delivery.sample(it, 140 * MS, found, 10, 10, 40 * MS) == (0, 40 * MS, False)
    assert delivery.rate(it, 1000) == 250_000
    assert (it.at, it.first_sent_at) == (140 * MS, 100 * MS)


def test_the_longer_of_sending_and_acknowledging_counts() -> None:
    """ACK compression: sent over 50 ms, acknowledged within 1 ms."""
    it = Delivery()
    first = delivery.sent(it, 0, 0, 0)
    last = delivery.sent(it, 50 * MS, 0, 1)
    delivery.sample(it, 60 * MS, Newest(first, 0, 1000), 1, 1, 0)
    found = delivery.newest(None, last, 50 * MS, 2000)
    assert delivery.sample(it, 61 * MS, found, 2, 1, 0)[1] == 61 * MS  # acknowledging, since it was at 0
    third = delivery.sent(it, 62 * MS, 2, 1)
    assert third.first_sent_at == 50 * MS
    fourth = delivery.sent(it, 150 * MS, 2, 2)
    assert delivery.sample(it, 151 * MS, Newest(fourth, 150 * MS, 9), 4, 2, 0) == (2, 100 * MS, False)


def test_the_segment_sent_last_counts_and_then_the_highest() -> None:
    """A retransmission is later than what follows it in the stream."""
    low, high, again = (Note(n, 0, 0, False, n) for n in (1, 2, 3))
    found = delivery.newest(None, high, 9, 2000)
    assert delivery.newest(found, low, 9, 1000) is found
    assert delivery.newest(found, high, 9, 3000).end == 3000  # a super-segment, in parts
    assert delivery.newest(found, again, 9, 1000).note is again


def test_what_took_less_than_the_least_round_trip_is_no_sample() -> None:
    """Something was acknowledged that had arrived before: Linux's rule in tcp_rate_gen, in us."""
    note = Note(3, 100 * MS, 100 * MS, False, 1)
    found = Newest(note, 100 * MS, 1)
    assert delivery.sample(Delivery(), 139 * MS, found, 4, 1, 40 * MS) == (3, -1, False)
    assert delivery.sample(Delivery(), 140 * MS, found, 4, 1, 40 * MS + 999) == (3, 40 * MS, False)
    assert delivery.sample(Delivery(), 140 * MS, found, 4, 1, -1) == (3, -1, False)


def test_an_ack_that_delivers_nothing_gives_none() -> None:
    it = Delivery(at=5)
    assert delivery.sample(it, 9, None, 4, 0, 0) == NO_SAMPLE
    assert it.at == 5
    assert delivery.sample(it, 9, Newest(Note(3, 0, 0, False, 1), 0, 1), 4, 1, 0, reneged=True) == NO_SAMPLE


def test_what_was_in_flight_when_data_ran_out_is_application_limited() -> None:
    """Until more than that has been delivered."""
    it = Delivery()
    delivery.starve(it, 10, 5)
    assert delivery.sent(it, MS, 12, 5).app_limited
    delivery.sample(it, 2 * MS, None, 15, 1, 0)
    assert delivery.sent(it, 3 * MS, 15, 1).app_limited
    delivery.sample(it, 4 * MS, None, 16, 1, 0)
    assert not delivery.sent(it, 5 * MS, 16, 1).app_limited
    delivery.starve(it, 0, 0)
    assert it.app_limited == 1


def test_an_application_limited_sample_is_reported_only_if_it_is_the_best() -> None:
    it = Delivery()
    delivery.sample(it, 40 * MS, Newest(Note(0, 0, 0, False, 1), 0, 1), 10, 10, 0)
    delivery.sample(it, 80 * MS, Newest(Note(10, 40 * MS, 40 * MS, True, 1), 40 * MS, 2), 15, 5, 0)
    assert (it.best, it.best_limited) == (10, False)
    delivery.sample(it, 120 * MS, Newest(Note(15, 80 * MS, 80 * MS, True, 1), 80 * MS, 3), 27, 12, 0)
    assert (it.best, it.best_limited) == (12, True)
    assert delivery.rate(it, 1000) == 300_000


def test_the_application_keeps_the_sender_short_only_if_nothing_else_does() -> None:
    """Linux's tcp_rate_check_app_limited."""
    assert delivery.starved(999, 1000, 9, 10, 1, 1)
    assert not delivery.starved(1000, 1000, 9, 10, 0, 0)
    assert not delivery.starved(0, 1000, 10, 10, 0, 0)
    assert not delivery.starved(0, 1000, 9, 10, 2, 1)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 5)), min_size=1, max_size=50), st.integers(1, 40))
def test_no_sample_says_more_than_the_wire_carries(sends: list[tuple[int, int]], delay: int) -> None:
    """Segments that take a ms each on the wire: whatever the sender does, no sample exceeds 1,000 a second."""
    it, now, free, total = Delivery(), 0, 0, 0
    flight: list[tuple[int, int, int, Note]] = []
    for pause, burst in sends:
        now += pause * MS
        while flight and flight[0][0] <= now:
            total = _deliver(it, flight, total, delay)
        for n in range(burst):
            free = max(free, now) + MS
            flight.append((free + delay * MS, now, n, delivery.sent(it, now, total, len(flight))))
    while flight:
        total = _deliver(it, flight, total, delay)


def _deliver(it: Delivery, flight: list[tuple[int, int, int, Note]], total: int, delay: int) -> int:
    at, sent_at, n, note = flight.pop(0)
    prior, interval, _ = delivery.sample(it, at, Newest(note, sent_at, n), total + 1, 1, delay * MS)
    if interval > 0:
        assert (total + 1 - prior) * MS <= interval
    return total + 1
