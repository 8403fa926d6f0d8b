# SPDX-License-Identifier: GPL-2.0-or-later
"""Loss recovery: from an ACK that is not like others, or a timer, to the congestion state that follows (RFC 6675 §5,
RFC 6582 §3.2, RFC 8985 §6, RFC 3168 §6.1.2; the order is Linux's).

What is lost, `rack` decides; what cwnd becomes, `prr` and the controller; whether it was an error, `undo` and `frto`.
What goes out again, `send` takes from the queue.
"""

from collections.abc import Callable

from labstack.core.env import Env
from labstack.tcp import ecn, frto, plpmtud, prr, rack, sack, tally, timer, undo
from labstack.tcp.castate import become, keep_open, settled
from labstack.tcp.conn import RTO, Conn
from labstack.tcp.loss import CWR, DISORDER, LOSS, OPEN, RECOVERY
from labstack.tcp.sent import SACKED, mark
from labstack.tcp.told import Told

RENEGING = 10_000_000  # ns that a peer has to fill what it took back


def alert(env: Env, conn: Conn, told: Told) -> None:
    """An ACK that is a duplicate, has SACK blocks, or comes while all is not well."""
    snd, loss = conn.snd, conn.snd.loss
    loss.hold = False
    duplicates = 0 if told.advanced or told.novel or told.duplicate else 1
    if duplicates:
        env.note("9293/3.10.7.4/ack/dup", conn.sock, snd.una - snd.iss)
    if not snd.flight.queue:
        snd.flight.sacked = 0
    if told.ece:
        loss.prior_ssthresh = 0  # a mark is no error
    if told.reneged and told.advanced:
        _reneging(env, conn, told)
        return
    if loss.state == OPEN:
        loss.resent_at = -1
    elif snd.una >= loss.high and _finished(env, conn, told):
        return
    if loss.state == RECOVERY:
        _in_recovery(env, conn, told, duplicates)
    elif loss.state == LOSS:
        _in_loss(env, conn, told, duplicates)
    else:
        _otherwise(env, conn, told, duplicates)


def _finished(env: Env, conn: Conn, told: Told) -> bool:
    """Everything that was in flight when the state was entered has arrived. True: but it is not left yet."""
    snd, loss = conn.snd, conn.snd.loss
    if loss.state == CWR and snd.una != loss.high:
        prr.end(env, conn)  # one more than asked, so that the reduction lasts a whole round trip
        become(env, conn, OPEN)
    elif loss.state == RECOVERY:
        if not conn.sack:
            snd.flight.sacked = 0
        undo.whole(env, conn, told)
        if undo.held(conn):
            return True
        env.note("6582/3.2/full", conn.sock)
        become(env, conn, OPEN)
        loss.reneged = False
        prr.end(env, conn)
    return False


def _in_recovery(env: Env, conn: Conn, told: Told, duplicates: int) -> None:
    loss = conn.snd.loss
    if not told.advanced:
        if not conn.sack:
            sack.count(env, conn, duplicates)
    elif undo.partial(env, conn, told):
        return
    if undo.by_dsack(env, conn):
        _try_open(env, conn, told)
    rack.identify(env, conn, told)
    if loss.state != RECOVERY and _must(conn):
        enter(env, conn, told.ece)


def _in_loss(env: Env, conn: Conn, told: Told, duplicates: int) -> None:
    loss = conn.snd.loss
    frto.judge(env, conn, told, duplicates)
    if loss.state != LOSS:
        tally.recovered(conn.tally, env.now)
    rack.identify(env, conn, told)
    if loss.state == OPEN or told.lost_again:
        _enter_or_open(env, conn, told)


def _otherwise(env: Env, conn: Conn, told: Told, duplicates: int) -> None:
    snd, loss = conn.snd, conn.snd.loss
    if not conn.sack:
        if told.advanced:
            snd.flight.sacked = 0
        sack.count(env, conn, duplicates)
        if duplicates and loss.state < RECOVERY and snd.flight.sacked < loss.reordering:
            env.note("3042/2/limited", conn.sock, snd.flight.sacked)
    if loss.state <= DISORDER:
        undo.by_dsack(env, conn)
    rack.identify(env, conn, told)
    _enter_or_open(env, conn, told)


def _enter_or_open(env: Env, conn: Conn, told: Told) -> None:
    if not _must(conn):
        _try_open(env, conn, told)
    elif plpmtud.failed(env, conn):
        simple_retransmit(env, conn)
    else:
        enter(env, conn, told.ece)


def _must(conn: Conn) -> bool:
    """Something is lost."""
    return conn.snd.flight.lost > 0


def _try_open(env: Env, conn: Conn, told: Told) -> None:
    settled(conn)
    if told.ece:
        congestion_experienced(env, conn)
    if conn.snd.loss.state != CWR:
        keep_open(env, conn)


def enter(env: Env, conn: Conn, ece: bool) -> None:
    """Recovery begins: reduce the window, unless marks have done so already."""
    snd, loss = conn.snd, conn.snd.loss
    env.count["TcpExtTCPSackRecovery" if conn.sack else "TcpExtTCPRenoRecovery"] += 1
    env.note("6675/5/enter" if conn.sack else "5681/3.2/enter", conn.sock, snd.una - snd.iss)
    loss.prior_ssthresh = 0
    undo.begin(conn)
    if loss.state not in (CWR, RECOVERY):
        if not ece:
            loss.prior_ssthresh = snd.cc.worth(loss.state)
        prr.begin(env, conn, snd.cc.threshold(env.now))
    become(env, conn, RECOVERY)


