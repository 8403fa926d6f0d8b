# SPDX-License-Identifier: GPL-2.0-or-later
"""Net: all that lies between the hosts: a wire out of every port, and switches where more than two ports meet.

A port is (node, number): a host and the index of its interface, or a switch and the number of its socket. What
becomes of a frame is decided when it is sent, over the whole way, so that its sender's Record can tell its fate. For a
switch this means that it learns a little early: when a frame leaves for it, not when it gets there.
"""

from labstack.core.frame import Frame
from labstack.core.rng import Rng
from labstack.core.state import State, field, state
from labstack.sim.switch import Switch
from labstack.sim.wire import Arrival, Delay, Wire, cut

Port = tuple[str, int]


@state
class Net(State):
    wires: dict[Port, Wire] = field(default_factory=dict)  # by the port that sends into it
    ends: dict[Port, Port] = field(default_factory=dict)  # which port faces which, both ways
    switches: dict[str, Switch] = field(default_factory=dict)

    def cable(self, a: Port, b: Port, wire: Wire, back: Wire | None = None) -> None:
        """Connect two ports, by a clone of `wire` from a to b and of `back` (default: wire) from b to a."""
        for port, other in ((a, b), (b, a)):
            if port in self.ends:
                raise ValueError(f"port {port} has a cable already, to {self.ends[port]}")
            if port[0] in self.switches and other[0] in self.switches:
                raise ValueError(f"{a} and {b} are both switches: connect hosts to one switch")
        self.ends[a], self.ends[b] = b, a
        self.wires[a], self.wires[b] = wire.clone(), (back or wire).clone()
        for name, number in (a, b):
            if name in self.switches:
                self.switches[name].ports.append(number)

    def plug(self, port: Port, wire: Wire) -> None:
        """Connect one more port, by `wire` towards the others, to the switch; a lone cable gets one in its middle.

        The way between the others takes as long as before; the way to the new port takes no longer.
        """
        if not self.switches:
            self._divide()
        name, switch = next(iter(self.switches.items()))
        self.cable(port, (name, max(switch.ports, default=0) + 1), wire, Delay(0))

    def _divide(self) -> None:
        if len(self.ends) > 2:
            raise ValueError(f"there are {len(self.ends) // 2} cables and no switch: say with cable() what to connect")
        wires, self.wires, self.ends = self.wires, {}, {}
        self.switches["switch"] = Switch()
        for number, (port, wire) in enumerate(wires.items(), 1):
            self.cable(port, ("switch", number), wire, Delay(0))

    def real(self, frame: Frame) -> list[Frame]:
        """The frame itself, or its real frames if it is a super-segment and some wire looks at single frames."""
        if frame.gso is None or not any(wire.real() for wire in self.wires.values()):
            return [frame]
        return cut(frame)

    def carry(self, port: Port, frame: Frame, now: int, rng: Rng) -> list[tuple[Port, list[Arrival]]]:
        """Where a frame that leaves `port` now will come out: each host's port, with what arrives there or is lost."""
        end = self.ends.get(port)
        if end is None:
            return [(port, [Arrival(now, frame, "no cable")])]
        arrivals = self.wires[port].carry(frame, now, rng)
        return self._switch(end, arrivals, rng) if end[0] in self.switches else [(end, arrivals)]

    def _switch(self, end: Port, arrivals: list[Arrival], rng: Rng) -> list[tuple[Port, list[Arrival]]]:
        name, number = end
        found = []
        for arrival in arrivals:
            if arrival.fate:
                found.append((end, [arrival]))
                continue
            for other in self.switches[name].forward(arrival.frame, number):
                out = (name, other)
                found.append((self.ends[out], self.wires[out].carry(arrival.frame, arrival.at, rng)))
        return found
