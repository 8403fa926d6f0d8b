# SPDX-License-Identifier: GPL-2.0-or-later
"""The SACK blocks that we tell: what lies beyond a gap, the latest first (RFC 2018 §4), and what came twice (RFC 2883).

`Rcv.recent` has a sequence number in each island that may be told, the latest first. Blocks are made of it, and of the
islands as they are then, when a segment leaves: what merged, was filled or was given up needs no care.
"""

from bisect import bisect_right

from labstack.core.env import Env
from labstack.tcp.conn import Conn, Rcv
from labstack.tcp.options import Blocks

MOST = 4  # blocks in one option (RFC 2018 §3)


def beyond(env: Env, conn: Conn, start: int, end: int) -> int:
    """[start, end) has come, beyond a gap, and is about to become an island, or part of one. Returns how many blocks
    were told before the one that it will be part of."""
    rcv = conn.rcv
    if not conn.sack:
        return 0
    _overlap(env, conn, start, end, "TcpExtTCPDSACKOfoSent")
    tidy(rcv)  # islands that were filled or given up have no place any more
    ahead = 0
    for place in rcv.recent:
        low, high, _ = rcv.islands[_island(rcv, place)]
        if low <= end and start <= high:
            break
        ahead += 1
    rcv.recent = (start, *rcv.recent)
    return ahead


def tidy(rcv: Rcv) -> None:
    """Of several places in one island the latest stays, of several islands the latest four."""
    kept: list[int] = []
    islands: set[int] = set()
    for place in rcv.recent:
        island = _island(rcv, place)
        if island >= 0 and island not in islands:
            islands.add(island)
            kept.append(place)
    rcv.recent = tuple(kept[:MOST])


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
    found = [rcv.twice] if rcv.twice is not None else []
    for place in rcv.recent:
        at = _island(rcv, place)
        if at >= 0:
            found.append(rcv.islands[at][:2])
    return tuple(found)


def _island(rcv: Rcv, place: int) -> int:
    """The index of the island that has this place, or -1."""
    at = bisect_right(rcv.islands, place, key=lambda island: island[0]) - 1
    return at if at >= 0 and place < rcv.islands[at][1] else -1
