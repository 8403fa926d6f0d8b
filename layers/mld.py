# SPDX-License-Identifier: GPL-2.0-or-later
"""Multicast listener discovery: version 1 (RFC 2710) and version 2 (RFC 3810). Hop limit 1; timing is the stack's."""

from layers.field import BYTES, IP6S, bits, checksum, ip6, u8, u16, var
from layers.icmp6 import SHORT, TYPES, ICMPv6, pick, register
from layers.listing import HEADERS, read_records
from layers.packet import Header
from layers.upper import upper_sum


class _Version1(ICMPv6):
    mrd: int = u16()
    reserved: int = u16()
    mladdr = ip6()
    mladdr_packed: bytes


class ICMPv6MLQuery(_Version1):
    """Who listens? `mrd` is the maximum response delay in ms (RFC 2710 §3)."""

    type: int = u8(130, names=TYPES)
    mrd: int = u16(10000)


class ICMPv6MLReport(_Version1):
    """I listen (RFC 2710 §3)."""

    type: int = u8(131, names=TYPES)


class ICMPv6MLDone(_Version1):
    """I no longer listen (RFC 2710 §3)."""

    type: int = u8(132, names=TYPES)


class ICMPv6MLQuery2(ICMPv6MLQuery):
    """Who listens, to which sources? Told from version 1 by its length (RFC 3810 §5.1)."""

    Resv: int = bits(4)
    S: int = bits(1)
    QRV: int = bits(3)
    QQIC: int = u8()
    sources_number: int | None = u16(None, fill="len(self.sources)")
    sources: list[str] = var(IP6S, "self.sources_number * 16")
    minimum = 28  # bytes


class ICMPv6MLDMultAddrRec(Header):
    """What a listener wants of one group (RFC 3810 §5.2.4); `auxdata_len` counts 4 bytes in the RFC, bytes in Scapy."""

    rtype: int = u8(4)
    auxdata_len: int | None = u8(None, fill="len(self.auxdata)")
    sources_number: int | None = u16(None, fill="len(self.sources)")
    dst = ip6()
    sources: list[str] = var(IP6S, "self.sources_number * 16")
    auxdata: bytes = var(BYTES, "self.auxdata_len")
    dst_packed: bytes


class ICMPv6MLReport2(Header):
    """What I listen to, a record for each group (RFC 3810 §5.2)."""

    short = SHORT
    type: int = u8(143, names=TYPES)
    res: int = u8()
    cksum: int | None = checksum(upper_sum(58))
    reserved: int = u16()
    records_number: int | None = u16(None, fill="len(self.records)")
    records: list[ICMPv6MLDMultAddrRec] = var(HEADERS)

    def _read(self, buf: bytes, at: int, end: int) -> int | str:
        got = read_records(ICMPv6MLDMultAddrRec, self.records_number or 0, buf, at, end)
        if isinstance(got, str):
            return got
        self.records, at = got
        return at


def delay(code: int) -> int:
    """Return the milliseconds that a version 2 maximum response code means (RFC 3810 §5.1.3)."""
    return code if code < 0x8000 else (0x1000 | code & 0xFFF) << ((code >> 12 & 7) + 3)


register(ICMPv6MLQuery, hlim=1, dst="ff02::1")
register(ICMPv6MLReport, hlim=1)
register(ICMPv6MLDone, hlim=1, dst="ff02::2")
register(ICMPv6MLQuery2, hlim=1, dst="ff02::1")
register(ICMPv6MLReport2, hlim=1, dst="ff02::16")
ICMPv6MLQuery.longer = ICMPv6MLQuery2  # type: ignore[attr-defined]
ICMPv6MLQuery2.pick = pick
