# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading and writing: read() to recvmsg(), write() to sendmsg(), each a few lines around stream.py and datagram.py.

What they check themselves is what differs between them: how null pointers and empty buffers are met.
"""

import errno
from collections.abc import Callable
from typing import Any, NamedTuple

from labstack.stack.host import Host
from labstack.stack.syscall import datagram, errqueue, files, message, owed, sk, stream
from labstack.stack.syscall.files import MSG_ERRQUEUE, Address, Back, Epoll, Parked, Socket, refused


class Message(NamedTuple):
    """What recvmsg hands back: data, address, msg_flags, control messages (level, type, data)."""

    data: bytes
    address: tuple[str, int] | None
    flags: int
    control: tuple[tuple[int, int, bytes], ...]


def _receive(host: Host, call: Parked, s: Socket, n: int | None, flags: int) -> files.Got | None:
    if flags & MSG_ERRQUEUE:
        return errqueue.receive(host, s, n)
    if s.type == sk.SOCK_STREAM:
        return stream.receive(host, call, s, n, flags)
    return datagram.receive(host, call, s, n, flags)


def _send(
    host: Host,
    call: Parked,
    s: Socket,
    data: bytes | None,
    flags: int,
    addr: Address,
    control: tuple[Any, ...],
    pieces: tuple[bytes, ...] = (),
) -> int | None:
    if s.type == sk.SOCK_STREAM:
        message.no_marks(control)
        return stream.send(host, call, s, data, flags, owed.stops(s, pieces, flags), addr)
    return datagram.send(host, s, data, flags, addr, control)


def _bytes(host: Host, call: Parked, fd: int) -> Socket:
    """The socket for what any file could be asked: an epoll has no bytes (EINVAL)."""
    if not call.ticket and isinstance(files.get(host.files, fd), Epoll):
        raise refused(errno.EINVAL)
    return files.mine(host.files, call, fd)


def read(host: Host, call: Parked, fd: int, n: int | None) -> Back | None:
    """Nothing is asked of the socket for 0 bytes."""
    _bytes(host, call, fd)
    return recv(host, call, fd, n, 0) if n != 0 else (0, 0, b"")


def recv(host: Host, call: Parked, fd: int, n: int | None, flags: int) -> Back | None:
    got = _receive(host, call, files.mine(host.files, call, fd), n, flags)
    return None if got is None else (got.result, 0, got.data)


def readv(host: Host, call: Parked, fd: int, sizes: tuple[int, ...] | None) -> Back | None:
    _bytes(host, call, fd)
    if sizes is None:
        raise refused(errno.EFAULT)
    return read(host, call, fd, sum(sizes))


def recvfrom(host: Host, call: Parked, fd: int, n: int | None, flags: int) -> Back | None:
    s = files.mine(host.files, call, fd)
    got = _receive(host, call, s, n, flags)
    if got is None:
        return None
    return got.result, 0, (got.data, sk.shown(s, *got.source) if got.source else None)


def recvmsg(
    host: Host, call: Parked, fd: int, sizes: tuple[int, ...], flags: int, control_size: int = 4096
) -> Back | None:
    s = files.mine(host.files, call, fd)
    got = _receive(host, call, s, sum(sizes), flags)
    if got is None:
        return None
    source = sk.shown(s, *got.source) if got.source else None
    control, cut = message.fit(got.control or message.of_stream(host, s), control_size)
    return got.result, 0, Message(got.data, source, got.flags | cut, control)


def write(host: Host, call: Parked, fd: int, data: bytes | None) -> Back | None:
    _bytes(host, call, fd)
    return send(host, call, fd, data, 0)


def send(host: Host, call: Parked, fd: int, data: bytes | None, flags: int) -> Back | None:
    return sendto(host, call, fd, data, flags, None)


def sendto(host: Host, call: Parked, fd: int, data: bytes | None, flags: int, addr: Address = None) -> Back | None:
    return _sent(_send(host, call, files.mine(host.files, call, fd), data, flags, addr, ()))


def _sent(size: int | None) -> Back | None:
    return None if size is None else (size, 0, None)


def writev(host: Host, call: Parked, fd: int, pieces: tuple[bytes, ...] | None) -> Back | None:
    """Nothing is asked of the socket for 0 bytes, unlike with write."""
    _bytes(host, call, fd)
    if pieces is None:
        raise refused(errno.EFAULT)
    data = b"".join(pieces)
    return send(host, call, fd, data, 0) if data else (0, 0, None)


def sendmsg(
    host: Host,
    call: Parked,
    fd: int,
    pieces: tuple[bytes, ...],
    flags: int,
    addr: Address = None,
    control: tuple[Any, ...] = (),
) -> Back | None:
    return _sent(_send(host, call, files.mine(host.files, call, fd), b"".join(pieces), flags, addr, control, pieces))


BLOCKING: dict[str, Callable[..., Back | None]] = {
    "read": read,
    "recv": recv,
    "readv": readv,
    "recvfrom": recvfrom,
    "recvmsg": recvmsg,
    "write": write,
    "send": send,
    "sendto": sendto,
    "writev": writev,
    "sendmsg": sendmsg,
}
