# SPDX-License-Identifier: GPL-2.0-or-later
"""The arguments of system calls between a script and a target: one table, read to play a script, written to record one.

A row of CALLS has the kinds of a call's arguments, in C's order. A kind is one argument or a few that belong together,
such as a buffer and its length: it makes a target's arguments of a script's expressions, and the other way round. `...`
is what the run says: its family, its addresses and ports, zero bytes. What a call hands back is judged by `returned`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from labstack.packetdrill.script import ANY, Array, Braces, Expr, Field, Number, Symbol, Syscall, Text, Union
from labstack.scenario.script import messages, returned, values
from labstack.scenario.script.messages import Stamps
from labstack.scenario.script.plan import AF_INET6, Usual
from labstack.scenario.script.returned import Judge
from labstack.scenario.script.undertest import Sockets
from labstack.scenario.script.values import NULL, ValueRefusedError, bits, is_null, number, signed, size, word, wrong
from labstack.scenario.target import Result

TYPES = 15  # of a socket's type; the rest are flags
F_GETFD, F_SETFD, F_GETFL, F_SETFL = 1, 2, 3, 4
LEVELS = {0: "IP_", 1: "SO_", 6: "TCP_", 17: "UDP_", 41: "IPV6_"}
TCP_INFO = (6, 11)  # level, name
EVERYWHERE = ("", "0.0.0.0", "::")
Args = tuple[Any, ...]
Exprs = tuple[Expr, ...]


class Prepared(NamedTuple):
    """A call as a target takes it; judge: makes rows of what it handed back, expected beside actual."""

    name: str
    args: Args
    judge: Judge = returned.nothing


class Reading(NamedTuple):
    """What a script is read with; stamps: how time stamps are compared."""

    usual: Usual
    sockets: Sockets
    stamps: Stamps


class Writing(NamedTuple):
    """What a call is written with; back: what it handed back, None while it blocks."""

    usual: Usual
    back: Result | None


class Kind(NamedTuple):
    """read: makes as many arguments as it `gives` of as many expressions as it `takes`; write: the other way round.

    judge: of the expressions makes what compares what was handed back
    """

    read: Callable[..., Args]
    write: Callable[..., Exprs]
    takes: int = 1
    gives: int = 1
    judge: Callable[..., Judge] | None = None


def prepare(call: Syscall, sockets: Sockets, stamps: Stamps) -> Prepared:
    """A call of a script, ready to be made. Raises ValueRefusedError."""
    if call.name not in CALLS:
        raise ValueRefusedError("this system call is not supported")
    run, left = Reading(sockets.plan.usual, sockets, stamps), call.args
    args: list[Any] = []
    judge: Judge = returned.nothing
    for kind in CALLS[call.name]:
        mine, left = left[: kind.takes], left[kind.takes :]
        args += kind.read(run, *mine)
        judge = kind.judge(run, *mine) if kind.judge else judge
    return Prepared(call.name, tuple(args), judge)


def written(name: str, args: Args, back: Result | None, usual: Usual) -> Exprs:
    """The arguments of a call that was made, as a script has them. Raises KeyError for a call that scripts lack."""
    run, found = Writing(usual, back), list[Expr]()
    for kind in CALLS[name]:
        found += kind.write(run, *args[: kind.gives])
        args = args[kind.gives :]
    return tuple(found)


# numbers


def _word(group: str) -> Kind:
    """One number, by its name."""
    return Kind(lambda run, it: (number(it),), lambda run, n: (word(group, n),))


def _bits(group: str) -> Kind:
    """Flags."""
    return Kind(lambda run, it: (number(it),), lambda run, n=0: (bits(group, n),))


FD = Kind(lambda run, it: (run.sockets.fd(signed(it)),), lambda run, fd: (Number(fd),))
NUMBER = Kind(lambda run, it: (signed(it),), lambda run, n=0: (Number(n),))
IGNORED = Kind(lambda run, it: (), lambda run: (ANY,), gives=0)
FAMILY = Kind(
    lambda run, it: (run.usual.family if it == ANY else number(it),),
    lambda run, n: (ANY if n in (0, run.usual.family) else word("AF_", n),),
)


def _type(run: Writing, kind: int) -> Exprs:
    """A socket's type, and its flags."""
    what, flags = word("SOCK_", kind & TYPES), bits("SOCK_", kind & ~TYPES)
    if flags == values.ZERO:
        return (what,)
    return (Union((what, *(flags.parts if isinstance(flags, Union) else (flags,)))),)


