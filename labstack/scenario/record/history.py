# SPDX-License-Identifier: GPL-2.0-or-later
"""The story of a host in the records of a run, of whichever kind: a lab's, or that of a scenario."""

import errno
from collections.abc import Iterable
from heapq import heappop, heappush
from typing import Any

from labstack.core.config import Config, understood
from labstack.core.errors import StackError
from labstack.core.event import Call, Rx
from labstack.core.frame import Frame
from labstack.core.record import Record
from labstack.ip.family import parse_addr, text
from labstack.scenario.calls import result
from labstack.scenario.record.story import Called, Changed, Crossed, Happened, Story
from labstack.scenario.target import Result
from labstack.sim.history import History

FAMILIES = {0: 0, 4: 2, 16: 10}  # bytes of an address: AF_UNSPEC (of what crosses the wire), AF_INET, AF_INET6
STREAM, DGRAM, NONBLOCK = 1, 2, 0o4000
TCP, UDP = 6, 17
SOCKET, LINGER = 1, 13  # SOL_SOCKET, SO_LINGER
RESETS = (1).to_bytes(4, "little") + bytes(4)  # linger for no time at all
OPTIONS = {"nodelay": 1, "maxseg": 2, "cork": 3}  # of IPPROTO_TCP
CALLS = {"take": "recv"} | {it: it for it in (
    "connect", "listen", "accept", "send", "recv", "shutdown", "close", "abort", "setopt", "udp", "udp_connect",
    "sendto", "recvfrom",
)}  # fmt: skip  # by which method each is told
LOOKS = ("readable", "status", "sockets", "sysctl")  # calls that change nothing, or are told elsewhere
Told = Iterable[tuple[str, tuple[Any, ...], Result]]


def of_history(history: Any, host: str) -> Story:
    """What happened to a host up to the present of a sim.History, or of what a lab on a TAP has in its place."""
    stack = history.world.hosts[host]
    teller = _Teller(stack.files.done)
    for record in history.past:
        if record.host == host:
            teller.tell(record)
    outside = [iface for iface in stack.net.ifaces.values() if iface.name != "lo"]
    return Story(
        host,
        tuple(teller.happened),
        _config(history, host),
        tuple([addr.ip for iface in outside for addr in iface.addrs]),
        outside[0].mtu if outside else 1500,
        any(type(other).__name__ == "Station" for other in history.world.hosts.values()),
        tuple(dict.fromkeys(teller.applications.left_out)),
    )


def _config(history: Any, host: str) -> Config:
    """The host's sysctls at the beginning; the present ones where there is no going back."""
    if isinstance(history, History):
        history = history.fork("record")
        history.goto(0)
    config: Config = history.world.hosts[host].env.config
    return config


class _Teller:
    """Takes in the records of one host; done: results of its calls that nobody has asked for yet."""

    def __init__(self, done: Any) -> None:
        self.happened: list[Happened] = []
        self.applications = Applications()
        self._done = done
        self._blocking: dict[int, int] = {}  # ticket: where its call stands in `happened`

    def tell(self, record: Record) -> None:
        """What one event was, and what the host sent with it."""
        event = record.event
        if isinstance(event, Rx):
            self.happened += _crossed(record.at, True, event.frame)
        elif isinstance(event, Call):
            self._called(record, event)
        for sent in record.sent:
            self.happened += _crossed(record.at, False, sent.frame)

    def _called(self, record: Record, call: Call) -> None:
        if call.op == "sys":
            self._system(record, *call.args)
        elif call.op == "sys_result":
            self._returned(call.args[0], record.result)
        elif call.op == "sysctl" and len(call.args) == 2 and not isinstance(record.result, StackError):
            self.happened += [Changed(record.at, *change) for change in understood(*call.args).items()]
        else:
            self.happened += self.applications.told(record.at, call, record.result)

    def _system(self, record: Record, name: str, *args: Any) -> None:
        back = record.result
        if isinstance(back, int):
            self._blocking[back] = len(self.happened)
            self.happened.append(Called(record.at, name, args))
            self._returned(back, self._done.get(back))
        elif not isinstance(back, StackError):  # else no C program could have made this call
            self.happened.append(Called(record.at, name, args, result(name, back)))

    def _returned(self, ticket: int, back: Any) -> None:
        at = self._blocking.get(ticket)
        if back is not None and at is not None:
            call: Any = self.happened[at]
            self.happened[at] = call._replace(back=result(call.name, back[1]), until=back[0])


