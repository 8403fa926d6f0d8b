# SPDX-License-Identifier: GPL-2.0-or-later
"""IPv4 options (RFC 791 §3.1, Router Alert of RFC 2113), one small header each, and the list of them.

The list ends at end-of-options; what cannot be read after that or anywhere else stays as a last `Raw`, so that the same
bytes come out again. What an option asks of a router is left to the stack.
"""

from layers.field import BYTES, IP4S, bits, held, ip4, raw, u8, u16, u32, var
from layers.listing import headers
from layers.packet import Header

BAD_OPTION = "ip-option"


class IPOption(Header):
    """Any option: type in three parts, length, value."""

    short = BAD_OPTION
    copy_flag: int = bits(1)
    optclass: int = bits(2)
    option: int = bits(5)
    length: int | None = u8(None, fill="2 + len(more)")
    value: bytes = var(BYTES, "self.length - 2")


class _OneByte(Header):
    short = BAD_OPTION
    copy_flag: int = bits(1)
    optclass: int = bits(2)
    option: int = bits(5)


class IPOption_EOL(_OneByte):
    """End of the option list."""


class IPOption_NOP(_OneByte):
    """No operation."""

    option: int = bits(5, 1)


class IPOption_RR(_OneByte):
    """Record route."""

    option: int = bits(5, 7)
    length: int | None = u8(None, fill="3 + len(more)")
    pointer: int = u8(4)
    routers: list[str] = var(IP4S, "self.length - 3")


class IPOption_LSRR(IPOption_RR):
    """Loose source and record route."""

    copy_flag: int = bits(1, 1)
    option: int = bits(5, 3)


class IPOption_SSRR(IPOption_RR):
    """Strict source and record route."""

    copy_flag: int = bits(1, 1)
    option: int = bits(5, 9)


class IPOption_Timestamp(_OneByte):
    """Internet timestamp: one entry, with the address before it when `flg` is not 0; further entries are `more`."""

    optclass: int = bits(2, 2)
    option: int = bits(5, 4)
    length: int | None = u8(None, fill="4 + len(more)")
    pointer: int = u8(9)
    oflw: int = bits(4)
    flg: int = bits(4, 1)
    internet_address = held(ip4())
    timestamp: int = held(u32(0))
    more: bytes = held(var(BYTES))
    internet_address_packed: bytes

    def _read(self, buf: bytes, at: int, end: int) -> int | str:
        stop = at + (self.length or 0) - 4
        data = bytes(buf[at : max(at, stop)])
        first = 4 if self.flg else 0
        if stop > end or len(data) < first + 4:
            return BAD_OPTION
        self.internet_address_packed = data[:4] if first else bytes(4)
        self.timestamp = int.from_bytes(data[first : first + 4], "big")
        self.more = data[first + 4 :]
        return stop

    def _more(self) -> bytes:
        address = self.internet_address_packed if self.flg else b""
        return address + self.timestamp.to_bytes(4, "big") + self.more


class IPOption_Router_Alert(_OneByte):
    """Every router shall look at this packet (RFC 2113)."""

    copy_flag: int = bits(1, 1)
    option: int = bits(5, 20)
    length: int = u8(4)
    alert: int = u16(names={0: "router_shall_examine_packet"})


class IPOption_Security(_OneByte):
    """Security (RFC 791)."""

    copy_flag: int = bits(1, 1)
    option: int = bits(5, 2)
    length: int = u8(11)
    security: int = u16()
    compartment: int = u16()
    handling_restrictions: int = u16()
    transmission_control_code: bytes = raw(3, b"xxx")


class IPOption_Stream_Id(_OneByte):
    """Stream identifier."""

    copy_flag: int = bits(1, 1)
    option: int = bits(5, 8)
    length: int = u8(4)
    security: int = u16()


KINDS: dict[int, type[Header]] = {
    0: IPOption_EOL,
    1: IPOption_NOP,
    7: IPOption_RR,
    68: IPOption_Timestamp,
    130: IPOption_Security,
    131: IPOption_LSRR,
    136: IPOption_Stream_Id,
    137: IPOption_SSRR,
    148: IPOption_Router_Alert,
}


def _pick(data: bytes, at: int) -> tuple[type[Header], type[Header], int] | str:
    kind = data[at]
    if kind < 2:
        return KINDS[kind], IPOption, at + 1
    length = data[at + 1] if at + 1 < len(data) else 0
    if length < 2 or at + length > len(data):
        return BAD_OPTION
    return KINDS.get(kind, IPOption), IPOption, at + length


OPTIONS = headers(_pick, 4)
