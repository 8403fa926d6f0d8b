# SPDX-License-Identifier: GPL-2.0-or-later
"""A world that is ready to use: hosts h1, h2, ... with addresses in one IPv4 and one IPv6 network.

Two share a cable, more a switch. Their addresses are in use from the beginning (no duplicate detection), so nothing
happens until somebody calls.
"""

from labstack.core.config import Config
from labstack.core.rng import Rng
from labstack.sim.switch import Switch
from labstack.sim.wire import Delay, Wire
from labstack.sim.world import World
from labstack.stack.stack import Stack, make

DEV = 1
MOST = 250  # hosts


def lan(hosts: int = 2, seed: int = 1, wire: Wire | None = None, config: Config | None = None, gso: int = 0) -> World:
    """hN has 10.0.0.N/24, fd00::N/64 and the MAC 02:00:00:00:00:N on its interface eth0.

    wire: the way from each host to the other, or to the switch (whose own ports take no time); default 10 ms
    gso:  the largest packet that the interfaces take (bytes), 0: no offload
    """
    if not 1 <= hosts <= MOST:
        raise ValueError(f"hosts = {hosts!r}: expected 1..{MOST}")
    world, wire = World(Rng(seed)), wire or Delay()
    for number in range(1, hosts + 1):
        world.add(_host(number, world.rng.bits64(), config, gso))
    if hosts == 2:
        world.net.cable(("h1", DEV), ("h2", DEV), wire)
        return world
    world.net.switches["switch"] = Switch()
    for name in world.hosts:
        world.net.plug((name, DEV), wire)
    return world


def _host(number: int, seed: int, config: Config | None, gso: int) -> Stack:
    host = make(f"h{number}", seed, config)
    host.call("link_add", "eth0", f"02:00:00:00:00:{number:02x}", 1500, gso, False)
    host.call("addr_add", DEV, f"10.0.0.{number}/24", False)
    host.call("addr_add", DEV, f"fd00::{number:x}/64", False)
    return host
