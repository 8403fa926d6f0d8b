# SPDX-License-Identifier: GPL-2.0-or-later
"""Sample: what the sender tells its controller, about an ACK or about a moment; and the rate at which it would pace."""

from labstack.core.env import Env
from labstack.core.named import named
from labstack.tcp import delivery, pace
from labstack.tcp.cc.controller import Sample
from labstack.tcp.conn import Conn, Snd

GSO = 65_215  # bytes of a burst, where the path has no super-segments: Linux's, less room for headers


def sample(
    env: Env,
    snd: Snd,
    newest: tuple[delivery.Note, int, int] | None,
    before: int,
    new: int,
    rtt: int,
    losses: int = 0,
    ce: int = 0,
    ece: bool = False,
    delayed: bool = False,
) -> Sample:
    """What this ACK says: it has delivered so many new segments, of `before` that were in flight; see Sample."""
    loss, least, it = snd.loss, snd.rtt.least or -1, snd.delivery
    prior, interval, limited = delivery.sample(it, env.now, newest, loss.delivered, new, least, loss.reneged)
    fields = (
        env.now,
        new,  # acked: what SACK blocks told before was counted then
        new,
        rtt,
        snd.rtt.srtt,
        least,
        before,
        snd.flight.now,
        losses,
        loss.delivered,
        prior,
        interval,
        limited,
        loss.marks,
        ce,
        ece,
        snd.una,
        snd.nxt,
        loss.state,
        loss.marked,
        it.at,
        snd.pacing,
        snd.cc.paced,
        snd.departs,
        delayed,
    )
    return named(Sample, fields)


def moment(env: Env, snd: Snd) -> Sample:
    """The same where there is no ACK."""
    loss = snd.loss
    return Sample(  # by position, too: every burst of data begins with one
        env.now,
        0,
        0,
        -1,
        snd.rtt.srtt,
        snd.rtt.least or -1,
        0,
        snd.flight.now,
        0,
        loss.delivered,
        -1,
        -1,
        False,
        0,
        0,
        False,
        snd.una,
        snd.nxt,
        loss.state,
        loss.marked,
        snd.delivery.at,
        snd.pacing,
        snd.cc.paced,
        snd.departs,
    )


def check(snd: Snd) -> None:
    """Is there too little to send? Then rates are the application's, until what is in flight now was delivered."""
    flight, unsent = snd.flight, snd.out.end - snd.nxt
    if delivery.starved(unsent, snd.mss, flight.now, snd.cc.cwnd, flight.lost, flight.retrans):
        delivery.starve(snd.delivery, snd.loss.delivered, flight.now)


def pacing(env: Env, conn: Conn) -> int:
    """The pacing rate, bytes/s."""
    snd, cc, most = conn.snd, conn.snd.cc, conn.user.pacing
    percents = env.config["net.ipv4.tcp_pacing_ss_ratio"], env.config["net.ipv4.tcp_pacing_ca_ratio"]
    rate = cc.pacing or pace.rate(snd.mss, cc.cwnd, cc.ssthresh, snd.flight.out, snd.rtt.srtt, percents)
    return most if 0 < most < rate else rate


def update(env: Env, conn: Conn) -> None:
    """The pacing rate, and how large bursts may be by it. What it depends on changes with every ACK, but only who sends
    wants to know it."""
    snd, cc = conn.snd, conn.snd.cc
    snd.pacing = pacing(env, conn)
    gso = conn.gso if conn.gso > snd.mss else GSO
    least = cc.segments() or env.config["net.ipv4.tcp_min_tso_segs"]
    snd.burst = pace.burst(snd.pacing, snd.mss, snd.rtt.least or -1, gso, least, env.config["net.ipv4.tcp_tso_rtt_log"])
