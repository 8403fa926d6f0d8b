# SPDX-License-Identifier: GPL-2.0-or-later
"""Two real stacks joined by an adversarial wire, and two applications with moods; virtual time, one seed, one story.

Independent of sim/, on purpose: what is judged here must not be judged by its own neighbour.
"""

import heapq
from random import Random
from typing import Any

from labstack.core.config import MS, SECOND, Config
from labstack.core.counters import unbalanced
from labstack.core.errors import StackError
from labstack.core.event import Call, Event, Quarantine, Rx, Tick, Tx
from labstack.core.frame import Frame
from labstack.stack import Stack, make

ADDRS = {4: ("10.0.0.1", "10.0.0.2"), 6: ("fd00::1", "fd00::2")}
PATIENT = {"net.ipv4.tcp_syn_retries": 30, "net.ipv4.tcp_synack_retries": 30, "net.ipv4.tcp_orphan_retries": 30}
AGAIN = 11  # EAGAIN


class Mood:
    """What the wire and the applications are like; each seed has other ones."""

    def __init__(self, rng: Random) -> None:
        def sometimes(most: float) -> float:
            return rng.choice((0, 0, most / 10, most))

        self.loss = sometimes(0.25)
        self.duplicate = sometimes(0.2)
        self.reorder = sometimes(0.5)
        self.corrupt = sometimes(0.1)
        self.delay = rng.choice((0, 1, 20, 150)) * MS
        self.until = rng.choice((2, 10, 60)) * SECOND  # then all faults stop
        self.family = rng.choice((4, 6))
        self.mtu = rng.choice((1280, 1500, 9000))
        self.gso = rng.choice((0, 65_535))
        self.options = {"rcvbuf": rng.choice((2000, 10_000, 131_072)), "sndbuf": rng.choice((3000, 1 << 20))}
        self.nodelay = rng.choice((0, 1))
        self.sizes = [rng.choice((0, 1, 1000, 20_000, 60_000)) for _ in range(2)]
        self.write, self.read = rng.choice((1, 100, 5000)), rng.choice((1, 500, 50_000))
        self.write, self.read = (max(n, max(self.sizes) // 100) for n in (self.write, self.read))
        self.lazy = rng.choice((0, 0.5, 0.9))  # how often an application does nothing when it is woken
        self.isn = rng.choice((None, (1 << 32) - rng.randrange(1, 30_000)))


class App:
    """Sends its text, reads to the end of the other's, closes."""

    def __init__(self, host: Stack, text: bytes, rng: Random, mood: Mood) -> None:
        self.host, self.text, self.rng, self.mood = host, text, rng, mood
        self.sock, self.sent, self.got = 0, 0, b""
        self.shut = self.eof = self.closed = False

    def act(self, pair: "Pair") -> None:
        if not self.sock or self.closed or self.rng.random() < self.mood.lazy:
            return
        if self.host.call("status", self.sock)["state"] == "SYN_SENT":
            return
        self._write(pair)
        self._read(pair)
        if self.shut and self.eof:
            self.closed = True
            pair.event(self.host, Call("close", (self.sock,)))

    def _write(self, pair: "Pair") -> None:
        if self.sent < len(self.text):
            size = self.rng.randrange(1, self.mood.write + 1)
            self.sent += pair.call(self.host, "send", self.sock, self.text[self.sent : self.sent + size]) or 0
        elif not self.shut:
            self.shut = True
            pair.event(self.host, Call("shutdown", (self.sock, 1)))

    def _read(self, pair: "Pair") -> None:
        data = pair.call(self.host, "recv", self.sock, self.rng.randrange(1, self.mood.read + 1))
        if data is not None:
            self.got += data
            self.eof = data == b""


class Pair:
    """h1 connects to h2; both send `mood.sizes` bytes."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        mood = self.mood = Mood(self.rng)
        self.now, self.number, self.events = 0, 0, 0
        self.flying: list[tuple[int, int, int, bytes | Frame]] = []
        self.stacks = [make(f"h{n}", seed * 2 + n, Config().replace(PATIENT)) for n in (1, 2)]
        for stack, addr in zip(self.stacks, ADDRS[mood.family], strict=True):
            stack.call("link_add", "tun0", b"", mood.mtu, mood.gso)
            stack.call("addr_add", 1, addr + ("/24" if mood.family == 4 else "/64"), False)
        self.apps = [
            App(stack, self.rng.randbytes(size), self.rng, mood)
            for stack, size in zip(self.stacks, mood.sizes, strict=True)
        ]
        options = mood.options | {"nodelay": mood.nodelay}
        self.listener = self.call(self.stacks[1], "listen", 80, b"", 5, 0, options)
        self.apps[0].sock = self.call(self.stacks[0], "connect", ADDRS[mood.family][1], 80, 0, b"", 0, 0, options)

    def call(self, host: Stack, op: str, *args: Any) -> Any:
        """The result, or None for "not yet"."""
        try:
            return self.event(host, Call(op, args))
        except StackError as error:
            if error.errno != AGAIN:
                raise
            return None

    def event(self, host: Stack, event: Event) -> Any:
        """One event, then everything that must always hold."""
        self.events += 1
        try:
            return host.handle(event, self.now)
        finally:
            host.check()
            for action in host.drain(self.now):
                assert not isinstance(action, Quarantine), action.why
                if isinstance(action, Tx):
                    self._fly(host, action.frame)
            host.check()

    def _fly(self, host: Stack, frame: Frame) -> None:
        rng, mood = self.rng, self.mood
        faulty = self.now < mood.until
        to = 1 - self.stacks.index(host)
        whole: list[bytes | Frame] = [Frame(frame.head, frame.body, frame.gso, frame.csum, frame.start, frame.net)]
        for raw in whole if rng.random() < 0.3 else frame.cuts():
            if faulty and rng.random() < mood.loss:
                continue
            for _ in range(2 if faulty and rng.random() < mood.duplicate else 1):
                at = self.now + mood.delay
                if faulty and rng.random() < mood.reorder:
                    at += rng.randrange(300 * MS)
                self.number += 1
                heapq.heappush(self.flying, (at, self.number, to, self._spoiled(raw) if faulty else raw))

    def _spoiled(self, raw: bytes | Frame) -> bytes | Frame:
        """Perhaps one bit of a copy is wrong; of two wrong ones a 16-bit sum may see nothing."""
        if not isinstance(raw, bytes) or self.rng.random() >= self.mood.corrupt:
            return raw
        broken = bytearray(raw)
        broken[self.rng.randrange(len(raw))] ^= 1 << self.rng.randrange(8)
        return bytes(broken)

    def run(self) -> None:
        """Until both applications are done."""
        while not all(app.closed for app in self.apps):
            assert self.events < 60_000, "it does not end"
            assert self.now < 20_000 * SECOND, "it takes for ever"
            self.step()
            if self.listener and not self.apps[1].sock:
                accepted = self.call(self.stacks[1], "accept", self.listener)
                if accepted is not None:
                    self.apps[1].sock = accepted[0]
            for app in self.apps:
                app.act(self)

    def step(self) -> None:
        """The next thing that happens: a frame arrives, a timer expires, or an application looks up."""
        due = [(stack.deadline(), n) for n, stack in enumerate(self.stacks)]
        timers = [(max(when, self.now), n) for when, n in due if when is not None]
        soonest = min([*(when for when, _ in timers), *(f[0] for f in self.flying[:1]), self.now + 500 * MS])
        self.now = soonest
        if self.flying and self.flying[0][0] <= soonest:
            _, _, to, raw = heapq.heappop(self.flying)
            frame = Frame(raw, net=0) if isinstance(raw, bytes) else raw
            self.event(self.stacks[to], Rx(1, frame))
            return
        for when, n in timers:
            if when <= soonest:
                self.event(self.stacks[n], Tick())

    def quiesce(self) -> None:
        """Long after all is over: nothing may be left."""
        self.event(self.stacks[1], Call("close", (self.listener,)))
        end = self.now + 400 * SECOND
        while self.now < end and (self.flying or any(s.deadline() is not None for s in self.stacks)):
            self.step()
        for stack in self.stacks:
            env = stack.env
            left = (stack.conns, stack.flows, stack.bound, stack.lingering, env.timers.at, env.dirty, env.actions)
            assert all(not it for it in left), left
            assert unbalanced(env.count) == []
