# SPDX-License-Identifier: GPL-2.0-or-later
"""Which calls a host must have made, from the packets that came and went.

Who answers a SYN listened; who sent one connected. What was sent up to a PSH was written at once, when its first byte
left. Applications read when a PSH has come, and before they write or close. A FIN is a close(), or a shutdown() if
bytes of the peer were still taken afterwards; a RST that nothing provoked is an abort.
"""

from collections.abc import Iterator, Sequence
from errno import ECONNREFUSED, EINPROGRESS
from typing import Any, NamedTuple

from labstack.core.config import Config
from labstack.core.errors import StackError
from labstack.ip.family import text
from labstack.scenario.packets.flow import MOD
from labstack.scenario.packets.wire import ACK, FIN, PSH, RST, SYN, Wire
from labstack.scenario.record.history import DGRAM, FAMILIES, LINGER, NONBLOCK, RESETS, SOCKET, STREAM
from labstack.scenario.record.story import Called, Crossed, Happened, Story
from labstack.scenario.target import Result
from labstack.tcp.window import shift_for

SOON = 1_000_000  # ns that a machine may take to answer
ECHO_REQUESTS = {4: b"\x08", 6: b"\x80"}
ECHOES = "echo requests that the host sent: no system call of a script does that"
BACKLOG = 128
RMEM, CORE = "net.ipv4.tcp_rmem.max", "net.core.rmem_max"


class Seen(NamedTuple):
    """The n-th packet; calls that led to it stand before it, others after."""

    n: int
    at: int
    inbound: bool
    data: bytes
    wire: Wire

    @property
    def end(self) -> int:
        """The number behind its last byte."""
        return int(self.wire.head.seq + len(self.wire.payload)) % MOD

    @property
    def before(self) -> int:
        return 2 * self.n - 1

    @property
    def after(self) -> int:
        return 2 * self.n + 1

    def has(self, flags: int) -> bool:
        """Is one of these flags set?"""
        return bool(self.wire.head.flags & flags)

    def opens(self, flags: int = SYN) -> bool:
        """Is it a SYN; or a SYN,ACK?"""
        return bool(self.wire.head.flags & (SYN | ACK) == flags)


def inferred(seen: Sequence[Seen], local: bytes) -> Story:
    """The story of the host `local`, to which these packets came and from which they went."""
    host = _Host(local)
    told: list[tuple[int, Happened]] = []
    for it in _at_once(seen):
        if it.wire.proto == 6:
            host.segment(it)
        elif it.wire.proto == 17:
            host.datagram(it)
        elif not it.inbound and it.wire.payload[:1] == ECHO_REQUESTS[it.wire.version]:
            host.left_out = (ECHOES,)
            continue
        told.append((2 * it.n, Crossed(it.at, it.inbound, it.data)))
    for mine in host.connections:
        _Connection(host, mine).tell()
    happened = tuple([what for _, what in sorted([*told, *host.calls], key=lambda one: one[0])])
    syn = next((it.wire for it in seen if not it.inbound and it.wire.proto == 6 and it.has(SYN)), None)
    return Story(text(local), happened, _config(syn), (local,), _mtu(syn), False, host.left_out)


def _at_once(seen: Sequence[Seen]) -> Iterator[Seen]:
    """What the host sent as soon as it could was sent at once: a machine takes microseconds, a script none."""
    at = real = 0
    for it in seen:
        if it.inbound or it.at - real > SOON:
            at = it.at
        real = it.at
        yield it._replace(at=at)


