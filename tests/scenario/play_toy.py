# SPDX-License-Identifier: GPL-2.0-or-later
"""For tests of Python scenarios: a target that sends what it was told, and scenarios as text."""

from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest

from labstack.scenario.calls import Calls
from labstack.scenario.play.play import Play
from labstack.scenario.play.scenario import Scenario, load
from labstack.scenario.target import Packet, Result, Ticket
from labstack.scenario.verdict import Failure, Parted
from layers import IP, UDP, Ether

MS = 1_000_000
HEAD = """\
from labstack.scenario import ANY, exactly, has, lacks, near, scenario, size
from layers import ARP, ICMP, IP, TCP, UDP, Ether, Raw

@scenario({said})
def it(t):
"""
FIRST = HEAD.count("\n") + 1  # the line of the body's first statement


def udp(data: bytes, sport: int = 7, dport: int = 9) -> bytes:
    """A datagram of the host."""
    return bytes(IP(src="192.168.0.1", dst="192.168.0.2") / UDP(sport=sport, dport=dport) / data)


class Toy:
    """sends: (ms, packet) to be sent; calls: name -> Result, or (ms it blocks, Result); a second is a second."""

    epoch = 0
    fault = ""

    def __init__(self, *sends: tuple[float, bytes], name: str = "lab", link: str = "ip", **calls: Any) -> None:
        self.name, self.link = name, link
        self.sends = [Packet(round(ms * MS), data) for ms, data in sends]
        self.calls = calls
        self.now = 0
        self.got: list[bytes] = []
        self.made: list[tuple[Any, ...]] = []
        self.tickets: dict[int, tuple[int, Result]] = {}

    def call(self, name: str, *args: Any) -> Result | Ticket:
        self.made.append((name, *args))
        back = self.calls.get(name, Result(0))
        if isinstance(back, Result):
            return back
        ms, result = back
        self.tickets[len(self.tickets)] = self.now + round(ms * MS), result
        return Ticket(len(self.tickets) - 1)

    def finished(self, ticket: Ticket) -> tuple[int, Result] | None:
        at, result = self.tickets[ticket.number]
        return (at, result) if at <= self.now else None

    def inject(self, packet: bytes) -> None:
        self.got.append(packet)

    def wait(self, until: int, ticket: Ticket | None = None) -> Packet | None:
        ends = min(until, self.tickets[ticket.number][0]) if ticket else until
        if self.sends and self.sends[0].at <= ends:
            self.now = max(self.now, self.sends[0].at)
            return self.sends.pop(0)
        self.now = max(self.now, ends)
        return None

    def info(self, fd: int) -> dict[str, int]:
        return {"fd": fd}

    def sysctl(self, name: str, value: str | None = None) -> str:
        raise KeyError(f"no {name} here")

    def counters(self) -> dict[str, int]:
        return {"UdpNoPorts": self.now // MS}

    def end(self) -> None: ...


def play(*sends: tuple[float, bytes], ip: str = "ipv4", **of: Any) -> Any:
    """A play on a toy."""
    return Play(Toy(*sends, **of), ip)


def frame(packet: Any) -> bytes:
    """A frame of the host."""
    return bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / packet)


def scenarios(folder: Path, text: str) -> list[Scenario]:
    """The scenarios of a file with this text."""
    path = folder / "scenario_x.py"
    path.write_text(dedent(text))
    return load(str(path))


def one(folder: Path, body: str, said: str = "") -> Scenario:
    """The scenario with this body."""
    return scenarios(folder, HEAD.format(said=said) + indent(dedent(body), "    "))[0]


def played(folder: Path, body: str, said: str = "", ip: str = "ipv4") -> Failure | None:
    """What comes of it on a host of ours; line 1 of the failure is the body's first."""
    scenario = one(folder, body, said)
    failure = scenario.play(Calls(**scenario.needs), ip)
    return failure and failure._replace(place=failure.place._replace(line=failure.place.line - FIRST + 1))


def parted(kind: str, text: str | None = None) -> Any:
    """An error of this kind whose sentence has this text."""
    return pytest.raises(Parted, match=text, check=lambda error: error.kind == kind)
