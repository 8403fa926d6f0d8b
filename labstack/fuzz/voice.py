# SPDX-License-Identifier: GPL-2.0-or-later
"""How an application speaks to its host: by calls of the in-process API, or by system calls on a descriptor.

Both never block, but for a close() that lingers. The stack's Wake events tell the first when to go on, an epoll the
second: one of each host, to which every interest is given anew each time (EPOLLONESHOT), as servers do.
"""

import struct
from collections.abc import Iterable
from errno import EAGAIN, EINPROGRESS, EINVAL, ENOTCONN, EOPNOTSUPP
from typing import Any, NamedTuple, Protocol

from labstack.core.errors import StackError
from labstack.core.frame import Piece
from labstack.core.record import Record
from labstack.fuzz.speech import OPENS_EARLY, WAITS_FOR_DATA, Speech
from labstack.ip.family import parse_addr
from labstack.sim.world import outcome
from labstack.stack.calls import SHUT_WR
from labstack.stack.host import Host
from labstack.stack.syscall import sk
from labstack.stack.syscall.epoll import EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLLONESHOT
from labstack.stack.syscall.files import MSG_ERRQUEUE, MSG_FASTOPEN, MSG_MORE, MSG_OOB, MSG_PEEK
from labstack.stack.syscall.poll import POLLIN, POLLOUT, POLLPRI
from labstack.stack.syscall.sk import mapped
from labstack.stack.syscall.sockets import SOCK_NONBLOCK
from labstack.tcp.settings import SETTINGS

SOL_IP, SOL_SOCKET, SOL_TCP, SOL_IPV6 = 0, 1, 6, 41
RECVERR = {False: (SOL_IP, 11), True: (SOL_IPV6, 25)}  # of which family
ERROR, LINGER, REUSE, GUESTS, EAGER, SIGN = (
    (SOL_SOCKET, 4),
    (SOL_SOCKET, 13),
    (SOL_SOCKET, 2),
    (SOL_TCP, 23),
    (SOL_TCP, 30),
    (SOL_TCP, 14),
)
NUMBERS = {  # level and number of the options that worth.OPTIONS has
    "nodelay": (SOL_TCP, 1), "maxseg": (SOL_TCP, 2), "cork": (SOL_TCP, 3), "keep_idle": (SOL_TCP, 4),
    "keep_interval": (SOL_TCP, 5), "keep_count": (SOL_TCP, 6), "linger2": (SOL_TCP, 8), "defer_accept": (SOL_TCP, 9),
    "window_clamp": (SOL_TCP, 10), "quickack": (SOL_TCP, 12), "congestion": (SOL_TCP, 13),
    "user_timeout": (SOL_TCP, 18), "notsent_lowat": (SOL_TCP, 25), "sndbuf": (SOL_SOCKET, 7), "rcvbuf": (SOL_SOCKET, 8),
    "keepalive": (SOL_SOCKET, 9), "oobinline": (SOL_SOCKET, 10),
    "rcvlowat": (SOL_SOCKET, 18), "pacing": (SOL_SOCKET, 47), "discover": (0, 10),
}  # fmt: skip
QUOTE = 100  # bytes of a segment that an error quotes, and more
LISTENING = 1 << 16  # on top of the number of whoever accepts there, in what an epoll hands back


class Where(NamedTuple):
    """Where to connect to, and from which port; 0: any."""

    addr: str
    port: int
    lport: int


class Caller(Protocol):
    """Who makes calls of a host, each an event of its own."""

    def call(self, host: str, op: str, *args: Any) -> Record: ...


