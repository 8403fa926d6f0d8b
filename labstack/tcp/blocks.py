# SPDX-License-Identifier: GPL-2.0-or-later
"""The SACK blocks that we tell: what lies beyond a gap, the latest first (RFC 2018 §4), and what came twice (RFC 2883).

`Rcv.recent` has a sequence number in each block that may be told, the latest first. Blocks are made of it, and of the
islands as they are then, when a segment leaves: what merged, was filled or was given up needs no care. The peer's FIN
is part of the island that it follows, or a block of its own.
"""

from bisect import bisect_right

from labstack.core.env import Env
from labstack.tcp.conn import Conn, Rcv
from labstack.tcp.options import Blocks

MOST = 4  # blocks in one option (RFC 2018 §3)

Block = tuple[int, int]


def beyond(env: Env, conn: Conn, start: int, end: int) -> int:
    """[start, end) has come, beyond a gap, and is about to become an island, or part of one. Returns how many blocks
    were told before the one that it will be part of."""
    rcv = conn.rcv
    if not conn.sack:
        return 0
    _overlap(env, conn, start, end, "TcpExtTCPDSACKOfoSent")
    tidy(rcv)  # islands that were filled or given up have no place any more
    ahead = 0
    for low, high in _blocks(rcv):
        if low <= end and start <= high:
            break
        ahead += 1
    rcv.recent = (start, *rcv.recent)
    return ahead


def fin(env: Env, conn: Conn, at: int, again: bool) -> None:
    """The peer's FIN has come, beyond a gap; again: not for the first time."""
    if not conn.sack:
        return
    if again:
        _twice(env, conn, at, at + 1, "TcpExtTCPDSACKOfoSent")
    conn.rcv.recent = (at, *conn.rcv.recent)
    tidy(conn.rcv)


def tidy(rcv: Rcv) -> None:
    """Of several places in one block the latest stays, of several blocks the latest four."""
    latest: dict[Block, int] = {}
    for place in rcv.recent:
        block = _block(rcv, place)
        if block is not None:
            latest.setdefault(block, place)
    rcv.recent = tuple(latest.values())[:MOST]


def filled(env: Env, conn: Conn, end: int) -> None:
    """The next bytes have come, up to end, and there are islands: perhaps some of them was there already."""
    if conn.sack and conn.rcv.twice is None:
        _overlap(env, conn, conn.rcv.nxt, end, "TcpExtTCPDSACKOldSent")


def before(env: Env, conn: Conn, start: int, end: int) -> None:
    """[start, end) came again, although it is acknowledged."""
    if conn.sack:
        _twice(env, conn, start, end, "TcpExtTCPDSACKOldSent")


def _overlap(env: Env, conn: Conn, start: int, end: int, counter: str) -> None:
    """An option has one block for what came twice (RFC 2883 §4): of several pieces the first is told."""
    islands = conn.rcv.islands
    at = bisect_right(islands, start, key=lambda island: island[1])  # the first that ends beyond start
    if at < len(islands) and islands[at][0] < end:
        _twice(env, conn, max(islands[at][0], start), min(islands[at][1], end), counter)


def _twice(env: Env, conn: Conn, start: int, end: int, counter: str) -> None:
    if not env.config["net.ipv4.tcp_dsack"]:
        return
    env.count[counter] += 1
    env.note("2883/4/duplicate", conn.sock, start - conn.rcv.irs, end - conn.rcv.irs)
    conn.rcv.twice = (start, end)


def told(rcv: Rcv) -> Blocks:
    """The blocks for a segment that leaves now; only as many of them as there is room for get on the wire."""
    return (rcv.twice, *_blocks(rcv)) if rcv.twice is not None else _blocks(rcv)


def _blocks(rcv: Rcv) -> Blocks:
    return tuple(block for place in rcv.recent if (block := _block(rcv, place)) is not None)


def _block(rcv: Rcv, place: int) -> Block | None:
    """What has arrived around this place; None if it lies in a gap."""
    at = bisect_right(rcv.islands, place, key=lambda island: island[0]) - 1
    if at >= 0:
        start, end, _ = rcv.islands[at]
        end += end == rcv.fin
        if place < end:
            return start, end
    return (place, place + 1) if place == rcv.fin and place > rcv.nxt else None