TYPE = Kind(lambda run, it: (number(it),), _type)
PROTOCOL = Kind(lambda run, it: (number(it),), lambda run, n=0: (word("IPPROTO_", n) if n else values.ZERO,))


def _fcntl(run: Writing, command: int, argument: int = 0) -> Exprs:
    if command in (F_GETFD, F_GETFL):
        return (word("F_", command),)
    groups = {F_SETFD: "FD_", F_SETFL: "O_"}
    return word("F_", command), bits(groups[command], argument) if command in groups else Number(argument)


FCNTL = Kind(lambda run, command, it=values.ZERO: (number(command), number(it)), _fcntl, 2, 2)


ABSENT = Array((values.ZERO,))


def _ioctl(run: Reading, request: Expr, value: Expr = ABSENT) -> Args:
    if is_null(value):
        return number(request), None
    inner = values.only(value)
    return number(request), 0 if inner == ANY else number(inner)


def _ioctl_written(run: Writing, request: int, argument: int | None = 0) -> Exprs:
    told = run.back.data if run.back else None
    value = NULL if argument is None else Array((Number(told if isinstance(told, int) else argument),))
    return word("SIOC", request), value


def _ioctl_judge(run: Reading, request: Expr, value: Expr = NULL) -> Judge:
    return returned.nothing if is_null(value) else partial(returned.integer, values.only(value))


IOCTL = Kind(_ioctl, _ioctl_written, 2, 2, _ioctl_judge)


# addresses


def _address(expr: Expr, usual: tuple[str, int]) -> tuple[str, int] | None:
    if expr == ANY:
        return usual
    return None if is_null(expr) else values.address(expr)


def _own(run: Reading, expr: Expr) -> Args:
    return (_address(expr, (run.usual.local[0], run.usual.bind_port)),)


def _own_written(run: Writing, addr: Any) -> Exprs:
    known = addr and addr[0] in (*EVERYWHERE, *run.usual.local) and addr[1] == run.usual.bind_port
    return (ANY if known else _sockaddr(run.usual, addr),)


def remote(usual: Usual, expr: Expr) -> Any:
    """The remote end: an address, the int of a family, or None for NULL."""
    if isinstance(expr, Number | Symbol | Union) and expr != NULL:
        return number(expr)
    return _address(expr, (usual.remote, usual.connect_port))


def _remote_written(run: Writing, addr: Any = None) -> Exprs:
    return (ANY if addr == (run.usual.remote, run.usual.connect_port) else _sockaddr(run.usual, addr),)


def _sockaddr(usual: Usual, addr: Any) -> Expr:
    """An address itself, NULL, or a family alone."""
    if addr is None or isinstance(addr, int):
        return NULL if addr is None else word("AF_", addr)
    host = usual.names.get(addr[0], addr[0]) or ("::" if usual.family == AF_INET6 else "0.0.0.0")
    return values.sockaddr(host, addr[1])


def _told(run: Reading, expr: Expr) -> Judge:
    """getsockname, getpeername."""
    return returned.nothing if expr == ANY or is_null(expr) else partial(returned.address, values.address(expr))


OWN = Kind(_own, _own_written)
REMOTE = Kind(lambda run, it: (remote(run.usual, it),), _remote_written)
TOLD = IGNORED._replace(judge=_told)


# data


