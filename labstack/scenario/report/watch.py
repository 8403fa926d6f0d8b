# SPDX-License-Identifier: GPL-2.0-or-later
"""Watch: a target with a notebook: it passes everything on, and writes down which calls and packets went by.

What went by can be read as Records, of a host and of the peer that the runner plays, so that ladders and captures of
a target that is not ours are made as all others are; without rules, since nobody there names them.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from labstack.core.event import Call, Rx, Tick
from labstack.core.frame import ETHER_HLEN, Frame
from labstack.core.record import Record, Sent
from labstack.scenario.target import OPENS, Packet, Result, Target, Ticket
from labstack.scenario.verdict import Passed
from labstack.sim.world import UnendingError

PEER = "peer"
DEV = 1


class Note(NamedTuple):
    """One line of the notebook; what: a Call, or the bytes of a packet with its direction."""

    at: int
    what: Call | bytes
    inbound: bool = False
    result: Any = None


class Watch:
    """A Target around another one; everything that is not here is the other's own."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.notes: list[Note] = []
        self.fds: dict[int, None] = {}
        self.parked: dict[int, tuple[str, tuple[Any, ...]]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.target, name)

    @property
    def names(self) -> tuple[str, str]:
        """The rails of its ladder."""
        return self.target.name, PEER

    # what goes by

    def call(self, name: str, *args: Any) -> Result | Ticket:
        at, back = self.target.now, self.target.call(name, *args)
        told = back.number if isinstance(back, Ticket) else tuple(back)
        self.notes.append(Note(at, Call("sys", (name, *args)), result=told))
        if isinstance(back, Ticket):
            self.parked[back.number] = name, args
        else:
            self._descriptor(name, args, back.result)
        return back

    def finished(self, ticket: Ticket) -> tuple[int, Result] | None:
        found = self.target.finished(ticket)
        if found is not None and ticket.number in self.parked:
            self._descriptor(*self.parked.pop(ticket.number), found[1].result)
        return found

    def inject(self, packet: bytes) -> None:
        self.notes.append(Note(self.target.now, packet, inbound=True))
        self.target.inject(packet)

    def wait(self, until: int, ticket: Ticket | None = None) -> Packet | None:
        packet = self.target.wait(until, ticket)
        if packet is not None:
            self.notes.append(Note(packet.at, packet.data))
        return packet

    # what the notebook says

    def drain(self) -> None:
        """Write down, too, what the host has sent already and nobody has taken."""
        with suppress(UnendingError):  # whoever played has told that, with its line
            while self.wait(self.target.now) is not None:
                pass

    def passed(self) -> tuple[Passed, ...]:
        """The packets that went by, in the order of time."""
        found = [Passed(note.at, note.inbound, note.what) for note in self.notes if isinstance(note.what, bytes)]
        return tuple(sorted(found, key=lambda passed: passed.at))

    def records(self) -> list[Record]:
        """Everything as Records, in the order of time."""
        made: list[Record] = []
        for note in sorted(self.notes, key=lambda note: note.at):
            made += self._records(note, len(made) + 1)
        return made

    def infos(self) -> dict[int, Mapping[str, int]]:
        """What the host says of each open socket that has something to say."""
        found: dict[int, Mapping[str, int]] = {}
        for fd in self.fds:
            try:
                found[fd] = self.target.info(fd)
            except (OSError, ValueError, KeyError):  # a socket that is no TCP, or gone; a host that is gone
                continue
        return {fd: info for fd, info in found.items() if any(info.values())}

    def _descriptor(self, name: str, args: tuple[Any, ...], result: int) -> None:
        if name in OPENS and result >= 0:
            self.fds[result] = None
        elif name == "close" and args:
            self.fds.pop(args[0], None)

    def _records(self, note: Note, n: int) -> list[Record]:
        host, peer = self.names
        if isinstance(note.what, Call):
            return [Record(n, note.at, host, note.what, result=note.result)]
        frame = Frame(note.what, net=0 if self.target.link == "ip" else ETHER_HLEN)
        start, end = (peer, host) if note.inbound else (host, peer)
        cause = Call("inject", (b"",)) if note.inbound else Tick()
        sent = Record(n, note.at, start, cause, sent=(Sent(n, DEV, frame),))
        return [sent, Record(n + 1, note.at, end, Rx(DEV, frame), flight=n)]
