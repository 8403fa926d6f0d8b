# SPDX-License-Identifier: GPL-2.0-or-later
"""From socket() to close(): descriptors, names, connections (Linux's inet_create ... inet_release)."""

import errno
from collections.abc import Callable

from labstack.stack.host import Host
from labstack.stack.syscall import files, sk
from labstack.stack.syscall.files import Back, Epoll, Parked, Socket, refused

SOCK_NONBLOCK, SOCK_CLOEXEC = 0o4000, 0o2000000
KINDS = {sk.SOCK_STREAM: (sk.IPPROTO_TCP,), sk.SOCK_DGRAM: (sk.IPPROTO_UDP,)}  # the first is what 0 means
MAX_FAMILY, MAX_TYPE, MAX_PROTOCOL = 46, 11, 263  # Linux's NPROTO, SOCK_MAX, IPPROTO_MAX


def socket(host: Host, family: int, type: int, protocol: int) -> Back:
    kind, flags = type & 15, type & ~15
    if flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC):
        raise refused(errno.EINVAL)
    if not 0 <= family < MAX_FAMILY:
        raise refused(errno.EAFNOSUPPORT)
    if kind >= MAX_TYPE:
        raise refused(errno.EINVAL)
    if family not in sk.FAMILIES:
        raise refused(errno.EAFNOSUPPORT)
    if not 0 <= protocol < MAX_PROTOCOL:
        raise refused(errno.EINVAL)
    if kind not in KINDS:
        raise refused(errno.ESOCKTNOSUPPORT)
    proto = protocol or KINDS[kind][0]
    if proto not in KINDS[kind]:
        raise refused(errno.EPROTONOSUPPORT)
    s = Socket(files.new_number(host.files), family, kind, proto, nonblock=bool(flags & SOCK_NONBLOCK))
    return opened(host, s, bool(flags & SOCK_CLOEXEC)), 0, None


def opened(host: Host, s: Socket, cloexec: bool) -> int:
    """A descriptor for a new socket. Raises EMFILE."""
    fd = files.install(host.files, s, cloexec)
    host.files.sockets[s.number] = s
    return fd


def close(host: Host, call: Parked, fd: int) -> Back | None:
    drop(host, files.uninstall(host.files, fd))
    return 0, 0, None


def drop(host: Host, file: Socket | Epoll) -> None:
    """One reference to a file is gone; with the last one the file is."""
    file.refs -= 1
    if file.refs:
        return
    if isinstance(file, Socket):
        del host.files.sockets[file.number]
    else:
        del host.files.epolls[file.number]


CALLS: dict[str, Callable[..., Back]] = {"socket": socket}
BLOCKING: dict[str, Callable[..., Back | None]] = {"close": close}
