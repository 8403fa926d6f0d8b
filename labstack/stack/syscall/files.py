# SPDX-License-Identifier: GPL-2.0-or-later
"""The records behind the system calls: descriptors, open files, calls that wait. Nothing here knows the host.

A descriptor leads to an open file (a Socket or an Epoll, one numbering for both); `refs` counts the descriptors and the
waiting calls that hold a file. Closing a descriptor while a call waits on it leaves the file alone, as on Linux.
"""

import errno
from collections import deque
from typing import Any, NamedTuple

from labstack.core.errors import StackError
from labstack.core.frame import Piece
from labstack.core.state import State, field, state
from labstack.tcp.md5 import Keys

FIRST, LIMIT = 3, 65_536  # descriptors
UNCONNECTED, CONNECTING, CONNECTED, DISCONNECTING = 1, 2, 3, 4  # Linux's SS_...
ADDRESS, PORT = 4, 8  # what bind() has settled (Linux's SOCK_BINDADDR_LOCK, SOCK_BINDPORT_LOCK)
SHUT_RD, SHUT_WR = 1, 2  # bits of Socket.shut
FOREVER = -1
ANYTHING = 0xFFFFFFFF  # of the events of poll()
MOST_ERRORS = 64  # entries of an error queue, then the newest are lost
NOWHERE = 1000  # bytes that a null pointer claims to have room for, or to hold
MSG_OOB, MSG_PEEK, MSG_TRUNC, MSG_DONTWAIT, MSG_WAITALL = 1, 2, 0x20, 0x40, 0x100
MSG_EOR, MSG_ERRQUEUE, MSG_MORE, MSG_FASTOPEN = 0x80, 0x2000, 0x8000, 0x2000_0000

Back = tuple[int, int, Any]  # result, errno, data
Control = tuple[int, int, bytes]  # a control message: level, type, data
Address = tuple[str, int] | int | None  # of a call: (host, port), a family alone, or a null pointer


class Got(NamedTuple):
    """What was read: the result of the call, the bytes, who sent them (datagrams), msg_flags, what is told beside."""

    result: int
    data: bytes
    source: tuple[bytes, int] | None = None
    flags: int = 0
    control: tuple[Control, ...] = ()


class Extended(NamedTuple):
    """One entry of an error queue: struct sock_extended_err, the offending data, who said so and about whom."""

    errno: int
    origin: int
    type: int = 0
    code: int = 0
    info: int = 0
    data: int = 0
    payload: bytes = b""
    offender: bytes = b""  # packed; b"": nobody
    address: tuple[bytes, int] | None = None  # where the offending packet was going
    at: int = -1  # ns, of a time stamp; -1: it is none
    stats: bool = False  # the payload is statistics


class Owed(NamedTuple):
    """What a socket is to hear when bytes that it wrote have left or arrived; see owed.py.

    end: sequence number behind them; what: which time, or that their memory is free; number: as the application knows
    them; text: the last of them
    """

    end: int
    what: int
    number: int
    text: bytes = b""


@state
class Socket(State):
    """struct socket and struct sock: what stays while connections come and go.

    options: values by (level, name), as set, where they differ from the default; accept hands them on.
    wishes: the same for what a connection must know, by the names of ports.OPTIONS: given to the connection when
    there is one, to a listener's connections through Listener.options.
    """

    number: int
    family: int
    type: int
    proto: int
    nonblock: bool = False
    refs: int = 0
    sock: int = 0  # in host.conns, listeners, udps or echoes; 0 while it is in none
    local: tuple[bytes, int] | None = None  # its own address and port; b"" is any address of either family
    was: tuple[bytes, int] | None = None  # what getsockname() still says when `local` is gone
    locks: int = 0  # ADDRESS, PORT
    dev: int = 0  # index of the interface that it is bound to; 0: any
    phase: int = UNCONNECTED
    era: int = 0  # how often connect(AF_UNSPEC) has ended what calls were waiting for
    shut: int = 0  # by shutdown(); the rest is the connection's
    error: int = 0  # errno, pending while it has no connection
    reuseaddr: bool = False
    reuseport: bool = False
    v6only: bool = False
    linger: int = FOREVER  # ns; FOREVER: SO_LINGER is off
    rcvtimeo: int = 0  # ns; 0: for ever
    sndtimeo: int = 0
    rcvlowat: int = 1
    options: dict[tuple[int, int], int] = field(default_factory=dict)
    wishes: dict[str, int] = field(default_factory=dict)
    keys: Keys = ()  # of signatures, a wish as well
    errors: deque[Extended] = field(default_factory=deque)
    owed: list[Owed] = field(default_factory=list)  # what is still to be told of bytes that were written
    first: int = 0  # the sequence number that SO_TIMESTAMPING counts bytes from
    sends: int = 0  # zero-copy writes so far
    held: list[Piece] = field(default_factory=list)  # of a datagram that MSG_MORE keeps back
    aim: tuple[bytes, int] | None = None  # where that datagram goes
    waiters: list[int] = field(default_factory=list)  # tickets of calls that are tried again when it changes
    watchers: list[tuple[int, int]] = field(default_factory=list)  # epolls that watch it: number, descriptor


