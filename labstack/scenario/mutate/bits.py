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
    hlen, proto = _upper(data)
    found = [SUM4] if data[0] >> 4 == 4 and len(data) >= 20 else []
    at = hlen + FIELDS.get(proto, len(data))
    return [*found, at] if hlen and at + 2 <= len(data) else found


def mend(raw: bytearray) -> None:
    """Make the sums of a packet right, as far as there are any."""
    hlen, proto = _upper(raw)
    version = raw[0] >> 4
    if version == 4 and len(raw) >= 20:
        raw[SUM4 : SUM4 + 2] = bytes(2)
        raw[SUM4 : SUM4 + 2] = checksum(raw[: hlen or 20]).to_bytes(2, "big")
    at = hlen + FIELDS.get(proto, len(raw))
    if not hlen or at + 2 > len(raw):
        return
    length = int.from_bytes(raw[2:4], "big") - hlen if version == 4 else int.from_bytes(raw[4:6], "big")
    upper = bytearray(raw[hlen : hlen + max(length, 0)])
    if len(upper) < at - hlen + 2:
        return
    upper[at - hlen : at - hlen + 2] = bytes(2)
    ends = (raw[12:16], raw[16:20]) if version == 4 else (raw[8:24], raw[24:40])
    start = 0
    if proto != ICMP:
        start = (pseudo4 if version == 4 else pseudo6)(bytes(ends[0]), bytes(ends[1]), proto, len(upper))
    raw[at : at + 2] = (checksum(bytes(upper), start) or (0xFFFF if proto == UDP else 0)).to_bytes(2, "big")


def _upper(data: bytes | bytearray) -> tuple[int, int]:
    """Length of the IP header and the protocol behind it; 0, 0 if there is none."""
    if data[0] >> 4 == 4 and 20 <= (data[0] & 15) * 4 <= len(data):
        return (data[0] & 15) * 4, data[9]
    return (40, data[6]) if data[0] >> 4 == 6 and len(data) >= 40 else (0, 0)
