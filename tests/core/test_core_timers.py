# SPDX-License-Identifier: GPL-2.0-or-later
"""The timer table is a dict of deadlines, only faster: it is compared with that dict."""

from hypothesis import given
from hypothesis import strategies as st

from labstack.core import kinds
from labstack.core.timers import Key, Timers

keys = st.tuples(st.integers(1, 3), st.integers(1, 2))
operations = st.lists(
    st.one_of(
        st.tuples(st.just("set"), keys, st.integers(0, 50)),
        st.tuples(st.just("stop"), keys, st.just(0)),
        st.tuples(st.just("pop"), st.just((0, 0)), st.integers(0, 50)),
        st.tuples(st.just("clone"), st.just((0, 0)), st.just(0)),
    ),
    max_size=60,
)


@given(operations)
def test_every_sequence_gives_what_a_dict_of_deadlines_would(todo: list[tuple[str, Key, int]]) -> None:
    timers, model = Timers(), dict[Key, int]()
    for what, key, number in todo:
        if what == "set":
            timers.set(key, number)
            model[key] = number
        elif what == "stop":
            timers.stop(key)
            model.pop(key, None)
        elif what == "clone":
            timers = timers.clone()
        else:
            due = timers.pop(number)
            first = min(model.values(), default=None)
            if first is None or first > number:
                assert due is None
            else:
                assert due is not None
                assert model.pop(due) == first
        assert timers.next() == min(model.values(), default=None)
        assert timers.at == model
        assert all(timers.armed(key) == (key in model) for key in [(a, b) for a in (1, 2, 3) for b in (1, 2)])


def test_the_heap_does_not_grow_with_how_often_a_timer_is_moved_later() -> None:
    timers = Timers()
    for later in range(10_000):
        timers.stop((1, 1))
        timers.set((1, 1), later)
    assert len(timers.heap) == 1
    assert timers.next() == 9_999


def test_the_heap_does_not_grow_with_timers_that_were_stopped_before_they_came_up() -> None:
    timers = Timers()
    for sock in range(10_000):
        timers.set((1, sock), 10**9 - sock)
        if sock % 100:
            timers.stop((1, sock))
    assert len(timers.heap) <= 64 + 4 * 100
    assert timers.next() == 10**9 - 9_900


def test_equal_deadlines_come_in_the_order_of_their_keys() -> None:
    timers = Timers()
    for key in ((2, 1), (1, 2), (1, 1)):
        timers.set(key, 5)
    assert [timers.pop(5) for _ in range(4)] == [(1, 1), (1, 2), (2, 1), None]


def test_a_timer_moved_later_does_not_come_early_and_one_moved_earlier_does_not_come_late() -> None:
    timers = Timers()
    timers.set((1,), 10)
    timers.set((1,), 20)
    assert timers.pop(19) is None
    timers.set((1,), 5)
    assert timers.next() == 5
    assert timers.pop(5) == (1,)
    assert timers.next() is None


def test_tables_are_equal_if_their_deadlines_are() -> None:
    moved, fresh = Timers(), Timers()
    for deadline in (1, 2, 3):
        moved.set((1,), deadline)
    fresh.set((1,), 3)
    assert moved == fresh
    assert moved.diff(fresh) == []


def test_every_kind_of_timer_has_a_number_of_its_own() -> None:
    """Else one would go off as another, and nothing would happen."""
    numbers = [value for value in vars(kinds).values() if isinstance(value, int)]
    assert len(numbers) == len(set(numbers)) == len(kinds.NAMES)