class _Host:
    """calls: each with the place at which it belongs; connections: the segments of each"""

    def __init__(self, local: bytes) -> None:
        self.name, self.family = text(local), FAMILIES[len(local)]
        self.calls: list[tuple[int, Called]] = []
        self.connections: list[list[Seen]] = []
        self.left_out: tuple[str, ...] = ()
        self.listeners: dict[int, int] = {}
        self._datagrams: dict[int, int] = {}
        self._latest: dict[tuple[bytes, int, int], list[Seen]] = {}
        self._free = 3

    def say(
        self, place: int, at: int, name: str, args: tuple[Any, ...], back: Result, until: int | None = None
    ) -> None:
        """A call was made."""
        self.calls.append((place, Called(at, name, args, back, until)))

    def socket(self, it: Seen, kind: int, protocol: int) -> int:
        """A socket was made before this packet."""
        fd = self.new()
        self.say(it.before, it.at, "socket", (self.family, kind, protocol), Result(fd))
        return fd

    def bind(self, it: Seen, fd: int, port: int) -> None:
        self.say(it.before, it.at, "bind", (fd, (self.name, port)), Result(0))

    def new(self) -> int:
        """A descriptor."""
        self._free += 1
        return self._free - 1

    def segment(self, it: Seen) -> None:
        """It is one of the latest connection between these ends, or its SYN begins another."""
        head = it.wire.head
        key = (it.wire.src, head.sport, head.dport) if it.inbound else (it.wire.dst, head.dport, head.sport)
        mine = self._latest.get(key)
        over = mine is None or any(old.has(RST) or (not old.inbound and old.has(FIN)) for old in mine)
        if over and it.opens():
            mine = self._latest[key] = []
            self.connections.append(mine)
        if mine is not None:  # else its beginning was not seen
            mine.append(it)

    def datagram(self, it: Seen) -> None:
        head, size = it.wire.head, len(it.wire.payload)
        port = head.dport if it.inbound else head.sport
        if port not in self._datagrams:
            self._datagrams[port] = self.socket(it, DGRAM, 17)
            if it.inbound:
                self.bind(it, self._datagrams[port], port)
        fd = self._datagrams[port]
        if it.inbound:
            self.say(it.after, it.at, "recvfrom", (fd, 65_535, 0), Result(size, 0, (bytes(size), None)))
        else:
            self.say(it.before, it.at, "sendto", (fd, bytes(size), 0, (text(it.wire.dst), head.dport)), Result(size))


