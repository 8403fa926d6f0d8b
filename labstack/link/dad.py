# SPDX-License-Identifier: GPL-2.0-or-later
"""Duplicate Address Detection: an IPv6 address is tentative until nobody objected. RFC 4862 §5.4, RFC 7527.

Also the link-local address that is derived from the MAC (RFC 2464 §4, §5). Joining groups and indexing addresses is
done in `ip/addrs.py`.
"""

from labstack.core.env import Env
from labstack.core.kinds import DAD
from labstack.link import solicit
from labstack.link.groups import mac_of, solicited_node
from labstack.link.iface import DUPLICATED, PREFERRED, TENTATIVE, Addr, Iface

MS = 1_000_000  # ns
MAX_DELAY = 1_000_000_000  # ns, MAX_RTR_SOLICITATION_DELAY of RFC 4861 §10


def link_local(mac: bytes) -> bytes:
    """The link-local address with the modified EUI-64 of a MAC as its identifier."""
    return b"\xfe\x80" + b"\0" * 6 + bytes((mac[0] ^ 2,)) + mac[1:3] + b"\xff\xfe" + mac[3:]


def start(env: Env, iface: Iface, addr: Addr) -> None:
    """Begin detection for a new, tentative address, its group already joined (RFC 4862 §5.4.2)."""
    if not iface.mac or not env.config["net.ipv6.conf.all.dad_transmits"]:
        env.note("4862/5.4/off", 0, addr.ip)
        become(env, addr, PREFERRED)
        return
    env.timers.set((DAD, iface.index, addr.ip), env.now + env.rng.below(MAX_DELAY))


def expire(env: Env, iface: Iface, address: bytes) -> None:
    """The timer (DAD, iface.index, address) went off: probe again, or nobody objected (RFC 4862 §5.4.3)."""
    addr = iface.find(address)
    if addr is None or addr.state != TENTATIVE:
        return
    if addr.probes >= env.config["net.ipv6.conf.all.dad_transmits"]:
        env.note("4862/5.4/unique", 0, address)
        become(env, addr, PREFERRED)
        return
    addr.probes += 1
    addr.nonce = env.rng.bits64().to_bytes(8, "big")[:6]
    env.note("4862/5.4.2/probe", 0, address, addr.probes)
    group = solicited_node(address)
    option = solicit.link_option(solicit.NONCE, addr.nonce)
    message = bytes((solicit.NS, 0)) + b"\0" * 6 + address + option
    solicit.send_nd(env, iface, mac_of(group), solicit.UNSPECIFIED, group, message)
    env.timers.set((DAD, iface.index, address), env.now + env.config["net.ipv4.neigh.default.retrans_time_ms"] * MS)


def conflict(env: Env, iface: Iface, addr: Addr) -> None:
    """Another host has or wants a tentative address of ours: it is not unique (RFC 4862 §5.4.3, §5.4.4)."""
    # DEVIATES: RFC 4862 §5.4.5 would stop IP on the interface if the address came from the MAC; only the address goes
    env.count["Ip6DadFailures"] += 1
    env.note("4862/5.4.5/duplicate", 0, addr.ip)
    env.timers.stop((DAD, iface.index, addr.ip))
    become(env, addr, DUPLICATED)


def become(env: Env, addr: Addr, new: str) -> None:
    """The only writer of an address's state."""
    old, addr.state = addr.state, new
    env.became("addr", 0, old, new)
