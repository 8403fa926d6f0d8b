# SPDX-License-Identifier: GPL-2.0-or-later
"""LISTEN: who may connect, half-open connections, and the queue for accept (RFC 9293 §3.10.7.2).

Two queues, as Linux has them: connections that are half open, and those that wait for accept; each may have one more
than the backlog. When the first is full, SYNs are answered with cookies (`cookies`) or dropped; while the second is
full, nobody is let in.
"""

import errno
from collections import deque

from labstack.core.env import Env
from labstack.core.event import ACCEPTABLE
from labstack.core.state import State, field, state
from labstack.ip.net import Net
from labstack.tcp import acks, closing, cookies, fastopen, half, opening, output
from labstack.tcp.conn import NEVER, Conn, Half
from labstack.tcp.fastopen import Guests
from labstack.tcp.md5 import Keys
from labstack.tcp.segment import ACK, FIN, RST, SYN, Segment
from labstack.tcp.states import LISTEN

FEW = 8  # half-open connections for which there is always time
LEAST = 2  # repetitions that the oldest of too many half-open connections may have


@state
class Listener(State):
    sock: int
    local: bytes  # b"": any address
    lport: int
    backlog: int
    dev: int = 0
    flooded_at: int = NEVER  # when a cookie was last sent
    half: dict[int, bool] = field(default_factory=dict)  # half-open connections, oldest first: True for a young one
    young: int = 0  # of those, whose SYN,ACK went out once
    ready: deque[int] = field(default_factory=deque)  # established, waiting for accept
    options: dict[str, int] = field(default_factory=dict)  # that its connections inherit
    guests: Guests = field(default_factory=Guests)
    keys: Keys = ()  # whose SYNs must be signed, and with what; its connections inherit them

    state = LISTEN


DROP, REMEMBER, COOKIE, OPEN = 0, 1, 2, 3  # what becomes of a segment: OPEN is an ACK that brings a cookie back


def wants(env: Env, net: Net, listener: Listener, seg: Segment) -> int:
    """SEGMENT ARRIVES in LISTEN: what becomes of seg, which is done with if that is DROP."""
    if seg.flags & RST:
        # first
        env.drop("drop.tcp.listen_rst")
    elif seg.flags & ACK:
        # second
        if not seg.flags & SYN and _may_be_cookie(env, listener):
            return OPEN
        env.drop("drop.tcp.listen_ack")
        output.refuse(env, net, seg)
    elif not seg.flags & SYN:
        # fourth
        env.drop("drop.tcp.listen_nothing", seg.names)
    elif seg.flags & FIN:
        # DEVIATES: RFC 9293 §3.10.7.2 would look at the FIN after the SYN; Linux drops both, only scanners send them.
        env.drop("drop.tcp.syn_fin")
    else:
        # third: the SYN bit
        fate = _fate(env, listener)
        env.count["TcpExtListenDrops"] += fate == DROP
        return fate
    return DROP


def _fate(env: Env, listener: Listener) -> int:
    """Linux's tcp_conn_request: is there room for one more that is half open, and for one more that waits?"""
    kind = env.config["net.ipv4.tcp_syncookies"]
    held = len(listener.half)
    flooded = held > listener.backlog
    if kind and (flooded or kind == 2):
        env.count["TcpExtTCPReqQFullDoCookies"] += 1
        return COOKIE if room(env, listener) else DROP
    # without cookies the last quarter is for destinations that are known to be alive, and we do not remember them
    most = env.config["net.ipv4.tcp_max_syn_backlog"]
    if flooded or (not kind and most - held < most >> 2):
        env.count["TcpExtTCPReqQFullDrop"] += flooded
        env.drop("drop.tcp.syn_queue", held)
        return DROP
    return REMEMBER if room(env, listener) else DROP


def _may_be_cookie(env: Env, listener: Listener) -> bool:
    """An ACK can only bring back a cookie that was sent not long ago."""
    return bool(env.config["net.ipv4.tcp_syncookies"]) and env.now - listener.flooded_at < cookies.AGE * cookies.PERIOD


def room(env: Env, listener: Listener) -> bool:
    """May one more connection wait for accept? If not, the segment is dropped."""
    if len(listener.ready) > listener.backlog:
        env.count["TcpExtListenOverflows"] += 1
        env.drop("drop.tcp.accept_queue", listener.backlog)
        return False
    return True


def with_cookie(env: Env, net: Net, conn: Conn, listener: Listener, seg: Segment) -> None:
    """A SYN for which nothing is remembered: conn is forgotten when its SYN,ACK has been sent."""
    env.count["TcpInDelivers"] += 1
    listener.flooded_at = env.now
    cookies.make(env, conn, seg)
    output.synack(env, net, conn)


