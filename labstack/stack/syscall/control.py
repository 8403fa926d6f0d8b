# SPDX-License-Identifier: GPL-2.0-or-later
"""fcntl and ioctl: flags of descriptors and of open files, and how many bytes wait in either direction.

Only O_NONBLOCK means something here; other flags of F_SETFL that Linux would keep are dropped, those that it would act
on (O_ASYNC, O_DIRECT) are refused.
"""

import errno
from collections.abc import Callable

from labstack.stack.host import Host
from labstack.stack.syscall import files, sk
from labstack.stack.syscall.files import Back, Epoll, Socket, refused
from labstack.tcp import urgent
from labstack.tcp.conn import Conn
from labstack.tcp.states import LISTEN, SYN_RECEIVED, SYN_SENT

F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC = 0, 1, 2, 3, 4, 1030
FD_CLOEXEC, O_RDWR, O_NONBLOCK = 1, 0o2, 0o4000
UNABLE = 0o20000 | 0o40000  # O_ASYNC, O_DIRECT
SIOCINQ, SIOCOUTQ, SIOCOUTQNSD, SIOCATMARK = 0x541B, 0x5411, 0x894B, 0x8905
FIONBIO, FIONCLEX, FIOCLEX = 0x5421, 0x5450, 0x5451
DONE: Back = (0, 0, None)


def fcntl(host: Host, fd: int, command: int, argument: int) -> Back:
    """Raises EBADF, EMFILE, EINVAL (also for commands that we do not know)."""
    file = files.get(host.files, fd)
    if command in (F_DUPFD, F_DUPFD_CLOEXEC):
        if not 0 <= argument < files.LIMIT:
            raise refused(errno.EINVAL)
        return files.install(host.files, file, command == F_DUPFD_CLOEXEC, argument), 0, None
    if command == F_GETFD:
        return FD_CLOEXEC if fd in host.files.cloexec else 0, 0, None
    if command == F_SETFD:
        _cloexec(host, fd, bool(argument & FD_CLOEXEC))
    elif command == F_GETFL:
        return O_RDWR | (O_NONBLOCK if file.nonblock else 0), 0, None
    elif command == F_SETFL and not argument & UNABLE:
        file.nonblock = bool(argument & O_NONBLOCK)
    else:
        raise refused(errno.EINVAL)
    return DONE


def _cloexec(host: Host, fd: int, on: bool) -> None:
    if on:
        host.files.cloexec[fd] = None
    else:
        host.files.cloexec.pop(fd, None)


def ioctl(host: Host, fd: int, request: int, argument: int | None) -> Back:
    """data: the int at the argument afterwards. Raises EBADF, EFAULT, EINVAL, ENOTTY."""
    file = files.get(host.files, fd)
    if request in (FIOCLEX, FIONCLEX):
        _cloexec(host, fd, request == FIOCLEX)
        return 0, 0, argument
    count = _count(host, file, request) if request != FIONBIO else 0
    if argument is None:
        raise refused(errno.EFAULT)
    if request == FIONBIO:
        file.nonblock = bool(argument)
        return 0, 0, argument
    return 0, 0, count


def _count(host: Host, file: Socket | Epoll, request: int) -> int:
    if isinstance(file, Epoll):
        raise refused(errno.EINVAL)
    counts = COUNTS[file.type]
    if request not in counts:
        raise refused(errno.ENOTTY)
    if request != SIOCATMARK and sk.state(host, file) == LISTEN:
        raise refused(errno.EINVAL)
    return counts[request](host, file)


def inq(host: Host, s: Socket) -> int:
    """Bytes that can be read, up to an urgent mark."""
    it = sk.conn(host, s)
    return urgent.before(it.rcv) if it is not None and it.state not in (SYN_SENT, SYN_RECEIVED) else 0


def _outq(host: Host, s: Socket) -> int:
    """Sequence numbers written and not acknowledged, a FIN among them."""
    it = sk.conn(host, s)
    return _written(it) - it.snd.una if it is not None and it.state not in (SYN_SENT, SYN_RECEIVED) else 0


def _outqnsd(host: Host, s: Socket) -> int:
    """Sequence numbers written and not sent."""
    it = sk.conn(host, s)
    return _written(it) - it.snd.nxt if it is not None and it.state not in (SYN_SENT, SYN_RECEIVED) else 0


def _written(it: Conn) -> int:
    return max(it.snd.out.end + it.snd.fin, it.snd.una)


def _mark(host: Host, s: Socket) -> int:
    it = sk.conn(host, s)
    return int(it is not None and urgent.at_mark(it.rcv))


def _datagram(host: Host, s: Socket) -> int:
    """Bytes of the next datagram."""
    it = host.udps.get(s.sock)
    return len(it.queue[0][0]) if it is not None and it.queue else 0


def _nothing(host: Host, s: Socket) -> int:
    """Datagrams go out at once."""
    return 0


COUNTS: dict[int, dict[int, Callable[[Host, Socket], int]]] = {
    sk.SOCK_STREAM: {SIOCINQ: inq, SIOCOUTQ: _outq, SIOCOUTQNSD: _outqnsd, SIOCATMARK: _mark},
    sk.SOCK_DGRAM: {SIOCINQ: _datagram, SIOCOUTQ: _nothing},
}
CALLS: dict[str, Callable[..., Back]] = {"fcntl": fcntl, "ioctl": ioctl}
