# SPDX-License-Identifier: GPL-2.0-or-later
"""What TCP's buffers cost in memory, as Linux counts it (truesize), and what gives way when there is too little of it.

A segment costs what a Linux buffer for it would: a descriptor, and room for headers, payload and some bookkeeping,
rounded up as the allocator does. So a receive buffer of 128 KiB takes 57 full-sized segments or 157 tiny ones, and the
window that is offered (`window`) follows from that. Ours are pieces of the frames that came, and cost about their
bytes; what is counted here is what Linux promises its peers, and a bound on ours.

`Rcv.charges` has an entry (end, cost) for each buffer in order, `Rcv.beyond` one (end, start, cost, spare) for each
beyond a gap; `Rcv.alloc` is the sum. `Env.memory` is that of all connections, with what waits to be sent, settled once
a drain and held against tcp_mem.
"""

from bisect import bisect_left
from functools import lru_cache

from labstack.core.env import Env
from labstack.core.event import READABLE
from labstack.tcp import islands
from labstack.tcp.conn import NOW, Conn, Rcv

DESCRIPTOR = 256  # bytes, struct sk_buff
SHARED = 320  # struct skb_shared_info, behind the payload
SMALL = 576  # buffers up to this size have a pool of their own
RESERVED = 64  # before the headers
LINE, PAGE = 64, 4096
LARGEST = 8192  # beyond, whole pages


