# SPDX-License-Identifier: GPL-2.0-or-later
"""What is asked of a kernel target, and what comes back, as values that can go to another process and from it."""

import errno
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from labstack.core.errors import StackError
from labstack.live.netlink import parse_prefix
from labstack.scenario.kernel.furnish import Plan
from labstack.scenario.kernel.wire import NOISE
from labstack.scenario.target import Message


def plain(value: Any) -> Any:
    """An argument, or a list of them, as a value of the plain kinds that go to another process."""
    if value is None or isinstance(value, str):
        return value and str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, Sequence):
        return tuple(map(plain, value))
    raise StackError(errno.EINVAL, f"{value!r}: expected a number, bytes, text, or a list of them")


def shaped(name: str, back: Any) -> Any:
    """What the worker says of a call, with a Message where it is one."""
    if name == "recvmsg" and not isinstance(back, str) and back[2] is not None:
        return *back[:2], Message(*back[2])
    return back


def plan(
    link: str,
    device: str,
    mtu: int,
    local: Sequence[str],
    gateway: Sequence[str],
    remote: Sequence[str],
    neighbours: Mapping[str, str],
    hide: Collection[str],
) -> Plan:
    """What was asked for, if it can be. Raises ValueError."""
    ways = {"ip": ("auto", "tun", "veth"), "ether": ("auto", "veth")}
    if link not in ways:
        raise ValueError(f"link={link!r}: expected 'ip' (bare IP packets) or 'ether' (Ethernet frames)")
    if device not in ways[link]:
        raise ValueError(f"device={device!r}: expected one of {', '.join(ways[link])} for link={link!r}")
    if unknown := set(hide) - NOISE.keys():
        raise ValueError(f"hide={sorted(unknown)}: expected some of {', '.join(NOISE)}")
    hosts = [f"{address}/{128 if ':' in address else 32}" for address in (*gateway, *remote, *neighbours)]
    for prefix in (*local, *hosts):
        parse_prefix(prefix)
    macs = tuple((address, hardware(mac)) for address, mac in neighbours.items())
    return Plan(link, device, mtu, tuple(local), tuple(gateway), macs, tuple(remote))


def hardware(mac: str) -> bytes:
    """The bytes of "02:00:00:00:00:01". Raises ValueError."""
    parts = mac.split(":")
    if len(parts) != 6 or not all(re.fullmatch("[0-9a-fA-F]{2}", part) for part in parts):
        raise ValueError(f"{mac!r}: expected a MAC address, as 02:00:00:00:00:01")
    return bytes.fromhex("".join(parts))
