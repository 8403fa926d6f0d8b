# SPDX-License-Identifier: GPL-2.0-or-later
"""Station: the other end of the wire of a scenario. It sends what it is told, when it is told, and answers nothing.

In the world it stands where a host stands, so that every packet has a sender and a receiver in the records. What
arrives is not kept here: the records of the host under test have it.
"""

from heapq import heappop, heappush

from labstack.core.env import Env
from labstack.core.event import Action, Call, Event, Tick
from labstack.core.frame import Frame
from labstack.core.state import State, field, state

DEV = 1
TCP = 6


@state
class Station(State):
    """hlen: bytes of the link header, 14 for Ethernet and 0 for bare IP; due: a heap of what is to be sent when.

    mss: a TCP segment with more bytes of data is a super-segment of so many each; 0: every packet is itself
    """

    name: str
    env: Env
    hlen: int
    mss: int = 0
    due: list[tuple[int, int, bytes]] = field(default_factory=list)  # ns, which one, packet
    told: int = 0  # packets so far

    def handle(self, event: Event, now: int) -> None:
        """Call("inject", (packet, at)): send it at `at` (ns), now if that is over; Tick: send what is due."""
        self.env.now = now
        if isinstance(event, Call):
            packet, at = event.args
            self.told += 1
            heappush(self.due, (at, self.told, packet))
        if isinstance(event, Call | Tick):
            while self.due and self.due[0][0] <= now:
                packet = heappop(self.due)[2]
                gso = self.mss if self.mss and tcp_size(packet[self.hlen :]) > self.mss else None
                self.env.send(DEV, Frame(packet, gso=gso, net=self.hlen))

    def drain(self, now: int) -> list[Action]:
        """What it sends now."""
        return self.env.take_actions()

    def deadline(self) -> int | None:
        """When (ns) the next packet is to be sent."""
        return self.due[0][0] if self.due else None


def tcp_size(packet: bytes) -> int:
    """Bytes of data in a TCP segment without extension headers; 0 of anything else."""
    if len(packet) < 20:
        return 0
    six = packet[0] >> 4 == 6
    at = 40 if six else 4 * (packet[0] & 15)
    if packet[6 if six else 9] != TCP or len(packet) < at + 20:
        return 0
    return len(packet) - at - 4 * (packet[at + 12] >> 4)
