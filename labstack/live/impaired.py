# SPDX-License-Identifier: GPL-2.0-or-later
"""Impaired: a machine whose frames go over wires with faults before they arrive, in real time.

It stands between the loop and a stack, as `up(there=..., back=...)` puts it, or, around a Repeater, between two
devices: then two kernels talk through it. The wires are those of the simulator: Loss(Delay(5 * MS), 0.02) loses and
delays.
Where they look at single frames super-segments are cut first.
"""

from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from typing import Any, Protocol

from labstack.core.event import Action, Event, Rx, Tx
from labstack.core.frame import Frame
from labstack.core.rng import Rng
from labstack.live.loop import Machine


class Way(Protocol):
    """What a wire of the simulator does: when (ns) and how a frame comes out, or its fate."""

    def carry(self, frame: Frame, at: int, rng: Rng) -> Sequence[tuple[int, Frame, str]]: ...
    def real(self) -> bool: ...


class Impaired:
    """inner: the machine; there: the way of what it sends, back: of what it gets, each by the index of an interface.

    An interface without a way is not impaired. lost: frames that did not arrive; seed: one seed, the same losses.
    """

    def __init__(self, inner: Machine, there: Mapping[int, Way], back: Mapping[int, Way], seed: int = 1) -> None:
        self.inner = inner
        self.there = there
        self.back = back
        self.rng = Rng(seed)
        self.lost = 0
        self._under_way: list[tuple[int, int, Rx | Tx]] = []  # when it arrives, a number, what
        self._sent = 0

    def handle(self, event: Event, now: int) -> Any:
        """As the machine behind, for which frames arrive later."""
        if isinstance(event, Rx) and event.dev in self.back:
            return self._carry(event, self.back[event.dev], now)
        return self.inner.handle(event, now)

    def drain(self, now: int) -> list[Action]:
        """What the machine behind does, and what of it has arrived now."""
        out: list[Action] = []
        while self._under_way and self._under_way[0][0] <= now:
            it = heappop(self._under_way)[2]
            if isinstance(it, Tx):
                out.append(it)
            else:
                self.inner.handle(it, now)
        for action in self.inner.drain(now):
            if isinstance(action, Tx) and action.dev in self.there:
                self._carry(action, self.there[action.dev], now)
            else:
                out.append(action)
        return out

    def deadline(self) -> int | None:
        """When something arrives, or the machine behind has something to do."""
        due = self.inner.deadline()
        first = self._under_way[0][0] if self._under_way else None
        return min((at for at in (due, first) if at is not None), default=None)

    def _carry(self, it: Rx | Tx, way: Way, now: int) -> None:
        frame = it.frame
        single = frame.gso is not None and way.real()
        for one in [Frame(raw, net=frame.net, sure=True) for raw in frame.cuts()] if single else [frame]:
            for at, arrived, fate in way.carry(one, now, self.rng):
                if fate:
                    self.lost += 1
                    continue
                self._sent += 1
                heappush(self._under_way, (at, self._sent, it._replace(frame=arrived)))


class Repeater:
    """A machine that passes frames on from one interface to another. pairs: {1: 2, 2: 1}"""

    def __init__(self, pairs: Mapping[int, int]) -> None:
        self.pairs = pairs
        self._out: list[Action] = []

    def handle(self, event: Event, now: int) -> None:
        if isinstance(event, Rx) and event.dev in self.pairs:
            self._out.append(Tx(self.pairs[event.dev], event.frame))

    def drain(self, now: int) -> list[Action]:
        out, self._out = self._out, []
        return out

    def deadline(self) -> None:
        return None
