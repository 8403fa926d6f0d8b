# SPDX-License-Identifier: GPL-2.0-or-later
"""The receive window we advertise (RFC 9293 §3.8.6), scaled (RFC 7323 §2), free of silly windows (§3.8.6.2.2).

RFCs leave its size to the receiver; these are Linux's rules. A buffer of `Rcv.limit` bytes of memory is worth a window
of `limit * ratio / 256`, because data takes more memory than its bytes (`memory`); `Rcv.clamp` is the most that is ever
offered, `Rcv.ssthresh` the most for now (`autotune` lets it grow). `Rcv.edge` is the right edge as last told.
"""

from labstack.core.env import Env
from labstack.tcp import agreed
from labstack.tcp.conn import NOW, Conn, Rcv, Trip

MAX_UNSCALED = 0xFFFF
MAX_SIGNED = 0x7FFF  # tcp_workaround_signed_windows: what a peer that reads a signed number can take
MAX_SHIFT = 14  # RFC 7323 §2.3
LEAST_CLAMP = 1152  # bytes, half of the smallest buffer
SMALLEST, TINIEST = 536, 88  # bytes: what counts as a full-sized segment until a larger one came
FIRST = 10  # segments that are expected in the first round trip
EVEN = 128  # of 256: the ratio before anything has arrived


