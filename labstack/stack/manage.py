# SPDX-License-Identifier: GPL-2.0-or-later
"""What an administrator may ask of a host, named after `ip` and `sysctl`: links, addresses, routes, neighbours."""

import errno
from collections.abc import Callable
from typing import Any

from labstack.core.config import spoken, understood
from labstack.core.errors import StackError
from labstack.ip import addrs, route
from labstack.ip.family import parse_addr
from labstack.ip.net import iface
from labstack.link import neighbour
from labstack.link.iface import Iface
from labstack.stack.host import Host
from labstack.tcp.eager import Memory

QDISCS = ("pfifo_fast", "pfifo", "bfifo", "noqueue", "fq_codel", "fq")


def link_add(
    host: Host, name: str, mac: str | bytes = b"", mtu: int = 1500, gso: int = 0, link_local: bool = True
) -> int:
    """Attach an interface and return its index. mac: b"" where the link carries bare IP (TUN).

    gso: bytes of the largest IP packet that the device cuts itself, 0 if it takes real frames only.
    Raises StackError EINVAL, EEXIST.
    """
    if not 68 <= mtu <= 65_535 or not 0 <= gso <= 65_535:
        raise StackError(errno.EINVAL, f"mtu {mtu}, gso {gso}: expected 68..65535 and 0..65535")
    index = max(host.net.ifaces, default=0) + 1
    it = Iface(index=index, name=name, mac=_mac(mac), mtu=mtu, gso=gso)
    return addrs.add_iface(host.env, host.net, it, link_local).index


def link_set(host: Host, dev: int | str, up: bool) -> None:
    """Switch an interface on or off. Raises StackError ENODEV."""
    addrs.set_up(host.env, host.net, dev, up)


def qdisc_set(host: Host, dev: int | str, kind: str, limit: int = 1000) -> None:
    """How an interface queues: 'pfifo_fast' and the like, or 'fq', with which every TCP connection is paced.

    limit: packets; with 0 nothing is sent any more, and TCP knows it. Else a queue is never full here; whatever else it
    would do is left to the wires. Raises StackError EINVAL, ENODEV.
    """
    if kind not in QDISCS:
        raise StackError(errno.EINVAL, f"qdisc {kind!r}: expected {', '.join(QDISCS)}")
    it = iface(host.net, dev)
    it.qdisc = kind
    others = tuple(index for index in host.env.full if index != it.index)
    host.env.full = others if limit else (*others, it.index)
    host.net.version += 1


def addr_add(host: Host, dev: int | str, cidr: str, detect: bool = True) -> None:
    """Assign '10.0.0.1/24'; detect: first look for duplicates (IPv6). Raises StackError EINVAL, ENODEV, EEXIST."""
    addrs.add_addr(host.env, host.net, dev, cidr, detect)


def addr_del(host: Host, dev: int | str, address: str) -> None:
    """Take an address away. Raises StackError EADDRNOTAVAIL, ENODEV."""
    addrs.del_addr(host.env, host.net, dev, address)


def route_add(
    host: Host, prefix: str, via: str = "", dev: int | str | None = None, src: str = "", metric: int = 0
) -> None:
    """Add a route: prefix '10.0.0.0/8' or 'default'. Raises StackError EINVAL, ENETUNREACH."""
    route.add(host.net, prefix, via or None, dev, src, metric)


def route_change(
    host: Host,
    prefix: str,
    via: str,
    dev: int | str,
    mtu: int = 0,
    lock: bool = False,
    advmss: int = 0,
    initcwnd: int = 0,
) -> None:
    """Put a route in the place of those to a prefix. mtu: of the path, bytes; lock: whatever routers say;
    advmss: what TCP announces; initcwnd: segments. Raises StackError EINVAL, ENODEV."""
    route.change(host.net, prefix, via, dev, mtu=mtu, lock=lock, advmss=advmss, initcwnd=initcwnd)


def route_del(host: Host, prefix: str, via: str = "", dev: int | str | None = None) -> None:
    """Remove the routes to a prefix. Raises StackError ESRCH."""
    route.remove(host.net, prefix, via or None, dev)


def neigh_add(host: Host, dev: int | str, address: str, mac: str | bytes) -> None:
    """Enter a neighbour by hand: PERMANENT, never probed. Raises StackError EINVAL, ENODEV."""
    neighbour.permanent(host.env, iface(host.net, dev), parse_addr(address), _mac(mac))


def metrics_flush(host: Host) -> None:
    """Forget what is remembered of servers (`ip tcp_metrics flush`)."""
    host.memory = Memory()


def sysctl(host: Host, name: str, value: int | str | None = None) -> int | str:
    """Read a sysctl, or set it; a number, or what Linux takes ('bbr', '4096 131072 6291456').

    Raises StackError EINVAL for an unknown name or what it cannot be.
    """
    if value is not None:
        host.env.config = host.env.config.replace(understood(name, value))
    config = host.env.config
    return config[name] if name in config else spoken(config, name)


def _mac(value: str | bytes) -> bytes:
    if isinstance(value, bytes):
        return value
    try:
        return bytes.fromhex(value.replace(":", "").replace("-", ""))
    except ValueError:
        raise StackError(errno.EINVAL, f"{value!r} is not a MAC address: write 02:00:00:00:00:01") from None


OPS: dict[str, Callable[..., Any]] = {
    "link_add": link_add,
    "link_set": link_set,
    "qdisc_set": qdisc_set,
    "addr_add": addr_add,
    "addr_del": addr_del,
    "route_add": route_add,
    "route_change": route_change,
    "route_del": route_del,
    "neigh_add": neigh_add,
    "sysctl": sysctl,
    "metrics_flush": metrics_flush,
}
