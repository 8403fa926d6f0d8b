# SPDX-License-Identifier: GPL-2.0-or-later
"""Keep-alives: is the peer of a silent connection still there? (RFC 9293 §3.8.4, MAY-5, MUST-24 to MUST-29)

Off unless the application asks (MUST-25). A probe is an ACK of one number before SND.UNA, without data, which the peer
must answer; probes that nobody answers end the connection, a single one never does (MUST-29).
"""

import errno

from labstack.core import kinds
from labstack.core.config import SECOND
from labstack.core.env import Env
from labstack.tcp import closing
from labstack.tcp.conn import Conn
from labstack.tcp.states import CLOSED, LISTEN, SYN_RECEIVED, SYN_SENT, TIME_WAIT

SILENT = frozenset({CLOSED, LISTEN, SYN_SENT, SYN_RECEIVED, TIME_WAIT})  # no probes here


def start(env: Env, conn: Conn) -> None:
    """(Re)arm or stop the timer, as the application has it now."""
    key = (kinds.TCP_KEEPALIVE, conn.sock)
    if conn.user.keepalive and conn.state not in SILENT:
        env.timers.set(key, max(_heard(conn) + _idle(env, conn), env.now))
    else:
        env.timers.stop(key)


def _heard(conn: Conn) -> int:
    """When anything acceptable last came from the peer, ns."""
    return max(conn.rcv.heard, conn.snd.ack_at)


def _idle(env: Env, conn: Conn) -> int:
    return conn.user.keep_idle or env.config["net.ipv4.tcp_keepalive_time"] * SECOND


def expire(env: Env, conn: Conn) -> None:
    """The connection has been silent for long, or it has not, or a probe was not answered."""
    user, snd, key = conn.user, conn.snd, (kinds.TCP_KEEPALIVE, conn.sock)
    idle, silence = _idle(env, conn), env.now - _heard(conn)
    if snd.una < snd.out.end + snd.fin:
        env.timers.set(key, env.now + idle)  # retransmissions or window probes will tell
    elif silence < idle:
        env.timers.set(key, env.now + idle - silence)
    elif _hopeless(env, conn, silence):
        env.note("9293/3.8.4/dead", conn.sock, snd.unanswered)
        env.count["TcpExtTCPAbortOnTimeout"] += 1
        closing.reset(env, conn, conn.soft or errno.ETIMEDOUT)
    else:
        env.note("9293/3.8.4/probe", conn.sock, snd.unanswered + 1)
        env.count["TcpExtTCPKeepAlive"] += 1
        snd.unanswered += 1
        snd.poke = True
        env.timers.set(key, env.now + (user.keep_interval or env.config["net.ipv4.tcp_keepalive_intvl"] * SECOND))


def _hopeless(env: Env, conn: Conn, silence: int) -> bool:
    """TCP_USER_TIMEOUT decides if it is set, else the number of probes without an answer."""
    if conn.user.timeout:
        return conn.snd.unanswered > 0 and silence >= conn.user.timeout
    return conn.snd.unanswered >= (conn.user.keep_count or env.config["net.ipv4.tcp_keepalive_probes"])
