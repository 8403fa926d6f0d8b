# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames in words, one line each: 'SYN seq=0 mss=1460', 'ARP who-has 10.0.0.2 tell 10.0.0.1', 'ICMP echo request'.

A Reader reads the frames of a run in order, so that sequence numbers are told relative to the SYN that opened the
connection, and so that a retransmission is called one because its bytes were really sent before (`numbers.py`).
Whatever is not known is told as the layers summarise it; no bytes make a Reader raise.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from labstack.core.event import Rx
from labstack.core.frame import Frame
from labstack.core.record import Record
from labstack.lab.numbers import Numbers
from layers import IP, Ether, IPv6

FLAGS = (
    (0x02, "SYN"),
    (0x01, "FIN"),
    (0x04, "RST"),
    (0x08, "PSH"),
    (0x10, "ACK"),
    (0x20, "URG"),
    (0x40, "ECE"),
    (0x80, "CWR"),
)
SYN, FIN, RST, ACK, URG = 0x02, 0x01, 0x04, 0x10, 0x20
CE = 3  # in the ECN field of an IP header (RFC 3168 §5): a router had to queue
OFFERS = {"MSS": "mss={}", "SAckOK": "sackOK", "Timestamp": "ts", "WScale": "ws={}"}  # options of a SYN
ALWAYS = {"TFO": "tfo", "MD5": "md5", "AO": "ao"}
ICMP4 = {
    0: "echo reply",
    3: "unreachable",
    4: "source quench",
    5: "redirect",
    8: "echo request",
    11: "time exceeded",
    12: "parameter problem",
}
UNREACHABLE4 = {0: "network", 1: "host", 2: "protocol", 3: "port", 4: "needs fragmentation", 13: "prohibited"}
UNREACHABLE6 = {0: "no route", 1: "prohibited", 3: "address", 4: "port"}
ICMP6 = {1: "unreachable", 2: "packet too big", 3: "time exceeded", 4: "parameter problem", 128: "echo request"}

KINDS6 = {
    130: "MLD query",
    131: "MLD report",
    132: "MLD done",
    133: "ND router solicit",
    134: "ND router advertise",
    137: "ND redirect",
    143: "MLDv2 report",
}


class Seen(NamedTuple):
    """label: the words; style: a name in view.STYLES."""

    label: str
    style: str


class Reader:
    """Reads frames in the order in which they were sent."""

    def __init__(self) -> None:
        self.numbers = Numbers()
        self.known: dict[Frame, Seen] = {}

    def read(self, frame: Frame) -> Seen:
        """The words for a frame that is being sent, super-segments whole."""
        seen, again = self._read(frame, True)
        self.known[frame] = seen
        return Seen(seen.label + again, "badtcp" if again and seen.style != "rst" else seen.style)

    def look(self, frame: Frame) -> Seen:
        """The words for a frame that arrives: it was read when it was sent, so it is no retransmission now."""
        return self.known.get(frame) or self._read(frame, False)[0]

    def _read(self, frame: Frame, sent: bool) -> tuple[Seen, str]:
        """The words, and ' rtx #2' when some of its sequence space was sent twice before."""
        raw = b"".join((frame.head[frame.start :], *frame.body))
        if frame.net:
            packet: Any = Ether(raw)
        else:
            packet = IPv6(raw) if raw[:1] and raw[0] >> 4 == 6 else IP(raw)
        net: Any = None
        left = 0  # bytes that the network header says are left
        for layer in _chain(packet):
            name = type(layer).__name__
            if name in ("IP", "IPv6"):
                net, left = layer, layer.len or 0 if name == "IP" else (layer.plen or 0) + 40
            left -= layer.size or 0
            if name == "TCP":
                return self._tcp(net, layer, max(left, 0), frame.gso, sent)
            if told := _tell(name, layer):
                return told, ""
        return Seen(packet.summary(), "other"), ""

    def _tcp(self, net: Any, tcp: Any, size: int, gso: int | None, sent: bool) -> tuple[Seen, str]:
        flags = int(tcp.flags)
        it = self.numbers.count((net.src, tcp.sport, net.dst, tcp.dport), tcp, size, sent)
        words = [",".join(name for bit, name in FLAGS if flags & bit) or "(no flags)"]
        if size or flags & (SYN | FIN | RST) or not it.usual:
            words.append(f"seq={it.seq}:{it.seq + size}" if size else f"seq={it.seq}")
        words += [f"ack={it.ack}"] * bool(flags & ACK)
        words += [f"len={size}"] * bool(size) + [f"({-(-size // (gso or 1))} segments)"] * bool(gso)
        words += [f"win={it.window}"] * (it.opens or (not it.window and not flags & RST))
        words += [f"urg={tcp.urgptr}"] * bool(flags & URG)
        words += ["CE"] * ((net.tos if isinstance(net, IP) else net.tc) & 3 == CE)
        words += _options(tcp, flags, it.origin)
        style = "rst" if flags & RST else "syn" if flags & (SYN | FIN) else "tcp"
        return Seen(" ".join(words), style), f" rtx #{it.times}" if it.times else ""


