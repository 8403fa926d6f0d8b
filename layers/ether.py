# SPDX-License-Identifier: GPL-2.0-or-later
"""The link layer: Ethernet II, IEEE 802.3 with LLC and SNAP (RFC 1042), 802.1Q tags.

A type of at most 1500 is a length, and LLC follows: so `Ether(data)` reads it, too, where Scapy makes it a `Dot3`.
"""

from layers.field import Auto, bits, mac, u8, u16
from layers.packet import Header, Next, Raw, bind

TYPES = {0x0800: "IPv4", 0x0806: "ARP", 0x8100: "VLAN", 0x86DD: "IPv6"}
MAX_LENGTH = 1500  # a type up to this is the length of an 802.3 frame


def _by_length(size: int, at: int, end: int) -> Next:
    """Return what follows a type that no header has: LLC if it is a length."""
    return (LLC, min(end, at + size)) if size <= MAX_LENGTH else (Raw, end)


class Ether(Header):
    """Ethernet II (RFC 894)."""

    name = "Ethernet"
    key = "type"
    dst = mac("ff:ff:ff:ff:ff:ff")
    src = mac()
    type: int = u16(Auto(0x9000), names=TYPES, hex=True)
    dst_packed: bytes
    src_packed: bytes

    def _otherwise(self, at: int, end: int) -> Next:
        return _by_length(self.type, at, end)


class Dot3(Header):
    """IEEE 802.3: a length where Ethernet II has a type; LLC follows."""

    name = "802.3"
    dst = mac("ff:ff:ff:ff:ff:ff")
    src = mac()
    len: int | None = u16(None, fill="len(tail)")
    dst_packed: bytes
    src_packed: bytes

    def _above(self, buf: bytes, at: int, end: int) -> Next:
        return LLC, min(end, at + (self.len or 0))


class LLC(Header):
    """IEEE 802.2 logical link control, with a one-byte control field."""

    key = "dsap"
    dsap: int = u8(Auto(0), hex=True)
    ssap: int = u8(Auto(0), hex=True)
    ctrl: int = u8(Auto(0))

    def _above(self, buf: bytes, at: int, end: int) -> Next:
        snap = (self.dsap, self.ssap, self.ctrl) == (0xAA, 0xAA, 3)
        return (SNAP if snap else Raw), end


class SNAP(Header):
    """Subnetwork access protocol (RFC 1042): an Ethernet type behind LLC."""

    key = "code"
    OUI: int = bits(24, hex=True)
    code: int = bits(16, Auto(0), names=TYPES, hex=True)


class Dot1Q(Header):
    """An IEEE 802.1Q tag: priority, drop eligibility, VLAN, and the type of what follows."""

    name = "802.1Q"
    key = "type"
    prio: int = bits(3)
    dei: int = bits(1)
    vlan: int = bits(12, 1)
    type: int = u16(Auto(0), names=TYPES, hex=True)

    def _otherwise(self, at: int, end: int) -> Next:
        return _by_length(self.type, at, end)


bind(LLC, SNAP, dsap=0xAA, ssap=0xAA, ctrl=3)
bind(Ether, LLC, type=0x7A)
for lower in (Ether, Dot1Q):
    bind(lower, Dot1Q, type=0x8100)
bind(SNAP, Dot1Q, code=0x8100)
