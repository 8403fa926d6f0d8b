# SPDX-License-Identifier: GPL-2.0-or-later
"""Departure: the IP header in front of a transport header, the link header in front of that, and off it goes.

RFC 791 §3.1, RFC 8200 §3, RFC 6864 (identification). Fragments are not made: DF is set, and what is too large raises.
"""

import errno
import struct

from labstack.core.env import Env
from labstack.core.errors import StackError
from labstack.core.frame import Frame, Piece
from labstack.ip.family import V4
from labstack.ip.net import LOOPBACK, Net, Path
from labstack.link import ether, neighbour
from labstack.link.groups import mac_of
from labstack.link.iface import BROADCAST, Iface

IDENTS = 1024  # pairs of addresses whose next identification is remembered

_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_HOLE = b"\0" * 6


def send(
    env: Env,
    net: Net,
    path: Path,
    proto: int,
    head: bytes,
    body: tuple[Piece, ...] = (),
    *,
    gso: int | None = None,
    csum_at: int | None = None,
    ttl: int = 0,
    tos: int = 0,
    df: bool = True,
) -> bool:
    """Send one packet (or one super-segment) along path; False if the interface's queue did not take it.

    head: the transport header, and any payload that is not in `body`
    gso: payload bytes of each real segment, if the device shall cut; else the packet must fit path.mtu
    csum_at: where in head the checksum field is, holding the pseudo-header's sum, for the device to complete;
             None if the checksum is already right
    ttl: 0 for the default; tos: with ECN; df: False to let routers fragment (IPv4)
    Raises StackError EMSGSIZE if it is too large.
    """
    length = len(head)
    for piece in body:
        length += len(piece)
    family, dev, nexthop, src, dst, mtu, _, sums, group = path[:9]  # at once: to name each takes longer
    hlen = family.header
    total = length + hlen
    if (total > mtu and gso is None) or total > 65_535:
        raise StackError(errno.EMSGSIZE, f"{length} bytes make a packet of {total}, and the path takes {mtu}")
    ttl = ttl or env.config[family.hop_limit]
    if family is V4:
        ident, flags = (0, 0x4000) if df else (_ident(env, net, path), 0)
        csum = -(sums + 0x4500 + tos + total + ident + flags + (ttl << 8) + proto) % 0xFFFF
        packet = _IPV4.pack(0x45, tos, total, ident, flags, ttl, proto, csum, src, dst) + head
    else:
        packet = _IPV6.pack(0x60000000 | tos << 20, length, proto, ttl, src, dst) + head
    env.count[family.out_requests] += 1
    if dev == LOOPBACK:
        net.loop.append(Frame(packet, body, gso, (hlen, csum_at) if csum_at is not None else None, 0, 0, True))
        return True
    iface = net.ifaces[dev]
    entry = neighbour.resolve(env, iface, nexthop, src) if not group else _group_header(iface, path)
    link = entry if entry is not None else _HOLE + iface.mac + family.ethertype.to_bytes(2, "big")
    at = len(link)
    frame = Frame(link + packet, body, gso, (at + hlen, csum_at) if csum_at is not None else None, 0, at)
    if entry is None:
        neighbour.wait(env, iface, nexthop, frame)
        return True
    return ether.leave(env, dev, frame)


def _group_header(iface: Iface, path: Path) -> bytes:
    """The link header to a multicast group or a broadcast address: nobody has to be asked."""
    multicast = path.family is not V4 or (path.dst[0] < 240 and path.dst[0] >= 224)
    return ether.head(iface, mac_of(path.dst) if multicast else BROADCAST, path.family.ethertype)


def _ident(env: Env, net: Net, path: Path) -> int:
    """The next identification of a packet that routers may fragment: one sequence per pair (RFC 6864 §4.3)."""
    pair = path.src + path.dst
    value = net.ident.pop(pair, None)
    if value is None:
        value = env.rng.secret(b"ip ident", pair)
        if len(net.ident) >= IDENTS:
            del net.ident[next(iter(net.ident))]
    net.ident[pair] = (value + 1) & 0xFFFF
    return value & 0xFFFF
