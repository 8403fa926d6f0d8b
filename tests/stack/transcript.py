# SPDX-License-Identifier: GPL-2.0-or-later
"""Transcripts: system calls with their results as text, as strace shows them, to be played on any host.

    # what it shows                              a heading begins a transcript
    socket(AF_INET, SOCK_STREAM, 0) = 3
    bind(3, ("127.0.0.1", 80)) = -1 EACCES
    getsockname(3) = 0 ("127.0.0.1", p1)         what the call handed back; p1: the first ephemeral port seen
    accept(3) = ...                              it blocks, as the first that does
    sleep(1)
    ...1 = 4 ("127.0.0.1", p2)                   now the first one that blocked has returned

`python tests/stack/transcript.py FILE` plays a file on the Linux kernel and writes the results into it.
"""

import errno
import re
import select
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from linux_calls import GRACE, Linux

from labstack.core.config import SECOND
from labstack.core.event import Call, Quarantine, Tick
from labstack.stack.stack import Stack, make
from labstack.stack.syscall.data import Message

EPHEMERAL = range(32768, 61000)
NAMES = {
    name: int(value)
    for module in (socket, select)
    for name, value in vars(module).items()
    if name.isupper() and isinstance(value, int)
}
NAMES |= {
    "SOL_IPV6": 41,
    "F_GETFL": 3,
    "F_SETFL": 4,
    "F_DUPFD": 0,
    "F_GETFD": 1,
    "F_SETFD": 2,
    "O_NONBLOCK": 0o4000,
    "FIONREAD": 0x541B,
    "SIOCOUTQ": 0x5411,
    "SIOCOUTQNSD": 0x894B,
    "SIOCATMARK": 0x8905,
    "MSG_MORE": 0x8000,
    "IPPROTO_MPTCP": 262,
    "MSG_FASTOPEN": 0x20000000,
}
CALL = re.compile(r"(\w+)\((.*?)\)(?:\s+= .*)?$")


class Transcript(NamedTuple):
    title: str
    lines: tuple[str, ...]


class Runs(Protocol):
    def step(self, name: str, args: tuple[Any, ...]) -> dict[str, Any]: ...


class Ours:
    """A host of ours, on loopback alone, in virtual time."""

    def __init__(self) -> None:
        self.stack: Stack = make("ours")
        self.now = 0
        self.tickets: list[int] = []

    def step(self, name: str, args: tuple[Any, ...]) -> dict[str, Any]:
        outcome: dict[str, Any] = {"back": None, "blocked": None}
        if name == "sleep":
            self._sleep(int(args[0] * SECOND))
        else:
            back = self.stack.handle(Call("sys", (name, *args)), self.now)
            if isinstance(back, int):
                self.tickets.append(back)
                outcome["blocked"] = back
                self._sleep(int(GRACE * SECOND))
            else:
                outcome["back"] = back
        self._settle()
        if self.tickets:
            self._sleep(int(GRACE * SECOND))
        done = {ticket: self.stack.call("sys_result", ticket) for ticket in self.tickets}
        self.tickets = [ticket for ticket in self.tickets if done[ticket] is None]
        late = [(ticket, it[1]) for ticket, it in done.items() if it is not None]
        if outcome["blocked"] in dict(late):  # it only seemed so: the packets of its own did it
            back = dict(late)[outcome["blocked"]]
            late = [it for it in late if it[0] != outcome["blocked"]]
            outcome |= {"blocked": None, "back": back}
        return outcome | {"late": late}

    def _settle(self) -> None:
        """Everything that is due now."""
        actions = self.stack.drain(self.now)
        assert not [it for it in actions if isinstance(it, Quarantine)], actions
        while self.stack.deadline() == self.now:
            self.stack.handle(Tick(), self.now)
            actions = self.stack.drain(self.now)
            assert not [it for it in actions if isinstance(it, Quarantine)], actions
        self.stack.check()

    def _sleep(self, ns: int) -> None:
        end = self.now + ns
        while (due := self.stack.deadline()) is not None and due <= end:
            self.now = due
            self.stack.handle(Tick(), self.now)
            self._settle()
        self.now = end


def i32(*values: int) -> bytes:
    """ints as C lays them out."""
    return b"".join(v.to_bytes(4, "little", signed=v < 0) for v in values)


def timeval(seconds: float) -> bytes:
    return int(seconds).to_bytes(8, "little") + int(seconds % 1 * 1e6).to_bytes(8, "little")


def read(path: Path) -> list[Transcript]:
    found: list[Transcript] = []
    title, lines = "", []
    for line in [*path.read_text().splitlines(), "# "]:
        if line.startswith("#"):
            if title:
                found.append(Transcript(title, tuple(lines)))
            title, lines = line[1:].strip(), []
        elif line.strip():
            lines.append(line)
    return found


def calls(transcript: Transcript) -> Iterator[str]:
    """The calls alone, without results."""
    for line in transcript.lines:
        if not line.startswith("..."):
            found = CALL.match(line)
            assert found, line
            yield f"{found[1]}({found[2]})"


def play(host: Runs, transcript: Transcript) -> list[str]:
    """The lines as they come out on this host."""
    ports: dict[int, str] = {}
    blocked: dict[int, int] = {}
    out = []
    for call in calls(transcript):
        name, _, text = call.partition("(")
        space = {**NAMES, **{word: port for port, word in ports.items()}, "i32": i32, "timeval": timeval}
        args = eval(f"({text[:-1]},)" if text != ")" else "()", {"__builtins__": {}}, space)
        outcome = host.step(name, args)
        if name == "sleep":
            out.append(call)
        elif outcome["blocked"] is not None:
            blocked[outcome["blocked"]] = len(blocked) + 1
            out.append(f"{call} = ...")
        else:
            out.append(f"{call} = {shown(outcome['back'], ports)}")
        out += [f"...{blocked[k]} = {shown(back, ports)}" for k, back in outcome["late"]]
    return out


def shown(back: Any, ports: dict[int, str]) -> str:
    result, code, data = back
    if code:
        return f"{result} {errno.errorcode[code]}"
    return str(result) if data is None else f"{result} {word(data, ports)}"


def word(data: Any, ports: dict[int, str]) -> str:
    if isinstance(data, Message):
        return word(data[:3] if not data.control else data[:], ports)
    if isinstance(data, list | tuple):
        return "(" + ", ".join(word(it, ports) for it in data) + ")"
    if isinstance(data, bytes) and len(data) > 40:
        return f"{data[:8]!r}...{len(data)}"
    if isinstance(data, int) and data in EPHEMERAL:
        return ports.setdefault(data, f"p{len(ports) + 1}")
    return repr(data)


def rewrite(path: Path) -> None:
    """Play a file on the kernel, and keep what it says."""
    text = []
    for transcript in read(path):
        linux = Linux()
        try:
            text += [f"# {transcript.title}", *play(linux, transcript), ""]
        finally:
            linux.close()
    path.write_text("\n".join(text))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        rewrite(Path(name))