class _Connection:
    """The calls of one connection, from its segments.

    fd 0: nobody has it yet; sent, came: the next byte that was never sent, and that was never received in order
    later: what came beyond a gap; pushed: it is time to read; finished: the peer's FIN came
    """

    def __init__(self, host: _Host, mine: list[Seen]) -> None:
        self.host, self.mine = host, mine
        self.passive = mine[0].inbound
        self.fd = self.sent = self.came = self.unread = self.heard = 0
        self.later: list[tuple[int, int]] = []
        self.pushed = self.finished = self.closed = False

    def tell(self) -> None:
        """All of them."""
        if self.passive:
            self._listen()
        else:
            self._connect()
        for i, it in enumerate(self.mine):
            if not it.inbound:
                self._went(it, self.mine[i + 1 :])
                continue
            if self.pushed:
                self._read(self.mine[i - 1].after, self.mine[i - 1].at)
            self._came(it)
            self.heard = it.at

    def _listen(self) -> None:
        """Somebody listened, if the SYN is answered by one."""
        first, port = self.mine[0], self.mine[0].wire.head.dport
        answered = any(not it.inbound and it.opens(SYN | ACK) for it in self.mine)
        if answered and port not in self.host.listeners:
            fd = self.host.listeners[port] = self.host.socket(first, STREAM, 6)
            self.host.bind(first, fd, port)
            self.host.say(first.before, first.at, "listen", (fd, BACKLOG), Result(0))

    def _connect(self) -> None:
        first = self.mine[0]
        answer = next((it for it in self.mine if it.inbound and (it.opens(SYN | ACK) or it.has(RST))), None)
        self.fd = self.host.socket(first, STREAM if answer else STREAM | NONBLOCK, 6)
        back = Result(0) if answer and not answer.has(RST) else Result(-1, ECONNREFUSED if answer else EINPROGRESS)
        remote = text(first.wire.dst), first.wire.head.dport
        self.host.say(first.before, first.at, "connect", (self.fd, remote), back, answer and answer.at)

    def _came(self, it: Seen) -> None:
        head = it.wire.head
        if it.has(SYN):
            self.came = (head.seq + 1) % MOD
        if self.passive and not self.fd and head.flags & (SYN | ACK | RST) == ACK:
            self.fd = self.host.new()
            listener = self.host.listeners.get(head.dport, -1)
            back = Result(self.fd, 0, (text(it.wire.src), head.sport))
            self.host.say(it.after, it.at, "accept", (listener,), back)
        self.unread += self._advance(head.seq, it.end)
        if it.has(FIN) and it.end == self.came:
            self.finished, self.came = True, (it.end + 1) % MOD
        self.closed = self.closed or it.has(RST)
        self.pushed = self.pushed or it.has(PSH | FIN)

    def _advance(self, start: int, end: int) -> int:
        """How many bytes in order are new with those from start to end."""
        before = self.came
        self.later.append((start, end))
        for first, last in sorted(self.later, key=lambda span: (span[0] - before + MOD // 2) % MOD):
            if not _ahead(first, self.came) and _ahead(last, self.came):
                self.came = last
        self.later = [span for span in self.later if _ahead(span[1], self.came)]
        return (self.came - before) % MOD

    def _went(self, it: Seen, rest: Sequence[Seen]) -> None:
        if it.has(SYN):
            self.sent = (it.wire.head.seq + 1) % MOD
        if self.closed or not self.fd:
            return
        if it.wire.payload and _ahead(it.end, self.sent):
            self.sent = _written(it, rest)
            size = (self.sent - it.wire.head.seq) % MOD
            self._read(it.before, it.at)
            self.host.say(it.before, it.at, "write", (self.fd, bytes(size)), Result(size))
        if it.has(FIN):
            self._read(it.before, it.at)
            taken = any(other.inbound and other.wire.payload for other in rest)
            self._end(it, "shutdown", 1) if taken and not self.finished else self._end(it, "close")
        elif it.has(RST) and it.at - self.heard > SOON:
            self.host.say(it.before, it.at, "setsockopt", (self.fd, SOCKET, LINGER, RESETS), Result(0))
            self._end(it, "close")

    def _end(self, it: Seen, name: str, *how: int) -> None:
        self.closed = True
        self.host.say(it.before, it.at, name, (self.fd, *how), Result(0))

    def _read(self, place: int, at: int) -> None:
        if self.unread and self.fd and not self.closed:
            back = Result(self.unread, 0, bytes(self.unread))
            self.host.say(place, at, "read", (self.fd, self.unread), back)
            self.unread, self.pushed = 0, False


def _ahead(a: int, b: int) -> bool:
    """Is sequence number a behind b in the stream, so that it is later?"""
    return 0 < (a - b) % MOD < MOD // 2


def _written(it: Seen, rest: Sequence[Seen]) -> int:
    """The number behind the write that begins with this segment: up to the PSH."""
    for other in rest:
        if it.has(PSH | FIN):
            break
        if not other.inbound and other.wire.payload and other.wire.head.seq == it.end:
            it = other
    return it.end


# how the host was set, as far as its SYN tells it


def _config(syn: Wire | None) -> Config:
    """Its sysctls."""
    config = Config()
    if syn is None:
        return config
    names = dict(syn.head.options)
    wanted = {f"net.ipv4.tcp_{key}": int(name in names) for key, name in
              (("sack", "SAckOK"), ("timestamps", "Timestamp"), ("window_scaling", "WScale"))}  # fmt: skip
    shift, usual = names.get("WScale"), shift_for(max(config[RMEM], config[CORE]))
    if isinstance(shift, int) and 0 <= shift <= 14 and shift != usual:
        most = max((65536 << shift) // 2, 4096)
        wanted |= {RMEM: most} if shift > usual else {RMEM: most, CORE: most}
    for name, value in wanted.items():
        try:
            config = config.replace({name: value})
        except StackError:  # we do not offer it
            continue
    return config


def _mtu(syn: Wire | None) -> int:
    """Of its link."""
    mss = dict(syn.head.options).get("MSS") if syn else None
    if syn is None or mss is None:
        return 1500
    return int(max(min(mss + (40 if syn.version == 4 else 60), 65535), 576 if syn.version == 4 else 1280))
