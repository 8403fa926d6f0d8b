# SPDX-License-Identifier: GPL-2.0-or-later
"""Progress: what no packet may undo, and what none but the right one may end, seen from one event to the next.

RFC 9293 §3.3.1: acknowledged and received numbers only grow; §3.8.6 (SHLD-14): the right edge of the window never moves
left. RFC 5961 §3.2: a reset that is not exactly where the next byte is expected ends nothing; §4.2: nor does a SYN.
"""

from typing import NamedTuple

from labstack.scenario.packets.flow import MOD
from labstack.scenario.packets.wire import RST, SYN, Wire
from labstack.stack.stack import Stack
from labstack.tcp.conn import Conn
from labstack.tcp.states import CLOSED, SYNCHRONIZED, TIME_WAIT


class Seen(NamedTuple):
    """What a connection had come to; ends: where a reset may stand."""

    iss: int
    irs: int
    state: str
    una: int
    nxt: int
    received: int
    edge: int
    ends: frozenset[int]
    key: tuple[bytes, bytes, int, int]


class Progress:
    """The connections of a host as they were after the event before."""

    def __init__(self) -> None:
        self._before: dict[int, Seen] = {}

    def after(self, host: Stack, came: Wire | None) -> str:
        """What an event undid or ended wrongly, as a sentence; came: the segment that it was."""
        before, self._before = self._before, {sock: _seen(conn) for sock, conn in host.conns.items()}
        for sock, then in before.items():
            now = self._before.get(sock)
            why = (_undone(then, now) if now else "") or (_ended(then, now, came) if came else "")
            if why:
                return f"connection {sock} {why}"
        return ""


def _seen(conn: Conn) -> Seen:
    snd, rcv = conn.snd, conn.rcv
    ends = {rcv.nxt, rcv.nxt - 1, *(end for _, end, _ in rcv.islands)}
    key = conn.local, conn.remote, conn.lport, conn.rport
    return Seen(
        snd.iss, rcv.irs, conn.state, snd.una, snd.nxt, rcv.nxt, rcv.edge, frozenset(it % MOD for it in ends), key
    )


def _undone(then: Seen, now: Seen) -> str:
    """Did a number go back, in a connection that is still the same one?"""
    if then.state not in SYNCHRONIZED or now.state not in SYNCHRONIZED or (then.iss, then.irs) != (now.iss, now.irs):
        return ""
    names = ("SND.UNA", then.una, now.una), ("SND.NXT", then.nxt, now.nxt), ("RCV.NXT", then.received, now.received)
    gone = [name for name, old, new in (*names, ("the window's right edge", then.edge, now.edge)) if new < old]
    return f"took back {', '.join(gone)}" if gone else ""


def _ended(then: Seen, now: Seen | None, came: Wire) -> str:
    """Did a reset or a SYN end what it must not?"""
    if then.state not in SYNCHRONIZED or then.state == TIME_WAIT or (now is not None and now.state != CLOSED):
        return ""
    head = came.tcp
    if head is None or came.fragment or not (came.good and came.ip_good):
        return ""
    if (came.dst, came.src, head.dport, head.sport) != then.key:
        return ""
    if head.flags & RST and head.seq not in then.ends:
        return f"in {then.state} was ended by a reset that is not where the next byte is expected"
    return f"in {then.state} was ended by a SYN" if head.flags & (SYN | RST) == SYN else ""
