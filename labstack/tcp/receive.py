# SPDX-License-Identifier: GPL-2.0-or-later
"""The receiver: segment text into the application's buffer, in order, once (RFC 9293 §3.10.7.4, seventh)."""

from labstack.core.env import Env
from labstack.core.event import READABLE
from labstack.core.frame import Piece
from labstack.tcp import ackgen, islands, tally
from labstack.tcp.conn import Conn, Rcv
from labstack.tcp.segment import Segment


def text(env: Env, conn: Conn, seg: Segment) -> None:
    """Take the part of the text that is new and inside the window."""
    rcv = conn.rcv
    start, pieces = seg.seq, seg.pieces
    end = start + seg.size
    edge = rcv.edge if rcv.fin is None else rcv.fin
    if start < rcv.nxt or end > edge:
        start, end, pieces = _trim(env, conn, start, end, pieces, edge)
        if start >= end:
            return
    if start == rcv.nxt:
        advance(env, conn, end, pieces)
    else:
        _keep(env, conn, start, end, pieces)


def fin(env: Env, conn: Conn, end: int) -> None:
    """The peer's stream ends at `end`, inside the window: nothing beyond belongs to it."""
    rcv = conn.rcv
    if rcv.fin is not None or not rcv.nxt <= end < rcv.edge:
        return
    rcv.fin = end
    islands.end_at(rcv.islands, end)
    if end > rcv.nxt:
        env.note("9293/3.10.7.4/fin/early", conn.sock)
        ackgen.at_once(conn)


def _trim(
    env: Env, conn: Conn, start: int, end: int, pieces: tuple[Piece, ...], edge: int
) -> tuple[int, int, tuple[Piece, ...]]:
    low, high = max(start, conn.rcv.nxt), min(end, edge)
    env.note("9293/3.10.7.4/text/trim", conn.sock, low - start, end - high)
    ackgen.quickly(env, conn)
    return low, high, tuple(islands.cut(pieces, low - start, high - start))


def advance(env: Env, conn: Conn, end: int, pieces: tuple[Piece, ...]) -> None:
    """The next bytes, and whatever islands they reach."""
    rcv = conn.rcv
    size = end - rcv.nxt
    if rcv.islands:
        # RFC 5681 §4.2: a segment that fills (part of) a gap is acknowledged at once
        env.note("5681/4.2/fill", conn.sock)
        rcv.heard = env.now
        ackgen.at_once(conn)
        islands.insert(rcv.islands, rcv.nxt, end, pieces)
        _join(rcv)
    else:
        _deliver(rcv, size, pieces)
        ackgen.in_order(env, conn, size)
    env.note("9293/3.10.7.4/text/accept", conn.sock, size)
    if rcv.nxt >= conn.tally.window_end:
        tally.filled(conn.tally, rcv.nxt + rcv.edge - rcv.acked, env.now)
    if rcv.wanted:
        env.wake(conn.sock, READABLE)


def _deliver(rcv: Rcv, size: int, pieces: tuple[Piece, ...]) -> None:
    rcv.nxt += size
    if rcv.wanted:
        islands.gather(rcv.ready, pieces)
        rcv.queued += size


def _join(rcv: Rcv) -> None:
    """Move the islands that RCV.NXT has reached to the application."""
    while rcv.islands and rcv.islands[0][0] <= rcv.nxt:
        _, end, pieces = rcv.islands.pop(0)
        _deliver(rcv, end - rcv.nxt, pieces)


def _keep(env: Env, conn: Conn, start: int, end: int, pieces: tuple[Piece, ...]) -> None:
    """Beyond a gap: keep it, and say at once what is missing (RFC 5681 §4.2)."""
    rcv = conn.rcv
    ackgen.at_once(conn)
    islands.insert(rcv.islands, start, end, pieces)
    env.note("9293/3.10.7.4/text/beyond", conn.sock, start - rcv.nxt)
    conn.tally.beyond_gap += -(-(end - start) // rcv.mss)
    if len(rcv.islands) <= env.config["net.ipv4.tcp_max_islands"]:
        env.count["TcpExtTCPOFOQueue"] += 1
        return
    last, last_end, _ = rcv.islands.pop()
    env.note("linux/tcp_prune_ofo_queue/last", conn.sock, last_end - last)
    env.count["TcpExtTCPOFODrop" if last == start else "TcpExtOfoPruned"] += 1


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
    """Hand the application at most `most` bytes, as pieces that were never copied."""
    rcv = conn.rcv
    if most >= rcv.queued:
        out = list(rcv.ready)
        rcv.ready.clear()
        rcv.queued = 0
        return out
    out, rest = [], most
    while rest and len(rcv.ready[0]) <= rest:
        piece = rcv.ready.popleft()
        rest -= len(piece)
        out.append(piece)
    if rest:
        view = memoryview(rcv.ready[0])
        out.append(view[:rest])
        rcv.ready[0] = view[rest:]
    rcv.queued -= most
    return out
