# SPDX-License-Identifier: GPL-2.0-or-later
"""Readiness of a file by Linux's rules (tcp_poll, udp_poll), and poll() itself. epoll.py watches many files.

Looking has one effect, as on Linux: a stream that is found without room tells when there is some.
"""

import errno
from collections.abc import Callable
from typing import Any

from labstack.core.config import MS
from labstack.stack.host import Host
from labstack.stack.syscall import files, sk
from labstack.stack.syscall.files import FOREVER, SHUT_RD, SHUT_WR, Back, Epoll, Parked, Socket, refused
from labstack.tcp import sndbuf, urgent
from labstack.tcp.conn import HERE, Conn
from labstack.tcp.states import LISTEN, SYN_RECEIVED, SYN_SENT

POLLIN, POLLPRI, POLLOUT, POLLERR, POLLHUP, POLLNVAL = 1, 2, 4, 8, 0x10, 0x20
POLLRDNORM, POLLRDBAND, POLLWRNORM, POLLWRBAND, POLLRDHUP = 0x40, 0x80, 0x100, 0x200, 0x2000
IN, OUT, ALWAYS = POLLIN | POLLRDNORM, POLLOUT | POLLWRNORM, POLLERR | POLLHUP
MOST = 65_536  # descriptors of one call


def ready(host: Host, file: Socket | Epoll) -> int:
    """What can be done now without waiting: a sum of POLLIN, ...."""
    if isinstance(file, Epoll):
        return IN if any(told(host, file, key) for key in file.ready) else 0
    return _stream(host, file) if file.type == sk.SOCK_STREAM else _datagrams(host, file)


def told(host: Host, epoll: Epoll, key: tuple[int, int]) -> int:
    """What an epoll would say now of the (descriptor, file) that it watches."""
    it = epoll.interests.get(key)
    if it is None or it.off:
        return 0
    return ready(host, files.numbered(host.files, it.file)) & (it.events | ALWAYS)


def _stream(host: Host, s: Socket) -> int:
    state, it = sk.state(host, s), sk.conn(host, s)
    if state == LISTEN:
        return IN if host.listeners[s.sock].ready else 0
    shut = sk.shut(host, s)
    mask = _failed(host, s)
    if shut == SHUT_RD | SHUT_WR or state == "CLOSED":
        mask |= POLLHUP
    if shut & SHUT_RD:
        mask |= IN | POLLRDHUP
    if state in (SYN_SENT, SYN_RECEIVED) and (it is None or it.half is None):
        waits = it is not None and it.fast is not None and it.fast.deferred
        return mask | (OUT if waits else 0)  # a write makes it connect (TCP_FASTOPEN_CONNECT)
    if it is not None and readable(it, s.rcvlowat + (urgent.at_mark(it.rcv) and not it.rcv.inline)):
        mask |= IN
    if it is not None and it.rcv.urgent is not None and it.rcv.urgent.state == HERE:
        mask |= POLLPRI
    if it is None or shut & SHUT_WR or sndbuf.writable(host.env, it):
        mask |= OUT
    else:
        it.snd.blocked = True
    return mask


def readable(it: Conn, lowat: int) -> bool:
    """Enough has arrived, or there is hardly room for more (tcp_epollin_ready)."""
    rcv = it.rcv
    if not rcv.queued:
        return False
    return rcv.queued >= lowat or rcv.alloc > rcv.limit - (rcv.limit >> 3) or rcv.edge - rcv.nxt <= rcv.seen


def _datagrams(host: Host, s: Socket) -> int:
    it = host.udps.get(s.sock)
    mask = _failed(host, s) | OUT | POLLWRBAND
    if s.shut & SHUT_RD:
        mask |= IN | POLLRDHUP
    if s.shut == SHUT_RD | SHUT_WR:
        mask |= POLLHUP
    return mask | (IN if it is not None and it.queue else 0)


def _failed(host: Host, s: Socket) -> int:
    return POLLERR if sk.error(host, s) or s.errors else 0


def poll(host: Host, call: Parked, fds: tuple[Any, ...], timeout: int) -> Back | None:
    """data: revents of each. A descriptor below 0 is left out, a closed one is POLLNVAL.

    Like Linux it waits for the files that it found first, and looks at those that the descriptors lead to then.
    """
    if len(fds) > MOST or not all(_is_pollfd(it) for it in fds):
        raise refused(errno.EINVAL)
    found = [_revents(host, host.files.fds.get(fd, 0), events) if fd >= 0 else 0 for fd, events in fds]
    if any(found) or not timeout or call.late:
        return sum(it != 0 for it in found), 0, found
    call.files = call.files or tuple(host.files.fds[fd] for fd, _ in fds if fd >= 0)
    call.patience = timeout * MS if timeout > 0 else FOREVER
    return None


def _is_pollfd(it: Any) -> bool:
    return isinstance(it, tuple) and len(it) == 2 and isinstance(it[0], int) and isinstance(it[1], int)


def _revents(host: Host, number: int, events: int) -> int:
    if not number:
        return POLLNVAL
    return ready(host, files.numbered(host.files, number)) & (events & 0xFFFF | ALWAYS)


BLOCKING: dict[str, Callable[..., Back | None]] = {"poll": poll}
