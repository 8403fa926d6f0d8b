# SPDX-License-Identifier: GPL-2.0-or-later
"""PAWS: a segment whose timestamp is older than the last one's is an old duplicate (RFC 7323 §5).

Before all other checks. DEVIATES: RFC 7323 §3.2 would have a segment without a timestamp dropped where timestamps are
agreed on; Linux takes it as if they were not, and so do we.
"""

from labstack.core.config import MS
from labstack.core.env import Env
from labstack.tcp import ackgen, closing, tstamp
from labstack.tcp.conn import Conn
from labstack.tcp.segment import ACK, RST, SYN, Segment
from labstack.tcp.seq import MASK
from labstack.tcp.states import TIME_WAIT

SLACK = 1  # ms that a timestamp may lag in a connection, as on Linux


def drops(env: Env, conn: Conn, seg: Segment) -> bool:
    """True if the segment is too old; then it is dropped, and answered if that may help."""
    stamps = conn.tstamp
    if stamps is None or seg.ts is None:
        return False
    if conn.half is not None:
        return _drops_early(env, conn, stamps, seg, seg.ts)
    if conn.state == TIME_WAIT:
        return _drops_late(env, conn, stamps, seg, seg.ts)
    # RFC 7323 §5.3 R1
    if tstamp.fresh(env, stamps, seg.ts[0], SLACK) or seg.flags & RST or _only_late(conn, stamps, seg):
        return False
    _drop(env, conn, stamps, seg.ts[0])
    if seg.flags & SYN:
        ackgen.challenge_syn(env, conn)
    elif seg.flags & ACK and not seg.len and seg.seq < conn.rcv.nxt:
        env.count["TcpExtPAWSOldAck"] += 1
    else:
        env.count["TcpExtPAWSEstab"] += 1
        ackgen.answer(env, conn, seg, "TcpExtTCPACKSkippedPAWS")
    return True


def _drop(env: Env, conn: Conn, stamps: tstamp.Timestamps, value: int) -> None:
    env.note("7323/5.3/old", conn.sock, stamps.recent - value & MASK)
    env.drop("drop.tcp.paws")


def _only_late(conn: Conn, stamps: tstamp.Timestamps, seg: Segment) -> bool:
    """A duplicate ACK that other segments have overtaken says nothing, and needs no answer (tcp_disordered_ack_check):
    not too long ago, for the peer to have overtaken itself."""
    snd = conn.snd
    bare = seg.flags & ACK and not seg.len and seg.seq == conn.rcv.nxt and seg.ack == snd.una
    window = seg.wnd << snd.shift
    if not bare or snd.wl1 < seg.seq or (snd.wl1 == seg.seq and (window > snd.wnd or not window)) or seg.ts is None:
        return False
    return (stamps.recent - seg.ts[0] & MASK) * MS <= snd.rtt.rto * 6 // 5


def _drops_early(env: Env, conn: Conn, stamps: tstamp.Timestamps, seg: Segment, ts: tstamp.Echo) -> bool:
    """Half open (tcp_check_req): the ACK must also echo a timestamp of our SYN,ACK."""
    if seg.flags & (ACK | RST) == ACK and seg.ack != conn.snd.nxt:
        return False
    if _stale(env, stamps, seg, ts[0]):
        env.count["TcpExtPAWSEstab"] += 1
        _drop(env, conn, stamps, ts[0])
    elif ts[1] and not stamps.sent_in_syn(ts[1]) and conn.half is not None and not conn.half.fast:
        env.note("7323/3.2/echo", conn.sock, ts[1])
        env.count["TcpExtTSEcrRejected"] += 1
        env.drop("drop.tcp.tsecr", ts[1])
    else:
        return False
    if not seg.flags & RST:
        ackgen.answer(env, conn, seg, "TcpExtTCPACKSkippedSynRecv")
    return True


def _drops_late(env: Env, conn: Conn, stamps: tstamp.Timestamps, seg: Segment, ts: tstamp.Echo) -> bool:
    """TIME-WAIT begins anew: somebody still believes in the connection (tcp_timewait_state_process)."""
    if not _stale(env, stamps, seg, ts[0]):
        return False
    env.count["TcpExtPAWSTimewait"] += 1
    _drop(env, conn, stamps, ts[0])
    if not seg.flags & RST:
        closing.linger(env, conn)
        ackgen.answer(env, conn, seg, "TcpExtTCPACKSkippedTimeWait")
    return True


def _stale(env: Env, stamps: tstamp.Timestamps, seg: Segment, value: int) -> bool:
    """A RST after a while may be of a peer that lost its clock with the connection."""
    return not tstamp.fresh(env, stamps, value) and not (seg.flags & RST and env.now - stamps.recent_at >= tstamp.MSL)


def learn(env: Env, conn: Conn, seg: Segment) -> None:
    """An acceptable segment: is its timestamp to be echoed from now on? (RFC 7323 §4.3 (2))"""
    stamps = conn.tstamp
    if stamps is None or seg.ts is None:
        return
    # with delayed ACKs the first timestamp of several is echoed, and never that of a segment beyond a gap
    if seg.seq <= conn.rcv.acked and tstamp.fresh(env, stamps, seg.ts[0]):
        stamps.take(seg.ts[0], env.now)
