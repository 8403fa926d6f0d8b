# SPDX-License-Identifier: GPL-2.0-or-later
"""What always holds of a host's network layer: for tests after every event, and on demand in the lab."""

from labstack.core.env import Env
from labstack.ip import limit, route, send
from labstack.ip.net import Net
from labstack.link import check as link


def check(env: Env, net: Net) -> None:
    """Raise AssertionError with a sentence if an invariant does not hold."""
    for index, it in net.ifaces.items():
        assert index == it.index, f"interface {it.name!r} has index {it.index} and is filed under {index}"
        link.check(env, it)
    usable = {a.ip: i.index for i in net.ifaces.values() for a in i.addrs if i.owns(a.ip)}
    assert net.own == usable, "the index of our addresses disagrees with the interfaces"
    assert all(r.dev in net.ifaces for r in net.routes), "a route leads to an interface that does not exist"
    assert net.routes == sorted(net.routes, key=lambda r: (-r.plen, r.metric)), "the routes are out of order"
    assert len(net.paths) <= route.PATHS, f"{len(net.paths)} paths are remembered"
    assert len(net.ident) <= send.IDENTS, f"{len(net.ident)} identifications are remembered"
    assert len(net.limit.hosts) <= limit.HOSTS, f"{len(net.limit.hosts)} ICMP destinations are remembered"
    tracing, env.tracing = env.tracing, False
    fresh = {key: route.find(env, net, *key) for key in net.paths}
    env.tracing = tracing
    assert net.paths == fresh, f"remembered paths are out of date: {net.paths} against {fresh}"
