# SPDX-License-Identifier: GPL-2.0-or-later
"""Story: one host's side of what happened, as a list: its system calls and what they returned, frames, sysctls.

`history` makes one of a run, `capture` of a file; `script` and `python` tell it. Times are ns of the run. Neighbour
discovery, listener reports and the like are housekeeping: a script's host stands on a link without any of it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from labstack.core.config import Config
from labstack.scenario.packets.wire import Wire, take_apart
from labstack.scenario.target import Result

QUERIES = frozenset({"getsockname"})  # calls of which a scenario has no need
IPV4, IPV6, ETHERNET, ETHERTYPE = 0x0800, 0x86DD, 14, 12
KEEPING = (*range(130, 138), 143)  # ICMPv6: listener discovery, neighbour discovery
IGMP, ICMPV6 = 2, 58


class UnfitError(Exception):
    """packetdrill's language cannot tell a story; str() is why."""


class Called(NamedTuple):
    """A system call; back: what it returned, None while it blocks; until: when, if it blocked."""

    at: int
    name: str
    args: tuple[Any, ...]
    back: Result | None = None
    until: int | None = None


class Changed(NamedTuple):
    """A sysctl was set, or one part of it (tcp_rmem.max)."""

    at: int
    sysctl: str
    value: int


class Crossed(NamedTuple):
    """A frame crossed the host's interface; net: bytes of its link header."""

    at: int
    inbound: bool
    frame: bytes
    net: int = 0

    @property
    def packet(self) -> bytes:
        """The IP packet in it, and whatever pads it."""
        return self.frame[self.net :]

    @property
    def ethertype(self) -> int:
        """What it carries, as Ethernet numbers it."""
        if self.net:
            return int.from_bytes(self.frame[ETHERTYPE:ETHERNET], "big")
        return IPV6 if self.frame[:1] and self.frame[0] >> 4 == 6 else IPV4

    @property
    def housekeeping(self) -> bool:
        """Is it no IP packet, or one that only keeps the link running?"""
        kind, packet = self.ethertype, self.packet
        if kind not in (IPV4, IPV6):
            return True
        proto = packet[9] if kind == IPV4 and len(packet) > 9 else packet[6] if len(packet) > 40 else 0
        if kind == IPV6 and proto == 0 and len(packet) > 48:  # behind a hop-by-hop header, as in listener reports
            proto, packet = packet[40], packet[8:]
        return proto == IGMP if kind == IPV4 else proto == ICMPV6 and len(packet) > 40 and packet[40] in KEEPING

    @property
    def wire(self) -> Wire | None:
        """The parts of its packet, if they can be told apart."""
        wire = None if self.housekeeping else take_apart(self.packet)
        return None if isinstance(wire, str) else wire


Happened = Called | Changed | Crossed


class Story(NamedTuple):
    """host: its name; happened: in the order in which it did; config: its sysctls at the beginning
    addresses: its own, packed; mtu: of its first interface
    written: somebody wrote what the remote end sends, so that its initial numbers mean something
    left_out: what happened and cannot be told, as sentences
    """

    host: str
    happened: tuple[Happened, ...]
    config: Config = Config()
    addresses: tuple[bytes, ...] = ()
    mtu: int = 1500
    written: bool = False
    left_out: tuple[str, ...] = ()


def told(happened: Sequence[Happened]) -> list[Happened]:
    """What happened without housekeeping, in times that do not wait for it.

    Where a packet had to wait for an answer to ARP or ND, what led to it is told as if it had happened later.
    """
    kept: list[Happened] = []
    asked: int | None = None  # when an unanswered question left
    answered = -1  # when its answer came
    for it in happened:
        if isinstance(it, Crossed) and it.housekeeping:
            if it.inbound:
                answered = it.at
            elif asked is None or answered >= 0:
                asked, answered = it.at, -1
            continue
        if isinstance(it, Crossed) and not it.inbound and it.at == answered and asked is not None:
            kept = [one._replace(at=max(one.at, min(one.at + it.at - asked, it.at))) for one in kept]
            asked = None
        kept.append(it)
    return kept


def ends(it: Crossed, wire: Wire) -> tuple[bytes, bytes]:
    """(local, remote) address of a packet."""
    return (wire.dst, wire.src) if it.inbound else (wire.src, wire.dst)


def ports(it: Crossed, wire: Wire) -> tuple[int, int] | None:
    """(local, remote) port of a packet, or of the packet that an ICMP error quotes; None: neither."""
    if wire.head is not None:
        pair = wire.head.sport, wire.head.dport
        return (pair[1], pair[0]) if it.inbound else pair
    quote = wire.payload[8:]
    hlen = {4: (quote[0] & 15) * 4, 6: 40}.get(quote[0] >> 4, 0) if quote else 0
    proto = quote[9 if quote[0] >> 4 == 4 else 6] if len(quote) >= hlen + 8 > 8 else 0
    if proto not in (6, 17):
        return None
    first = int.from_bytes(quote[hlen : hlen + 2], "big"), int.from_bytes(quote[hlen + 2 : hlen + 4], "big")
    return first if it.inbound else (first[1], first[0])
