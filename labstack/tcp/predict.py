# SPDX-License-Identifier: GPL-2.0-or-later
"""Header prediction (RFC 1122 §4.2.2.20's "fast path"): the next text of a quiet connection, and nothing unusual.

Exactly what the eight checks of `arrive` would do in this case, in fewer steps; a test compares the two on random
segments. While a trace is kept the checks run themselves, because they say why.
"""

from labstack.core.env import Env
from labstack.tcp import receive
from labstack.tcp.conn import Conn
from labstack.tcp.segment import ACK, PSH, Segment
from labstack.tcp.seq import MASK
from labstack.tcp.states import ESTABLISHED


def text(env: Env, conn: Conn, seg: Segment) -> bool:
    """True if seg was the predicted one and is dealt with."""
    snd, rcv = conn.snd, conn.rcv
    if (
        conn.state != ESTABLISHED
        or seg.flags & ~PSH != ACK
        or not seg.size
        or seg.seq != rcv.nxt & MASK
        or seg.ack != snd.una & MASK
        or seg.wnd << snd.shift != snd.wnd
        or snd.wl1 > rcv.nxt
        or rcv.nxt + seg.size > rcv.edge
        or rcv.islands
        or rcv.fin is not None
        or not (conn.held or conn.parent)
        or env.tracing
    ):
        return False
    snd.wl1, snd.wl2 = rcv.nxt, snd.una
    receive.advance(env, conn, rcv.nxt + seg.size, seg.pieces)
    env.count["TcpInDelivers"] += 1
    env.dirty[conn.sock] = None
    return True
