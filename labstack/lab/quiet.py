# SPDX-License-Identifier: GPL-2.0-or-later
"""When a world is quiet: nothing is on the wire or about to be called, and every armed timer only keeps house.

Ageing neighbours, learnt MTUs of paths and TIME-WAIT keep house, and so do a connection that will send a keep-alive
some day, and a sender whose window probe found the window still closed: it waits for somebody to read. A
retransmission, a first probe, a delayed ACK or an unanswered question is something under way. So `continue` stops where
an exchange ends, and not a minute of timers later.
"""

from typing import Any

from labstack.core.kinds import NEIGHBOUR, PMTU, TCP_KEEPALIVE, TCP_PERSIST, TCP_TIMEWAIT
from labstack.link.iface import INCOMPLETE, PROBE


def quiet(world: Any) -> bool:
    """True if nothing is under way in a sim.World."""
    return not world.calendar and all(_keeps_house(host) for host in world.hosts.values())


def _keeps_house(host: Any) -> bool:
    if host.deadline() is None:
        return True
    due = host.deadline()
    return due > host.env.now and all(_idle(host, key) for key in host.env.timers.at)


def _idle(host: Any, key: tuple[Any, ...]) -> bool:
    if key[0] == NEIGHBOUR:
        return host.net.ifaces[key[1]].neigh.table[key[2]].state not in (INCOMPLETE, PROBE)
    if key[0] == TCP_PERSIST:
        return bool(host.conns[key[1]].snd.probes)
    if key[0] == TCP_KEEPALIVE:
        return not host.conns[key[1]].snd.unanswered
    return key[0] in (TCP_TIMEWAIT, PMTU)
