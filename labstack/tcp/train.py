# SPDX-License-Identifier: GPL-2.0-or-later
"""A train of super-segments: while there is plenty to send and nothing unusual, the next frame is the last one with
another sequence number and other data.

Exactly what `send` and `output` make of it, in fewer steps; a test compares the two. While a trace is kept they run
themselves, because they say why.
"""

from labstack.core.env import Env
from labstack.core.event import Tx
from labstack.core.frame import Frame
from labstack.core.named import named
from labstack.ip.family import V4
from labstack.tcp import ackgen, sndbuf
from labstack.tcp.conn import Conn
from labstack.tcp.delivery import Note
from labstack.tcp.loss import OPEN
from labstack.tcp.segment import PSH
from labstack.tcp.sent import Sent
from labstack.tcp.seq import MASK
from labstack.tcp.stream import MAX_PIECES


def follow(env: Env, conn: Conn, size: int, wnd: int, most: int) -> int:
    """The last action sends `size` new bytes of conn, as many as a frame can hold now, and offers the window wnd: send
    what may leave in the same way, at most so many frames. Returns how many did."""
    snd, flight, fits, model = conn.snd, conn.snd.flight, conn.snd.fits, env.actions[-1]
    if not isinstance(model, Tx) or model.frame.gso != fits or not wnd or not _calm(env, conn):
        return 0
    segs, it, nxt, left = size // fits, snd.delivery, snd.nxt, 0
    edge = min(snd.out.end - 1, snd.una + snd.wnd)  # the last byte goes by itself: it may be pushed, or have a FIN
    most = min(most, (snd.cc.cwnd - flight.now) // segs, (edge - nxt) // size)
    frame = model.frame
    at = (frame.csum or (0, 0))[0] + 4
    before, behind = frame.head[:at], frame.head[at + 4 :]
    while left < most:
        if len(snd.chunks) > 1:
            snd.nxt = nxt
            sndbuf.fill(snd, nxt + size)
        pieces = snd.out.slice(nxt, size)
        if len(pieces) == MAX_PIECES:
            break
        end = nxt + size
        it.sendings += 1
        note = named(Note, (snd.loss.delivered, it.at, it.first_sent_at, it.app_limited > 0, it.sendings))
        push = PSH if snd.chunks and snd.chunks[0] == (end, True) else 0
        flight.queue.append(named(Sent, (nxt, end, segs, 0, env.now, push, fits, note)))
        head = b"".join((before, (nxt & MASK).to_bytes(4, "big"), behind))
        env.actions.append(named(Tx, (model.dev, Frame(head, pieces, fits, frame.csum, 0, frame.net))))
        nxt, left = end, left + 1
    snd.nxt = nxt
    _count(env, conn, left, left * segs)
    if env.now - conn.rcv.heard < conn.rcv.ato:
        ackgen.replied(conn.rcv, left)
    return left


def _calm(env: Env, conn: Conn) -> bool:
    """Nothing is wrong, paced, marked, signed, or looked for, and each ACK says the same."""
    snd, rcv = conn.snd, conn.rcv
    if snd.loss.state != OPEN or snd.probe or snd.out.stops or conn.search.on or env.tracing:
        return False
    paced = snd.cc.paced or conn.fq or conn.user.pacing
    options = conn.ecn or conn.keys or snd.fits < snd.mss
    if paced or options or rcv.alloc or not rcv.shift:
        return False
    return conn.path is not None and (conn.df or conn.path.family is not V4)


def _count(env: Env, conn: Conn, frames: int, segs: int) -> None:
    assert conn.path is not None
    conn.snd.flight.out += segs
    conn.tally.data_segs_out += segs
    for name in ("TcpOutSegs", "TcpExtTCPOrigDataSent"):
        env.count[name] += segs
    for name in (conn.path.family.out_requests, "LinkOutFrames"):
        env.count[name] += frames
