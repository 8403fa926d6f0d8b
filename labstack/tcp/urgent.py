# SPDX-License-Identifier: GPL-2.0-or-later
"""Urgent data: a mark in the stream, told ahead of it (RFC 9293 §3.8.5, sixth check of §3.10.7.4; RFC 6093).

The pointer of the wire stands behind the urgent byte, as everybody reads it (RFC 6093 §2.1; tcp_stdurg = 1 is the other
reading). An application fetches that byte out of band, or has it in line (SO_OOBINLINE); in either case a read ends at
the mark. Sending: `Snd.up` is what is urgent so far, and every segment before it carries the pointer (`flags`).
"""

from labstack.core.env import Env
from labstack.core.event import READABLE
from labstack.core.frame import Piece
from labstack.tcp import islands, receive
from labstack.tcp.conn import HERE, SOON, Conn, Rcv, Snd, Urgent
from labstack.tcp.memory import unread
from labstack.tcp.segment import URG, Segment

FAR = 0xFFFF  # the farthest that a pointer can say

# the sender


def mark(env: Env, conn: Conn) -> None:
    """The last byte that was written is urgent."""
    env.note("9293/3.8.5/send", conn.sock, conn.snd.out.end - conn.snd.una)
    conn.snd.up = conn.snd.out.end
    env.dirty[conn.sock] = None


def waits(snd: Snd) -> bool:
    """Urgent data is written and not acknowledged: segments leave one by one, and Nagle does not count."""
    return snd.up > snd.una


def flags(conn: Conn, seq: int) -> tuple[int, int]:
    """URG or 0, and the pointer, of a segment that begins here while urgent data waits."""
    snd = conn.snd
    ahead = snd.up - seq
    if ahead <= 0:
        return 0, 0
    if ahead <= FAR:
        return URG, ahead
    # DEVIATES: RFC 9293 §3.8.5 has no pointer farther than 65,535; as Linux we say the farthest, and say it again
    return (URG, FAR) if seq + FAR > snd.nxt else (0, 0)


# the receiver


def arrived(env: Env, conn: Conn, seg: Segment) -> None:
    """Sixth, check the URG bit; and is the urgent byte, which was announced before, in this segment?"""
    rcv = conn.rcv
    if seg.flags & URG:
        _announced(env, conn, seg)
    it = rcv.urgent
    if it is not None and it.state == SOON and seg.seq <= it.seq < seg.seq + seg.size:
        at = it.seq - seg.seq
        rcv.urgent = it._replace(state=HERE, byte=bytes(islands.cut(seg.pieces, at, at + 1)[0]))
        env.note("9293/3.8.5/here", conn.sock)
        env.wake(conn.sock, READABLE)


def _announced(env: Env, conn: Conn, seg: Segment) -> None:
    """Is the pointer news? Then it replaces the last one (RFC 9293 §3.10.7.4, sixth: RCV.UP)."""
    rcv, it = conn.rcv, conn.rcv.urgent
    first = seg.seq - (seg.flags >> 1 & 1)  # of the segment: the text of a SYN stands one behind
    at = first + seg.urg - (1 if seg.urg and not env.config["net.ipv4.tcp_stdurg"] else 0)
    if at < rcv.nxt or (it is not None and at <= it.seq):
        return
    if it is not None and it.seq == unread(rcv) < rcv.nxt and not rcv.inline:
        receive.take(env, conn, 1)  # two marks, one behind the other: the first byte is no part of the stream
    env.note("9293/3.8.5/announced", conn.sock, at - rcv.nxt)
    rcv.urgent = Urgent(SOON, at)
    env.wake(conn.sock, READABLE)  # MUST-32


def at_mark(rcv: Rcv) -> bool:
    """SIOCATMARK: the next byte is the urgent one."""
    return rcv.urgent is not None and rcv.urgent.seq == unread(rcv)


def before(rcv: Rcv) -> int:
    """SIOCINQ: bytes up to the mark, or to the end (MUST-33)."""
    it, at = rcv.urgent, unread(rcv)
    return rcv.queued if it is None or rcv.inline or not at <= it.seq < at + rcv.queued else it.seq - at


def _reach(rcv: Rcv, it: Urgent) -> tuple[int, int]:
    """How many bytes a read leaves out at its beginning, the urgent one out of line, and how many it may take then."""
    ahead = it.seq - unread(rcv)
    if 0 < ahead < rcv.queued:
        return 0, ahead
    out_of_line = not ahead and rcv.queued and not rcv.inline
    return (1, rcv.queued - 1) if out_of_line else (0, rcv.queued)


def read(env: Env, conn: Conn, it: Urgent, most: int) -> list[Piece]:
    """What a read takes: at most so many bytes, not beyond the mark. The mark is forgotten when it is passed."""
    rcv = conn.rcv
    skip, reach = _reach(rcv, it) if most else (0, 0)
    if skip:
        receive.take(env, conn, 1)
    pieces = receive.take(env, conn, min(most, reach))
    if unread(rcv) > it.seq:
        rcv.urgent = None
    return pieces


def peek(rcv: Rcv, it: Urgent, most: int) -> list[Piece]:
    """What `read` would take."""
    skip, reach = _reach(rcv, it) if most else (0, 0)
    size = skip + min(most, reach)
    return islands.cut(tuple(receive.peek(rcv, size)), skip, size)
