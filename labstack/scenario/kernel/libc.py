# SPDX-License-Identifier: GPL-2.0-or-later
"""The system calls of a scenario, made as asked: by name, each gives (result, errno, what it handed back).

Arguments and what is handed back are those of scenario.syscalls. Null pointers, lengths and flags go to the kernel as
they are. What could reach beyond the namespace is not made: families other than IP, ioctls and fcntl commands that
name processes or files, modules that the machine has not loaded. Imports only what starts fast.
"""

import ctypes
import errno
import socket as names
from collections.abc import Callable
from functools import partial
from typing import Any

from labstack.scenario.kernel import layout

Back = tuple[int, int, Any]
MOST = 16 << 20  # bytes of one buffer
NULL_SIZE = 1000  # bytes that a null pointer is said to have
MSG_TRUNC, MSG_ERRQUEUE, MSG_ZEROCOPY = 0x20, 0x2000, 0x4000000
TCP_CONGESTION, TCP_ULP = 13, 31
FAMILIES = (names.AF_INET, names.AF_INET6)
PROTOCOLS = (0, 1, 6, 17, 58, 136, 262)  # ICMP, TCP, UDP, ICMPv6, UDP-Lite, MPTCP
FCNTL = (0, 1, 2, 3, 4, 1030)  # F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC
IOCTL = (0x541B, 0x5411, 0x894B, 0x8905, 0x5421)  # SIOCINQ, SIOCOUTQ, SIOCOUTQNSD, SIOCATMARK, FIONBIO


def _words(path: str) -> frozenset[bytes]:
    try:
        with open(path, "rb") as file:
            return frozenset(file.read().split())
    except OSError:
        return frozenset()


LOADED = {  # what may be asked for by name: asking for another would load a module
    TCP_CONGESTION: _words("/proc/sys/net/ipv4/tcp_available_congestion_control"),
    TCP_ULP: _words("/proc/sys/net/ipv4/tcp_available_ulp"),
}

libc = ctypes.CDLL(None, use_errno=True)
_KINDS = {"i": ctypes.c_int, "l": ctypes.c_long, "n": ctypes.c_size_t, "p": ctypes.c_void_p}
for _function, _result, _arguments in (  # as in C: int, long, size_t, pointer
    ("socket", "i", "iii"), ("bind", "i", "ipi"), ("connect", "i", "ipi"), ("listen", "i", "ii"),
    ("shutdown", "i", "ii"), ("close", "i", "i"), ("accept", "i", "ipp"), ("accept4", "i", "ippi"),
    ("getsockname", "i", "ipp"), ("getpeername", "i", "ipp"),
    ("read", "l", "ipn"), ("recvfrom", "l", "ipnipp"), ("readv", "l", "ipi"), ("recvmsg", "l", "ipi"),
    ("write", "l", "ipn"), ("sendto", "l", "ipnipi"), ("writev", "l", "ipi"), ("sendmsg", "l", "ipi"),
    ("fcntl", "i", "iil"), ("ioctl", "i", "ilp"), ("getsockopt", "i", "iiipp"), ("setsockopt", "i", "iiipi"),
    ("poll", "i", "pni"), ("epoll_create", "i", "i"), ("epoll_create1", "i", "i"), ("epoll_ctl", "i", "iiip"),
    ("epoll_wait", "i", "ipii"),
):  # fmt: skip
    getattr(libc, _function).restype = _KINDS[_result]
    getattr(libc, _function).argtypes = [_KINDS[letter] for letter in _arguments]

_pinned: list[bytes] = []  # what MSG_ZEROCOPY sends from stays where it is


def _back(result: int, data: Any = None) -> Back:
    return (result, ctypes.get_errno(), None) if result < 0 else (result, 0, data)


def _refused(code: int) -> Back:
    return -1, code, None


def _buffer(size: int) -> Any:
    return (ctypes.c_char * max(0, min(size, MOST)))()


def _sized(data: bytes | None, flags: int = 0) -> tuple[bytes | None, int]:
    """A pointer and its length, as arguments."""
    if data is not None and flags & MSG_ZEROCOPY:
        _pinned.append(data)
    return data, NULL_SIZE if data is None else len(data)


def _name(addr: layout.Address | int | None, absent: int = 28) -> tuple[bytes | None, int]:
    """A pointer to an address and its length, as arguments; absent: the length of a null pointer."""
    raw = layout.sockaddr(addr)
    return raw, absent if raw is None else len(raw)


# sockets


def socket(family: int, kind: int, protocol: int = 0) -> Back:
    if family not in FAMILIES:
        return _refused(errno.EAFNOSUPPORT)
    if protocol not in PROTOCOLS and kind & 0xF != names.SOCK_RAW:
        return _refused(errno.EPROTONOSUPPORT)
    return _back(libc.socket(family, kind, protocol))


