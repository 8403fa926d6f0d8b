# SPDX-License-Identifier: GPL-2.0-or-later
"""Routes: which interface, next hop and source a packet gets. Longest prefix, then least metric (RFC 1122 §3.3.1).

Answers are kept in `net.paths`, bounded, until an interface, address or route changes. `source.py` chooses sources.
"""

import errno

from labstack.core.env import Env
from labstack.core.errors import StackError
from labstack.ip import source
from labstack.ip.family import V4, is_group, masked, of, parse_addr, parse_prefix, text
from labstack.ip.net import LOOPBACK, Net, Path, Route, iface, local, to_many
from labstack.link.iface import shares
from layers.checksum import ones_sum

PATHS = 256  # remembered answers
ROUTES = 1024
_LIMITED = b"\xff\xff\xff\xff"


def lookup(env: Env, net: Net, dst: bytes, src: bytes | None = None, dev: int = 0) -> Path | None:
    """The Path to a packed destination, or None if no route leads there.

    src: our address if it is already settled; dev: the interface if it is (0: any).
    """
    key = (dst, src or b"", dev)
    path = net.paths.get(key)
    if path is None:
        path = find(env, net, dst, src or b"", dev)
        if path is not None:
            if len(net.paths) >= PATHS:
                del net.paths[next(iter(net.paths))]
            net.paths[key] = path
    return path


def find(env: Env, net: Net, dst: bytes, src: bytes, dev: int) -> Path | None:
    """What `lookup` answers, found anew; src may be b"", dev 0."""
    if local(net, dst):
        return _path(net, _LO, dst, src or (dst if dst in net.own else V4.loopback), dst)
    route = _match(net, dst, dev) if any(dst) else None  # the unspecified address is no destination (RFC 1122 §3.2.1.3)
    if route is None and (is_group(dst) or dst == _LIMITED):
        route = _any_link(net, dst, dev)
    if route is None:
        env.note("1122/3.3.1/no_route", 0, dst)
        return None
    nexthop = dst if to_many(net, dst) else route.via or dst
    if nexthop != dst:
        env.note("1122/3.3.1.2/gateway", 0, dst, nexthop)
    else:
        env.note("1122/3.3.1.1/on_link", 0, dst, net.ifaces[route.dev].name)
    src = src or source.choose(net, route, dst, nexthop)
    if not src:
        env.note("6724/5/no_source", 0, dst)
        return None
    return _path(net, route, nexthop, src, dst)


def _match(net: Net, dst: bytes, dev: int) -> Route | None:
    for route in net.routes:
        fits = len(route.prefix) == len(dst) and shares(route.prefix, dst, route.plen)
        if fits and dev in (0, route.dev) and net.ifaces[route.dev].up:
            return route
    return None


def _any_link(net: Net, dst: bytes, dev: int) -> Route | None:
    """Groups need no route: the named interface, or the first one that is up."""
    for index, it in net.ifaces.items():
        if index != LOOPBACK and it.up and dev in (0, index):
            return Route(dst, len(dst) * 8, dev=index)
    return None


_LO = Route(b"", 0, dev=LOOPBACK)


def _path(net: Net, route: Route, nexthop: bytes, src: bytes, dst: bytes) -> Path:
    it, learnt = net.ifaces[route.dev], net.learnt.get(dst)
    mtu, fragile = route.mtu or it.mtu, False
    if learnt is not None and learnt.mtu < mtu and not route.lock:
        mtu, fragile = learnt.mtu, learnt.fragile
    family, group = of(dst), to_many(net, dst)
    sums = ones_sum(src + dst)
    given = route.lock, fragile, route.advmss, route.initcwnd
    return Path(family, route.dev, nexthop, src, dst, mtu, it.gso, sums, group, it.mtu, *given)


def add(
    net: Net, prefix: str, via: str | bytes | None = None, dev: int | str | None = None, src: str = "", metric: int = 0
) -> Route:
    """Add a route: prefix '10.0.0.0/8', '::/0' or 'default'; via a gateway, through an interface, or both.

    Raises StackError: EINVAL for what cannot be read, ENETUNREACH for a gateway on no link of ours.
    """
    route = _leading(net, prefix, via, dev)
    route.src, route.metric = parse_addr(src) if src else b"", metric
    return insert(net, route)


def change(
    net: Net,
    prefix: str,
    via: str,
    dev: int | str,
    mtu: int = 0,
    lock: bool = False,
    advmss: int = 0,
    initcwnd: int = 0,
) -> None:
    """Put a route in the place of those to the same prefix, if there are any; for what it says of the path see Route.
    Raises StackError EINVAL, ENODEV."""
    route = _leading(net, prefix, via, dev)
    route.mtu, route.lock, route.advmss, route.initcwnd = mtu, lock, advmss, initcwnd
    net.routes = [r for r in net.routes if (r.prefix, r.plen) != (route.prefix, route.plen)]
    insert(net, route)


def _leading(net: Net, prefix: str, via: str | bytes | None, dev: int | str | None) -> Route:
    """The Route that leads there, nothing else being said of it. Raises as add."""
    hop = parse_addr(via) if via else b""
    ip, plen = _prefix(prefix, hop)
    if hop and len(hop) != len(ip):
        raise StackError(errno.EINVAL, f"route {prefix} via {text(hop)}: both must be of one family")
    if hop and dev is None:
        near = _match(net, hop, 0)
        if near is None or near.via:
            raise StackError(errno.ENETUNREACH, f"gateway {text(hop)} is on no link of ours: name the interface")
        dev = near.dev
    if dev is None:
        raise StackError(errno.EINVAL, f"route {prefix}: say where it leads, with via= or dev=")
    return Route(ip, plen, hop, iface(net, dev).index)


def _prefix(prefix: str, hop: bytes) -> tuple[bytes, int]:
    """'10.0.0.0/8' as (network, length); 'default' is of the gateway's family, else IPv4."""
    if prefix == "default":
        return bytes(len(hop) or V4.size), 0
    ip, plen = parse_prefix(prefix)
    return masked(ip, plen), plen


def insert(net: Net, route: Route) -> Route:
    """Add a Route in its place; the same one again changes nothing. Raises StackError ENOBUFS at ROUTES."""
    if route in net.routes:
        return route
    if len(net.routes) >= ROUTES:
        raise StackError(errno.ENOBUFS, f"the table holds {ROUTES} routes already; remove one first")
    net.routes.append(route)
    net.routes.sort(key=lambda r: (-r.plen, r.metric))
    changed(net)
    return route


def remove(net: Net, prefix: str, via: str | None = None, dev: int | str | None = None) -> None:
    """Remove the routes to a prefix (all, or those via and dev). Raises StackError ESRCH if there is none."""
    hop = parse_addr(via) if via else b""
    index = iface(net, dev).index if dev is not None else None
    same = [r for r in net.routes if (r.prefix, r.plen) == _prefix(prefix, hop)]
    gone = [r for r in same if hop in (b"", r.via) and index in (None, r.dev)]
    if not gone:
        raise StackError(errno.ESRCH, f"no route to {prefix} like that; see net.routes")
    net.routes = [r for r in net.routes if r not in gone]
    changed(net)


def changed(net: Net) -> None:
    """An interface, address or route changed: what was found before may be wrong."""
    net.version += 1
    net.paths = {}
