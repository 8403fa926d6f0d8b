# SPDX-License-Identifier: GPL-2.0-or-later
"""Which of our addresses a packet gets as its source. IPv4: RFC 1122 §3.3.4.3; IPv6: RFC 6724 §5, rules 2, 3, 5, 6, 8.

A tentative or duplicated address is never chosen (RFC 4862 §5.4). Home and temporary addresses do not exist here.
"""

from labstack.ip.family import is_group, is_link_local, masked
from labstack.ip.net import LOOPBACK, Net, Route
from labstack.link.iface import DEPRECATED, Addr, Iface, shares

# RFC 6724 §2.1: prefix, its length, label; longest first
_LABELS = (
    (bytes(15) + b"\1", 128, 0),
    (bytes(10) + b"\xff\xff" + bytes(4), 96, 4),
    (bytes(16), 96, 3),
    (b"\x20\x01" + bytes(14), 32, 5),
    (b"\x20\x02" + bytes(14), 16, 2),
    (b"\x3f\xfe" + bytes(14), 16, 12),
    (b"\xfe\xc0" + bytes(14), 10, 11),
    (b"\xfc" + bytes(15), 7, 13),
)


def choose(net: Net, route: Route, dst: bytes, nexthop: bytes) -> bytes:
    """Our address for packets along route to dst, or b"" if we have none that fits."""
    if route.src and net.own.get(route.src) is not None:
        return route.src
    return _CHOOSE[len(dst)](net, net.ifaces[route.dev], dst, nexthop)


def _choose4(net: Net, out: Iface, dst: bytes, nexthop: bytes) -> bytes:
    """An address in the next hop's subnet, else the interface's first, else any other of ours but loopback."""
    here = _usable(net, out, 4)
    near = [a for a in here if shares(a.ip, nexthop, a.plen)]
    others = [a for i in net.ifaces.values() if i.index != LOOPBACK for a in _usable(net, i, 4)]
    found = near or here or others
    return found[0].ip if found else b""


def _choose6(net: Net, out: Iface, dst: bytes, nexthop: bytes) -> bytes:
    """The best by RFC 6724's rules; for a link-local or multicast destination only the outgoing interface's (§4)."""
    narrow = is_group(dst) or is_link_local(dst)
    ifaces = [out] if narrow else [i for i in net.ifaces.values() if i.index != LOOPBACK]
    candidates = [(a, i is out) for i in ifaces for a in _usable(net, i, 16)]
    if not candidates:
        return b""
    return max(candidates, key=lambda c: _merit(c[0], c[1], dst))[0].ip


def _merit(addr: Addr, same_link: bool, dst: bytes) -> tuple[int, ...]:
    """What makes a candidate better, the first rule that differs deciding. Equal ones: the first assigned wins."""
    mine, theirs = scope(addr.ip), scope(dst)
    return (
        addr.ip == dst,  # rule 1
        -mine if mine >= theirs else mine - 100,  # rule 2: the smallest scope that reaches, else the largest
        addr.state != DEPRECATED,  # rule 3
        same_link,  # rule 5
        label(addr.ip) == label(dst),  # rule 6
        min(_common(addr.ip, dst), addr.plen),  # rule 8
    )


def scope(ip: bytes) -> int:
    """RFC 6724 §3.1 as the scope values of multicast: 2 link-local, 5 site-local, 14 global."""
    if ip[0] == 0xFF:
        return ip[1] & 15
    if is_link_local(ip) or ip == bytes(15) + b"\1":
        return 2
    return 5 if ip[0] == 0xFE and ip[1] & 0xC0 == 0xC0 else 14


def label(ip: bytes) -> int:
    """The label of an IPv6 address in RFC 6724's default policy table."""
    for prefix, plen, value in _LABELS:
        if masked(ip, plen) == prefix:
            return value
    return 1


def _common(a: bytes, b: bytes) -> int:
    """How many leading bits are equal."""
    return 128 - (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).bit_length()


def _usable(net: Net, it: Iface, size: int) -> list[Addr]:
    return [a for a in it.addrs if len(a.ip) == size and it.owns(a.ip)]


_CHOOSE = {4: _choose4, 16: _choose6}
