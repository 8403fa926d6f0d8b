# SPDX-License-Identifier: GPL-2.0-or-later
"""virtio_net_hdr between a device and a Frame, both ways: unfinished checksums and super-segments (virtio 1.2, 5.1.6).

The ten bytes stay in front of the frame when it is read (`Frame.start` skips them), so that nothing is copied.
"""

import struct

from labstack.core.frame import ETHER_HLEN, Frame
from layers.virtio import F_NEEDS_CSUM, GSO_ECN, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4

SIZE = 10
NONE = bytes(SIZE)
UDP_CSUM, CWR = 6, 0x80  # where UDP's checksum stands in its header; TCP's flag

_HEADER = struct.Struct("=BBHHHH")  # flags, gso_type, hdr_len, gso_size, csum_start, csum_offset: host order


def parse(raw: bytes, net: int = ETHER_HLEN) -> Frame:
    """The frame behind a virtio_net_hdr. What the local kernel vouches for, or left unfinished, is `sure`."""
    if raw[:2] == b"\0\0":
        return Frame(raw, (), None, None, SIZE, net, False)
    flags, gso_type, _, gso_size, start, offset = _HEADER.unpack_from(raw)
    csum = (start, offset) if flags & F_NEEDS_CSUM else None
    return Frame(raw, (), gso_size if gso_type else None, csum, SIZE, net, flags != 0)


def header(frame: Frame) -> bytes:
    """The virtio_net_hdr that makes a device finish this frame's checksum and cut it at its gso size."""
    if frame.csum is None:
        return NONE
    at, offset = frame.csum
    if frame.gso is None:
        return _HEADER.pack(F_NEEDS_CSUM, 0, 0, 0, at, offset)
    head, start = frame.head, frame.start
    if offset == UDP_CSUM:
        return _HEADER.pack(F_NEEDS_CSUM, GSO_UDP_L4, at + 8, frame.gso, at, offset)
    kind = GSO_TCPV4 if head[start + frame.net] >> 4 == 4 else GSO_TCPV6
    if head[start + at + 13] & CWR:
        kind |= GSO_ECN
    size = at + (head[start + at + 12] >> 4) * 4
    return _HEADER.pack(F_NEEDS_CSUM, kind, size, frame.gso, at, offset)
