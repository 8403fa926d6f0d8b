# SPDX-License-Identifier: GPL-2.0-or-later
"""The neighbour machine: how an address on the link becomes a MAC, stays believed, and is given up.

One machine for ARP and ND (RFC 4861 §7.3, RFC 1122 §2.3.2); how to ask is `solicit.py`, what was heard is judged
by `arp.py` and `nd.py`. FAILED and PERMANENT are Linux's additions. Every entry that is not PERMANENT has a timer.

             send               answer                  time                send              time
    (none) -------> INCOMPLETE -------> REACHABLE -------------> STALE ----------> DELAY -----------> PROBE
                        | no answer         ^                      ^ heard of, unasked  | answer, hint  | no answer
                        v                   +----------------------|--------------------+---------------+--> FAILED
                      FAILED                                       +---- (none)
"""

import errno

from labstack.core.env import Env
from labstack.core.errors import StackError
from labstack.core.frame import Frame
from labstack.core.kinds import NEIGHBOUR
from labstack.link import solicit
from labstack.link.ether import IPV4, IPV6, head, leave
from labstack.link.iface import DELAY, FAILED, INCOMPLETE, PERMANENT, PROBE, REACHABLE, STALE, Iface, Neighbour

MS = 1_000_000  # ns
_PREFIX = "net.ipv4.neigh.default."
# what the machine notes: in IPv4, of which the rules of ARP are, and in IPv6
_RULES = {
    "ask": ("826/-/ask", "4861/7.2.2/solicit"),
    "silent": ("1122/2.3.2.2/unresolved", "4861/7.2.2/unresolved"),
    "learned": ("826/-/learned", "4861/7.2.3/learned"),
    "resolved": ("1122/2.3.2.2/resolved", "4861/7.2.5/resolved"),
    "unknown": ("826/-/unknown", "4861/7.2.5/unknown"),
    "moved": ("826/-/moved", "4861/7.2.5/override"),
    "doubt": ("1122/2.3.2.1/doubt", "4861/7.3.1/doubt"),
    "hint": ("1122/2.3.2.1/hint", "4861/7.3.1/hint"),
    "delay": ("1122/2.3.2.1/delay", "4861/7.3.3/delay"),
    "probe": ("1122/2.3.2.1/probe", "4861/7.3.3/probe"),
    "unreachable": ("1122/2.3.2.1/unreachable", "4861/7.3.3/unreachable"),
    "stale": ("1122/2.3.2.1/stale", "4861/7.3.3/stale"),
}


def resolve(env: Env, iface: Iface, address: bytes, source: bytes = b"") -> bytes | None:
    """The link header for packets to an address on the link, or None: then `wait` with the packet.

    source is our address in that packet, with which we would ask.
    """
    entry = iface.neigh.table.get(address)
    if entry is not None and entry.header:
        entry.used = env.now
        if entry.state == STALE:
            _first_use(env, iface, entry)
        return entry.header
    if not iface.mac:
        return b""
    if entry is None:
        entry = _make(env, iface, address)
    if entry is not None and entry.state != INCOMPLETE:
        _ask_first(env, iface, entry, source)
    elif entry is not None and not env.timers.armed((NEIGHBOUR, iface.index, address)):
        _try_incomplete(env, iface, entry)  # a handler failed before it could arm the timer
    return None


def wait(env: Env, iface: Iface, address: bytes, frame: Frame) -> None:
    """Keep a packet (its first six bytes empty) until `address` is resolved; the oldest makes room (§7.2.2)."""
    entry = iface.neigh.table.get(address)
    if entry is None or entry.state != INCOMPLETE:
        _undelivered(env, iface, frame)
        return
    if len(entry.pending) >= env.config[_PREFIX + "unres_qlen"]:
        entry.pending.popleft()
        env.drop("drop.neigh.queue", address)
    entry.pending.append(frame)


def known(iface: Iface, address: bytes) -> bool:
    """True if we know, or want to know, this neighbour's MAC; FAILED counts as no entry."""
    entry = iface.neigh.table.get(address)
    return entry is not None and entry.state != FAILED


def heard(env: Env, iface: Iface, address: bytes, mac: bytes) -> None:
    """A neighbour gave its MAC without being asked, and has business with us (RFC 4861 §7.2.3, RFC 826)."""
    entry = iface.neigh.table.get(address) or _make(env, iface, address)
    if entry is None or entry.state == PERMANENT or (entry.mac == mac and entry.state not in (FAILED, "")):
        return
    _note(env, "learned", address, mac)
    _bind(env, iface, entry, mac)
    become(env, iface, entry, STALE)


