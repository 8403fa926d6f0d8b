# SPDX-License-Identifier: GPL-2.0-or-later
"""When to acknowledge: delayed, every second segment, at once (RFC 9293 §3.8.6.3; RFC 5681 §4.2).

Nothing is sent here. What is due goes out when the stack is drained, on data if there is any, once for all the
segments that were handled since (MUST-58, MUST-59).
"""

from labstack.core import kinds
from labstack.core.config import MS
from labstack.core.env import Env
from labstack.tcp.conn import DELAYED, NONE, NOW, Conn


def in_order(env: Env, conn: Conn) -> None:
    """New data arrived in order."""
    rcv = conn.rcv
    if rcv.nxt - rcv.acked >= min(2 * rcv.mss, rcv.limit // 2):
        # RFC 9293 §3.8.6.3 SHLD-19: at least every second full-sized segment
        env.note("9293/3.8.6.3/second", conn.sock)
        rcv.ack = NOW
    elif rcv.ack == NONE:
        rcv.ack = DELAYED
        delay = env.config["net.ipv4.tcp_delack_min"] * MS
        env.timers.set((kinds.TCP_DELACK, conn.sock), env.now + delay)
        env.note("9293/3.8.6.3/delay", conn.sock, delay // MS)


def at_once(conn: Conn) -> None:
    conn.rcv.ack = NOW


def challenge(env: Env, conn: Conn) -> None:
    """Answer a segment that cannot be right with an ACK, at most one in tcp_invalid_ratelimit (RFC 5961 §7, §10)."""
    if env.now - conn.challenged < env.config["net.ipv4.tcp_invalid_ratelimit"] * MS:
        env.count["TcpExtTCPACKSkippedChallenge"] += 1
        env.note("5961/7/throttled", conn.sock)
        return
    env.count["TcpExtTCPChallengeACK"] += 1
    conn.challenged = env.now
    conn.rcv.ack = NOW


def sent(env: Env, conn: Conn) -> None:
    """A segment with an ACK has just left."""
    rcv = conn.rcv
    rcv.acked = rcv.nxt
    if rcv.ack != NONE:
        rcv.ack = NONE
        env.timers.stop((kinds.TCP_DELACK, conn.sock))


def expire(env: Env, conn: Conn) -> None:
    """The delayed ACK has waited long enough (MUST-40)."""
    if conn.rcv.ack == DELAYED:
        env.count["TcpExtDelayedACKs"] += 1
        env.note("9293/3.8.6.3/expire", conn.sock)
        conn.rcv.ack = NOW
