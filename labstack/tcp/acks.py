# SPDX-License-Identifier: GPL-2.0-or-later
"""The sender meets an acknowledgment: SND.UNA, the send window, the round-trip time (RFC 9293 §3.10.7.4, fifth)."""

from labstack.core.env import Env
from labstack.tcp import recovery, rtt, tally, timeouts
from labstack.tcp.conn import Conn
from labstack.tcp.segment import SYN, Segment


def acknowledge(env: Env, conn: Conn, seg: Segment) -> None:
    """An acceptable ACK of a synchronized connection: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT."""
    snd = conn.snd
    if seg.ack > snd.una:
        advance(env, conn, seg.ack)
    elif recovery.is_duplicate(snd, seg):
        env.note("9293/3.10.7.4/ack/dup", conn.sock, seg.ack - snd.iss)
        recovery.duplicate(env, conn)
    elif seg.ack < snd.una:
        env.note("9293/3.10.7.4/ack/old", conn.sock, seg.ack - snd.iss)
    if seg.ack == snd.una and (not seg.size or seg.seq != conn.rcv.nxt or conn.rcv.islands):
        # of the next text Linux's header prediction only looks whether it acknowledges something new
        snd.ack_at, snd.unanswered = env.now, 0
    # RFC 9293 §3.10.7.4: an older segment must not overwrite a newer window
    if seg.ack >= snd.una and (snd.wl1 < seg.seq or (snd.wl1 == seg.seq and snd.wl2 <= seg.ack)):
        # RFC 7323 §2.2: a SYN's window is never scaled
        window(env, conn, seg.seq, seg.ack, seg.wnd << (0 if seg.flags & SYN else snd.shift))


def advance(env: Env, conn: Conn, ack: int) -> None:
    """Some of what is in flight has arrived."""
    snd = conn.snd
    size = ack - snd.una
    rtt.on_ack(env, snd.rtt, ack)
    snd.una = ack
    snd.cursor = max(snd.cursor, ack)
    snd.out.drop_before(ack)
    snd.ack_at, snd.retries, snd.unanswered = env.now, 0, 0
    snd.more = False
    conn.progress, conn.soft = True, 0
    env.note("9293/3.10.7.4/ack/new", conn.sock, size)
    recovery.advanced(env, conn, size)
    tally.acked(conn.tally, ack, snd.recover, env.now)
    if ack >= conn.tally.flight.tail and ack >= snd.out.end + snd.fin:
        tally.idle(conn.tally, env.now)
    timeouts.rearm(env, conn)


def window(env: Env, conn: Conn, seq: int, ack: int, wnd: int) -> None:
    """Take over the window (bytes) that a segment offers: SND.WND, SND.WL1, SND.WL2."""
    snd = conn.snd
    if wnd != snd.wnd:
        env.note("9293/3.10.7.4/ack/window", conn.sock, snd.wnd, wnd)
    if snd.wnd == 0 and wnd:
        timeouts.stop_probing(env, conn)
    snd.wnd, snd.wl1, snd.wl2 = wnd, seq, ack
    snd.max_wnd = max(snd.max_wnd, wnd)
