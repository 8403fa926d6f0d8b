# SPDX-License-Identifier: GPL-2.0-or-later
"""Options that the two sides agree on: what our SYN offers, what the peer's SYN settles, what each segment carries.

A SYN,ACK says only what the SYN offered. Owns RFC 7323 §2.2 and §3.2, RFC 2018 §2, RFC 9293 §3.7.1 (options count
against the segment size, RFC 6691).
"""

from labstack.core.env import Env
from labstack.tcp import blocks, options, tstamp
from labstack.tcp.conn import Conn
from labstack.tcp.md5 import find
from labstack.tcp.segment import ACK, SYN, Segment
from labstack.tcp.states import SYN_SENT


def offer(env: Env, conn: Conn) -> None:
    """All that the sysctls allow; what the peer does not offer is taken back by `settle`."""
    conn.scaling = bool(env.config["net.ipv4.tcp_window_scaling"])
    conn.sack = bool(env.config["net.ipv4.tcp_sack"])
    conn.tstamp = tstamp.offer(env, conn.local, conn.remote)


def settle(env: Env, conn: Conn, seg: Segment) -> None:
    """The peer's SYN: what both have is used from now on."""
    snd, rcv = conn.snd, conn.rcv
    conn.scaling = conn.scaling and seg.shift is not None
    if conn.scaling:
        snd.shift = seg.shift or 0
    else:
        rcv.shift = 0
    conn.sack = conn.sack and seg.sack_ok
    if conn.sack:
        env.note("2018/2/agreed", conn.sock)
    if conn.tstamp is not None and seg.ts is not None and not _crowded(conn):
        conn.tstamp.take(seg.ts[0], env.now)
        env.note("7323/3.2/agreed", conn.sock)
    else:
        conn.tstamp = None


def _crowded(conn: Conn) -> bool:
    """A signature leaves no room for SACK blocks beside timestamps: our SYN then offers none, and a SYN,ACK takes no
    timestamps up if it takes SACK up, as on Linux."""
    return bool(signs(conn)) and (conn.sack or conn.state == SYN_SENT)


def always(conn: Conn) -> int:
    """Bytes of options that every segment carries; SND.MSS is without them."""
    size = options.STAMP_SIZE if conn.tstamp is not None else 0
    return size + options.MD5_SIZE if conn.keys and signs(conn) else size


def signs(conn: Conn) -> bytes:
    """The key that signs segments to this peer, b"" if none does."""
    return find(conn.keys, conn.remote) if conn.keys else b""


def fits(conn: Conn) -> int:
    """Bytes of data that a segment has room for now, beside SACK blocks if there are any to tell (tcp_current_mss)."""
    rcv = conn.rcv
    return conn.snd.mss - _told(conn) if rcv.recent or rcv.twice is not None else conn.snd.mss


def _told(conn: Conn) -> int:
    count = min(len(blocks.told(conn.rcv)), options.room_for_blocks(always(conn)))
    return options.BLOCKS_HEAD + options.BLOCK * count if count > 0 else 0


def block(env: Env, conn: Conn, flags: int, size: int) -> bytes:
    """The options of a segment with so many bytes of data that is sent now. SACK blocks never make it longer than
    SND.MSS allows."""
    stamps, rcv = conn.tstamp, conn.rcv
    if not (flags & SYN or rcv.recent or rcv.twice is not None or conn.keys):  # no blocks, as nearly always
        return stamps.option(env.now) if stamps is not None else b""
    md5 = bool(signs(conn))
    if flags & SYN:
        if md5 and not flags & ACK:
            stamps = None
        shift = rcv.shift if conn.scaling else None
        ts = (stamps.in_syn(env.now), stamps.recent) if stamps is not None else None
        kind, cookie = fast_open(conn) or (options.FAST_OPEN, None)
        return options.of_syn(options.Offer(rcv.mss, shift, conn.sack, ts, md5, cookie, kind))
    ts = (stamps.now(env.now), stamps.recent) if stamps is not None else None
    fits = conn.snd.mss - min(size, conn.snd.fits) - options.BLOCKS_HEAD
    room = max(fits // options.BLOCK, 0) if size else None
    return options.of_segment(ts, blocks.told(rcv)[:room], md5)


def fast_open(conn: Conn) -> tuple[int, bytes] | None:
    """Kind and cookie of a Fast Open option for the SYN or SYN,ACK that is sent now."""
    it = conn.half or conn.fast
    return it.option if it is not None else None
