# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages: what recvmsg handed back beside what a script expects, and as a script has it; and what sendmsg sends.

Flags, and every control message in order. Those are numbers, time stamps, extended errors (linux/errqueue.h) or
statistics of TCP.
"""

from collections.abc import Callable, Sequence
from functools import partial
from struct import calcsize, unpack_from
from typing import NamedTuple

from labstack.packetdrill import symbols
from labstack.packetdrill.printer import expression, seconds
from labstack.packetdrill.script import ANY, Array, Braces, Expr, Field, Number
from labstack.scenario.script import values
from labstack.scenario.script.returned import Rows, compared
from labstack.scenario.script.values import number
from labstack.scenario.target import Message, Result
from labstack.scenario.verdict import ANYTHING
from labstack.scenario.verdict import Field as Row

ERROR = ("ee_errno", "ee_origin", "ee_type", "ee_code", "ee_info", "ee_data")
ERROR_LAYOUT = "<IBBBxII"
STAMP = ("scm_sec", "scm_nsec")
STAMP_LAYOUT = "<qq"
TIMEVAL = 29  # SO_TIMESTAMP: us where the others have ns
NAMED: dict[str, str] = {"ee_errno": "errno", "ee_origin": "SO_EE_ORIGIN_"}  # whose values have names, in which group
RECVERR = ((0, 11), (41, 25))  # (level, type) of extended errors
KINDS = {0: "IP_", 1: "SCM_", 6: "TCP_", 41: "IPV6_"}  # level: names of types
PARTS = ("cmsg_level", "cmsg_type", "cmsg_data")
Control = tuple[int, int, bytes]  # level, type, data


class Stamps(NamedTuple):
    """How time stamps are compared; since: makes a time of the script (ns) of one; slack: ns that it may be off.

    behind: ns by which it may be later, too, because the script is
    """

    since: Callable[[int], int]
    slack: int
    behind: int = 0


def header(expr: Expr) -> dict[str, Expr]:
    """The fields of a struct msghdr."""
    return values.fields(expr, "msg_name", "msg_iov", "msg_flags", "msg_control")


def control(expr: Expr) -> Control:
    """A control message to be sent: its data is a number, an int of C."""
    given = values.fields(expr, *PARTS)
    if len(given) != len(PARTS):
        raise values.wrong(expr, "cmsg_level, cmsg_type and cmsg_data")
    return number(given["cmsg_level"]), number(given["cmsg_type"]), values.little(number(given["cmsg_data"]), 4)


# what came beside what is expected


def message(flags: Expr | None, control: Expr | None, stamps: Stamps, back: Result) -> Rows:
    """Rows for msg_flags and msg_control, where the script gives them."""
    got = back.data
    if back.result < 0 or not isinstance(got, Message):
        return []
    rows = [] if flags is None else [compared("msg_flags", flags, got.flags, partial(symbols.flags, "MSG_"))]
    if control is None or control == ANY:
        return rows
    wanted = values.items(control)
    for i in range(max(len(wanted), len(got.control))):
        name = f"cmsg {i + 1}"
        if i >= len(wanted):
            rows.append(Row(name, "", _shown(got.control[i])))
        elif i >= len(got.control):
            rows.append(Row(name, expression(wanted[i]), ""))
        else:
            rows += _one(name, wanted[i], got.control[i], stamps)
    return rows


def _shown(live: Control) -> str:
    return f"level {symbols.name('SOL_', live[0])}, type {live[1]}, {len(live[2])} bytes"


def _one(name: str, expected: Expr, live: Control, stamps: Stamps) -> list[Row]:
    given = values.fields(expected, *PARTS)
    level, kind, data = live
    rows = [
        compared(f"{name} level", given.get("cmsg_level", ANY), level, partial(symbols.name, "SOL_")),
        compared(f"{name} type", given.get("cmsg_type", ANY), kind),
    ]
    if any(row.differs for row in rows):
        return rows
    return [*rows, *_data(name, given.get("cmsg_data", ANY), kind, data, stamps)]


def _data(name: str, expected: Expr, kind: int, data: bytes, stamps: Stamps) -> list[Row]:
    """The data of one message; what it is follows from how the script writes it."""
    if expected == ANY:
        return [Row(f"{name} data", ANYTHING, data.hex())]
    if not isinstance(expected, Braces):
        return [compared(f"{name} data", expected, int.from_bytes(data[:4], "little"))]
    keys = {item.key for item in expected.items if isinstance(item, Field)}
    if keys & set(STAMP):
        return [_stamp(name, values.fields(expected, *STAMP), kind, data, stamps)]
    if keys & set(ERROR):
        return _error(name, values.fields(expected, *ERROR), data)
    return _statistics(name, values.fields(expected), data)


def _stamp(name: str, given: dict[str, Expr], kind: int, data: bytes, stamps: Stamps) -> Row:
    """A time stamp in the script's time; one that the script has as 0 is not looked at."""
    wanted = number(given.get("scm_sec", values.ZERO)) * 10**9 + number(given.get("scm_nsec", values.ZERO))
    if len(data) < calcsize(STAMP_LAYOUT):
        return Row(f"{name} time", seconds(wanted), f"{len(data)} bytes")
    whole, part = unpack_from(STAMP_LAYOUT, data)
    live = stamps.since(whole * 10**9 + part * (1000 if kind == TIMEVAL else 1))
    if not wanted:
        return Row(f"{name} time", ANYTHING, seconds(live))
    return Row(
        f"{name} time", seconds(wanted), seconds(live), -stamps.slack <= live - wanted <= stamps.slack + stamps.behind
    )


