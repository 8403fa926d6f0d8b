# SPDX-License-Identifier: GPL-2.0-or-later
"""The stage of a run: the world of a plan, with its history if it is to be remembered, and the moment it begins."""

from contextlib import suppress
from typing import Any

from labstack.core.config import SECOND, Config
from labstack.core.errors import StackError
from labstack.core.record import Record, Sent
from labstack.core.rng import Rng
from labstack.fuzz.broken import BrokenError
from labstack.fuzz.plan import CLOCK, HOSTS, OWN_PORT, Life, Meeting, Plan
from labstack.fuzz.voice import Caller, Descriptor, Voice, Where
from labstack.ip.family import parse_addr
from labstack.sim.history import History
from labstack.sim.wire import Wire
from labstack.sim.world import World
from labstack.stack.stack import Stack, make

DEV = 1
PILOT = 40  # events within which a SYN has arrived where nothing is lost
TRACING = "env.tracing"  # in which twins differ
ADDRESSES = {"h1": ("10.0.0.1", "fd00::1"), "h2": ("10.0.0.2", "fd00::2")}
OTHER = {"h1": "h2", "h2": "h1"}


class Stage:
    """What a trial does to a world. start: when the run begins (ns)."""

    def __init__(self, plan: Plan) -> None:
        self.world = build(plan)
        self.start = beginning(plan, self.world)

    def step(self, by: int) -> Record | None:
        """The next event, or None if none is due by then."""
        return self.world.step(by)

    def call(self, host: str, op: str, *args: Any) -> Record:
        """An application's call, as the next event."""
        self.world.call_first(host, op, *args)
        record = self.world.step()
        assert record is not None
        return record

    def do(self, verb: str, *args: Any) -> None:
        """One of World's verbs that are no events: advance, inject, rewire, suspend, trace."""
        getattr(self.world, verb)(*args)

    def awake(self, host: str) -> int:
        """When (ns) something can happen at a host again: now, unless it is suspended."""
        return max(self.world.now, self.world.asleep.get(host, 0))


class Remembered(Stage):
    """A stage whose world keeps its history, to be stepped through afterwards."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.history = History(self.world, f"seed{plan.seed}")

    def step(self, by: int) -> Record | None:
        return self.history.step_by(by)

    def call(self, host: str, op: str, *args: Any) -> Record:
        with suppress(StackError):
            self.history.now_call(host, op, *args)
        record = self.history.last
        assert record is not None
        return record

    def do(self, verb: str, *args: Any) -> None:
        getattr(self.history, verb)(*args)


class Twins(Stage):
    """Two equal worlds side by side, of which one keeps a trace: they must go the same way.

    While a trace is kept the fast path (stack/shortcut, tcp/predict) is never taken. So this proves it equal to the
    slow one, and that looking changes nothing: after every event the two hosts that it happened at are compared whole.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.twin = self.world.clone()
        self.twin.trace()

    def step(self, by: int) -> Record | None:
        return self._same(super().step(by), self.twin.step(by))

    def call(self, host: str, op: str, *args: Any) -> Record:
        self.twin.call_first(host, op, *args)
        record = super().call(host, op, *args)
        self._same(record, self.twin.step())
        return record

    def do(self, verb: str, *args: Any) -> None:
        if verb != "trace":
            super().do(verb, *args)
            getattr(self.twin, verb)(*args)

    def _same(self, ours: Record | None, theirs: Record | None) -> Record | None:
        if ours is None or theirs is None:
            if ours is not theirs:
                raise BrokenError(f"with a trace there is another event: {theirs}, and not {ours}")
            return None
        host, twin = self.world.hosts[ours.host], self.twin.hosts[ours.host]
        twin.env.tracing = False  # else they never were the same
        same = host == twin
        twin.env.tracing = True
        if not same or not _sent_alike(ours, theirs):
            differ = [
                f"{path}: {fast!r}, with a trace {slow!r}" for path, fast, slow in host.diff(twin) if path != TRACING
            ]
            raise BrokenError("with a trace it goes another way: " + ("\n  ".join(differ) or "other frames are sent"))
        return ours


