# SPDX-License-Identifier: GPL-2.0-or-later
"""What a packet says, apart from what differs from run to run: two hosts that behave the same send the same shapes.

Sequence numbers count from their SYN, the values of timestamps, ports and identifications are left out.
"""

from typing import NamedTuple

from labstack.packetdrill.script import Option
from labstack.scenario.packets import tcpopt
from labstack.scenario.packets.flow import MOD
from labstack.scenario.packets.segments import BITS
from labstack.scenario.packets.wire import ACK, PROTOCOLS, SYN, Wire, take_apart
from labstack.scenario.verdict import Passed

VOLATILE = {"TS", "md5", "FO", "FOEXP"}  # options whose values are of one run only


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
        self.first: dict[tuple[bytes, int, bytes, int], int] = {}

    def shape(self, passed: Passed) -> Shape:
        wire = take_apart(passed.data[self.skip :])
        if isinstance(wire, str):
            return Shape(passed.at, passed.inbound, wire, size=len(passed.data))
        ip, what = f"tos {wire.tos} ttl {wire.ttl}", PROTOCOLS.get(wire.proto, f"protocol {wire.proto}").upper()
        blank = Shape(passed.at, passed.inbound, what, size=len(wire.payload), ip=ip)
        if wire.tcp is not None:
            return self._tcp(blank, wire)
        of_icmp = "ICMP" in what and len(wire.payload) > 1
        return blank._replace(flags=f"type {wire.payload[0]} code {wire.payload[1]}") if of_icmp else blank

    def _tcp(self, blank: Shape, wire: Wire) -> Shape:
        head = wire.head
        there, back = (wire.src, head.sport, wire.dst, head.dport), (wire.dst, head.dport, wire.src, head.sport)
        if head.flags & SYN:
            self.first[there] = head.seq
        seq = (head.seq - self.first.setdefault(there, head.seq)) % MOD
        ack = (head.ack - self.first.setdefault(back, (head.ack - 1) % MOD)) % MOD if head.flags & ACK else 0
        flags = "".join([letter for letter, bit in BITS.items() if head.flags & bit]) or "-"
        options = tuple(map(_word, tcpopt.decode(wire.options)))
        return blank._replace(flags=flags, seq=seq, ack=ack, win=head.window, options=options)


def _word(option: Option) -> str:
    """An option without what is of one run only; SACK blocks by their lengths."""
    if option.name == "sack":
        edges = [edge for edge in option.values if isinstance(edge, int)]
        return " ".join(
            ["sack", *(str((end - start) % MOD) for start, end in zip(edges[::2], edges[1::2], strict=False))]
        )
    return option.name if option.name in VOLATILE else tcpopt.word(option)
