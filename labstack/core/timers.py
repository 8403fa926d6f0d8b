# SPDX-License-Identifier: GPL-2.0-or-later
"""Timers: one table of deadlines for a whole stack. Set, stop, next; no callbacks.

A key is a tuple whose first element says what kind of timer it is and who handles it (an int of `kinds.py`),
then whose it is. `at` is the truth. The heap only finds the soonest deadline quickly: moving a deadline later
costs one dictionary store, because an entry that comes up too early is pushed back then (lazy re-arming).
"""

from collections.abc import Iterable
from heapq import heappop, heappush
from typing import Any

from labstack.core.state import State, field, state

Key = tuple[Any, ...]


@state
class Timers(State):
    at: dict[Key, int] = field(default_factory=dict)  # ns
    heap: list[tuple[int, Key]] = field(default_factory=list, compare=False)
    queued: dict[Key, int] = field(default_factory=dict, compare=False)  # the soonest heap entry of each key

    def set(self, key: Key, deadline: int) -> None:
        """Arm key for deadline (ns), replacing what was armed."""
        self.at[key] = deadline
        queued = self.queued.get(key)
        if queued is None or deadline < queued:
            self.queued[key] = deadline
            heappush(self.heap, (deadline, key))
            if len(self.heap) > 64 + 4 * len(self.at):
                self._compact()

    def _compact(self) -> None:
        """Forget what was stopped long ago: the heap stays in proportion to what is armed."""
        self.heap = sorted((deadline, key) for key, deadline in self.at.items())
        self.queued = dict(self.at)

    def stop(self, key: Key) -> None:
        """Disarm key; nothing happens if it is not armed."""
        self.at.pop(key, None)

    def silence(self, kinds: Iterable[int], owner: Any) -> None:
        """Disarm whatever is armed of these kinds, whose keys are (kind, owner)."""
        for kind in kinds:
            self.at.pop((kind, owner), None)

    def armed(self, key: Key) -> bool:
        return key in self.at

    def next(self) -> int | None:
        """The soonest deadline (ns), or None."""
        while self.heap:
            when, key = self.heap[0]
            due = self.at.get(key)
            if due == when:
                return when
            heappop(self.heap)
            if self.queued.get(key) == when:
                del self.queued[key]
                if due is not None:
                    self.set(key, due)
        return None

    def pop(self, now: int) -> Key | None:
        """Take out the next timer that is due at now, or None."""
        due = self.next()
        if due is None or due > now:
            return None
        _, key = heappop(self.heap)
        del self.at[key]
        if self.queued.get(key) == due:
            del self.queued[key]
        return key
