# SPDX-License-Identifier: GPL-2.0-or-later
"""Options of neighbour discovery (RFC 4861 §4.6, RFC 4191, RFC 8106): layers behind each other, lengths in 8 bytes.

An option of a known type but another size than its own is read as unknown. `walk` lists options without objects.
"""

from typing import Any

from layers.field import BYTES, IP6S, Codec, bits, held, ip6, mac, raw, u8, u16, u32, var
from layers.packet import Header, Next

TRUNCATED = "nd-option-truncated"
ZERO_LENGTH = "nd-option-length-zero"
ANY = range(1, 256)
FOREVER = 0xFFFFFFFF  # seconds: never expires


def walk(buf: bytes | bytearray | memoryview, at: int, end: int) -> list[tuple[int, int, int]] | str:
    """Return (type, offset, length in bytes) of each option in `buf[at:end]`, or a drop reason (RFC 4861 §4.6)."""
    found = []
    while at < end:
        if at + 2 > end:
            return TRUNCATED
        size = buf[at + 1] * 8
        if size == 0:
            return ZERO_LENGTH
        if at + size > end:
            return TRUNCATED
        found.append((buf[at], at, size))
        at += size
    return found


def read(buf: bytes | bytearray | memoryview, at: int, end: int) -> list[Header] | str:
    """Return the options in `buf[at:end]` as objects, or a drop reason."""
    found = walk(buf, at, end)
    if isinstance(found, str):
        return found
    options = []
    for _, start, size in found:
        option = pick(buf, start, end).parse(buf, start, start + size)
        if isinstance(option, str):
            return option
        options.append(option)
    return options


def pick(buf: bytes | bytearray | memoryview, at: int, end: int) -> type[Header]:
    """Return the class for the option at `at`, unknown if its length is not its type's."""
    if at + 2 > end:
        return ICMPv6NDOptUnknown
    cls, units = KINDS.get(buf[at], (ICMPv6NDOptUnknown, ANY))
    return cls if buf[at + 1] in units else ICMPv6NDOptUnknown


def _whole(packet: Any) -> bytes:
    data = bytes(packet)
    return data[: len(data) & ~7]


def _names_read(data: bytes) -> tuple[list[str | bytes], None]:
    """Read domain names (RFC 8106 §5.2); a rest that is no name stays bytes."""
    names: list[str | bytes] = []
    at = 0
    while at < len(data) and data[at]:
        start, labels = at, []
        while at < len(data) and data[at]:
            labels.append(data[at + 1 : at + 1 + data[at]].decode("latin-1"))
            at += 1 + data[at]
        name = ".".join(labels) + "."
        if at >= len(data) or _name(name) != data[start : at + 1]:
            return [*names, data[start:]], None
        names.append(name)
        at += 1
    rest = data[at:]
    return (names if rest == bytes(-(at + 8) % 8) else [*names, rest]), None


def _name(name: str | bytes) -> bytes:
    if isinstance(name, bytes):
        return name
    labels = [label.encode("latin-1") for label in name.rstrip(".").split(".")]
    return b"".join([bytes((len(label),)) + label for label in labels]) + b"\0"


def _names_write(names: Any) -> bytes:
    data = b"".join(map(_name, names))
    return data + bytes(-len(data) % 8)


class _Option(Header):
    short = TRUNCATED

    def _above(self, buf: bytes, at: int, end: int) -> Next:
        return pick(buf, at, end), end


class ICMPv6NDOptUnknown(_Option):
    """An option of any other type, or of an odd size."""

    type: int = u8()
    len: int | None = u8(None, fill="(2 + len(more)) // 8")
    data: bytes = var(BYTES, "self.len * 8 - 2", short=ZERO_LENGTH)

    def _more(self) -> bytes:
        data = bytes(self.data)
        return data + bytes(-(len(data) + 2) % 8)


class ICMPv6NDOptSrcLLAddr(_Option):
    """The sender's link-layer address (RFC 4861 §4.6.1)."""

    type: int = u8(1)
    len: int = u8(1)
    lladdr = mac()
    lladdr_packed: bytes


class ICMPv6NDOptDstLLAddr(ICMPv6NDOptSrcLLAddr):
    """The target's link-layer address (RFC 4861 §4.6.1)."""

    type: int = u8(2)


