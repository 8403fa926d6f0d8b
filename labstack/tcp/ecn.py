# SPDX-License-Identifier: GPL-2.0-or-later
"""Explicit congestion notification (RFC 3168 §6.1): the network marks what it would drop otherwise, the receiver echoes
the mark until the sender says that it has slowed down.

Negotiation, what our packets say, and the receiver. What the sender does about an echo is `recovery`'s. The order of
things is Linux's, whose receiver acknowledges quickly while there is congestion.
"""

from labstack.core.env import Env
from labstack.tcp import accecn, ackgen
from labstack.tcp.conn import DELAYED, Conn
from labstack.tcp.segment import ACK, AE, CWR, ECE, SYN, Segment

NOT_ECT, ECT1, ECT0, CE = range(4)  # the two bits of the IP header
MARK = 3
# Conn.ecn: agreed upon (until then: offered); we owe a CWR; the peer owes one; its packets are ECT
ON, TELL, ECHO, SEEN = 1, 2, 4, 8
ACCURATE = 16  # our SYN offers accurate ECN
MARKED = 32  # DCTCP's receiver: the text that came last was marked
OFFERING = (1, 3, 4)  # values of net.ipv4.tcp_ecn
QUICK = 2  # acknowledgments that go at once when something was marked


def offer(env: Env, conn: Conn) -> None:
    """Our SYN: do we want ECN, and the accurate one?"""
    mode = env.config["net.ipv4.tcp_ecn"]
    if mode in OFFERING or conn.snd.cc.ecn:
        env.note("3168/6.1.1/offer", conn.sock)
        conn.ecn = ON | (ACCURATE if mode == accecn.OFFERS else 0)


def settle(env: Env, conn: Conn, seg: Segment) -> None:
    """The peer's SYN, or its answer to ours."""
    both, field = seg.flags & (ECE | CWR), seg.flags & accecn.ACE
    if seg.flags & ACK:
        full = bool(conn.ecn & ACCURATE) and field in accecn.MARK_OF
        agreed = full or (bool(conn.ecn) and both == ECE)
    elif conn.snd.nxt > conn.snd.iss:
        full, agreed = False, bool(conn.ecn) and both == ECE | CWR  # simultaneous open
    else:
        full = accecn.asked(env, seg)
        agreed = full or (both == ECE | CWR and _accepted(env, conn, seg))
    conn.ecn = ON if agreed else 0
    if full:
        accecn.begin(env, conn, seg)
    elif agreed:
        env.note("3168/6.1.1/agreed", conn.sock)


def _accepted(env: Env, conn: Conn, seg: Segment) -> bool:
    """Do we take what a SYN offers? RFC 3168 §6.1.1: no SYN is marked; who does it has something else in mind."""
    return conn.snd.cc.ecn or (not seg.dgram.tos & MARK and env.config["net.ipv4.tcp_ecn"] > 0)


def marked(env: Env, conn: Conn, seq: int, size: int, flags: int) -> tuple[int, int]:
    """Flags and TOS of a segment that leaves a connection with ECN."""
    if flags & SYN:
        return _of_syn(env, conn, seq, flags), conn.tos
    if conn.acc is not None:
        new = size > 0 and seq >= conn.snd.nxt and not conn.acc.plain
        return flags | accecn.ace(conn.acc, size), conn.tos | (ECT0 if new else 0)
    if conn.ecn & ECHO:
        flags |= ECE
    if size and seq >= conn.snd.nxt:
        if conn.ecn & TELL:
            env.note("3168/6.1.2/cwr", conn.sock)
            conn.ecn &= ~TELL
            flags |= CWR
        return flags, conn.tos | ECT0
    # RFC 3168 §6.1.4, §6.1.5: neither pure ACKs nor retransmissions, but all of DCTCP's (RFC 8257 §3.1)
    return flags, conn.tos | ECT0 if conn.snd.cc.ecn else conn.tos


def _of_syn(env: Env, conn: Conn, seq: int, flags: int) -> int:
    if flags & ACK:
        return flags | (ECE if conn.acc is None else accecn.of_syn(conn.acc))
    if conn.snd.nxt > seq and env.config["net.ipv4.tcp_ecn_fallback"]:
        # RFC 3168 §6.1.1.1: some middleboxes drop SYNs like that
        env.note("3168/6.1.1.1/without", conn.sock)
        return flags
    return flags | ECE | CWR | (AE if conn.ecn & ACCURATE else 0)


def arrived(env: Env, conn: Conn, seg: Segment) -> None:
    """Text for a connection with ECN: was it marked? (RFC 3168 §6.1.3)"""
    if seg.flags & CWR:
        env.note("3168/6.1.3/answered", conn.sock)
        conn.ecn &= ~ECHO
        ackgen.at_once(conn)  # cwnd may be one segment over there
    mark = seg.dgram.tos & MARK
    if mark != NOT_ECT and conn.snd.cc.ecn:
        _each(env, conn, mark == CE)
    if mark == CE:
        if not conn.ecn & ECHO:
            env.note("3168/6.1.3/marked", conn.sock)
            ackgen.hurry(env, conn, QUICK)
        conn.ecn |= ECHO | SEEN
    elif mark != NOT_ECT:
        conn.ecn |= SEEN
    elif conn.ecn & SEEN:
        ackgen.hurry(env, conn, QUICK)  # probably sent again


def _each(env: Env, conn: Conn, marked: bool) -> None:
    """DCTCP's receiver echoes each mark, whatever CWR says (RFC 8257 §3.2): when marks begin or end, what waits for its
    ACK gets that with the echo of before, and this text at once."""
    if bool(conn.ecn & MARKED) != marked:
        env.note("8257/3.2/changed", conn.sock)
        if conn.rcv.ack == DELAYED:
            conn.earlier = (*conn.earlier, (conn.rcv.nxt, not marked))
        ackgen.at_once(conn)
    both = ECHO | MARKED
    conn.ecn = conn.ecn | both if marked else conn.ecn & ~both


def echoes(conn: Conn, seg: Segment) -> bool:
    """Does this ACK say that something of ours was marked?"""
    return bool(conn.ecn & ON and conn.acc is None and seg.flags & (ECE | SYN) == ECE)


def reduced(conn: Conn) -> None:
    """cwnd was reduced, for whatever reason: the next new segment says so (RFC 3168 §6.1.2)."""
    if conn.ecn & ON and conn.acc is None:
        conn.ecn |= TELL


def restored(conn: Conn) -> None:
    """... and that was taken back."""
    conn.ecn &= ~TELL
