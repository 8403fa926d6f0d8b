# SPDX-License-Identifier: GPL-2.0-or-later
"""IPv6 and its extension headers (RFC 8200), and `walk`, which follows a chain of them without objects.

Order, repetition and the meaning of options are judged by the stack; `walk` refuses what cannot be followed.
"""

from typing import Any

from layers.ether import SNAP, Dot1Q, Ether
from layers.field import IP6S, Auto, auto, bits, held, ip6, u8, u16, u32, var
from layers.ip import IP
from layers.ip6opt import OPTIONS, padded
from layers.packet import Header, Next, Raw, bind

HOPOPTS, ROUTING, FRAGMENT, DSTOPTS, NO_NEXT = 0, 43, 44, 60, 59
EXTENSIONS = (HOPOPTS, ROUTING, FRAGMENT, DSTOPTS)
NEXT = {0: "Hop-by-Hop", 6: "TCP", 17: "UDP", 43: "Routing", 44: "Fragment", 58: "ICMPv6", 59: "No Next", 60: "DestOpt"}
MAX_EXTENSIONS = 32

TRUNCATED = "ip6-extension-truncated"
TOO_MANY = "ip6-too-many-extensions"
MISPLACED = "ip6-hop-by-hop-not-first"


def above(header: Any, buf: bytes, at: int, end: int) -> type[Header]:
    """Return the class of what follows a header with `nh`; Raw if nothing does."""
    kind: type[Header] = header.uppers.get(header.nh, Raw)
    return kind if kind.pick is None or at >= end else kind.pick(buf, at, end)


class IPv6(Header):
    """Internet protocol, version 6 (RFC 8200 §3)."""

    key = "nh"
    version: int = bits(4, 6)
    tc: int = bits(8)
    fl: int = bits(20)
    plen: int | None = u16(None, fill="len(tail)")
    nh: int = u8(Auto(NO_NEXT), names=NEXT)
    hlim: int = u8(Auto(64))
    src = ip6("::1")
    dst = auto(ip6("::1"))
    src_packed: bytes
    dst_packed: bytes

    def _above(self, buf: bytes, at: int, end: int) -> Next:
        length: int = self.plen  # type: ignore[assignment]
        if (length or self.nh) and at + length < end:  # a length of 0 before hop-by-hop options is a jumbogram
            end = at + length
        return above(self, buf, at, end), end


class IPerror6(IPv6):
    """The IPv6 header that an ICMPv6 error quotes."""

    name = "IPv6 in ICMPv6"
    key = "nh"


class _Extension(Header):
    key = "nh"
    uppers = IPv6.uppers
    lowers = IPv6.lowers
    nh: int = u8(Auto(NO_NEXT), names=NEXT)
    walked = True

    def _above(self, buf: bytes, at: int, end: int) -> Next:
        return above(self, buf, at, end), end

    def final(self) -> bytes:
        """Return the packed final destination if this header changes it, else nothing."""
        return b""


class _Options(_Extension):
    uppers = IPv6.uppers
    lowers = IPv6.lowers
    len: int | None = u8(None, fill="(2 + len(more) + 7) // 8 - 1")
    autopad: int = held(u8(1))
    options: list[Header] = var(OPTIONS)

    def _read(self, buf: bytes, at: int, end: int) -> int | str:
        stop = at + 6 + 8 * (self.len or 0)
        if stop > end:
            return TRUNCATED
        self.autopad = 0
        self.options, flaw = OPTIONS.read(bytes(buf[at:stop]))
        if flaw is not None:
            self.drop = flaw
        return stop

    def _more(self) -> bytes:
        return padded(self.options) if self.autopad else OPTIONS.write(self.options)


class IPv6ExtHdrHopByHop(_Options):
    """Options for every node on the way (RFC 8200 §4.3)."""

    name = "IPv6 Extension Header - Hop-by-Hop Options Header"


class IPv6ExtHdrDestOpt(_Options):
    """Options for the destination (RFC 8200 §4.6)."""

    name = "IPv6 Extension Header - Destination Options Header"


class IPv6ExtHdrRouting(_Extension):
    """Nodes to visit (RFC 8200 §4.4; type 0 is deprecated by RFC 5095)."""

    name = "IPv6 Option Header Routing"
    len: int | None = u8(None, fill="len(more) // 8")
    type: int = u8()
    segleft: int | None = u8(None, fill="len(self.addresses)")
    reserved: int = bits(32)
    addresses: list[str] = var(IP6S, "self.len * 8")

    def final(self) -> bytes:
        """Return the last address to visit while segments are left (RFC 8200 §8.1)."""
        left = len(self.addresses) if self.segleft is None else self.segleft
        return IP6S.write(self.addresses[-1:]) if left else b""


class IPv6ExtHdrFragment(_Extension):
    """A fragment (RFC 8200 §4.5): `offset` counts units of 8 bytes, `m` says that more follow."""

    name = "IPv6 Extension Header - Fragmentation header"
    res1: int = u8()
    offset: int = bits(13)
    res2: int = bits(2)
    m: int = bits(1)
    id: int | None = u32(None)

    def _above(self, buf: bytes, at: int, end: int) -> Next:
        return (Raw if self.offset else above(self, buf, at, end)), end


def walk(
    buf: bytes | memoryview, at: int, end: int, nh: int, limit: int = MAX_EXTENSIONS
) -> tuple[int, int, list[tuple[int, int, int]]] | str:
    """Follow extension headers from `at` of `buf[:end]`, the first being of type `nh`; return where they lead.

    Returns (next header that is no extension, its offset, [(type, offset, length in bytes) of each extension]), or a
    drop reason. Behind the header of a fragment that is not the first there is no header: the walk ends there.
    """
    found: list[tuple[int, int, int]] = []
    while nh in EXTENSIONS:
        if len(found) == limit:
            return TOO_MANY
        if nh == HOPOPTS and found:
            return MISPLACED
        if at + 8 > end:
            return TRUNCATED
        size = 8 if nh == FRAGMENT else 8 + 8 * buf[at + 1]
        if at + size > end:
            return TRUNCATED
        found.append((nh, at, size))
        later = nh == FRAGMENT and (buf[at + 2] << 8 | buf[at + 3]) >= 8
        nh = buf[at]
        at += size
        if later:
            break
    return nh, at, found


for link, field in ((Ether, "type"), (Dot1Q, "type"), (SNAP, "code")):
    bind(link, IPv6, **{field: 0x86DD})
bind(IP, IPv6, proto=41)
for lower, extra in ((IPv6, IPv6), (IPv6, IP)):
    bind(lower, extra, nh=41 if extra is IPv6 else 4)
for lower in (IPv6, IPerror6):
    bind(lower, IPv6ExtHdrHopByHop, nh=HOPOPTS)
    bind(lower, IPv6ExtHdrRouting, nh=ROUTING)
    bind(lower, IPv6ExtHdrFragment, nh=FRAGMENT)
    bind(lower, IPv6ExtHdrDestOpt, nh=DSTOPTS)