class Voice:
    """The in-process API. number: of its socket, listener: of the one that it accepts from; 0 while it has none."""

    def __init__(self, caller: Caller, host: str, options: dict[str, int], speech: Speech) -> None:
        self.caller, self.host, self.options, self.speech = caller, host, options, speech
        self.number = self.listener = 0
        self.last = 0  # errno of the last entry that its error queue had just now
        self.watched = False  # by its host's epoll
        self.rumours: set[int] = set()  # what routers have truly said of its connection: errno
        self.due: list[tuple[Any, ...]] = []  # of that what its error queue must have: see routers.Said.entry

    def call(self, op: str, *args: Any) -> Any:
        """A call; None for "not yet". Raises StackError."""
        record = self.caller.call(self.host, op, *args)
        if isinstance(record.result, StackError) and record.result.errno == EAGAIN:
            return None
        return outcome(record)

    def listen(self, port: int, peer: str, backlog: int) -> None:
        self.listener = int(self.call("listen", port, b"", backlog, 0, dict(self.options)))

    def accept(self) -> tuple[int, str] | None:
        """The number of the next connection's socket, and whose it is."""
        found = self.call("accept", self.listener)
        return None if found is None else (int(found[0]), found[1][0])

    def connect(self, where: Where, early: Piece) -> int:
        """Returns how many bytes of `early` went with the SYN."""
        addr, port, lport = where
        self.number = int(self.call("connect", addr, port, 0, b"", lport, 0, dict(self.options)))
        return 0

    def connected(self) -> bool:
        """Is it, as far as asking can tell? The in-process API does not ask: it is told."""
        return False

    def send(self, data: Piece, urgent: bool, more: bool) -> int | None:
        return self.call("send", self.number, data)  # type: ignore[no-any-return]

    def take(self, most: int) -> list[Piece] | None:
        """What has arrived; [] at the end of the stream."""
        return self.call("take", self.number, most)  # type: ignore[no-any-return]

    def peek(self, most: int) -> bytes | None:
        """What `take` is about to return; None if it does not look."""
        return None

    def urgent(self) -> bytes:
        """The byte out of band, if there is one."""
        return b""

    def set(self, name: str, value: int) -> None:
        self.call("setopt", self.number, name, value)

    def errors(self) -> list[tuple[Any, ...]]:
        """What its error queue has, as in `due`."""
        return []

    def survives(self, code: int) -> bool:
        """Is an errno only what routers say, and the connection lives on?"""
        return False

    def shutdown(self, how: int = SHUT_WR) -> None:
        self.call("shutdown", self.number, how)

    def leave(self, how: str) -> int:
        """Let go of the socket: 'close' or 'abort'. Returns the ticket of a close that lingers, or 0."""
        self.call(how, self.number)
        return 0

    def below(self, host: Host) -> int:
        """The number of its connection in the host; 0: it has none."""
        return self.number

    def pending(self, host: Host) -> int:
        """The errno that its next call raises."""
        return 0

    def hush(self) -> None:
        """It listens no more."""
        if self.listener:
            self.call("close", self.listener)
        self.listener = 0

    def rest(self, reads: bool, writes: bool) -> None:
        """It waits for something to read, or for room."""


