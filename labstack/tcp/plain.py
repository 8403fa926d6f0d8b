# SPDX-License-Identifier: GPL-2.0-or-later
"""A plain acknowledgment: of what was sent once, in order, while nothing is believed to be lost and nobody probes.

Exactly what `acks` makes of it, in fewer steps, because nothing else can come of it. `predict` asks here first; a test
compares the two on random segments.
"""

from labstack.core.env import Env
from labstack.tcp import acks, delivery, rate, rtt, tally, tlp
from labstack.tcp.conn import Conn
from labstack.tcp.loss import OPEN
from labstack.tcp.sent import rest


def taken(env: Env, conn: Conn, ack: int, wnd: int) -> bool:
    """Take an ACK of new data that offers a window of wnd bytes; False, and nothing is done, if it is not so plain."""
    snd = conn.snd
    loss, flight, now = snd.loss, snd.flight, env.now
    queue, before = flight.queue, flight.out
    if not _calm(conn):
        return False
    passed = acked = 0
    for s in queue:
        if s.marks or s.end > ack:
            break
        acked += s.segs
        passed += 1
    last, left = s, None
    if passed < len(queue):
        if s.marks:
            return False
        if s.seq < ack:
            left = rest(s, ack)
            acked += s.segs - left.segs
        if not acked:
            return False
        if left is None or left.segs == s.segs:
            last = queue[passed - 1]
    first_at, last_at, last_end = queue[0].at, last.at, last.end if last.end < ack else ack
    acks.window(env, conn, conn.rcv.nxt, ack, wnd)
    acks.advance(env, conn, ack)
    snd.ack_at, snd.unanswered = now, 0
    if left is not None:
        queue[passed] = left
    del queue[:passed]
    flight.out -= acked
    loss.delivered += acked
    loss.advanced, loss.newest_rtt = True, now - last_at
    nth = last.note.nth
    if nth > loss.newest or (nth == loss.newest and last_end > loss.newest_end):
        loss.newest, loss.newest_end = nth, last_end
    took, late = now - last_at or 1, acked == 1
    rtt.sample(env, snd.rtt, now - first_at or 1, took, ack, snd.nxt, late)
    tlp.set_timer(env, conn)
    conn.progress = True
    env.count["TcpExtTCPDelivered"] += acked
    newest = delivery.Newest(last.note, last_at, last_end)
    acks.heard(env, conn, rate.sample(env, snd, newest, before, acked, now - last_at, delayed=late))
    if not queue and snd.una >= snd.out.end + snd.fin:
        tally.idle(conn.tally, now)
    return True


def _calm(conn: Conn) -> bool:
    """Something is in flight, and all of it is on its way for all we know."""
    snd = conn.snd
    loss, flight = snd.loss, snd.flight
    trouble = loss.state != OPEN or loss.tail_end or loss.duplicated or loss.steps > 1
    known = flight.sacked or flight.lost or flight.retrans
    return bool(conn.sack and flight.queue) and not (trouble or known or conn.search.probe)
