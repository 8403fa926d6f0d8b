# SPDX-License-Identifier: GPL-2.0-or-later
"""UDP (RFC 768): four numbers. A computed checksum of 0 is sent as 0xffff; lengths are judged by the stack."""

from typing import Any

from layers.field import checksum, u16
from layers.ip import IP, IPerror
from layers.ip6 import IPerror6, IPv6
from layers.packet import Header, Next, Raw, bind
from layers.upper import upper_sum


class UDP(Header):
    """User datagram protocol."""

    sport: int = u16(53)
    dport: int = u16(53)
    len: int | None = u16(None, fill="8 + len(tail)")
    chksum: int | None = checksum(upper_sum(17, zero=0xFFFF))
    offload = (17, 6)

    def _above(self, buf: bytes, at: int, end: int) -> Next:
        length: int = self.len  # type: ignore[assignment]
        return Raw, min(end, at - 8 + length) if length >= 8 else end

    def _summary(self, lower: Any) -> str:
        if lower is not None and hasattr(lower, "src"):
            return f"UDP {lower.src}:{self.sport} > {lower.dst}:{self.dport}"
        return f"UDP {self.sport} > {self.dport}"


class UDPerror(UDP):
    """The UDP header that an ICMP error quotes."""

    name = "UDP in ICMP"


bind(IP, UDP, proto=17)
bind(IPv6, UDP, nh=17)
bind(IPerror, UDPerror, proto=17)
bind(IPerror6, UDPerror, nh=17)
