# SPDX-License-Identifier: GPL-2.0-or-later
"""Env: all that a rule may touch besides its own record.

The time, the configuration, randomness, the timer table, the counters, the trace, and the list of actions that
grows until the stack is drained. One per stack, part of its state. A rule decides and appends; it never sends,
sleeps or calls back.
"""

from collections import defaultdict
from typing import Any

from labstack.core.config import Config
from labstack.core.event import Action, Became, Note, Trace, Tx, Wake
from labstack.core.frame import Frame
from labstack.core.named import named
from labstack.core.rng import Rng
from labstack.core.state import State, field, state
from labstack.core.timers import Timers


def _zeroes() -> "defaultdict[str, int]":
    return defaultdict(int)


@state
class Env(State):
    rng: Rng
    config: Config = field(default_factory=Config)
    timers: Timers = field(default_factory=Timers)
    count: defaultdict[str, int] = field(default_factory=_zeroes)
    now: int = 0  # ns, of the event being handled
    tracing: bool = False
    trace: list[Trace] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    wakes: dict[int, int] = field(default_factory=dict)  # socket: what changed for its owner since the last drain
    memory: int = 0  # bytes that TCP's buffers take, as Linux counts them; settled once a drain
    pressed: bool = False  # that is more than net.ipv4.tcp_mem likes
    challenges: tuple[int, int] = (-1, 0)  # RFC 5961: in this second, so many more may go out
    full: tuple[int, ...] = ()  # interfaces whose queue takes nothing
    dirty: dict[int, None] = field(default_factory=dict)  # sockets that may have something to send, in order

    def note(self, rule: str, sock: int = 0, *values: Any) -> None:
        """The branch that an RFC decides was taken: say its name."""
        if self.tracing:
            self.trace.append(Note(rule, sock, values))

    def drop(self, reason: str, *values: Any) -> None:
        """A packet ends here: `reason` is 'drop.<layer>.<why>', counted and traced. Returns None, to be returned."""
        self.count[reason] += 1
        if self.tracing:
            self.trace.append(Note(reason, 0, values))

    def became(self, what: str, sock: int, old: str, new: str) -> None:
        """A record changed its state; the only caller is that record's become()."""
        if self.tracing:
            self.trace.append(Became(what, sock, old, new))

    def send(self, dev: int, frame: Frame) -> None:
        self.count["LinkOutFrames"] += 1
        self.actions.append(named(Tx, (dev, frame)))

    def wake(self, sock: int, what: int) -> None:
        """Something changed for the owner of a socket, who hears of it once, after the drain."""
        self.wakes[sock] = self.wakes.get(sock, 0) | what

    def take_actions(self) -> list[Action]:
        """What has been decided since the last time; frames first, then who is to be woken."""
        actions, self.actions = self.actions, []
        if self.wakes:
            actions += [named(Wake, it) for it in self.wakes.items()]
            self.wakes = {}
        return actions
