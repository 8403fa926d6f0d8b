# SPDX-License-Identifier: GPL-2.0-or-later
"""Syscalls: the system calls of a host, one method each; every target has them.

    result = calls.socket(AF_INET, SOCK_STREAM)          Result(3, 0, None)
    result = calls.recv(4, 1000)                         Result(-1, 11, None): EAGAIN, or a Ticket: it blocks

Each call returns a Result at once, or a Ticket if it blocks; `finished(ticket)` has the Result later. In a Result,
`result` is what the C function returns (-1: an error), `errno` is Linux's number of the error (0: none), `data` is
what the call handed back (below; None where nothing is said). Nothing is raised for what a socket refuses.

Descriptors are ints from 3 on, the lowest free one is taken. All numbers (families, types, levels, names of options,
flags, errnos) are those of Linux on x86-64, as in Python's `socket`, `errno`, `select` and `fcntl` there.
An address is (host, port), host as text, of the socket's family; on an AF_INET6 socket "::ffff:192.0.2.1" is
IPv4. None is a null pointer: EFAULT, or "do not tell". Times are as in C (poll: ms); option values are bytes.
A call blocks if its descriptor has no O_NONBLOCK and the call no MSG_DONTWAIT, as on Linux. SO_RCVTIMEO and
SO_SNDTIMEO end it. Several calls may block at once.
"""

from collections.abc import Sequence
from typing import Any

from labstack.scenario.target import Result, Ticket

Address = tuple[str, int]
Back = Result | Ticket
Control = tuple[int, int, bytes]  # level, type, data


