# SPDX-License-Identifier: GPL-2.0-or-later
"""Compressed ACKs: of the duplicates behind one gap the first three go at once, then one stands for many, as on Linux.

A sender has learnt of the loss by then, and each SACK block tells what the ones before it told (RFC 2018 §4).
DEVIATES: RFC 5681 §4.2 has an ACK for each. They wait for a twentieth of the round trip, tcp_comp_sack_delay_ns at
most.
"""

from labstack.core import kinds
from labstack.core.env import Env
from labstack.tcp import ackgen
from labstack.tcp.conn import NOW, Conn, Held

AT_ONCE = 3  # RFC 5681 §3.2: duplicates that mean loss
WORTH = 2  # blocks: an ACK that changes one further behind does not wait (TCP_SACK_BLOCKS_EXPECTED)


def beyond(env: Env, conn: Conn, ahead: int) -> None:
    """A segment came that lies beyond a gap; ahead: blocks that were told before its own."""
    rcv = conn.rcv
    if rcv.ack == NOW:
        return
    held, most = rcv.held, env.config["net.ipv4.tcp_comp_sack_nr"]
    if not conn.sack or held.waiting >= most or ackgen.pressing(env, rcv):
        rcv.ack = NOW
        return
    if held.waiting and ahead >= WORTH:
        _release(env, conn)
        return
    told = held.told if held.nxt == rcv.nxt else 0
    if told < AT_ONCE:
        rcv.held = Held(rcv.nxt, told + 1, held.waiting)
        rcv.ack = NOW
        return
    rcv.held = Held(rcv.nxt, told, held.waiting + 1)
    if not held.waiting:
        wait = _patience(env, conn)
        env.note("linux/tcp_ack_snd_check/compress", conn.sock, wait / 1000)
        env.timers.set((kinds.TCP_COMPRESS, conn.sock), env.now + wait)


def _patience(env: Env, conn: Conn) -> int:
    """ns; without a round trip to go by only what Linux's timer is late by."""
    rtt, srtt = conn.rcv.trip.rtt, conn.snd.rtt.srtt
    if 0 < srtt < rtt:
        rtt = srtt
    return min(rtt // 20, env.config["net.ipv4.tcp_comp_sack_delay_ns"]) + env.config["net.ipv4.tcp_comp_sack_slack_ns"]


def _release(env: Env, conn: Conn) -> None:
    """One ACK goes for all that were held back, and counts as none of them."""
    held = conn.rcv.held
    if held.waiting:
        conn.rcv.held = held._replace(waiting=held.waiting - 1)
        conn.rcv.ack = NOW


def expire(env: Env, conn: Conn) -> None:
    """They have waited long enough."""
    if conn.rcv.held.waiting:
        env.note("linux/tcp_compressed_ack_kick/expire", conn.sock)
    _release(env, conn)
