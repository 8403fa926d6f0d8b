# SPDX-License-Identifier: GPL-2.0-or-later
"""What is in flight: every segment that was sent and not yet acknowledged, in order, and what became of it.

The retransmission queue and the SACK scoreboard in one (RFC 9293 §3.8, RFC 6675 §3). A record is immutable, so that
clones of a connection share it; whatever changes, makes another one in its place. A super-segment is one record of
several segments; it is cut where an acknowledgment or a retransmission needs it. Counts are segments, Linux's packets.
"""

from bisect import bisect_right
from typing import NamedTuple

from labstack.core.named import named
from labstack.core.state import State, field, state
from labstack.tcp.delivery import Note
from labstack.tcp.segment import FIN, PSH, SYN

# what became of a segment
SACKED = 1  # the peer has it, says a SACK block
LOST = 2  # we believe that it was lost
RETRANS = 4  # it was sent again, and that is still on its way
EVER = 8  # it was sent again at some time


class Sent(NamedTuple):
    seq: int
    end: int  # SYN and FIN count
    segs: int
    marks: int
    at: int  # ns, when it was last sent
    flags: int  # of TCP: SYN, FIN, PSH
    mss: int  # of its segments
    note: Note  # for the rate sample, when it is delivered

    @property
    def size(self) -> int:
        """Bytes of data."""
        return self.end - self.seq - (self.flags >> 1 & 1) - (self.flags & 1)


@state
class Flight(State):
    queue: list[Sent] = field(default_factory=list)
    out: int = 0  # segments in the queue
    sacked: int = 0  # of those, delivered: by SACK blocks, or guessed from duplicate ACKs
    lost: int = 0
    retrans: int = 0
    top: int = 0  # end of the highest SACK block

    @property
    def now(self) -> int:
        """Segments that are under way: sent, neither delivered nor lost (RFC 6675 §4's pipe)."""
        return self.out - self.sacked - self.lost + self.retrans

    @property
    def left(self) -> int:
        """Segments that have left the network."""
        return self.sacked + self.lost

    def broken(self, una: int, nxt: int, sack: bool) -> list[str]:
        """What must be true of it, and is not."""
        if not self.queue:
            idle = una == nxt and not (self.out or self.sacked or self.lost or self.retrans)
            return [] if idle else ["nothing is in flight where the queue is empty"]
        gap = empty = both = False
        out = sacked = lost = retrans = 0
        at, found = self.queue[0].seq, []
        for seq, end, segs, marks, _, _, _, _ in self.queue:
            gap, at = gap or seq != at, end
            empty = empty or seq >= end or segs < 1
            out += segs
            if marks:
                sacked += segs if marks & SACKED else 0
                lost += segs if marks & LOST else 0
                retrans += segs if marks & RETRANS else 0
                both = both or marks & (SACKED | LOST) == SACKED | LOST
        if not self.queue[0].seq <= una <= self.queue[0].end:
            found.append("the queue begins at SND.UNA")
        if at != nxt:
            found.append("the queue ends at SND.NXT")
        if gap:
            found.append("the queue has no gap")
        if empty:
            found.append("every segment has a length")
        if self.out != out:
            found.append("all segments are counted")
        if sack and self.sacked != sacked:
            found.append("SACKed segments are counted")
        if not sack and self.sacked > max(self.out, 0):
            found.append("no more duplicate ACKs than segments")
        if self.lost != lost or self.retrans != retrans:
            found.append("lost and retransmitted ones are counted")
        if both:
            found.append("SACKed and lost")
        return found


def segments(size: int, mss: int) -> int:
    """How many segments carry so many bytes; a bare SYN or FIN is one, too."""
    return 1 if size <= mss else -(-size // mss)


def push(it: Flight, seq: int, end: int, flags: int, mss: int, now: int, note: Note) -> int:
    """A new (super-)segment has left; returns of how many segments."""
    segs = 1 if end - seq <= mss else -(-(end - seq - (flags >> 1 & 1) - (flags & 1)) // mss)
    it.queue.append(named(Sent, (seq, end, segs, 0, now, flags, mss, note)))
    it.out += segs
    return segs


def find(it: Flight, seq: int) -> int:
    """Index of the record that holds this sequence number, which must be in flight."""
    return bisect_right(it.queue, seq, key=_seq) - 1


def _seq(sent: Sent) -> int:
    return sent.seq


def mark(it: Flight, index: int, marks: int) -> None:
    """Give a record other marks; the counts follow."""
    old = it.queue[index]
    changed = old.marks ^ marks
    if not changed:
        return
    if changed & SACKED:
        it.sacked += old.segs if marks & SACKED else -old.segs
    if changed & LOST:
        it.lost += old.segs if marks & LOST else -old.segs
    if changed & RETRANS:
        it.retrans += old.segs if marks & RETRANS else -old.segs
    it.queue[index] = named(Sent, (old.seq, old.end, old.segs, marks, old.at, old.flags, old.mss, old.note))


def replace(it: Flight, first: int, stop: int, new: list[Sent]) -> None:
    """Put other records in the place of queue[first:stop]; the counts follow."""
    for sign, records in ((-1, it.queue[first:stop]), (1, new)):
        for s in records:
            segs = s.segs * sign
            it.out += segs
            if s.marks & SACKED:
                it.sacked += segs
            if s.marks & LOST:
                it.lost += segs
            if s.marks & RETRANS:
                it.retrans += segs
    it.queue[first:stop] = new


def drop(it: Flight, count: int) -> list[Sent]:
    """Take so many records from the front; the counts follow."""
    gone = it.queue[:count]
    del it.queue[:count]
    for s in gone:
        it.out -= s.segs
        if s.marks:
            it.sacked -= s.segs if s.marks & SACKED else 0
            it.lost -= s.segs if s.marks & LOST else 0
            it.retrans -= s.segs if s.marks & RETRANS else 0
    return gone


def rest(s: Sent, una: int) -> Sent:
    """What is left of a record of which all before una is acknowledged: of a segment a part does not count."""
    segs = min(segments(s.end - una - (s.flags & FIN), s.mss), s.segs)
    return Sent(una, s.end, segs, s.marks, s.at, s.flags & ~SYN, s.mss, s.note)


def cut(it: Flight, index: int, at: int, mss: int = 0) -> None:
    """Cut a record in two at a sequence number inside it. mss: of the first half, if it is no longer what it was."""
    old = it.queue[index]
    head_mss = mss or old.mss
    flags = old.flags & ~(FIN | PSH)  # PSH and FIN stay at the end
    segs = segments(at - old.seq - (old.flags >> 1 & 1), head_mss)
    head = Sent(old.seq, at, segs, old.marks, old.at, flags, head_mss, old.note)
    rest = old.flags & ~SYN
    segs = segments(old.end - at - (rest & 1), old.mss)
    tail = Sent(at, old.end, segs, old.marks, old.at, rest, old.mss, old.note)
    replace(it, index, index + 1, [head, tail])


def forget(it: Flight) -> None:
    """The connection is over: nothing is in flight any more."""
    it.queue.clear()
    it.out = it.sacked = it.lost = it.retrans = 0
