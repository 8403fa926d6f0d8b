# SPDX-License-Identifier: GPL-2.0-or-later
"""Delta debugging: what is left fails still, nothing can be left out of it, and it is the same every time."""

from hypothesis import given, settings
from hypothesis import strategies as st

from labstack.scenario.mutate.shrink import smallest


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.sets(st.integers(0, 59), min_size=1, max_size=4))
def test_of_many_items_only_those_are_left_that_make_it_fail(n: int, guilty: set[int]) -> None:
    wanted = {it for it in guilty if it < n} or {n - 1}
    assert smallest(range(n), lambda items: wanted <= set(items)) == tuple(sorted(wanted))


def test_nothing_can_be_left_out_of_what_is_found() -> None:
    """A failure that several sets of items can cause ends at one of which each item is needed."""

    def fails(items: tuple[int, ...]) -> bool:
        return sum(items) > 50

    found = smallest(range(20), fails)
    assert fails(found)
    assert not any(fails(found[:i] + found[i + 1 :]) for i in range(len(found)))


def test_items_are_made_simpler_as_far_as_it_fails() -> None:
    found = smallest([9, 8, 7], lambda items: sum(items) >= 10, lambda item: range(item))
    assert sum(found) == 10


def test_it_asks_no_more_than_it_may_and_nothing_twice() -> None:
    asked: list[tuple[int, ...]] = []

    def fails(items: tuple[int, ...]) -> bool:
        asked.append(items)
        return 7 in items

    assert 7 in smallest(range(1000), fails, most=30)
    assert len(asked) <= 30
    assert len(asked) == len(set(asked))
