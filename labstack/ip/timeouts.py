# SPDX-License-Identifier: GPL-2.0-or-later
"""Timers of the link and IP floors: whose they are, by the first element of their key."""

from labstack.core.env import Env
from labstack.core.kinds import DAD, NEIGHBOUR, PMTU
from labstack.core.timers import Key
from labstack.ip import addrs, pmtu
from labstack.ip.net import Net
from labstack.link import dad, neighbour

KINDS = frozenset((NEIGHBOUR, DAD, PMTU))


def expire(env: Env, net: Net, key: Key) -> None:
    """A timer of one of KINDS went off: (kind, interface index, packed address)."""
    kind, dev, address = key
    if kind == PMTU:
        pmtu.expire(env, net)
        return
    iface = net.ifaces.get(dev)
    if iface is None:
        return
    if kind == NEIGHBOUR:
        neighbour.expire(env, iface, address)
    else:
        dad.expire(env, iface, address)
        addrs.reindex(net)
