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
from labstack.tcp import predict, tally
from labstack.tcp.options import STAMP_MAGIC
from labstack.tcp.segment import PSH
from layers import checksum

_V4 = struct.Struct("!BBHHHBBH12sIIBBH")
_V6 = struct.Struct("!IHBB36sIIBBH")
_ETHERTYPES = {4: b"\x08\x00", 6: b"\x86\xdd"}
_STAMP = struct.Struct("!III")
PLAIN, STAMPED = 0x50, 0x80  # data offsets: no options; NOP, NOP, timestamps (RFC 7323 appendix A)


def taken(host: Host, dev: int, frame: Frame) -> bool:
    """True if the frame was the common one and is dealt with; False leaves everything as it was."""
    env, buf, start = host.env, frame.head, frame.start
    net_at = start + frame.net
    if not isinstance(buf, bytes) or len(buf) < net_at + 40:
        return False
    version = buf[net_at] >> 4
    if version == 4:
        vihl, _, total, _, frag, _, proto, _, flow, seq, ack, offset, flags, wnd = _V4.unpack_from(buf, net_at)
        at, size = net_at + 20, total - 20
        if vihl != 0x45 or frag & 0x3FFF:
            return False
    elif version == 6 and len(buf) >= net_at + 60:
        _, length, proto, _, flow, seq, ack, offset, flags, wnd = _V6.unpack_from(buf, net_at)
        at, size = net_at + 40, length
    else:
        return False
    sock = host.flows.get(flow)
    if sock is None or proto != TCP:
        return False
    conn, first, echo = host.conns[sock], at + 20, None
    if conn.approved != (host.net.version, dev) or not predict.quiet(env, conn, seq, flags):
        return False
    iface = host.net.ifaces[dev]
    if not iface.up or (iface.mac and not _ours(buf, start, net_at, iface.mac, version)):
        return False
    if version == 4 and int.from_bytes(buf[net_at:at], "big") % 0xFFFF:
        return False
    if offset == STAMPED and len(buf) >= at + 32:
        magic, *echo = _STAMP.unpack_from(buf, first)
        if magic != STAMP_MAGIC or not predict.newer(conn, echo[0]):
            return False
        first = at + 32
    elif offset != PLAIN:
        return False
    size -= first - at
    have = len(buf) - first
    for piece in frame.body:
        have += len(piece)
    if have != size or not (frame.sure or frame.csum is not None or _sum_holds(frame, at, flow, first - at + size)):
        return False
    pieces = (memoryview(buf)[first:], *frame.body) if first < len(buf) else frame.body
    if not predict.taken(env, conn, ack, wnd, size, pieces, flags & PSH != 0, frame.gso, echo):
        return False
    if size and frame.gso is None:
        conn.tally.data_segs_in += 1
    else:
        tally.arrived(conn.tally, size, frame.gso)
    count = env.count
    for name in _COUNTED[version]:
        count[name] += 1
    env.dirty[sock] = None
    return True


_COUNTED = {
    4: ("LinkInFrames", "LinkInDelivers", "IpInReceives", "IpInDelivers", "TcpInSegs", "TcpInDelivers"),
    6: ("LinkInFrames", "LinkInDelivers", "Ip6InReceives", "Ip6InDelivers", "TcpInSegs", "TcpInDelivers"),
}


def _ours(buf: bytes, start: int, net_at: int, mac: bytes, version: int) -> bool:
    """Sent to this MAC by a single station, as the ethertype of this version of IP."""
    return (
        buf[start : start + 6] == mac
        and not buf[start + 6] & 1
        and buf[net_at - 2 : net_at] == _ETHERTYPES.get(version)
        and net_at - start == 14
    )


def _sum_holds(frame: Frame, at: int, flow: bytes, size: int) -> bool:
    pseudo = checksum.ones_sum(flow[:-4], TCP + size)
    return checksum.sum_pieces((memoryview(frame.head)[at:], *frame.body), pseudo) == 0xFFFF
