# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab's own calls (connect, send, take, ...) as the system calls that do the same, on sockets that do not block.

They are told when they happened, with what they would have returned. What no system call does is left out, and said.
"""

import errno
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import Any

from labstack.core.errors import StackError
from labstack.core.event import Call
from labstack.ip.family import parse_addr, text
from labstack.scenario.record.events import Called
from labstack.scenario.target import Result

FAMILIES = {0: 0, 4: 2, 16: 10}  # bytes of an address: AF_UNSPEC (of what crosses the wire), AF_INET, AF_INET6
STREAM, DGRAM, NONBLOCK = 1, 2, 0o4000
TCP, UDP = 6, 17
SOCKET, LINGER = 1, 13  # SOL_SOCKET, SO_LINGER
RESETS = (1).to_bytes(4, "little") + bytes(4)  # linger for no time at all
OPTIONS = {"nodelay": 1, "maxseg": 2, "cork": 3}  # of IPPROTO_TCP
LOOKS = ("readable", "status", "sockets", "sysctl")  # calls that change nothing, or are told elsewhere
Told = Iterable[tuple[str, tuple[Any, ...], Result]]


class Applications:
    """The applications of one host; left_out: what they did that cannot be told, as sentences."""

    def __init__(self) -> None:
        self.left_out: list[str] = []
        self._fds: dict[int, int] = {}  # socket number of the lab: descriptor
        self._free: list[int] = []
        self._next = 3

    def told(self, at: int, call: Call, back: Any) -> list[Called]:
        """A call of the lab's as system calls; back: what it returned, or the StackError that it raised."""
        if call.op in LOOKS:
            return []
        if call.op not in CALLS:
            self.left_out.append(f"the call {call.op}, which no system call does")
            return []
        made = CALLS[call.op](self, back, *call.args)
        return [Called(at, name, args, result) for name, args, result in made]

    # descriptors

    def _fd(self, sock: int) -> int:
        """The descriptor of a socket; one that nobody has, if it is unknown."""
        return self._fds.get(sock, -1)

    def _new(self, back: Any, sock: int) -> int:
        """A descriptor for a new socket, whose number the call returned or was given."""
        if self._free:
            fd = heappop(self._free)
        else:
            fd, self._next = self._next, self._next + 1
        self._fds[back if isinstance(back, int) else sock] = fd
        return fd

    # connections

    def connect(self, back: Any, addr: Any, port: int, sock: int = 0, *more: Any) -> Told:
        remote = parse_addr(addr)
        local, lport = (*more, b"", 0)[:2] if len(more) != 1 else (more[0], 0)
        fd = self._new(back, sock)
        yield "socket", (FAMILIES[len(remote)], STREAM | NONBLOCK, TCP), Result(fd)
        if local or lport:
            yield "bind", (fd, (_text(local, len(remote)), lport)), Result(0)
        failed = isinstance(back, StackError)
        yield "connect", (fd, (text(remote), port)), _result(back) if failed else Result(-1, errno.EINPROGRESS)

    def listen(self, back: Any, port: int, addr: Any = b"", backlog: int = 128, sock: int = 0, *_: Any) -> Told:
        fd = self._new(back, sock)
        size = len(parse_addr(addr)) if addr else 0
        yield "socket", (FAMILIES[size], STREAM | NONBLOCK, TCP), Result(fd)
        failed = isinstance(back, StackError)
        yield "bind", (fd, (_text(addr, size), port)), _result(back) if failed else Result(0)
        if not failed:
            yield "listen", (fd, backlog), Result(0)

    def accept(self, back: Any, sock: int, as_sock: int = 0) -> Told:
        fd = self._fd(sock)
        if isinstance(back, StackError):
            yield "accept4", (fd, NONBLOCK), _result(back)
        else:
            yield "accept4", (fd, NONBLOCK), Result(self._new(*back), 0, back[1])

    def send(self, back: Any, sock: int, data: Any) -> Told:
        yield "write", (self._fd(sock), bytes(data)), _result(back)

    def recv(self, back: Any, sock: int, most: int = 65_536) -> Told:
        yield "read", (self._fd(sock), most), _result(back if isinstance(back, StackError) else b"".join(_pieces(back)))

    def shutdown(self, back: Any, sock: int, how: int = 1) -> Told:
        yield "shutdown", (self._fd(sock), how), _result(back)

    def close(self, back: Any, sock: int) -> Told:
        yield "close", (self._fd(sock),), _result(back)
        if sock in self._fds:
            heappush(self._free, self._fds.pop(sock))

    def abort(self, back: Any, sock: int) -> Told:
        yield "setsockopt", (self._fd(sock), SOCKET, LINGER, RESETS), Result(0)
        yield from self.close(back, sock)

    def setopt(self, back: Any, sock: int, name: str, value: int) -> Told:
        if name in OPTIONS:
            yield "setsockopt", (self._fd(sock), TCP, OPTIONS[name], value.to_bytes(4, "little")), _result(back)
        else:
            self.left_out.append(f"the option {name}")

    # datagrams

    def udp(self, back: Any, port: int = 0, addr: Any = b"", sock: int = 0) -> Told:
        fd = self._new(back, sock)
        size = len(parse_addr(addr)) if addr else 0
        yield "socket", (FAMILIES[size], DGRAM | NONBLOCK, UDP), Result(fd)
        yield "bind", (fd, (_text(addr, size), port)), _result(back) if isinstance(back, StackError) else Result(0)

    def udp_connect(self, back: Any, sock: int, addr: Any, port: int) -> Told:
        yield "connect", (self._fd(sock), (text(parse_addr(addr)), port)), _result(back)

    def sendto(self, back: Any, sock: int, data: Any, addr: Any = b"", port: int = 0) -> Told:
        where = (text(parse_addr(addr)), port) if addr else None
        yield "sendto", (self._fd(sock), bytes(data), 0, where), _result(back)

    def recvfrom(self, back: Any, sock: int) -> Told:
        if sock not in self._fds:  # a ping socket, which is not told
            return
        failed = isinstance(back, StackError)
        got = _result(back) if failed else Result(len(back[0]), 0, (bytes(back[0]), back[1]))
        yield "recvfrom", (self._fd(sock), 65_536, 0), got


def _text(addr: Any, size: int) -> str:
    """An address as text; "": any of the family that crosses the wire."""
    return text(parse_addr(addr)) if addr else {4: "0.0.0.0", 16: "::"}.get(size, "")


def _pieces(back: Any) -> list[Any]:
    return back if isinstance(back, list) else [back]


def _result(back: Any) -> Result:
    """-1 with errno for an error, the number of bytes for bytes, else the number itself, or 0."""
    if isinstance(back, StackError):
        return Result(-1, back.errno or errno.EIO)
    if isinstance(back, bytes | memoryview):
        return Result(len(back), 0, bytes(back))
    return Result(back if isinstance(back, int) else 0)


CALLS: dict[str, Callable[..., Told]] = {
    "connect": Applications.connect,
    "listen": Applications.listen,
    "accept": Applications.accept,
    "send": Applications.send,
    "take": Applications.recv,
    "recv": Applications.recv,
    "shutdown": Applications.shutdown,
    "close": Applications.close,
    "abort": Applications.abort,
    "setopt": Applications.setopt,
    "udp": Applications.udp,
    "udp_connect": Applications.udp_connect,
    "sendto": Applications.sendto,
    "recvfrom": Applications.recvfrom,
}
