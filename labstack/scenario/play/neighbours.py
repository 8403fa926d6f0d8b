# SPDX-License-Identifier: GPL-2.0-or-later
"""The peer's side of ARP and ND on an Ethernet link, for scenarios that are about something else.

Answers who asks for an address that the scenario has sent from (RFC 826, RFC 4861 §7.2.4), and passes over what a host
says of itself unasked: reports of its groups, router solicitations. Everything else is left to the scenario.
"""

from typing import Any

from layers import ARP, IGMP, Ether, ICMPv6MLReport, ICMPv6MLReport2, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RS, IPv6
from layers import ICMPv6NDOptDstLLAddr as TargetMac

AMBIENT = (ICMPv6MLReport, ICMPv6MLReport2, ICMPv6ND_RS, IGMP)


class Neighbours:
    """Addresses with their MACs, as text."""

    def __init__(self, known: dict[str, str]) -> None:
        self.known = known

    def learn(self, frame: Any) -> None:
        """Remember from where the scenario sends."""
        for layer in frame.layers():
            address = getattr(layer, "psrc", None) if isinstance(layer, ARP) else None
            if type(layer).__name__ in ("IP", "IPv6"):
                address = layer.src
            if isinstance(address, str) and address not in ("0.0.0.0", "::"):
                self.known.setdefault(address, frame.src)

    def takes(self, frame: Any) -> tuple[bool, bytes]:
        """Is a frame of the host ours to deal with, and what is sent back (b"": nothing)?"""
        if frame.haslayer(ARP):
            return self._arp(frame, frame[ARP])
        if frame.haslayer(ICMPv6ND_NS):
            return self._solicited(frame, frame[ICMPv6ND_NS])
        return any(frame.haslayer(kind) for kind in AMBIENT), b""

    def _arp(self, frame: Any, asked: Any) -> tuple[bool, bytes]:
        mac = self.known.get(asked.pdst) if asked.op == 1 else None
        if mac is None:
            return False, b""
        answer = ARP(op=2, hwsrc=mac, psrc=asked.pdst, hwdst=asked.hwsrc, pdst=asked.psrc)
        return True, bytes(Ether(dst=frame.src, src=mac) / answer)

    def _solicited(self, frame: Any, asked: Any) -> tuple[bool, bytes]:
        mac = self.known.get(asked.tgt)
        if mac is None:
            return False, b""
        answer = ICMPv6ND_NA(R=0, S=1, O=1, tgt=asked.tgt) / TargetMac(lladdr=mac)
        return True, bytes(Ether(dst=frame.src, src=mac) / IPv6(src=asked.tgt, dst=frame[IPv6].src) / answer)
