# SPDX-License-Identifier: GPL-2.0-or-later
"""Delta debugging: the smallest list that still fails, by leaving things out, then by making each of them simpler.

Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002). The same list and the same question
give the same answer.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
Fails = Callable[[tuple[T, ...]], bool]


class Budget(Generic[T]):
    """How many more times it may be asked; a question that was asked before is free."""

    def __init__(self, fails: Fails[T], most: int) -> None:
        self.fails, self.left = fails, most
        self.known: dict[tuple[T, ...], bool] = {}

    def __call__(self, items: tuple[T, ...]) -> bool:
        if items not in self.known:
            if not self.left:
                return False
            self.left -= 1
            self.known[items] = self.fails(items)
        return self.known[items]


def smallest(
    items: Sequence[T], fails: Fails[T], simpler: Callable[[T], Iterable[T]] = lambda item: (), most: int = 1000
) -> tuple[T, ...]:
    """The smallest part of `items` that was found to fail still.

    fails: is asked of a candidate; simpler: simpler forms of one item, the simplest first; most: questions
    """
    ask = Budget(fails, most)
    found = tuple(items)
    while True:
        before = found
        found = _simplified(_fewest(found, ask), ask, simpler)
        if found == before:
            return found


def _fewest(items: tuple[T, ...], ask: Budget[T]) -> tuple[T, ...]:
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


def _simplified(items: tuple[T, ...], ask: Budget[T], simpler: Callable[[T], Iterable[T]]) -> tuple[T, ...]:
    for i in range(len(items)):
        for form in simpler(items[i]):
            changed = (*items[:i], form, *items[i + 1 :])
            if ask(changed):
                items = changed
                break
    return items
