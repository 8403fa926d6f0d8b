# SPDX-License-Identifier: GPL-2.0-or-later
"""ARP (RFC 826): the header with its four addresses, whose lengths are in the header, too.

Deciding what a packet means for a neighbour table is left to the stack.
"""

from struct import Struct
from typing import Any

from layers.ether import SNAP, TYPES, Dot1Q, Ether
from layers.field import any_address, u8, u16
from layers.packet import Header, Next, Padding, bind

OPS = {1: "who-has", 2: "is-at", 3: "RARP-req", 4: "RARP-rep", 8: "InARP-req", 9: "InARP-rep"}
_ETHER_IP4 = Struct("6s4s6s4s").unpack_from


class ARP(Header):
    """Address resolution: `psrc` at `hwsrc` asks (op 1) or tells (op 2) `pdst` at `hwdst`."""

    hwtype: int = u16(1, hex=True)
    ptype: int = u16(0x0800, names=TYPES, hex=True)
    hwlen: int | None = u8(None, fill="len(self.hwsrc_packed)")
    plen: int | None = u8(None, fill="len(self.psrc_packed)")
    op: int = u16(1, names=OPS)
    hwsrc = any_address("00:00:00:00:00:00")
    psrc = any_address("0.0.0.0")
    hwdst = any_address("00:00:00:00:00:00")
    pdst = any_address("0.0.0.0")
    hwsrc_packed: bytes
    psrc_packed: bytes
    hwdst_packed: bytes
    pdst_packed: bytes

    def _read(self, buf: bytes, at: int, end: int) -> int | str:
        hw, proto = self.hwlen or 0, self.plen or 0
        stop = at + 2 * (hw + proto)
        if stop > end:
            return self.short
        if (hw, proto) == (6, 4):
            self.hwsrc_packed, self.psrc_packed, self.hwdst_packed, self.pdst_packed = _ETHER_IP4(buf, at)
            return stop
        data = bytes(buf[at:stop])
        half = hw + proto
        self.hwsrc_packed, self.psrc_packed = data[:hw], data[hw:half]
        self.hwdst_packed, self.pdst_packed = data[half : half + hw], data[half + hw :]
        return stop

    def _more(self) -> bytes:
        return self.hwsrc_packed + self.psrc_packed + self.hwdst_packed + self.pdst_packed

    def _above(self, buf: bytes, at: int, end: int) -> Next:
        return Padding, at

    def _summary(self, lower: Any) -> str:
        if self.op == 2:
            return f"ARP is at {self.hwsrc} says {self.psrc}"
        return f"ARP who has {self.pdst} says {self.psrc}" if self.op == 1 else f"ARP {self.op}"


bind(Ether, ARP, type=0x0806)
bind(Dot1Q, ARP, type=0x0806)
bind(SNAP, ARP, code=0x0806)
