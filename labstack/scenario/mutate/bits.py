# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes to the bytes of a packet: bits that are flipped, and payload that says where in the stream it belongs.

Afterwards the sums are made right again, as the sender of such a packet would have them, unless it is a sum that was
flipped: else nearly every flip would only be one more wrong checksum.
"""

from typing import NamedTuple

from layers.checksum import checksum, pseudo4, pseudo6

ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
FIELDS = {ICMP: 2, TCP: 16, UDP: 6, ICMPV6: 2}  # where the sum stands behind the IP header
SUM4 = 10  # the same in the IPv4 header
PRIME = 251  # the pattern's length


class Flip(NamedTuple):
    """Bits `mask` of the byte `offset` of the IP packet."""

    offset: int
    mask: int

    def __str__(self) -> str:
        return f"{self.offset}:{self.mask:#04x}"


def flipped(data: bytes, flips: tuple[Flip, ...]) -> bytes:
    """The packet with these bits flipped; what lies behind its end is left alone."""
    if not flips:
        return data
    raw = bytearray(data)
    spared = {offset for at in sums(data) for offset in (at, at + 1)}
    for offset, mask in flips:
        if offset < len(raw) and offset not in spared:
            raw[offset] ^= mask
    mend(raw)
    for offset, mask in flips:
        if offset < len(raw) and offset in spared:
            raw[offset] ^= mask
    return bytes(raw)


def filled(data: bytes, size: int, position: int) -> bytes:
    """The packet with `size` bytes at its end that say where in the stream they belong, from `position` on."""
    if not size:
        return data
    start = position % PRIME
    pattern = bytes(range(PRIME)) * (size // PRIME + 2)
    raw = bytearray(data[: len(data) - size] + pattern[start : start + size])
    mend(raw)
    return bytes(raw)


def sums(data: bytes | bytearray) -> list[int]:
    """Where the sums of a packet stand."""
    found = [SUM4] if data[0] >> 4 == 4 and len(data) >= 20 else []
    at = _upper(data).at
    return [*found, at] if at else found


def partial(raw: bytearray) -> bool:
    """Is the sum behind the IP header only that of the pseudo-header: a network card was to complete it?"""
    it = _upper(raw)
    return bool(it.at) and int.from_bytes(raw[it.at : it.at + 2], "big") == it.start


def mend(raw: bytearray) -> None:
    """Make the sums of a packet right, as far as there are any."""
    hlen, end, proto, at, start = _upper(raw)
    if raw[0] >> 4 == 4 and len(raw) >= 20:
        raw[SUM4 : SUM4 + 2] = bytes(2)
        raw[SUM4 : SUM4 + 2] = checksum(raw[: hlen or 20]).to_bytes(2, "big")
    if at:
        raw[at : at + 2] = bytes(2)
        right = checksum(bytes(raw[hlen:end]), start) or (0xFFFF if proto == UDP else 0)
        raw[at : at + 2] = right.to_bytes(2, "big")


class _Upper(NamedTuple):
    """What is behind the IP header, from hlen to end; at: where its sum stands, 0 if it has none; start: what the
    pseudo-header adds to that."""

    hlen: int = 0
    end: int = 0
    proto: int = 0
    at: int = 0
    start: int = 0


def _upper(data: bytes | bytearray) -> _Upper:
    four = data[0] >> 4 == 4
    hlen = (data[0] & 15) * 4 if four else 40
    if data[0] >> 4 not in (4, 6) or not 20 <= hlen <= len(data):
        return _Upper()
    proto, length = (
        (data[9], int.from_bytes(data[2:4], "big") - hlen) if four else (data[6], int.from_bytes(data[4:6], "big"))
    )
    end, at = min(hlen + max(length, 0), len(data)), hlen + FIELDS.get(proto, len(data))
    ends = (data[12:16], data[16:20]) if four else (data[8:24], data[24:40])
    start = (pseudo4 if four else pseudo6)(bytes(ends[0]), bytes(ends[1]), proto, end - hlen) if proto != ICMP else 0
    return _Upper(hlen, end, proto, at if at + 2 <= end else 0, start)
