# SPDX-License-Identifier: GPL-2.0-or-later
"""What the sender remembers of losses: the congestion state, the recovery under way, and how to take it back.

`recovery` moves between the states, `rack`, `tlp`, `frto`, `undo` and `prr` each read and write their lines. Counts
are segments, times ns, the rest sequence numbers.
"""

from labstack.core.state import State, state
from labstack.tcp.cc.controller import CWR, DISORDER, LOSS, OPEN, RECOVERY

__all__ = ["CWR", "DISORDER", "LOSS", "OPEN", "RECOVERY", "Loss"]


@state
class Loss(State):
    high: int  # RFC 6582's recover: SND.NXT when the present state was entered
    reordering: int  # segments by which they may be out of order without being lost: the duplicate ACK threshold
    state: int = OPEN  # Linux's ca_state
    reorderings: int = 0  # how often reordering was seen
    marked: int = 0  # segments that were ever marked lost
    delivered: int = 0  # segments that ever arrived
    marks: int = 0  # of those, how many were marked by the network, as far as echoes tell
    dsacks: int = 0  # segments that arrived twice, say D-SACKs
    reneged: bool = False  # the peer took back what it had SACKed
    # undo: was it a loss at all?
    since: int | None = None  # SND.UNA when the window was reduced (undo_marker)
    doubtful: int = 0  # retransmissions not known to be superfluous (undo_retrans); -1: none was made yet
    resent_at: int = -1  # when the first of the retransmissions was sent; -1: none
    prior_cwnd: int = 0
    prior_ssthresh: int = 0  # 0: there is nothing to go back to
    # PRR
    prr_delivered: int = 0
    prr_out: int = 0
    # F-RTO
    frto: bool = False  # the last timeout is under suspicion
    fresh: bool = False  # new data goes before retransmissions, now
    hold: bool = False  # nothing goes again before the next ACK, or a timer
    oldest: bool = False  # what is oldest goes again after a timeout, now
    # TLP
    tail: bool = False  # a probe is due, now
    tail_end: int = 0  # SND.NXT when a probe went out; 0: none is under way
    tail_again: bool = False  # it was a retransmission
    # RACK
    newest: int = 0  # which sending the newest segment was that was delivered
    newest_end: int = 0
    newest_rtt: int = 0
    advanced: bool = False  # it has changed since losses were looked for
    steps: int = 1  # the reordering window, in quarters of the least round-trip time
    persist: int = 0  # recoveries for which it stays wide
    stretched: int = 0  # `delivered` when it last became wider
    duplicated: bool = False  # a D-SACK came, and may make it wider
