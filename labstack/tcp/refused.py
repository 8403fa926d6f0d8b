# SPDX-License-Identifier: GPL-2.0-or-later
"""Our own device took nothing of what was to be sent: its queue is full.

That is congestion, and at once known (Linux's tcp_transmit_skb): the window is reduced, new data stays where it was,
and what would have gone again counts as tried. Who waits for a timer tries again soon, without doubling it. A SYN and
an ACK alone are as if the network had lost them.
"""

from labstack.core.env import Env
from labstack.tcp import persist, recovery, rtt, tally, timer
from labstack.tcp.conn import RTO, Conn
from labstack.tcp.send import NEW, Span
from labstack.tcp.sent import EVER, mark


def not_sent(env: Env, conn: Conn, span: Span) -> None:
    """Nothing of this has left."""
    snd, (_, size, _, again, _) = conn.snd, span
    env.note("linux/tcp_enter_cwr/refused", conn.sock, size)
    recovery.refused(env, conn)
    if again == NEW:
        tally.sent(conn.tally, size, -(-size // snd.fits), env.now)
    else:
        _not_again(env, conn, again, size)
    if snd.loss.tail:
        snd.loss.tail = False
        timer.rearm(env, conn)
    if not snd.flight.queue:
        persist.refused(env, conn)


def _not_again(env: Env, conn: Conn, index: int, size: int) -> None:
    """A retransmission was tried in vain; if it was a timeout's, the timer goes on as if nothing had doubled it."""
    snd, loss = conn.snd, conn.snd.loss
    old = snd.flight.queue[index]
    env.count["TcpRetransSegs"] += old.segs
    env.count["TcpExtTCPRetransFail"] += old.segs
    tally.sent(conn.tally, size, old.segs, env.now, again=True)
    mark(snd.flight, index, old.marks | EVER)
    if loss.tail:
        return
    if loss.resent_at < 0:
        loss.resent_at = env.now
    loss.doubtful = max(loss.doubtful, 0) + old.segs
    if loss.oldest:
        loss.oldest = False
        if snd.rtt.backoff:
            rtt.take_back(env, snd.rtt)
        timer.arm(env, conn, RTO, persist.AGAIN)
