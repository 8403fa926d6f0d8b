# SPDX-License-Identifier: GPL-2.0-or-later
"""Outbox: what the application gave us to send, as immutable pieces with absolute sequence numbers.

Appending and acknowledging cost O(1) per piece, slicing O(log n); no payload byte is copied but those of small writes,
when they are joined or cut. Retransmissions are slices of the same pieces.
"""

from bisect import bisect_right

from labstack.core.frame import Piece
from labstack.core.state import State, field, state

JOIN = 2048  # bytes: a write is joined to an unsent last piece up to this size; a larger one is a memoryview
MAX_PIECES = 64  # in one segment, well below writev's limit


@state
class Outbox(State):
    start: int  # sequence number of the first byte held
    end: int  # one behind the last
    pieces: list[Piece] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)  # sequence number behind each piece
    head: int = 0  # pieces before this one are acknowledged, and gone at the next compaction
    stops: list[int] = field(default_factory=list)  # where a segment is to end, and to be pushed: see stop_after

    def __len__(self) -> int:
        return self.end - self.start

    def append(self, data: Piece, unsent: int) -> None:
        """Add data at the end; unsent: the first sequence number never sent, behind which pieces may be joined."""
        last = len(self.pieces) - 1
        if last >= self.head and len(data) + len(self.pieces[last]) <= JOIN and self.ends[last] > unsent:
            self.pieces[last] = bytes(self.pieces[last]) + data
            self.ends[last] += len(data)
        else:
            self.pieces.append(data if len(data) <= JOIN else memoryview(data))
            self.ends.append(self.end + len(data))
        self.end += len(data)

    def stop(self, at: int) -> None:
        """No segment may hold bytes on both sides of `at`: the application's wish (MSG_EOR), or what its memory is."""
        if not self.stops or self.stops[-1] < at:
            self.stops.append(at)

    def stop_after(self, seq: int) -> int:
        """Where a segment that begins at seq must end at the latest."""
        at = bisect_right(self.stops, seq)
        return self.stops[at] if at < len(self.stops) else self.end

    def drop_before(self, seq: int) -> None:
        """Forget everything before seq: it was acknowledged."""
        if seq <= self.start:
            return
        self.start = seq if seq < self.end else self.end
        if self.stops:
            del self.stops[: bisect_right(self.stops, seq)]
        head, ends = self.head, self.ends
        while head < len(ends) and ends[head] <= seq:
            self.pieces[head] = b""
            head += 1
        if head > 64 and head * 2 > len(ends):
            del self.pieces[:head], ends[:head]
            head = 0
        self.head = head

    def slice(self, seq: int, size: int) -> tuple[Piece, ...]:
        """At most size bytes from seq on, as pieces; fewer when they lie in more than MAX_PIECES pieces."""
        stop = seq + size
        if stop > self.end:
            stop = self.end
        if seq >= stop:
            return ()
        at = bisect_right(self.ends, seq, lo=self.head)
        end = self.ends[at]
        if stop <= end:
            piece = self.pieces[at]
            first = seq - end + len(piece)
            return (piece[first : first + stop - seq] if first or stop < end else piece,)
        out: list[Piece] = []
        while seq < stop and len(out) < MAX_PIECES:
            piece, end = self.pieces[at], self.ends[at]
            first = len(piece) - (end - seq)
            if first or end > stop:
                piece = piece[first : first + stop - seq]
            out.append(piece)
            seq = end
            at += 1
        return tuple(out)
