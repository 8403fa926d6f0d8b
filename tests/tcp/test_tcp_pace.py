"""Pacing rates, super-segments and departures: Linux's arithmetic, by hand."""

import pytest

from labstack.tcp import pace
from labstack.tcp.pace import UNLIMITED

MS, SECOND = 1_000_000, 1_000_000_000
INFINITE = 0x7FFFFFFF
RATIOS = (200, 120)
GSO = 65_215  # bytes


@pytest.mark.parametrize(
    ("cwnd", "ssthresh", "percent"), [(10, INFINITE, 200), (49, 100, 200), (50, 100, 120), (100, 100, 120)]
)
def test_a_window_in_a_round_trip_twice_in_slow_start(cwnd: int, ssthresh: int, percent: int) -> None:
    """Linux's tcp_update_pacing_rate: 200 % below half of ssthresh, else 120 %."""
    rate = pace.rate(1448, cwnd, ssthresh, 0, 100 * MS, RATIOS)
    assert rate == 1448 * cwnd * 10 * percent // 100


def test_what_is_in_flight_counts_if_it_is_more_than_cwnd() -> None:
    assert pace.rate(1000, 10, 5, 40, 100 * MS, RATIOS) == pace.rate(1000, 40, 5, 0, 100 * MS, RATIOS) == 480_000


def test_without_a_round_trip_time_nothing_is_limited() -> None:
    assert pace.rate(1000, 10, INFINITE, 0, 0, RATIOS) > 10**9


@pytest.mark.parametrize(
    ("rate", "min_rtt", "least", "segments"),
    [
        (0, -1, 2, 2),  # the least
        (1 << 20, -1, 2, 2),  # 1 MiB/s: 1024 bytes in a ms
        (10 << 20, -1, 2, 7),  # 10 KiB
        (10 << 20, 20 * MS, 2, 7),  # far: 20 ms >> 9 = 39
        (10 << 20, 16 * MS, 2, 7),  # 65215 >> 31
        (10 << 20, 600_000, 2, 29),  # 10 KiB and half of 64
        (0, 2 * MS, 2, 5),  # an eighth
        (0, 100_000, 2, 45),  # a neighbour: the whole
        (1 << 40, -1, 2, 45),
        (1 << 40, -1, 99, 99),
    ],
)
def test_a_super_segment_lasts_a_ms_and_more_where_the_path_is_short(
    rate: int, min_rtt: int, least: int, segments: int
) -> None:
    """Linux's tcp_tso_autosize with tcp_tso_rtt_log = 9: the whole of GSO below 512 us, half of it below 1 ms, ..."""
    assert pace.burst(rate, 1448, min_rtt, GSO, least, 9) == segments


def test_the_first_ten_segments_are_not_paced() -> None:
    assert pace.next_departure(0, 5, 1000, 10**6, 9) == 5
    assert pace.next_departure(0, 5, 1000, 10**6, 10) == 5 + MS - 5


def test_the_next_segment_waits_as_long_as_this_one_takes() -> None:
    assert pace.next_departure(7 * MS, 7 * MS, 1000, 10**6, 99) == 8 * MS
    assert pace.next_departure(7 * MS, 7 * MS, 1000, UNLIMITED, 99) == 7 * MS
    assert pace.next_departure(7 * MS, 7 * MS, 1000, 0, 99) == 7 * MS


@pytest.mark.parametrize(("late", "after"), [(0, 1000), (100, 900), (500, 500), (90_000, 500)])
def test_being_late_is_made_up_for_by_half_a_segment_at_most(late: int, after: int) -> None:
    """Linux's tcp_update_skb_after_send; times in us here."""
    assert pace.next_departure(SECOND, SECOND + late * 1000, 1000, 10**6, 99) == SECOND + (late + after) * 1000
