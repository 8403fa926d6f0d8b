# SPDX-License-Identifier: GPL-2.0-or-later
"""What code blocks may call, and how they format: Python's functions of that name, each charged for before it works."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from labstack.scenario.code.budget import BITS, LONGEST, WIDEST, Budget, StopError, bits, refuse

Function = Callable[[Budget, list[Any]], Any]
Method = Callable[[Budget, Any, list[Any]], Any]
DIGITS = 400  # places that round() may round to
_NUMBERS = re.compile(r"[0-9]+")
_CONVERSION = re.compile(r"%(?:\(\w*\))?[-+ #0]*([0-9*]*)(?:\.([0-9*]*))?[a-zA-Z%]")


def items(budget: Budget, value: Any) -> list[Any]:
    """The elements of what can be gone through."""
    if not isinstance(value, list | tuple | str | dict | range):
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


def _numbers(budget: Budget, args: list[Any]) -> list[Any]:
    found = items(budget, args[0])
    for value in found:
        if not isinstance(value, int | float):
            raise TypeError(f"a sum of {type(value).__name__!r}")
    return found


def _many(budget: Budget, args: list[Any]) -> list[Any]:
    """What min and max choose from."""
    found = items(budget, args[0]) if len(args) == 1 else args
    budget.weigh(*found)
    return found


def _sorted(budget: Budget, args: list[Any]) -> list[Any]:
    found = items(budget, args[0])
    for _ in range(max(len(found).bit_length(), 1)):
        budget.weigh(*found)
    return sorted(found)


def _round(budget: Budget, args: list[Any]) -> Any:
    if len(args) > 1 and isinstance(args[1], int) and abs(args[1]) > DIGITS:
        raise StopError("code", f"round() to {args[1]} places, expected {DIGITS} at most")
    return round(*args)


def _int(budget: Budget, args: list[Any]) -> int:
    budget.weigh(*args)
    value = int(*args)
    bits(value.bit_length())
    return value


def _divmod(budget: Budget, args: list[Any]) -> Any:
    one, two = args
    return divmod(one, two)


def _range(budget: Budget, args: list[Any]) -> range:
    return range(*args)


def _zip(budget: Budget, args: list[Any]) -> list[Any]:
    return list(zip(*[items(budget, value) for value in args], strict=False))


FUNCTIONS: dict[str, Function] = {
    "abs": lambda budget, args: abs(*args),
    "all": lambda budget, args: all(items(budget, *args)),
    "any": lambda budget, args: any(items(budget, *args)),
    "bool": lambda budget, args: bool(*args),
    "divmod": _divmod,
    "enumerate": lambda budget, args: list(enumerate(items(budget, args[0]), *args[1:])),
    "float": lambda budget, args: float(*args),
    "hex": lambda budget, args: hex(*args),
    "int": _int,
    "len": lambda budget, args: len(*args),
    "list": lambda budget, args: items(budget, *args) if args else [],
    "max": lambda budget, args: max(_many(budget, args)),
    "min": lambda budget, args: min(_many(budget, args)),
    "range": _range,
    "repr": lambda budget, args: repr(*_weighed(budget, args)),
    "reversed": lambda budget, args: items(budget, *args)[::-1],
    "round": _round,
    "sorted": _sorted,
    "str": lambda budget, args: str(*_weighed(budget, args)),
    "sum": lambda budget, args: sum(_numbers(budget, args), *args[1:]),
    "tuple": lambda budget, args: tuple(items(budget, *args)) if args else (),
    "zip": _zip,
}


def _weighed(budget: Budget, args: list[Any]) -> list[Any]:
    if len(args) > 1:
        raise TypeError(f"1 argument expected, found {len(args)}")
    budget.weigh(*args)
    return args


def _append(budget: Budget, value: list[Any], args: list[Any]) -> None:
    budget.weigh(*args)
    if len(value) >= LONGEST:
        budget.length(len(value) + 1)
    value.append(*args)


def _join(budget: Budget, value: str, args: list[Any]) -> str:
    parts = items(budget, *args)
    budget.length(sum(len(part) + len(value) for part in parts if isinstance(part, str)))
    return value.join(parts)


def _whole(name: str) -> Method:
    """A method that looks at all of its value."""

    def method(budget: Budget, value: Any, args: list[Any]) -> Any:
        budget.weigh(value, *args)
        found = getattr(value, name)(*args)
        if isinstance(value, str) and isinstance(found, list):
            budget.weigh(found)
        return list(found) if name in ("keys", "values", "items") else found

    return method


def _one(name: str) -> Method:
    """A method that looks for one element by its place."""

    def method(budget: Budget, value: Any, args: list[Any]) -> Any:
        budget.weigh(*args)
        budget.charge(1 + len(value) // 16)
        return getattr(value, name)(*args)

    return method


METHODS: dict[type, dict[str, Method]] = {
    str: {"join": _join}
    | {name: _whole(name) for name in ("startswith", "endswith", "lower", "upper", "strip", "split", "splitlines")},
    list: {"append": _append, "pop": _one("pop")} | {name: _whole(name) for name in ("index", "count")},
    dict: {name: _one(name) for name in ("get", "pop")} | {name: _whole(name) for name in ("keys", "values", "items")},
}
