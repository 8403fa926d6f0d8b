# SPDX-License-Identifier: GPL-2.0-or-later
"""One boundary per event, tried on every handler: each function that a session runs through fails once, in turn.

Two real stacks, ours in a live loop on a clock of the test's own, the peer behind a device in memory. Whatever fails
costs that event or that connection and a counter; the loop turns on, and the host still answers.
"""

import os
import sys
from collections import deque
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import Any

import pytest

from labstack.core.errors import StackError
from labstack.core.event import Call, Rx, Tick, Tx
from labstack.core.frame import Frame
from labstack.live.device import Device
from labstack.live.loop import Loop
from labstack.stack import Stack, make

MS = 1_000_000
OURS = ("10.0.0.1", "fd00::1")
THEIRS = ("10.0.0.2", "fd00::2")
FOLDERS = ("labstack.link", "labstack.ip", "labstack.tcp", "labstack.udp", "labstack.stack")


class Memory(Device):
    """A device whose other end is a stack."""

    __slots__ = ("clock", "peer", "queue", "within")

    def __init__(self, peer: Stack, clock: list[int]) -> None:
        reader, writer = os.pipe()
        os.close(writer)  # at its end, and so ready, for ever
        super().__init__(reader, "mem0", "ether", bytes(6), 1500, 0)
        self.peer = peer
        self.clock = clock
        self.queue: deque[Frame] = deque()
        self.within = [False]  # are we in our own stack?

    def read(self) -> Frame | None:
        return self.queue.popleft() if self.queue else None

    def write(self, frame: Frame) -> None:
        self.at_peer(Rx(1, frame))

    def at_peer(self, event: Any) -> Any:
        """Let the peer handle an event; what it sends waits for us."""
        before, self.within[0] = self.within[0], False
        try:
            return self.peer.handle(event, self.clock[0])
        finally:
            for action in self.peer.drain(self.clock[0]):
                if isinstance(action, Tx):
                    self.queue.append(action.frame)
            self.within[0] = before


def host(name: str, mac: str, addresses: tuple[str, ...]) -> Stack:
    stack = make(name, seed=7)
    stack.call("link_add", "mem0", mac)
    for address in addresses:
        stack.call("addr_add", 1, address + ("/64" if ":" in address else "/24"), False)
    return stack


class Session:
    """ARP, ND, ping, UDP, a refused and an accepted connection each way, data, closes, time; IPv4 and IPv6."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = [1_000 * MS]
        monkeypatch.setattr("labstack.live.loop.monotonic_ns", lambda: self.clock[0])
        self.device = Memory(host("peer", "02:00:00:00:00:02", THEIRS), self.clock)
        self.ours = host("ours", "02:00:00:00:00:01", OURS)
        self.loop = Loop(self.ours)
        self.loop.attach(1, self.device)

    def run(self) -> None:
        for mine, its in zip(OURS, THEIRS, strict=True):
            self.try_(self.ping_and_datagrams, mine, its)
            self.try_(self.streams, mine, its)
        self.settle(3_000)

    def try_(self, part: Callable[[str, str], None], mine: str, its: str) -> None:
        try:
            part(mine, its)
        except StackError:
            self.settle()  # a call failed inside, and said so

    def ping_and_datagrams(self, mine: str, its: str) -> None:
        self.call("ping", its)
        self.settle()
        self.peer("ping", mine)
        self.settle()
        sock = self.call("udp", 0)
        self.call("sendto", sock, b"to nobody", its, 9)
        self.peer("sendto", self.peer("udp"), b"to nobody", mine, 9)
        self.settle()
        self.call("close", sock)

    def streams(self, mine: str, its: str) -> None:
        self.call("connect", its, 9)
        self.settle()
        there = self.peer("listen", 80, its)
        sock = self.call("connect", its, 80)
        self.settle()
        self.talk(sock, self.peer("accept", there)[0])
        here = self.call("listen", 80, mine)
        other = self.peer("connect", mine, 80)
        self.settle()
        self.talk(self.call("accept", here)[0], other)
        self.call("close", here)

    def talk(self, sock: int, other: int) -> None:
        self.call("send", sock, b"x" * 5000)
        self.settle()
        self.peer("recv", other)
        self.peer("send", other, b"y" * 5000)
        self.settle(100)
        self.call("recv", sock)
        self.call("close", sock)
        self.settle()
        self.peer("close", other)
        self.settle(100)

    def call(self, op: str, *args: Any) -> Any:
        self.device.within[0] = True
        try:
            return self.loop.call(op, *args)
        finally:
            self.device.within[0] = False

    def peer(self, op: str, *args: Any) -> Any:
        return self.device.at_peer(Call(op, args))

    def settle(self, ms: int = 5) -> None:
        """Turn until nothing is under way, then let time pass, with the timers of both."""
        for _ in range(20):
            self.turn()
            if not self.device.queue:
                break
        for _ in range(min(ms, 40)):
            self.clock[0] += ms * MS // min(ms, 40)
            self.device.at_peer(Tick())
            self.turn()

    def turn(self) -> None:
        self.loop._more = True  # no waiting: the clock is ours
        self.device.within[0] = True
        self.loop.turn()
        self.device.within[0] = False

    def close(self) -> None:
        self.loop.close()
        self.device.close()


def functions() -> Iterator[tuple[str, FunctionType]]:
    """Every function and method of the floors that a frame, a timer or a call passes through."""
    for name, module in sorted(sys.modules.items()):
        if name.startswith(FOLDERS) and isinstance(module, ModuleType):
            for owner in (module, *(c for c in vars(module).values() if isinstance(c, type))):
                for key, value in vars(owner).items():
                    if isinstance(value, FunctionType) and value.__module__ == name and not key.startswith("__"):
                        yield f"{name}.{value.__qualname__}", value


def reached(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The functions that our stack runs through in a session."""
    names = {function.__code__: name for name, function in functions()}
    seen: dict[str, None] = {}
    session = Session(monkeypatch)

    def profile(frame: Any, event: str, _: Any) -> None:
        if event == "call" and session.device.within[0] and frame.f_code in names:
            seen[names[frame.f_code]] = None

    sys.setprofile(profile)
    session.run()
    sys.setprofile(None)
    session.close()
    return list(seen)