class ICMPv6NDOptPrefixInfo(_Option):
    """A prefix: on link, for autoconfiguration (RFC 4861 §4.6.2); lifetimes in seconds."""

    type: int = u8(3)
    len: int = u8(4)
    prefixlen: int = u8(64)
    L: int = bits(1, 1)
    A: int = bits(1, 1)
    R: int = bits(1)
    res1: int = bits(5)
    validlifetime: int = u32(FOREVER, hex=True)
    preferredlifetime: int = u32(FOREVER, hex=True)
    res2: int = u32(hex=True)
    prefix = ip6()
    prefix_packed: bytes


class ICMPv6NDOptRedirectedHdr(_Option):
    """The packet that caused a redirect, cut to 8 bytes (RFC 4861 §4.6.3)."""

    type: int = u8(4)
    len: int | None = u8(None, fill="(8 + len(more)) // 8")
    res: bytes = raw(6)
    pkt: bytes = var(Codec(lambda data: (data, None), _whole), "self.len * 8 - 8", short=ZERO_LENGTH)


class ICMPv6NDOptMTU(_Option):
    """The link's MTU (RFC 4861 §4.6.4)."""

    type: int = u8(5)
    len: int = u8(1)
    res: int = u16(hex=True)
    mtu: int = u32(1280)


class ICMPv6NDOptRouteInfo(_Option):
    """A route through this router (RFC 4191 §2.3); the prefix has 0, 8 or 16 bytes on the wire."""

    type: int = u8(24)
    len: int | None = u8(None, fill="1 + len(more) // 8")
    plen: int | None = u8(None)
    res1: int = bits(3)
    prf: int = bits(2)
    res2: int = bits(3)
    rtlifetime: int = u32(FOREVER)
    prefix = held(ip6())
    prefix_packed: bytes

    def _read(self, buf: bytes, at: int, end: int) -> int | str:
        size = (self.len or 0) * 8 - 8
        if not 0 <= size <= 16 or at + size > end:
            return TRUNCATED if size > 0 else ZERO_LENGTH
        self.prefix_packed = bytes(buf[at : at + size]).ljust(16, b"\0")
        return at + size

    def _more(self) -> bytes:
        units = self.len
        if units is None:
            units = 3 if self.prefix_packed != bytes(16) else 1
        size = max(units - 1, 0) * 8
        return self.prefix_packed[:size].ljust(size, b"\0")


class ICMPv6NDOptRDNSS(_Option):
    """Recursive DNS servers (RFC 8106 §5.1)."""

    type: int = u8(25)
    len: int | None = u8(None, fill="1 + len(more) // 8")
    res: int | None = u16(None)
    lifetime: int = u32(FOREVER)
    dns: list[str] = var(IP6S, "self.len * 8 - 8", short=ZERO_LENGTH)


class ICMPv6NDOptDNSSL(_Option):
    """DNS search list (RFC 8106 §5.2); names end with a dot."""

    type: int = u8(31)
    len: int | None = u8(None, fill="1 + len(more) // 8")
    res: int | None = u16(None)
    lifetime: int = u32(FOREVER)
    searchlist: list[str] = var(Codec(_names_read, _names_write, []), "self.len * 8 - 8", short=ZERO_LENGTH)


class ICMPv6NDOptEFA(_Option):
    """Flag expansion (RFC 5175)."""

    type: int = u8(26)
    len: int = u8(1)
    res: int = bits(48)


#: type: (class, the lengths it may have, in units of 8 bytes)
KINDS: dict[int, tuple[type[Header], range]] = {
    1: (ICMPv6NDOptSrcLLAddr, range(1, 2)),
    2: (ICMPv6NDOptDstLLAddr, range(1, 2)),
    3: (ICMPv6NDOptPrefixInfo, range(4, 5)),
    4: (ICMPv6NDOptRedirectedHdr, ANY),
    5: (ICMPv6NDOptMTU, range(1, 2)),
    24: (ICMPv6NDOptRouteInfo, range(1, 4)),
    25: (ICMPv6NDOptRDNSS, ANY),
    26: (ICMPv6NDOptEFA, range(1, 2)),
    31: (ICMPv6NDOptDNSSL, ANY),
}
