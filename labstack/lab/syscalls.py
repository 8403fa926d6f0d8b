# SPDX-License-Identifier: GPL-2.0-or-later
"""System calls in words: 'socket(AF_INET, SOCK_STREAM) = 3', with Linux's names for its numbers."""

from collections.abc import Sequence
from typing import Any

from labstack.packetdrill import symbols

# how the arguments behind the descriptor (for socket: all) are told: a group of symbols, "|" behind it for flags
TOLD: dict[str, tuple[str, ...]] = {
    "socket": ("AF_", "SOCK_|"), "accept4": ("SOCK_|",), "shutdown": ("SHUT_",), "fcntl": ("F_", "O_|"),
    "recv": ("", "MSG_|"), "recvfrom": ("", "MSG_|"), "recvmsg": ("", "MSG_|"),
    "send": ("", "MSG_|"), "sendto": ("", "MSG_|"), "sendmsg": ("", "MSG_|"),
    "epoll_ctl": ("EPOLL_CTL_", "", "EPOLL|"),
}  # fmt: skip
LEVELS = {0: "IP_", 1: "SO_", 6: "TCP_", 17: "UDP_", 41: "IPV6_"}
OPTIONS = ("getsockopt", "setsockopt")
LONG = 8  # bytes that are shown as a number; more are counted


def words(name: str, args: Sequence[Any]) -> str:
    """The call, without its result."""
    if name in OPTIONS and len(args) > 2:
        level, option, *value = args[1:]
        return (
            f"{name}({args[0]}, {_symbol(LEVELS.get(level, ''), option)}{''.join(f', {_value(it)}' for it in value)})"
        )
    fd, rest = ([], args[:2]) if name == "socket" else (args[:1], args[1:])  # the protocol follows from the type
    groups = [*TOLD.get(name, ()), *("" for _ in rest)]
    told = [_argument(group, it) for group, it in zip(groups, rest, strict=False)]
    while len(told) > 1 and told[-1] in ("0", "None") and name in TOLD and name != "socket":
        told.pop()  # no flags, no address
    return f"{name}({', '.join([*map(_plain, fd), *told])})"


def returned(result: Any) -> str:
    """What a call returned: ' = 3', ' = -1 EAGAIN'; ' …' while it blocks."""
    if isinstance(result, int):
        return " …"
    if not isinstance(result, tuple) or len(result) != 3:
        return ""
    return f" = {result[0]}" + (f" {symbols.name('errno', result[1])}" if result[1] else "")


def finished(result: Any) -> str:
    """A call that had blocked is told to have returned; result: (when, what)."""
    return f"the call that waited{returned(result[1])}" if isinstance(result, tuple) else "no call has returned"


def _argument(group: str, value: Any) -> str:
    if group and isinstance(value, int):
        return symbols.flags(group[:-1], value) if group.endswith("|") else _symbol(group, value)
    return _plain(value)


def _symbol(group: str, value: int) -> str:
    return symbols.name(group, value) if group in symbols.GROUPS else str(value)


def _value(value: Any) -> str:
    """An option's value: a number, if it is as long as one."""
    if isinstance(value, bytes) and len(value) <= LONG:
        return str(int.from_bytes(value, "little"))
    return _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, bytes | memoryview):
        return f"{len(value)} B"
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str):  # an address
        return f"[{value[0]}]:{value[1]}" if ":" in value[0] else f"{value[0]}:{value[1]}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_plain, value))}]"
    return str(value)
