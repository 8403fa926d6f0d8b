# SPDX-License-Identifier: GPL-2.0-or-later
"""The Internet checksum (RFC 1071): sums, complements and pseudo-headers, whole or partial.

A *sum* here is a folded 16-bit one's complement sum, 0..0xffff; a *checksum* is its complement, ready for the wire.
Sums are partial: they may start from another sum, so that a pseudo-header, a header and cached pieces add up.
Only data that is all zero sums to 0; any other multiple of 0xffff folds to 0xffff, never to 0.
Owns RFC 1071, RFC 9293 §3.1 and RFC 8200 §8.1 (pseudo-headers). Who may skip a checksum is the headers' affair.
"""

from collections.abc import Iterable

Bytes = bytes | bytearray | memoryview

_number = int.from_bytes
_LONG = 512  # bytes; above this the halving fold beats one big division


def ones_sum(data: Bytes, start: int = 0) -> int:
    """Return the folded 16-bit one's complement sum of `data` (odd lengths padded with a zero) and `start`."""
    total = _number(data, "big")
    size = len(data)
    if size & 1:
        total <<= 8
    if size > _LONG:
        total = _halve(total, size)
    total += start
    return total % 0xFFFF or (0xFFFF if total else 0)


def _halve(total: int, size: int) -> int:
    """Fold a big number to fewer than 64 bytes: 2**(16 n) is 1 modulo 0xffff, so both halves just add up."""
    bits = ((size + 1) // 2) * 16
    while bits > 512:
        bits = (bits // 2 + 15) & ~15
        total = (total >> bits) + (total & ((1 << bits) - 1))
    return total


def checksum(data: Bytes, start: int = 0) -> int:
    """Return the checksum (0..0xffff) of `data`, `start` being a sum that is included; 0 verifies a whole header."""
    return 0xFFFF - ones_sum(data, start)


def add(a: int, b: int) -> int:
    """Return the one's complement sum of two sums, folded."""
    total = a + b
    return (total & 0xFFFF) + (total >> 16)


def swab(total: int) -> int:
    """Return a sum with its two bytes exchanged: what the same bytes sum to one byte further (RFC 1071 §2(B))."""
    return (total >> 8 | total << 8) & 0xFFFF


def sum_pieces(pieces: Iterable[Bytes], start: int = 0) -> int:
    """Return the sum of the concatenation of `pieces`, whatever their lengths, without joining them."""
    total, odd = start, False
    for piece in pieces:
        part = ones_sum(piece)
        total = add(total, swab(part) if odd else part)
        odd ^= len(piece) & 1 == 1
    return total


def pseudo4(src: bytes, dst: bytes, proto: int, length: int) -> int:
    """Return the sum of the IPv4 pseudo-header: packed addresses, protocol, upper-layer length (RFC 9293 §3.1)."""
    return ones_sum(src + dst, proto + length)


def pseudo6(src: bytes, dst: bytes, nh: int, length: int) -> int:
    """Return the sum of the IPv6 pseudo-header: packed addresses, next header, upper-layer length (RFC 8200 §8.1)."""
    return ones_sum(src + dst, nh + length)