@state
class Interest(State):
    """What an epoll watches: one descriptor with its file."""

    fd: int
    file: int
    events: int
    data: int
    off: bool = False  # EPOLLONESHOT has told


@state
class Epoll(State):
    number: int
    nonblock: bool = False
    refs: int = 0
    interests: dict[tuple[int, int], Interest] = field(default_factory=dict)  # by descriptor and file
    ready: deque[tuple[int, int]] = field(default_factory=deque)  # (fd, file) in the order in which they became so
    waiters: list[int] = field(default_factory=list)
    watchers: list[tuple[int, int]] = field(default_factory=list)  # none: an epoll cannot be watched


@state
class Parked(State):
    """One call: what was asked, and how far it has come. A call that blocks has a ticket and waits in Files.parked.

    files: numbers of the files that it holds, and whose changes let it be tried again; the first is the descriptor's.
    """

    name: str
    args: tuple[Any, ...]
    ticket: int = 0
    files: tuple[int, ...] = ()
    patience: int = FOREVER  # ns it may wait, from the beginning
    late: bool = False  # its time is up: it returns with what there is
    count: int = 0  # bytes done so far
    got: list[Piece] = field(default_factory=list)
    code: int = 0  # errno it will have if it cannot go on
    era: int = 0  # of its socket when it was made
    fd: int = 0  # descriptor that is kept for what it will return

    def allowed(self, nonblock: bool, limit: int) -> int:
        """The time (ns) that it may wait: settled when it was made, none when that is over; limit: 0 is for ever."""
        if self.late:
            return 0
        return self.patience if self.ticket else 0 if nonblock else limit or FOREVER

    def wait(self, patience: int, code: int) -> None:
        """There is nothing to return yet: wait up to `patience` ns, 0: not at all. Raises `code` if that is over."""
        if self.late or not patience:
            raise refused(code)
        self.patience = patience


@state
class Files(State):
    fds: dict[int, int] = field(default_factory=dict)  # descriptor: file; 0: kept for what a call will return
    cloexec: dict[int, None] = field(default_factory=dict)  # descriptors with FD_CLOEXEC
    sockets: dict[int, Socket] = field(default_factory=dict)
    epolls: dict[int, Epoll] = field(default_factory=dict)
    owners: dict[int, int] = field(default_factory=dict)  # socket number of the host: file
    ports: dict[tuple[str, int], list[int]] = field(default_factory=dict)  # (host.TCP or UDP, port): files that have it
    owing: dict[int, None] = field(default_factory=dict)  # connections whose sockets are owed something
    parked: dict[int, Parked] = field(default_factory=dict)  # ticket: call
    done: dict[int, tuple[int, Back]] = field(default_factory=dict)  # ticket: when (ns) and what; until taken
    woken: dict[int, int] = field(default_factory=dict)  # files that changed, and how: who waits is to be told
    lowest: int = FIRST  # no descriptor below is free
    next_file: int = 1
    next_ticket: int = 1

    def check(self) -> None:
        """Raise AssertionError with a sentence if the tables do not agree with each other."""
        holders: dict[int, int] = {}  # how many hold a file
        waits: dict[int, list[int]] = {}  # which calls wait for it
        free, kept = set(), set()  # descriptors that lead nowhere yet; those that calls keep
        for fd, number in self.fds.items():
            if number:
                holders[number] = holders.get(number, 0) + 1
            else:
                free.add(fd)
        for ticket, call in self.parked.items():
            for number in call.files:
                holders[number] = holders.get(number, 0) + 1
                waits.setdefault(number, []).append(ticket)
            if call.fd:
                kept.add(call.fd)
        assert free == kept, "descriptors: a descriptor is kept for nobody"
        assert self.cloexec.keys() <= self.fds.keys(), "descriptors: FD_CLOEXEC of what is not open"
        assert all(map(self.fds.__contains__, range(FIRST, self.lowest))), "descriptors: a lower descriptor is free"
        opened: dict[int, Socket | Epoll] = {**self.sockets, **self.epolls}
        assert holders.keys() == opened.keys(), "descriptors: files and who holds them differ"
        for number, file in opened.items():
            held = file.number == number and file.refs == holders[number]
            assert held, f"descriptors: file {number} has {file.refs} references"
            if file.waiters or number in waits:
                known = sorted(file.waiters) == sorted(waits.get(number, ()))
                assert known, f"descriptors: file {number} does not know who waits for it"
        self._check_sockets()

    def _check_sockets(self) -> None:
        owners, local = {}, {}
        for number, it in self.sockets.items():
            if it.sock:
                owners[it.sock] = number
            if it.local is not None:
                local[number] = it.local[1]
        assert self.owners == owners, "descriptors: sockets of the host and of descriptors differ"
        named = 0
        for (_, port), numbers in self.ports.items():
            theirs = {local.get(number) for number in numbers}
            assert theirs == {port}, f"descriptors: port {port} is of sockets that do not have it"
            named += len(numbers)
        assert named == len(local), "descriptors: a socket has a port that nobody knows of"


