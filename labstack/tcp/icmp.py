# SPDX-License-Identifier: GPL-2.0-or-later
"""ICMP errors about a connection's segments (RFC 9293 §3.9.2.2, RFC 1122 §4.2.3.9, RFC 5927; too large:
RFC 1191 §6, RFC 8201 §5)."""

import errno
import struct

from labstack.core import kinds
from labstack.core.config import MS
from labstack.core.env import Env
from labstack.ip import pmtu, route
from labstack.ip.datagram import Quoted
from labstack.ip.net import Net
from labstack.tcp import closing, mtu, recovery, rtt, timeouts, timer
from labstack.tcp.conn import RTO, Conn
from labstack.tcp.seq import unwrap
from labstack.tcp.states import CLOSED, SYN_SENT

NO_WAY = frozenset(((4, 3, 0), (4, 3, 1), (6, 1, 0)))  # version, type, code: net or host unreachable, no route
_SEQ = struct.Struct("!I")


def arrive(env: Env, net: Net, conn: Conn, quoted: Quoted) -> bool:
    """An error that quotes one of our segments: fatal only while opening, believed only if the segment is in flight.

    Returns whether the owner of the socket may hear of it. That a segment was too large is nothing to him: the next
    will be smaller.
    """
    what = f"{quoted.type}/{quoted.code}"
    seq = unwrap(_SEQ.unpack_from(quoted.transport, 4)[0], conn.snd.nxt)
    first = conn.snd.iss if conn.half is not None else conn.snd.una
    if not first <= seq < conn.snd.nxt:
        env.note("5927/4/ignored", conn.sock, what)
        env.count["TcpExtOutOfWindowIcmps"] += 1
        return False
    if quoted.errno == errno.EMSGSIZE:
        _reduced(env, net, conn, quoted)
        return False
    if (quoted.family.version, quoted.type, quoted.code) in NO_WAY and seq == conn.snd.una:
        _no_congestion(env, conn)
    guest = conn.half is not None and conn.half.fast and conn.parent  # Fast Open, and nobody has it yet
    if (quoted.hard and conn.state == SYN_SENT) or guest:
        env.note("9293/3.9.2.2/hard", conn.sock, what)
        closing.die(env, conn, quoted.errno)
    else:
        # DEVIATES: RFC 9293 §3.9.2.2 (SHLD-26) aborts on a hard error in any state; RFC 5927 §5 and Linux only remember
        # it once the connection is synchronized, because whoever guesses the addresses could send it.
        env.note("9293/3.9.2.2/soft", conn.sock, what)
        conn.soft = quoted.errno
    return True


def _no_congestion(env: Env, conn: Conn) -> None:
    """What timed out did not fall victim to congestion: a router had no way for it. So there is no reason to wait twice
    as long for the next attempt (RFC 6069 §4; tcp_ld_RTO_revert)."""
    snd = conn.snd
    if conn.state == SYN_SENT or not snd.retries or not snd.rtt.backoff or snd.pending != RTO:
        return
    rtt.take_back(env, snd.rtt)
    left = timer.left(env, conn)
    env.note("6069/4/revert", conn.sock, snd.rtt.rto // MS)
    if left > 0:
        timer.arm(env, conn, RTO, left)
    else:
        timeouts.expire(env, conn, kinds.TCP_RETRANSMIT)


def _reduced(env: Env, net: Net, conn: Conn, quoted: Quoted) -> None:
    """A router could not send a segment of ours on: it takes quoted.mtu bytes.

    Nothing is lost but what was too large, and that goes again at once; no sign of congestion (RFC 8201 §5.4).
    """
    if conn.state == CLOSED or conn.discover in (mtu.INTERFACE, mtu.OMIT):
        return
    if not quoted.family.min_pmtu and mtu.mss_of(env, conn, quoted.mtu) >= conn.snd.mss:
        # Linux, tcp_v6_mtu_reduced: what would change nothing here is not learnt for others, either
        env.note("5927/7.2/no-smaller", conn.sock, quoted.mtu)
        return
    pmtu.learn(env, net, conn.remote, quoted.mtu)
    path = route.lookup(env, net, conn.remote, conn.local, conn.dev)
    if path is None:
        return
    if quoted.mtu < path.mtu and mtu.whole(conn, path):
        conn.soft = errno.EMSGSIZE  # the connection may not survive that
    if conn.discover == mtu.DONT or path.mtu >= conn.mtu:
        return
    before = conn.snd.mss
    mtu.follow(env, net, conn)
    if conn.snd.mss < before:
        env.note("5927/7.2/smaller", conn.sock, path.mtu, conn.snd.mss)
        recovery.simple_retransmit(env, conn)
        if conn.state == SYN_SENT and conn.fast is not None and conn.fast.size:
            conn.snd.syn = True  # a SYN with data (Fast Open) was too large: it goes again without
            conn.rcv.mss = min(conn.rcv.mss, mtu.announced(env, path))
