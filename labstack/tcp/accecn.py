# SPDX-License-Identifier: GPL-2.0-or-later
"""Accurate ECN (RFC 9768): every ACK says how many packets with a mark have arrived, and not only that there was one.

The handshake decides with three flags, AE, CWR and ECE, together the ACE field, which afterwards is a counter of three
bits; an option has counters of bytes that do not wrap so soon. Classic ECN is `ecn`, which asks here; what follows from
a mark is `recovery`'s. Linux has the same sysctls, from 6.19 on with these values.
"""

from labstack.core.env import Env
from labstack.tcp import ackgen
from labstack.tcp.conn import Accurate, Conn
from labstack.tcp.options import ACCECN0, ACCECN1, NOP
from labstack.tcp.segment import ACK, AE, CWR, ECE, SYN, Segment
from labstack.tcp.told import Told

NOT_ECT, ECT1, ECT0, CE = range(4)
ACCURATE = range(3, 6)  # values of net.ipv4.tcp_ecn with which we take accurate ECN
OFFERS = 3  # ... and offer it
FIRST = 5  # what the packet counters begin with (§3.2.1), so that nothing of the handshake looks like it
FIRST_BYTES = (1, 0, 1)  # the same of the byte counters, in the order of ACCECN1: ECT(1), CE, ECT(0)
SAFE = 7  # marks that one ACK can tell without doubt
MORE, MORE_BARE = 2, 3  # marks that are told at once, if there is text to be acknowledged, or not (§3.2.2.5.1)
WORDS = 0xFFFFFF
ECHOED = (CWR, CWR | ECE, AE, AE | CWR)  # the mark of a SYN, or SYN,ACK, in the ACE field of its answer (§3.1.2)
MARK_OF = {it: mark for mark, it in enumerate(ECHOED)}
ACE = AE | CWR | ECE


def asked(env: Env, seg: Segment) -> bool:
    """Does a SYN ask for accurate ECN, and do we have it? Whatever future versions ask for is answered as this one."""
    return seg.flags & ACE not in (0, CWR | ECE) and env.config["net.ipv4.tcp_ecn"] in ACCURATE


def begin(env: Env, conn: Conn, seg: Segment) -> None:
    """Both sides have it: the peer's SYN, or SYN,ACK, says so."""
    env.note("9768/3.1/agreed", conn.sock)
    mark, answer = seg.dgram.tos & 3, bool(seg.flags & ACK)
    conn.acc = it = Accurate(mark, answer, last=mark)
    conn.gso = 0  # a device that cuts would clear CWR in all segments but the first
    if not answer:
        return
    _check(env, conn, it, seg)
    if mark == CE:
        it.came = it.untold = 1
    _option(it, seg)
    it.owed = 2


def opened(env: Env, conn: Conn, seg: Segment) -> None:
    """The third ACK of the handshake tells how our SYN,ACK came."""
    it = conn.acc
    if it is None or seg.size or not conn.passive:
        return
    if not seg.flags & ACE:
        env.note("9768/3.2.2.3/zeroed", conn.sock)
        it.plain = True
    elif seg.flags & ACE in MARK_OF:
        _check(env, conn, it, seg)
        it.told = int(seg.flags & ACE == AE | CWR)
    _option(it, seg)


def _check(env: Env, conn: Conn, it: Accurate, seg: Segment) -> None:
    """Our SYN, or SYN,ACK, was Not-ECT. If something else came, marks mean nothing on this path (§3.2.2.3)."""
    if seg.flags & ACE != ECHOED[NOT_ECT]:
        env.note("9768/3.2.2.3/mangled", conn.sock)
        it.plain = True


# our packets


def of_syn(it: Accurate) -> int:
    """The flags of our SYN,ACK: how the SYN came."""
    return ECHOED[it.syn]


def ace(it: Accurate, size: int) -> int:
    """The ACE field of any other packet of ours."""
    first, it.reflects, it.untold = it.reflects and not size, False, 0
    if first:
        return ECHOED[it.syn]
    count = it.came + FIRST
    return AE * (count >> 2 & 1) | CWR * (count >> 1 & 1) | ECE * (count & 1)