def answered(env: Env, iface: Iface, address: bytes, mac: bytes, solicited: bool, override: bool) -> None:
    """A neighbour advertised itself; mac is b"" if it did not say (RFC 4861 §7.2.5)."""
    entry = iface.neigh.table.get(address)
    if entry is None or entry.state in (FAILED, PERMANENT):
        _note(env, "unknown", address)
    elif entry.state == INCOMPLETE:
        _first_answer(env, iface, entry, mac, solicited)
    elif mac and mac != entry.mac and not override:
        env.note("4861/7.2.5/no_override", 0, address)
        if entry.state == REACHABLE:
            become(env, iface, entry, STALE)
    else:
        changed = bool(mac) and mac != entry.mac
        if changed:
            _note(env, "moved", address, mac)
            _bind(env, iface, entry, mac)
        if solicited:
            become(env, iface, entry, REACHABLE)
        elif changed:
            become(env, iface, entry, STALE)


def confirm(env: Env, iface: Iface, address: bytes) -> None:
    """An upper layer made progress through this neighbour: it is reachable (RFC 4861 §7.3.1)."""
    entry = iface.neigh.table.get(address)
    if entry is None or not entry.header:
        return
    entry.confirmed = env.now
    if entry.state != REACHABLE and entry.state != PERMANENT:
        _note(env, "hint", address)
        become(env, iface, entry, REACHABLE)


def doubt(env: Env, iface: Iface, address: bytes) -> None:
    """An upper layer gets no answer through this neighbour: look again before trusting it (RFC 9293 §3.8.3, R1)."""
    entry = iface.neigh.table.get(address)
    if entry is not None and entry.state == REACHABLE:
        _note(env, "doubt", address)
        become(env, iface, entry, STALE)


def permanent(env: Env, iface: Iface, address: bytes, mac: bytes) -> None:
    """Enter a neighbour by hand: never asked, never aged (`ip neigh add ... nud permanent`).

    Raises StackError: EINVAL for a MAC that no single host has, EOPNOTSUPP without Ethernet, ENOBUFS in a full table.
    """
    if not iface.mac:
        raise StackError(errno.EOPNOTSUPP, f"{iface.name} carries bare IP: there are no neighbours to enter")
    if len(mac) != 6 or mac[0] & 1:
        raise StackError(errno.EINVAL, f"{mac.hex(':')!r} is not the MAC of one host: give 6 bytes, the first even")
    entry = iface.neigh.table.get(address) or _make(env, iface, address)
    if entry is None:
        raise StackError(errno.ENOBUFS, f"{iface.name} has a table full of neighbours in use; forget one first")
    _bind(env, iface, entry, mac)
    become(env, iface, entry, PERMANENT)


def forget(env: Env, iface: Iface, address: bytes) -> None:
    """Remove an entry; packets that wait for it are undeliverable."""
    entry = iface.neigh.table.pop(address, None)
    if entry is not None:
        iface.neigh.idle.pop(address, None)
        iface.neigh.incomplete.pop(address, None)
        env.timers.stop((NEIGHBOUR, iface.index, address))
        env.became("neigh", 0, entry.state, "")
        _give_up(env, iface, entry)


def expire(env: Env, iface: Iface, address: bytes) -> None:
    """The timer (NEIGHBOUR, iface.index, address) went off."""
    entry = iface.neigh.table.get(address)
    if entry is not None:
        _EXPIRE[entry.state](env, iface, entry)


def become(env: Env, iface: Iface, entry: Neighbour, new: str) -> None:
    """The only writer of a neighbour's state; arms the timer that the new state lives by."""
    old, neigh, address = entry.state, iface.neigh, entry.address
    entry.state = new
    neigh.idle.pop(address, None)
    neigh.incomplete.pop(address, None)
    if new in (STALE, FAILED):
        neigh.idle[address] = None
    elif new == INCOMPLETE:
        neigh.incomplete[address] = None
    if old != new:
        env.became("neigh", 0, old, new)
    if new == PERMANENT:
        env.timers.stop((NEIGHBOUR, iface.index, address))
    else:
        after = _lifetime(env, new)
        if new == REACHABLE:
            entry.confirmed, entry.reachable = env.now, after
        _arm(env, iface, entry, after)


def _note(env: Env, what: str, address: bytes, *values: object) -> None:
    env.note(_RULES[what][len(address) > 4], 0, address, *values)


def _lifetime(env: Env, now_in: str) -> int:
    """Nanoseconds until a state must be looked at again."""
    config = env.config
    if now_in == REACHABLE:  # RFC 4861 §6.3.2: 0.5 to 1.5 times the base, so that hosts do not act in step
        base = config[_PREFIX + "base_reachable_time_ms"] * MS
        return base // 2 + env.rng.below(base)
    if now_in == DELAY:
        return config[_PREFIX + "delay_first_probe_time_ms"] * MS
    if now_in in (STALE, FAILED):
        return config[_PREFIX + "gc_stale_time"] * 1000 * MS
    return config[_PREFIX + "retrans_time_ms"] * MS


def _arm(env: Env, iface: Iface, entry: Neighbour, after: int) -> None:
    env.timers.set((NEIGHBOUR, iface.index, entry.address), env.now + after)


