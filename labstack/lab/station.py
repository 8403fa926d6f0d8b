# SPDX-License-Identifier: GPL-2.0-or-later
"""Station: a place on the wire for a program that makes its own frames (Scapy). It has addresses, and no stack.

It answers ARP and neighbour solicitations for its addresses, so that hosts can reply to it, and nothing else: no reset
ever spoils a handshake that somebody builds by hand. In the world it stands where a host stands.
"""

from typing import Any

from labstack.core.env import Env
from labstack.core.event import Action, Call, Event, Rx
from labstack.core.frame import Frame
from labstack.core.state import State, state
from layers import ARP, Ether, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, IPv6

SEND = "Scapy"
DEV = 1


@state
class Station(State):
    """mac, ip, ip6: text."""

    name: str
    mac: str
    ip: str
    ip6: str
    env: Env

    def handle(self, event: Event, now: int) -> None:
        """Send a frame (Call), or answer the question who we are (Rx)."""
        self.env.now = now
        if isinstance(event, Call):
            self.env.send(DEV, Frame(event.args[0]))
        elif isinstance(event, Rx):
            answer = self._answer(Ether(event.frame.cuts()[0]))
            if answer is not None:
                self.env.send(DEV, Frame(bytes(answer)))

    def drain(self, now: int) -> list[Action]:
        actions, self.env.actions = self.env.actions, []
        return actions

    def deadline(self) -> None:
        """It never waits for anything."""

    def _answer(self, packet: Any) -> Any:
        if ARP in packet and packet[ARP].op == 1 and packet[ARP].pdst == self.ip:
            asked = packet[ARP]
            reply = ARP(op=2, hwsrc=self.mac, psrc=self.ip, hwdst=asked.hwsrc, pdst=asked.psrc)
            return Ether(dst=asked.hwsrc, src=self.mac) / reply
        if ICMPv6ND_NS in packet and packet[ICMPv6ND_NS].tgt == self.ip6 and packet[IPv6].src != "::":
            advert = ICMPv6ND_NA(R=0, S=1, O=1, tgt=self.ip6) / ICMPv6NDOptDstLLAddr(lladdr=self.mac)
            return Ether(dst=packet.src, src=self.mac) / IPv6(src=self.ip6, dst=packet[IPv6].src, hlim=255) / advert
        return None
