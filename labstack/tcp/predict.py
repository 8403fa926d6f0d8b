# SPDX-License-Identifier: GPL-2.0-or-later
"""Header prediction: the next text, or the next acknowledgment, of a quiet connection, and nothing unusual.

Exactly what the eight checks of `arrive` would do in these two cases, in fewer steps; a test compares the two on
random segments. While a trace is kept the checks run themselves, because they say why.
"""

from collections.abc import Sequence

from labstack.core.env import Env
from labstack.core.frame import Piece
from labstack.tcp import acks, autotune, receive, sack
from labstack.tcp.conn import Conn
from labstack.tcp.segment import ACK, PSH
from labstack.tcp.seq import HALF, MASK, unwrap
from labstack.tcp.states import ESTABLISHED
from labstack.tcp.told import Told


def quiet(env: Env, conn: Conn, seq: int, flags: int) -> bool:
    """True if nothing is going on but data and acknowledgments, and this segment comes at RCV.NXT."""
    snd, rcv = conn.snd, conn.rcv
    return (
        conn.state == ESTABLISHED
        and not conn.ecn
        and flags & ~PSH == ACK
        and seq == rcv.nxt & MASK
        and snd.wl1 <= rcv.nxt
        and rcv.fin is None
        and rcv.urgent is None
        and not env.tracing
    )


def newer(conn: Conn, value: int) -> bool:
    """Is this TSval no older than TS.Recent? (RFC 7323 §5.3 R1; if it is, `paws` has a closer look)"""
    return conn.tstamp is not None and value - conn.tstamp.recent & MASK < HALF


def text(
    env: Env,
    conn: Conn,
    ack: int,
    wnd: int,
    size: int,
    pieces: tuple[Piece, ...],
    push: bool,
    gso: int | None,
    ts: Sequence[int] | None,
) -> bool:
    """Take the text of a quiet segment that says nothing else; False if it is not so simple. ts: TSval, TSecr."""
    snd, rcv, stamps = conn.snd, conn.rcv, conn.tstamp
    if ack != snd.una & MASK or wnd << snd.shift != snd.wnd or rcv.nxt + size > rcv.edge or rcv.islands:
        return False
    snd.wl1, snd.wl2 = rcv.nxt, snd.una
    if ts is not None and stamps is not None:
        if rcv.nxt <= rcv.acked:
            stamps.take(ts[0], env.now)
        autotune.echoed(env, conn, stamps, ts[1], size)
    receive.advance(env, conn, rcv.nxt + size, pieces, push, gso)
    return True


def acknowledgment(env: Env, conn: Conn, ack: int, wnd: int, ts: Sequence[int] | None) -> bool:
    """Take the ACK of a quiet segment without text that acknowledges something new; False if it is not so simple."""
    snd, stamps = conn.snd, conn.tstamp
    ack = unwrap(ack, snd.nxt)
    if not snd.una < ack <= snd.nxt:
        return False
    told = Told(snd, sack.top(snd))
    told.advanced = told.window = True
    if ts is not None and stamps is not None:
        told.echo = ts[1]
        if conn.rcv.nxt <= conn.rcv.acked:
            stamps.take(ts[0], env.now)
    acks.window(env, conn, conn.rcv.nxt, ack, wnd << snd.shift)
    acks.advance(env, conn, ack)
    snd.ack_at, snd.unanswered = env.now, 0
    acks.follow(env, conn, told)
    return True