# The boundary itself, and what stands outside of it: nothing that a frame contains can make these fail.
BOUNDARY = (
    "Stack.handle",
    "Stack.drain",
    "Stack.deadline",
    "Stack._call",
    "Stack._tick",
    "Stack._flush",
    "Stack._guarded",
)


def replace(monkeypatch: pytest.MonkeyPatch, old: FunctionType, new: Callable[..., Any]) -> None:
    """Put new in the place of a function wherever it is known: modules, classes, and tables of functions."""
    for name, module in list(sys.modules.items()):
        if not name.startswith("labstack."):
            continue
        for owner in (module, *(c for c in vars(module).values() if isinstance(c, type))):
            for key, value in list(vars(owner).items()):
                if not key.startswith("__") and (other := swapped(value, old, new)) is not value:
                    monkeypatch.setattr(owner, key, other)


def swapped(value: Any, old: FunctionType, new: Callable[..., Any]) -> Any:
    """The value itself, or, if it is the old function or a table with it, another with the new one."""
    if value is old:
        return new
    if type(value) is dict:
        items = {key: swapped(item, old, new) for key, item in value.items()}
        return items if any(items[key] is not value[key] for key in items) else value
    if isinstance(value, (tuple, list)):
        found = [swapped(item, old, new) for item in value]
        if all(a is b for a, b in zip(found, value, strict=True)):
            return value
        return value._make(found) if hasattr(value, "_make") else type(value)(found)
    return value


def failing_once(function: FunctionType, session: Session, fired: list[bool]) -> Callable[..., Any]:
    """The function, but for the first time that our own stack calls it."""

    def fail(*args: Any, **named: Any) -> Any:
        if session.device.within[0] and not fired:
            fired.append(True)
            raise RuntimeError("injected")
        return function(*args, **named)

    return fail


def test_each_handler_may_fail_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Costs one event or one connection, is counted, leaves evidence; afterwards the host answers as before."""
    known = dict(functions())
    tried = [name for name in reached(monkeypatch) if not name.endswith(BOUNDARY)]
    assert len(tried) > 100
    problems = []
    for name in tried:
        with monkeypatch.context() as patch:
            session = Session(patch)
            fired: list[bool] = []
            replace(patch, known[name], failing_once(known[name], session, fired))
            session.run()
            problems += [f"{name}: {trouble}" for trouble in troubles(session, fired)]
            session.close()
    assert not problems, "\n".join(problems)


def troubles(session: Session, fired: list[bool]) -> list[str]:
    count = session.ours.env.count
    found = []
    contained = sum(n for key, n in count.items() if key.startswith("Contained"))
    if not fired:
        found.append("was never called")
    elif contained != 1 or session.loop.count["quarantined"] != 1:
        found.append(f"{contained} contained, {session.loop.count}")
    faults = {key: n for key, n in session.loop.count.items() if key.startswith("fault")}
    if faults:
        found.append(f"passed the stack's own boundary: {faults}")
    for address in OURS:
        before = session.device.peer.env.count["Icmp6InMsgs" if ":" in address else "IcmpInMsgs"]
        session.settle(10_000)
        session.peer("ping", address)
        session.settle()
        if session.device.peer.env.count["Icmp6InMsgs" if ":" in address else "IcmpInMsgs"] == before:
            found.append(f"{address} answers no more")
    try:
        session.ours.check()
    except AssertionError as error:
        found.append(f"check: {error}")
    return found
