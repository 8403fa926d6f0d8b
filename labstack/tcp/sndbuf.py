# SPDX-License-Identifier: GPL-2.0-or-later
"""The send buffer: how much may be written now, when it is worth telling whoever waits for room, and how it grows.

What is counted is memory, as in Linux (sk_wmem_queued): the bytes that are not acknowledged, and for each buffer that
holds some of them `BUFFER` on top. A buffer is a record in flight, or a chunk of what was not sent: a write fills
chunks of as many segments as may leave at once (`_goal`), and only where it begins another one it asks whether there is
room. So a write may go beyond the limit by a chunk; and since a full chunk leaves during the write, as far as the
windows let it, more fits than one would think. Scripts know these numbers (tcp_sendmsg_locked, tcp_push_one).

A chunk is marked to be pushed, its last segment that is, where a write ended, and in a long write after each half of
the largest window that the peer has offered (forced_push); if the next write adds to it, it is not.

A writer is told when a third of the buffer is free (sk_stream_is_writeable); what is not sent yet may be bounded, too
(TCP_NOTSENT_LOWAT: told below half of that). Unless the application chose its size, the buffer holds two windows.
"""

from labstack.core.env import Env
from labstack.core.event import WRITABLE
from labstack.tcp import agreed, memory, tally
from labstack.tcp.conn import Conn, Snd
from labstack.tcp.states import SENDING

BUFFER = 832  # bytes: descriptor, room for headers, bookkeeping
HEADERS = 576  # of those, what is in one piece with the payload of a copy
DESCRIPTOR = 256
SUPER = 65_279  # bytes of payload that a super-segment may have
SMALL_WINDOW = 536  # bytes: a window up to this size is not halved
LEAST = 10  # segments that there is always room for, twice


def queued(snd: Snd) -> int:
    """Memory that is in use."""
    chunks = snd.chunks
    while chunks and chunks[0][0] <= snd.nxt:
        chunks.pop(0)
    queue, start = snd.flight.queue, snd.out.start
    if queue:
        seq, end, segs = queue[0][:3]
        if segs == 1 and seq > snd.iss:
            # a single segment is not cut: all of it is kept until the last byte is acknowledged
            if snd.oldest[1] != end:
                snd.oldest = seq, end
            start = snd.oldest[0]
    return snd.out.end - start + BUFFER * (len(queue) + len(chunks))


def _goal(snd: Snd) -> int:
    """Bytes of a chunk: whole segments, no more than half the largest window that the peer has offered."""
    most = snd.max_wnd >> 1 if snd.max_wnd > SMALL_WINDOW else snd.max_wnd or SUPER
    return ((most if most < SUPER else SUPER) // snd.fits or 1) * snd.fits


def write(env: Env, conn: Conn, size: int) -> int:
    """How many of so many bytes may be written now; there are chunks for them from now on."""
    snd, limit, lowat = conn.snd, _limit(env, conn.snd), _lowat(env, conn)
    snd.fits = agreed.fits(conn)
    goal, mss = _goal(snd), snd.fits
    held, at, end, chunks = queued(snd), max(snd.nxt, snd.out.start), snd.out.end, snd.chunks
    start = chunks[-2][0] if len(chunks) > 1 else at
    whole = not chunks or bool(snd.out.stops and snd.out.stops[-1] == end)
    free = snd.cc.cwnd - snd.flight.now if conn.state in SENDING else 0
    stop, push = end + size, False
    if limit < snd.limit:
        goal = min(goal, limit)
    while end < stop:
        if whole or end - start >= goal:
            if held >= limit or end - at >= lowat:
                break
            held, start, whole, push = held + BUFFER, end, False, False
            chunks.append((end, False))
        before, end = end, start + goal
        if end > stop:
            end = stop
        held += end - before
        full = end - start >= goal
        # has more than half of the peer's largest window been written since it was last pushed (forced_push)?
        half = full and end - (snd.pushed or snd.iss + 1) > snd.max_wnd >> 1
        if half:
            env.note("linux/forced_push/half", conn.sock, end - snd.iss)
        if half or (end == stop and not snd.unfinished):
            push, snd.pushed = True, end
        chunks[-1] = end, push
        if free > 0 and start == at and full:
            # it is full, and the first: off it goes, as far as it may; the rest of it takes more
            burst = free if half else max(min(free, snd.burst, snd.cc.cwnd >> 1), 1)
            burst = max(min(burst, (snd.una + snd.wnd - at) // mss), 0)
            gone = min(burst * mss, end - start)
            free, start, at = free - -(-gone // mss), start + gone, at + gone
            held, whole = held + BUFFER * (gone > 0 and start < end), start == end
    if snd.out.end < end < stop:
        chunks[-1], snd.pushed = (end, True), end  # the application has to wait: so much is a burst of its own
    return end - snd.out.end


def fill(snd: Snd, end: int) -> None:
    """What may leave together next ends here: the first chunk takes what it has not from those behind it, and the mark
    of one that it takes as a whole (tcp_grow_skb)."""
    chunks = snd.chunks
    while chunks and chunks[0][0] <= snd.nxt:
        chunks.pop(0)
    while len(chunks) > 1 and chunks[0][0] < end:
        (_, push), (other, marked) = chunks[:2]
        if other <= end:
            chunks[:2] = [(other, push or marked)]
        else:
            chunks[0] = end, push


def writable(env: Env, conn: Conn) -> bool:
    """Is there enough room to say so?"""
    return 3 * queued(conn.snd) <= 2 * _limit(env, conn.snd) and 2 * _unsent(conn) < _lowat(env, conn)


def _limit(env: Env, snd: Snd) -> int:
    """Memory that it may take now: a little is there even where the host has none left (__sk_mem_raise_allocated)."""
    return min(snd.limit, env.config["net.ipv4.tcp_wmem.min"]) if memory.none_left(env) else snd.limit


def look(env: Env, conn: Conn) -> None:
    """The application found no room: is there some now (tcp_check_space)? The buffer grows with cwnd, unless that is
    what stops the sender."""
    if conn.snd.flight.now < conn.snd.cc.cwnd:
        expand(env, conn)
    if writable(env, conn):
        conn.snd.blocked = False
        tally.room(conn.tally, env.now)
        env.wake(conn.sock, WRITABLE)


def expand(env: Env, conn: Conn) -> None:
    """Room for two windows, as if each segment had a buffer of its own (tcp_sndbuf_expand)."""
    snd = conn.snd
    if snd.locked or env.pressed:
        return
    each = (1 << (snd.mss + agreed.always(conn) + HEADERS - 1).bit_length()) + DESCRIPTOR
    windows = 3 if snd.cc.own else 2
    wanted = windows * max(LEAST, snd.cc.cwnd, snd.loss.reordering + 1) * each
    if snd.limit < wanted:
        snd.limit = max(snd.limit, min(wanted, env.config["net.ipv4.tcp_wmem.max"]))


def _unsent(conn: Conn) -> int:
    return conn.snd.out.end - conn.snd.nxt


def _lowat(env: Env, conn: Conn) -> int:
    return conn.user.notsent_lowat or env.config["net.ipv4.tcp_notsent_lowat"]