def _sent_alike(ours: Record, theirs: Record) -> bool:
    return [_parts(it) for it in ours.sent] == [_parts(it) for it in theirs.sent] and ours.wakes == theirs.wakes


def _parts(sent: Sent) -> tuple[Any, ...]:
    frame = sent.frame
    return sent.flight, sent.dev, sent.fate, bytes(frame.head), frame.body, frame.gso, frame.csum


def build(plan: Plan) -> World:
    """Two hosts and a cable."""
    world = World(Rng(plan.seed))
    for name, sysctls in zip(HOSTS, plan.sysctls, strict=True):
        world.add(_host(plan, name, world.rng.bits64(), sysctls))
    world.net.cable(("h1", DEV), ("h2", DEV), _clean(plan, "h1"), _clean(plan, "h2"))
    return world


def _host(plan: Plan, name: str, seed: int, sysctls: dict[str, int]) -> Stack:
    host = make(name, seed, Config().replace(sysctls) if sysctls else None)
    host.call("link_add", "eth0", b"" if plan.bare else mac(name), plan.mtu, plan.gso, False)
    for address, bits in zip(ADDRESSES[name], (24, 64), strict=True):
        host.call("addr_add", DEV, f"{address}/{bits}", False)
    if plan.resolved and not plan.bare:
        for address in ADDRESSES[OTHER[name]]:
            host.call("neigh_add", DEV, address, mac(OTHER[name]))
    return host


def mac(name: str) -> str:
    return f"02:00:00:00:00:0{name[1:]}"


def _clean(plan: Plan, host: str) -> Wire:
    """The wire that a host has when all is calm."""
    return [change.wire for change in plan.changes if change.host == host][-1]


def voice(caller: Caller, host: str, life: Life) -> Voice:
    """How an application at a host speaks."""
    return (Descriptor if life.speech.calls else Voice)(caller, host, life.options, life.speech)


def where(meeting: Meeting, caller: str) -> Where:
    """Where a host connects to."""
    addr, lport, port = ADDRESSES[OTHER[caller]][meeting.v6], meeting.lport, meeting.port
    if meeting.both:
        lport, port = (OWN_PORT + meeting.port + 100 * HOSTS.index(name) for name in (caller, OTHER[caller]))
    return Where(addr, port, lport)


def keys(meeting: Meeting) -> dict[str, bytes]:
    """How each host finds the connection of a meeting that has a port of its own (host.flows)."""
    mine, theirs = OWN_PORT + meeting.port, meeting.port
    found = {}
    for host, lport, rport in ((meeting.caller, mine, theirs), (OTHER[meeting.caller], theirs, mine)):
        remote, local = (parse_addr(ADDRESSES[name][meeting.v6]) for name in (OTHER[host], host))
        found[host] = remote + local + rport.to_bytes(2, "big") + lport.to_bytes(2, "big")
    return found


def beginning(plan: Plan, world: World) -> int:
    """The time (ns) at which `wrap`'s first sequence number is `room` before 2^32, or any, if none is to be so.

    A pilot run over the wires without their faults says what the number would be at time 0; it goes with the clock.
    """
    first = plan.meetings[0]
    if not plan.wrap or first.both:
        return plan.turns * 37 * SECOND
    pilot = Stage.__new__(Stage)
    pilot.world = world.clone()
    callee = OTHER[first.caller]
    pilot.call(callee, "listen", first.port)
    voice(pilot, first.caller, first.lives[HOSTS.index(first.caller)]).connect(where(first, first.caller), b"")
    there = pilot.world.hosts[plan.wrap].conns
    for _ in range(PILOT):
        if there or pilot.world.step() is None:
            break
    iss = next((conn.snd.iss for conn in there.values()), 0)
    return (-plan.room - iss) % (1 << 32) * (CLOCK >> 32) + plan.turns * CLOCK
