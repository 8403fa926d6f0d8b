# SPDX-License-Identifier: GPL-2.0-or-later
"""Sequence numbers: absolute and unbounded inside, 32-bit on the wire. Only this file knows about wrapping.

So `snd.una < seg.ack <= snd.nxt` is the RFC's line, literally (RFC 9293 §3.4).
"""

MASK = 0xFFFFFFFF
HALF = 1 << 31


def unwrap(wire: int, near: int) -> int:
    """The absolute number that has these 32 bits and lies within 2^31 of near."""
    return near + ((wire - near + HALF) & MASK) - HALF
