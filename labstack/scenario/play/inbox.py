# SPDX-License-Identifier: GPL-2.0-or-later
"""What a host sent and no line of the scenario has asked for yet, in the order of its leaving.

Packets wait here while the scenario does something else, so none is lost and none passes unseen: at the end there must
be none left.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from labstack.scenario.play.neighbours import Neighbours
from labstack.scenario.play.pattern import Pattern, read
from labstack.scenario.target import Target, Ticket


class Arrived(NamedTuple):
    """A packet that the host sent at `at` (ns on the target's clock)."""

    at: int
    packet: Any


Mine = Callable[[Any], bool]


class Inbox:
    """ignore: what is passed over, as patterns; neighbours: who deals with ARP and ND before anybody sees them."""

    def __init__(self, target: Target, ignore: Sequence[Any], neighbours: Neighbours | None) -> None:
        self.target = target
        self.ignore = [Pattern(it) for it in ignore]
        self.neighbours = neighbours
        self.kept: list[Arrived] = []

    def next(self, until: int, ticket: Ticket | None = None, mine: Mine | None = None) -> Arrived | None:
        """The first packet (of those that are `mine`) that nobody took; None if there is none by `until` (ns), or
        if `ticket` returned first."""
        for i, arrived in enumerate(self.kept):
            if mine is None or mine(arrived.packet):
                return self.kept.pop(i)
        while (arrived_now := self._arrive(until, ticket)) is not None:
            if mine is None or mine(arrived_now.packet):
                return arrived_now
            self.kept.append(arrived_now)
        return None

    def wait(self, until: int, ticket: Ticket | None = None) -> None:
        """Let time pass up to `until` (ns), or until `ticket` has returned; what comes is kept."""
        while (arrived := self._arrive(until, ticket)) is not None:
            self.kept.append(arrived)

    def _arrive(self, until: int, ticket: Ticket | None) -> Arrived | None:
        """The next packet that the scenario may see."""
        while (sent := self.target.wait(until, ticket)) is not None:
            packet = read(sent.data, self.target.link)
            if self.neighbours is not None:
                taken, answer = self.neighbours.takes(packet)
                if answer:
                    self.target.inject(answer)
                if taken:
                    continue
            if not any(it.matches(packet) for it in self.ignore):
                return Arrived(sent.at, packet)
        return None
