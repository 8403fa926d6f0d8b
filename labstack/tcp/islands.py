# SPDX-License-Identifier: GPL-2.0-or-later
"""Reassembly: pieces of the stream that arrived beyond a gap. Sorted, disjoint, joined when they touch.

The first copy of a byte wins. Finding a place costs O(log n); the number of islands is bounded by the caller.
"""

from bisect import bisect_left
from collections.abc import Iterable

from labstack.core.frame import Piece

JOIN = 2048  # bytes: neighbours are joined up to this size

Island = tuple[int, int, tuple[Piece, ...]]  # start, end, pieces


def insert(islands: list[Island], start: int, end: int, pieces: tuple[Piece, ...]) -> int:
    """Add [start, end); returns how many bytes of it were new."""
    first = bisect_left(islands, start, key=lambda i: i[1])  # the first island that reaches start
    last = first
    while last < len(islands) and islands[last][0] <= end:
        last += 1
    touched = islands[first:last]
    if len(touched) == 1 and touched[0][1] == start:  # what follows, as it mostly does
        low, _, before = touched[0]
        tail = [before[-1]]
        gather(tail, pieces)
        islands[first] = (low, end, before[:-1] + tuple(tail))
        return end - start
    out: list[Piece] = []
    at, new = start, 0
    for i_start, i_end, i_pieces in touched:
        if at < i_start:
            gather(out, cut(pieces, at - start, i_start - start))
            new += i_start - at
        gather(out, i_pieces[:1])
        out += i_pieces[1:]  # its own neighbours are joined already
        at = i_end
    if at < end:
        gather(out, cut(pieces, at - start, end - start))
        new += end - at
    low = min(start, touched[0][0]) if touched else start
    islands[first:last] = [(low, max(end, at), tuple(out))]
    return new


def end_at(islands: list[Island], end: int) -> None:
    """Forget what lies beyond end."""
    while islands and islands[-1][0] >= end:
        islands.pop()
    if islands and islands[-1][1] > end:
        start, _, pieces = islands[-1]
        islands[-1] = (start, end, tuple(cut(pieces, 0, end - start)))


def gather(out: list[Piece], pieces: Iterable[Piece]) -> None:
    """Append pieces to out, small neighbours joined: what we keep is in proportion to its bytes, however it came."""
    for piece in pieces:
        if out and len(out[-1]) + len(piece) <= JOIN:
            out[-1] = b"".join((out[-1], piece))
        else:
            out.append(piece)


def cut(pieces: tuple[Piece, ...], first: int, stop: int) -> list[Piece]:
    """Bytes [first, stop) of pieces, not copied."""
    out: list[Piece] = []
    at = 0
    for piece in pieces:
        size = len(piece)
        low, high = max(first - at, 0), min(stop - at, size)
        if low < high:
            out.append(piece if high - low == size else memoryview(piece)[low:high])
        at += size
    return out
