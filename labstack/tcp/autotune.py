# SPDX-License-Identifier: GPL-2.0-or-later
"""What arrives teaches the receiver: how large the peer's segments are, what they cost, how long a round trip takes,
how fast the application reads; the window and the buffer follow (dynamic right-sizing, as Linux has it).

The window opens by two segments for each that arrives (tcp_grow_window), so that a sender in slow start never meets it.
When the application has read more in a round trip than in any before, the buffer becomes large enough for twice that,
as far as tcp_rmem lets it and SO_RCVBUF has not settled it (tcp_rcvbuf_grow).
"""

from labstack.core.config import MS
from labstack.core.env import Env
from labstack.tcp import window
from labstack.tcp.conn import Conn, Rcv
from labstack.tcp.seq import HALF, MASK
from labstack.tcp.tstamp import Timestamps

WORTH = 128  # bytes: smaller segments open no window
SURE, SMALLEST = 536, 88  # bytes: segments of this size are no leftovers; without a push smaller ones are not, either


def heard(env: Env, rcv: Rcv, size: int, cost: int, push: bool, gso: int | None = None) -> None:
    """New data arrived in order, and RCV.NXT is behind it: size bytes that cost so much memory, in segments of gso."""
    measure(rcv, size, cost, push, gso)
    if rcv.nxt >= rcv.trip.turn:
        _window_filled(env, rcv)
    if size >= WORTH and rcv.ssthresh < rcv.clamp:
        grow(env, rcv, size, cost)


def beyond(env: Env, conn: Conn, size: int, cost: int, push: bool) -> None:
    """A segment came that lies beyond a gap: the buffer must hold what is missing, too."""
    rcv = conn.rcv
    measure(rcv, size, cost, push)
    if conn.sack:
        grow(env, rcv, size, cost)  # the others are to see the same window in each duplicate ACK
    if conn.held and rcv.trip.space:
        resize(env, conn, rcv.trip.space, rcv.trip.space)


def measure(rcv: Rcv, size: int, cost: int, push: bool, gso: int | None = None) -> None:
    """What is a full-sized segment for this peer, and what does data cost (tcp_measure_rcv_mss)?"""
    whole, size = size, size if gso is None or gso > size else gso
    if size < rcv.seen:
        if size >= SURE or (size >= SMALLEST and not push):
            again, rcv.small = size == rcv.small, size
            if again:
                rcv.seen = size
                return
        rcv.pushed += rcv.pushed < 2
        return
    if size != rcv.seen:
        ratio = (whole << 8) // cost
        if ratio != rcv.ratio:
            rcv.ratio = ratio or 1
            window.set_clamp(rcv, window.full(rcv))
            if rcv.clamp < rcv.trip.space:
                rcv.trip = rcv.trip._replace(space=rcv.clamp)
        rcv.seen = size if size < rcv.mss else rcv.mss
    if push and not rcv.pushed:
        rcv.pushed = 1


def grow(env: Env, rcv: Rcv, size: int, cost: int) -> None:
    """A segment arrived: offer two more, if that fits into the buffer."""
    room = (rcv.limit - rcv.alloc) * rcv.ratio >> 8  # what is free of the buffer is worth this window
    if room > rcv.clamp:
        room = rcv.clamp
    room -= rcv.ssthresh
    if room <= 0:
        return
    if env.pressed:
        rcv.ssthresh = min(rcv.ssthresh, 4 * rcv.mss)
        return
    worth = cost * rcv.ratio >> 8
    step = 2 * rcv.mss if worth <= size else _cautious(env, rcv, size, worth)
    if step:
        rcv.ssthresh += min(room, max(step, 2 * size))
        rcv.quick |= 1


def _cautious(env: Env, rcv: Rcv, size: int, worth: int) -> int:
    """Segments that cost more than their share: the larger the window, the better must be what they carry."""
    worth, most = worth >> 1, (env.config["net.ipv4.tcp_rmem.max"] * rcv.ratio >> 8) >> 1
    while rcv.ssthresh <= most:
        if worth <= size:
            return 2 * rcv.seen
        worth, most = worth >> 1, most >> 1
    return 0


def _window_filled(env: Env, rcv: Rcv) -> None:
    """The peer has filled a window, and begins with the next: without timestamps that tells a receiver most of the
    round trip (tcp_rcv_rtt_measure). The shortest counts: a peer that had less to send took longer."""
    trip = rcv.trip
    rtt = trip.rtt
    if trip.turn:
        took = max(env.now - trip.turned, 1000)
        rtt = min(rtt, took) if rtt else took
    rcv.trip = trip._replace(rtt=rtt, turn=rcv.nxt + rcv.edge - rcv.acked, turned=env.now)


def echoed(env: Env, conn: Conn, stamps: Timestamps, echo: int, size: int) -> None:
    """A timestamp of ours came back with data: the first echo of each by a full-sized segment tells the round trip
    (tcp_rcv_rtt_measure_ts). Samples that are longer than what is known count while the application keeps up."""
    rcv, trip = conn.rcv, conn.rcv.trip
    if echo == trip.echo:
        return
    ticks = stamps.now(env.now) - echo & MASK
    rtt, sample = trip.rtt, ticks * MS
    if size >= rcv.seen and 0 < ticks < HALF:
        if not rtt or sample < rtt:
            rtt = sample
        elif not rcv.queued:
            rtt += (sample >> 3) - (rtt >> 3)
    rcv.trip = trip._replace(rtt=rtt, echo=echo)


def drained(env: Env, conn: Conn, taken: int) -> None:
    """The application is reading, up to `taken` so far: once a round trip, was it more than ever
    (tcp_rcv_space_adjust)?"""
    rcv, trip = conn.rcv, conn.rcv.trip
    if not trip.rtt or env.now - trip.at < trip.rtt:
        return
    size = taken - trip.since - (rcv.nxt - taken)  # what is left was not read in time
    rcv.trip = trip._replace(since=taken, at=env.now)
    if size > trip.space:
        rcv.trip = rcv.trip._replace(space=size)
        resize(env, conn, size, trip.space or size)


def resize(env: Env, conn: Conn, size: int, before: int) -> None:
    """Room for two round trips of what was read in one, for what a sender in slow start will add, and for what lies
    beyond a gap (tcp_rcvbuf_grow)."""
    rcv, most = conn.rcv, env.config["net.ipv4.tcp_rmem.max"]
    if not env.config["net.ipv4.tcp_moderate_rcvbuf"] or rcv.locked:
        return
    wanted = 2 * size
    wanted += 2 * (wanted * (size - before) // before)
    if rcv.islands:
        wanted += rcv.islands[-1][1] - rcv.nxt
    limit = min(window.memory_for(rcv, wanted), most)
    if limit > rcv.limit:
        env.note("linux/tcp_rcvbuf_grow/larger", conn.sock, size, limit)
        rcv.limit = limit
        rcv.clamp = window.full(rcv)
