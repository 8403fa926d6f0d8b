# SPDX-License-Identifier: GPL-2.0-or-later
"""Two small applications on a live stack, made of its callbacks: one takes a stream, the other gives one.

Both tell by SHA-256 what went through. They run in the loop's thread; `wait` is for the thread that wants the result.
"""

import hashlib
from abc import ABC, abstractmethod
from errno import EAGAIN
from threading import Event
from typing import Any

from labstack.core.errors import StackError
from labstack.core.event import ACCEPTABLE

PIECE = 1 << 20


class Stream(ABC):
    """What both have: the host (live.LiveHost), a socket, a SHA-256, and an end that one can wait for."""

    def __init__(self, host: Any) -> None:
        self.host = host
        self.digest = hashlib.sha256()
        self.answer = b""
        self.error = ""
        self.ended = Event()

    def wait(self, seconds: float) -> None:
        """Wait for the end. Raises OSError if it does not come, or if the connection died."""
        if not self.ended.wait(seconds):
            raise OSError(f"the transfer did not end within {seconds:g} s")
        if self.error:
            raise OSError(self.error)

    def on_wake(self, sock: int, what: int) -> None:
        """Something happened to the socket: go on until the stack says "not now"."""
        try:
            self.go_on(sock)
        except StackError as error:
            if error.errno != EAGAIN:
                self.error = str(error)
                self.ended.set()

    @abstractmethod
    def go_on(self, sock: int) -> None:
        """Do what can be done now; StackError EAGAIN ends it until the next wake."""


class Taker(Stream):
    """Listens on a port, takes one stream to its end, answers with its SHA-256 and closes."""

    def __init__(self, host: Any, port: int) -> None:
        super().__init__(host)
        self.listener = host.call("listen", port)
        host.on(self.listener, self.on_accept)

    def on_accept(self, sock: int, what: int) -> None:
        """A connection is there."""
        if what & ACCEPTABLE and not self.ended.is_set():
            taken, _ = self.host.call("accept", sock)
            self.host.on(taken, self.on_wake)
            self.on_wake(taken, 0)

    def go_on(self, sock: int) -> None:
        while pieces := self.host.call("take", sock, PIECE):
            for piece in pieces:
                self.digest.update(piece)
        self.host.call("send", sock, self.digest.hexdigest().encode())
        self.host.on(sock, None)
        self.host.call("close", sock)
        self.host.call("close", self.listener)
        self.ended.set()


class Giver(Stream):
    """Connects, sends `data`, closes its half, and keeps what the peer answers."""

    def __init__(self, host: Any, addr: str, port: int, data: bytes) -> None:
        super().__init__(host)
        self.digest.update(data)
        self.left = memoryview(data)
        self.closed = False
        host.loop.ask(self._begin, addr, port)

    def _begin(self, addr: str, port: int) -> None:
        self.host.on(self.host.call("connect", addr, port), self.on_wake)

    def go_on(self, sock: int) -> None:
        while self.left:
            self.left = self.left[self.host.call("send", sock, self.left[:PIECE]) :]
        if not self.closed:
            self.closed = True
            self.host.call("shutdown", sock, 1)
        while piece := self.host.call("recv", sock):
            self.answer += piece
        self.host.on(sock, None)
        self.host.call("close", sock)
        self.ended.set()
