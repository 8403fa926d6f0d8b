# SPDX-License-Identifier: GPL-2.0-or-later
"""ICMP (RFC 792): one class whose second word depends on the type, and what errors quote.

Echo, errors, redirect, timestamp, address mask (RFC 950), MTU in fragmentation-needed (RFC 1191 §4), the length of the
quoted packet (RFC 4884 §4; its extensions stay in the payload).
"""

from struct import Struct
from typing import Any

from layers.checksum import checksum as internet
from layers.field import checksum, held, ip4, u8, u16, u32
from layers.ip import IP, IPerror
from layers.packet import Header, Next, Raw, bind

TYPES = {
    0: "echo-reply", 3: "dest-unreach", 4: "source-quench", 5: "redirect", 8: "echo-request",
    9: "router-advertisement", 10: "router-solicitation", 11: "time-exceeded", 12: "parameter-problem",
    13: "timestamp-request", 14: "timestamp-reply", 15: "information-request", 16: "information-response",
    17: "address-mask-request", 18: "address-mask-reply",
}  # fmt: skip
ERRORS = (3, 4, 5, 11, 12)  # types that quote a packet

_ECHO = Struct("!HH"), ("id", "seq")
_STAMPS = Struct("!HHIII"), ("id", "seq", "ts_ori", "ts_rx", "ts_tx")
_MASK = Struct("!HH4s"), ("id", "seq", "addr_mask_packed")
_OTHER = Struct("!I"), ("unused",)

#: type: what follows the checksum
REST: dict[int, tuple[Struct, tuple[str, ...]]] = {
    **dict.fromkeys((0, 8, 15, 16, 37, 38), _ECHO),
    **dict.fromkeys((13, 14), _STAMPS),
    **dict.fromkeys((17, 18), _MASK),
    3: (Struct("!BBH"), ("reserved", "length", "nexthopmtu")),
    5: (Struct("!4s"), ("gw_packed",)),
    11: (Struct("!BBH"), ("reserved", "length", "unused")),
    12: (Struct("!BBH"), ("ptr", "length", "unused")),
}


def message_sum(head: bytes, tail: bytes, under: Any) -> bytes:
    """Return the checksum of a header and all behind it."""
    return internet(head + tail).to_bytes(2, "big")


class ICMP(Header):
    """Internet control message protocol. Which fields behind `chksum` are there depends on `type` (see REST)."""

    type: int = u8(8, names=TYPES)
    code: int = u8()
    chksum: int | None = checksum(message_sum)
    id: int = held(u16(hex=True))
    seq: int = held(u16(hex=True))
    ts_ori: int = held(u32())
    ts_rx: int = held(u32())
    ts_tx: int = held(u32())
    gw = held(ip4())
    ptr: int = held(u8())
    reserved: int = held(u8())
    length: int = held(u8())
    addr_mask = held(ip4())
    nexthopmtu: int = held(u16())
    unused: int = held(u32())
    gw_packed: bytes
    addr_mask_packed: bytes

    def _read(self, buf: bytes, at: int, end: int) -> int | str:
        layout, names = REST.get(self.type, _OTHER)
        if at + layout.size > end:
            return self.short
        for row in self.table[3:]:
            setattr(self, row.slot, row.default)
        for name, value in zip(names, layout.unpack_from(buf, at), strict=True):
            setattr(self, name, value)
        return at + layout.size

    def _more(self) -> bytes:
        kind = self.type if isinstance(self.type, int) else self.table[0].value(self.type)
        layout, names = REST.get(kind, _OTHER)
        return layout.pack(*[getattr(self, name) for name in names])

    def _above(self, buf: bytes, at: int, end: int) -> Next:
        return (IPerror if self.type in ERRORS else Raw), end

    def _summary(self, lower: Any) -> str:
        way = f" {lower.src} > {lower.dst}" if lower is not None and hasattr(lower, "src") else ""
        return f"ICMP{way} {self.table[0].text(self.type)} {self.code}"


class ICMPerror(ICMP):
    """The ICMP header that an ICMP error quotes."""

    name = "ICMP in ICMP"


bind(IP, ICMP, proto=1)
bind(IPerror, ICMPerror, proto=1)
