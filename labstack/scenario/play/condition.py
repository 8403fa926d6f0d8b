# SPDX-License-Identifier: GPL-2.0-or-later
"""Conditions: what may stand in a pattern in place of a value.

    TCP(flags=has("A") & lacks("S"), window=range(1, 5000), dport={80, 8080}, ack=ANY) / size(100)

A function of one value is a condition, too; so are a range and a set. `pattern` compares; here is what can be said.
"""

from collections.abc import Callable, Iterable
from typing import Any

from layers import Raw
from layers.field import Field

Test = Callable[[Any, Field | None], bool]


class Condition:
    """Something that holds of a value or not, and that says in words what it is.

    words: as a failure shows it; test: of the value and the row of the header's table that it stands in (None: none).
    Conditions are joined by & and |, and turned round by ~. Behind a header, `TCP() / condition`, one is about the
    payload.
    """

    def __init__(self, words: str, test: Test) -> None:
        self.words = words
        self.test = test

    def __call__(self, value: Any, row: Field | None = None) -> bool:
        return bool(self.test(value, row))

    def __and__(self, other: Any) -> "Condition":
        more = condition(other)
        return Condition(f"{self} and {more}", lambda value, row: self(value, row) and more(value, row))

    def __or__(self, other: Any) -> "Condition":
        more = condition(other)
        return Condition(f"{self} or {more}", lambda value, row: self(value, row) or more(value, row))

    def __invert__(self) -> "Condition":
        return Condition(f"not ({self})", lambda value, row: not self(value, row))

    def __rtruediv__(self, header: Any) -> Any:
        return header / Raw(load=self)

    def __repr__(self) -> str:
        return self.words


ANY = Condition("anything", lambda value, row: True)


def exactly(value: Any) -> Condition:
    """This value and nothing else: of a list of options, these in this order and no others."""
    return Condition(f"exactly {shown(value)}", lambda actual, row: same(value, actual, row))


def has(*names: str) -> Condition:
    """All these flags are set, as has("A") or has("DF"); or all these options are there, as has("MSS")."""
    return Condition(f"has {' '.join(names)}", lambda value, row: all(name in _names(value, row) for name in names))


def lacks(*names: str) -> Condition:
    """None of these flags is set; or none of these options is there."""
    return Condition(f"lacks {' '.join(names)}", lambda value, row: not any(n in _names(value, row) for n in names))


def size(wanted: Any) -> Condition:
    """A number of bytes (or elements), or a condition on it: TCP() / size(1460), UDP() / size(range(1, 9))."""
    inner = condition(wanted)
    return Condition(f"{inner} bytes", lambda value, row: inner(len(value), None))


def near(value: float, by: float) -> Condition:
    """At most `by` away from a value."""
    return Condition(f"{value} ± {by}", lambda actual, row: abs(actual - value) <= by)


def condition(wanted: Any) -> Condition:
    """What is meant by a value, a set, a range, a function, or a Condition."""
    if isinstance(wanted, Condition):
        return wanted
    if isinstance(wanted, range):
        return Condition(_range(wanted), lambda value, row: value in wanted)
    if isinstance(wanted, set | frozenset):
        words = " or ".join(sorted(shown(it) for it in wanted))
        return Condition(words, lambda value, row: any(same(it, value, row) for it in wanted))
    if callable(wanted):
        return Condition(_named(wanted), lambda value, row: wanted(value))
    return Condition(shown(wanted), lambda value, row: same(wanted, value, row))


def same(wanted: Any, actual: Any, row: Field | None) -> bool:
    """Are two values equal, as a header keeps them: names are numbers, text of addresses is bytes?"""
    if row is not None and row.codec is None:
        return bool(row.value(wanted) == row.value(actual))
    return bool(list(wanted) == list(actual)) if isinstance(wanted, list | tuple) else bool(wanted == actual)


def shown(value: Any) -> str:
    """A value as text, without what is long."""
    if isinstance(value, bytes | bytearray | memoryview):
        data = bytes(value)
        return repr(data) if len(data) <= 24 else f"{data[:20]!r}... ({len(data)} bytes)"
    return value if isinstance(value, str) else repr(value)


def _names(value: Any, row: Field | None) -> Iterable[str]:
    """The names of the flags that are set in a number, or of the options in a list."""
    if isinstance(value, int):
        marks = row.names if row is not None and isinstance(row.names, str | tuple) else ()
        return [mark for i, mark in enumerate(marks) if value >> i & 1]
    return [it[0] if isinstance(it, tuple) else type(it).__name__ for it in value]


def _range(wanted: range) -> str:
    return f"{wanted.start}..{wanted.stop - 1}" if wanted.step == 1 else repr(wanted)


def _named(function: Any) -> str:
    """What a function is called; a lambda is known by its line."""
    code = getattr(function, "__code__", None)
    name = getattr(function, "__name__", repr(function))
    return f"the condition of line {code.co_firstlineno}" if name == "<lambda>" and code else f"{name}(it)"