def bind(fd: int, addr: layout.Address | int | None) -> Back:
    return _back(libc.bind(fd, *_name(addr)))


def connect(fd: int, addr: layout.Address | int | None) -> Back:
    return _back(libc.connect(fd, *_name(addr)))


def _named(name: str, fd: int, *flags: int) -> Back:
    """A call that hands back an address."""
    raw, size = _buffer(layout.ADDRESS_SIZE), ctypes.c_uint32(layout.ADDRESS_SIZE)
    result = getattr(libc, name)(fd, raw, ctypes.byref(size), *flags)
    return _back(result, layout.address(raw.raw[: size.value]))


def _numbers(name: str, *numbers: int) -> Back:
    """A call that takes numbers, and hands back nothing."""
    return _back(getattr(libc, name)(*numbers))


# reading


def _got(fd: int, raw: bytes, result: int, flags: int) -> bytes:
    """What is in the buffers; a stream's MSG_TRUNC throws away without writing them (tcp(7))."""
    if flags & MSG_TRUNC and not flags & MSG_ERRQUEUE and _type(fd) == names.SOCK_STREAM:
        return b""
    return raw[: max(0, result)]


def _type(fd: int) -> int:
    kind, size = ctypes.c_int(0), ctypes.c_uint32(4)
    libc.getsockopt(fd, names.SOL_SOCKET, names.SO_TYPE, ctypes.byref(kind), ctypes.byref(size))
    return kind.value


def read(fd: int, n: int | None) -> Back:
    raw = None if n is None else _buffer(n)
    result = libc.read(fd, raw, NULL_SIZE if raw is None else len(raw))
    return _back(result, raw.raw[: max(0, result)] if raw is not None else b"")


def recv(fd: int, n: int | None, flags: int = 0) -> Back:
    result, code, data = recvfrom(fd, n, flags)
    return result, code, data and data[0]


def recvfrom(fd: int, n: int | None, flags: int = 0) -> Back:
    raw = None if n is None else _buffer(n)
    name, size = _buffer(layout.ADDRESS_SIZE), ctypes.c_uint32(layout.ADDRESS_SIZE)
    length = NULL_SIZE if raw is None else len(raw)
    back = _back(libc.recvfrom(fd, raw, length, flags, name, ctypes.byref(size)))
    data = b"" if raw is None or back[0] < 0 else _got(fd, raw.raw, back[0], flags)
    return *back[:2], (data, layout.address(name.raw[: size.value])) if back[0] >= 0 else None


def readv(fd: int, sizes: list[int] | None) -> Back:
    if sizes is None:
        return _back(libc.readv(fd, None, 1))
    buffers = [_buffer(n) for n in sizes]
    result = libc.readv(fd, layout.vectors(buffers), len(buffers))
    return _back(result, b"".join(buffer.raw for buffer in buffers)[: max(0, result)])


def recvmsg(fd: int, sizes: list[int], flags: int = 0, control_size: int = 4096) -> Back:
    buffers = [_buffer(n) for n in sizes]
    name, control = _buffer(layout.ADDRESS_SIZE), _buffer(control_size)
    vectors = layout.vectors(buffers)
    head = _header(name, vectors, control)
    result = libc.recvmsg(fd, ctypes.byref(head), flags)
    back = _back(result)
    if result < 0:
        return back
    data = _got(fd, b"".join(buffer.raw for buffer in buffers), result, flags)
    where = layout.address(name.raw[: head.namelen])
    return result, 0, (data, where, head.flags, layout.controls(control.raw[: head.controllen]))


def _header(name: Any, vectors: Any, control: Any) -> layout.Msghdr:
    """struct msghdr; what it points to must be kept by who calls."""
    pointers = [ctypes.addressof(it) if it is not None and len(it) else None for it in (name, vectors, control)]
    sizes = [len(it) if it is not None else 0 for it in (name, vectors, control)]
    return layout.Msghdr(pointers[0], sizes[0], pointers[1], sizes[1], pointers[2], sizes[2], 0)


# writing


def write(fd: int, data: bytes | None) -> Back:
    return _back(libc.write(fd, *_sized(data)))


def send(fd: int, data: bytes | None, flags: int = 0) -> Back:
    return _back(libc.sendto(fd, *_sized(data, flags), flags, None, 0))


def sendto(fd: int, data: bytes | None, flags: int = 0, addr: layout.Address | int | None = None) -> Back:
    return _back(libc.sendto(fd, *_sized(data, flags), flags, *_name(addr, 0)))


