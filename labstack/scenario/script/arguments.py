# SPDX-License-Identifier: GPL-2.0-or-later
"""From the arguments of a script's system call to those of a target's, and to what it must hand back.

`...` is what the run says: its family, its addresses and ports, zero bytes. One function for each call; what they
hand back is judged by `returned`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from labstack.packetdrill.script import ANY, Array, Braces, Expr, Symbol, Syscall, Text
from labstack.scenario.script import messages, returned, values
from labstack.scenario.script.messages import Stamps
from labstack.scenario.script.returned import Judge
from labstack.scenario.script.undertest import Sockets
from labstack.scenario.script.values import is_null, number, size

AF_INET, AF_INET6 = 2, 10


class Prepared(NamedTuple):
    """A call as a target takes it; judge: makes rows of what it handed back, expected beside actual."""

    name: str
    args: tuple[Any, ...]
    judge: Judge = returned.nothing


class RefusedCallError(ValueError):
    """A system call that we do not make; str() is its name."""


def prepare(call: Syscall, sockets: Sockets, stamps: Stamps) -> Prepared:
    """A call of a script, ready to be made; stamps: how time stamps are compared.

    Raises RefusedCallError, ValueRefusedError.
    """
    maker = CALLS.get(call.name)
    if maker is None:
        raise RefusedCallError(f"the system call {call.name}()")
    return maker(sockets, *call.args, stamps) if call.name == "recvmsg" else maker(sockets, *call.args)


def _fd(sockets: Sockets, fd: Expr) -> int:
    return sockets.fd(values.signed(fd))


# sockets


def _socket(sockets: Sockets, family: Expr, kind: Expr, protocol: Expr) -> Prepared:
    usual = AF_INET if sockets.plan.ip_version == "ipv4" else AF_INET6
    return Prepared("socket", (usual if family == ANY else number(family), number(kind), number(protocol)))


def _bind(sockets: Sockets, fd: Expr, addr: Expr, _: Expr) -> Prepared:
    plan = sockets.plan
    usual = (plan.name(plan.local), plan.bind_port)
    return Prepared("bind", (_fd(sockets, fd), _address(addr, usual)))


def _connect(sockets: Sockets, fd: Expr, addr: Expr, _: Expr) -> Prepared:
    return Prepared("connect", (_fd(sockets, fd), _remote(sockets, addr)))


def _remote(sockets: Sockets, addr: Expr) -> Any:
    """The remote end: an address, the int of a family, or None for NULL."""
    plan = sockets.plan
    if addr != ANY and not isinstance(addr, Braces) and addr != Symbol("NULL"):
        return number(addr)
    return _address(addr, (plan.name(plan.remote), plan.connect_port))


def _address(addr: Expr, usual: tuple[str, int]) -> tuple[str, int] | None:
    if addr == ANY:
        return usual
    return None if is_null(addr) else values.address(addr)


def _accept(sockets: Sockets, fd: Expr, _: Expr, __: Expr, flags: Expr | None = None) -> Prepared:
    if flags is None:
        return Prepared("accept", (_fd(sockets, fd),))
    return Prepared("accept4", (_fd(sockets, fd), number(flags)))


def _named(name: str, sockets: Sockets, fd: Expr, addr: Expr, _: Expr) -> Prepared:
    """getsockname, getpeername."""
    judge = returned.nothing if addr == ANY or is_null(addr) else partial(returned.address, values.address(addr))
    return Prepared(name, (_fd(sockets, fd),), judge)


def _numbers(name: str, sockets: Sockets, fd: Expr, *rest: Expr) -> Prepared:
    """Calls with a descriptor and numbers."""
    return Prepared(name, (_fd(sockets, fd), *map(number, rest)))


# data


def _read(name: str, sockets: Sockets, fd: Expr, buffer: Expr, length: Expr, *rest: Expr) -> Prepared:
    """read, recv, recvfrom: the sender's address is not looked at."""
    args = (_fd(sockets, fd), None if is_null(buffer) else size(length), *map(number, rest[:1]))
    judge = partial(returned.text, buffer.value) if isinstance(buffer, Text) else returned.nothing
    return Prepared(name, args, judge)


def _readv(sockets: Sockets, fd: Expr, vector: Expr, _: Expr) -> Prepared:
    sizes = None if is_null(vector) else [length for _, length in values.iovec(vector)]
    return Prepared("readv", (_fd(sockets, fd), sizes))


def _recvmsg(sockets: Sockets, fd: Expr, message: Expr, flags: Expr, stamps: Stamps) -> Prepared:
    given = values.fields(message, "msg_name", "msg_iov", "msg_flags", "msg_control")
    sizes = [length for _, length in values.iovec(given.get("msg_iov", Array(())))]
    judge = partial(messages.message, given.get("msg_flags"), given.get("msg_control"), stamps)
    return Prepared("recvmsg", (_fd(sockets, fd), sizes, number(flags)), judge)


def _write(name: str, sockets: Sockets, fd: Expr, buffer: Expr, length: Expr, *flags: Expr) -> Prepared:
    return Prepared(name, (_fd(sockets, fd), values.buffer(buffer, size(length)), *map(number, flags)))


def _writev(sockets: Sockets, fd: Expr, vector: Expr, _: Expr) -> Prepared:
    pieces = None if is_null(vector) else [values.buffer(*piece) for piece in values.iovec(vector)]
    return Prepared("writev", (_fd(sockets, fd), pieces))


def _sendto(sockets: Sockets, fd: Expr, buffer: Expr, length: Expr, flags: Expr, addr: Expr, _: Expr) -> Prepared:
    data = values.buffer(buffer, size(length))
    return Prepared("sendto", (_fd(sockets, fd), data, number(flags), _remote(sockets, addr)))


