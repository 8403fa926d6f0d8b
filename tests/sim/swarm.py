# SPDX-License-Identifier: GPL-2.0-or-later
"""One seed, one world: a random wire, two random applications that talk both ways, and what must hold after each event.

`play(seed)` returns the number of events, or raises AssertionError naming what did not hold. While faults last, only
safety is judged; at a random moment they stop, and then everything must come to its end and leave nothing behind.
"""

from errno import EAGAIN
from hashlib import shake_128
from typing import Any

from labstack.core import kinds
from labstack.core.config import MS, SECOND
from labstack.core.counters import unbalanced
from labstack.core.errors import StackError
from labstack.core.record import Record
from labstack.core.rng import Rng
from labstack.sim.lan import lan
from labstack.sim.wire import Blackhole, Bursts, Corrupt, Delay, Duplicate, Loss, Rate, Reorder, Wire
from labstack.sim.world import World, outcome
from layers.checksum import checksum, ones_sum

WITHIN = 600 * SECOND  # after the last fault (the retransmission timer may be at its 120 s)
REST = 300 * SECOND  # after the last close


def wire(rng: Rng) -> Wire:
    """Every fault is fully on or fully off."""
    it: Wire = Delay(rng.below(50) * MS, jitter=rng.below(2) * rng.below(20) * MS)
    if rng.chance(0.3):
        it = Rate(it, 500_000 + rng.below(20_000_000), queue=rng.below(50))
    for make in (
        lambda w: Loss(w, rng.below(30) / 100),
        lambda w: Bursts(w, 0.02, 0.3),
        lambda w: Reorder(w, rng.below(50) / 100, (1 + rng.below(60)) * MS),
        lambda w: Duplicate(w, rng.below(20) / 100),
        lambda w: Corrupt(w, rng.below(5) / 100),
        lambda w: Blackhole(w, rng.below(5) * SECOND, (5 + rng.below(5)) * SECOND),
    ):
        if rng.chance(0.35):
            it = make(it)  # type: ignore[no-untyped-call]
    return it


