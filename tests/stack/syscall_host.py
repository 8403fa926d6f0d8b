# SPDX-License-Identifier: GPL-2.0-or-later
"""A host whose system calls are asked one by one, in virtual time."""

from typing import Any

from labstack.core.config import MS
from labstack.core.event import Call, Tick
from labstack.stack.stack import Stack, make

INET, INET6, STREAM, DGRAM, NONBLOCK = 2, 10, 1, 2, 0o4000
OOB, PEEK, TRUNC, DONTWAIT, WAITALL, MORE = 1, 2, 0x20, 0x40, 0x100, 0x8000
HOME = ("127.0.0.1", 80)


class Host:
    """A host on loopback, in virtual time, asked by system calls."""

    def __init__(self) -> None:
        self.stack: Stack = make("h")
        self.now = 0
        self.actions: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *args: self.sys(name, *args)

    def sys(self, name: str, *args: Any) -> Any:
        """What the call returns, or the ticket of one that waits."""
        back = self.stack.handle(Call("sys", (name, *args)), self.now)
        self.settle()
        return back

    def settle(self) -> None:
        self.stack.check()
        self.actions += self.stack.drain(self.now)
        self.stack.check()
        while self.stack.deadline() == self.now:
            self.stack.handle(Tick(), self.now)
            self.actions += self.stack.drain(self.now)
        self.stack.check()

    def wait(self, ms: float) -> None:
        end = self.now + int(ms * MS)
        while (due := self.stack.deadline()) is not None and due <= end:
            self.now = due
            self.stack.handle(Tick(), due)
            self.settle()
        self.now = end

    def result(self, ticket: int) -> Any:
        """When (ns) and with what it returned; None if it waits."""
        assert isinstance(ticket, int), f"it did not wait: {ticket}"
        return self.stack.call("sys_result", ticket)

    def back(self, ticket: int) -> Any:
        found = self.result(ticket)
        assert found is not None, "it still waits"
        return found[1]


def connected() -> Host:
    """3 listens, 4 is connected to 5."""
    h = Host()
    assert h.socket(INET, STREAM, 0) == (3, 0, None)
    assert h.bind(3, HOME) == h.listen(3, 5) == (0, 0, None)
    assert h.socket(INET, STREAM, 0) == (4, 0, None)
    ticket = h.connect(4, HOME)
    assert h.back(ticket) == (0, 0, None)
    assert h.accept(3)[0] == 5
    return h
