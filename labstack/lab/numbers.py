# SPDX-License-Identifier: GPL-2.0-or-later
"""Sequence numbers as people count them: from the SYN that opened the connection, and what of them was sent before.

Frames are seen in the order of their sending. A SYN begins to count anew only where no connection stands: a forged one,
in the middle of a connection, is a number like any other, unless a SYN,ACK answers it.
"""

from bisect import bisect_left
from typing import Any, NamedTuple

Flow = tuple[str, int, str, int]  # from address and port to address and port

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
MASK = 0xFFFFFFFF
WIDEST = 14  # of a window scale (RFC 7323 §2.3)


class Counted(NamedTuple):
    """A segment's numbers, relative.

    usual: seq is where the sender stands; window: in bytes; opens: it was closed until now
    times: how often some of this was sent before; origin: what the other side's numbers count from
    """

    seq: int
    ack: int
    usual: bool
    window: int
    opens: bool
    times: int
    origin: int


class Side:
    """What is known of those numbers of a connection that one side sends."""

    def __init__(self, first: int, stands: int = 0) -> None:
        self.begin(first, stands)
        self.shift: int | None = None  # the window scale that its SYN offers
        self.shut = False  # its window is closed
        self.rival = -1  # the number of a SYN that came in the middle

    def begin(self, first: int, stands: int = 0) -> None:
        """Count from here. `settled` once the other side has acknowledged it, `over` after its FIN."""
        self.first, self.next = first, stands
        self.settled = self.over = False
        self.starts, self.times = [0], [0]  # how often each stretch was sent, up to the start of the next one

    def relative(self, number: int) -> int:
        return (number - self.first) & MASK

    def sent(self, start: int, end: int) -> int:
        """A stretch is sent; returns how often some of it was sent before."""
        if start == end:
            return 0
        lo = self._cut(start)
        hi = self._cut(end)
        before = max(self.times[lo:hi], default=0)
        self.times[lo:hi] = [n + 1 for n in self.times[lo:hi]]
        for at in (hi, lo):
            if at > 0 and self.times[at] == self.times[at - 1]:
                del self.starts[at], self.times[at]
        if start <= self.next < end:
            self.next = end
        return before

    def _cut(self, at: int) -> int:
        """The index of the stretch that begins here."""
        index = bisect_left(self.starts, at)
        if index == len(self.starts) or self.starts[index] != at:
            self.starts.insert(index, at)
            self.times.insert(index, self.times[index - 1])
        return index


class Numbers:
    """The sides of all connections."""

    def __init__(self) -> None:
        self.sides: dict[Flow, Side] = {}

    def count(self, flow: Flow, tcp: Any, size: int, sent: bool) -> Counted:
        """The numbers of a segment with `size` bytes of data; sent: it leaves now, else it was read before."""
        flags = int(tcp.flags)
        mine = self.sides.setdefault(flow, Side(tcp.seq))
        back = (*flow[2:], *flow[:2])
        their = self.sides.get(back) or Side((tcp.ack - 1) & MASK, 1)
        if flags & ACK:
            self.sides[back] = their
        if flags & SYN:
            sent = _syn(mine, their, tcp) and sent
        if flags & RST:
            mine.settled = their.settled = False
        elif flags & ACK:
            their.settled = True
        seq, ack, window = mine.relative(tcp.seq), their.relative(tcp.ack), _window(mine, their, tcp)
        if flags & RST and flags & ACK and not tcp.seq:
            seq = 0  # of no connection (RFC 9293 §3.10.7.1)
        if not sent or flags & RST:
            return Counted(seq, ack, True, window, False, 0, their.first)
        mine.over |= bool(flags & FIN)
        usual, opens, mine.shut = seq == mine.next, mine.shut and window > 0, not window
        times = mine.sent(seq, seq + size + bool(flags & SYN) + bool(flags & FIN))
        return Counted(seq, ack, usual, window, opens, times, their.first)


def _syn(mine: Side, their: Side, tcp: Any) -> bool:
    """Does it open a connection? Then its side counts from it. Else it is nothing that this side sent."""
    if int(tcp.flags) & ACK and their.rival == (tcp.ack - 1) & MASK:
        their.begin(their.rival, 1)
        mine.settled = False
    if tcp.seq != mine.first:
        if mine.settled and not (mine.over and their.over):
            mine.rival = tcp.seq
            return False
        mine.begin(tcp.seq)
        their.settled = False
    options = tcp.options if isinstance(tcp.options, list) else ()
    mine.shift = next((o[1] for o in options if o[0] == "WScale" and isinstance(o[1], int)), None)
    return True


def _window(mine: Side, their: Side, tcp: Any) -> int:
    """In bytes: as both SYNs agreed, which are not scaled themselves."""
    if int(tcp.flags) & SYN or mine.shift is None or their.shift is None:
        return int(tcp.window)
    return int(tcp.window) << min(mine.shift, WIDEST)
