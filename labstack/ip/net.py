# SPDX-License-Identifier: GPL-2.0-or-later
"""Net: the state of a host's network layer: interfaces, routes, what is ours, and the questions about that.

Addresses come and go in `addrs.py`, routes are found in `route.py`. Interface 0 is the loopback, `lo`.
"""

import errno
from collections import deque
from typing import NamedTuple

from labstack.core.errors import StackError
from labstack.core.frame import Frame
from labstack.core.state import State, field, state
from labstack.ip.family import Family, is_group
from labstack.link.iface import Addr, Iface

LOOPBACK = 0
LOOPBACK_MTU = 65_535


@state
class Route(State):
    """One route; via is b"" on the link itself; src is b"" where the source is chosen by rule."""

    prefix: bytes
    plen: int
    via: bytes = b""
    dev: int = 0
    src: bytes = b""
    metric: int = 0
    mtu: int = 0  # bytes of an IP packet; 0: what the interface takes
    lock: bool = False  # nobody can tell that it is less
    advmss: int = 0  # the MSS that TCP announces to there; 0: what fits the path
    initcwnd: int = 0  # segments of TCP's initial window; 0: as everywhere


class Path(NamedTuple):
    """How packets from src to dst leave: immutable, so it may be kept as long as `net.version` stays the same."""

    family: Family
    dev: int
    nexthop: bytes
    src: bytes
    dst: bytes
    mtu: int  # bytes of an IP packet
    gso: int  # bytes of the largest IP packet that the device cuts itself; 0: none
    sum: int  # one's complement sum of src and dst: of the IPv4 header and of every pseudo-header
    group: bool  # dst is multicast or broadcast
    link_mtu: int  # of the interface: for who does not believe what was learnt of the path
    fixed: bool = False  # mtu is as configured, and nothing is learnt
    fragile: bool = False  # something on the way may have to fragment: no DF (IPv4)
    advmss: int = 0  # as in the route
    initcwnd: int = 0


class Learnt(NamedTuple):
    """What a router told of a path; until: ns."""

    mtu: int
    until: int
    fragile: bool


@state
class Limit(State):
    """Token buckets for ICMP errors: one for all, and one for each of the latest destinations."""

    tokens: int = 0  # errors, in ns of credit
    stamp: int = -1  # ns; -1: never used
    hosts: dict[bytes, tuple[int, int]] = field(default_factory=dict)  # (credit ns, stamp ns), oldest first


def _lo() -> dict[int, Iface]:
    addrs = [Addr(b"\x7f\0\0\1", 8), Addr(bytes(15) + b"\1", 128)]
    return {LOOPBACK: Iface(LOOPBACK, "lo", b"", mtu=LOOPBACK_MTU, gso=LOOPBACK_MTU, addrs=addrs)}


def _own() -> dict[bytes, int]:
    return {b"\x7f\0\0\1": LOOPBACK, bytes(15) + b"\1": LOOPBACK}


@state
class Net(State):
    ifaces: dict[int, Iface] = field(default_factory=_lo)
    routes: list[Route] = field(default_factory=list)  # longest prefix first, then least metric
    version: int = 0  # counts changes of interfaces, addresses and routes: a Path is valid for one version
    own: dict[bytes, int] = field(default_factory=_own)  # every usable address of ours: its interface
    broadcast: dict[bytes, int] = field(default_factory=dict)  # every IPv4 broadcast address: its interface
    paths: dict[tuple[bytes, bytes, int], Path] = field(default_factory=dict)  # what `route.lookup` found
    loop: deque[Frame] = field(default_factory=deque)  # packets to ourselves, for arrive.looped
    ident: dict[bytes, int] = field(default_factory=dict)  # next IPv4 identification by pair of addresses
    limit: Limit = field(default_factory=Limit)
    learnt: dict[bytes, Learnt] = field(default_factory=dict)  # by destination, what was learnt first in front


def iface(net: Net, dev: int | str) -> Iface:
    """An interface by index or name. Raises StackError ENODEV."""
    for it in net.ifaces.values():
        if dev in (it.index, it.name):
            return it
    known = ", ".join(f"{i.index} {i.name!r}" for i in net.ifaces.values())
    raise StackError(errno.ENODEV, f"no interface {dev!r} here; there are: {known}")


def local(net: Net, addr: bytes) -> bool:
    """True if packets to this address end here (not counting groups)."""
    return addr in net.own or (len(addr) == 4 and addr[0] == 127)


def to_many(net: Net, addr: bytes) -> bool:
    """True for a multicast address and for a broadcast address of one of our subnets."""
    return is_group(addr) or addr in net.broadcast