def _error(name: str, given: dict[str, Expr], data: bytes) -> list[Row]:
    """struct sock_extended_err, field by field."""
    if len(data) < calcsize(ERROR_LAYOUT):
        return [Row(f"{name} data", "an extended error", f"{len(data)} bytes")]
    live = dict(zip(ERROR, unpack_from(ERROR_LAYOUT, data), strict=True))
    spell = {key: partial(symbols.name, group) for key, group in NAMED.items()}
    return [compared(f"{name} {key}", value, live[key], spell.get(key, str)) for key, value in given.items()]


def _statistics(name: str, given: dict[str, Expr], data: bytes) -> list[Row]:
    """SCM_TIMESTAMPING_OPT_STATS: the attributes that the script names."""
    live = _attributes(data)
    rows = []
    for key, value in given.items():
        kind = symbols.VALUES.get(key)
        if kind is None:
            raise values.wrong(value, f"an attribute TCP_NLA_..., but {key} is none")
        if kind in live:
            rows.append(compared(f"{name} {key}", value, live[kind], width=8))
        else:
            rows.append(Row(f"{name} {key}", expression(value), ""))
    return rows


def _attributes(data: bytes) -> dict[int, int]:
    """Netlink attributes: type -> value."""
    found, at = {}, 0
    while at + 4 <= len(data):
        length, kind = unpack_from("<HH", data, at)
        if length < 4:
            break
        found[kind & 0x3FFF] = int.from_bytes(data[at + 4 : at + length], "little")
        at += (length + 3) & ~3
    return found


# what came, as a script has it


def written(got: Message | None) -> list[Field]:
    """The flags and control messages of a msghdr; nothing while there is none."""
    return [] if got is None else [Field("msg_flags", values.bits("MSG_", got.flags)), *controls(got.control)]


def controls(messages: Sequence[Control]) -> list[Field]:
    """The field of control messages, if there are any."""
    return [Field("msg_control", Array(tuple([_written(*it) for it in messages])))] if messages else []


def _written(level: int, kind: int, data: bytes) -> Expr:
    said = values.word("SOL_", level), values.word(KINDS.get(level, ""), kind), _data_written(level, kind, data)
    return Braces(tuple(map(Field, PARTS, said)))


def _data_written(level: int, kind: int, data: bytes) -> Expr:
    """An extended error field by field, a number; other things are not told."""
    if (level, kind) in RECVERR and len(data) >= calcsize(ERROR_LAYOUT):
        told = zip(ERROR, unpack_from(ERROR_LAYOUT, data), strict=True)
        return Braces(tuple([Field(key, values.word(NAMED.get(key, ""), value)) for key, value in told]))
    return Number(int.from_bytes(data, "little")) if len(data) == 4 else ANY