def _into_judge(run: Reading, buffer: Expr, length: Expr) -> Judge:
    return partial(returned.text, buffer.value) if isinstance(buffer, Text) else returned.nothing


def _sizes(vector: Expr) -> list[int]:
    return [length for _, length in values.iovec(vector)]


def _pieces(vector: Expr) -> list[bytes | None]:
    return [values.buffer(*piece) for piece in values.iovec(vector)]


def vector(sizes: list[int] | None) -> Exprs:
    """Buffers of these sizes, and how many they are."""
    return values.vector(sizes), Number(len(sizes or ()))


def _lengths(pieces: list[bytes] | None) -> list[int] | None:
    return None if pieces is None else [len(it) for it in pieces]


INTO = Kind(
    lambda run, buffer, length: (None if is_null(buffer) else size(length),),
    lambda run, n: (NULL if n is None else ANY, Number(n or 0)),
    takes=2, judge=_into_judge,
)  # fmt: skip
FROM = Kind(
    lambda run, buffer, length: (values.buffer(buffer, size(length)),),
    lambda run, data: (NULL if data is None else ANY, Number(len(data or b""))),
    takes=2,
)
INTO_MANY = Kind(lambda run, it, _: (None if is_null(it) else _sizes(it),), lambda run, it: vector(it), takes=2)
FROM_MANY = Kind(
    lambda run, it, _: (None if is_null(it) else _pieces(it),), lambda run, it: vector(_lengths(it)), takes=2
)


# messages


def _received(run: Reading, message: Expr, flags: Expr) -> Args:
    return _sizes(messages.header(message).get("msg_iov", Array(()))), number(flags)


def _received_judge(run: Reading, message: Expr, flags: Expr) -> Judge:
    given = messages.header(message)
    return partial(messages.message, given.get("msg_flags"), given.get("msg_control"), run.stamps)


def _received_written(run: Writing, sizes: list[int], flags: int = 0, room: int = 0) -> Exprs:
    fields = [Field("msg_name", ANY, (ANY,)), *_iov(sizes), *messages.written(run.back.data if run.back else None)]
    return Braces(tuple(fields)), bits("MSG_", flags)


def _sent(run: Reading, message: Expr, flags: Expr) -> Args:
    given = messages.header(message)
    control = [messages.control(it) for it in values.items(given.get("msg_control", Array(())))]
    pieces = _pieces(given.get("msg_iov", Array(())))
    return pieces, number(flags), remote(run.usual, given.get("msg_name", NULL)), control


def _sent_written(run: Writing, pieces: list[bytes], flags: int = 0, addr: Any = None, control: Any = ()) -> Exprs:
    name = [] if addr is None else [Field("msg_name", _remote_written(run, addr)[0], (ANY,))]
    fields = (*name, *_iov([len(it) for it in pieces]), *messages.controls(control))
    return Braces(fields), bits("MSG_", flags)


def _iov(sizes: list[int]) -> list[Field]:
    return [Field("msg_iov", values.vector(sizes), (Number(len(sizes)),))]


RECEIVED = Kind(_received, _received_written, 2, 3, _received_judge)
SENT = Kind(_sent, _sent_written, 2, 4)


# options


def _option(run: Reading, level: Expr, name: Expr, value: Expr, length: Expr) -> Args:
    return number(level), number(name), values.option(value, size(length))


def _option_written(run: Writing, level: int, name: int, value: bytes | None) -> Exprs:
    said = (NULL, values.ZERO) if value is None else (values.option_written(level, name, value), Number(len(value)))
    return word("SOL_", level), word(LEVELS.get(level, ""), name), *said


def _asked(run: Reading, level: Expr, name: Expr, value: Expr, length: Expr) -> Args:
    return number(level), number(name), size(values.only(length))


def _asked_written(run: Writing, level: int, name: int, room: int = 4) -> Exprs:
    told = run.back.data if run.back and run.back.result == 0 else None
    value = ANY if told is None or (level, name) == TCP_INFO else values.option_written(level, name, told)
    return word("SOL_", level), word(LEVELS.get(level, ""), name), value, Array((Number(len(told or bytes(room))),))