def refused(code: int) -> StackError:
    """The error that a call returns as (-1, code, None)."""
    return StackError(code, "the call returns -1")


def install(files: Files, file: Socket | Epoll, cloexec: bool = False, least: int = FIRST) -> int:
    """The lowest free descriptor from `least` on, for an open file; returns it. Raises EMFILE."""
    fd = reserve(files, least)
    files.fds[fd] = file.number
    file.refs += 1
    if cloexec:
        files.cloexec[fd] = None
    return fd


def reserve(files: Files, least: int = FIRST) -> int:
    """The lowest free descriptor from `least` on, for a file to come. Raises EMFILE."""
    fd = max(least, files.lowest)
    while fd in files.fds:
        fd += 1
    if fd >= LIMIT:
        raise refused(errno.EMFILE)
    if least <= files.lowest:
        files.lowest = fd + 1
    files.fds[fd] = 0
    return fd


def unreserve(files: Files, call: Parked) -> int:
    """Free the descriptor that was kept for a call, if there is one; returns it."""
    fd, call.fd = call.fd, 0
    if fd:
        del files.fds[fd]
        files.lowest = min(files.lowest, fd)
    return fd


def uninstall(files: Files, fd: int) -> Socket | Epoll:
    """Free a descriptor; returns its file, which keeps this reference. Raises EBADF."""
    file = get(files, fd)
    del files.fds[fd]
    files.cloexec.pop(fd, None)
    files.lowest = min(files.lowest, fd)
    return file


def new_number(files: Files) -> int:
    files.next_file += 1
    return files.next_file - 1


def get(files: Files, fd: int) -> Socket | Epoll:
    """The open file of a descriptor. Raises EBADF."""
    number = files.fds.get(fd, 0)
    file = files.sockets.get(number) or files.epolls.get(number)
    if file is None:
        raise refused(errno.EBADF)
    return file


def numbered(files: Files, number: int) -> Socket | Epoll:
    """An open file by its number."""
    return files.sockets[number] if number in files.sockets else files.epolls[number]


def socket(files: Files, fd: int) -> Socket:
    """The socket of a descriptor. Raises EBADF, ENOTSOCK."""
    file = get(files, fd)
    if not isinstance(file, Socket):
        raise refused(errno.ENOTSOCK)
    return file


def mine(files: Files, call: Parked, fd: int) -> Socket:
    """The socket that a call is about; when it is tried again, the descriptor may be another's. Raises as socket."""
    if call.ticket:
        return files.sockets[call.files[0]]
    found = socket(files, fd)
    call.files, call.era = (found.number,), found.era
    return found


def changed(files: Files, file: Socket | Epoll, events: int = ANYTHING) -> None:
    """Something happened to a file: calls that wait for it are tried again after the next flush, epolls told.

    events: what may be ready now, POLLIN and its like.
    """
    if file.waiters or file.watchers:
        files.woken[file.number] = files.woken.get(file.number, 0) | events
