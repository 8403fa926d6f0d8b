# SPDX-License-Identifier: GPL-2.0-or-later
"""What always holds of an interface: for tests after every event, and on demand in the lab."""

from labstack.core.env import Env
from labstack.core.kinds import DAD, NEIGHBOUR
from labstack.link.groups import mac_of, solicited_node
from labstack.link.iface import FAILED, INCOMPLETE, PERMANENT, STALE, TENTATIVE, Iface, Neighbour


def check(env: Env, iface: Iface) -> None:
    """Raise AssertionError with a sentence if an invariant of the interface does not hold."""
    neigh = iface.neigh
    most = env.config["net.ipv4.neigh.default.gc_thresh3"]
    assert len(neigh.table) <= most, f"{len(neigh.table)} neighbours, more than gc_thresh3 = {most}"
    assert len(neigh.incomplete) <= max(1, most // 4), f"{len(neigh.incomplete)} neighbours are being asked for at once"
    idle = {a for a, n in neigh.table.items() if n.state in (STALE, FAILED)}
    asked = {a for a, n in neigh.table.items() if n.state == INCOMPLETE}
    assert set(neigh.idle) == idle, "the list of idle neighbours disagrees with their states"
    assert set(neigh.incomplete) == asked, "the list of unresolved neighbours disagrees with their states"
    for address, entry in neigh.table.items():
        _check_neighbour(env, iface, address, entry)
    for addr in iface.addrs:
        waiting = env.timers.armed((DAD, iface.index, addr.ip))
        assert waiting == (addr.state == TENTATIVE), f"{addr.ip.hex(':')} is {addr.state}, its timer armed: {waiting}"
        heard = len(addr.ip) == 4 or not iface.mac or mac_of(solicited_node(addr.ip)) in iface.accept
        assert heard, f"{addr.ip.hex(':')} cannot be asked for: its solicited-node group is not joined"


def _check_neighbour(env: Env, iface: Iface, address: bytes, entry: Neighbour) -> None:
    name = f"neighbour {address.hex(':')} in {entry.state or 'no state'}"
    queue = env.config["net.ipv4.neigh.default.unres_qlen"]
    assert address == entry.address, f"{name} is filed under another address, {entry.address.hex(':')}"
    armed = env.timers.armed((NEIGHBOUR, iface.index, address))
    assert armed == (entry.state != PERMANENT), f"{name}: timer armed: {armed}"
    resolved = entry.state not in (INCOMPLETE, FAILED)
    assert bool(entry.header) == resolved, f"{name}: its header is {entry.header.hex() or 'missing'}"
    assert not entry.pending or not resolved, f"{name}: {len(entry.pending)} packets wait although it is resolved"
    assert len(entry.pending) <= queue, f"{name}: {len(entry.pending)} packets wait, more than unres_qlen = {queue}"
