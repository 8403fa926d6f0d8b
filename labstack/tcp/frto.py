# SPDX-License-Identifier: GPL-2.0-or-later
"""After a timeout: was it too early? F-RTO (RFC 5682 §3, the SACK-enhanced version) lets new data go first, and looks
whether what comes back could be for anything but the original transmissions.
"""

from labstack.core.env import Env
from labstack.tcp import sack, undo
from labstack.tcp.castate import become
from labstack.tcp.conn import Conn
from labstack.tcp.loss import OPEN
from labstack.tcp.told import Told


def judge(env: Env, conn: Conn, told: Told, duplicates: int) -> None:
    """An ACK in Loss. Steps as RFC 5682 §3.1 numbers them."""
    snd, loss = conn.snd, conn.snd.loss
    recovered = snd.una >= loss.high
    if told.advanced and undo.timeout(env, conn, told, frto=False):
        return
    if loss.frto:
        if told.original and undo.timeout(env, conn, told, frto=True):
            return  # (3.b) never sent again, and it has arrived
        if snd.nxt > loss.high:
            if told.sacked or duplicates:
                env.note("5682/3/real", conn.sock)
                loss.frto = False  # (3.a) the loss was real
        elif told.advanced and not recovered:
            loss.high = snd.nxt
            if snd.out.end + snd.fin > snd.nxt and snd.una + snd.wnd > snd.nxt:
                env.note("5682/3/new-data", conn.sock)
                loss.fresh = True  # (2.b) new data, if any goes; `send` sees
                return
            loss.frto = False
    if recovered:
        _recovered(env, conn, told)  # (2.a)
    elif not conn.sack:
        # a duplicate ACK means that new data was delivered
        if snd.nxt > loss.high and duplicates:
            sack.count(env, conn, duplicates)
        elif told.advanced:
            snd.flight.sacked = 0


def _recovered(env: Env, conn: Conn, told: Told) -> None:
    loss = conn.snd.loss
    undo.whole(env, conn, told)
    if not undo.held(conn):
        become(env, conn, OPEN)
        loss.reneged = False
