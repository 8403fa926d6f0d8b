# SPDX-License-Identifier: GPL-2.0-or-later
"""What is lost. RACK (RFC 8985): a segment sent well before another that has arrived. RFC 6675: three others beyond it
have arrived (`tcp_recovery` without bit 1). Without SACK: three duplicate ACKs, and then what is oldest (RFC 6582).
"""

from labstack.core.config import MS
from labstack.core.env import Env
from labstack.tcp import timer
from labstack.tcp.conn import REORDER, Conn
from labstack.tcp.loss import RECOVERY
from labstack.tcp.sent import EVER, LOST, RETRANS, SACKED, Sent, cut, mark
from labstack.tcp.told import Told

RACK, STATIC, NO_DUPTHRESH = 1, 2, 4  # bits of net.ipv4.tcp_recovery
LEAST = 2 * MS  # a timer is never set for less
PERSIST = 16  # recoveries for which a wide window stays (RFC 8985 §7.2 step 4)


def advance(env: Env, conn: Conn, s: Sent, echo: int) -> None:
    """A segment was delivered: is it the newest, by when it was sent? (RFC 8985 §6.2 step 2)"""
    loss = conn.snd.loss
    took, least = env.now - s.at, conn.snd.rtt.least
    if s.marks & EVER and (took < least or not least or superfluous(conn, s, echo)):
        return  # so soon it was the original that arrived, not the retransmission
    loss.advanced, loss.newest_rtt = True, took
    if (s.note.nth, s.end) > (loss.newest, loss.newest_end):
        loss.newest, loss.newest_end = s.note.nth, s.end


def superfluous(conn: Conn, s: Sent, echo: int) -> bool:
    """The peer answered this segment before we sent it again, as we did, says the timestamp that it echoes."""
    return conn.tstamp is not None and conn.tstamp.before(echo, s.at)


def identify(env: Env, conn: Conn, told: Told) -> None:
    """Mark what this ACK shows to be lost."""
    snd = conn.snd
    if not snd.flight.queue:
        return
    if not conn.sack:
        _without_sack(env, conn, told.advanced)
    elif env.config["net.ipv4.tcp_recovery"] & RACK:
        before = snd.flight.retrans
        if _mark_lost(env, conn):
            told.timer = False  # RACK has set it
        told.lost_again = before > snd.flight.retrans
    else:
        _by_count(env, conn)


def _mark_lost(env: Env, conn: Conn) -> bool:
    """RFC 8985 §6.2 step 5; True if the reordering timer was set."""
    loss = conn.snd.loss
    if not loss.advanced:
        return False
    loss.advanced = False
    wait = detect(env, conn)
    if wait:
        env.note("8985/6.2/5/wait", conn.sock, wait / MS)
        timer.arm(env, conn, REORDER, wait + LEAST)
    return wait > 0


def detect(env: Env, conn: Conn) -> int:
    """Mark everything that was sent long enough before what has arrived; returns how long (ns) to wait for the rest.

    Segments never sent again stand in the order of their sending, so the first that is too new ends the search.
    """
    snd, loss = conn.snd, conn.snd.loss
    window, wait = _window(env, conn), 0
    newest = (loss.newest, loss.newest_end)
    for index, s in enumerate(snd.flight.queue):
        if s.marks & SACKED or (s.marks & LOST and not s.marks & RETRANS):
            continue
        if (s.note.nth, s.end) >= newest:
            if s.marks & EVER:
                continue
            break
        rest = s.at + loss.newest_rtt + window - env.now
        if rest <= 0:
            env.note("8985/6.2/5/lost", conn.sock, s.seq - snd.iss, s.end - snd.iss)
            lose(env, conn, index)
        else:
            wait = max(wait, rest)
    return wait


def overdue(env: Env, conn: Conn, s: Sent) -> bool:
    """By RACK's clock, without a reordering window: a timeout need not count what was sent just now as lost."""
    return s.at + conn.snd.loss.newest_rtt <= env.now


def _window(env: Env, conn: Conn) -> int:
    """The reordering window (RFC 8985 §6.2 step 4): none, until reordering was seen, in recovery or at three SACKs."""
    snd, loss = conn.snd, conn.snd.loss
    if not loss.reorderings:
        if loss.state >= RECOVERY:
            return 0
        if snd.flight.sacked >= loss.reordering and not env.config["net.ipv4.tcp_recovery"] & NO_DUPTHRESH:
            return 0
    return min(snd.rtt.least // 4 * loss.steps, snd.rtt.srtt) if snd.rtt.least else snd.rtt.srtt


def widen(env: Env, conn: Conn, told: Told) -> None:
    """The reordering window grows in round trips with D-SACKs (RFC 8985 §6.2 step 4)."""
    loss = conn.snd.loss
    if env.config["net.ipv4.tcp_recovery"] & STATIC or told.newest is None:
        return
    prior = told.newest.note.total
    if prior < loss.stretched:
        loss.duplicated = False  # not a round trip since the last time
    if loss.duplicated:
        loss.steps, loss.duplicated = min(loss.steps + 1, 0xFF), False
        loss.stretched, loss.persist = loss.delivered, PERSIST
        env.note("8985/6.2/4/widen", conn.sock, loss.steps)
    elif not loss.persist:
        loss.steps = 1


def _by_count(env: Env, conn: Conn) -> None:
    """RFC 6675 §4, IsLost(): as many segments beyond it have arrived as the duplicate ACK threshold says."""
    snd, loss = conn.snd, conn.snd.loss
    beyond = snd.flight.sacked
    for index, s in enumerate(snd.flight.queue):
        if beyond < loss.reordering:
            return
        if s.marks & SACKED:
            beyond -= s.segs
        elif not s.marks & LOST:
            env.note("6675/4/lost", conn.sock, s.seq - snd.iss, s.end - snd.iss)
            lose(env, conn, index)


def _without_sack(env: Env, conn: Conn, advanced: bool) -> None:
    """Three duplicate ACKs: the oldest segment is lost (RFC 5681 §3.2 (2)); so it is after a partial ACK (RFC 6582)."""
    snd, loss = conn.snd, conn.snd.loss
    partial = loss.state == RECOVERY and advanced
    if not partial and not (loss.state < RECOVERY and snd.flight.sacked >= loss.reordering):
        return
    first = snd.flight.queue[0]
    if first.marks & LOST:
        return
    if first.segs > 1:
        cut(snd.flight, 0, first.seq + first.mss)
    env.note("6582/3.2/partial" if partial else "5681/3.2/2/fast", conn.sock, snd.una - snd.iss)
    lose(env, conn, 0)


def lose(env: Env, conn: Conn, index: int) -> None:
    """The record is believed to be lost, or its retransmission to be lost again."""
    flight, loss = conn.snd.flight, conn.snd.loss
    s = flight.queue[index]
    if s.marks & SACKED or (s.marks & LOST and not s.marks & RETRANS):
        return
    loss.marked += s.segs
    if s.marks & LOST:
        env.count["TcpExtTCPLostRetransmit"] += s.segs
        mark(flight, index, s.marks & ~RETRANS)
    else:
        mark(flight, index, s.marks | LOST)