class Syscalls:
    """The system calls; a subclass says with `call` how they reach its host."""

    def call(self, name: str, *args: Any) -> Back:
        """Make the system call `name`, one of the methods below, with its arguments. Another name: -1, ENOSYS."""
        raise NotImplementedError

    # sockets

    def socket(self, family: int, type: int, protocol: int = 0) -> Back:
        """A new socket; result: its descriptor.

        family: AF_INET, AF_INET6; type: SOCK_STREAM or SOCK_DGRAM, with SOCK_NONBLOCK and SOCK_CLOEXEC or'ed in;
        protocol: 0 or the one of the type. Errors: EAFNOSUPPORT, EPROTONOSUPPORT, EINVAL.
        """
        return self.call("socket", family, type, protocol)

    def bind(self, fd: int, addr: Address) -> Back:
        """Give a socket its own address; port 0: any free one. Errors: EADDRINUSE, EADDRNOTAVAIL, EINVAL, EBADF."""
        return self.call("bind", fd, addr)

    def connect(self, fd: int, addr: Address | int) -> Back:
        """Connect; blocks until it is established. AF_UNSPEC alone (the int 0) in place of an address disconnects.

        Errors: EINPROGRESS (not blocking), EALREADY, EISCONN, ECONNREFUSED, ETIMEDOUT, ENETUNREACH, EHOSTUNREACH.
        """
        return self.call("connect", fd, addr)

    def listen(self, fd: int, backlog: int) -> Back:
        """Take connections, `backlog` of them waiting for accept. Errors: EADDRINUSE, EINVAL, EOPNOTSUPP."""
        return self.call("listen", fd, backlog)

    def accept(self, fd: int) -> Back:
        """The next connection; blocks. result: its descriptor; data: the peer's address. Errors: EAGAIN, EINVAL."""
        return self.call("accept", fd)

    def accept4(self, fd: int, flags: int) -> Back:
        """As accept, with SOCK_NONBLOCK and SOCK_CLOEXEC for the new descriptor."""
        return self.call("accept4", fd, flags)

    def shutdown(self, fd: int, how: int) -> Back:
        """Close one direction or both: SHUT_RD 0, SHUT_WR 1, SHUT_RDWR 2. Errors: ENOTCONN, EINVAL."""
        return self.call("shutdown", fd, how)

    def close(self, fd: int) -> Back:
        """Let go of a descriptor; blocks only with SO_LINGER and something unsent. Errors: EBADF."""
        return self.call("close", fd)

    def getsockname(self, fd: int) -> Back:
        """data: the socket's own address."""
        return self.call("getsockname", fd)

    def getpeername(self, fd: int) -> Back:
        """data: the peer's address. Errors: ENOTCONN."""
        return self.call("getpeername", fd)

    # reading: result is the number of bytes, 0 at the end of the stream; -1 with EAGAIN, ENOTCONN, ECONNRESET, ...

    def read(self, fd: int, n: int | None) -> Back:
        """Up to n bytes; data: bytes. n None: a null pointer."""
        return self.call("read", fd, n)

    def recv(self, fd: int, n: int | None, flags: int = 0) -> Back:
        """As read; flags: MSG_PEEK, MSG_WAITALL, MSG_DONTWAIT, MSG_TRUNC, MSG_OOB, MSG_ERRQUEUE."""
        return self.call("recv", fd, n, flags)

    def readv(self, fd: int, sizes: Sequence[int] | None) -> Back:
        """As read, for buffers of these sizes one after the other; data: bytes, all together."""
        return self.call("readv", fd, list(sizes) if sizes is not None else None)

    def recvfrom(self, fd: int, n: int | None, flags: int = 0) -> Back:
        """As recv; data: (bytes, address of the sender or None)."""
        return self.call("recvfrom", fd, n, flags)

    def recvmsg(self, fd: int, sizes: Sequence[int], flags: int = 0, control_size: int = 4096) -> Back:
        """As recv, with control messages; data: a Message(data, address, flags, control).

        Message.flags: msg_flags as returned (MSG_TRUNC, MSG_CTRUNC, MSG_ERRQUEUE, MSG_EOR);
        Message.control: ((level, type, data), ...), data being bytes as Linux lays them out, without the header.
        control_size: bytes of the buffer for them. Errors: EAGAIN (also for an empty error queue).
        """
        return self.call("recvmsg", fd, list(sizes), flags, control_size)

    # writing: result is the number of bytes taken; it blocks until all are; -1 with EAGAIN, EPIPE, ENOTCONN, ...

    def write(self, fd: int, data: bytes | None) -> Back:
        """Send data. None: a null pointer. No signal is ever raised: EPIPE is a result."""
        return self.call("write", fd, data)

    def send(self, fd: int, data: bytes | None, flags: int = 0) -> Back:
        """As write; flags: MSG_DONTWAIT, MSG_MORE, MSG_NOSIGNAL, MSG_OOB, MSG_EOR, MSG_FASTOPEN, MSG_ZEROCOPY."""
        return self.call("send", fd, data, flags)

    def writev(self, fd: int, pieces: Sequence[bytes] | None) -> Back:
        """As write, of these pieces one after the other."""
        return self.call("writev", fd, list(pieces) if pieces is not None else None)

    def sendto(self, fd: int, data: bytes | None, flags: int = 0, addr: Address | int | None = None) -> Back:
        """As send, to an address; None: the peer's."""
        return self.call("sendto", fd, data, flags, addr)

    def sendmsg(
        self,
        fd: int,
        pieces: Sequence[bytes],
        flags: int = 0,
        addr: Address | int | None = None,
        control: Sequence[Control] = (),
    ) -> Back:
        """As sendto, in pieces, with control messages (level, type, data), data laid out as Linux wants it."""
        return self.call("sendmsg", fd, list(pieces), flags, addr, list(control))

    # settings

    def fcntl(self, fd: int, command: int, argument: int = 0) -> Back:
        """F_GETFL, F_SETFL (O_NONBLOCK), F_GETFD, F_SETFD, F_DUPFD. result: as in C. Errors: EINVAL, EBADF."""
        return self.call("fcntl", fd, command, argument)

    def ioctl(self, fd: int, request: int, argument: int | None = 0) -> Back:
        """SIOCINQ (FIONREAD), SIOCOUTQ, SIOCOUTQNSD, SIOCATMARK, FIONBIO; data: the int that it wrote."""
        return self.call("ioctl", fd, request, argument)

    def getsockopt(self, fd: int, level: int, name: int, size: int = 4) -> Back:
        """data: the option's value, at most `size` bytes, laid out as in C (little-endian ints, structs).

        TCP_INFO is struct tcp_info of Linux 6.18; a smaller size gets its beginning. Errors: ENOPROTOOPT, EINVAL.
        """
        return self.call("getsockopt", fd, level, name, size)

    def setsockopt(self, fd: int, level: int, name: int, value: bytes | None) -> Back:
        """Set an option; value: bytes laid out as in C. Errors: ENOPROTOOPT, EINVAL, EDOM, EFAULT."""
        return self.call("setsockopt", fd, level, name, value)

    # waiting

    def poll(self, fds: Sequence[tuple[int, int]], timeout: int) -> Back:
        """Wait until one of (fd, events) is ready, at most `timeout` ms (-1: for ever, 0: only look).

        result: how many are; data: [revents, ...], one for each of fds (POLLNVAL for a descriptor that is closed).
        """
        return self.call("poll", list(fds), timeout)

    def epoll_create(self, size: int) -> Back:
        """result: the descriptor of a new epoll. Errors: EINVAL."""
        return self.call("epoll_create", size)

    def epoll_create1(self, flags: int = 0) -> Back:
        """As epoll_create; flags: EPOLL_CLOEXEC."""
        return self.call("epoll_create1", flags)

    def epoll_ctl(self, ep: int, op: int, fd: int, events: int, data: int = 0) -> Back:
        """op: EPOLL_CTL_ADD 1, DEL 2, MOD 3; events with EPOLLET, EPOLLONESHOT, ...; data: handed back by epoll_wait.

        Errors: EEXIST, ENOENT, EBADF, EINVAL.
        """
        return self.call("epoll_ctl", ep, op, fd, events, data)

    def epoll_wait(self, ep: int, most: int, timeout: int) -> Back:
        """Wait as poll does; result: how many are ready; data: [(events, data), ...], at most `most`."""
        return self.call("epoll_wait", ep, most, timeout)
