# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's sockets in a scenario: a descriptor with the calls of Python's `socket`, and calls that block.

Every call says what is expected of it: nothing (it must succeed), `returns=` a value or a condition, or `fails=` the
name of an errno. What a call hands back is its value: bytes, an address, a descriptor, or else its result.
"""

from typing import Any

from labstack.packetdrill import symbols
from labstack.scenario.play.condition import condition, shown
from labstack.scenario.target import OPENS, Result, Ticket
from labstack.scenario.verdict import Field, Parted, PlayError

Where = tuple[str, int] | int  # an address, or a port of the usual host


class Descriptor(int):
    """A descriptor of the host: a number, and the system calls with it. `expected`: returns=, fails=."""

    play: Any  # whose socket it is

    @classmethod
    def of(cls, fd: int, play: Any) -> "Descriptor":
        """The descriptor with this number."""
        new = cls(fd)
        new.play = play
        return new

    def bind(self, where: Where, **expected: Any) -> Any:
        """Bind to a port of the host, or to (address, port)."""
        return self.play.call("bind", self, self.play.address(where, self.play.ip), **expected)

    def listen(self, backlog: int = 128, **expected: Any) -> Any:
        return self.play.call("listen", self, backlog, **expected)

    def accept(self, **expected: Any) -> Any:
        """The next connection, which must be there."""
        return self.play.call("accept", self, **expected)

    def connect(self, where: Where, **expected: Any) -> Any:
        """Connect to a port of the peer, or to (address, port)."""
        return self.play.call("connect", self, self.play.address(where), **expected)

    def recv(self, n: int = 65536, flags: int = 0, **expected: Any) -> Any:
        return self.play.call("recv", self, n, flags, **expected)

    def recvfrom(self, n: int = 65536, flags: int = 0, **expected: Any) -> Any:
        """(bytes, address of the sender)."""
        return self.play.call("recvfrom", self, n, flags, **expected)

    def send(self, data: bytes, flags: int = 0, **expected: Any) -> Any:
        return self.play.call("send", self, data, flags, **expected)

    def sendto(self, data: bytes, where: Where, flags: int = 0, **expected: Any) -> Any:
        """Send to a port of the peer, or to (address, port)."""
        return self.play.call("sendto", self, data, flags, self.play.address(where), **expected)

    def shutdown(self, how: int = 1, **expected: Any) -> Any:
        """how: 0 reading, 1 writing, 2 both."""
        return self.play.call("shutdown", self, how, **expected)

    def close(self, **expected: Any) -> Any:
        return self.play.call("close", self, **expected)

    def setsockopt(self, level: int | str, name: int | str, value: int | bytes, **expected: Any) -> Any:
        """level, name: numbers, or Linux's words: "IPPROTO_TCP", "TCP_NODELAY"; value: an int, or bytes as in C."""
        raw = value if isinstance(value, bytes) else value.to_bytes(4, "little", signed=True)
        return self.play.call("setsockopt", self, number(level), number(name), raw, **expected)

    def getsockopt(self, level: int | str, name: int | str, size: int = 4, **expected: Any) -> Any:
        """The option's bytes."""
        return self.play.call("getsockopt", self, number(level), number(name), size, **expected)

    def error(self) -> str:
        """The name of the error that waits for the application (SO_ERROR, which takes it away), "" if none does."""
        return errno_name(int.from_bytes(self.getsockopt("SOL_SOCKET", "SO_ERROR"), "little"))

    def nonblocking(self) -> None:
        """No call blocks any more."""
        self.play.call("fcntl", self, number("F_SETFL"), number("O_NONBLOCK"))

    @property
    def info(self) -> dict[str, int]:
        """TCP_INFO by name."""
        info: dict[str, int] = self.play.info(self)
        return info


class Blocked:
    """A call that blocks; it must be asked for: returns(), fails(), or blocks()."""

    def __init__(self, play: Any, ticket: Ticket, name: str, args: tuple[Any, ...]) -> None:
        self.play, self.ticket, self.name, self.args = play, ticket, name, args
        self.settled = False

    def returns(self, wanted: Any = None, *, within: float | str | None = None) -> Any:
        """It returns by now (or `within` a time), with this value (None: any); the value."""
        return self._judged({"returns": wanted}, within)

    def fails(self, errno: str, *, within: float | str | None = None) -> None:
        """It fails by now (or `within` a time), with this errno."""
        self._judged({"fails": errno}, within)

    def blocks(self) -> None:
        """It still blocks, and may do so to the end."""
        found = self.play.returned(self, 0)
        self.settled = True
        if found is not None:
            raise Parted("result", f"{self} has returned, and should block", (), found[0])

    @property
    def done(self) -> bool:
        """Has it returned?"""
        return self.play.returned(self, 0) is not None

    def __str__(self) -> str:
        return said(self.name, self.args)

    def _judged(self, expected: dict[str, Any], within: float | str | None) -> Any:
        found = self.play.returned(self, within)
        self.settled = True
        if found is None:
            raise Parted("result", f"{self} still blocks")
        return judged(self.name, self.args, found[1], **expected)


def judged(name: str, args: tuple[Any, ...], back: Result, returns: Any = None, fails: str | None = None) -> Any:
    """The value of a call that did what was expected. Raises Parted otherwise, PlayError for an unknown errno."""
    call, actual = said(name, args), errno_name(back.errno)
    if fails is not None:
        number(fails)
        if back.result != -1 or back.errno != number(fails):
            got = actual or f"it returned {shown(value(name, back))}"
            fields = (Field("result", "-1", str(back.result)), Field("errno", fails, actual))
            raise Parted("errno", f"{call} should fail with {fails}: {got}", fields)
        return None
    if back.result < 0:
        raise Parted("errno", f"{call} failed with {actual}", (Field("errno", "", actual),))
    found = value(name, back)
    wanted = condition(returns)
    if returns is not None and not wanted(found):
        kind = "result" if isinstance(found, int) else "data"
        raise Parted(kind, f"{call} gave {shown(found)}", (Field(kind, wanted.words, shown(found)),))
    return found


def value(name: str, back: Result) -> Any:
    """What a call handed back: its data, if there are any; of those that make a descriptor, that."""
    return back.result if back.data is None or name in OPENS else back.data


def number(word: int | str) -> int:
    """Linux's number of a word. Raises PlayError."""
    try:
        return word if isinstance(word, int) else symbols.value(word)
    except KeyError:
        raise PlayError(f"{word!r} is no word of Linux's headers that is known here") from None


def errno_name(errno: int) -> str:
    """ "EAGAIN" for 11, "" for 0."""
    return symbols.name("errno", errno) or str(errno) if errno else ""


def said(name: str, args: tuple[Any, ...]) -> str:
    """A call as one writes it."""
    return f"{name}({', '.join(shown(int(it) if isinstance(it, Descriptor) else it) for it in args)})"
