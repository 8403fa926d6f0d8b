# SPDX-License-Identifier: GPL-2.0-or-later
"""The world of a memory lab: that of sim.lan, whose hosts say which rules they follow; and who is who in it."""

from typing import NamedTuple

from labstack.lab.errors import LabError
from labstack.sim.lan import MOST, lan
from labstack.sim.wire import Delay
from labstack.sim.world import World


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
    made = lan(hosts, seed, Delay(delay))
    made.trace()
    return made, [entry(i + 1) for i in range(hosts)]
