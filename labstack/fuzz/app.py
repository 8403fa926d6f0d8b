# SPDX-License-Identifier: GPL-2.0-or-later
"""An application at one end of a connection: writes, reads, and ends it, in the way that its Life says.

It acts when its socket woke it and at no other time, some time later if it thinks slowly: a wake that the stack
forgot is a stall, which the trial finds. It compares every byte that it reads with the one that its peer wrote.
"""

from errno import EADDRINUSE, EADDRNOTAVAIL
from hashlib import shake_128

from labstack.core.errors import StackError
from labstack.core.event import CONNECTED
from labstack.core.frame import Piece
from labstack.fuzz.broken import BrokenError
from labstack.fuzz.plan import ABORTS, CLOSES, DEAFENS, DIES, LISTENS_FIRST, Life
from labstack.fuzz.routers import OPENING, Said
from labstack.fuzz.stage import ADDRESSES
from labstack.fuzz.voice import Voice, Where
from labstack.ip.family import parse_addr
from labstack.stack.calls import SHUT_RD
from labstack.stack.host import Host
from labstack.stack.syscall.sk import mapped

OWN = {host: {mapped(parse_addr(it)) for it in pair} for host, pair in ADDRESSES.items()}
POOL = memoryview(shake_128(b"labstack").digest(1 << 20))  # what is sent is a part of it, so no two bytes are alike


