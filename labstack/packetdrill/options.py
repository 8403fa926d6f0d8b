# SPDX-License-Identifier: GPL-2.0-or-later
"""The options of scripts, `--name=value`: what each means, what it is without being said, how its value is read.

The table says what packetdrill has; whoever runs a script decides what wins over what. Options that we have no use
for are refused by name.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from labstack.packetdrill.cursor import Cursor, quoted
from labstack.packetdrill.script import Place, RefusedError, ScriptError
from layers.address import ip4, ip6

IP_VERSIONS = ("ipv4", "ipv6", "ipv4-mapped-ipv6")
LONGEST_ADDRESS = 50  # characters
FAILURES = ("packet", "syscall")  # what non_fatal may name


class Row(NamedTuple):
    """read: text to value, raises ValueError("what was expected"); default: as a script would write it, None: none."""

    read: Callable[[str], Any]
    meaning: str
    default: str | None = None


def read(name: str, value: str, place: Place) -> Any:
    """The value of an option. Raises ScriptError for one that is unknown or wrong, RefusedError for an unsupported."""
    for start, what in REFUSED.items():
        if name.startswith(start):
            raise RefusedError(place, f"{what} (option --{name[:40]})")
    if name not in OPTIONS:
        raise ScriptError(place, f"found the unknown option {quoted(f'--{name}')}, expected {', '.join(OPTIONS)}")
    try:
        return OPTIONS[name].read(value)
    except ValueError as error:
        raise ScriptError(place, f"found {quoted(f'--{name}={value}')}, expected {error}") from None


def parse(cursor: Cursor) -> tuple[str, str]:
    """The option that stands here, checked."""
    token = cursor.step()
    name, _, value = token.text.partition("=")
    read(name, value, cursor.source.place(token.start))
    return name, value


def defaults() -> Mapping[str, Any]:
    """The values of the options that a script does not give; those without default are not in it."""
    return {name: row.read(row.default) for name, row in OPTIONS.items() if row.default is not None}


def _number(least: int, most: int) -> Callable[[str], int]:
    def number(value: str) -> int:
        if not (value.isascii() and value.isdigit() and len(value) < 20 and least <= int(value) <= most):
            raise ValueError(f"a number from {least} to {most}")
        return int(value)

    return number


def _percent(value: str) -> float:
    digits = value.replace(".", "", 1)
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20 and float(value) <= 100):
        raise ValueError("a number from 0 to 100")
    return float(value)


def _choice(*choices: str) -> Callable[[str], str]:
    def choice(value: str) -> str:
        if value not in choices:
            raise ValueError(" or ".join(choices))
        return value

    return choice


def _flag(value: str) -> bool:
    if value:
        raise ValueError("no value")
    return True


def _address(value: str) -> str:
    """An address, perhaps with a prefix length; as written."""
    expected = "an address, perhaps with a prefix length"
    if len(value) > LONGEST_ADDRESS:
        raise ValueError(expected)
    address, slash, length = value.partition("/")
    try:
        bits = 8 * len(ip6(address) if ":" in address else ip4(address))
        if slash:
            _number(0, bits)(length)
    except ValueError:
        raise ValueError(expected) from None
    return value


def _netmask(value: str) -> str:
    """A netmask, or IPv6's gateway net; as written."""
    _address(value)
    mask = 0 if ":" in value else int.from_bytes(ip4(value), "big")
    if mask != 0xFFFFFFFF ^ (0xFFFFFFFF >> mask.bit_count()) and ":" not in value:
        raise ValueError("a netmask such as 255.255.0.0")
    return value


def _failures(value: str) -> frozenset[str]:
    names = frozenset(value.split(",")) - {""}
    if not names <= set(FAILURES):
        raise ValueError(" or ".join(FAILURES))
    return names


def _define(value: str) -> tuple[str, str]:
    symbol, equals, meaning = value.partition("=")
    if not equals or not symbol.isidentifier():
        raise ValueError("SYMBOL=value")
    return symbol, meaning


def _python(value: str) -> str:
    if not value.startswith("python"):
        raise ValueError("python, which is what code blocks are")
    return value


OPTIONS: dict[str, Row] = {
    "ip_version": Row(_choice(*IP_VERSIONS), "addresses of sockets and packets", "ipv4"),
    "local_ip": Row(_address, "of the host under test"),
    "remote_ip": Row(_address, "of the other end"),
    "gateway_ip": Row(_address, "of the router between"),
    "netmask_ip": Row(_netmask, "of the local network"),
    "bind_port": Row(_number(1, 65535), "what bind really uses", "8080"),
    "connect_port": Row(_number(1, 65535), "what connect really uses", "8080"),
    "mtu": Row(_number(68, 65535), "of the device, in bytes", "1500"),
    "mss": Row(_number(0, 65535), "segment size with which a large injected segment is marked, 0: not at all", "0"),
    "tolerance_usecs": Row(_number(0, 10**9), "how far a time may be off", "4000"),
    "tolerance_percent": Row(_percent, "the same, of the time since the event before", "12.5"),
    "tcp_ts_tick_usecs": Row(_number(0, 10**6), "tick of the timestamp clock; 0: timestamps are not compared", "0"),
    "tcp_ts_ecr_scaled": Row(_flag, "take inbound ecr values that were never seen"),
    "strict_segments": Row(_flag, "one packet is one line: no gluing of pieces"),
    "non_fatal": Row(_failures, "failures that are warnings", ""),
    "define": Row(_define, "SYMBOL=value: what stands for a word"),
    "code_command": Row(_python, "interpreter of code blocks", "python"),
    "code_format": Row(_python, "language of code blocks", "python"),
    "code_sockopt": Row(str, "what code blocks sample", ""),
    "verbose": Row(_flag, "print packets"),
    "debug": Row(_flag, "print more"),
    "dry_run": Row(_flag, "parse only"),
    "send_omit_free": Row(_flag, "no meaning"),
}
REFUSED = {  # how their names begin, and what they are
    "psp_": "PSP", "wire_": "running over a wire", "so_": "a stack in a shared object", "speed": "a link speed",
    "init_scripts": "running other scripts first", "is_anyip": "an address that is not configured",
}  # fmt: skip
