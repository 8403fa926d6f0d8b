# SPDX-License-Identifier: GPL-2.0-or-later
"""The congestion state, as Linux has it: Open; Disorder, something is missing; CWR, the window is being reduced because
of marks; Recovery, because of losses; Loss, after a timeout. `become` is its only writer.
"""

from labstack.core.env import Env
from labstack.tcp import rate
from labstack.tcp.conn import Conn
from labstack.tcp.loss import DISORDER, OPEN
from labstack.tcp.sent import EVER

NAMES = ("Open", "Disorder", "CWR", "Recovery", "Loss")


def become(env: Env, conn: Conn, state: int) -> None:
    """The congestion state changes; the controller hears of it."""
    loss = conn.snd.loss
    before = loss.state
    if before != state:
        env.became("tcp congestion", conn.sock, NAMES[before], NAMES[state])
        loss.state = state
        conn.snd.cc.became(rate.moment(env, conn.snd), before)


def keep_open(env: Env, conn: Conn) -> None:
    """Open, or Disorder if something is missing or was sent again."""
    snd, loss = conn.snd, conn.snd.loss
    state = DISORDER if snd.flight.left or resent(conn) else OPEN
    if loss.state != state:
        become(env, conn, state)
        loss.high = snd.nxt


def resent(conn: Conn) -> bool:
    """Was anything that is in flight sent again?"""
    flight = conn.snd.flight
    return flight.retrans > 0 or (bool(flight.queue) and bool(flight.queue[0].marks & EVER))


def settled(conn: Conn) -> None:
    """If nothing that is in flight was sent again, the next retransmission will be the first."""
    if not resent(conn):
        conn.snd.loss.resent_at = -1
