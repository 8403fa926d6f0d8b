# SPDX-License-Identifier: GPL-2.0-or-later
"""A learning switch: remembers on which port a source address was seen, floods what it does not know (IEEE 802.1D §7).

The table is bounded: the address learnt longest ago makes room. Entries do not age; a station that moves is
learnt anew with its next frame.
"""

from labstack.core.frame import Frame
from labstack.core.state import State, field, state


@state
class Switch(State):
    ports: list[int] = field(default_factory=list)
    table: dict[bytes, int] = field(default_factory=dict)  # MAC -> port, learnt longest ago first
    most: int = 1024  # entries
    evicted: int = 0

    def forward(self, frame: Frame, port: int) -> list[int]:
        """The ports out of which a frame that came in at `port` leaves; none for a runt and for a local neighbour."""
        head = bytes(frame.head[frame.start : frame.start + 12])
        if len(head) < 12:
            return []
        self._learn(head[6:], port)
        out = None if head[0] & 1 else self.table.get(head[:6])
        if out is None:
            return [p for p in self.ports if p != port]
        return [out] if out != port else []

    def _learn(self, mac: bytes, port: int) -> None:
        if mac[0] & 1 or self.table.get(mac) == port:
            return
        self.table.pop(mac, None)
        if len(self.table) >= self.most:
            del self.table[next(iter(self.table))]
            self.evicted += 1
        self.table[mac] = port