class Told(NamedTuple):
    """A record's frames in words: the one that arrived, if it was an arrival, and those that were sent."""

    came: Seen | None
    sent: tuple[Seen, ...]


class Script:
    """All frames of a history in words, each read once, in order: relative numbers begin at the SYN.

    Histories grow, shrink and fork; `read` goes on where it can and begins anew where the past is another one.
    """

    def __init__(self, records: Sequence[Record] = ()) -> None:
        self.read(records)

    def read(self, records: Sequence[Record]) -> "Script":
        """Make sure that all of these records are read; returns itself. [i] is what records[i] says."""
        known: list[Record] = getattr(self, "records", [])
        common = min(len(known), len(records))
        if not known or (common and known[common - 1] is not records[common - 1]):
            self.records: list[Record] = []
            self.told: list[Told] = []
            self.reader = Reader()
        for record in records[len(self.records) :]:
            self.records.append(record)
            self.told.append(self._tell(record))
        return self

    def __getitem__(self, index: int) -> Told:
        return self.told[index]

    def look(self, frame: Frame) -> Seen:
        """The words for a frame that is still on its way."""
        return self.reader.look(frame)

    def _tell(self, record: Record) -> Told:
        came = None
        if isinstance(record.event, Rx):  # a frame that no record sent is read here for the first time
            came = (self.reader.look if record.flight > 0 else self.reader.read)(record.event.frame)
        return Told(came, tuple([self.reader.read(sent.frame) for sent in record.sent]))


def _chain(packet: Any) -> list[Any]:
    layers: list[Any] = []
    while packet is not None and packet.__class__.__name__ != "NoPayload" and len(layers) < 32:
        layers.append(packet)
        packet = getattr(packet, "payload", None)
    return layers


def _options(tcp: Any, flags: int, first: int) -> list[str]:
    """The options worth a word: those of a SYN, and the SACK blocks, which count from the peer's `first` number."""
    found = []
    for option in tcp.options if isinstance(tcp.options, list) else ():
        name, value = option[0], option[1] if len(option) > 1 else None
        if flags & SYN and name in OFFERS:
            found.append(OFFERS[name].format(value))
        elif name == "SAck" and isinstance(value, tuple):
            edges = [(edge - first) & 0xFFFFFFFF for edge in value]
            blocks = zip(edges[::2], edges[1::2], strict=False)
            found.append("sack=" + ",".join(f"{left}:{right}" for left, right in blocks))
        elif name in ALWAYS:
            found.append(ALWAYS[name])
    return found


def _tell(name: str, layer: Any) -> Seen | None:
    teller = TELLERS.get(name)
    if teller is not None:
        return teller(layer)
    return _nd(name, layer) if name.startswith("ICMPv6") else None


def _arp(arp: Any) -> Seen:
    if arp.op == 1:
        who = f"ARP probe {arp.pdst}" if arp.psrc == "0.0.0.0" else f"ARP who-has {arp.pdst} tell {arp.psrc}"
        return Seen(f"ARP announce {arp.psrc}" if arp.pdst == arp.psrc else who, "arp")
    return Seen(f"ARP {arp.psrc} is-at {arp.hwsrc}" if arp.op == 2 else f"ARP op={arp.op}", "arp")


def _icmp(icmp: Any) -> Seen:
    kind = ICMP4.get(icmp.type, f"type={icmp.type} code={icmp.code}")
    if icmp.type in (0, 8):
        return Seen(f"ICMP {kind} id={icmp.id} seq={icmp.seq} len={len(bytes(icmp.payload))}", "icmp")
    if icmp.type == 3:
        kind = f"{UNREACHABLE4.get(icmp.code, f'code={icmp.code}')} unreachable"
    return Seen(f"ICMP {kind}", "icmperr")


def _nd(name: str, layer: Any) -> Seen:
    """ICMPv6, whose messages are classes of their own."""
    kind = int(layer.type)
    if kind in (128, 129):
        size = len(layer.data) if hasattr(layer, "data") else len(bytes(layer.payload))
        what = "request" if kind == 128 else "reply"
        return Seen(f"ICMPv6 echo {what} id={layer.id} seq={layer.seq} len={size}", "icmp")
    if kind == 135:
        return Seen(f"ND solicit {layer.tgt}", "icmp")
    if kind == 136:
        marks = "".join(mark for mark in "RSO" if getattr(layer, mark, 0))
        return Seen(f"ND advertise {layer.tgt} {marks}".rstrip(), "icmp")
    if kind == 1:
        return Seen(f"ICMPv6 {UNREACHABLE6.get(layer.code, f'code={layer.code}')} unreachable", "icmperr")
    if kind in ICMP6:
        return Seen(f"ICMPv6 {ICMP6[kind]}", "icmperr")
    return Seen(KINDS6.get(kind, name.replace("ICMPv6", "ICMPv6 ", 1)), "icmp")


def _udp(udp: Any) -> Seen:
    return Seen(f"UDP {udp.sport} → {udp.dport} len={len(bytes(udp.payload))}", "udp")


TELLERS: dict[str, Callable[[Any], Seen]] = {"ARP": _arp, "ICMP": _icmp, "UDP": _udp}
