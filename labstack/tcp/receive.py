# SPDX-License-Identifier: GPL-2.0-or-later
"""The receiver: segment text into the application's buffer, in order, once (RFC 9293 §3.10.7.4, seventh)."""

from labstack.core.env import Env
from labstack.core.event import READABLE
from labstack.core.frame import Piece
from labstack.tcp import ackgen, autotune, blocks, compress, islands, memory
from labstack.tcp.conn import Conn, Rcv
from labstack.tcp.segment import PSH, Segment


def text(env: Env, conn: Conn, seg: Segment) -> None:
    """Take the part of the text that is new and inside the window."""
    rcv = conn.rcv
    if seg.ts is not None and conn.tstamp is not None:
        autotune.echoed(env, conn, conn.tstamp, seg.ts[1], seg.size)
    start, pieces = seg.seq, seg.pieces
    end = start + seg.size
    edge = rcv.edge if rcv.fin is None else min(rcv.edge, rcv.fin)  # the window may have closed before the FIN
    if start < rcv.nxt or end > edge:
        start, end, pieces = _trim(env, conn, start, end, pieces, edge)
        if start >= end:
            return
    if start == rcv.nxt:
        advance(env, conn, end, pieces, bool(seg.flags & PSH), seg.gso)
    else:
        _keep(env, conn, start, end, pieces, bool(seg.flags & PSH))


def fin(env: Env, conn: Conn, seg: Segment) -> None:
    """The peer's stream ends behind this segment, if its text is inside the window: nothing beyond belongs to it.

    DEVIATES: RFC 9293 §3.10.7.4 takes nothing beyond the window. A FIN right behind it is taken, as on Linux: it needs
    no room, and would only have to come again.
    """
    rcv, end = conn.rcv, seg.seq + seg.size
    if not rcv.nxt <= end <= rcv.edge or rcv.fin not in (None, end):
        return
    again = rcv.fin is not None
    if not again:
        rcv.fin = end
        memory.end_at(rcv, end)
    if seg.seq > rcv.nxt:
        env.note("9293/3.10.7.4/fin/early", conn.sock)
        env.count["TcpExtTCPOFOQueue"] += not seg.size and not again
        blocks.fin(env, conn, end, again)
        ackgen.at_once(conn)


def _trim(
    env: Env, conn: Conn, start: int, end: int, pieces: tuple[Piece, ...], edge: int
) -> tuple[int, int, tuple[Piece, ...]]:
    low, high = max(start, conn.rcv.nxt), min(end, edge)
    env.note("9293/3.10.7.4/text/trim", conn.sock, low - start, end - high)
    if start < low:
        blocks.before(env, conn, start, low)
    ackgen.quickly(env, conn)
    return low, high, tuple(islands.cut(pieces, low - start, high - start))


def advance(env: Env, conn: Conn, end: int, pieces: tuple[Piece, ...], push: bool, gso: int | None = None) -> None:
    """The next bytes, and whatever islands they reach. gso: bytes of each segment, if several have come as one."""
    rcv = conn.rcv
    size = end - rcv.nxt
    tight = rcv.alloc > rcv.limit or (env.pressed and memory.exhausted(env, rcv))
    if tight and rcv.queued and not memory.fits(env, conn, rcv.nxt):
        memory.refuse(env, conn, size)
        return
    cost = memory.charge(rcv, end, size) if rcv.wanted else memory.truesize(size + rcv.headers)[0]
    if rcv.islands:
        # RFC 5681 §4.2: a segment that fills (part of) a gap is acknowledged at once
        env.note("5681/4.2/fill", conn.sock)
        ackgen.at_once(conn)
        blocks.filled(env, conn, end)
        islands.insert(rcv.islands, rcv.nxt, end, pieces)
        _join(rcv)
        blocks.tidy(rcv)
    else:
        rcv.nxt = end
        if rcv.wanted:
            islands.gather(rcv.ready, pieces)
            rcv.queued += size
    autotune.heard(env, rcv, size, cost, push, gso)
    ackgen.heard(env, conn)
    if rcv.nxt != rcv.fin:  # else what is due is decided with the FIN (closing.fin_arrived)
        ackgen.in_order(env, conn)
    if env.tracing:
        env.note("9293/3.10.7.4/text/accept", conn.sock, size)
    if rcv.wanted:
        env.wake(conn.sock, READABLE)


def _join(rcv: Rcv) -> None:
    """Move the islands that RCV.NXT has reached to the application."""
    while rcv.islands and rcv.islands[0][0] <= rcv.nxt:
        _, end, pieces = rcv.islands.pop(0)
        if rcv.wanted:
            islands.gather(rcv.ready, pieces)
            rcv.queued += end - rcv.nxt
        rcv.nxt = end
    rcv.edge = max(rcv.edge, rcv.nxt)  # it may have closed while they waited
    memory.reached(rcv)


def _keep(env: Env, conn: Conn, start: int, end: int, pieces: tuple[Piece, ...], push: bool) -> None:
    """Beyond a gap: keep it, and say at once what is missing (RFC 5681 §4.2)."""
    rcv = conn.rcv
    tight = rcv.alloc > rcv.limit or (env.pressed and memory.exhausted(env, rcv))
    if tight and not memory.fits(env, conn, start):
        ackgen.at_once(conn)
        env.count["TcpExtTCPOFODrop"] += 1
        env.wake(conn.sock, READABLE)
        return
    compress.beyond(env, conn, blocks.beyond(env, conn, start, end))
    new = islands.insert(rcv.islands, start, end, pieces)
    blocks.tidy(rcv)
    env.note("9293/3.10.7.4/text/beyond", conn.sock, start - rcv.nxt)
    conn.tally.beyond_gap += -(-(end - start) // rcv.mss)
    env.count["TcpExtTCPOFOQueue"] += 1
    if not new:
        env.count["TcpExtTCPOFOMerge"] += 1
        return
    cost = memory.charge_beyond(env, rcv, start, end)
    autotune.beyond(env, conn, end - start, cost, push)
    if len(rcv.islands) > env.config["net.ipv4.tcp_max_islands"]:
        memory.shed(env, conn)


def peek(rcv: Rcv, most: int) -> list[Piece]:
    """What `take` would hand out, without taking it."""
    out: list[Piece] = []
    for piece in rcv.ready:
        if most <= 0:
            break
        out.append(piece if len(piece) <= most else memoryview(piece)[:most])
        most -= len(piece)
    return out


def take(env: Env, conn: Conn, most: int) -> list[Piece]:
    """Hand the application at most `most` bytes, as pieces that were never copied. The accounts are settled first: what
    fails there costs nothing."""
    rcv = conn.rcv
    size = min(most, rcv.queued)
    if rcv.charges:
        # one that keeps up may get larger buffers
        autotune.drained(env, conn, min(rcv.charges[0][0], memory.unread(rcv) + size))
    memory.release(rcv, size)
    if env.pressed:
        env.dirty[conn.sock] = None  # the host's account is to be settled
    rcv.queued -= size
    if not rcv.queued:
        out, rcv.ready = rcv.ready, []
        return out
    count, rest = 0, size
    while rest and len(rcv.ready[count]) <= rest:
        rest -= len(rcv.ready[count])
        count += 1
    out = rcv.ready[:count]
    del rcv.ready[:count]
    if rest:
        view = memoryview(rcv.ready[0])
        out.append(view[:rest])
        rcv.ready[0] = view[rest:]
    return out
