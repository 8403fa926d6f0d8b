# SPDX-License-Identifier: GPL-2.0-or-later
"""The receive window we advertise (RFC 9293 §3.8.6), scaled (RFC 7323 §2), free of silly windows (§3.8.6.2.2)."""

from labstack.core.env import Env
from labstack.tcp.conn import NOW, Conn, Rcv

MAX_UNSCALED = 0xFFFF


def shift_for(limit: int) -> int:
    """The smallest shift with which a window of limit bytes fits into 16 bits (RFC 7323 §2.3)."""
    return min((limit // (MAX_UNSCALED + 1)).bit_length(), 14)


def scale(env: Env, limit: int) -> int:
    """The shift for the largest buffer that a connection may ever get, as in Linux (tcp_select_initial_window)."""
    return shift_for(max(limit, env.config["net.ipv4.tcp_rmem.max"], env.config["net.core.rmem_max"]))


def free(rcv: Rcv) -> int:
    """Bytes that the buffer can still take."""
    return max(rcv.limit - rcv.queued, 0)


def advertise(rcv: Rcv, syn: bool = False) -> int:
    """The value of the window field now; moves the right edge, which never goes back (SHLD-14)."""
    shift = 0 if syn else rcv.shift
    if rcv.nxt + rcv.limit - rcv.queued - rcv.edge < min(rcv.limit // 2, rcv.mss):
        return min((rcv.edge - rcv.nxt) >> shift, MAX_UNSCALED)  # nothing worth telling, without the details
    room = min(free(rcv), MAX_UNSCALED << shift)
    room = room >> shift << shift
    # RFC 9293 §3.8.6.2.2: keep the edge where it is until it can move by a worthwhile amount
    if rcv.nxt + room - rcv.edge >= min(rcv.limit // 2, rcv.mss):
        rcv.edge = rcv.nxt + room
    return min((rcv.edge - rcv.nxt) >> shift, MAX_UNSCALED)  # a SYN again says less than an ACK in between


def opened(env: Env, conn: Conn) -> None:
    """The application has read: is the wider window worth a segment of its own?"""
    rcv = conn.rcv
    gain = rcv.nxt + min(free(rcv), MAX_UNSCALED << rcv.shift) - rcv.edge
    starved = rcv.edge - rcv.nxt < 2 * rcv.mss
    if gain >= min(rcv.limit // 2, rcv.mss) and (starved or gain >= rcv.limit // 4):
        env.note("9293/3.8.6.2.2/update", conn.sock, gain)
        rcv.ack = NOW
        env.dirty[conn.sock] = None
