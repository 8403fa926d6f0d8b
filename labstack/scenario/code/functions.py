# SPDX-License-Identifier: GPL-2.0-or-later
"""What code blocks may call, and how they format: Python's functions of that name, charged for before they work.

All are charged alike: for their arguments as if those were copied, and for what they give. Where that is not enough
there is a limit.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from labstack.scenario.code.budget import BITS, WIDEST, Budget, StopError, bits, refuse

DIGITS = 400  # places that round() may round to
_NUMBERS = re.compile(r"[0-9]+")
_CONVERSION = re.compile(r"%[-+ #0]*([0-9*]*)(?:\.([0-9*]*))?[a-zA-Z%]")

OF_VALUES: dict[str, Callable[..., Any]] = {
    it.__name__: it for it in (abs, bool, divmod, float, hex, int, len, range, repr, round, str)
}
OF_ELEMENTS: dict[str, Callable[..., Any]] = {
    it.__name__: it for it in (all, any, enumerate, list, max, min, reversed, sorted, sum, tuple, zip)
}
FUNCTIONS = OF_VALUES.keys() | OF_ELEMENTS.keys()
SEQUENCES = (list, tuple, str, range)  # what can be gone through


def call(budget: Budget, name: str, args: list[Any]) -> Any:
    """One of FUNCTIONS."""
    if name in OF_ELEMENTS:
        args = [items(budget, arg) if isinstance(arg, SEQUENCES) else arg for arg in args]
    budget.weigh(*args)
    if name == "round" and len(args) > 1 and isinstance(args[1], int) and abs(args[1]) > DIGITS:
        raise StopError("code", f"round() to {args[1]} places, expected {DIGITS} at most")
    if name == "sum" and args and not all(isinstance(it, int | float) for it in [*args[0], *args[1:]]):
        raise TypeError("a sum of what is no number")
    found = (OF_VALUES.get(name) or OF_ELEMENTS[name])(*args)
    if isinstance(found, int):
        bits(found.bit_length())
    return list(found) if name in ("enumerate", "reversed", "zip") else found


def items(budget: Budget, value: Any) -> list[Any]:
    """The elements of what can be gone through."""
    if not isinstance(value, SEQUENCES):
        raise TypeError(f"{type(value).__name__!r} cannot be gone through")
    budget.length(len(value))
    budget.charge(len(value))
    return list(value)


def text(budget: Budget, value: Any) -> str:
    """str(value)"""
    budget.weigh(value)
    return str(value)


def formatted(budget: Budget, value: Any, spec: str) -> str:
    """What an f-string makes of a value."""
    _narrow(_NUMBERS.findall(spec))
    budget.weigh(value, spec)
    return format(value, spec)


def interpolated(budget: Budget, form: str, value: Any) -> str:
    """`form % value`"""
    found = list(_CONVERSION.finditer(form))
    _narrow([number for match in found for number in match.groups() if number])
    for _ in range(len(found) + 1):  # each of them may show the whole of it
        budget.weigh(value)
    budget.length(len(form))
    return str(form % value)


def _narrow(numbers: Iterable[str]) -> None:
    for number in numbers:
        if "*" in number:
            refuse("a width of *")
        if len(number) > 4 or int(number) > WIDEST:
            raise StopError("code", f"a format pads to {number[:20]} places, expected {WIDEST} at most")


def power(base: Any, exponent: Any) -> Any:
    """base ** exponent"""
    if isinstance(base, int) and isinstance(exponent, int):
        if abs(exponent) > BITS and abs(base) > 1:
            bits(BITS + 1)
        bits(base.bit_length() * abs(exponent) if abs(base) > 1 else 1)
    return base**exponent