class App:
    """One end of the connection: writes `todo`, reads what comes, closes when both streams are over."""

    def __init__(self, world: World, host: str, rng: Rng, judge: "Judge") -> None:
        self.world, self.host, self.rng, self.judge = world, host, rng, judge
        self.sock = 0
        self.todo = shake_128(rng.bits64().to_bytes(8, "big")).digest(rng.below(25_000))
        self.said, self.got = self.todo, bytearray()
        self.bite = (1, 100, 5000, 1 << 20)[rng.below(4)]
        self.lazy = rng.below(3) / 3
        self.shut = self.ended = self.closed = False

    def call(self, op: str, *args: Any) -> Any:
        self.world.call_first(self.host, op, *args)
        record = self.world.step()
        assert record
        self.judge.after(self.world, record)
        if isinstance(record.result, StackError) and record.result.errno == EAGAIN:
            return None
        return outcome(record)

    def turn(self) -> None:
        if not self.sock or self.closed or self.rng.chance(self.lazy):
            return
        if self.world.hosts[self.host].conns[self.sock].state == "SYN_SENT":
            return  # closing now would delete the connection (RFC 9293 §3.10.4)
        if self.todo:
            self.todo = self.todo[self.call("send", self.sock, self.todo[: self.bite * 64]) or 0 :]
        elif not self.shut:
            self.call("shutdown", self.sock)
            self.shut = True
        while (
            not self.ended and (data := self.call("recv", self.sock, max(self.bite, len(self.got) // 50))) is not None
        ):
            self.got += data
            self.ended = not data
            if self.rng.chance(0.05):
                break
        if self.shut and self.ended:
            self.call("close", self.sock)
            self.closed = True


class Judge:
    """What must hold after every event."""

    def __init__(self) -> None:
        self.seen: dict[tuple[str, int], tuple[int, int, int]] = {}

    def after(self, world: World, record: Record) -> None:
        assert not record.fault, record.fault
        host = world.hosts[record.host]
        host.check()
        armed = host.env.timers.at
        for sock, conn in host.conns.items():
            if conn.state in ("CLOSED", "LISTEN"):
                continue
            now = (conn.snd.una, conn.rcv.nxt, conn.rcv.edge)
            before = self.seen.get((record.host, sock), now)
            assert all(b <= n for b, n in zip(before, now, strict=True)), f"{sock}: went back from {before} to {now}"
            self.seen[record.host, sock] = now
            if conn.snd.nxt > conn.snd.una and sock not in host.env.dirty:
                alive = (kinds.TCP_RETRANSMIT, sock) in armed or (kinds.TCP_PERSIST, sock) in armed
                assert alive, f"{record.n}: {sock} in {conn.state} has data in flight and no timer"
        for sent in record.sent:
            for raw in sent.frame.cuts():
                intact(raw)


def intact(raw: bytes) -> None:
    """Every length and checksum of a frame that we send is right."""
    kind, at, proto = raw[12:14], 34, raw[23]
    if kind == b"\x08\x00":
        assert int.from_bytes(raw[16:18], "big") == len(raw) - 14
        assert checksum(raw[14:34]) == 0
        addresses = raw[26:34]
    elif kind == b"\x86\xdd":
        at, proto, addresses = 54, raw[20], raw[22:54]
        assert int.from_bytes(raw[18:20], "big") == len(raw) - 54
    else:
        return
    if proto == 6:
        assert checksum(raw[at:], ones_sum(addresses, proto + len(raw) - at)) == 0


def play(seed: int) -> int:
    """Play one seed; returns the number of its events."""
    rng = Rng(seed)
    world = lan(seed=seed, wire=wire(rng), gso=65_535 * rng.below(2))
    world.rewire(("h2", 1), wire(rng))
    judge = Judge()
    apps = [App(world, host, rng, judge) for host in ("h1", "h2")]
    options = {"rcvbuf": 512 << rng.below(10), "nodelay": rng.below(2)}
    listener = world.now_call("h2", "listen", 80, b"", 5, 0, options if rng.chance(0.5) else {})
    addr = ("10.0.0.2", "fd00::2")[rng.below(2)]
    apps[0].sock = world.now_call("h1", "connect", addr, 80, 0, b"", 0, 0, options if rng.chance(0.5) else {})
    calm = rng.below(20) * SECOND
    while not all(app.closed for app in apps):
        if world.now >= calm and calm >= 0:
            world.rewire(("h1", 1), Delay())
            world.rewire(("h2", 1), Delay())
            apps[0].lazy = apps[1].lazy = 0
            end, calm = world.now + WITHIN, -1
        assert calm >= 0 or world.now < end, (
            f"{world.now / SECOND} s: no end in sight: {[_state(world, app) for app in apps]}"
        )
        if not apps[1].sock and (found := apps[1].call("accept", listener)):
            apps[1].sock = found[0]
        for app in apps:
            app.turn()
        until = world.now + (1 + rng.below(100)) * MS
        while (record := world.step(until)) is not None:
            judge.after(world, record)
        world.advance(until)
        for ours, theirs in (apps, apps[::-1]):
            assert ours.said.startswith(theirs.got), "what was received is not what was sent"
    assert [app.said for app in apps] == [bytes(app.got) for app in apps[::-1]]
    world.now_call("h2", "close", listener)
    world.run(world.now + REST)
    for host in world.hosts.values():
        assert (host.conns, host.flows, host.bound) == ({}, {}, {})
        assert not [key for key in host.env.timers.at if key[0] >= kinds.TCP_RETRANSMIT]
        assert unbalanced(host.env.count) == []
    return world.n


def _state(world: World, app: App) -> Any:
    conn = world.hosts[app.host].conns.get(app.sock)
    return (
        app.host,
        len(app.todo),
        len(app.got),
        app.shut,
        app.ended,
        conn and world.hosts[app.host].call("status", app.sock),
    )
