# SPDX-License-Identifier: GPL-2.0-or-later
"""A system call that was made, as a script says it: the reverse of `arguments`, one function for each call.

`...` stands for what every run says itself: its family, its addresses and ports, zero bytes.
"""

from collections.abc import Callable
from struct import calcsize, unpack, unpack_from
from typing import Any, NamedTuple

from labstack.packetdrill import symbols
from labstack.packetdrill.script import ANY, Apply, Array, Braces, Expr, Field, Number, Symbol, Syscall, Text, Union
from labstack.scenario.record.events import Called
from labstack.scenario.script.messages import ERROR, ERROR_LAYOUT
from labstack.scenario.target import Message

NULL = Symbol("NULL")
TYPES = 15  # of a socket's type; the rest are flags
AF_INET, AF_INET6 = 2, 10
LEVELS = {0: "IP_", 1: "SO_", 6: "TCP_", 17: "UDP_", 41: "IPV6_"}
LINGER, INFO, WORDS = (1, 13), (6, 11), ((6, 13), (6, 31))  # (level, name); WORDS: their values are text
RECVERR = ((0, 11), (41, 25))
F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL = range(5)
DEL = 2  # of epoll_ctl
QUERIES = frozenset({"getsockname"})  # of which a script has no need


class Usual(NamedTuple):
    """What `...` stands for: a family; own addresses as text; the remote end's, and the ports that are in use."""

    family: int
    local: frozenset[str]
    remote: str
    bind_port: int
    connect_port: int
    names: dict[str, str]  # addresses as the script is to have them, where it has to name them


def syscall(call: Called, usual: Usual, end: int | None) -> Syscall:
    """The call in a script; end: when it returned, if it blocked. Raises KeyError for a call that scripts lack."""
    args, result = ARGUMENTS[call.name](usual, call, *call.args), call.back
    if result is None:
        return Syscall(call.name, args, Number(0), end=end)
    errno = symbols.name("errno", result.errno) if result.errno else None
    return Syscall(call.name, args, Number(result.result), errno if errno and errno[0] == "E" else None, end=end)


Args = tuple[Expr, ...]


def _bits(group: str, value: int) -> Expr:
    """Flags as symbols: MSG_PEEK|MSG_DONTWAIT; 0 for none."""
    words = symbols.flags(group, value).split("|")
    parts = tuple(Number(int(word, 0), 16 if word[:2] == "0x" else 10) if word[0].isdigit() else Symbol(word)
                  for word in words)  # fmt: skip
    return parts[0] if len(parts) == 1 else Union(parts)


def _name(group: str, value: int) -> Expr:
    """One number as a symbol, if there is one."""
    word = symbols.name(group, value) if group in symbols.GROUPS else ""
    return Symbol(word) if word[:1].isalpha() else Number(value)


# addresses


def _address(usual: Usual, addr: Any, own: bool) -> Expr:
    """`...` for the usual address and port, NULL, a family alone, or the address itself."""
    if addr is None:
        return NULL
    if isinstance(addr, int):
        return _name("AF_", addr)
    host, port = addr[0], addr[1]
    if own and host in ("", "0.0.0.0", "::", *usual.local) and port == usual.bind_port:
        return ANY
    if not own and host == usual.remote and port == usual.connect_port:
        return ANY
    host = usual.names.get(host, host) or ("::" if usual.family == AF_INET6 else "0.0.0.0")
    six = ":" in host
    middle = "sin6" if six else "sin"
    return Braces((
        Field("sa_family", Symbol("AF_INET6" if six else "AF_INET")),
        Field(f"{middle}_port", Apply("htons", (Number(port),))),
        Field(f"{middle}_addr", Apply("inet6_addr" if six else "inet_addr", (Text(host.encode()),))),
    ))  # fmt: skip


def _socket(usual: Usual, _: Called, family: int, kind: int, protocol: int) -> Args:
    flags = kind & ~TYPES
    what = _name("SOCK_", kind & TYPES)
    told = _bits("SOCK_", flags)
    more = told.parts if isinstance(told, Union) else (told,)
    return (
        ANY if family in (0, usual.family) else _name("AF_", family),
        Union((what, *more)) if flags else what,
        _name("IPPROTO_", protocol) if protocol else Number(0),
    )