def shift_for(limit: int) -> int:
    """The smallest shift with which a window of limit bytes fits into 16 bits (RFC 7323 §2.3)."""
    return min((limit // (MAX_UNSCALED + 1)).bit_length(), MAX_SHIFT)


def full(rcv: Rcv) -> int:
    """The window that an empty buffer is worth, bytes."""
    return rcv.limit * rcv.ratio >> 8


def memory_for(rcv: Rcv, size: int) -> int:
    """The other way round: the buffer for a window of so many bytes."""
    return (size << 8) // rcv.ratio


def start(env: Env, conn: Conn) -> None:
    """Before our SYN: the first window, whole segments of what half of the buffer takes, and the scale, for the largest
    window that there may ever be (tcp_select_initial_window)."""
    rcv, config = conn.rcv, env.config
    most = rcv.clamp or MAX_UNSCALED << MAX_SHIFT
    if rcv.locked:
        most = min(most, full(rcv))
    space, mss = min(most, full(rcv)), rcv.mss
    if conn.passive:
        mss -= agreed.always(conn)
    if space > mss:
        space -= space % mss
    if conn.scaling:
        ever = max(space, config["net.ipv4.tcp_rmem.max"], config["net.core.rmem_max"])
        rcv.shift = shift_for(min(ever, most))
    rcv.clamp = min(most, MAX_UNSCALED << rcv.shift)
    rcv.ssthresh = min(space, MAX_SIGNED) if config["net.ipv4.tcp_workaround_signed_windows"] else space
    rcv.edge = rcv.nxt + rcv.ssthresh


def established(env: Env, conn: Conn) -> None:
    """The connection is open: keep a segment's worth of the buffer back (tcp_init_buffer_space)."""
    rcv, whole, app, options = conn.rcv, full(conn.rcv), env.config["net.ipv4.tcp_app_win"], agreed.always(conn)
    rcv.mss = max(rcv.mss, TINIEST) - options
    rcv.headers += options
    mss = rcv.mss
    rcv.seen = max(min(mss, conn.snd.mss, (rcv.edge - rcv.acked) // 2, SMALLEST), TINIEST)
    if not conn.scaling:
        rcv.clamp = min(rcv.clamp, MAX_UNSCALED)
    if rcv.clamp >= whole:
        rcv.clamp = whole
        if app and whole > 4 * mss:
            rcv.clamp = max(whole - (whole >> app), 4 * mss)
    if app and rcv.clamp > 2 * mss and rcv.clamp + mss > whole:
        rcv.clamp = max(2 * mss, whole - mss)
    rcv.ssthresh = min(rcv.ssthresh, rcv.clamp)
    space = min(rcv.ssthresh, rcv.edge - rcv.acked, FIRST * mss)
    rcv.trip = Trip(space, rcv.nxt, env.now, *rcv.trip[3:])


def set_clamp(rcv: Rcv, clamp: int) -> None:
    """No more than this from now on (tcp_set_window_clamp): what is offered now follows."""
    before, rcv.clamp = rcv.clamp, max(clamp, LEAST_CLAMP)
    if rcv.clamp < before:
        rcv.ssthresh = min(rcv.ssthresh, rcv.clamp)
    else:
        rcv.ssthresh = max(rcv.ssthresh, min(rcv.edge - rcv.acked, rcv.clamp))


def choose(env: Env, rcv: Rcv) -> int:
    """The window that we should like to offer now, bytes (__tcp_select_window): nothing rather than a silly one."""
    free, whole, shift = (rcv.limit - rcv.alloc) * rcv.ratio >> 8, rcv.limit * rcv.ratio >> 8, rcv.shift
    most = rcv.clamp if rcv.clamp < whole else whole
    if free < most >> 1:
        rcv.quick = 0
        if env.pressed:
            rcv.ssthresh = min(rcv.ssthresh, 4 * rcv.mss)
        free = free >> shift << shift
        if free < whole >> 4 or free < rcv.seen:
            return 0
    if shift:
        if free > rcv.ssthresh:
            free = rcv.ssthresh
        return -(-free >> shift) << shift  # up to the next number that can be said with this scale
    mss, offered = min(rcv.seen, most), rcv.edge - rcv.acked
    if free > rcv.ssthresh:
        free = rcv.ssthresh
        mss = min(mss, free)  # or else nothing is ever offered
    if offered <= free - mss or offered > free:
        return free - free % mss if mss else 0
    return free if mss == most and free > offered + (most >> 1) else offered


def advertise(env: Env, conn: Conn, syn: bool = False) -> int:
    """The value of the window field now; moves the right edge, which never goes back (SHLD-14)."""
    rcv = conn.rcv
    if syn:
        if not rcv.ssthresh:
            start(env, conn)
        return min(rcv.edge - rcv.nxt, MAX_UNSCALED)
    if rcv.starved:
        rcv.edge = rcv.nxt
        return 0
    wanted, edge, shift = choose(env, rcv), rcv.edge, rcv.shift
    left = edge - rcv.nxt
    if wanted < left:
        if not (shift and env.config["net.ipv4.tcp_shrink_window"]):
            if not wanted:
                env.count["TcpExtTCPWantZeroWindowAdv"] += 1
            wanted = -(-left >> shift) << shift
        elif rcv.islands:  # what has come stays inside: the gap before it must be filled, or its memory is lost
            wanted = max(wanted, -(rcv.nxt - rcv.islands[-1][1] >> shift) << shift)
    rcv.edge = rcv.nxt + wanted
    told, before = wanted >> shift, edge - rcv.acked
    if told > MAX_SIGNED:
        signed = not shift and env.config["net.ipv4.tcp_workaround_signed_windows"]
        told = MAX_SIGNED if signed else min(told, MAX_UNSCALED)
    if not (told and before):
        _opens_or_closes(env, before, told)
    return told


def _opens_or_closes(env: Env, before: int, told: int) -> None:
    if before and not told:
        env.count["TcpExtTCPToZeroWindowAdv"] += 1
    elif told and not before:
        env.count["TcpExtTCPFromZeroWindowAdv"] += 1


def opened(env: Env, conn: Conn) -> None:
    """The application has read: is the wider window worth a segment of its own? If it is twice what the peer knows of
    (tcp_cleanup_rbuf)."""
    rcv = conn.rcv
    left = rcv.edge - rcv.nxt
    if 2 * left > rcv.clamp:
        return
    wanted = choose(env, rcv)
    if wanted and wanted >= 2 * left:
        env.note("9293/3.8.6.2.2/update", conn.sock, wanted - left)
        rcv.ack = NOW
        env.dirty[conn.sock] = None