class App:
    """said: what it will have written in the end; told: bytes of it that the stack took; got: bytes read, or left out
    because they were urgent."""

    def __init__(self, voice: Voice, life: Life, start: int) -> None:
        self.voice, self.host, self.life = voice, voice.host, life
        self.said = POOL[start : start + life.size]
        self.peer: App = self
        self.told = self.got = self.changed = 0
        self.open = self.shut = self.ended = self.gone = False
        self.more = False  # it stopped to think, so that no wake will tell it to go on
        self.thinks = False  # it will act, and that is known
        self.reasons = 0  # why it was woken since it last acted
        self.fate = ""  # how the connection may end: see verdict
        self.trusts = True  # what arrives is from its peer
        self.deaf_until = 0  # ns
        self.error = 0  # errno that ended the connection
        self.where: Where | None = None  # it connects, and does not listen
        self.refused = 0  # errno of the router that ended its attempt to connect
        self.urgent: set[int] = set()  # bytes of `said` that were written as urgent ones
        self.places = {0}  # bytes of the peer's that it may have read: more than one where two are alike
        self.ticket = 0  # of the close() that takes its time
        self.lingers = False  # somebody waits for that

    def connect(self) -> bool:
        """Open the connection; data may go with the SYN. False: an earlier one still has the port."""
        assert self.where is not None
        try:
            self.told = self.voice.connect(self.where, self.said[: self.life.bite])
        except StackError as error:
            if error.errno not in (EADDRINUSE, EADDRNOTAVAIL):
                raise
            if self.voice.number:
                self.voice.leave("close")
            self.voice.number = 0
        return self.voice.number > 0

    def again(self) -> None:
        """It was refused, which is nobody's fault, and forgets that it ever tried."""
        voice = self.voice
        voice.number, voice.last, voice.watched = 0, 0, False
        self.told = self.error = self.refused = self.reasons = self.changed = 0
        self.open = self.gone = False

    def act(self, now: int) -> None:
        """Do what can be done now."""
        self.more = self.thinks = False
        self.open = self.open or bool(self.reasons & CONNECTED)
        self.reasons = 0
        if self.gone or self.ticket or not self.voice.number:
            return
        try:
            self._live(now)
        except StackError as error:
            if self.voice.survives(error.errno or -1):
                self.more = True
                return
            self.error = error.errno or -1
            self.leave("close")

    def _live(self, now: int) -> None:
        life = self.life
        self._hear()
        self.open = self.open or self.voice.connected()
        for after, name, value in life.whims[self.changed :]:
            if self.told + self.got < after:
                break
            self.changed += 1
            self.voice.set(name, value)
        reads = now >= self.deaf_until and life.end != DIES
        if reads:
            self._read()
        writes = life.end != LISTENS_FIRST or self.ended
        if writes:
            self._write()
        if self.open:
            self._end()
        if not self.gone and not self.more:
            self.voice.rest(reads and not self.ended, (writes and self.told < life.size) or not self.open)

    def has(self, host: Host, sock: int) -> bool:
        """Is that its connection?"""
        return host.name == self.host and not (self.gone or self.ticket) and sock == self.voice.below(host)

    def hears(self, said: Said, state: str) -> str:
        """A router has truly said something about its connection, which was in `state`. Returns what becomes of it."""
        self.voice.rumours.add(said.errno)
        if not self.life.speech.heeds:
            return "remembered"
        if state in OPENING:
            self.voice.due.append(said.entry)
            return "queued"
        if self.voice.pending(said.host) != said.errno:
            raise BrokenError(f"a router said {said.errno}, and nothing is told: {self}")
        return "told at once"

    def _hear(self) -> None:
        """The error queue has what routers have truly said, whole and in order, and nothing else. Only that a neighbour
        does not answer the host says itself."""
        said, due = [it for it in self.voice.errors() if it[-1] not in OWN[self.host]], self.voice.due
        if said != due:
            raise BrokenError(f"{self.host} read the errors {said}, and it should have been {due}")
        due.clear()

    def _end(self) -> None:
        """It has written enough, or heard enough."""
        life = self.life
        written, enough = self.told == life.size, self.told + self.got >= life.after or self.ended
        if life.end in (ABORTS, DIES):
            if enough:
                self.leave("abort" if life.end == ABORTS else "close")
        elif life.end == DEAFENS and enough and not self.ended:
            self.voice.shutdown(SHUT_RD)
            self.ended = True
        elif written and life.end == CLOSES:
            self.leave("close")
        elif written and not self.shut and (life.end != LISTENS_FIRST or self.ended):
            self.voice.shutdown()
            self.shut = True
        if self.shut and self.ended:
            self.leave("close")

    def _write(self) -> None:
        """One bite if it thinks between them, else until nothing more fits."""
        while self.told < self.life.size:
            bite, urgent = self._bite()
            more = self.life.speech.more
            sent = self.voice.send(bite, urgent, more > 0 and self.told // self.life.bite % more == 0)
            if sent is None:
                return
            self.told += sent
            if urgent:
                self.urgent.add(self.told - 1)
            if self.life.think:
                self.more = True
                return

    def _bite(self) -> tuple[Piece, bool]:
        """What it writes next, and whether the last byte of that is urgent."""
        end = self.told + self.life.bite
        for shout in self.life.speech.shouts:
            if self.told <= shout < end:
                return self.said[self.told : shout + 1], True
        return self.said[self.told : end], False

    def _read(self) -> None:
        while not self.ended and not self.gone:
            if self.life.speech.fetches:
                self._fetch()
            ahead, pieces = self.voice.peek(self.life.gulp), self.voice.take(self.life.gulp)
            if pieces is None:
                return
            piece = b"".join(pieces)
            if ahead not in (None, piece):
                raise BrokenError(f"{self.host} read {piece!r} and had seen {ahead!r} there")
            self._compare(piece)
            self.ended = not pieces
            if self.life.think:
                self.more = True
                return

    def _fetch(self) -> None:
        byte, peer = self.voice.urgent(), self.peer
        if byte and self.trusts and all(peer.said[at : at + 1] != byte for at in peer.urgent):
            raise BrokenError(f"{self.host} read {byte!r} out of band, which its peer never wrote so")

    def _compare(self, piece: bytes) -> None:
        """What was read is what the peer wrote there. A read may leave out an urgent byte at its beginning, and more of
        them if they are neighbours."""
        if not self.trusts:
            return
        peer, places = self.peer, set(self.places)
        if not self.life.options.get("oobinline"):
            for at in self.places:
                while at in peer.urgent:
                    at += 1
                    places.add(at)
        self.places = {at + len(piece) for at in places if peer.said[at : at + len(piece)] == piece}
        if not self.places:
            raise BrokenError(f"{self.host} read {len(piece)} bytes at {self.got} that its peer never wrote there")
        if min(self.places) > peer.told:
            raise BrokenError(f"{self.host} read up to {self.got}, and its peer has written {peer.told}")
        self.got = max(self.places)

    def leave(self, how: str) -> None:
        """Let the socket go: 'close' or 'abort'. A close that lingers is over later."""
        if not self.gone and not self.ticket:
            self.ticket = self.voice.leave(how)
            self.gone = not self.ticket

    def __str__(self) -> str:
        waits = [
            "" if self.open else "to be connected",
            "" if self.told == self.life.size else f"to write {self.life.size - self.told} of {self.life.size} bytes",
            "" if self.ended else f"to read (has {self.got} bytes)",
            "for its close to end" if self.ticket else "",
        ]
        return (
            f"{self.host} socket {self.voice.number} ({self.life.end}) "
            f"waits {' and '.join(filter(None, waits)) or 'no more'}"
        )
