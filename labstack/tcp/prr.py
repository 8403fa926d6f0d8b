# SPDX-License-Identifier: GPL-2.0-or-later
"""Proportional Rate Reduction (RFC 6937, RFC 9937): in recovery, and after ECN's marks, cwnd follows what arrives, so
that one round trip later it is ssthresh: neither a burst nor a pause.
"""

from labstack.core.env import Env
from labstack.tcp import ecn
from labstack.tcp.cc.controller import INFINITE, Sample
from labstack.tcp.conn import Conn
from labstack.tcp.loss import CWR


def begin(env: Env, conn: Conn, ssthresh: int) -> None:
    """The window is to become ssthresh (segments)."""
    snd, loss = conn.snd, conn.snd.loss
    loss.high, loss.tail_end = snd.nxt, 0
    loss.prior_cwnd = snd.cc.cwnd
    loss.prr_delivered = loss.prr_out = 0
    snd.cc.credit, snd.cc.ssthresh = 0, ssthresh
    ecn.reduced(conn)
    env.note("6937/3/begin", conn.sock, loss.prior_cwnd, ssthresh)


def reduce(env: Env, conn: Conn, s: Sample, advanced: bool) -> None:
    """An ACK came (RFC 6937 §3, with PRR-SSRB's conservation only where there were more losses)."""
    snd, loss, cc = conn.snd, conn.snd.loss, conn.snd.cc
    if s.delivered <= 0 or not loss.prior_cwnd:
        return
    loss.prr_delivered += s.delivered
    room = cc.ssthresh - s.flight
    least = 0 if loss.prr_out else 1  # the first retransmission goes at once
    if room < 0:
        # in proportion: what goes out is to what arrives as the new window to the old
        count = max(-(-cc.ssthresh * loss.prr_delivered // loss.prior_cwnd) - loss.prr_out, least)
        env.note("6937/3/proportional", conn.sock, count)
    else:
        count = max(loss.prr_delivered - loss.prr_out, s.delivered)
        if advanced and not s.losses:
            count += 1  # slow start towards ssthresh
        count = max(min(room, count), least)
        env.note("6937/3/rebuild", conn.sock, count)
    cc.cwnd = max(s.flight + count, 1)
    snd.full_at = env.now


def nudge(env: Env, conn: Conn, losses: int) -> None:
    """Recovery begins without an ACK: as if one segment had arrived, so that the first retransmission goes."""
    s = Sample(env.now, delivered=1, flight=conn.snd.flight.now, losses=losses)
    reduce(env, conn, s, advanced=False)


def end(env: Env, conn: Conn) -> None:
    """It is over: cwnd is what it was to become."""
    snd, cc = conn.snd, conn.snd.cc
    if not cc.own and cc.ssthresh < INFINITE and (snd.loss.state == CWR or snd.loss.since is not None):
        cc.cwnd = cc.ssthresh
        snd.full_at = env.now