def option(env: Env, conn: Conn, it: Accurate, flags: int, size: int, room: int) -> bytes:
    """The option of a packet of ours, with as many counters as fit; data has better use for the room.

    On a SYN,ACK once, else if the peer's get through: always, or if something changed (tcp_ecn_option 2, 1).
    """
    mode = env.config["net.ipv4.tcp_ecn_option"]
    if flags & SYN:
        wanted = bool(mode and flags & ACK and conn.half is not None and conn.half.sent_at < 0)
    else:
        wanted = bool(mode and it.options and not size and (mode > 1 or it.owed))
    fields = min((room - 2) // 3, 3)
    if not wanted or fields < 1:
        return b""
    it.owed = max(it.owed - 1, 0)
    counters = [(n + first) & WORDS for n, first in zip(it.came_bytes, FIRST_BYTES, strict=True)][:fields]
    out = bytes((ACCECN1, 2 + 3 * fields)) + b"".join([n.to_bytes(3, "big") for n in counters])
    return out + bytes((NOP,)) * (-len(out) % 4)


# the peer's packets


def arrived(env: Env, conn: Conn, it: Accurate, seg: Segment) -> None:
    """Count what came (§3.2.2), pure ACKs too; and tell at once where congestion begins, or goes on (§3.2.2.5.1)."""
    mark, size = seg.dgram.tos & 3, seg.size
    changed, it.last = mark != it.last, mark
    if size and mark != NOT_ECT:
        at = {ECT1: 0, CE: 1, ECT0: 2}[mark]
        it.came_bytes = tuple(n + size * (i == at) for i, n in enumerate(it.came_bytes))  # type: ignore[assignment]
    if changed:
        it.owed = 2
    if mark != CE:
        return
    packets = -(-size // seg.gso) if seg.gso and size else 1
    it.came, it.untold, it.owed = it.came + packets, it.untold + packets, 2
    if (changed and size) or it.untold >= (MORE if size else MORE_BARE):
        env.note("9768/3.2.2.5.1/at-once", conn.sock, it.untold)
        ackgen.at_once(conn)


def heard(conn: Conn, it: Accurate, told: Told, delivered: int) -> None:
    """An ACK that brings news: how many packets of ours were marked (§3.2.2.5.2)? delivered: as far as we know."""
    if not (told.advanced or told.sacked) or told.syn:
        return
    told.ce = _marks(conn, it, told, delivered)
    it.told += told.ce
    told.ece = told.ce > 0


def _marks(conn: Conn, it: Accurate, told: Told, delivered: int) -> int:
    """The counter has three bits. Where more packets than that may have been marked, assume the worst that it permits,
    unless the option's bytes say that there were fewer."""
    flags = told.flags
    field = (flags >> 8 & 1) << 2 | (flags >> 7 & 1) << 1 | flags >> 6 & 1
    least = field - FIRST - it.told & 7
    marked = _bytes(it, told.accecn) if told.accecn is not None and it.options else None
    if delivered <= SAFE:
        return least
    most = delivered - (delivered - least & 7)
    if marked is None:
        return most
    if not marked:
        return least
    return most if marked > least * conn.snd.mss else least


def _bytes(it: Accurate, option: tuple[int, ...]) -> int | None:
    """Bytes with CE that are new in the peer's option; None if it does not say."""
    kind, *counters = option
    order = (0, 1, 2) if kind == ACCECN1 else (2, 1, 0)
    before, now = it.told_bytes, list(it.told_bytes)
    for at, value in zip(order, counters, strict=False):
        step = value - FIRST_BYTES[at] - before[at] & WORDS
        if step < 1 << 23:  # else it is older than what we know
            now[at] += step
    it.told_bytes = (now[0], now[1], now[2])
    return now[1] - before[1] if len(counters) > 1 else None


def _option(it: Accurate, seg: Segment) -> None:
    """The first option of the peer: does it get through unchanged (§3.2.3.2.4)?"""
    if seg.accecn is None or seg.accecn[0] not in (ACCECN0, ACCECN1):
        return
    it.options = all(n != 0 for n in (seg.accecn[1:2] + seg.accecn[3:4]))
