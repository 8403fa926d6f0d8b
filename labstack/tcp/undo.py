# SPDX-License-Identifier: GPL-2.0-or-later
"""Taking a reduction back: what seemed lost had only been late (RFC 3522, RFC 4015 and 3708, as Linux does it).

The proof is a D-SACK for every retransmission, or a timestamp from before the first of them (Eifel), or that nothing
was sent again at all.
"""

from labstack.core.env import Env
from labstack.tcp import ecn, sack
from labstack.tcp.castate import become, keep_open, settled
from labstack.tcp.conn import Conn
from labstack.tcp.loss import LOSS, OPEN
from labstack.tcp.rack import PERSIST
from labstack.tcp.sent import LOST, mark
from labstack.tcp.states import SYN_SENT
from labstack.tcp.told import Told


def begin(conn: Conn) -> None:
    """The window is about to be reduced: remember what it would take to prove that wrong."""
    snd, loss = conn.snd, conn.snd.loss
    loss.since = snd.una
    loss.doubtful = (snd.flight.retrans + (loss.tail_end > 0 and loss.tail_again)) or -1


def _late(conn: Conn, told: Told) -> bool:
    """It was only late: nothing was sent again, or the echoed timestamp is from before (RFC 3522 §3.2)."""
    loss = conn.snd.loss
    if loss.resent_at < 0:
        # not so where that was forgotten: `held` below, and when the SYN was acknowledged
        return conn.state != SYN_SENT and (conn.sack or conn.snd.una < loss.high)
    return conn.tstamp is not None and conn.tstamp.before(told.echo, loss.resent_at)


def possible(conn: Conn, told: Told) -> bool:
    loss = conn.snd.loss
    return loss.since is not None and (not loss.doubtful or _late(conn, told))


def take_back(env: Env, conn: Conn, unmark: bool) -> None:
    """The window and ssthresh are what they were. unmark: what counts as lost is only late."""
    snd, loss = conn.snd, conn.snd.loss
    if unmark:
        for index, s in enumerate(snd.flight.queue):
            mark(snd.flight, index, s.marks & ~LOST)
    if loss.prior_ssthresh:
        snd.cc.cwnd = snd.cc.after_undo(loss.prior_cwnd)
        if loss.prior_ssthresh > snd.cc.ssthresh:
            snd.cc.ssthresh = loss.prior_ssthresh
            ecn.restored(conn)
        env.note("4015/3.2/undo", conn.sock, snd.cc.cwnd)
    snd.full_at = env.now
    loss.since = None
    loss.advanced = True  # look at everything again


def by_dsack(env: Env, conn: Conn) -> bool:
    """Every retransmission was superfluous, say D-SACKs (RFC 3708, RFC 8985 §7.2)."""
    loss = conn.snd.loss
    if loss.since is None or loss.doubtful:
        return False
    loss.persist = min(PERSIST, loss.persist + 1)
    env.count["TcpExtTCPDSACKUndo"] += 1
    take_back(env, conn, unmark=False)
    return True


def whole(env: Env, conn: Conn, told: Told) -> None:
    """Everything that was in flight has arrived: was that because nothing had been lost?"""
    loss = conn.snd.loss
    if possible(conn, told):
        env.count["TcpExtTCPLossUndo" if loss.state == LOSS else "TcpExtTCPFullUndo"] += 1
        take_back(env, conn, unmark=False)
    elif loss.persist:
        loss.persist -= 1


def partial(env: Env, conn: Conn, told: Told) -> bool:
    """The oldest hole was filled by a segment that was late, not by its retransmission. True: and others were sent
    again, so for now only what this ACK permits goes out."""
    snd, loss = conn.snd, conn.snd.loss
    if loss.since is None or not _late(conn, told):
        return False
    sack.reordered(env, conn, told.una, "TcpExtTCPTSReorder")
    if snd.flight.retrans:
        return True
    settled(conn)
    env.count["TcpExtTCPPartialUndo"] += 1
    take_back(env, conn, unmark=True)
    keep_open(env, conn)
    return False


def timeout(env: Env, conn: Conn, told: Told, frto: bool) -> bool:
    """The retransmission timeout was too early: F-RTO says so, or the proof above."""
    snd, loss = conn.snd, conn.snd.loss
    if not frto and not possible(conn, told):
        return False
    env.count["TcpExtTCPLossUndo"] += 1
    if frto:
        env.count["TcpExtTCPSpuriousRTOs"] += 1
        env.note("5682/3/spurious", conn.sock)
    take_back(env, conn, unmark=True)
    snd.retries = 0
    if held(conn):
        return True
    if frto or conn.sack:
        become(env, conn, OPEN)
        loss.reneged = False
    return True


def held(conn: Conn) -> bool:
    """RFC 6582 §3.2 step 1: without SACK recovery lasts until something beyond is acknowledged, or else duplicate ACKs
    of what was sent before it would begin another one."""
    if conn.sack or conn.snd.una != conn.snd.loss.high:
        return False
    settled(conn)
    return True