def _asked_judge(run: Reading, level: Expr, name: Expr, value: Expr, length: Expr) -> Judge:
    return partial(returned.option, value, size(values.only(length)))


OPTION = Kind(_option, _option_written, 4, 3)
ASKED = Kind(_asked, _asked_written, 4, 3, _asked_judge)


# waiting


def _polled(fds: Expr) -> list[dict[str, Expr]]:
    found = [(item, values.fields(item, "fd", "events", "revents")) for item in values.items(fds)]
    for item, given in found:
        if not {"fd", "events"} <= given.keys():
            raise wrong(item, "fd and events")
    return [given for _, given in found]


def _polled_written(run: Writing, fds: Any) -> Exprs:
    told = run.back.data if run.back and run.back.data else [0] * len(fds)
    asked = [
        Braces((Field("fd", Number(fd)), Field("events", bits("POLL", events)), Field("revents", bits("POLL", it))))
        for (fd, events), it in zip(fds, told, strict=True)
    ]
    return Array(tuple(asked)), Number(len(fds))


def _event(run: Reading, event: Expr) -> Args:
    asked = (values.ZERO, values.ZERO) if is_null(event) else returned.epoll_event(event)
    return tuple(0 if it == ANY else number(it) for it in asked)


def _event_written(run: Writing, events: int, data: int = 0) -> Exprs:
    return (Braces((Field("events", bits("EPOLL", events)), Field("u64", Number(data)))) if events or data else NULL,)


def _first_written(run: Writing) -> Exprs:
    return _event_written(run, *run.back.data[0]) if run.back and run.back.data else (ANY,)


POLLED = Kind(
    lambda run, fds, _: ([(run.sockets.fd(signed(it["fd"])), number(it["events"])) for it in _polled(fds)],),
    _polled_written, takes=2, judge=lambda run, fds, _: partial(returned.polled, _polled(fds)),
)  # fmt: skip
EVENT = Kind(_event, _event_written, gives=2)
FIRST = Kind(lambda run, it: (), _first_written, gives=0, judge=lambda run, it: partial(returned.first_event, it))


CALLS: dict[str, tuple[Kind, ...]] = {
    "socket": (FAMILY, TYPE, PROTOCOL),
    "bind": (FD, OWN, IGNORED),
    "connect": (FD, REMOTE, IGNORED),
    "listen": (FD, NUMBER),
    "accept": (FD, IGNORED, IGNORED),
    "accept4": (FD, IGNORED, IGNORED, _bits("SOCK_")),
    "shutdown": (FD, _word("SHUT_")),
    "close": (FD,),
    "getsockname": (FD, TOLD, IGNORED),
    "getpeername": (FD, TOLD, IGNORED),
    "read": (FD, INTO),
    "recv": (FD, INTO, _bits("MSG_")),
    "recvfrom": (FD, INTO, _bits("MSG_"), IGNORED, IGNORED),
    "readv": (FD, INTO_MANY),
    "recvmsg": (FD, RECEIVED),
    "write": (FD, FROM),
    "send": (FD, FROM, _bits("MSG_")),
    "sendto": (FD, FROM, _bits("MSG_"), REMOTE, IGNORED),
    "writev": (FD, FROM_MANY),
    "sendmsg": (FD, SENT),
    "fcntl": (FD, FCNTL),
    "ioctl": (FD, IOCTL),
    "getsockopt": (FD, ASKED),
    "setsockopt": (FD, OPTION),
    "poll": (POLLED, NUMBER),
    "epoll_create": (NUMBER,),
    "epoll_create1": (_bits("EPOLL_"),),
    "epoll_ctl": (FD, _word("EPOLL_CTL_"), FD, EVENT),
    "epoll_wait": (FD, FIRST, NUMBER, NUMBER),
}
