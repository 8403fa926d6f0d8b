# SPDX-License-Identifier: GPL-2.0-or-later
"""TIME-WAIT makes way for a new connection of the same addresses: a new SYN of the peer's, or one of ours.

RFC 9293 §3.6.1; RFC 6191: a newer timestamp is as good as a greater sequence number.
"""

from labstack.core.env import Env
from labstack.tcp import tstamp
from labstack.tcp.conn import Conn
from labstack.tcp.segment import ACK, RST, SYN, Segment
from labstack.tcp.seq import unwrap


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
