# SPDX-License-Identifier: GPL-2.0-or-later
"""The retransmission timer: what it stands for, and until when (RFC 6298 §5).

One timer serves three: the timeout, a tail loss probe (`tlp`), and RACK's wait for segments that may only be out of
order. It runs while anything is in flight.
"""

from labstack.core.env import Env
from labstack.core.kinds import TCP_RETRANSMIT
from labstack.tcp.conn import NOTHING, REORDER, RTO, TAIL, Conn


def arm(env: Env, conn: Conn, pending: int, wait: int) -> None:
    """Set the timer for this, wait ns from now."""
    if conn.half is not None:
        return  # until the handshake is over only the SYN,ACK is repeated
    conn.snd.pending = pending
    env.timers.set((TCP_RETRANSMIT, conn.sock), env.now + (wait if wait > 1 else 1))


def stop(env: Env, conn: Conn) -> None:
    conn.snd.pending = NOTHING
    env.timers.stop((TCP_RETRANSMIT, conn.sock))


def restart(env: Env, conn: Conn) -> None:
    """The timeout, an RTO from now (RFC 6298 (5.1), (5.3))."""
    arm(env, conn, RTO, conn.snd.rtt.rto + pace(env, conn))


def rearm(env: Env, conn: Conn) -> None:
    """The timeout: an RTO from now, or from the sending of the oldest segment if the timer stood for something else."""
    snd = conn.snd
    if not snd.flight.queue:
        stop(env, conn)  # RFC 6298 (5.2)
    elif snd.pending in (TAIL, REORDER):
        arm(env, conn, RTO, left(env, conn) + pace(env, conn))
    else:
        restart(env, conn)


def pace(env: Env, conn: Conn) -> int:
    """ns until pacing lets the next segment go: the device may still hold the last one so long (tcp_pacing_delay)."""
    departs = conn.snd.departs
    return departs - env.now if departs > env.now else 0


def left(env: Env, conn: Conn) -> int:
    """ns until the timeout of the oldest segment; negative if it should have come."""
    snd = conn.snd
    return snd.flight.queue[0].at + snd.rtt.rto - env.now


def sent_new(env: Env, conn: Conn, first: bool) -> None:
    """New data went out; first: nothing had been in flight (RFC 6298 (5.1))."""
    if first:
        restart(env, conn)
    elif conn.snd.pending == TAIL:
        rearm(env, conn)
