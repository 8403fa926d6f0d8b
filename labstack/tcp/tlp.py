# SPDX-License-Identifier: GPL-2.0-or-later
"""Tail loss probes (RFC 8985 §7): when the last segments of a flight stay unanswered for two round trips, send one
more, new or again, so that the acknowledgment tells what was lost, long before a timeout would.
"""

from labstack.core.env import Env
from labstack.tcp import prr, timer
from labstack.tcp.castate import become, keep_open
from labstack.tcp.conn import TAIL, Conn
from labstack.tcp.loss import CWR, OPEN
from labstack.tcp.rack import LEAST
from labstack.tcp.rtt import INITIAL_RTO, least
from labstack.tcp.told import Told

ON = (3, 4)  # net.ipv4.tcp_early_retrans
CALM = (OPEN, CWR)


def schedule(env: Env, conn: Conn, rto: int) -> bool:
    """Set the timer for a probe (RFC 8985 §7.2), if one would help. rto: ns until a timeout would come."""
    flight, srtt = conn.snd.flight, conn.snd.rtt.srtt
    if not flight.queue or not conn.sack or conn.snd.loss.state not in CALM:
        return False
    if env.config["net.ipv4.tcp_early_retrans"] not in ON:
        return False
    # one segment alone may meet a receiver that delays its ACK
    wait = 2 * srtt + (least(env) if flight.out == 1 else LEAST) if srtt else INITIAL_RTO
    timer.arm(env, conn, TAIL, (rto if 0 < rto < wait else wait) + timer.pace(env, conn))
    return True


def set_timer(env: Env, conn: Conn) -> None:
    """New data was acknowledged: a probe first, if that helps, or else the timeout (RFC 6298 (5.2), (5.3))."""
    if not schedule(env, conn, conn.snd.rtt.rto):
        timer.rearm(env, conn)


def burst_over(env: Env, conn: Conn, first: bool) -> None:
    """New data went out, all that could: a probe may be due before the timeout. first: nothing had been in flight."""
    if not schedule(env, conn, timer.left(env, conn)):
        timer.sent_new(env, conn, first)


def expire(env: Env, conn: Conn) -> None:
    """Time for a probe (RFC 8985 §7.3): at most one is under way. `send` chooses what it is."""
    snd = conn.snd
    if snd.loss.tail_end:
        timer.rearm(env, conn)
        return
    snd.loss.tail = True


def sent(env: Env, conn: Conn, again: bool) -> None:
    """The probe has left; again: it was a retransmission."""
    loss = conn.snd.loss
    loss.tail, loss.tail_again, loss.tail_end = False, again, conn.snd.nxt
    env.count["TcpExtTCPLossProbes"] += 1
    env.note("8985/7.3/probe", conn.sock, "again" if again else "new data")
    timer.restart(env, conn)


def answered(env: Env, conn: Conn, told: Told) -> None:
    """An ACK while a probe is under way: did it repair a loss that nobody would have noticed? (RFC 8985 §7.4)"""
    snd, loss = conn.snd, conn.snd.loss
    if snd.una < loss.tail_end:
        return
    if not loss.tail_again or told.tail:
        loss.tail_end = 0  # it was new, or both copies arrived
    elif snd.una > loss.tail_end:
        env.note("8985/7.4.2/repaired", conn.sock)
        env.count["TcpExtTCPLossProbeRecovery"] += 1
        prr.begin(env, conn, snd.cc.threshold(env.now))
        become(env, conn, CWR)
        prr.end(env, conn)
        keep_open(env, conn)
    elif not told.advanced and not told.novel and not told.sacked:
        loss.tail_end = 0  # a duplicate ACK: both copies arrived
