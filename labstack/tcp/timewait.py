# SPDX-License-Identifier: GPL-2.0-or-later
"""TIME-WAIT makes way for a new connection of the same addresses: a new SYN of the peer's, or one of ours.

RFC 9293 §3.6.1; RFC 6191: a newer timestamp is as good as a greater sequence number.
"""

from labstack.core import kinds
from labstack.core.config import MS
from labstack.core.env import Env
from labstack.tcp import tstamp
from labstack.tcp.closing import TIMEWAIT
from labstack.tcp.conn import Conn
from labstack.tcp.segment import ACK, RST, SYN, Segment
from labstack.tcp.seq import unwrap
from labstack.tcp.states import TIME_WAIT

ALWAYS, ON_LOOPBACK = 1, 2  # tcp_tw_reuse
LOOPBACKS = {4: bytes((127,)), 16: bytes(15) + b"\1"}


def makes_way(env: Env, conn: Conn, seg: Segment) -> bool:
    """May a connection of the same addresses begin with this segment, whose numbers are as on the wire?"""
    if seg.flags & (SYN | ACK | RST) != SYN:
        return False
    stamps = conn.tstamp
    if stamps is not None and seg.ts is not None:
        if not tstamp.fresh(env, stamps, seg.ts[0]):
            return False
        if tstamp.older(stamps.recent, seg.ts[0]):
            env.note("6191/2/reopen", conn.sock)
            return True
    if unwrap(seg.seq, conn.rcv.nxt) <= conn.rcv.nxt:
        return False
    env.note("9293/3.6.1/reopen", conn.sock)
    return True


def free(env: Env, conn: Conn) -> bool:
    """May a connection of ours take one of many ports that this one still has (tcp_twsk_unique)? Timestamps would tell
    old segments from new ones, after a while."""
    kind = env.config["net.ipv4.tcp_tw_reuse"]
    if not replaceable(conn) or not (kind == ALWAYS or (kind == ON_LOOPBACK and _on_loopback(conn))):
        return False
    entered = env.timers.at[(kinds.TCP_TIMEWAIT, conn.sock)] - TIMEWAIT
    return env.now - entered > env.config["net.ipv4.tcp_tw_reuse_delay"] * MS


def replaceable(conn: Conn) -> bool:
    """May a connection of ours begin in its place, if the application wants just this port?"""
    return conn.state == TIME_WAIT and conn.tstamp is not None and conn.tstamp.recent_at >= 0


def replace(env: Env, old: Conn, new: Conn) -> None:
    """Ours begins in the place of one in TIME-WAIT: what it knows of the peer's clock holds (RFC 7323 §5.5)."""
    env.note("linux/tcp_twsk_unique/reuse", new.sock)
    env.count["TcpExtTWRecycled"] += 1
    if old.tstamp is not None and new.tstamp is not None:
        new.tstamp.take(old.tstamp.recent, old.tstamp.recent_at)


def _on_loopback(conn: Conn) -> bool:
    start = LOOPBACKS[len(conn.remote)]
    return conn.remote.startswith(start) or conn.local.startswith(start)
