# SPDX-License-Identifier: GPL-2.0-or-later
"""What a packet says, apart from what differs from run to run: two hosts that behave the same send the same shapes.

Sequence numbers count from their SYN, the values of timestamps, ports and identifications are left out.
"""

from typing import Any, NamedTuple

from labstack.scenario.verdict import Passed
from layers import ICMP, IP, TCP, UDP, ICMPv6, IPv6

MOD = 1 << 32
SYN, ACK = 0x02, 0x10
VOLATILE = {"Timestamp", "MD5", "TFO", "Experiment"}  # options whose values are of one run only


class Shape(NamedTuple):
    """One packet. what: 'TCP', 'UDP', ...; options: TCP's, by name and value."""

    at: int
    inbound: bool
    what: str
    flags: str = ""
    seq: int = 0
    ack: int = 0
    size: int = 0
    win: int = 0
    options: tuple[str, ...] = ()
    ip: str = ""  # tos and ttl

    def __str__(self) -> str:
        if self.what != "TCP":
            return f"{self.what} {self.flags} ({self.size})".replace("  ", " ")
        ack = f" ack {self.ack}" if "." in self.flags else ""
        options = f" <{','.join(self.options)}>" if self.options else ""
        return f"{self.flags} {self.seq}:{self.seq + self.size}({self.size}){ack} win {self.win}{options}"


class Shaper:
    """Makes shapes of the packets of one run, in order; it remembers the initial numbers."""

    def __init__(self, link: str = "ip") -> None:
        self.skip = 0 if link == "ip" else 14
        self.first: dict[tuple[Any, ...], int] = {}

    def shape(self, passed: Passed) -> Shape:
        raw = passed.data[self.skip :]
        packet: Any = IPv6(raw) if raw[:1] and raw[0] >> 4 == 6 else IP(raw)
        blank = Shape(passed.at, passed.inbound, "IP")
        if TCP in packet:
            return self._tcp(blank, packet, packet[TCP])
        for layer in (UDP, ICMP, ICMPv6):
            if layer in packet:
                found = packet[layer]
                flags = "" if layer is UDP else f"type {found.type} code {found.code}"
                return blank._replace(what=layer.__name__, flags=flags, size=len(bytes(found.payload)), ip=_ip(packet))
        return blank._replace(what=type(packet).__name__, size=len(raw))

    def _tcp(self, blank: Shape, packet: Any, tcp: Any) -> Shape:
        there = (packet.src, tcp.sport, packet.dst, tcp.dport)
        back = (packet.dst, tcp.dport, packet.src, tcp.sport)
        flags = int(tcp.flags)
        if flags & SYN:
            self.first[there] = tcp.seq
        seq = (tcp.seq - self.first.setdefault(there, tcp.seq)) % MOD
        ack = (tcp.ack - self.first.setdefault(back, (tcp.ack - 1) % MOD)) % MOD if flags & ACK else 0
        return blank._replace(
            what="TCP",
            flags="".join(letter for bit, letter in FLAGS if flags & bit) or "-",
            seq=seq,
            ack=ack,
            size=len(bytes(tcp.payload)),
            win=tcp.window,
            options=tuple(_option(*option) for option in tcp.options),
            ip=_ip(packet),
        )


FLAGS = ((0x01, "F"), (0x02, "S"), (0x04, "R"), (0x08, "P"), (0x10, "."), (0x20, "U"), (0x40, "E"), (0x80, "W"))


def _option(name: Any, value: Any = None, *more: Any) -> str:
    shown = "" if value in (None, b"", ()) or name in VOLATILE else " " + _value(name, value)
    return f"{NAMES.get(name, name)}{shown}"


NAMES = {"MSS": "mss", "WScale": "wscale", "SAckOK": "sackOK", "SAck": "sack", "Timestamp": "TS", "NOP": "nop",
         "EOL": "eol"}  # fmt: skip


def _value(name: str, value: Any) -> str:
    if name == "SAck":  # absolute on the wire: only how many blocks, and how long
        return " ".join(str((end - start) % MOD) for start, end in zip(value[::2], value[1::2], strict=False))
    return value.hex() if isinstance(value, bytes) else str(value)


def _ip(packet: Any) -> str:
    return f"tos {packet.tos} ttl {packet.ttl}" if hasattr(packet, "tos") else f"tos {packet.tc} ttl {packet.hlim}"
