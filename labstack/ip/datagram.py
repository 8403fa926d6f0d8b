# SPDX-License-Identifier: GPL-2.0-or-later
"""What an arrived packet means: Datagram, and Quoted for an ICMP error about a packet of ours. Never in the state."""

from typing import NamedTuple

from labstack.core.frame import Frame, Piece
from labstack.ip.family import Family
from labstack.link.iface import Iface


class Quoted(NamedTuple):
    """An ICMP error about a packet that we sent, as the transport wants to know it.

    src and dst are those of our packet; flow is dst + src + its ports exchanged, so that it equals `Datagram.flow`
    of the conversation; transport is the quoted beginning of its transport header, 8 bytes at least.
    """

    type: int
    code: int
    mtu: int  # of the next hop, when the error says "too big"; else 0
    family: Family
    proto: int
    src: bytes
    dst: bytes
    flow: bytes
    transport: bytes
    errno: int  # what a socket gets to see
    hard: bool  # fatal for whoever believes it at once (RFC 1122 §4.2.3.9 does not, once synchronised)


class Datagram:
    """One packet for a transport: addresses and plain ints, the bytes untouched.

    family, src, dst, proto, ttl, tos: from the IP header; addresses packed
    buf[at:end] and then the pieces of `body` are the transport header and payload, `length` bytes in all
    net_at: where the IP header begins in buf
    flow: src + dst + the first four transport bytes (the ports), 12 or 36 bytes, ready as a key
    iface: where it arrived; frame: as it arrived
    sure: checksums need no verification
    to_group: it was not sent to us alone (multicast, broadcast, or a link-layer group)
    quoted: for an ICMP error, the packet it is about
    """

    __slots__ = (
        "at",
        "body",
        "buf",
        "dst",
        "end",
        "family",
        "flow",
        "frame",
        "iface",
        "length",
        "net_at",
        "proto",
        "quoted",
        "src",
        "sure",
        "to_group",
        "tos",
        "ttl",
    )

    def __init__(
        self,
        family: Family,
        src: bytes,
        dst: bytes,
        proto: int,
        buf: bytes,
        at: int,
        end: int,
        body: tuple[Piece, ...],
        length: int,
        ttl: int,
        tos: int,
        iface: Iface,
        frame: Frame,
        net_at: int,
        flow: bytes,
        sure: bool,
        to_group: bool,
    ) -> None:
        self.family = family
        self.src = src
        self.dst = dst
        self.proto = proto
        self.buf = buf
        self.at = at
        self.end = end
        self.body = body
        self.length = length
        self.ttl = ttl
        self.tos = tos
        self.iface = iface
        self.frame = frame
        self.net_at = net_at
        self.flow = flow
        self.sure = sure
        self.to_group = to_group
        self.quoted: Quoted | None = None

    def __repr__(self) -> str:
        return f"<Datagram {self.family.name} proto={self.proto} {self.length} bytes>"
