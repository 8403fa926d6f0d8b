# SPDX-License-Identifier: GPL-2.0-or-later
"""When to acknowledge: at once, every second segment, delayed (RFC 9293 §3.8.6.3; RFC 5681 §4.2; Linux's pace).

Nothing is sent here. What is due goes out when the stack is drained, on data if there is any, once for all the
segments that were handled since (MUST-58, MUST-59).
"""

from labstack.core import kinds
from labstack.core.config import MS
from labstack.core.env import Env
from labstack.tcp.conn import DELAYED, NONE, NOW, Conn

QUICKLY = 16  # acknowledgments that go out at once when a peer starts or starts again
PATIENCE, PATIENCE_PINGPONG = 500 * MS, 200 * MS  # an acknowledgment never waits longer (MUST-40)


def in_order(env: Env, conn: Conn, size: int) -> None:
    """New data arrived in order, in a segment (or a super-segment) of this size."""
    rcv = conn.rcv
    _adapt(env, conn)
    if rcv.seen < size:
        rcv.seen = min(size, rcv.mss)
    if rcv.nxt - rcv.acked > min(rcv.seen, rcv.limit // 2):
        # RFC 9293 §3.8.6.3 SHLD-19: at least every second full-sized segment
        env.note("9293/3.8.6.3/second", conn.sock)
        rcv.ack = NOW
    elif rcv.quick and not rcv.pingpong:
        env.note("linux/tcp_in_quickack_mode/at-once", conn.sock, rcv.quick)
        rcv.ack = NOW
    else:
        delay(env, conn)


def delay(env: Env, conn: Conn) -> None:
    """An acknowledgment is due, and may wait for company (SHLD-18)."""
    rcv = conn.rcv
    if rcv.ack == NOW:
        return
    key = (kinds.TCP_DELACK, conn.sock)
    wait = _bounded(env, conn)
    if rcv.ack == DELAYED and env.timers.at[key] <= env.now + wait // 4:
        rcv.ack = NOW  # it would leave in a moment anyhow
    elif not wait:
        rcv.ack = NOW
    elif rcv.ack == NONE:
        rcv.ack = DELAYED
        env.timers.set(key, env.now + wait)
        env.note("9293/3.8.6.3/delay", conn.sock, wait // MS)


def _adapt(env: Env, conn: Conn) -> None:
    """How fast does this peer send? Acknowledge quickly while it starts, then wait about as long as it pauses (Linux's
    tcp_event_data_recv: an ACK clock that ticks too slowly keeps a small cwnd small)."""
    rcv, least = conn.rcv, env.config["net.ipv4.tcp_delack_min"] * MS
    gap, rcv.heard = env.now - rcv.heard, env.now
    if not rcv.ato:
        rcv.quick, rcv.ato = QUICKLY, least
    elif gap <= least // 2:
        rcv.ato = rcv.ato // 2 + least // 2
    elif gap < rcv.ato:
        rcv.ato = min(rcv.ato // 2 + gap, conn.snd.rtt.rto)
    elif gap > conn.snd.rtt.rto:
        rcv.quick = QUICKLY


def _bounded(env: Env, conn: Conn) -> int:
    """The time that an acknowledgment may wait now, ns."""
    ato, least = conn.rcv.ato, env.config["net.ipv4.tcp_delack_min"] * MS
    if ato <= least:
        return ato
    most = PATIENCE_PINGPONG if conn.rcv.pingpong else PATIENCE
    return min(ato, most, max(conn.snd.rtt.srtt, least) if conn.snd.rtt.srtt else most)


def quickly(env: Env, conn: Conn) -> None:
    """The peer has trouble (it repeats itself, or is out of step): acknowledge at once, now and for a while."""
    rcv = conn.rcv
    rcv.quick, rcv.pingpong, rcv.ato = QUICKLY, False, env.config["net.ipv4.tcp_delack_min"] * MS
    rcv.ack = NOW


def hurry(env: Env, conn: Conn, most: int) -> None:
    """So many acknowledgments go out at once from now on: the peer may be waiting for each of them."""
    rcv = conn.rcv
    rcv.quick, rcv.pingpong, rcv.ato = max(rcv.quick, most), False, env.config["net.ipv4.tcp_delack_min"] * MS


def replied(env: Env, conn: Conn) -> None:
    """The application sent data: soon after data came, this is a dialogue."""
    rcv = conn.rcv
    if not rcv.pingpong and env.now - rcv.heard < rcv.ato:
        rcv.pingpong = True


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
    if rcv.quick:
        rcv.quick -= 1
        if not rcv.quick:
            rcv.ato = env.config["net.ipv4.tcp_delack_min"] * MS
    if rcv.ack != NONE:
        rcv.ack = NONE
        env.timers.stop((kinds.TCP_DELACK, conn.sock))


def expire(env: Env, conn: Conn) -> None:
    """The delayed ACK has waited long enough (MUST-40); no answer came for it to ride on, so do not count on one."""
    rcv = conn.rcv
    if rcv.ack == DELAYED:
        env.count["TcpExtDelayedACKs"] += 1
        env.note("9293/3.8.6.3/expire", conn.sock)
        rcv.ack = NOW
        rcv.ato = env.config["net.ipv4.tcp_delack_min"] * MS if rcv.pingpong else min(2 * rcv.ato, conn.snd.rtt.rto)
        rcv.pingpong = False
