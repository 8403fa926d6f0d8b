# SPDX-License-Identifier: GPL-2.0-or-later
"""Neighbour discovery (RFC 4861): solicitations, advertisements, redirect. Their options (`ndopt`) follow as layers.

`parse` reads a message with all its options, or gives a drop reason if those are malformed (RFC 4861 §4.6);
`message.options` lists them. The other checks of RFC 4861 §6.1, §7.1 and §8.1 are the stack's.
"""

from typing import Any, Self

from layers.field import bits, ip6, u8, u16, u32
from layers.icmp6 import TYPES, ICMPv6, register
from layers.ndopt import pick, read
from layers.packet import NOTHING, Header, Next

PREFERENCES = {0: "Medium (default)", 1: "High", 2: "Reserved", 3: "Low"}


class _Message(ICMPv6):
    @classmethod
    def parse(cls, buf: bytes | bytearray | memoryview, at: int = 0, end: int | None = None) -> Self | str:
        """Read the message and its options, which take all of `buf[at:end]`; return it or a drop reason."""
        end = len(buf) if end is None else min(end, len(buf))
        message = super().parse(buf, at, end)
        if isinstance(message, str):
            return message
        options = read(buf, at + (message.size or 0), end)
        if isinstance(options, str):
            return options
        last: Header = message
        for option in options:
            last.payload = last = option
        last.payload = NOTHING
        message.size = end - at
        return message

    @property
    def options(self) -> list[Any]:
        """The options that follow, in order."""
        return [layer for layer in self.layers() if layer is not self]

    def _above(self, buf: bytes, at: int, end: int) -> Next:
        return pick(buf, at, end), end


class ICMPv6ND_RS(_Message):
    """Router solicitation (RFC 4861 §4.1)."""

    type: int = u8(133, names=TYPES)
    res: int = u32()


class ICMPv6ND_RA(_Message):
    """Router advertisement (RFC 4861 §4.2, `prf` of RFC 4191 §2.2); lifetime in s, timers in ms."""

    type: int = u8(134, names=TYPES)
    chlim: int = u8()
    M: int = bits(1)
    O: int = bits(1)  # noqa: E741  (Scapy's name)
    H: int = bits(1)
    prf: int = bits(2, 1, names=PREFERENCES)
    P: int = bits(1)
    res: int = bits(2)
    routerlifetime: int = u16(1800)
    reachabletime: int = u32()
    retranstimer: int = u32()


class ICMPv6ND_NS(_Message):
    """Neighbour solicitation (RFC 4861 §4.3)."""

    type: int = u8(135, names=TYPES)
    res: int = u32()
    tgt = ip6()
    tgt_packed: bytes


class ICMPv6ND_NA(_Message):
    """Neighbour advertisement (RFC 4861 §4.4): from a router, solicited, overriding."""

    type: int = u8(136, names=TYPES)
    R: int = bits(1, 1)
    S: int = bits(1)
    O: int = bits(1, 1)  # noqa: E741  (Scapy's name)
    res: int = bits(29, hex=True)
    tgt = ip6()
    tgt_packed: bytes


class ICMPv6ND_Redirect(_Message):
    """Redirect (RFC 4861 §4.5): for `dst`, `tgt` is a better first hop."""

    type: int = u8(137, names=TYPES)
    res: int = u32(hex=True)
    tgt = ip6()
    dst = ip6()
    tgt_packed: bytes
    dst_packed: bytes


register(ICMPv6ND_RS, hlim=255, dst="ff02::2")
for message in (ICMPv6ND_RA, ICMPv6ND_NS, ICMPv6ND_NA, ICMPv6ND_Redirect):
    register(message, hlim=255, dst="ff02::1")
