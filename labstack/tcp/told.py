# SPDX-License-Identifier: GPL-2.0-or-later
"""Told: what one acknowledgment told the sender. Lives as long as the ACK is worked on, and is no part of the state."""

from labstack.tcp.conn import Snd
from labstack.tcp.delivery import Newest


class Told:
    """Counts are segments, times ns; -1: there is no such time."""

    old = False  # it was overtaken by another ACK
    advanced = False  # SND.UNA moved
    data = False  # the segment carries data, SYN or FIN
    window = False  # it may change the window
    ece = False  # it echoes congestion (RFC 3168)
    ce = 0  # segments of ours that were marked, as far as that can be told
    flags = 0  # of its header, and its AccECN option
    accecn: tuple[int, ...] | None = None
    acked = 0  # cumulatively acknowledged
    syn = False  # our SYN is among it
    retransmitted = False  # some of that had been sent again
    original = False  # something that was never sent again, from before the recovery, has arrived
    sacked = False  # SACK blocks told of segments that are new to us
    duplicate = False  # a D-SACK told of a retransmission that was superfluous
    tail = False  # ... of the tail loss probe
    reneged = False  # the oldest segment in flight had been SACKed
    lost_again = False  # a retransmission was found lost
    echo = 0  # TSecr; 0: none
    timer = False  # the retransmission timer is to be set anew
    first_at = -1  # when the oldest, and the newest, acknowledged segment was sent; none that was sent again
    last_at = -1
    sack_first_at = -1  # the same of SACKed ones
    sack_last_at = -1
    rtt = -1  # of the newest segment, for the controller
    lowest: int  # where a segment begins that arrived late: later ones had arrived before
    newest: Newest | None = None  # of what it delivered, the segment that was sent last
    text = False  # more than our SYN is acknowledged
    delayed = False  # the receiver may have waited with this ACK

    def __init__(self, snd: Snd, top: int) -> None:
        self.una = snd.una  # before
        self.top = top  # the same of the highest SACK block
        self.flight = snd.flight.now
        self.delivered = snd.loss.delivered
        self.marked = snd.loss.marked
        self.lowest = snd.nxt

    @property
    def novel(self) -> bool:
        """No duplicate ACK: it brings data, a window, or an acknowledgment (FLAG_NOT_DUP)."""
        return self.data or self.window or self.acked > 0 or self.syn
