# SPDX-License-Identifier: GPL-2.0-or-later
"""A wire that keeps what enters it, and the pcapng file of such wires.

It shows the wire's side: what was sent into it, whatever became of it. The hosts' side, with the rules behind each
frame, is in the Records of a run, and lab/capture.py writes those.
"""

from collections import deque
from collections.abc import Iterable
from typing import ClassVar

from labstack.core.frame import Frame
from labstack.core.rng import Rng
from labstack.core.state import field, state
from labstack.sim.wire import Arrival, Over
from layers import pcapng

ETHERNET, RAW = 1, 101  # link types of pcapng


@state
class Capture(Over):
    """Keeps the last `most` frames that entered, each with its time."""

    cuts: ClassVar[bool] = False
    name: str  # of the interface in the file
    most: int = 10_000
    seen: deque[tuple[int, Frame]] = field(default_factory=deque)  # ns, frame

    def carry(self, frame: Frame, at: int, rng: Rng) -> list[Arrival]:
        self.seen.append((at, frame))
        if len(self.seen) > self.most:
            self.seen.popleft()
        return self.inner.carry(frame, at, rng)


def pcap(captures: Iterable[Capture]) -> bytes:
    """The pcapng file of these wires, an interface each, in the order of time; super-segments are cut."""
    blocks, packets = [pcapng.section()], []
    for number, wire in enumerate(captures):
        bare = bool(wire.seen) and wire.seen[0][1].net == 0
        blocks.append(pcapng.interface(wire.name, RAW if bare else ETHERNET))
        packets += [(at, number, raw) for at, frame in wire.seen for raw in frame.cuts()]
    packets.sort(key=lambda packet: packet[0])
    return b"".join(blocks + [pcapng.packet(number, at, raw) for at, number, raw in packets])
