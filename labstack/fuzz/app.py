# SPDX-License-Identifier: GPL-2.0-or-later
"""An application at one end of a connection: writes, reads, and ends it, in the way that its Life says.

It acts when its socket woke it and at no other time, some time later if it thinks slowly: a wake that the stack
forgot is a stall, which the trial finds. It compares every byte that it reads with the one that its peer wrote.
"""

from errno import EAGAIN
from hashlib import shake_128
from typing import Any, Protocol

from labstack.core.errors import StackError
from labstack.core.event import CONNECTED
from labstack.core.record import Record
from labstack.fuzz.plan import ABORTS, CLOSES, DIES, LISTENS_FIRST, Life
from labstack.sim.world import outcome
from labstack.stack.calls import SHUT_WR

POOL = memoryview(shake_128(b"labstack").digest(1 << 20))  # what is sent is a part of it, so no two bytes are alike


class BrokenError(AssertionError):
    """Something that must hold does not."""


class Stage(Protocol):
    """What an application needs of the trial."""

    def call(self, host: str, op: str, *args: Any) -> Record: ...


class App:
    """said: what it will have written in the end; told: bytes of it that the stack took; got: bytes read."""

    def __init__(self, stage: Stage, host: str, life: Life, start: int) -> None:
        self.stage, self.host, self.life = stage, host, life
        self.said = POOL[start : start + life.size]
        self.peer: App = self
        self.sock = self.told = self.got = 0
        self.open = self.shut = self.ended = self.gone = False
        self.more = False  # it stopped to think, so that no wake will tell it to go on
        self.thinks = False  # it will act, and that is known
        self.reasons = 0  # why it was woken since it last acted
        self.fragile = False  # the connection may end without anybody's fault
        self.deaf_until = 0  # ns
        self.error = 0  # errno that ended the connection

    def call(self, op: str, *args: Any) -> Any:
        """A call on its socket; None for "not yet"."""
        record = self.stage.call(self.host, op, self.sock, *args)
        if isinstance(record.result, StackError) and record.result.errno == EAGAIN:
            return None
        return outcome(record)

    def act(self, now: int) -> None:
        """Do what can be done now."""
        self.more = self.thinks = False
        self.open = self.open or bool(self.reasons & CONNECTED)
        self.reasons = 0
        if self.gone or not self.sock:
            return
        try:
            self._live(now)
        except StackError as error:
            self.error = error.errno or -1
            self.leave("close")

    def _live(self, now: int) -> None:
        life = self.life
        if now >= self.deaf_until and life.end != DIES:
            self._read()
        if life.end != LISTENS_FIRST or self.ended:
            self._write()
        if not self.open or self.gone:
            return
        if life.end in (ABORTS, DIES):
            if self.told + self.got >= life.after or self.ended:
                self.leave("abort" if life.end == ABORTS else "close")
        elif self.told == life.size and life.end == CLOSES:
            self.leave("close")
        elif self.told == life.size and not self.shut and (life.end != LISTENS_FIRST or self.ended):
            self.call("shutdown", SHUT_WR)
            self.shut = True
        if self.shut and self.ended:
            self.leave("close")

    def _write(self) -> None:
        """One bite if it thinks between them, else until nothing more fits."""
        while self.told < self.life.size:
            sent = self.call("send", self.said[self.told : self.told + self.life.bite])
            if sent is None:
                return
            self.told += sent
            if self.life.think:
                self.more = True
                return

    def _read(self) -> None:
        while not self.ended and not self.gone:
            pieces = self.call("take", self.life.gulp)
            if pieces is None:
                return
            self.ended = not pieces
            for piece in pieces:
                self._compare(piece)
            if self.life.think:
                self.more = True
                return

    def _compare(self, piece: bytes | memoryview) -> None:
        end = self.got + len(piece)
        if self.peer.said[self.got : end] != piece:
            raise BrokenError(f"{self.host} read {len(piece)} bytes at {self.got} that its peer never wrote there")
        if end > self.peer.told:
            raise BrokenError(f"{self.host} read up to {end}, and its peer has written {self.peer.told}")
        self.got = end

    def leave(self, how: str) -> None:
        """Let the socket go: 'close' or 'abort'."""
        if not self.gone:
            self.gone = True
            self.call(how)

    def __str__(self) -> str:
        waits = [
            "" if self.open else "to be connected",
            "" if self.told == self.life.size else f"to write {self.life.size - self.told} of {self.life.size} bytes",
            "" if self.ended else f"to read (has {self.got} bytes)",
        ]
        return (
            f"{self.host} socket {self.sock} ({self.life.end}) waits {' and '.join(filter(None, waits)) or 'no more'}"
        )
