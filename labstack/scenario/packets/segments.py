# SPDX-License-Identifier: GPL-2.0-or-later
"""A script's inbound packets as bytes: TCP with its options laid out as written, UDP, ICMP and ICMPv6 with quotes.

Numbers go from the script's space to the wire's by a Flow. Reading packets back is `view`'s affair.
"""

from typing import Any

from labstack.packetdrill.script import Icmp, Ip, Option, Packet, Quote, Tcp
from labstack.scenario.packets import icmpnames, tcpopt
from labstack.scenario.packets.flow import MOD, Flow, PacketError
from layers import ICMP, IP, TCP, UDP, ICMPv6Unknown, IPv6, Raw
from layers.tcp import REST

ECN = {"noecn": 0, "ect1": 1, "ect0": 2, "ce": 3}  # the last two bits of tos (RFC 3168 §5)
BITS = {
    "F": 1,
    "S": 2,
    "R": 4,
    "P": 8,
    ".": 16,
    "E": 64,
    "W": 128,
    "A": 256,
    "U": 32,
}  # in the header, in a script's order
ACE = ((4, "A"), (2, "W"), (1, "E"))  # the ACE field's bits (RFC 9768 §3.2.1)
TTL = 255
TCP_SIZE, ECHOED = 20, 8  # bytes: a header without options; what an error quotes of it
LONGEST = 65535


def build(packet: Packet, flow: Flow) -> bytes:
    """The IP packet that an inbound line of a script puts on the wire; a SYN's number becomes flow.remote_isn.

    Raises PacketError with a sentence: an ecr that was never sent, options of a wrong size, a flow label in IPv4...
    """
    body = packet.body
    upper = (
        _icmp(body, flow)
        if isinstance(body, Icmp)
        else _tcp(packet, body, flow)
        if isinstance(body, Tcp)
        else (UDP(**_ports(packet, flow)) / Raw(load=bytes(body.size)))
    )
    try:
        data = bytes(_ip(packet.ip, flow) / upper)
    except ValueError as wrong:
        raise PacketError(f"it cannot be laid out as bytes: {wrong}") from None
    if isinstance(body, Tcp) and "S" in body.flags:
        flow.opened(body.seq % MOD)
    return data


def bits(body: Tcp) -> int:
    """The flags of the TCP header."""
    ace = 0 if body.ace is None else sum(BITS[flag] for mark, flag in ACE if body.ace & mark)
    return sum({BITS[flag] for flag in body.flags}) | ace


def _ip(ip: Ip, flow: Flow) -> Any:
    if ip.ecn == "ect01":
        raise PacketError("ect01 is either of two: it can be expected, not sent")
    tos = ip.tos if ip.tos is not None else ECN[ip.ecn or "noecn"]
    ttl = TTL if ip.ttl is None else ip.ttl
    if len(flow.remote) == 16:
        return IPv6(src=flow.remote, dst=flow.local, tc=tos, hlim=ttl, fl=ip.flowlabel or 0)
    if ip.flowlabel is not None:
        raise PacketError("IPv4 has no flow label")
    return IP(src=flow.remote, dst=flow.local, tos=tos, ttl=ttl, id=0)


def _ports(packet: Packet, flow: Flow) -> dict[str, int]:
    sport, dport = packet.ports or (flow.remote_port, flow.local_port)
    if not packet.ports and not flow.local_port:
        raise PacketError("the port of the host under test is not known yet; write the ports, as in 8080>8081")
    return {"sport": sport, "dport": dport}


def _tcp(packet: Packet, body: Tcp, flow: Flow) -> Any:
    if body.options is None or body.win is None:
        what = "<...>" if body.options is None else "no window"
        raise PacketError(f"{what} is for what is expected; a packet that is sent needs it written")
    syn, acks = "S" in body.flags, "." in body.flags
    shift = flow.local_shift(syn) if acks else 0
    options = tuple([_live(option, flow, syn, acks) for option in body.options])
    return TCP(
        **_ports(packet, flow),
        seq=(body.seq + flow.remote_shift(syn)) % MOD,
        ack=((body.ack or 0) + shift) % MOD,
        flags=bits(body),
        window=body.win,
        urgptr=body.urg or 0,
        options=[(REST, tcpopt.encode(options))],
    ) / Raw(load=bytes(body.size))


def _live(option: Option, flow: Flow, syn: bool, acks: bool) -> Option:
    values: Any = option.values
    if option.name == "sack":
        return Option("sack", tuple((value + flow.local_shift(syn)) % MOD for value in values))
    if option.name == "TS" and acks:
        return Option("TS", (values[0], flow.live_echo(values[1])))
    return option


def _icmp(body: Icmp, flow: Flow) -> Any:
    version = 4 if len(flow.local) == 4 else 6
    kind, code = icmpnames.numbers(version, body)
    quotes = kind in icmpnames.QUOTING[version]
    quote = body.quote or (Quote("tcp") if quotes else Quote("raw"))
    more = bytes(max(quote.size - icmpnames.size(version, kind), 0)) if quote.kind == "raw" else _quote(quote, flow)
    mtu, ident = body.mtu or 0, body.ident or 0
    if body.mtu is not None and (version, kind, code) not in icmpnames.TOO_BIG:
        raise PacketError("only frag_needed and packet_too_big carry an mtu")
    if body.ident is not None and kind not in icmpnames.ECHOES[version]:
        raise PacketError("only echo_request and echo_reply carry an id")
    if version == 4:
        return ICMP(type=kind, code=code, id=ident, nexthopmtu=mtu) / Raw(load=more)
    word = mtu or ident << 16
    return ICMPv6Unknown(type=kind, code=code, msgbody=word.to_bytes(4, "big") + more)


def _quote(quote: Quote, flow: Flow) -> bytes:
    """The packet of ours that an error quotes."""
    ports = flow.local_port.to_bytes(2, "big") + flow.remote_port.to_bytes(2, "big")
    if quote.kind == "tcp":
        proto, size = 6, TCP_SIZE + quote.size
        rest = ((quote.seq + flow.local_shift(False)) % MOD).to_bytes(4, "big")
    else:
        proto, size = 17, ECHOED + quote.size
        rest = (size & 0xFFFF).to_bytes(2, "big") + bytes(2)
    if len(flow.local) == 4:
        header: Any = IP(src=flow.local, dst=flow.remote, proto=proto, len=min(20 + size, LONGEST), id=0)
    else:
        header = IPv6(src=flow.local, dst=flow.remote, nh=proto, plen=min(size, LONGEST))
    return bytes(header / Raw(load=ports + rest))
