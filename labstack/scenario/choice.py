# SPDX-License-Identifier: GPL-2.0-or-later
"""Choosing by name, as pytest's -k does: parts of names with `and`, `or`, `not` and parentheses."""

import re
from collections.abc import Callable, Iterable
from functools import partial

from labstack.lab.errors import LabError

Choice = Callable[[str], bool]


def chooser(words: str) -> Choice:
    """A function that says whether a name is chosen. Raises LabError for an expression that cannot be read."""
    left = re.findall(r"[()]|[^\s()]+", words.lower())
    if not left:
        return lambda name: True
    chosen = _either(left)
    if chosen is None or left:
        raise LabError(f"-k {words!r}: expected words with and, or, not, ( and )")
    return lambda name: chosen(name.lower())


def _either(left: list[str]) -> Choice | None:
    """One or more choices with `or` between them, taken from the words that are left; None if there is none."""
    return _joined(left, "or", any, partial(_joined, left, "and", all, partial(_single, left)))


def _joined(
    left: list[str], word: str, how: Callable[[Iterable[bool]], bool], part: Callable[[], Choice | None]
) -> Choice | None:
    parts = [part()]
    while left[:1] == [word]:
        del left[0]
        parts.append(part())
    known = [it for it in parts if it is not None]
    return (lambda name: how(it(name) for it in known)) if len(known) == len(parts) else None


def _single(left: list[str]) -> Choice | None:
    """A word, or a choice behind `not` or in parentheses."""
    word = left.pop(0) if left else ""
    if word == "not":
        other = _single(left)
        return (lambda name: not other(name)) if other else None
    if word == "(":
        inner = _either(left)
        return inner if left and left.pop(0) == ")" else None
    return (lambda name: word in name) if word not in ("", "and", "or", ")") else None
