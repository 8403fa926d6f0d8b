# SPDX-License-Identifier: GPL-2.0-or-later
"""What a segment means: numbers as they stand on the wire, options that we know, and the payload in pieces.

`parse` verifies and reads, `header` writes. The permissive view of the same bytes is `layers.TCP`.
Owns RFC 9293 §3.1 and §3.2; RFC 7323 §2.2 (window scale).
"""

import struct

from labstack.core.env import Env
from labstack.core.frame import Piece
from labstack.ip.datagram import Datagram
from layers import checksum
from layers.tcp import build_options, parse_options

FIN, SYN, RST, PSH, ACK, URG = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
FLAG_NAMES = {SYN: "SYN", FIN: "FIN", RST: "RST", PSH: "PSH", ACK: "ACK", URG: "URG"}
PROTO = 6
CSUM_AT = 16
TCP_HLEN = 20
MAX_SHIFT = 14  # RFC 7323 §2.3

_HEADER = struct.Struct("!HHIIBBHHH")
_TIMESTAMPS_ONLY = b"\x01\x01\x08\x0a"


class Segment:
    """One arriving segment; seq and ack become absolute when its connection takes it up."""

    __slots__ = ("ack", "dgram", "dport", "flags", "gso", "mss", "pieces", "seq", "shift", "size", "sport", "wnd")

    def __init__(self, dgram: Datagram, sport: int, dport: int, seq: int, ack: int, flags: int, wnd: int) -> None:
        self.dgram = dgram
        self.sport = sport
        self.dport = dport
        self.seq = seq
        self.ack = ack
        self.flags = flags
        self.wnd = wnd
        self.size = 0  # bytes of payload
        self.pieces: tuple[Piece, ...] = ()
        self.gso = dgram.frame.gso
        self.mss: int | None = None
        self.shift: int | None = None

    @property
    def len(self) -> int:
        """SEG.LEN: SYN and FIN occupy sequence space (RFC 9293 §3.4)."""
        return self.size + (self.flags & 1) + (self.flags >> 1 & 1)

    @property
    def names(self) -> str:
        return ",".join(name for bit, name in FLAG_NAMES.items() if self.flags & bit) or "none"


def parse(env: Env, d: Datagram) -> Segment | None:
    """The meaning of a TCP datagram, or None after a counted drop."""
    env.count["TcpInSegs"] += 1
    at, buf = d.at, d.buf
    if d.end - at < 20:
        env.count["TcpInErrs"] += 1
        return env.drop("drop.tcp.short", d.end - at)
    sport, dport, seq, ack, offset, flags, wnd, _, _ = _HEADER.unpack_from(buf, at)
    hlen = (offset >> 4) * 4
    if hlen < 20 or hlen > d.end - at:
        env.count["TcpInErrs"] += 1
        return env.drop("drop.tcp.dataofs", hlen)
    if not d.sure and not _sum_holds(d):
        env.count["TcpInErrs"] += 1
        env.count["TcpInCsumErrors"] += 1
        return env.drop("drop.tcp.csum")
    seg = Segment(d, sport, dport, seq, ack, flags & 0x3F, wnd)
    if hlen > 20:
        _read_options(env, seg, bytes(buf[at + 20 : at + hlen]))
    seg.size = d.length - hlen
    if seg.size:
        first = at + hlen
        seg.pieces = (memoryview(buf)[first : d.end], *d.body) if first < d.end else d.body
    return seg


def _sum_holds(d: Datagram) -> bool:
    pseudo = checksum.ones_sum(d.src + d.dst, PROTO + d.length)
    return checksum.sum_pieces((memoryview(d.buf)[d.at : d.end], *d.body), pseudo) == 0xFFFF


def _read_options(env: Env, seg: Segment, raw: bytes) -> None:
    """Keep what we know; a malformed option ends the list and the segment lives on (RFC 9293 §3.1, MUST-6 and 7)."""
    if raw[:4] == _TIMESTAMPS_ONLY:
        return
    options, malformed = parse_options(raw)
    if malformed:
        env.count["TcpInBadOptions"] += 1
        env.note("9293/3.1/option/malformed", 0, malformed)
    if not seg.flags & SYN:
        return
    for name, value in options:
        if name == "MSS" and isinstance(value, int):
            seg.mss = value
        elif name == "WScale" and isinstance(value, int):
            seg.shift = min(value, MAX_SHIFT)


def header(sport: int, dport: int, seq: int, ack: int, flags: int, wnd: int, options: bytes, pseudo: int) -> bytes:
    """A TCP header on the wire; the checksum field holds only the pseudo-header's sum, for the edge to complete."""
    words = 5 + len(options) // 4
    seq, ack = seq & 0xFFFFFFFF, ack & 0xFFFFFFFF
    return _HEADER.pack(sport, dport, seq, ack, words << 4, flags, wnd, pseudo, 0) + options


def syn_options(mss: int, shift: int | None) -> bytes:
    """MSS goes on SYN segments only (RFC 9293 §3.7.1, MUST-65), window scale too (RFC 7323 §2.1)."""
    options: list[tuple[str, object]] = [("MSS", mss)]
    if shift is not None:
        options += [("NOP", None), ("WScale", shift)]
    return build_options(options)
