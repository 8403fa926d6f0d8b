# SPDX-License-Identifier: GPL-2.0-or-later
"""Flight: which segments are on their way, kept as little as possible: only the ends of those that are not full.

Between two such ends there are full-sized segments, which arithmetic counts. A FIN behind a full-sized segment counts
as acknowledged with it.
"""

from labstack.core.state import State, field, state


@state
class Flight(State):
    mss: int  # bytes of a full segment
    head: int  # where the first segment begins
    tail: int  # where the last one ends
    ends: list[int] = field(default_factory=list)  # of segments that are not full, in order
    base: int = 0  # before here segments had another size, and all their ends are listed


def add(it: Flight, seq: int, size: int, end: int, mss: int) -> None:
    """Sequence numbers seq to end went out, size of them data, in segments of mss. Beyond the tail they are new."""
    if mss != it.mss:
        it.ends = ends(it)
        it.mss, it.base = mss, it.tail
    data = end - it.tail - (end - seq - size)
    if data % mss or not data:
        it.ends.append(end)
    it.tail = end


def passed(it: Flight, una: int) -> int:
    """Everything before una has arrived: how many segments that were. They are forgotten."""
    if una >= it.tail:
        found = count(it, una)
        it.head = it.tail = una
        it.ends.clear()
        return found
    found = 0
    while it.ends and it.ends[0] <= una:
        end = it.ends.pop(0)
        found += _listed(it, it.head, end)
        it.head = end
    if una < it.base:
        return found
    full = (una - it.head) // it.mss
    it.head += full * it.mss
    return found + full


def count(it: Flight, stop: int) -> int:
    """How many segments end before or at stop."""
    found, at, stop = 0, it.head, min(stop, it.tail)
    for end in it.ends:
        if end > stop:
            break
        found += _listed(it, at, end)
        at = end
    return found + (max(stop - at, 0) // it.mss if stop >= it.base else 0)


def _listed(it: Flight, start: int, end: int) -> int:
    """Segments from the end of one that is listed to the end of the next."""
    return 1 if end <= it.base else -(-(end - start) // it.mss)


def ends(it: Flight) -> list[int]:
    """Where every segment ends."""
    found: list[int] = []
    at = it.head
    for end in it.ends:
        if end > it.base:
            found += range(at + it.mss, end, it.mss)
        found.append(end)
        at = end
    return found + list(range(at + it.mss, it.tail + 1, it.mss))
