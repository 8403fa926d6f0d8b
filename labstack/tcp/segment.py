# SPDX-License-Identifier: GPL-2.0-or-later
"""What a segment means: numbers as they stand on the wire, the options that it has, and the payload in pieces.

`parse` verifies and reads, `header` writes; `options` knows the list. The permissive view of the same bytes is
`layers.TCP`. Owns RFC 9293 §3.1.
"""

import struct

from labstack.core.env import Env
from labstack.core.frame import Piece
from labstack.ip.datagram import Datagram
from labstack.tcp import options
from layers import checksum

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, AE = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x100
FLAG_NAMES = {SYN: "SYN", FIN: "FIN", RST: "RST", PSH: "PSH", ACK: "ACK", URG: "URG", ECE: "ECE", CWR: "CWR", AE: "AE"}
PROTO = 6
CSUM_AT = 16
TCP_HLEN = 20

_HEADER = struct.Struct("!HHIIHHHH")
_FLAGS = 0x1FF  # nine bits, AE being the topmost (RFC 9768 §3.1)


class Segment(options.Options):
    """One arriving segment; seq, ack and the SACK blocks become absolute when its connection takes it up."""

    urg = 0  # the urgent pointer, if the URG flag is set
    size = 0  # bytes of payload
    pieces: tuple[Piece, ...] = ()
    secret = b""  # the key with which it is signed, once that is known to be right (`md5`)

    def __init__(self, dgram: Datagram, sport: int, dport: int, seq: int, ack: int, flags: int, wnd: int) -> None:
        self.dgram = dgram
        self.sport = sport
        self.dport = dport
        self.seq = seq
        self.ack = ack
        self.flags = flags
        self.wnd = wnd
        self.gso = dgram.frame.gso

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
    if d.end - at < TCP_HLEN:
        env.count["TcpInErrs"] += 1
        return env.drop("drop.tcp.short", d.end - at)
    sport, dport, seq, ack, flags, wnd, _, urg = _HEADER.unpack_from(buf, at)
    hlen = flags >> 12 << 2
    if hlen < TCP_HLEN or hlen > d.end - at:
        env.count["TcpInErrs"] += 1
        return env.drop("drop.tcp.dataofs", hlen)
    if not d.sure and not _sum_holds(d):
        env.count["TcpInErrs"] += 1
        env.count["TcpInCsumErrors"] += 1
        return env.drop("drop.tcp.csum")
    seg = Segment(d, sport, dport, seq, ack, flags & _FLAGS, wnd)
    if flags & URG:
        seg.urg = urg
    if hlen > TCP_HLEN:
        options.read(env, seg, bytes(buf[at + TCP_HLEN : at + hlen]), bool(flags & SYN))
    seg.size = d.length - hlen
    if seg.size:
        first = at + hlen
        seg.pieces = (memoryview(buf)[first : d.end], *d.body) if first < d.end else d.body
    return seg


def _sum_holds(d: Datagram) -> bool:
    pseudo = checksum.ones_sum(d.src + d.dst, PROTO + d.length)
    return checksum.sum_pieces((memoryview(d.buf)[d.at : d.end], *d.body), pseudo) == 0xFFFF


def header(
    sport: int,
    dport: int,
    seq: int,
    ack: int,
    flags: int,
    wnd: int,
    listed: bytes,
    pseudo: int,
    size: int,
    urg: int = 0,
) -> bytes:
    """A TCP header on the wire, with its list of options; the checksum field holds only the pseudo-header's sum, for
    the edge to complete. pseudo: that sum without the length; size: bytes of data that follow."""
    hlen = TCP_HLEN + len(listed)
    sums = pseudo + hlen + size
    sums = (sums & 0xFFFF) + (sums >> 16)
    flags |= hlen << 10  # the data offset, in words, is the topmost four bits
    return _HEADER.pack(sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, flags, wnd, sums, urg) + listed
