# SPDX-License-Identifier: GPL-2.0-or-later
"""A target for tests of the runner: it sends and returns what it was told, and notes what was done to it when."""

from collections.abc import Callable
from typing import Any

from labstack.packetdrill.parser import parse
from labstack.packetdrill.script import Packet, Script, Tcp
from labstack.scenario.packets import segments
from labstack.scenario.packets.flow import Flow
from labstack.scenario.script import runner
from labstack.scenario.settings import Settings
from labstack.scenario.target import Packet as Sent
from labstack.scenario.target import Result, Ticket
from labstack.scenario.verdict import Failure

LOCAL, REMOTE = bytes((192, 168, 0, 1)), bytes((192, 0, 2, 1))
PORT, THEIRS = 8080, 40_001
MS = 1_000_000


def line(text: str) -> Packet:
    """The packet of one line of a script."""
    [event] = parse(f"0 < {text}").events
    assert isinstance(event.action, Packet)
    return event.action


def from_host(text: str, theirs: int = THEIRS, isn: int = 1000, peer: int = 0) -> bytes:
    """A packet that the host sends, written as the script would; its initial number on the wire is `isn`."""
    flow = Flow(REMOTE, theirs, LOCAL, PORT, local_isn=peer, remote_isn=isn)
    packet, body = line(text), line(text).body
    if isinstance(body, Tcp) and "S" in body.flags:
        packet = packet._replace(body=body._replace(seq=body.seq + isn))
    return segments.build(packet, flow)


class Toy:
    """sends: (ns, packet) to be sent; calls: name -> what it returns, a Result or (ns it blocks, Result)."""

    name = "lab"
    link = "ip"
    epoch = 0
    tick = 0
    fault = ""
    takes = 0  # ns that a call takes

    def __init__(self, *sends: tuple[int, bytes], start: int = 0, **calls: Any) -> None:
        self.sends, self.now, self.calls = sorted(sends, key=lambda it: it[0]), start, calls
        self.done: list[tuple[int, Any]] = []  # (ns, what was done)
        self.returns: list[tuple[int, Result]] = []
        self.infos: dict[str, int] = {}
        self.react: Callable[[bytes], list[tuple[int, bytes]]] = lambda packet: []

    def call(self, name: str, *args: Any) -> Result | Ticket:
        self.done.append((self.now, (name, *args)))
        self.now += self.takes
        back = self.calls.get(name, Result(0))
        if isinstance(back, list):
            back = back.pop(0)
        if isinstance(back, Result):
            return back
        self.returns.append((self.now + back[0], back[1]))
        return Ticket(len(self.returns))

    def finished(self, ticket: Ticket) -> tuple[int, Result] | None:
        at, back = self.returns[ticket.number - 1]
        return (at, back) if at <= self.now else None

    def inject(self, packet: bytes) -> None:
        self.done.append((self.now, packet))
        self.sends = sorted([*self.sends, *self.react(packet)], key=lambda it: it[0])

    def wait(self, until: int, ticket: Ticket | None = None) -> Sent | None:
        due = self.returns[ticket.number - 1][0] if ticket else until + 1
        if self.sends and self.sends[0][0] <= min(until, due):
            at, packet = self.sends.pop(0)
            self.now = max(self.now, at)
            return Sent(at, packet)
        self.now = max(self.now, min(until, due))
        return None

    def info(self, fd: int) -> dict[str, int]:
        self.done.append((self.now, ("info", fd)))
        return self.infos

    def sysctl(self, name: str, value: str | None = None) -> str:
        raise KeyError(name)

    def counters(self) -> dict[str, int]:
        return {}

    def end(self) -> None:
        self.done.append((self.now, "end"))

    def times(self, what: str | type) -> list[int]:
        """When (ns) a call of this name was made, or packets (bytes) injected."""
        return [at for at, it in self.done if (isinstance(it, bytes) if what is bytes else it[0] == what)]


def script(text: str) -> Script:
    return parse(text, "toy.pkt")


def play(text: str, toy: Toy, **settings: Any) -> Failure | None:
    """Play a script on a toy; the profile is that of nobody."""
    return runner.play(script(text), toy, Settings(profile="none", **settings))