def congestion_experienced(env: Env, conn: Conn) -> None:
    """The network marked packets of ours instead of dropping them (RFC 3168 §6.1.2): once in a round trip the window is
    reduced."""
    _slow_down(env, conn, conn.snd.cc.threshold_ecn)


def refused(env: Env, conn: Conn) -> None:
    """Our own device did not take a segment, which is congestion, too (tcp_enter_cwr)."""
    _slow_down(env, conn, conn.snd.cc.threshold)


def _slow_down(env: Env, conn: Conn, threshold: Callable[[int], int]) -> None:
    loss = conn.snd.loss
    loss.prior_ssthresh = 0
    if loss.state < CWR:
        loss.since = None
        prr.begin(env, conn, threshold(env.now))
        become(env, conn, CWR)


def reordering_over(env: Env, conn: Conn) -> None:
    """RACK has waited long enough (RFC 8985 §6.3): what has not come is lost."""
    snd, loss = conn.snd, conn.snd.loss
    before, marked, loss.hold = snd.flight.now, loss.marked, False
    rack.detect(env, conn)
    if snd.flight.now != before and loss.state != RECOVERY:
        enter(env, conn, ece=False)
        if not snd.cc.own:
            prr.nudge(env, conn, loss.marked - marked)
    if snd.pending != RTO:
        timer.rearm(env, conn)


def _reneging(env: Env, conn: Conn, told: Told) -> None:
    """The peer took back what it had SACKed, or so it seems: if it does not fill the gap soon, all is sent again
    (RFC 2018 §8)."""
    env.note("2018/8/reneging", conn.sock)
    told.timer, conn.snd.loss.hold = False, True
    timer.arm(env, conn, RTO, max(conn.snd.rtt.srtt // 2, RENEGING))


# the timeout


def timed_out(env: Env, conn: Conn) -> None:
    """The retransmission timer expired: everything that was sent long enough ago counts as lost (RFC 5681 §3.1)."""
    snd, loss = conn.snd, conn.snd.loss
    fresh, again = loss.state < RECOVERY, snd.retries > 1  # this timeout is counted already
    _all_lost(env, conn)
    if loss.state <= DISORDER or loss.high <= snd.una or (loss.state == LOSS and not again):
        # RFC 5681 §3.1 (4): ssthresh is set by the first timeout only
        loss.prior_ssthresh, loss.prior_cwnd = snd.cc.worth(loss.state), snd.cc.cwnd
        snd.cc.ssthresh = snd.cc.threshold(env.now)
        undo.begin(conn)
    env.note("5681/3.1/timeout", conn.sock, snd.flight.lost)
    snd.cc.cwnd, snd.cc.credit = snd.flight.now + 1, 0
    least = env.config["net.ipv4.tcp_reordering"]
    if loss.state <= DISORDER and snd.flight.sacked >= least:
        loss.reordering = min(loss.reordering, least)  # it was believed to be too great
    become(env, conn, LOSS)
    ecn.reduced(conn)
    loss.high, loss.tail_end, loss.tail, loss.hold = snd.nxt, 0, False, False
    loss.frto = bool(env.config["net.ipv4.tcp_frto"]) and (fresh or again) and not conn.search.probe
    loss.fresh = False


def _all_lost(env: Env, conn: Conn) -> None:
    """Mark everything lost, but not, with RACK, what was sent only just now."""
    snd, flight = conn.snd, conn.snd.flight
    reneged = bool(flight.queue[0].marks & SACKED)
    if reneged:
        env.count["TcpExtTCPSACKReneging"] += 1
        env.note("2018/8/reneged", conn.sock)
        snd.loss.reneged = True
    elif not conn.sack:
        flight.sacked = 0
    for index, s in enumerate(flight.queue):
        if reneged:
            mark(flight, index, s.marks & ~SACKED)
        elif conn.sack and index and not s.marks & SACKED and not rack.overdue(env, conn, s):
            continue
        rack.lose(env, conn, index)


# segments that are too large


def simple_retransmit(env: Env, conn: Conn) -> None:
    """The path takes only smaller segments now: what is larger and in flight was dropped, and that is no congestion.
    Sends it again, without touching the window (RFC 1191 §6.5, Linux's tcp_simple_retransmit)."""
    snd, flight = conn.snd, conn.snd.flight
    for index, s in enumerate(flight.queue):
        if min(s.size, s.mss) > snd.mss:
            rack.lose(env, conn, index)
    if flight.lost:
        no_congestion(env, conn)


def no_congestion(env: Env, conn: Conn) -> None:
    """Something is lost, and that says nothing of the network: it goes again, and the window stays."""
    snd, loss = conn.snd, conn.snd.loss
    if not conn.sack:
        sack.guess(env, conn, 0)
    if loss.state != LOSS:
        loss.high, loss.since = snd.nxt, None
        snd.cc.ssthresh = snd.cc.worth(loss.state)
        loss.prior_ssthresh = 0
        become(env, conn, LOSS)
