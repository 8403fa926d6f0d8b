# SPDX-License-Identifier: GPL-2.0-or-later
"""A plain acknowledgment: of what was sent once, in order, while nothing is believed to be lost and nobody probes.

Exactly what `acks` makes of it, in fewer steps, because nothing else can come of it, and nobody asks for its rules.
`predict` asks here first; a test compares the two on random segments.
"""

from labstack.core.env import Env
from labstack.tcp import acks, rate, rtt, tally, tlp
from labstack.tcp.conn import Conn
from labstack.tcp.loss import OPEN
from labstack.tcp.sent import rest


def taken(env: Env, conn: Conn, ack: int, wnd: int) -> bool:
    """Take an ACK of new data that offers a window of wnd bytes; False, and nothing is done, if it is not so plain."""
    snd = conn.snd
    loss, flight, now = snd.loss, snd.flight, env.now
    queue, before = flight.queue, flight.out
    if loss.state != OPEN or loss.tail_end or loss.duplicated or loss.steps > 1 or conn.search.probe:
        return False
    if not queue or not conn.sack or flight.sacked or flight.lost or flight.retrans:
        return False
    passed, acked, last, left = 0, 0, None, None
    for s in queue:
        if s.marks:
            return False
        if s.end > ack:
            if s.seq < ack:
                left = rest(s, ack)
                if left.segs < s.segs:
                    acked, last = acked + s.segs - left.segs, s
            break
        acked, last = acked + s.segs, s
        passed += 1
    if last is None:
        return False
    first_at, sent_at, end, note = queue[0].at, last.at, last.end, last.note
    took, late, nth = now - sent_at, acked == 1, note.nth
    if end > ack:
        end = ack
    if wnd > snd.max_wnd:
        acks.window(env, conn, conn.rcv.nxt, ack, wnd)
    else:
        snd.wnd, snd.wl1, snd.wl2 = wnd, conn.rcv.nxt, ack
    snd.una, snd.retries, snd.more, conn.soft = ack, 0, False, 0
    snd.out.drop_before(ack)
    snd.ack_at, snd.unanswered = now, 0
    if left is not None:
        queue[passed] = left
    del queue[:passed]
    flight.out -= acked
    loss.delivered += acked
    loss.advanced, loss.newest_rtt = True, took
    if nth > loss.newest or (nth == loss.newest and end > loss.newest_end):
        loss.newest, loss.newest_end = nth, end
    rtt.sample(env, snd.rtt, now - first_at or 1, took or 1, ack, snd.nxt, late)
    tlp.set_timer(env, conn)
    conn.progress = True
    env.count["TcpExtTCPDelivered"] += acked
    acks.heard(env, conn, rate.sample(env, snd, (note, sent_at, end), before, acked, took, delayed=late))
    if not queue and snd.una >= snd.out.end + snd.fin:
        tally.idle(conn.tally, now)
    return True