@lru_cache(maxsize=4096)
def truesize(size: int) -> tuple[int, int]:
    """What a segment of so many bytes, headers included, costs; and how many bytes of that stay free."""
    need = -(-(RESERVED + size) // LINE) * LINE + SHARED
    if need <= SMALL:
        room = SMALL
    elif need <= LARGEST:
        room = 1 << (need - 1).bit_length()
    else:
        room = -(-need // PAGE) * PAGE
    return DESCRIPTOR + room, room - SHARED - RESERVED - size


def charge(rcv: Rcv, end: int, size: int) -> int:
    """A segment of so many bytes, up to `end`, waits for the application; returns what it cost. One that fits into what
    the segment before left free is copied there, and takes no memory of its own (tcp_try_coalesce)."""
    cost, spare = truesize(size + rcv.headers)
    if size <= rcv.spare and rcv.charges:
        rcv.spare -= size
        rcv.charges[-1] = (end, rcv.charges[-1][1])
    else:
        rcv.spare = spare
        rcv.charges.append((end, cost))
        rcv.alloc += cost
    return cost


def charge_beyond(env: Env, rcv: Rcv, start: int, end: int) -> int:
    """The same beyond a gap. What it covers whole is not needed twice."""
    cost, spare = truesize(end - start + rcv.headers)
    beyond = rcv.beyond
    last = first = bisect_left(beyond, (end + 1,))
    while first and beyond[first - 1][1] >= start:
        first -= 1
        rcv.alloc -= beyond[first][2]
        env.count["TcpExtTCPOFOMerge"] += 1
    if first and beyond[first - 1][0] == start and end - start <= beyond[first - 1][3]:
        first -= 1
        _, begin, paid, left = beyond[first]
        beyond[first:last] = [(end, begin, paid, left - (end - start))]
        return cost
    beyond[first:last] = [(end, start, cost, spare)]
    rcv.alloc += cost
    return cost


def reached(rcv: Rcv) -> None:
    """RCV.NXT has passed a gap: what lay beyond it is in order now."""
    passed = bisect_left(rcv.beyond, (rcv.nxt + 1,))
    for end, _, cost, _ in rcv.beyond[:passed]:
        if rcv.wanted:
            rcv.charges.append((end, cost))
        else:
            rcv.alloc -= cost
    del rcv.beyond[:passed]
    rcv.spare = 0


def unread(rcv: Rcv) -> int:
    """Where the application will read next."""
    return (rcv.nxt if rcv.fin is None or rcv.nxt <= rcv.fin else rcv.fin) - rcv.queued


def release(rcv: Rcv, size: int) -> None:
    """The application reads so many bytes: buffers that are empty then cost nothing any more."""
    charges = rcv.charges
    if size == rcv.queued:
        rcv.alloc = sum(it[2] for it in rcv.beyond) if rcv.beyond else 0
        charges.clear()
        return
    at = unread(rcv) + size
    while charges and charges[0][0] <= at:
        rcv.alloc -= charges.pop(0)[1]


def forget_beyond(rcv: Rcv) -> None:
    """Nothing will fill the gaps."""
    rcv.alloc -= sum(it[2] for it in rcv.beyond)
    rcv.beyond.clear()
    rcv.islands.clear()


def end_at(rcv: Rcv, end: int) -> None:
    """The stream ends here: nothing beyond is part of it."""
    islands.end_at(rcv.islands, end)
    gone = [it for it in rcv.beyond if it[1] >= end]
    rcv.alloc -= sum(it[2] for it in gone)
    rcv.beyond = [(min(last, end), *rest) for last, *rest in rcv.beyond if rest[0] < end]  # type: ignore[misc]


def settle(env: Env, conn: Conn, sending: int) -> None:
    """What a connection's buffers take now, `sending` of it to be sent, in the host's account (tcp_mem, in pages)."""
    total = conn.rcv.alloc + sending
    if total == conn.memory and not env.pressed:
        return
    env.memory += total - conn.memory
    conn.memory = total
    pages = env.memory // PAGE
    if env.pressed and pages < env.config["net.ipv4.tcp_mem.min"]:
        env.pressed = False
    elif not env.pressed and pages > env.config["net.ipv4.tcp_mem.default"]:
        env.note("linux/tcp_enter_memory_pressure", conn.sock, env.memory)
        env.count["TcpExtTCPMemoryPressures"] += 1
        env.pressed = True


def forget(env: Env, conn: Conn) -> None:
    """The connection is gone."""
    env.memory -= conn.memory
    conn.memory = 0


def exhausted(env: Env, rcv: Rcv) -> bool:
    """The host has no memory left for this buffer (sk_rmem_schedule); a little of it is always there."""
    return none_left(env) and rcv.alloc >= env.config["net.ipv4.tcp_rmem.min"]


def none_left(env: Env) -> bool:
    return env.pressed and env.memory // PAGE >= env.config["net.ipv4.tcp_mem.max"]


def fits(env: Env, conn: Conn, start: int) -> bool:
    """The buffer is full: is there, or can there be made, room for a segment that begins here (tcp_prune_queue)?"""
    rcv = conn.rcv
    env.count["TcpExtPruneCalled"] += 1
    if rcv.alloc >= rcv.limit:
        _stretch(env, rcv)
    elif env.pressed:
        rcv.ssthresh = min(rcv.ssthresh, 4 * rcv.mss)
    if not exhausted(env, rcv) and (rcv.alloc <= rcv.limit or _prune(env, conn, start)):
        return True
    env.count["TcpExtRcvPruned"] += 1
    return False


def _stretch(env: Env, rcv: Rcv) -> None:
    """The peer filled the buffer with segments that cost more than was reckoned with; it was told that there is room,
    so let there be, and offer less from now on (tcp_clamp_window)."""
    rcv.quick = 0
    most = env.config["net.ipv4.tcp_rmem.max"]
    if rcv.limit < most and not rcv.locked and not env.pressed:
        rcv.limit = min(rcv.alloc, most)
    if rcv.alloc > rcv.limit:
        rcv.ssthresh = min(rcv.clamp, 2 * rcv.mss)


def _prune(env: Env, conn: Conn, start: int) -> bool:
    """Forget what lies farthest beyond a gap, an eighth of the buffer at a time (tcp_prune_ofo_queue)."""
    rcv = conn.rcv
    goal, before = rcv.limit >> 3, rcv.alloc
    while rcv.beyond and start <= rcv.beyond[-1][1]:
        goal -= rcv.beyond[-1][2]
        _cut(env, conn, rcv.beyond[-1][1])
        if goal <= 0:
            if rcv.alloc <= rcv.limit:
                break
            goal = rcv.limit >> 3
    env.count["TcpExtOfoPruned"] += rcv.alloc < before
    return rcv.alloc <= rcv.limit


def shed(env: Env, conn: Conn) -> None:
    """There are too many separate pieces beyond a gap: the farthest makes room."""
    _cut(env, conn, conn.rcv.islands[-1][0])
    env.count["TcpExtOfoPruned"] += 1


def _cut(env: Env, conn: Conn, start: int) -> None:
    """Forget what lies beyond a gap from here on; the peer still has it (RFC 2018 §8)."""
    rcv, before = conn.rcv, conn.rcv.alloc
    while rcv.beyond and rcv.beyond[-1][0] > start:
        rcv.alloc -= rcv.beyond.pop()[2]
    islands.end_at(rcv.islands, start)
    env.note("linux/tcp_prune_ofo_queue/last", conn.sock, before - rcv.alloc)


def refuse(env: Env, conn: Conn, size: int) -> None:
    """No memory for a segment in order: tell the peer that the window is closed (tcp_data_queue), and the application
    that it had better read.

    DEVIATES: RFC 9293 §3.8.6 SHLD-14, a window should not shrink; Linux has no other way out, nor have we.
    """
    rcv = conn.rcv
    env.note("linux/tcp_data_queue/nomem", conn.sock, size, rcv.alloc)
    env.count["TcpExtTCPRcvQDrop"] += 1
    rcv.starved, rcv.ack = True, NOW
    env.wake(conn.sock, READABLE)