def _bind(usual: Usual, _: Called, fd: int, addr: Any) -> Args:
    return Number(fd), _address(usual, addr, True), ANY


def _connect(usual: Usual, _: Called, fd: int, addr: Any) -> Args:
    return Number(fd), _address(usual, addr, False), ANY


def _accept(_: Usual, __: Called, fd: int, *flags: int) -> Args:
    return Number(fd), ANY, ANY, *(_bits("SOCK_", it) for it in flags)


def _named(_: Usual, __: Called, fd: int) -> Args:
    return Number(fd), ANY, ANY


def _numbers(_: Usual, __: Called, *numbers: int) -> Args:
    return tuple(Number(it) for it in numbers)


def _shutdown(_: Usual, __: Called, fd: int, how: int) -> Args:
    return Number(fd), _name("SHUT_", how)


# data


def _read(_: Usual, __: Called, fd: int, n: int | None, *flags: int) -> Args:
    return Number(fd), NULL if n is None else ANY, Number(n or 0), *(_bits("MSG_", it) for it in flags)


def _recvfrom(usual: Usual, call: Called, fd: int, n: int | None, flags: int = 0) -> Args:
    return *_read(usual, call, fd, n, flags), ANY, ANY


def _readv(_: Usual, __: Called, fd: int, sizes: Any) -> Args:
    return Number(fd), _vector(sizes), Number(len(sizes or ()))


def _write(_: Usual, __: Called, fd: int, data: bytes | None, *flags: int) -> Args:
    return Number(fd), *_data(data), *(_bits("MSG_", it) for it in flags)


def _sendto(usual: Usual, call: Called, fd: int, data: bytes | None, flags: int = 0, addr: Any = None) -> Args:
    return *_write(usual, call, fd, data, flags), _address(usual, addr, False), ANY


def _writev(_: Usual, __: Called, fd: int, pieces: Any) -> Args:
    return Number(fd), _vector(None if pieces is None else [len(it) for it in pieces]), Number(len(pieces or ()))


def _recvmsg(_: Usual, call: Called, fd: int, sizes: Any, flags: int = 0, __: int = 0) -> Args:
    got = call.back.data if call.back else None
    fields = list(_message(sizes))
    if isinstance(got, Message):
        fields.append(Field("msg_flags", _bits("MSG_", got.flags)))
        fields += _controls(got.control)
    return Number(fd), Braces(tuple(fields)), _bits("MSG_", flags)


def _sendmsg(usual: Usual, _: Called, fd: int, pieces: Any, flags: int = 0, *more: Any) -> Args:
    addr, control = (*more, None, None)[:2]
    name, iov = _message([len(it) for it in pieces], ANY if addr is None else _address(usual, addr, False))
    fields = [iov, *_controls(control or ())] if addr is None else [name, iov, *_controls(control or ())]
    return Number(fd), Braces(tuple(fields)), _bits("MSG_", flags)


def _data(data: bytes | None) -> tuple[Expr, Expr]:
    return (NULL, Number(0)) if data is None else (ANY, Number(len(data)))


def _vector(sizes: Any) -> Expr:
    return NULL if sizes is None else Array(tuple([Braces((ANY, Number(size))) for size in sizes]))


def _message(sizes: Any, name: Expr = ANY) -> tuple[Field, ...]:
    return Field("msg_name", name, (ANY,)), Field("msg_iov", _vector(sizes), (Number(len(sizes)),))


def _controls(control: Any) -> list[Field]:
    """The field of control messages, if there are any."""
    return [Field("msg_control", Array(tuple(map(_control, control))))] if control else []


def _control(it: tuple[int, int, bytes]) -> Expr:
    level, kind, data = it
    group = {1: "SCM_", **{level: LEVELS[level] for level in (0, 6, 41)}}.get(level, "")
    return Braces((
        Field("cmsg_level", _name("SOL_", level)),
        Field("cmsg_type", _name(group, kind)),
        Field("cmsg_data", _control_data(level, kind, data)),
    ))  # fmt: skip


def _control_data(level: int, kind: int, data: bytes) -> Expr:
    """An extended error field by field, a number; other things are not told."""
    if (level, kind) in RECVERR and len(data) >= calcsize(ERROR_LAYOUT):
        told = zip(ERROR, unpack_from(ERROR_LAYOUT, data), strict=True)
        groups = {"ee_errno": "errno", "ee_origin": "SO_EE_ORIGIN_"}
        return Braces(tuple([Field(key, _name(groups.get(key, ""), value)) for key, value in told]))
    return Number(int.from_bytes(data, "little")) if len(data) == 4 else ANY


