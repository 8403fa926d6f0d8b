# SPDX-License-Identifier: GPL-2.0-or-later
"""Header prediction: the next text of a quiet connection, or the next acknowledgment, or both, and nothing unusual.

Exactly what the eight checks of `arrive` would do in these cases, in fewer steps; a test compares the two on
random segments. While a trace is kept the checks run themselves, because they say why.
"""

from labstack.core.env import Env
from labstack.core.frame import Piece
from labstack.tcp import acks, autotune, plain, receive, sack
from labstack.tcp.conn import Conn
from labstack.tcp.segment import ACK, PSH
from labstack.tcp.seq import HALF, MASK
from labstack.tcp.states import ESTABLISHED
from labstack.tcp.told import Told

NO_STAMP = -1  # in the place of a TSval
_FLAGS = (ACK, ACK | PSH)


def quiet(env: Env, conn: Conn, seq: int, flags: int) -> bool:
    """True if nothing is going on but data and acknowledgments, and this segment comes at RCV.NXT."""
    rcv = conn.rcv
    return (
        flags in _FLAGS
        and conn.state == ESTABLISHED
        and seq == rcv.nxt & MASK
        and rcv.fin is None
        and rcv.urgent is None
        and not conn.ecn
        and not env.tracing
    )


def taken(
    env: Env,
    conn: Conn,
    ack: int,
    wnd: int,
    size: int,
    pieces: tuple[Piece, ...],
    push: bool,
    gso: int | None,
    value: int,
    echo: int,
) -> bool:
    """Take a quiet segment, first what it acknowledges, if that is new, then its text, if there is any. False, and
    nothing is done, if it is not so simple. value, echo: TSval, or NO_STAMP, and TSecr."""
    snd, rcv = conn.snd, conn.rcv
    una, nxt, wnd = snd.una, rcv.nxt, wnd << snd.shift
    new = ack - una & MASK
    if new > snd.nxt - una or (size and (nxt + size > rcv.edge or rcv.islands)):
        return False
    if not new and (not size or wnd != snd.wnd):
        return False
    stamps = None
    if value >= 0:
        stamps = conn.tstamp
        if stamps is None or value - stamps.recent & MASK >= HALF:
            return False  # older than TS.Recent (RFC 7323 §5.3 R1): `paws` has a closer look
        if nxt <= rcv.acked:
            stamps.take(value, env.now)
    if new:
        ack = una + new
        if not plain.taken(env, conn, ack, wnd):
            _acknowledged(env, conn, ack, wnd, size > 0, echo)
    else:
        snd.wl1, snd.wl2 = nxt, una
    if not size:
        conn.tally.bare_in += 1
        return True
    if stamps is not None:
        autotune.echoed(env, conn, stamps, echo, size)
    receive.advance(env, conn, nxt + size, pieces, push, gso)
    conn.tally.data_segs_in += 1 if gso is None else -(-size // gso)
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
