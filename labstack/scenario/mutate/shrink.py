# SPDX-License-Identifier: GPL-2.0-or-later
"""Delta debugging: the smallest list that still fails, by leaving things out, then by making each of them simpler.

Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002). The same list and the same question
give the same answer.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")
Fails = Callable[[tuple[T, ...]], bool]


def smallest(
    items: Sequence[T], fails: Fails[T], simpler: Callable[[T], Iterable[T]] = lambda item: (), most: int = 1000
) -> tuple[T, ...]:
    """The smallest part of `items` that was found to fail still.

    fails: is asked of a candidate; simpler: simpler forms of one item, the simplest first; most: questions
    """
    known: dict[tuple[T, ...], bool] = {}

    def ask(items: tuple[T, ...]) -> bool:
        """A question that was asked before is free."""
        if items not in known:
            if len(known) == most:
                return False
            known[items] = fails(items)
        return known[items]

    found = tuple(items)
    while True:
        before = found
        found = _simplified(_fewest(found, ask), ask, simpler)
        if found == before:
            return found


def _fewest(items: tuple[T, ...], ask: Fails[T]) -> tuple[T, ...]:
    """Leave out halves, quarters, ... single items, as long as the rest fails."""
    size = max(len(items) // 2, 1)
    while items:
        at, kept = 0, items
        while at < len(items):
            rest = items[:at] + items[at + size :]
            if rest != items and ask(rest):
                items = rest
            else:
                at += size
        if size == 1 and items == kept:
            break
        size = max(size // 2, 1)
    return items


def _simplified(items: tuple[T, ...], ask: Fails[T], simpler: Callable[[T], Iterable[T]]) -> tuple[T, ...]:
    for i in range(len(items)):
        for form in simpler(items[i]):
            changed = (*items[:i], form, *items[i + 1 :])
            if ask(changed):
                items = changed
                break
    return items