def _make(env: Env, iface: Iface, address: bytes) -> Neighbour | None:
    """A new entry without a state yet, or None if the table is full of entries in use."""
    neigh = iface.neigh
    if len(neigh.table) >= env.config[_PREFIX + "gc_thresh3"]:
        victims = neigh.idle or neigh.incomplete
        if not victims:
            return env.drop("drop.neigh.full", address)
        env.count["NeighEvictions"] += 1
        env.note("6583/5.1/evict", 0, next(iter(victims)))
        forget(env, iface, next(iter(victims)))
    entry = neigh.table[address] = Neighbour(address)
    return entry


def _ask_first(env: Env, iface: Iface, entry: Neighbour, source: bytes) -> None:
    """Begin address resolution (RFC 4861 §7.2.2)."""
    neigh = iface.neigh
    if len(neigh.incomplete) >= max(1, env.config[_PREFIX + "gc_thresh3"] // 4):
        env.count["NeighEvictions"] += 1
        env.note("6583/5.1/incomplete", 0, next(iter(neigh.incomplete)))
        forget(env, iface, next(iter(neigh.incomplete)))
    entry.source, entry.probes, entry.mac, entry.header = source, 0, b"", b""
    become(env, iface, entry, INCOMPLETE)
    _try_incomplete(env, iface, entry)


def _try_incomplete(env: Env, iface: Iface, entry: Neighbour) -> None:
    if entry.probes < env.config[_PREFIX + "mcast_solicit"]:
        entry.probes += 1
        _note(env, "ask", entry.address, entry.probes)
        solicit.ask(env, iface, entry.address, b"", entry.source)
        _arm(env, iface, entry, _lifetime(env, INCOMPLETE))
        return
    _note(env, "silent", entry.address, entry.probes)
    become(env, iface, entry, FAILED)
    _give_up(env, iface, entry)


def _try_probe(env: Env, iface: Iface, entry: Neighbour) -> None:
    if entry.probes < env.config[_PREFIX + "ucast_solicit"]:
        entry.probes += 1
        _note(env, "probe", entry.address, entry.probes)
        solicit.ask(env, iface, entry.address, entry.mac, entry.source)
        _arm(env, iface, entry, _lifetime(env, PROBE))
        return
    _note(env, "unreachable", entry.address, entry.probes)
    entry.mac = entry.header = b""
    become(env, iface, entry, FAILED)


def _first_use(env: Env, iface: Iface, entry: Neighbour) -> None:
    _note(env, "delay", entry.address)
    become(env, iface, entry, DELAY)


def _delay_over(env: Env, iface: Iface, entry: Neighbour) -> None:
    entry.probes = 0
    become(env, iface, entry, PROBE)
    _try_probe(env, iface, entry)


def _reachable_over(env: Env, iface: Iface, entry: Neighbour) -> None:
    """Hints only store the time; the timer finds out here whether they came (RFC 4861 §7.3.3)."""
    left = entry.confirmed + entry.reachable - env.now
    if left > 0:
        _arm(env, iface, entry, left)
        return
    _note(env, "stale", entry.address)
    become(env, iface, entry, STALE)


def _collect(env: Env, iface: Iface, entry: Neighbour) -> None:
    env.note("linux/gc_stale_time/collect", 0, entry.address)
    forget(env, iface, entry.address)


_EXPIRE = {
    INCOMPLETE: _try_incomplete,
    REACHABLE: _reachable_over,
    STALE: _collect,
    DELAY: _delay_over,
    PROBE: _try_probe,
    FAILED: _collect,
}


def _first_answer(env: Env, iface: Iface, entry: Neighbour, mac: bytes, solicited: bool) -> None:
    if not mac:
        env.note("4861/7.2.5/no_mac", 0, entry.address)
        return
    _note(env, "resolved", entry.address, mac)
    _bind(env, iface, entry, mac)
    if solicited:
        become(env, iface, entry, REACHABLE)
    else:
        become(env, iface, entry, STALE)


def _bind(env: Env, iface: Iface, entry: Neighbour, mac: bytes) -> None:
    """Take over a MAC, and send what waited for it, in order."""
    entry.mac = mac
    entry.header = head(iface, mac, IPV4 if len(entry.address) == 4 else IPV6)
    entry.probes = 0
    if entry.pending:
        entry.used = env.now
    while entry.pending:
        leave(env, iface.index, _addressed(entry.pending.popleft(), mac))


def _addressed(frame: Frame, mac: bytes) -> Frame:
    return Frame(mac + frame.head[6:], frame.body, frame.gso, frame.csum, frame.start, frame.net, frame.sure)


def _give_up(env: Env, iface: Iface, entry: Neighbour) -> None:
    while entry.pending:
        _undelivered(env, iface, entry.pending.popleft())


def _undelivered(env: Env, iface: Iface, frame: Frame) -> None:
    """Address unreachable, for each packet that waited (RFC 4861 §7.2.2): the IP floor tells the senders."""
    env.drop("drop.neigh.unreachable")
    iface.neigh.failed.append(frame)
