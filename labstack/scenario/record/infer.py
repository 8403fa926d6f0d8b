# SPDX-License-Identifier: GPL-2.0-or-later
"""Which calls a host must have made, from the packets that came and went.

Who answers a SYN listened; who sent one connected. What was sent up to a PSH was written at once, when its first byte
left. Applications read when a PSH has come, and before they write or close. A FIN is a close(), or a shutdown() if
bytes of the peer were still taken afterwards; a RST that nothing provoked is an abort.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from errno import ECONNREFUSED, EINPROGRESS
from typing import Any

from labstack.core.config import Config
from labstack.core.errors import StackError
from labstack.ip.family import text
from labstack.scenario.packets.wire import Wire, take_apart
from labstack.scenario.record.calls import DGRAM, FAMILIES, LINGER, NONBLOCK, RESETS, SOCKET, STREAM
from labstack.scenario.record.events import Called, Crossed, Happened
from labstack.scenario.record.story import Story
from labstack.scenario.record.wire import housekeeping, ports
from labstack.scenario.target import Result
from labstack.tcp.window import shift_for

MOD = 1 << 32
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
SOON = 1_000_000  # ns that a machine may take to answer
ECHO_REQUESTS = {4: 8, 16: 128}
BACKLOG = 128
RMEM, CORE = "net.ipv4.tcp_rmem.max", "net.core.rmem_max"


def inferred(crossed: Sequence[Crossed], local: bytes) -> Story:
    """The story of the host `local`, to which these packets came and from which they went."""
    told = list(_at_once([it for it in crossed if not housekeeping(it)]))
    made = _Inferring(local)
    for i, it in enumerate(told):
        wire = take_apart(it.packet)
        if not isinstance(wire, str):
            made.take(it, wire, Later(told, i))
    return Story(text(local), tuple(made.happened), _config(told), (local,), _mtu(told), False, tuple(made.left_out))


def _at_once(crossed: Sequence[Crossed]) -> Iterator[Crossed]:
    """What the host sent as soon as it could was sent at once: a machine takes microseconds, a script none."""
    at = real = 0
    for it in crossed:
        if it.inbound or it.at - real > SOON:
            at = it.at
        real = it.at
        yield it._replace(at=at)


class Later:
    """What crossed after the n-th."""

    def __init__(self, crossed: Sequence[Crossed], n: int) -> None:
        self.crossed, self.n = crossed, n

    def __iter__(self) -> Iterator[Crossed]:
        return (self.crossed[i] for i in range(self.n + 1, len(self.crossed)))


@dataclass(slots=True)
class _Connection:
    """fd 0: nobody has it yet; sent, came: the next byte that was never sent, and that was never received in order"""

    passive: bool
    fd: int = 0
    established: bool = False
    sent: int = 0
    came: int = 0
    later: list[tuple[int, int]] = field(default_factory=list)  # what came beyond a gap
    unread: int = 0
    pushed: bool = False  # is it time to read?
    finished: bool = False  # the peer's FIN came
    closed: bool = False


class _Inferring:
    def __init__(self, local: bytes) -> None:
        self.local, self.family = local, FAMILIES[len(local)]
        self.happened: list[Happened] = []
        self.left_out: dict[str, None] = {}
        self.listeners: dict[int, int] = {}
        self.connections: dict[tuple[bytes, int, int], _Connection] = {}
        self.datagrams: dict[int, int] = {}
        self.free = 3
        self.last = self.heard = 0  # when the last packet came or went, and came

    def take(self, it: Crossed, wire: Wire, rest: Later) -> None:
        """A packet: the calls that led to it, itself, the calls that it led to."""
        if it.inbound:
            self._read_all()
        before: list[Called] = []
        after: list[Called] = []
        if wire.proto == 6 and wire.head is not None:
            before, after = self._segment(it, wire, rest)
        elif wire.proto == 17 and wire.head is not None:
            before, after = self._datagram(it, wire)
        elif not it.inbound and wire.payload[:1] == bytes([ECHO_REQUESTS[len(self.local)]]):
            self.left_out["echo requests that the host sent: no system call of a script does that"] = None
            return
        self.happened += [*before, it, *after]
        self.last, self.heard = it.at, it.at if it.inbound else self.heard

    def _read_all(self) -> None:
        """What came up to a PSH has been read, once the host had answered to it."""
        for there in self.connections.values():
            if there.pushed:
                self.happened += self._read(self.last, there)

    # TCP

    def _segment(self, it: Crossed, wire: Wire, rest: Later) -> tuple[list[Called], list[Called]]:
        pair: Any = ports(it, wire)
        key = (wire.src if it.inbound else wire.dst, *pair)
        before: list[Called] = []
        flags = wire.head.flags
        if flags & (SYN | ACK) == SYN and (key not in self.connections or self.connections[key].closed):
            self.connections[key] = _Connection(it.inbound)
            before = list(self._listen(it, key, rest) if it.inbound else self._connect(it, key, rest))
        there = self.connections.get(key)
        if there is None:  # of a connection whose beginning was not seen, or of none
            return before, []
        if it.inbound:
            return before, list(self._came(it, wire, there, key))
        return [*before, *self._went(it, wire, there, rest, key)], []

    def _listen(self, it: Crossed, key: tuple[bytes, int, int], rest: Later) -> Iterator[Called]:
        """Somebody listened, if the SYN is answered by one."""
        answered = any(not other.inbound and _answers(other, key) for other in rest)
        if key[1] in self.listeners or not answered:
            return
        fd = self.listeners[key[1]] = self._new()
        yield Called(it.at, "socket", (self.family, STREAM, 6), Result(fd))
        yield Called(it.at, "bind", (fd, (text(self.local), key[1])), Result(0))
        yield Called(it.at, "listen", (fd, BACKLOG), Result(0))

    def _connect(self, it: Crossed, key: tuple[bytes, int, int], rest: Later) -> Iterator[Called]:
        fd = self.connections[key].fd = self._new()
        answer = next((other for other in rest if other.inbound and _answers(other, key)), None)
        remote = text(key[0]), key[2]
        if answer is None:
            yield Called(it.at, "socket", (self.family, STREAM | NONBLOCK, 6), Result(fd))
            yield Called(it.at, "connect", (fd, remote), Result(-1, EINPROGRESS))
            return
        back = Result(-1, ECONNREFUSED) if _flags(answer) & RST else Result(0)
        yield Called(it.at, "socket", (self.family, STREAM, 6), Result(fd))
        yield Called(it.at, "connect", (fd, remote), back, answer.at)

    def _came(self, it: Crossed, wire: Wire, there: _Connection, key: tuple[bytes, int, int]) -> Iterator[Called]:
        head = wire.head
        if head.flags & SYN:
            there.came = (head.seq + 1) % MOD
        if there.passive and not there.established and head.flags & (SYN | ACK | RST) == ACK:
            there.established, there.fd = True, self._new()
            back = Result(there.fd, 0, (text(key[0]), key[2]))
            yield Called(it.at, "accept", (self.listeners.get(key[1], -1),), back)
        there.established = there.established or bool(head.flags & SYN and head.flags & ACK)
        end = (head.seq + len(wire.payload)) % MOD
        there.unread += _advance(there, head.seq, end)
        if head.flags & FIN and end == there.came:
            there.finished, there.came = True, (end + 1) % MOD
        if head.flags & RST:
            there.closed = True
        there.pushed = there.pushed or bool(head.flags & (PSH | FIN))

    def _went(
        self, it: Crossed, wire: Wire, there: _Connection, rest: Later, key: tuple[bytes, int, int]
    ) -> Iterator[Called]:
        head, size = wire.head, len(wire.payload)
        if head.flags & SYN:
            there.sent = (head.seq + 1) % MOD
        if there.closed or not there.fd:
            return
        if size and _ahead(head.seq + size, there.sent):
            written = _written(it, wire, rest, key)
            yield from self._read(it.at, there)
            yield Called(it.at, "write", (there.fd, bytes(written)), Result(written))
            there.sent = (head.seq + written) % MOD
        if head.flags & FIN:
            yield from self._read(it.at, there)
            yield from self._end(it, there, key, rest)
        elif head.flags & RST and it.at - self.heard > SOON:
            there.closed = True
            yield Called(it.at, "setsockopt", (there.fd, SOCKET, LINGER, RESETS), Result(0))
            yield Called(it.at, "close", (there.fd,), Result(0))

    def _end(self, it: Crossed, there: _Connection, key: tuple[bytes, int, int], rest: Later) -> Iterator[Called]:
        there.closed = True
        taken = any(other.inbound and _payload(other, key) for other in rest)
        if taken and not there.finished:
            yield Called(it.at, "shutdown", (there.fd, 1), Result(0))
        else:
            yield Called(it.at, "close", (there.fd,), Result(0))

    def _read(self, at: int, there: _Connection) -> Iterator[Called]:
        if there.unread and there.fd and not there.closed:
            yield Called(at, "read", (there.fd, there.unread), Result(there.unread, 0, bytes(there.unread)))
            there.unread, there.pushed = 0, False

    def _new(self) -> int:
        self.free += 1
        return self.free - 1

    # UDP

    def _datagram(self, it: Crossed, wire: Wire) -> tuple[list[Called], list[Called]]:
        pair: Any = ports(it, wire)
        made: list[Called] = []
        if pair[0] not in self.datagrams:
            fd = self.datagrams[pair[0]] = self._new()
            made.append(Called(it.at, "socket", (self.family, DGRAM, 17), Result(fd)))
            if it.inbound:
                made.append(Called(it.at, "bind", (fd, (text(self.local), pair[0])), Result(0)))
        fd, size = self.datagrams[pair[0]], len(wire.payload)
        if it.inbound:
            return made, [Called(it.at, "recvfrom", (fd, 65_535, 0), Result(size, 0, (bytes(size), None)))]
        remote = text(wire.dst), pair[1]
        return [*made, Called(it.at, "sendto", (fd, bytes(size), 0, remote), Result(size))], []


def _flags(it: Crossed) -> int:
    wire = take_apart(it.packet)
    return int(wire.head.flags) if not isinstance(wire, str) and wire.proto == 6 and wire.head is not None else 0


def _of(it: Crossed, key: tuple[bytes, int, int]) -> Wire | None:
    """The parts of a segment of this connection."""
    wire = take_apart(it.packet)
    if isinstance(wire, str) or wire.proto != 6 or wire.head is None:
        return None
    return wire if ((wire.src if it.inbound else wire.dst), *(ports(it, wire) or ())) == key else None


def _answers(it: Crossed, key: tuple[bytes, int, int]) -> bool:
    """Is it a SYN,ACK or, to the one who connects, a RST of this connection?"""
    wire = _of(it, key)
    if wire is None:
        return False
    flags = int(wire.head.flags)
    return flags & (SYN | ACK) == SYN | ACK or (it.inbound and bool(flags & RST))


def _payload(it: Crossed, key: tuple[bytes, int, int]) -> int:
    wire = _of(it, key)
    return len(wire.payload) if wire is not None else 0


def _ahead(a: int, b: int) -> bool:
    """Is sequence number a behind b in the stream, so that it is later?"""
    return 0 < (a - b) % MOD < MOD // 2


def _advance(there: _Connection, start: int, end: int) -> int:
    """How many bytes in order are new with those from start to end."""
    before = there.came
    there.later.append((start, end))
    for first, last in sorted(there.later, key=lambda span: (span[0] - before + MOD // 2) % MOD):
        if not _ahead(first, there.came) and _ahead(last, there.came):
            there.came = last
    there.later = [span for span in there.later if _ahead(span[1], there.came)]
    return (there.came - before) % MOD


def _written(it: Crossed, wire: Wire, rest: Later, key: tuple[bytes, int, int]) -> int:
    """The bytes of the write that begins with this segment: up to the PSH."""
    start: int = wire.head.seq
    end: int = (start + len(wire.payload)) % MOD
    if wire.head.flags & (PSH | FIN):
        return (end - start) % MOD
    for other in rest:
        segment = None if other.inbound else _of(other, key)
        if segment is None or segment.head.seq != end or not segment.payload:
            continue
        end = (end + len(segment.payload)) % MOD
        if segment.head.flags & (PSH | FIN):
            break
    return (end - start) % MOD


# how the host was set


def _config(crossed: Sequence[Crossed]) -> Config:
    """Sysctls of the host, as far as its SYN tells them."""
    config = Config()
    for it in crossed:
        if not it.inbound and _flags(it) & SYN:
            wire: Any = take_apart(it.packet)
            names = dict(wire.head.options)
            wanted = {f"net.ipv4.tcp_{key}": int(name in names) for key, name in
                      (("sack", "SAckOK"), ("timestamps", "Timestamp"), ("window_scaling", "WScale"))}  # fmt: skip
            shift = names.get("WScale")
            usual = shift_for(max(config[RMEM], config[CORE]))
            if isinstance(shift, int) and 0 <= shift <= 14 and shift != usual:
                most = max((65536 << shift) // 2, 4096)
                wanted |= {RMEM: most} if shift > usual else {RMEM: most, CORE: most}
            return _set(config, wanted)
    return config


def _set(config: Config, wanted: dict[str, int]) -> Config:
    """With those that we offer."""
    for name, value in wanted.items():
        try:
            config = config.replace({name: value})
        except StackError:
            continue
    return config


def _mtu(crossed: Sequence[Crossed]) -> int:
    """Of the host's link, as its SYN tells it."""
    for it in crossed:
        if not it.inbound and _flags(it) & SYN:
            wire: Any = take_apart(it.packet)
            mss: int | None = next((value for name, value in wire.head.options if name == "MSS"), None)
            if mss is not None:
                return max(min(mss + (40 if wire.version == 4 else 60), 65535), 576 if wire.version == 4 else 1280)
    return 1500