class Descriptor(Voice):
    """System calls. loop: the host's epoll; data: what that hands back for it."""

    loop = data = 0

    def sys(self, name: str, *args: Any) -> tuple[int, Any] | None:
        """One system call: its result and data; None: not yet. Raises StackError."""
        result, code, data = self.call("sys", name, *args)
        if result >= 0:
            return result, data
        if code in (EAGAIN, EINPROGRESS):
            return None
        raise StackError(code, f"{name} says so")

    def _count(self, name: str, *args: Any) -> int | None:
        back = self.sys(name, *args)
        return back[0] if back else None

    def _data(self, name: str, *args: Any) -> Any:
        back = self.sys(name, *args)
        return back[1] if back else None

    def _socket(self, addr: str) -> int:
        family = sk.AF_INET6 if ":" in addr else sk.AF_INET
        fd = self._count("socket", family, sk.SOCK_STREAM | SOCK_NONBLOCK, 0) or 0
        for name, value in self.options.items():
            self._set(fd, name, value)
        if self.speech.linger >= 0:
            self._put(fd, LINGER, 1, self.speech.linger)
        if self.speech.heeds:
            self._put(fd, RECVERR[family == sk.AF_INET6], 1)
        return fd

    def _put(self, fd: int, option: tuple[int, int], *numbers: int) -> None:
        self.sys("setsockopt", fd, *option, b"".join((it & 0xFFFFFFFF).to_bytes(4, "little") for it in numbers))

    def _set(self, fd: int, name: str, value: int) -> None:
        words = SETTINGS[name].names()
        if words:
            self.sys("setsockopt", fd, *NUMBERS[name], words[value].encode())
        elif name in NUMBERS:
            self._put(fd, NUMBERS[name], value)

    def _sign(self, fd: int, peer: str) -> None:
        """TCP_MD5SIG: a key for the peer."""
        if self.speech.secret:
            packed = parse_addr(peer)
            family = (sk.AF_INET if len(packed) == 4 else sk.AF_INET6).to_bytes(2, "little")
            name = (family + bytes(2 if len(packed) == 4 else 6) + packed).ljust(128, b"\0")
            size = len(self.speech.secret).to_bytes(2, "little")
            key = name + bytes(2) + size + bytes(4) + self.speech.secret.ljust(80, b"\0")
            self.sys("setsockopt", fd, *SIGN, key)

    def listen(self, port: int, peer: str, backlog: int) -> None:
        fd = self.listener = self._socket(peer)
        self._put(fd, REUSE, 1)
        self._put(fd, GUESTS, 5)
        self._sign(fd, peer)
        self.sys("bind", fd, ("::" if ":" in peer else "0.0.0.0", port))
        self.sys("listen", fd, backlog)
        self.sys("epoll_ctl", self.loop, EPOLL_CTL_ADD, fd, POLLIN, self.data + LISTENING)

    def accept(self) -> tuple[int, str] | None:
        back = self.sys("accept4", self.listener, SOCK_NONBLOCK)
        return None if back is None else (back[0], back[1][0])

    def connect(self, where: Where, early: Piece) -> int:
        addr, port, lport = where
        fd = self.number = self._socket(addr)
        self._sign(fd, addr)
        if lport:
            self._put(fd, REUSE, 1)
            self.sys("bind", fd, ("::" if ":" in addr else "0.0.0.0", lport))
        try:
            if self.speech.early == OPENS_EARLY:
                return self._count("sendto", fd, bytes(early), MSG_FASTOPEN, (addr, port)) or 0
            if self.speech.early == WAITS_FOR_DATA:
                self._put(fd, EAGER, 1)
        except StackError as error:
            if error.errno != EOPNOTSUPP:  # net.ipv4.tcp_fastopen does not let clients do that
                raise
        self.sys("connect", fd, (addr, port))
        return 0

    def connected(self) -> bool:
        """Raises the error of a connect that has failed; while it goes on SO_ERROR tells what may pass."""
        if self._count("poll", ((self.number, POLLOUT),), 0) == 0:
            return False
        code = self.last or int.from_bytes(self._data("getsockopt", self.number, *ERROR, 4), "little")
        lives = self._lives()
        if code and not (lives and code in self.rumours):
            raise StackError(code, "SO_ERROR, or the error queue, says so")
        return lives

    def _lives(self) -> bool:
        """It has a peer."""
        try:
            return self.sys("getpeername", self.number) is not None
        except StackError:
            return False

    def survives(self, code: int) -> bool:
        return self.speech.heeds and code in self.rumours and self._lives()

    def errors(self) -> list[tuple[Any, ...]]:
        """Its queue is read to the end, which also takes the error that SO_ERROR would tell (IP_RECVERR)."""
        found = list[tuple[Any, ...]]()
        while self.speech.heeds and (message := self._data("recvmsg", self.number, (QUOTE,), MSG_ERRQUEUE)) is not None:
            found.append(_entry(message.data, *message.control))
        self.last = found[-1][0] if found else 0
        return found

    def send(self, data: Piece, urgent: bool, more: bool) -> int | None:
        flags = (MSG_OOB if urgent else 0) | (MSG_MORE if more else 0)
        return self._count("send", self.number, bytes(data), flags)

    def take(self, most: int) -> list[Piece] | None:
        data = self._data("recv", self.number, most, 0)
        return None if data is None else [data] if data else []

    def peek(self, most: int) -> bytes | None:
        return self._data("recv", self.number, most, MSG_PEEK) if self.speech.peeks else None

    def urgent(self) -> bytes:
        try:
            return bytes(self._data("recv", self.number, 1, MSG_OOB) or b"")
        except StackError as error:
            if error.errno not in (EINVAL, ENOTCONN):  # there is none, and never will be: why, other calls tell
                raise
            return b""

    def set(self, name: str, value: int) -> None:
        self._set(self.number, name, value)

    def shutdown(self, how: int = SHUT_WR) -> None:
        self.sys("shutdown", self.number, how)

    def leave(self, how: str) -> int:
        if how == "abort":
            self._put(self.number, LINGER, 1, 0)
        back = self.call("sys", "close", self.number)
        return back if isinstance(back, int) else 0

    def below(self, host: Host) -> int:
        it = host.files.sockets.get(host.files.fds.get(self.number, 0))
        return it.sock if it else 0

    def pending(self, host: Host) -> int:
        return host.files.sockets[host.files.fds[self.number]].error

    def hush(self) -> None:
        if self.listener:
            self.sys("close", self.listener)
        self.listener = 0

    def rest(self, reads: bool, writes: bool) -> None:
        events = (POLLIN if reads else 0) | (POLLOUT if writes else 0)
        if not events:  # it would only hear of the end, again and again
            return
        if self.speech.fetches and reads and not self.options.get("oobinline"):  # in line it could not be fetched
            events |= POLLPRI
        op, self.watched = EPOLL_CTL_MOD if self.watched else EPOLL_CTL_ADD, True
        self.sys("epoll_ctl", self.loop, op, self.number, events | EPOLLONESHOT, self.data)


def _entry(data: bytes, message: tuple[int, int, bytes]) -> tuple[Any, ...]:
    """A message of the error queue as in Voice.due: struct sock_extended_err, and the address of who says so."""
    level, kind, raw = message
    number, origin, type, code = struct.unpack_from("<IBBB", raw)
    offender = raw[24:40] if (level, kind) == RECVERR[True] else mapped(raw[20:24])
    return number, origin, type, code, data, offender


def told(back: Any) -> Iterable[tuple[int, int]]:
    """What an epoll_wait has returned, a Back: (events, data) of each."""
    return back[2] or ()
