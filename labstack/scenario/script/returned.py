# SPDX-License-Identifier: GPL-2.0-or-later
"""What a system call handed back beside what a script expects: rows, one a field; `messages` has those of recvmsg.

`...` is not compared. C's layout is Linux's on x86-64.
"""

from collections.abc import Callable, Sequence
from functools import partial
from struct import unpack_from

from labstack.packetdrill import symbols
from labstack.packetdrill.printer import expression
from labstack.packetdrill.script import ANY, Apply, Braces, Expr, Text
from labstack.scenario.script import values
from labstack.scenario.script.values import number
from labstack.scenario.target import Result
from labstack.scenario.verdict import ANYTHING, Field

Rows = Sequence[Field]
Judge = Callable[[Result], Rows]


def compared(name: str, expected: Expr, live: int, spell: Callable[[int], str] = str, width: int = 4) -> Field:
    """The row of one number; spell: how to write it; width: bytes that count."""
    if expected == ANY:
        return Field(name, ANYTHING, spell(live))
    same = not (number(expected) ^ live) & ((1 << 8 * width) - 1)
    said = expression(expected)
    return Field(name, said, said if same else spell(live))


def nothing(_: Result) -> Rows:
    """Nothing is compared but the result."""
    return ()


def address(expected: tuple[str, int], back: Result) -> Rows:
    """The address of getsockname and getpeername."""
    return [Field("address", str(expected), str(back.data))] if back.result == 0 else []


def text(expected: bytes, back: Result) -> Rows:
    """The bytes that were read."""
    if back.result <= 0:
        return []
    data = back.data[0] if isinstance(back.data, tuple) else back.data
    return [Field("data", repr(expected[: back.result]), repr(bytes(data or b"")))]


def integer(expected: Expr, back: Result) -> Rows:
    """The int that ioctl wrote."""
    return [compared("value", expected, back.data or 0)] if back.result >= 0 else []


# options


def option(expected: Expr, length: int, back: Result) -> Rows:
    """The value of a socket option, and its length; `length`: what the script says of it."""
    if back.result != 0:
        return []
    data = bytes(back.data or b"")
    return [*_value(expected, data), Field("length", str(length), str(len(data)))]


def _value(expected: Expr, data: bytes) -> Rows:
    if expected == ANY:
        return [Field("value", ANYTHING, data.hex())]
    if isinstance(expected, Text):
        return [Field("value", repr(expected.value), repr(data[: len(expected.value)]))]
    if isinstance(expected, Apply):
        return [Field("value", values.packed(expected).hex(), data.hex())]
    if isinstance(expected, Braces):
        given = values.fields(expected, *values.LINGERS)
        live = dict(zip(values.LINGERS, unpack_from("<ii", data.ljust(8, b"\0")), strict=True))
        return [compared(key, value, live[key]) for key, value in given.items()]
    parts = values.items(expected)
    names = ["value"] if len(parts) == 1 else [f"value {i + 1}" for i in range(len(parts))]
    pieces = [data[4 * i : 4 * i + 4] for i in range(len(parts))]
    return [
        compared(name, part, int.from_bytes(piece, "little"), width=len(piece) or 4)
        for name, part, piece in zip(names, parts, pieces, strict=True)
    ]


# events


def polled(expected: Sequence[dict[str, Expr]], back: Result) -> Rows:
    """revents of each descriptor."""
    if back.result < 0:
        return []
    names = ["revents"] if len(expected) == 1 else [f"revents {i + 1}" for i in range(len(expected))]
    live = back.data or [0] * len(expected)
    spell = partial(symbols.flags, "POLL")
    return [
        compared(name, it.get("revents", ANY), revents, spell)
        for name, it, revents in zip(names, expected, live, strict=True)
    ]


def epoll_event(expr: Expr) -> tuple[Expr, Expr]:
    """(events, data) of {events=, fd=|ptr=|u32=|u64=}; `...` for what is missing."""
    given = values.fields(expr, "events", "fd", "ptr", "u32", "u64")
    events = given.pop("events", ANY)
    return events, next(iter(given.values()), ANY)


def first_event(expected: Expr, back: Result) -> Rows:
    """The first event that epoll_wait told; all zeros if it told none."""
    if back.result < 0 or expected == ANY or values.is_null(expected):
        return []
    events, data = epoll_event(expected)
    live, about = (back.data or [(0, 0)])[0]
    return [compared("events", events, live, partial(symbols.flags, "EPOLL")), compared("data", data, about, width=8)]
