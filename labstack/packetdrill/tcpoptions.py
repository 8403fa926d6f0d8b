# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP options in angle brackets: one row a name, how its values are read, and how many bytes it takes.

RFC 9293 §3.2, 2018, 7323, 2385, 7413 (and its experimental form, RFC 6994), 9768.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from labstack.packetdrill.cursor import Cursor
from labstack.packetdrill.lexer import INTEGER, WORD
from labstack.packetdrill.script import Option

LONGEST = 40  # bytes of options that a header can have
U8, U16, U24, U32 = 0xFF, 0xFFFF, 0xFFFFFF, 0xFFFFFFFF
ECN_ORDERS = {"e0b": ("e0b", "ceb", "e1b"), "e1b": ("e1b", "ceb", "e0b")}
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")

Values = tuple[int | bytes | str, ...]


class Row(NamedTuple):
    """read: its values, the name being read; size: in bytes, with those values."""

    read: Callable[[Cursor], Values]
    size: Callable[[Values], int]


def options(cursor: Cursor) -> tuple[Option, ...]:
    """The options from `<` to `>`; together they take a multiple of 4 bytes, and at most 40."""
    opening = cursor.step()
    found, size = [], 0
    while True:
        row = ROWS.get(cursor.text) if cursor.kind == WORD else None
        if row is None:
            cursor.fail(*ROWS)
        option = Option(cursor.step().text, row.read(cursor))
        size += row.size(option.values)
        if size > LONGEST:
            cursor.wrong(f"found TCP options of {size} bytes or more, expected at most {LONGEST}", opening)
        found.append(option)
        if not cursor.accept(","):
            break
    cursor.expect(">", "','", "'>'")
    if size % 4:
        nops = -size % 4
        cursor.wrong(f"found TCP options of {size} bytes, expected a multiple of 4: {nops} more nop would do", opening)
    return tuple(found)


def _nothing(cursor: Cursor) -> Values:
    return ()


def _stamps(cursor: Cursor) -> Values:
    cursor.expect_word("val")
    val = cursor.number("a timestamp", U32)
    cursor.expect_word("ecr")
    return val, cursor.number("an echoed timestamp", U32)


def _blocks(cursor: Cursor) -> Values:
    edges: list[int] = []
    while cursor.kind == INTEGER:
        edges.append(cursor.number("the start of a SACK block", U32))
        cursor.expect(":")
        edges.append(cursor.number("the end of a SACK block", U32))
    return tuple(edges)


def _bytes(cursor: Cursor) -> Values:
    """Hexadecimal digits, or none."""
    if cursor.kind not in (WORD, INTEGER):
        return ()
    if not _HEX.fullmatch(cursor.text):
        cursor.fail("pairs of hexadecimal digits (if this is a symbol, it is not defined)")
    return (bytes.fromhex(cursor.step().text),)


def _counters(cursor: Cursor) -> Values:
    order = ECN_ORDERS.get(cursor.text) if cursor.kind == WORD else None
    if order is None:
        cursor.fail("'e0b N'", "'e1b N'")
    found: list[int | str] = []
    for name in order:
        if not cursor.accept_word(name):
            break
        found += name, cursor.number(f"a count {name}", U24)
    return tuple(found)


def _held(values: Values) -> int:
    """How many bytes a value of bytes takes."""
    return sum(len(value) for value in values if isinstance(value, bytes))


ROWS = {
    "nop": Row(_nothing, lambda values: 1),
    "eol": Row(_nothing, lambda values: 1),
    "mss": Row(lambda cursor: (cursor.number("a maximum segment size", U16),), lambda values: 4),
    "wscale": Row(lambda cursor: (cursor.number("a window scale", U8),), lambda values: 3),
    "sackOK": Row(_nothing, lambda values: 2),
    "sack": Row(_blocks, lambda values: 2 + 4 * len(values)),
    "TS": Row(_stamps, lambda values: 10),
    "md5": Row(_bytes, lambda values: 2 + _held(values)),
    "FO": Row(_bytes, lambda values: 2 + _held(values)),
    "FOEXP": Row(_bytes, lambda values: 4 + _held(values)),
    "ECN": Row(_counters, lambda values: 2 + 3 * (len(values) // 2)),
}
