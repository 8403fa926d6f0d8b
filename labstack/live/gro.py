# SPDX-License-Identifier: GPL-2.0-or-later
"""Generic receive offload: what a batch brings of one connection in a row is joined before the stack sees it.

Data in sequence becomes one super-segment, whose `cuts()` are exactly the frames that came. Of plain acknowledgments
that go forward only the last is left: all of a batch arrive at the same moment, and it says what the others said.
Nothing is joined that a receiver could tell apart: other options, flags or windows, a gap, a checksum that fails.
"""

import struct
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from labstack.core.frame import Frame
from labstack.core.named import named
from labstack.ip.family import TCP
from labstack.tcp.options import STAMP_MAGIC, STAMP_SIZE
from labstack.tcp.segment import ACK, PSH
from labstack.tcp.seq import HALF, MASK
from layers import checksum

LARGEST = 65_535  # bytes of an IP packet

_V4 = struct.Struct("!2sHH4sH12sIIHHHH")  # to TCP's urgent pointer; 4s: fragment offset, TTL, protocol
_V6 = struct.Struct("!4sHBB36sIIHHHH")
_MAGIC = STAMP_MAGIC.to_bytes(4, "big")


class Segment(NamedTuple):
    """A TCP segment in a frame of its own. same: what all frames of a flow share, from the link header to the ports."""

    frame: Frame
    same: bytes
    ident: int  # IPv4's identification; 0 with IPv6
    at: int  # where TCP begins, counted from the link header
    seq: int
    ack: int
    flags: int  # with the data offset
    wnd: int
    options: bytes
    size: int  # of its data


def join(frames: Sequence[Frame], count: "Counter[str]") -> list[Frame]:
    """The frames, fewer where some could be joined. count: 'segments' and 'acks', that are part of others now."""
    out: list[Frame] = []
    run: list[Segment] = []
    for frame in frames:
        segment = _parsed(frame) if frame.gso is None else None
        if run and (segment is None or not _follows(run, segment)):
            out += _one(run, count)
            run = []
        if segment is None:
            out.append(frame)
        else:
            run.append(segment)
    return out + _one(run, count) if run else out


def _parsed(frame: Frame) -> Segment | None:
    """The segment, if it is a common one: no fragment, no padding, nothing urgent."""
    raw, start = frame.head, frame.start
    net = start + frame.net
    if not isinstance(raw, bytes) or len(raw) < net + 40:
        return None
    if raw[net] == 0x45:
        kind, total, ident, way, _, flow, seq, ack, flags, wnd, _, up = _V4.unpack_from(raw, net)
        if way[3] != TCP or way[0] & 0x3F or way[1]:
            return None
        same, at = raw[start:net] + kind + way + flow, net + 20
    elif raw[net] >> 4 == 6 and len(raw) >= net + 60:
        kind, length, proto, limit, flow, seq, ack, flags, wnd, _, up = _V6.unpack_from(raw, net)
        if proto != TCP:
            return None
        same, at, total, ident = b"%b%b%c%b" % (raw[start:net], kind, limit, flow), net + 40, length + 40, 0
    else:
        return None
    first = at + (flags >> 12) * 4
    if up or total != len(raw) - net or not at + 20 <= first <= len(raw):
        return None
    options = raw[at + 20 : first]
    return named(Segment, (frame, same, ident, at - start, seq, ack, flags, wnd, options, len(raw) - first))


def _follows(run: list[Segment], it: Segment) -> bool:
    """Can it be joined to these?"""
    last = run[-1]
    if it.same != last.same or last.flags & 0xFFF != ACK:
        return False
    if not it.size:
        forward = it.ack != last.ack and (it.ack - last.ack) & MASK < HALF
        alike = not last.size and it.seq == last.seq and it.flags == last.flags
        return alike and forward and _newer(it, last) and not _marked(it)
    size = run[0].size
    return (
        it.seq == (last.seq + size) & MASK
        and it.size <= size == last.size
        and (it.ack, it.flags & ~PSH, it.wnd, it.options) == (last.ack, last.flags, last.wnd, last.options)
        and it.ident == (last.ident + 1 & 0xFFFF if last.same[last.frame.net] >> 4 == 4 else 0)
        and it.at + 20 + len(it.options) + size * len(run) + it.size <= LARGEST
    )


def _marked(it: Segment) -> bool:
    """A router marked it: each one counts (RFC 9768 §3.2.2)."""
    six, low = it.same[it.frame.net] >> 4 == 6, it.same[it.frame.net + 1]
    return (low >> 4 if six else low) & 3 == 3


def _newer(it: Segment, last: Segment) -> bool:
    """No options but timestamps as everybody writes them, which do not go back."""
    plain = len(it.options) == STAMP_SIZE and it.options[:4] == last.options[:4] == _MAGIC
    return not it.options or (plain and it.options >= last.options)


def _one(run: list[Segment], count: "Counter[str]") -> list[Frame]:
    """What is left of segments that belong together: one frame, or all if any is not as it was sent."""
    vanished = len(run) - 1
    if not vanished or not all(map(_sound, run)):
        return [it.frame for it in run]
    first, last = run[0], run[-1]
    if not last.size:
        count["acks"] += vanished
        return [last.frame]
    count["segments"] += vanished
    hlen = first.at + 20 + len(first.options)
    body = tuple([memoryview(it.frame.head)[it.frame.start + hlen :] for it in run])
    return [first.frame.joined(first.at, hlen, first.size, body, last.flags & 0xFF)]


def _sound(it: Segment) -> bool:
    """Its checksums hold."""
    frame = it.frame
    ip, tcp = frame.start + frame.net, frame.start + it.at
    if it.same[frame.net] >> 4 == 4 and int.from_bytes(frame.head[ip:tcp], "big") % 0xFFFF:
        return False
    if frame.sure:
        return True
    size = len(frame.head) - tcp
    pseudo = checksum.ones_sum(frame.head[tcp - 8 : tcp] if tcp - ip == 20 else frame.head[tcp - 32 : tcp], TCP + size)
    return checksum.ones_sum(memoryview(frame.head)[tcp:], pseudo) == 0xFFFF
