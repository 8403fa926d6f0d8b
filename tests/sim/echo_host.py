# SPDX-License-Identifier: GPL-2.0-or-later
"""Toy: the smallest host that meets the contract of a stack. It makes the simulator's tests independent of TCP.

A call `say` sends a text in an Ethernet frame to a MAC; who receives a text answers with its own length, once; a
call `wait` arms a timer, which sends when it is due. Everything it does changes its state, so that undoing shows.
"""

from typing import Any

from labstack.core.env import Env
from labstack.core.errors import StackError
from labstack.core.event import Action, Call, Event, Quarantine, Rx, Tick
from labstack.core.frame import Frame
from labstack.core.rng import Rng
from labstack.core.state import State, field, state
from labstack.sim.wire import Wire
from labstack.sim.world import World

EVERYONE = b"\xff" * 6


@state
class Toy(State):
    name: str
    mac: bytes
    env: Env
    heard: list[bytes] = field(default_factory=list)

    def handle(self, event: Event, now: int) -> Any:
        self.env.now = now
        if type(event) is Rx:
            return self._hear(event.frame)
        if type(event) is Call:
            return self._called(event)
        assert type(event) is Tick
        while (key := self.env.timers.pop(now)) is not None:
            self.env.note("toy/timer", key[0])
            self._say(EVERYONE, b"timer %d" % self.env.rng.below(1000))
        return None

    def drain(self, now: int) -> list[Action]:
        return self.env.take_actions()

    def deadline(self) -> int | None:
        return self.env.timers.next()

    def _hear(self, frame: Frame) -> None:
        raw = b"".join(frame.cuts())
        self.env.count["in"] += 1
        if raw == b"trap":
            self.env.actions.append(Quarantine(Rx(1, frame), "Traceback: a trap"))
        elif raw[:6] in (self.mac, EVERYONE):
            self._heard(raw)
        else:
            self.env.drop("drop.toy.other")

    def _heard(self, raw: bytes) -> None:
        self.env.note("toy/heard", 0, raw[12:])
        self.heard.append(raw[12:])
        self.env.wake(1, 1)
        if not raw[12:].startswith(b"re:"):
            self._say(raw[6:12], b"re:%d" % len(raw))

    def _called(self, call: Call) -> Any:
        if call.op == "say":
            self._say(*call.args)
            return len(call.args[1])
        if call.op == "wait":
            self.env.timers.set(call.args, self.env.now + call.args[0])
            return None
        raise StackError(22, f"no operation {call.op!r}")

    def _say(self, to: bytes, text: bytes) -> None:
        self.env.note("toy/says", 0, text)
        self.env.send(1, Frame(to + self.mac, (text,)))


def toy(number: int) -> Toy:
    return Toy(f"h{number}", b"\x02\0\0\0\0" + bytes([number]), Env(Rng(number)))


def pair(wire: Wire, back: Wire | None = None, seed: int = 1) -> World:
    """h1 and h2 on a cable, tracing."""
    world = World(Rng(seed))
    for number in (1, 2):
        world.add(toy(number))  # type: ignore[arg-type]
    world.net.cable(("h1", 1), ("h2", 1), wire, back)
    world.trace()
    return world


H1, H2, H3 = (toy(n).mac for n in (1, 2, 3))
