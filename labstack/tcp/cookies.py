# SPDX-License-Identifier: GPL-2.0-or-later
"""SYN cookies (RFC 4987 §3.6): the answer to a SYN for which nothing is remembered.

What has to be known when the ACK comes stands in the number that it acknowledges: 24 bits of a keyed hash of addresses,
ports, minute and the peer's number with one of a few segment sizes, and the minute. What does not fit there, window
scale, SACK and ECN, stands in the low bits of our timestamp, if the peer has timestamps: else it is given up, as
accurate ECN always is.
"""

from copy import copy

from labstack.core.config import MS, SECOND
from labstack.core.env import Env
from labstack.tcp import accecn, agreed, ecn, half, opening, window
from labstack.tcp.conn import Conn
from labstack.tcp.segment import CWR, ECE, SYN, Segment
from labstack.tcp.seq import MASK

PERIOD = 60 * SECOND  # ns
AGE = 2  # periods that a cookie is good for
BITS = 24
LOW = (1 << BITS) - 1
SIZES = {4: (536, 1300, 1440, 1460), 16: (1220, 1420, 1440, 8940)}  # segment sizes, by bytes of an address
CLASSIC = ECE | CWR  # a SYN that offers ECN (RFC 3168 §6.1.1)
STAMP_BITS, NO_SCALE, HAS_SACK, HAS_ECN = 6, 0xF, 1 << 4, 1 << 5  # of the timestamp


def make(env: Env, conn: Conn, seg: Segment) -> None:
    """Take a SYN into a connection that will be forgotten once its SYN,ACK is sent; its ISS is the cookie."""
    classic = seg.flags & CLASSIC == CLASSIC
    if seg.ts is None or conn.tstamp is None or agreed.signs(conn):
        seg.ts, seg.shift, seg.sack_ok, classic = None, None, False, False
    seg.flags = seg.flags & ~accecn.ACE | (CLASSIC if classic else 0)
    opening.take_syn(env, conn, seg)
    sizes = SIZES[len(conn.remote)]
    index = sum((seg.mss or sizes[0]) >= size for size in sizes[1:])
    conn.snd.iss = _cookie(env, conn.key, seg.seq, _minute(env), index)
    if conn.tstamp is not None:
        # TSval goes back a little, to the last value whose low bits say this
        low = (conn.snd.shift if conn.scaling else NO_SCALE) | HAS_SACK * conn.sack | HAS_ECN * bool(conn.ecn)
        conn.tstamp.offset -= (env.now // MS - low) % (1 << STAMP_BITS)
    env.count["TcpExtSyncookiesSent"] += 1
    env.note("4987/3.6/sent", 0, sizes[index])


def size(env: Env, seg: Segment) -> int:
    """The segment size that the cookie which seg acknowledges tells, 0 if that is no cookie of ours, or an old one."""
    d = seg.dgram
    key = d.src + d.dst + seg.sport.to_bytes(2, "big") + seg.dport.to_bytes(2, "big")
    cookie, irs = seg.ack - 1 & MASK, seg.seq - 1
    for age in range(AGE):
        for index, size in enumerate(SIZES[len(d.src)]):
            if cookie == _cookie(env, key, irs, _minute(env) - age, index):
                env.count["TcpExtSyncookiesRecv"] += 1
                env.note("4987/3.6/valid", 0, size)
                return size
    env.count["TcpExtSyncookiesFailed"] += 1
    _drop(env)
    return 0


def restore(env: Env, conn: Conn, seg: Segment, mss: int) -> bool:
    """The connection as it would be if the SYN had been remembered, before its ACK is looked at.

    False if the timestamp says what we would never have said.
    """
    dgram = copy(seg.dgram)
    dgram.tos &= ~ecn.MARK  # that is the ACK's
    syn = Segment(dgram, seg.sport, seg.dport, seg.seq - 1, 0, SYN, seg.wnd)
    syn.mss = mss
    if seg.ts is not None and not _told(conn, seg.ts, syn):
        _drop(env)
        return False
    opening.take_syn(env, conn, syn)
    if conn.tstamp is not None and seg.ts is not None:
        conn.tstamp.syn = (seg.ts[1], seg.ts[1])
    snd = conn.snd
    snd.iss = seg.ack - 1 & MASK
    snd.loss.high = snd.iss
    snd.out.start = snd.out.end = snd.iss + 1
    window.advertise(env, conn, True)
    half.start(env, conn)
    assert conn.half is not None
    conn.half.due = False
    return True


def _drop(env: Env) -> None:
    """An ACK brings back what we have not sent."""
    env.drop("drop.tcp.cookie")


def _told(conn: Conn, ts: tuple[int, int], syn: Segment) -> bool:
    """What the echo of our timestamp says of the SYN's options."""
    if conn.tstamp is None:
        return False
    low = ts[1] - conn.tstamp.offset
    syn.ts, syn.sack_ok = ts, bool(low & HAS_SACK)
    syn.shift = None if low & NO_SCALE == NO_SCALE else low & NO_SCALE
    syn.flags |= CLASSIC if low & HAS_ECN else 0
    return (conn.sack or not syn.sack_ok) and (conn.scaling or syn.shift is None)


def _minute(env: Env) -> int:
    return env.now // PERIOD


def _cookie(env: Env, key: bytes, irs: int, minute: int, index: int) -> int:
    """The number for a SYN at a time: one hash hides the minute, and another the size in the bits below it.

    The second is of the peer's number, too. Linux only adds that: after a lost first segment of one to three bytes the
    next may then bring back a cookie of another size, and the stream begins too late.
    """
    plain = env.rng.secret(b"cookie", key) + irs + (minute << BITS)
    when = minute.to_bytes(8, "big", signed=True) + (irs & MASK).to_bytes(4, "big")
    return plain + (env.rng.secret(b"cookie", key, when) + index & LOW) & MASK
