# SPDX-License-Identifier: GPL-2.0-or-later
"""Header prediction: the next text of a quiet connection, or the next acknowledgment, or both, and nothing unusual.

Exactly what the eight checks of `arrive` would do in these cases, in fewer steps; a test compares the two on
random segments. While a trace is kept the checks run themselves, because they say why.
"""

from collections.abc import Sequence

from labstack.core.env import Env
from labstack.core.frame import Piece
from labstack.tcp import acks, autotune, plain, receive, sack
from labstack.tcp.conn import Conn
from labstack.tcp.segment import ACK, PSH
from labstack.tcp.seq import HALF, MASK
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


def taken(
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
    """Take a quiet segment, first what it acknowledges, if that is new, then its text, if there is any. False, and
    nothing is done, if it is not so simple. ts: TSval, TSecr."""
    snd, rcv, stamps = conn.snd, conn.rcv, conn.tstamp if ts is not None else None
    value, echo = ts or (0, 0)
    new = ack - snd.una & MASK
    if new > snd.nxt - snd.una or (size and (rcv.nxt + size > rcv.edge or rcv.islands)):
        return False
    if not new and (not size or wnd << snd.shift != snd.wnd):
        return False
    if stamps is not None and rcv.nxt <= rcv.acked:
        stamps.take(value, env.now)
    if new:
        ack = snd.una + new
        if not plain.taken(env, conn, ack, wnd << snd.shift):
            _acknowledged(env, conn, ack, wnd << snd.shift, size > 0, echo)
    else:
        snd.wl1, snd.wl2 = rcv.nxt, snd.una
    if size:
        if stamps is not None:
            autotune.echoed(env, conn, stamps, echo, size)
        receive.advance(env, conn, rcv.nxt + size, pieces, push, gso)
    return True


def _acknowledged(env: Env, conn: Conn, ack: int, wnd: int, data: bool, echo: int) -> None:
    snd = conn.snd
    told = Told(snd, sack.top(snd))
    told.advanced = told.window = True
    told.data, told.echo = data, echo
    acks.window(env, conn, conn.rcv.nxt, ack, wnd)
    acks.advance(env, conn, ack)
    snd.ack_at, snd.unanswered = env.now, 0
    acks.follow(env, conn, told)
