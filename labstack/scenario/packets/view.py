# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets from the wire in a script's terms: bytes to script.Packet, with every field filled in.

For comparison, ladders and recording; the reverse of `segments.build`.
"""

from typing import Any

from labstack.packetdrill.script import Icmp, Ip, Option, Packet, Quote, Tcp, Udp
from labstack.scenario.packets import icmpnames, tcpopt
from labstack.scenario.packets.flow import MOD, Flow
from labstack.scenario.packets.segments import BITS, ECHOED, TCP_SIZE
from labstack.scenario.packets.wire import PROTOCOLS, Wire


def seen(wire: Wire, flow: Flow, inbound: bool = False) -> Packet | str:
    """What a script would call an IP packet, or what it is instead, if a script cannot have it."""
    ip = Ip(None, wire.tos, wire.ttl, _label(wire, flow) if wire.version == 6 else None)
    if wire.proto == 6 and wire.head is not None:
        body: Tcp | Udp | Icmp = _tcp(wire, flow, inbound)
    elif wire.proto == 17 and wire.head is not None:
        body = Udp(len(wire.payload))
    elif wire.proto == (1 if wire.version == 4 else 58) and len(wire.payload) >= 8:
        return Packet(inbound, _icmp(wire, flow), ip)
    else:
        return PROTOCOLS.get(wire.proto, f"protocol {wire.proto}") + (" fragment" if wire.fragment else "")
    return Packet(inbound, body, ip, (wire.head.sport, wire.head.dport))


def _label(wire: Wire, flow: Flow) -> int:
    return next((name for name, live in flow.labels.items() if live == wire.label), wire.label)


def _tcp(wire: Wire, flow: Flow, inbound: bool) -> Tcp:
    head: Any = wire.head
    syn, acks = bool(head.flags & 2), bool(head.flags & 16)
    own, other = flow.local_shift(syn), flow.remote_shift(syn)
    if syn and not inbound and flow.local_isn is None:
        own = head.seq - flow.script_isn  # the first one is what they are counted from
    seq, ack = (other, own) if inbound else (own, other)
    return Tcp(
        "".join([letter for letter, bit in BITS.items() if head.flags & bit]),
        (head.seq - seq) % MOD,
        len(wire.payload),
        (head.ack - ack if acks else head.ack) % MOD,
        head.window,
        head.urgptr,
        tuple([_script(option, flow, inbound, acks, ack) for option in tcpopt.decode(wire.options)]),
    )


def _script(option: Option, flow: Flow, inbound: bool, acks: bool, shift: int) -> Option:
    values: Any = option.values
    if option.name == "sack":
        return Option("sack", tuple([(value - shift) % MOD for value in values]))
    if option.name == "TS" and not inbound:
        return Option("TS", (flow.script_stamp(values[0]), values[1]))
    if option.name == "TS" and acks:
        known = next((name for name, live in flow.stamps.items() if live == values[1]), None)
        return Option("TS", (values[0], flow.script_stamp(values[1]) if known is None else known))
    return option


def _icmp(wire: Wire, flow: Flow) -> Icmp:
    message, version = wire.payload, wire.version
    kind, code = message[0], message[1]
    word = int.from_bytes(message[4:8], "big")
    big = (version, kind, code) in icmpnames.TOO_BIG
    echo = kind in icmpnames.ECHOES[version]
    quote = _quoted(message[8:], flow) if kind in icmpnames.QUOTING[version] else None
    if quote is None and len(message) > icmpnames.size(version, kind):
        quote = Quote("raw", 0, len(message))
    mtu = (word & 0xFFFF if version == 4 else word) if big else None
    return Icmp(*icmpnames.names(version, kind, code), mtu, word >> 16 if echo else None, quote)


def _quoted(data: bytes, flow: Flow) -> Quote | None:
    """The TCP segment or UDP datagram that an error quotes, its number counted in our space; None if it is neither."""
    version = data[0] >> 4 if data else 0
    size = {4: (data[0] & 15) * 4, 6: 40}.get(version, 0) if data else 0
    if not size or len(data) < size + ECHOED:
        return None
    proto = data[9] if version == 4 else data[6]
    length = int.from_bytes(data[2:4] if version == 4 else data[4:6], "big") - (size if version == 4 else 0)
    rest = data[size:]
    if proto == 17:
        return Quote("udp", 0, length - ECHOED)
    if proto != 6:
        return None
    seq, head = int.from_bytes(rest[4:8], "big"), (rest[12] >> 4) * 4 if len(rest) > 12 else TCP_SIZE
    return Quote("tcp", (seq - flow.local_shift(False)) % MOD, length - head)