# settings


def _fcntl(_: Usual, __: Called, fd: int, command: int, argument: int = 0) -> Args:
    start = Number(fd), _name("F_", command)
    if command in (F_GETFD, F_GETFL):
        return start
    groups = {F_SETFD: "FD_", F_SETFL: "O_"}
    return *start, _bits(groups[command], argument) if command in groups else Number(argument)


def _ioctl(_: Usual, call: Called, fd: int, request: int, argument: int | None = 0) -> Args:
    start = Number(fd), _name("SIOC", request)
    if argument is None:
        return *start, NULL
    told = call.back.data if call.back else None
    return *start, Array((Number(told if isinstance(told, int) else argument),))


def _getsockopt(_: Usual, call: Called, fd: int, level: int, name: int, size: int = 4) -> Args:
    told = call.back.data if call.back and call.back.result == 0 else None
    value = ANY if told is None or (level, name) == INFO else _option(level, name, told)
    return *_options(fd, level, name), value, Array((Number(size if told is None else len(told)),))


def _setsockopt(_: Usual, __: Called, fd: int, level: int, name: int, value: bytes | None) -> Args:
    if value is None:
        return *_options(fd, level, name), NULL, Number(0)
    return *_options(fd, level, name), _option(level, name, value), Number(len(value))


def _options(fd: int, level: int, name: int) -> tuple[Expr, Expr, Expr]:
    return Number(fd), _name("SOL_", level), _name(LEVELS.get(level, ""), name)


def _option(level: int, name: int, value: bytes) -> Expr:
    """[5], {onoff=1, linger=0}, or the bytes."""
    if (level, name) == LINGER and len(value) == 8:
        on, time = unpack("<ii", value)
        return Braces((Field("onoff", Number(on)), Field("linger", Number(time))))
    if len(value) % 4 or not value or (level, name) in WORDS:
        return Text(value)
    return Array(tuple([Number(it) for it in unpack(f"<{len(value) // 4}I", value)]))


# waiting


def _poll(_: Usual, call: Called, fds: Any, timeout: int) -> Args:
    told = call.back.data if call.back and call.back.data else [0] * len(fds)
    asked = [
        Braces((Field("fd", Number(fd)), Field("events", _bits("POLL", events)), Field("revents", _bits("POLL", it))))
        for (fd, events), it in zip(fds, told, strict=True)
    ]
    return Array(tuple(asked)), Number(len(fds)), Number(timeout)


def _epoll_ctl(_: Usual, __: Called, ep: int, op: int, fd: int, events: int, data: int = 0) -> Args:
    return Number(ep), _name("EPOLL_CTL_", op), Number(fd), NULL if op == DEL else _event(events, data)


def _epoll_wait(_: Usual, call: Called, ep: int, most: int, timeout: int) -> Args:
    told = call.back.data if call.back else None
    return Number(ep), _event(*told[0]) if told else ANY, Number(most), Number(timeout)


def _event(events: int, data: int) -> Expr:
    return Braces((Field("events", _bits("EPOLL", events)), Field("u64", Number(data))))


ARGUMENTS: dict[str, Callable[..., Args]] = {
    "socket": _socket,
    "bind": _bind,
    "connect": _connect,
    "accept": _accept,
    "accept4": _accept,
    "listen": _numbers,
    "close": _numbers,
    "shutdown": _shutdown,
    "getsockname": _named,
    "getpeername": _named,
    "read": _read,
    "recv": _read,
    "recvfrom": _recvfrom,
    "readv": _readv,
    "recvmsg": _recvmsg,
    "write": _write,
    "send": _write,
    "sendto": _sendto,
    "writev": _writev,
    "sendmsg": _sendmsg,
    "fcntl": _fcntl,
    "ioctl": _ioctl,
    "getsockopt": _getsockopt,
    "setsockopt": _setsockopt,
    "poll": _poll,
    "epoll_create": _numbers,
    "epoll_create1": _numbers,
    "epoll_ctl": _epoll_ctl,
    "epoll_wait": _epoll_wait,
}
