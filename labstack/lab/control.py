# SPDX-License-Identifier: GPL-2.0-or-later
"""lab.wire: what the wire does to frames. Each change wraps the wires of sim.wire, from now on, and can be undone."""

from collections.abc import Callable, Iterable
from typing import Any

from labstack.lab.errors import LabError
from labstack.lab.tables import span
from labstack.lab.units import nanoseconds, rate
from labstack.lab.view import Line, Span, View
from labstack.sim import wire
from layers import Ether

Match = Callable[[Any], Any]


class WireControl(View):
    """The wires of a memory lab: one leaves each host. `only` names the hosts whose wires a change is for."""

    def __init__(self, history: Any) -> None:
        self.history = history

    def delay(self, time: str | float, only: str = "") -> "WireControl":
        """Frames take so long from now on ('20ms'); whatever else the wire did, it stops doing."""
        return self._each(only, lambda old: wire.Delay(nanoseconds(time)))

    def loss(self, chance: float, only: str = "") -> "WireControl":
        """Lose each frame with this probability, 0..1."""
        return self._each(only, lambda old: wire.Loss(old, chance))

    def rate(self, bits: int | str, queue: int = 100, only: str = "") -> "WireControl":
        """So many bits a second, as 1_000_000 or "1mbit"; `queue` frames may wait."""
        return self._each(only, lambda old: wire.Rate(old, rate(bits), queue))

    def mark(self, bits: int | str, above: int = 5, queue: int = 100, only: str = "") -> "WireControl":
        """The same, and what finds `above` frames or more in the queue is marked with CE, if it is ECN capable."""
        return self._each(only, lambda old: wire.Mark(old, rate(bits), queue, above=above))

    def police(self, bits: int | str, burst: int = 15_000, only: str = "") -> "WireControl":
        """So many bits a second pass, and `burst` bytes at once; the rest is dropped, nothing waits."""
        return self._each(only, lambda old: wire.Police(old, rate(bits), burst))

    def duplicate(self, chance: float, only: str = "") -> "WireControl":
        """Each frame arrives twice with this probability."""
        return self._each(only, lambda old: wire.Duplicate(old, chance))

    def reorder(self, chance: float, by: str | float = "15ms", only: str = "") -> "WireControl":
        """Hold each frame back for so long with this probability."""
        return self._each(only, lambda old: wire.Reorder(old, chance, nanoseconds(by)))

    def corrupt(self, chance: float, only: str = "") -> "WireControl":
        """Damage each frame with this probability."""
        return self._each(only, lambda old: wire.Corrupt(old, chance))

    def lose(self, *which: int, only: str = "") -> "WireControl":
        """Lose exactly the frames with these numbers, counted from now, on each wire: 1 is the next one."""
        return self._each(only, lambda old: wire.Exactly(old, which))

    def drop(self, match: Match, count: int = 1, only: str = "") -> "WireControl":
        """Drop the next `count` frames for which match(packet) is true; packet is ours, such as Ether()/IP()/TCP().

        If match raises, the rule switches itself off, and the verb that let it happen says so.
        """
        if not callable(match) or isinstance(match, type):
            kind = getattr(match, "__name__", "TCP")
            raise LabError(f"drop: expected a function of a packet, as in lab.wire.drop(lambda pkt: {kind} in pkt)")
        lost = wire.Lost("drop rule")
        return self._each(only, lambda old: wire.Rule(old, lambda raw: match(Ether(raw)), lost, count))

    def _each(self, only: str, change: Callable[[wire.Wire], wire.Wire]) -> "WireControl":
        wires = self.history.world.net.wires
        ports = [port for port in wires if (port[0] == only if only else port[0] in self.history.world.hosts)]
        if not ports:
            known = ", ".join(sorted({name for name, _ in wires})) or "none here"
            raise LabError(f"no wire leaves {only!r}; wires leave: {known}")
        try:
            for port in ports:
                self.history.rewire(port, change(wires[port]))
        except ValueError as error:
            raise LabError(str(error)) from None
        return self

    def lines(self, width: int) -> Iterable[Line]:
        for (name, _), there in self.history.world.net.wires.items():
            yield [Span(f"{name}: ", "host"), Span(words(there))]
        for fault in faults(self.history.world):
            yield [Span(fault, "bad")]


# what each wire does, in words; one that is not here says its name
SAYS: dict[type, Callable[[Any], str]] = {
    wire.Delay: lambda it: f"delay {span(it.ns)}" + (f" and up to {span(it.jitter)} more" if it.jitter else ""),
    wire.Rate: lambda it: f"rate {it.bits} bit/s, queue {it.queue}",
    wire.Mark: lambda it: f"rate {it.bits} bit/s, queue {it.queue}, mark above {it.above}",
    wire.Police: lambda it: f"police {it.bits} bit/s, burst {it.burst}",
    wire.Loss: lambda it: f"loss {it.chance * 100:g} %",
    wire.Exactly: lambda it: f"lose {', '.join(f'#{n}' for n in it.which)} ({it.seen} seen)",
    wire.Rule: lambda it: f"{getattr(it.then, 'why', 'rule')} ({f'{it.left} left' if it.left >= 0 else 'always'})",
    wire.Duplicate: lambda it: f"duplicate {it.chance * 100:g} %",
    wire.Reorder: lambda it: f"reorder {it.chance * 100:g} % by {span(it.by)}",
    wire.Corrupt: lambda it: f"corrupt {it.chance * 100:g} %",
}


def words(there: wire.Wire) -> str:
    """What a wire does, and those in it, the innermost first: 'delay 10ms; drop rule (1 left)'."""
    inner = getattr(there, "inner", None)
    say = SAYS.get(type(there), lambda it: type(it).__name__.lower())
    return (f"{words(inner)}; " if inner is not None else "") + say(there)


def faults(world: Any) -> list[str]:
    """A line for each drop rule that has switched itself off, because its function raised."""
    found = []
    for (name, _), wires in world.net.wires.items() if hasattr(world, "net") else ():
        there = wires
        while there is not None:
            if fault := getattr(there, "fault", ""):
                found.append(f"✗ drop on the wire from {name}: the function raised, and the rule is off now: {fault}")
            there = getattr(there, "inner", None)
    return found
