# SPDX-License-Identifier: GPL-2.0-or-later
"""The receiver: segment text into the application's buffer, in order, once (RFC 9293 §3.10.7.4, seventh)."""

from labstack.core.env import Env
from labstack.core.event import READABLE
from labstack.core.frame import Piece
from labstack.tcp import ackgen, islands
from labstack.tcp.conn import Conn, Rcv
from labstack.tcp.segment import Segment


def text(env: Env, conn: Conn, seg: Segment) -> None:
    """Take the part of the text that is new and inside the window."""
    rcv = conn.rcv
    start, pieces = seg.seq, seg.pieces
    end = start + seg.size
    if start < rcv.nxt or end > rcv.edge:
        start, end, pieces = _trim(env, conn, start, end, pieces)
        if start >= end:
            return
    if start == rcv.nxt:
        advance(env, conn, end, pieces)
    else:
        _keep(env, conn, start, end, pieces)


def _trim(env: Env, conn: Conn, start: int, end: int, pieces: tuple[Piece, ...]) -> tuple[int, int, tuple[Piece, ...]]:
    rcv = conn.rcv
    low, high = max(start, rcv.nxt), min(end, rcv.edge)
    env.note("9293/3.10.7.4/text/trim", conn.sock, low - start, end - high)
    ackgen.at_once(conn)
    return low, high, tuple(islands.cut(pieces, low - start, high - start))


def advance(env: Env, conn: Conn, end: int, pieces: tuple[Piece, ...]) -> None:
    """The next bytes, and whatever islands they reach."""
    rcv = conn.rcv
    size = end - rcv.nxt
    _deliver(rcv, size, pieces)
    if rcv.islands:
        # RFC 5681 §4.2: a segment that fills (part of) a gap is acknowledged at once
        env.note("5681/4.2/fill", conn.sock)
        ackgen.at_once(conn)
        _join(rcv)
    else:
        ackgen.in_order(env, conn)
    env.note("9293/3.10.7.4/text/accept", conn.sock, size)
    if rcv.wanted:
        env.wake(conn.sock, READABLE)


def _deliver(rcv: Rcv, size: int, pieces: tuple[Piece, ...]) -> None:
    rcv.nxt += size
    if rcv.wanted:
        rcv.ready.extend(pieces)
        rcv.queued += size


def _join(rcv: Rcv) -> None:
    """Move the islands that RCV.NXT has reached to the application."""
    while rcv.islands and rcv.islands[0][0] <= rcv.nxt:
        start, end, pieces = rcv.islands.pop(0)
        if end > rcv.nxt:
            _deliver(rcv, end - rcv.nxt, tuple(islands.cut(pieces, rcv.nxt - start, end - start)))


def _keep(env: Env, conn: Conn, start: int, end: int, pieces: tuple[Piece, ...]) -> None:
    """Beyond a gap: keep it, and say at once what is missing (RFC 5681 §4.2)."""
    rcv = conn.rcv
    ackgen.at_once(conn)
    if len(rcv.islands) >= env.config["net.ipv4.tcp_max_islands"]:
        start_of_last, end_of_last, _ = rcv.islands[-1]
        if start >= start_of_last:
            env.count["TcpExtTCPOFODrop"] += 1
            env.note("linux/tcp_data_queue_ofo/full", conn.sock)
            return
        env.count["TcpExtOfoPruned"] += 1
        env.note("linux/tcp_prune_ofo_queue/last", conn.sock, end_of_last - start_of_last)
        rcv.islands.pop()
    env.count["TcpExtTCPOFOQueue"] += 1
    env.note("9293/3.10.7.4/text/beyond", conn.sock, start - rcv.nxt)
    islands.insert(rcv.islands, start, end, pieces)


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
