# SPDX-License-Identifier: GPL-2.0-or-later
"""The world of a memory lab: that of sim.lan, whose hosts say which rules they follow; and who is who in a world."""

from typing import Any, NamedTuple

from labstack.core.config import Config
from labstack.ip.family import text
from labstack.lab.errors import LabError
from labstack.sim.lan import MOST, lan
from labstack.sim.wire import Delay
from labstack.sim.world import World
from labstack.stack.stack import Stack

ROOM = {"net.ipv4.tcp_wmem.default": 1 << 20}  # what is said in one call fits, where a program would try again


class Entry(NamedTuple):
    """A host's name and addresses, as text."""

    name: str
    ip: str
    ip6: str
    mac: str


def entry(number: int) -> Entry:
    """Who host `number` is, counted from 1."""
    return Entry(f"h{number}", f"10.0.0.{number}", f"fd00::{number:x}", f"02:00:00:00:00:{number:02x}")


def world(hosts: int, seed: int, delay: int) -> tuple[World, list[Entry]]:
    """So many hosts, the wire between them delaying by `delay` ns one way. Raises LabError."""
    if isinstance(hosts, bool) or not isinstance(hosts, int) or not 2 <= hosts <= MOST:
        raise LabError(f"hosts={hosts!r}: expected 2 to {MOST}")
    made = lan(hosts, seed, Delay(delay), Config().replace(ROOM))
    made.trace()
    return made, [entry(i + 1) for i in range(hosts)]


def who(world: Any) -> tuple[list[Entry], list[Entry]]:
    """The hosts in a World that have a stack of ours, and whatever else stands on its wires."""
    ours = [_entry(name, host) for name, host in world.hosts.items() if isinstance(host, Stack)]
    others = [Entry(name, "", "", "") for name, host in world.hosts.items() if not isinstance(host, Stack)]
    return ours, others


def _entry(name: str, host: Stack) -> Entry:
    """Its first addresses that others can reach."""
    outside = [iface for iface in host.net.ifaces.values() if iface.name != "lo"]
    addrs = [addr.ip for iface in outside for addr in iface.addrs]
    ip, ip6 = (next((text(it) for it in addrs if len(it) == size), "") for size in (4, 16))
    return Entry(name, ip, ip6, outside[0].mac.hex(":") if outside else "")
