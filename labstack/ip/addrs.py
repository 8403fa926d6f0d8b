# SPDX-License-Identifier: GPL-2.0-or-later
"""Interfaces come, addresses come and go, with their groups, connected routes, duplicate detection and index."""

import errno

from labstack.core.env import Env
from labstack.core.errors import StackError
from labstack.core.kinds import DAD
from labstack.ip import route
from labstack.ip.family import V4, is_group, masked, parse_addr, parse_prefix, text
from labstack.ip.net import LOOPBACK, LOOPBACK_MTU, Net, Route, iface
from labstack.link import dad, groups, neighbour
from labstack.link.iface import PERMANENT, PREFERRED, TENTATIVE, Addr, Iface

ADDRS = 64  # of one interface
_LIMITED = b"\xff\xff\xff\xff"
_ONE_HOST = 2  # host bits of the smallest subnet that has a broadcast address


def add_iface(env: Env, net: Net, it: Iface, link_local: bool = True) -> Iface:
    """Attach an interface; on Ethernet it gets its link-local IPv6 address unless link_local is False.

    Raises StackError EEXIST if its index or name is taken, EINVAL if it makes no sense.
    """
    if any(it.index == i.index or it.name == i.name for i in net.ifaces.values()):
        raise StackError(errno.EEXIST, f"interface {it.index} {it.name!r}: that index or name is taken")
    if it.index < 1 or len(it.mac) not in (0, 6) or (it.mac[:1] and it.mac[0] & 1):
        raise StackError(errno.EINVAL, f"{it.name!r} needs an index from 1 and a unicast MAC of 6 bytes (or none)")
    net.ifaces[it.index] = it
    groups.setup(it)
    reindex(net)
    if link_local and it.mac:
        _assign(env, net, it, dad.link_local(it.mac), 64, detect=True)
    return it


def add_addr(env: Env, net: Net, dev: int | str, cidr: str, detect: bool = True) -> Addr:
    """Assign '10.0.0.1/24' to an interface: its groups and connected route come with it, and for IPv6 detection of
    duplicates unless detect is False. Raises StackError: EINVAL, ENODEV, EEXIST, ENOBUFS."""
    it = iface(net, dev)
    ip, plen = parse_prefix(cidr)
    if is_group(ip) or ip == _LIMITED or not any(ip):
        raise StackError(errno.EINVAL, f"{cidr!r} cannot be assigned: it is no unicast address")
    if it.find(ip) is not None:
        raise StackError(errno.EEXIST, f"{text(ip)} is already assigned to {it.name}")
    if len(it.addrs) >= ADDRS:
        raise StackError(errno.ENOBUFS, f"{it.name} has {ADDRS} addresses already; remove one first")
    return _assign(env, net, it, ip, plen, detect)


def _assign(env: Env, net: Net, it: Iface, ip: bytes, plen: int, detect: bool) -> Addr:
    detect = detect and len(ip) == 16
    addr = Addr(ip, plen, TENTATIVE if detect else PREFERRED)
    it.addrs.append(addr)
    if len(ip) == 16:
        groups.join(it, groups.solicited_node(ip))
    if detect:
        dad.start(env, it, addr)
    if plen < len(ip) * 8:
        route.insert(net, _connected(it, addr))
    reindex(net)
    return addr


def _connected(it: Iface, addr: Addr) -> Route:
    return Route(masked(addr.ip, addr.plen), addr.plen, b"", it.index, addr.ip if len(addr.ip) == 4 else b"")


def del_addr(env: Env, net: Net, dev: int | str, address: str) -> None:
    """Take an address away, and its connected route if no other address needs it. Raises StackError EADDRNOTAVAIL."""
    it = iface(net, dev)
    ip = parse_addr(address.partition("/")[0])
    addr = it.find(ip)
    if addr is None:
        raise StackError(errno.EADDRNOTAVAIL, f"{address} is not assigned to {it.name}")
    it.addrs.remove(addr)
    env.timers.stop((DAD, it.index, ip))
    if len(ip) == 16:
        groups.leave(it, groups.solicited_node(ip))
    kept = [_connected(it, a) for a in it.addrs]
    net.routes = [r for r in net.routes if r != _connected(it, addr) or r in kept]
    reindex(net)


def set_up(env: Env, net: Net, dev: int | str, up: bool) -> None:
    """Switch an interface on or off; off, its neighbours are forgotten but for those entered by hand."""
    it = iface(net, dev)
    it.up = up
    if not up:
        for entry in [n for n in it.neigh.table.values() if n.state != PERMANENT]:
            neighbour.forget(env, it, entry.address)
    route.changed(net)


def set_mtu(net: Net, dev: int | str, mtu: int) -> None:
    """Change an interface's MTU, in bytes of an IP packet. Raises StackError EINVAL."""
    it = iface(net, dev)
    if not V4.min_mtu <= mtu <= LOOPBACK_MTU:
        raise StackError(errno.EINVAL, f"MTU {mtu} for {it.name}: expected {V4.min_mtu}..{LOOPBACK_MTU}")
    it.mtu = mtu
    route.changed(net)


def reindex(net: Net) -> None:
    """Rebuild what is derived from the interfaces' addresses."""
    net.own = {a.ip: it.index for it in net.ifaces.values() for a in it.addrs if it.owns(a.ip)}
    net.broadcast = {_LIMITED: LOOPBACK}
    for it in net.ifaces.values():
        for addr in it.addrs:
            if len(addr.ip) == 4 and 32 - addr.plen >= _ONE_HOST and it.index != LOOPBACK:
                host_bits = (1 << (32 - addr.plen)) - 1
                net.broadcast[(int.from_bytes(addr.ip, "big") | host_bits).to_bytes(4, "big")] = it.index
    route.changed(net)
