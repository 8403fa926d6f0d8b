# SPDX-License-Identifier: GPL-2.0-or-later
"""What happens when a connection's timers expire: retransmission (RFC 6298 §5), RACK, probes, delayed ACK, TIME-WAIT.

The limits R1 and R2 are RFC 9293 §3.8.3's.
"""

import errno
from collections.abc import Callable

from labstack.core import kinds
from labstack.core.config import MS
from labstack.core.env import Env
from labstack.tcp import (
    ackgen,
    closing,
    compress,
    eager,
    keepalive,
    patience,
    persist,
    plpmtud,
    rack,
    rate,
    recovery,
    rtt,
    send,
    syn,
    tally,
    timer,
    tlp,
)
from labstack.tcp.castate import become
from labstack.tcp.conn import REORDER, RTO, TAIL, Conn
from labstack.tcp.loss import DISORDER, LOSS, RECOVERY
from labstack.tcp.states import SYN_RECEIVED, SYN_SENT


def expire(env: Env, conn: Conn, kind: int) -> None:
    """A timer of this connection went off."""
    _EXPIRE[kind](env, conn)
    env.dirty[conn.sock] = None


def _retransmission(env: Env, conn: Conn) -> None:
    """The retransmission timer: what did it stand for?"""
    if conn.snd.flight.queue:
        _PENDING[conn.snd.pending](env, conn)


def _timeout(env: Env, conn: Conn) -> None:
    snd = conn.snd
    if not snd.wnd and conn.held and conn.state not in (SYN_SENT, SYN_RECEIVED):
        _withdrawn(env, conn)
        return
    snd.retries += 1
    if snd.retries == 1:
        snd.trouble_at = env.now if conn.state != SYN_SENT else snd.trouble_at
    env.count["TcpExtTCPTimeouts"] += 1
    over = (syn if conn.state in (SYN_SENT, SYN_RECEIVED) else patience).over(env, conn)
    eager.timed_out(env, conn, over)
    if over:
        _give_up(env, conn, snd.retries - 1)
        return
    if snd.retries == env.config["net.ipv4.tcp_retries1"]:
        # RFC 9293 §3.8.3 (b): R1, the IP layer is told
        env.note("9293/3.8.3/r1", conn.sock, snd.retries)
        conn.doubt = True
    plpmtud.timed_out(env, conn)
    env.note("6298/5.4/retransmit", conn.sock, snd.una - snd.iss, snd.retries)
    if snd.una == snd.iss:
        _syn(env, conn)
    else:
        _count(env, conn)
        rate.check(snd)
        recovery.timed_out(env, conn)
        snd.loss.oldest = True
    tally.timed_out(conn.tally, snd.retries == 1, env.now)
    if not syn.linear(env, conn):
        rtt.back_off(env, snd.rtt)
    timer.arm(env, conn, RTO, persist.within(env, conn, snd.rtt.rto))  # RFC 6298 (5.6)


def _give_up(env: Env, conn: Conn, retries: int) -> None:
    """RFC 9293 §3.8.3 (c): R2."""
    env.note("9293/3.8.3/r2", conn.sock, retries)
    env.count["TcpExtTCPAbortOnTimeout"] += 1
    closing.die(env, conn, conn.soft or errno.ETIMEDOUT)


def _withdrawn(env: Env, conn: Conn) -> None:
    """The peer has taken back its window while data is in flight (RFC 9293 §3.8.6, SHLD-15 to 17): what is sent again
    is a window probe, and as long as the peer answers that is no reason to give up (Linux's tcp_retransmit_timer)."""
    snd = conn.snd
    silence = 2 * env.config["net.ipv4.tcp_rto_max_ms"] * MS
    tried = env.now - (snd.loss.resent_at if snd.loss.resent_at >= 0 else snd.flight.queue[0].at)
    timeout = conn.user.timeout
    if 0 < timeout < tried or (env.now - snd.ack_at > silence and tried > silence):
        _give_up(env, conn, snd.rtt.backoff)
        return
    env.note("9293/3.8.6/withdrawn", conn.sock, snd.una - snd.iss)
    recovery.timed_out(env, conn)
    snd.loss.oldest = True
    rtt.back_off(env, snd.rtt)
    timer.arm(env, conn, RTO, snd.rtt.rto)


def _syn(env: Env, conn: Conn) -> None:
    """Our SYN goes again. Once lost it need not have been congestion; twice, the first flight is one segment (RFC 6928
    §2, `opening`)."""
    conn.snd.syn = True
    rack.lose(env, conn, 0)
    conn.snd.cc.cwnd = 1  # the SYN fills it, until the handshake is over
    become(env, conn, LOSS)
    conn.snd.loss.high = conn.snd.nxt


def _count(env: Env, conn: Conn) -> None:
    """What Linux calls a timeout, by the state in which it came."""
    if conn.snd.retries > 1:
        return
    kind, state = "Sack" if conn.sack else "Reno", conn.snd.loss.state
    if state == RECOVERY:
        env.count[f"TcpExtTCP{kind}RecoveryFail"] += 1
    elif state == LOSS:
        env.count["TcpExtTCPLossFailures"] += 1
    elif state == DISORDER or conn.snd.flight.sacked:
        env.count[f"TcpExtTCP{kind}Failures"] += 1


_PENDING: dict[int, Callable[[Env, Conn], None]] = {
    RTO: _timeout,
    TAIL: tlp.expire,
    REORDER: recovery.reordering_over,
}
_EXPIRE: dict[int, Callable[[Env, Conn], None]] = {
    kinds.TCP_RETRANSMIT: _retransmission,
    kinds.TCP_PERSIST: persist.expire,
    kinds.TCP_DELACK: ackgen.expire,
    kinds.TCP_TIMEWAIT: closing.expire,
    kinds.TCP_KEEPALIVE: keepalive.expire,
    kinds.TCP_PACING: send.departs,
    kinds.TCP_COMPRESS: compress.expire,
}