def reopen(env: Env, conn: Conn, listener: Listener, seg: Segment, mss: int) -> bool:
    """An ACK that brings a cookie back: conn is half open again, and the ACK will open it."""
    if not room(env, listener) or not cookies.restore(env, conn, seg, mss):
        return False
    env.note("4987/3.6/open", conn.sock)
    _enter(listener, conn)
    return True


def _enter(listener: Listener, conn: Conn) -> None:
    conn.parent = listener.sock
    listener.half[conn.sock] = True
    listener.young += 1


def passive(env: Env, conn: Conn, listener: Listener, seg: Segment) -> None:
    """A SYN for a listener: the new connection answers with SYN,ACK at the next drain.

    DEVIATES: RFC 9293 §3.10.7.2 keeps text that comes with a SYN; without Fast Open we acknowledge the SYN alone, as
    Linux, so that a spoofed SYN costs no memory. The peer sends the text again.
    """
    env.count["TcpInDelivers"] += 1
    env.note("9293/3.10.7.2/syn", conn.sock)
    opening.take_syn(env, conn, seg)
    acks.window(env, conn, seg.seq, seg.ack, seg.wnd)
    half.start(env, conn)
    if fastopen.serve(env, conn, listener.guests, seg):
        conn.parent = conn.owed = listener.sock
        listener.ready.append(conn.sock)
        env.wake(listener.sock, ACCEPTABLE)
    else:
        _enter(listener, conn)


def lets_in(env: Env, net: Net, listener: Listener, conn: Conn, seg: Segment) -> bool:
    """The ACK of our SYN,ACK has come: does it open the connection (Linux's tcp_check_req)?

    Not yet, if its owner wants to hear of connections with data only (TCP_DEFER_ACCEPT), or has no room: the SYN,ACK
    will ask again.
    """
    it = conn.half
    assert it is not None
    if it.timeouts < conn.user.defer_accept and not seg.size and not seg.flags & FIN:
        it.acked = True
        env.count["TcpExtTCPDeferAcceptDrop"] += 1
        env.drop("drop.tcp.defer_accept", conn.user.defer_accept - it.timeouts)
        return False
    if room(env, listener):
        return True
    env.count["TcpExtListenDrops"] += 1
    it.acked = True
    if env.config["net.ipv4.tcp_abort_on_overflow"]:
        env.note("linux/tcp_check_req/overflow", conn.sock)
        output.reset(env, net, seg, seg.ack, 0, RST)
        env.count["TcpExtEmbryonicRsts"] += 1
        closing.finish(env, conn)
    return False


def expire(env: Env, listener: Listener | None, conn: Conn) -> None:
    """Nothing came for our SYN,ACK: repeat it, or give up (Linux's reqsk_timer_handler).

    listener: None if the connection has been accepted already (Fast Open).
    """
    it = conn.half
    if it is None:
        return
    env.count["TcpExtTCPTimeouts"] += 1
    defer = conn.user.defer_accept
    most = _repetitions(env, listener, conn, it)
    if it.timeouts >= most and not (it.acked and it.timeouts < defer):
        env.note("linux/reqsk_timer_handler/expire", conn.sock, it.timeouts)
        _give_up(env, conn, it)
        return
    if not (defer and it.acked and it.timeouts < defer - 1):
        env.note("6298/5.7/synack", conn.sock, it.timeouts + 1)
        it.due = True
    if listener is not None and listener.half.get(conn.sock):
        listener.half[conn.sock] = False
        listener.young -= 1
    half.timed_out(env, conn, it)
    env.dirty[conn.sock] = None


def _repetitions(env: Env, listener: Listener | None, conn: Conn, it: Half) -> int:
    """tcp_synack_retries; fewer for the old ones of too many, so that half of the room is for the young."""
    most = conn.user.syn_retries or env.config["net.ipv4.tcp_synack_retries"]
    if it.fast:
        return most if conn.user.syn_retries else most + 1
    held = len(listener.half) if listener is not None else 0
    if listener is None or 2 * held <= max(FEW, listener.backlog):
        return most
    young = 2 * listener.young
    while most > LEAST and held >= young:
        most -= 1
        young <<= 1
    return most


def _give_up(env: Env, conn: Conn, it: Half) -> None:
    if it.fast:
        env.count["TcpExtTCPAbortOnTimeout"] += 1
        closing.die(env, conn, conn.soft or errno.ETIMEDOUT)
    else:
        closing.finish(env, conn)


def left(listener: Listener, sock: int) -> None:
    """It is half open no more."""
    listener.young -= listener.half.pop(sock, False)
