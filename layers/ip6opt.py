# SPDX-License-Identifier: GPL-2.0-or-later
"""Options of IPv6 hop-by-hop and destination headers (RFC 8200 §4.2): Pad1, PadN, router alert, jumbo, home address.

`options` walks them without objects and gives the two action bits; obeying those is left to the stack.
"""

from layers.field import BYTES, ip6, u8, u16, u32, var
from layers.listing import headers
from layers.packet import Header

BAD_OPTION = "ip6-option"

SKIP, DISCARD, REPORT, REPORT_UNICAST = range(4)  # what the top two bits ask of who does not know the option


class Pad1(Header):
    """One byte of padding; it has no length."""

    otype: int = u8(0)


class PadN(Header):
    """Two or more bytes of padding."""

    otype: int = u8(1)
    optlen: int | None = u8(None, fill="len(more)")
    optdata: bytes = var(BYTES, "self.optlen")


class RouterAlert(Header):
    """Routers shall look at this packet (RFC 2711)."""

    otype: int = u8(5, hex=True)
    optlen: int = u8(2)
    value: int | None = u16(None)
    align = (2, 0)


class Jumbo(Header):
    """The length of a payload over 65,535 bytes (RFC 2675)."""

    otype: int = u8(0xC2, hex=True)
    optlen: int = u8(4)
    jumboplen: int | None = u32(None)
    align = (4, 2)


class HAO(Header):
    """Home address (RFC 6275)."""

    otype: int = u8(0xC9, hex=True)
    optlen: int = u8(16)
    hoa = ip6()
    hoa_packed: bytes
    align = (8, 6)


class HBHOptUnknown(Header):
    """Any other option."""

    otype: int = u8(1, hex=True)
    optlen: int | None = u8(None, fill="len(more)")
    optdata: bytes = var(BYTES, "self.optlen")


KINDS: dict[int, type[Header]] = {0: Pad1, 1: PadN, 5: RouterAlert, 0xC2: Jumbo, 0xC9: HAO}


def _pick(data: bytes, at: int) -> tuple[type[Header], type[Header], int] | str:
    kind = data[at]
    if kind == 0:
        return Pad1, HBHOptUnknown, at + 1
    stop = at + 2 + data[at + 1] if at + 1 < len(data) else len(data) + 1
    return BAD_OPTION if stop > len(data) else (KINDS.get(kind, HBHOptUnknown), HBHOptUnknown, stop)


OPTIONS = headers(_pick)


def options(buf: bytes | memoryview, at: int, end: int) -> list[tuple[int, int, int, int]] | str:
    """Return (type, action, offset of the data, length of the data) of each option in `buf[at:end]`, or a drop reason.

    Pad1 has no data. The action is SKIP, DISCARD, REPORT or REPORT_UNICAST (RFC 8200 §4.2).
    """
    found = []
    while at < end:
        kind = buf[at]
        if kind == 0:
            found.append((0, SKIP, at + 1, 0))
            at += 1
            continue
        if at + 2 > end or at + 2 + buf[at + 1] > end:
            return BAD_OPTION
        found.append((kind, kind >> 6, at + 2, buf[at + 1]))
        at += 2 + buf[at + 1]
    return found


def padded(items: list[Header]) -> bytes:
    """Return options at their alignments, counted from two bytes into the header, padded to 8 bytes (RFC 8200 §4.2)."""
    data = b"\0\0"
    for item in items:
        unit, offset = getattr(item.__class__, "align", (1, 0))
        data += pad((offset - len(data)) % unit) + bytes(item)
    return data[2:] + pad(-len(data) % 8)


def pad(size: int) -> bytes:
    """Return an option that fills `size` bytes."""
    return bytes(size) if size < 2 else bytes((1, size - 2)) + bytes(size - 2)