def _crossed(at: int, inbound: bool, frame: Frame) -> list[Crossed]:
    return [Crossed(at, inbound, raw, frame.net) for raw in frame.cuts()]


class Applications:
    """The lab's own calls (connect, send, take, ...) of one host as the system calls that do the same, none blocking.

    They are told when they happened, with what they would have returned; left_out: what no such call does, as sentences
    """

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
        made: Told = getattr(self, CALLS[call.op])(back, *call.args)
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
        remote, (local, lport) = parse_addr(addr), (*more, b"", 0)[:2] if len(more) != 1 else (more[0], 0)
        fd = self._new(back, sock)
        yield "socket", (FAMILIES[len(remote)], STREAM | NONBLOCK, TCP), Result(fd)
        if local or lport:
            yield "bind", (fd, (_text(local, len(remote)), lport)), Result(0)
        yield "connect", (fd, (text(remote), port)), _result(back, Result(-1, errno.EINPROGRESS))

    def listen(self, back: Any, port: int, addr: Any = b"", backlog: int = 128, sock: int = 0, *_: Any) -> Told:
        yield from self._bound(back, STREAM, TCP, port, addr, sock)
        if not isinstance(back, StackError):
            yield "listen", (self._fd(back if isinstance(back, int) else sock), backlog), Result(0)

    def _bound(self, back: Any, kind: int, protocol: int, port: int, addr: Any, sock: int) -> Told:
        """A socket with an address of its own."""
        fd, size = self._new(back, sock), len(parse_addr(addr)) if addr else 0
        yield "socket", (FAMILIES[size], kind | NONBLOCK, protocol), Result(fd)
        yield "bind", (fd, (_text(addr, size), port)), _result(back, Result(0))

    def accept(self, back: Any, sock: int, as_sock: int = 0) -> Told:
        failed = isinstance(back, StackError)
        yield "accept4", (self._fd(sock), NONBLOCK), _result(back) if failed else Result(self._new(*back), 0, back[1])

    def send(self, back: Any, sock: int, data: Any, flags: int = 0) -> Told:
        more = (flags,) if flags else ()
        yield "send" if flags else "write", (self._fd(sock), bytes(data), *more), _result(back)

    def recv(self, back: Any, sock: int, most: int = 65_536) -> Told:
        yield "read", (self._fd(sock), most), _result(b"".join(back) if isinstance(back, list) else back)

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
        return self._bound(back, DGRAM, UDP, port, addr, sock)

    def udp_connect(self, back: Any, sock: int, addr: Any, port: int) -> Told:
        yield "connect", (self._fd(sock), (text(parse_addr(addr)), port)), _result(back)

    def sendto(self, back: Any, sock: int, data: Any, addr: Any = b"", port: int = 0) -> Told:
        where = (text(parse_addr(addr)), port) if addr else None
        yield "sendto", (self._fd(sock), bytes(data), 0, where), _result(back)

    def recvfrom(self, back: Any, sock: int) -> Told:
        if sock in self._fds:  # else a ping socket, which is not told
            got = None if isinstance(back, StackError) else Result(len(back[0]), 0, (bytes(back[0]), back[1]))
            yield "recvfrom", (self._fd(sock), 65_536, 0), _result(back, got)


def _text(addr: Any, size: int) -> str:
    """An address as text; "": any of the family that crosses the wire."""
    return text(parse_addr(addr)) if addr else {4: "0.0.0.0", 16: "::"}.get(size, "")


def _result(back: Any, done: Result | None = None) -> Result:
    """-1 with errno for an error; else what was done, the bytes and their number, the number itself, or 0."""
    if isinstance(back, StackError):
        return Result(-1, back.errno or errno.EIO)
    if isinstance(back, bytes | memoryview):
        return done or Result(len(back), 0, bytes(back))
    return done or Result(back if isinstance(back, int) else 0)