def _sendmsg(sockets: Sockets, fd: Expr, message: Expr, flags: Expr) -> Prepared:
    given = values.fields(message, "msg_name", "msg_iov", "msg_flags", "msg_control")
    pieces = [values.buffer(*piece) for piece in values.iovec(given.get("msg_iov", Array(())))]
    control = [_control(it) for it in values.items(given.get("msg_control", Array(())))]
    addr = _remote(sockets, given.get("msg_name", Symbol("NULL")))
    return Prepared("sendmsg", (_fd(sockets, fd), pieces, number(flags), addr, control))


def _control(expr: Expr) -> tuple[int, int, bytes]:
    """A control message to be sent: its data is a number, an int of C."""
    given = values.fields(expr, "cmsg_level", "cmsg_type", "cmsg_data")
    if len(given) != len(("cmsg_level", "cmsg_type", "cmsg_data")):
        raise values.wrong(expr, "cmsg_level, cmsg_type and cmsg_data")
    return number(given["cmsg_level"]), number(given["cmsg_type"]), values.little(number(given["cmsg_data"]), 4)


# settings


def _getsockopt(sockets: Sockets, fd: Expr, level: Expr, name: Expr, value: Expr, length: Expr) -> Prepared:
    room = size(values.only(length))
    args = (_fd(sockets, fd), number(level), number(name), room)
    return Prepared("getsockopt", args, partial(returned.option, value, room))


def _setsockopt(sockets: Sockets, fd: Expr, level: Expr, name: Expr, value: Expr, length: Expr) -> Prepared:
    width = size(length)
    return Prepared("setsockopt", (_fd(sockets, fd), number(level), number(name), _option(value, width)))


def _option(value: Expr, width: int) -> bytes | None:
    """The bytes of [5], "text", {onoff=1, linger=0} or inet6_addr("..."), `width` of them; None for NULL."""
    if is_null(value):
        return None
    if isinstance(value, Text):
        made = value.value
    elif isinstance(value, Braces):
        given = values.fields(value, "onoff", "linger")
        made = b"".join(
            values.little(number(given[key]), 4) if key in given else bytes(4) for key in ("onoff", "linger")
        )
    elif isinstance(value, Array):
        made = b"".join(values.little(number(item), 4) for item in value.items)
    else:
        made = values.packed(value)
    return made[:width].ljust(width, b"\0")


def _fcntl(sockets: Sockets, fd: Expr, command: Expr, argument: Expr = values.ZERO) -> Prepared:
    return Prepared("fcntl", (_fd(sockets, fd), number(command), number(argument)))


def _ioctl(sockets: Sockets, fd: Expr, request: Expr, value: Expr | None = None) -> Prepared:
    args = (_fd(sockets, fd), number(request))
    if value is None or is_null(value):
        return Prepared("ioctl", (*args, 0) if value is None else (*args, None))
    inner = values.only(value)
    given = 0 if inner == ANY else number(inner)
    return Prepared("ioctl", (*args, given), partial(returned.integer, inner))


# waiting


def _poll(sockets: Sockets, fds: Expr, _: Expr, timeout: Expr) -> Prepared:
    given = [values.fields(item, "fd", "events", "revents") for item in values.items(fds)]
    asked = [(_fd(sockets, it["fd"]), number(it["events"])) for it in given]
    return Prepared("poll", (asked, values.signed(timeout)), partial(returned.polled, given))


def _epoll_create(name: str, _: Sockets, argument: Expr) -> Prepared:
    return Prepared(name, (values.signed(argument),))


def _epoll_ctl(sockets: Sockets, ep: Expr, op: Expr, fd: Expr, event: Expr) -> Prepared:
    asked = (values.ZERO, values.ZERO) if is_null(event) else returned.epoll_event(event)
    events, data = (0 if it == ANY else number(it) for it in asked)
    return Prepared("epoll_ctl", (_fd(sockets, ep), number(op), _fd(sockets, fd), events, data))


def _epoll_wait(sockets: Sockets, ep: Expr, event: Expr, most: Expr, timeout: Expr) -> Prepared:
    args = (_fd(sockets, ep), values.signed(most), values.signed(timeout))
    return Prepared("epoll_wait", args, partial(returned.first_event, event))


CALLS: dict[str, Callable[..., Prepared]] = {
    "socket": _socket,
    "bind": _bind,
    "connect": _connect,
    "listen": partial(_numbers, "listen"),
    "accept": _accept,
    "accept4": _accept,
    "shutdown": partial(_numbers, "shutdown"),
    "close": partial(_numbers, "close"),
    "getsockname": partial(_named, "getsockname"),
    "getpeername": partial(_named, "getpeername"),
    "read": partial(_read, "read"),
    "recv": partial(_read, "recv"),
    "recvfrom": partial(_read, "recvfrom"),
    "readv": _readv,
    "recvmsg": _recvmsg,
    "write": partial(_write, "write"),
    "send": partial(_write, "send"),
    "writev": _writev,
    "sendto": _sendto,
    "sendmsg": _sendmsg,
    "fcntl": _fcntl,
    "ioctl": _ioctl,
    "getsockopt": _getsockopt,
    "setsockopt": _setsockopt,
    "poll": _poll,
    "epoll_create": partial(_epoll_create, "epoll_create"),
    "epoll_create1": partial(_epoll_create, "epoll_create1"),
    "epoll_ctl": _epoll_ctl,
    "epoll_wait": _epoll_wait,
}
