# SPDX-License-Identifier: GPL-2.0-or-later
"""The common frame: one unpack from link header to TCP window, one look-up, and the segment is where it belongs.

Only plain TCP for a quiet connection passes here: no options but timestamps as everybody writes them, no padding, no
fragments, addresses that the IP layer has approved for this flow. Everything else, and everything while a trace is
kept, takes the long way through `arrive`, which does the same in this case; a test compares the two on random frames.
"""

import struct

from labstack.core.frame import Frame
from labstack.ip.family import TCP
from labstack.stack.host import Host
from labstack.tcp import predict
from labstack.tcp.options import STAMP_MAGIC
from labstack.tcp.predict import NO_STAMP
from labstack.tcp.segment import PSH
from layers import checksum

_V4 = struct.Struct("!2xH2xHxB2x12sIIBBH")
_V6 = struct.Struct("!4xHBx36sIIBBH")
_STAMP = struct.Struct("!III")
PLAIN, STAMPED = 0x50, 0x80  # data offsets: no options; NOP, NOP, timestamps (RFC 7323 appendix A)


def taken(host: Host, dev: int, frame: Frame) -> bool:
    """True if the frame was the common one and is dealt with; False leaves everything as it was."""
    env, buf, ip_at = host.env, frame.head, frame.start + frame.net
    end = len(buf)
    if end < ip_at + 40 or not isinstance(buf, bytes):
        return False
    v4 = buf[ip_at] == 0x45
    if v4:
        total, frag, proto, flow, seq, ack, offset, flags, wnd = _V4.unpack_from(buf, ip_at)
        at, size = ip_at + 20, total - 20
    elif end >= ip_at + 60:
        size, proto, flow, seq, ack, offset, flags, wnd = _V6.unpack_from(buf, ip_at)
        at = ip_at + 40
    else:
        return False
    sock = host.flows.get(flow)
    if sock is None or proto != TCP:
        return False
    conn = host.conns[sock]
    if not predict.quiet(env, conn, seq, flags):
        return False
    if conn.approved != (host.net.version, dev, buf[frame.start : ip_at + 1]):
        return False
    if v4 and (frag & 0x3FFF or int.from_bytes(buf[ip_at:at], "big") % 0xFFFF):
        return False
    first, value, echo = at + 20, NO_STAMP, 0
    if offset == STAMPED and end >= at + 32:
        magic, value, echo = _STAMP.unpack_from(buf, first)
        if magic != STAMP_MAGIC:
            return False
        first = at + 32
    elif offset != PLAIN:
        return False
    body, have, size = frame.body, end - first, size - (first - at)
    for piece in body:
        have += len(piece)
    if have != size or not (frame.sure or frame.csum is not None or _sum_holds(frame, at, flow, first - at + size)):
        return False
    pieces = (memoryview(buf)[first:], *body) if first < end else body
    if not predict.taken(env, conn, ack, wnd, size, pieces, flags & PSH != 0, frame.gso, value, echo):
        return False
    count = env.count
    count["LinkInFrames"] += 1
    count["LinkInDelivers"] += 1
    if v4:
        count["IpInReceives"] += 1
        count["IpInDelivers"] += 1
    else:
        count["Ip6InReceives"] += 1
        count["Ip6InDelivers"] += 1
    count["TcpInSegs"] += 1
    count["TcpInDelivers"] += 1
    env.dirty[sock] = None
    return True


def _sum_holds(frame: Frame, at: int, flow: bytes, size: int) -> bool:
    pseudo = checksum.ones_sum(flow[:-4], TCP + size)
    return checksum.sum_pieces((memoryview(frame.head)[at:], *frame.body), pseudo) == 0xFFFF
