# SPDX-License-Identifier: GPL-2.0-or-later
"""IPv4 (RFC 791, DS field of RFC 2474, ECN of RFC 3168) and its copy inside ICMP errors (`IPerror`).

Lengths that disagree are kept as they are: `parse` reads any header whose `ihl` fits; judging is the stack's affair.
"""

from struct import Struct
from typing import Any

from layers.checksum import ones_sum
from layers.ether import SNAP, Dot1Q, Ether
from layers.field import Auto, FlagValue, auto, bits, checksum, ip4, u8, u16, var
from layers.ipopt import OPTIONS
from layers.packet import Header, Next, Raw, bind

PROTOS = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 41: "ipv6", 58: "ipv6_icmp"}
_WORD = Struct("!H").pack
BAD_IHL = "ip-ihl"


def header_sum(head: bytes, tail: bytes, under: Any) -> bytes:
    """Return the checksum of a header alone."""
    return _WORD(0xFFFF - ones_sum(head))


class IP(Header):
    """Internet protocol, version 4 (RFC 791 §3.1)."""

    key = "proto"
    version: int = bits(4, 4)
    ihl: int | None = bits(4, None, fill="5 + len(more) // 4")
    tos: int = u8(Auto(0), hex=True)
    len: int | None = u16(None, fill="20 + len(more) + len(tail)")
    id: int = u16(1)
    flags: FlagValue = bits(3, names=("MF", "DF", "evil"))
    frag: int = bits(13)
    ttl: int = u8(Auto(64))
    proto: int = u8(Auto(0), names=PROTOS)
    chksum: int | None = checksum(header_sum)
    src = ip4("127.0.0.1")
    dst = auto(ip4("127.0.0.1"))
    options: list[Header] = var(OPTIONS, "self.ihl * 4 - 20", short=BAD_IHL)
    src_packed: bytes
    dst_packed: bytes

    def _above(self, buf: bytes, at: int, end: int) -> Next:
        size: int = self.size  # type: ignore[assignment]
        length: int = self.len  # type: ignore[assignment]
        if length >= size and at - size + length < end:
            end = at - size + length
        if self.frag:
            return Raw, end
        kind = self.uppers.get(self.proto, Raw)
        return (kind if kind.pick is None or at >= end else kind.pick(buf, at, end)), end


class IPerror(IP):
    """The IPv4 header that an ICMP error quotes."""

    name = "IP in ICMP"
    key = "proto"


bind(Ether, IP, type=0x0800)
bind(Dot1Q, IP, type=0x0800)
bind(SNAP, IP, code=0x0800)
bind(IP, IP, proto=4)
bind(IPerror, IPerror, proto=4)
