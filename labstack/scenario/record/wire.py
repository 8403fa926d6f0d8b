# SPDX-License-Identifier: GPL-2.0-or-later
"""The frames of a story as a script may have them: IP packets only, told apart by connection.

Neighbour discovery, listener reports and the like are housekeeping: a script's host stands on a link without any of
it. Where a packet had to wait for an answer to ARP or ND, what led to it is told as if it had happened later.
"""

from collections.abc import Sequence

from labstack.scenario.packets.wire import Wire, take_apart
from labstack.scenario.record.events import Crossed, Happened

IPV4, IPV6, ETHERNET, ETHERTYPE = 0x0800, 0x86DD, 14, 12
KEEPING = (*range(130, 138), 143)  # ICMPv6: listener discovery, neighbour discovery
IGMP, ICMPV6 = 2, 58
SYN, ACK = 2, 16


class UnfitError(Exception):
    """packetdrill's language cannot tell a story; str() is why."""


def housekeeping(it: Crossed) -> bool:
    """Is it no IP packet, or one that only keeps the link running?"""
    kind = ethertype(it)
    if kind not in (IPV4, IPV6):
        return True
    packet = it.packet
    proto = packet[9] if kind == IPV4 and len(packet) > 9 else packet[6] if len(packet) > 40 else 0
    if kind == IPV6 and proto == 0 and len(packet) > 48:  # behind a hop-by-hop header, as in listener reports
        proto, packet = packet[40], packet[8:]
    return proto == IGMP if kind == IPV4 else proto == ICMPV6 and len(packet) > 40 and packet[40] in KEEPING


def ethertype(it: Crossed) -> int:
    """What a frame carries, as Ethernet numbers it."""
    if it.net:
        return int.from_bytes(it.frame[ETHERTYPE:ETHERNET], "big")
    return IPV6 if it.frame[:1] and it.frame[0] >> 4 == 6 else IPV4


def told(happened: Sequence[Happened]) -> list[Happened]:
    """What happened without housekeeping, in times that do not wait for it."""
    kept: list[Happened] = []
    asked: int | None = None  # when an unanswered question left
    answered = -1  # when its answer came
    for it in happened:
        if isinstance(it, Crossed) and housekeeping(it):
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


def part(it: Crossed) -> Wire:
    """The parts of one packet. Raises UnfitError."""
    wire = take_apart(it.packet)
    if isinstance(wire, str):
        raise UnfitError(f"a packet that cannot be read ({wire})")
    if wire.fragment:
        raise UnfitError("fragments")
    if wire.hlen > 20 and wire.version == 4:
        raise UnfitError("IP options")
    if wire.size < wire.length:
        raise UnfitError("a packet that was cut short")
    if not (wire.good and wire.ip_good):
        raise UnfitError("a packet with a wrong checksum")
    if wire.head is None and wire.proto not in (1, ICMPV6):
        raise UnfitError(f"IP protocol {wire.proto}")
    return wire


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