def writev(fd: int, pieces: list[bytes] | None) -> Back:
    if pieces is None:
        return _back(libc.writev(fd, None, 1))
    buffers = [_copy(piece) for piece in pieces]  # vectors know only where they are
    return _back(libc.writev(fd, layout.vectors(buffers), len(pieces)))


def sendmsg(
    fd: int,
    pieces: list[bytes],
    flags: int = 0,
    addr: layout.Address | int | None = None,
    control: list[tuple[int, int, bytes]] | None = None,
) -> Back:
    raw = layout.sockaddr(addr)
    name, buffers = None if raw is None else _copy(raw), [_copy(piece) for piece in pieces]
    if flags & MSG_ZEROCOPY:
        _pinned.extend(buffers)
    vectors, extra = layout.vectors(buffers), _copy(layout.control(control or []))
    head = _header(name, vectors, extra)
    return _back(libc.sendmsg(fd, ctypes.byref(head), flags))


def _copy(data: bytes) -> Any:
    return (ctypes.c_char * len(data)).from_buffer_copy(data)


# settings


def fcntl(fd: int, command: int, argument: int = 0) -> Back:
    if command not in FCNTL:
        return _refused(errno.ENOSYS)
    return _back(libc.fcntl(fd, command, argument))


def ioctl(fd: int, request: int, argument: int | None = 0) -> Back:
    if request not in IOCTL:
        return _refused(errno.ENOSYS)
    value = None if argument is None else ctypes.c_int(argument)
    result = libc.ioctl(fd, request, None if value is None else ctypes.byref(value))
    return _back(result, None if value is None else value.value)


def getsockopt(fd: int, level: int, name: int, size: int = 4) -> Back:
    raw, length = _buffer(size), ctypes.c_uint32(min(size, MOST))
    result = libc.getsockopt(fd, level, name, raw, ctypes.byref(length))
    return _back(result, raw.raw[: length.value])


def setsockopt(fd: int, level: int, name: int, value: bytes | None) -> Back:
    if level == names.IPPROTO_TCP and name in LOADED and value and value.rstrip(b"\0") not in LOADED[name]:
        return _refused(errno.ENOENT)
    return _back(libc.setsockopt(fd, level, name, value, 4 if value is None else len(value)))


# waiting


def poll(fds: list[tuple[int, int]], timeout: int) -> Back:
    raw = _copy(b"".join(layout.POLLFD.pack(fd, events, 0) for fd, events in fds))
    result = libc.poll(raw, len(fds), timeout)
    return _back(result, [revents & 0xFFFF for _, _, revents in layout.POLLFD.iter_unpack(raw.raw)])


def epoll_ctl(ep: int, op: int, fd: int, events: int, data: int = 0) -> Back:
    event = layout.EPOLL_EVENT.pack(events & 0xFFFFFFFF, data & 0xFFFFFFFFFFFFFFFF)
    return _back(libc.epoll_ctl(ep, op, fd, event))


def epoll_wait(ep: int, most: int, timeout: int) -> Back:
    raw = _buffer(layout.EPOLL_EVENT.size * max(1, most))
    result = libc.epoll_wait(ep, raw, most, timeout)
    return _back(result, list(layout.EPOLL_EVENT.iter_unpack(raw.raw[: layout.EPOLL_EVENT.size * max(0, result)])))


# ours


def figures(fd: int, options: list[tuple[int, int]], size: int) -> Back:
    """Several options at one time: each one's value, b"" where there is none such. Errors: EBADF, ENOTSOCK."""
    found = [getsockopt(fd, level, name, size) for level, name in options]
    bad = [code for _, code, _ in found if code in (errno.EBADF, errno.ENOTSOCK)]
    return _refused(bad[0]) if bad else (0, 0, [data or b"" for _, _, data in found])


CALLS: dict[str, Callable[..., Back]] = {
    **{name: partial(_numbers, name) for name in ("listen", "shutdown", "close", "epoll_create", "epoll_create1")},
    **{name: partial(_named, name) for name in ("accept", "accept4", "getsockname", "getpeername")},
    **{it.__name__: it for it in (
        socket, bind, connect, read, recv, recvfrom, readv, recvmsg, write, send, sendto, writev, sendmsg, fcntl, ioctl,
        getsockopt, setsockopt, poll, epoll_ctl, epoll_wait, figures,
    )},
}  # fmt: skip


def call(name: str, args: tuple[Any, ...]) -> Back:
    """Make a system call; a name that is none: -1, ENOSYS. Raises for arguments that no call can have."""
    if name not in CALLS:
        return _refused(errno.ENOSYS)
    return CALLS[name](*args)
