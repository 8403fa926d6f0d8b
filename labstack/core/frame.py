# SPDX-License-Identifier: GPL-2.0-or-later
"""Frame: what crosses a link, from a whole super-segment down to one runt.

A frame keeps its payload in pieces that nobody copies, may stand for many real frames (`gso`), and may
leave its transport checksum to whoever puts it on a real wire (`csum`), as virtio-net and Linux do.
`cuts()` makes the real frames: for captures, for Scapy, for wires that corrupt, for devices without offload.
"""

import struct
from collections.abc import Iterator

from layers import checksum

ETHER_HLEN = 14
Piece = bytes | memoryview

_IPV4_LEN_ID = struct.Struct("!HH")
_U16 = struct.Struct("!H")
_U32 = struct.Struct("!I")


class Frame:
    """One frame; treat it as immutable.

    head:  all headers (and, in a frame from outside, everything), from offset `start` on
    body:  the payload behind `head`, in pieces
    gso:   payload bytes of each real segment if this is a super-segment, else None
    csum:  (start, offset) of a checksum still to be completed, counted from `start` as virtio does: sum from
           `start` to the end and store at start+offset, where the pseudo-header's sum waits. None: complete.
    start: where the link header begins in `head` (a device may have put a header of its own before it)
    net:   length of the link header: 14 for Ethernet, 0 where the link carries bare IP
    sure:  the checksums were verified by whoever handed us the frame
    """

    __slots__ = ("body", "csum", "gso", "head", "net", "start", "sure")

    def __init__(
        self,
        head: Piece,
        body: tuple[Piece, ...] = (),
        gso: int | None = None,
        csum: tuple[int, int] | None = None,
        start: int = 0,
        net: int = ETHER_HLEN,
        sure: bool = False,
    ) -> None:
        self.head = head
        self.body = body
        self.gso = gso
        self.csum = csum
        self.start = start
        self.net = net
        self.sure = sure

    def __len__(self) -> int:
        """Bytes from the link header to the end of the payload."""
        size = len(self.head) - self.start
        for piece in self.body:
            size += len(piece)
        return size

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frame) and self.cuts() == other.cuts()

    def __hash__(self) -> int:
        return hash(bytes(self.head[self.start :]))

    def __repr__(self) -> str:
        marks = (f" gso={self.gso}" if self.gso else "") + (" csum=partial" if self.csum else "")
        return f"<Frame {len(self)} bytes{marks}>"

    def flat(self) -> "Frame":
        """The same frame with everything in `head` and nothing in `body`."""
        if not self.body:
            return self
        return Frame(b"".join((self.head, *self.body)), (), self.gso, self.csum, self.start, self.net, self.sure)

    def joined(self, at: int, hlen: int, gso: int, body: tuple[Piece, ...], flags: int) -> "Frame":
        """The TCP super-segment that begins with this frame, which is whole in `head`: what `cuts()` would cut again.

        at, hlen: where TCP begins and ends, counted from `start`; body: the data of all; flags: of the last, as a byte
        """
        head = bytearray(self.head[self.start : self.start + hlen])
        transport = hlen - at + sum(map(len, body))
        _fit_ip(head, self.net, at, transport, bytes(head), 0)
        head[at + 13] |= flags
        addresses = head[self.net + 12 : at] if head[self.net] >> 4 == 4 else head[self.net + 8 : at]
        _U16.pack_into(head, at + 16, checksum.ones_sum(addresses, 6 + transport))
        return Frame(bytes(head), body, gso, (at, 16), 0, self.net, True)

    def cuts(self) -> list[bytes]:
        """The real frames: cut at `gso`, every checksum filled in."""
        raw = b"".join((self.head[self.start :], *self.body))
        if self.csum is None:
            return [raw]
        at, offset = self.csum
        if self.gso is None:
            return [_filled(bytearray(raw), at, at + offset)]
        return list(_segments(raw, self.net, at, offset, self.gso))


def _filled(raw: bytearray, at: int, field: int) -> bytes:
    """Complete the checksum that covers raw[at:], whose field already holds the pseudo-header's sum."""
    if field + 2 > len(raw) or at > field:
        return bytes(raw)
    value = checksum.checksum(memoryview(raw)[at:])
    _U16.pack_into(raw, field, value or 0xFFFF)
    return bytes(raw)


def _segments(raw: bytes, net: int, at: int, offset: int, size: int) -> Iterator[bytes]:
    """Cut a TCP (offset 16) or UDP (offset 6) super-segment: RFC 9293 §3.7.1's segments, one by one."""
    tcp = offset == 16
    hlen = at + ((raw[at + 12] >> 4) * 4 if tcp else 8)
    head, payload = bytearray(raw[:hlen]), memoryview(raw)[hlen:]
    whole = len(payload)
    seq = _U32.unpack_from(raw, at + 4)[0] if tcp else 0
    pseudo = _U16.unpack_from(raw, at + offset)[0] + 0xFFFF - (len(raw) - at) % 0xFFFF  # without a length
    for index, pos in enumerate(range(0, max(whole, 1), size)):
        piece = payload[pos : pos + size]
        transport = hlen - at + len(piece)
        _fit_ip(head, net, at, transport, raw, index)
        if tcp:
            _U32.pack_into(head, at + 4, (seq + pos) & 0xFFFFFFFF)
            last = pos + size >= whole
            # FIN and PSH belong to the last segment, CWR to the first (RFC 3168 §6.1.2)
            head[at + 13] = raw[at + 13] & (0xFF if last else ~0x09) & (~0x80 if index else 0xFF)
        else:
            _U16.pack_into(head, at + 4, transport)
        _U16.pack_into(head, at + offset, 0)
        total = checksum.ones_sum(piece, checksum.ones_sum(head[at:], pseudo + transport))
        _U16.pack_into(head, at + offset, 0xFFFF - total or 0xFFFF)
        yield b"".join((head, piece))


def _fit_ip(head: bytearray, net: int, at: int, transport: int, raw: bytes, index: int) -> None:
    """Give the IP header of the index-th real frame its own length, identification and checksum."""
    if head[net] >> 4 == 4:
        ident = _U16.unpack_from(raw, net + 4)[0]
        _IPV4_LEN_ID.pack_into(head, net + 2, at - net + transport, (ident + index) & 0xFFFF)
        _U16.pack_into(head, net + 10, 0)
        _U16.pack_into(head, net + 10, checksum.checksum(head[net:at]))
    else:
        _U16.pack_into(head, net + 4, at - net + transport - 40)
