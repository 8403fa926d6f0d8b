# SPDX-License-Identifier: GPL-2.0-or-later
"""The datagram socket: what arrived for it, and what it sends (RFC 768; RFC 8200 §8.1 for the checksum)."""

import struct
from collections import deque
from typing import NamedTuple

from labstack.core.env import Env
from labstack.core.event import FAILED, READABLE
from labstack.core.frame import Piece
from labstack.core.state import State, field, state
from labstack.ip.datagram import Datagram, Quoted
from labstack.ip.net import Net, Path
from labstack.ip.send import send
from layers import checksum

PROTO = 17
HLEN = 8
CSUM_AT = 6
OVERHEAD = 256  # bytes that a waiting datagram costs beside its data, so that empty ones are not free
_HEADER = struct.Struct("!HHHH")


class Received(NamedTuple):
    """A datagram that waits for its reader: where it came from, and what its IP header said."""

    data: bytes
    src: bytes
    sport: int
    dst: bytes = b""
    dev: int = 0  # index of the interface
    ttl: int = 0
    tos: int = 0


@state
class Udp(State):
    sock: int
    local: bytes  # b"": any address
    lport: int
    limit: int  # bytes that may wait for the reader
    remote: bytes = b""  # connected: only from there
    rport: int = 0
    dev: int = 0
    queue: deque[Received] = field(default_factory=deque)
    queued: int = 0  # bytes that `queue` costs
    error: int = 0  # errno, given to the next call

    def hears(self, src: bytes, sport: int) -> bool:
        """Is a datagram from there for this socket? A connected one hears only its peer."""
        return not self.remote or (self.remote == src and self.rport == sport)

    def check(self) -> None:
        if self.queued != sum(cost(it.data) for it in self.queue):
            raise AssertionError(f"socket {self.sock}: queued does not count what is queued")


def cost(data: Piece) -> int:
    """What a waiting datagram takes from the socket's limit."""
    return len(data) + OVERHEAD


def parse(env: Env, d: Datagram) -> tuple[int, int, memoryview] | None:
    """(source port, destination port, payload) of a UDP datagram, or None after a counted drop."""
    prefix = d.family.udp_counters
    env.count[prefix + "InSegs"] += 1
    if d.length < HLEN or d.end - d.at < HLEN:
        return _bad(env, prefix, "drop.udp.short")
    sport, dport, length, csum = _HEADER.unpack_from(d.buf, d.at)
    if length < HLEN or length > d.length:
        return _bad(env, prefix, "drop.udp.length")
    pieces = _pieces(d, length)
    if csum == 0 and d.family.udp_sum:
        return _bad(env, prefix, "drop.udp.zero_csum")
    if csum and not d.sure and not _sum_holds(d, pieces, length):
        env.count[prefix + "InCsumErrors"] += 1
        return _bad(env, prefix, "drop.udp.csum")
    whole = pieces[0] if len(pieces) == 1 else memoryview(b"".join(pieces))
    return sport, dport, whole[HLEN:]


def _bad(env: Env, prefix: str, reason: str) -> None:
    env.count[prefix + "InErrors"] += 1
    env.drop(reason)


def _pieces(d: Datagram, length: int) -> tuple[memoryview, ...]:
    """The datagram's bytes, without what follows the UDP length."""
    if not d.body:
        return (memoryview(d.buf)[d.at : d.at + length],)
    return (memoryview(b"".join((memoryview(d.buf)[d.at : d.end], *d.body)))[:length],)


def _sum_holds(d: Datagram, pieces: tuple[memoryview, ...], length: int) -> bool:
    return checksum.ones_sum(pieces[0], checksum.ones_sum(d.src + d.dst, PROTO + length)) == 0xFFFF


def deliver(env: Env, sock: Udp, d: Datagram, sport: int, data: memoryview) -> None:
    """Queue a datagram for its reader, whole or not at all."""
    prefix = d.family.udp_counters
    if sock.queued + cost(data) > sock.limit:
        env.count[prefix + "RcvbufErrors"] += 1
        return _bad(env, prefix, "drop.udp.rcvbuf")
    env.count[prefix + "InDatagrams"] += 1
    env.note("768/-/deliver", sock.sock, len(data))
    sock.queue.append(Received(bytes(data), d.src, sport, d.dst, d.iface.index, d.ttl, d.tos))
    sock.queued += cost(data)
    env.wake(sock.sock, READABLE)
    return None


def transmit(
    env: Env, net: Net, path: Path, lport: int, rport: int, data: Piece, ttl: int = 0, tos: int = 0, df: bool = True
) -> None:
    """One datagram; ttl: 0 for the default. Raises StackError EMSGSIZE if it does not fit the path."""
    length = HLEN + len(data)
    prefix = path.family.udp_counters
    head = _HEADER.pack(lport, rport, length & 0xFFFF, checksum.add(path.sum, PROTO + length))
    send(env, net, path, PROTO, head, (data,) if len(data) else (), csum_at=CSUM_AT, ttl=ttl, tos=tos, df=df)
    env.count[prefix + "OutDatagrams"] += 1


def icmp(env: Env, sock: Udp, quoted: Quoted) -> None:
    """An ICMP error about a datagram of ours: the next call of a connected socket fails (RFC 1122 §4.1.3.3)."""
    what = f"{quoted.type}/{quoted.code}"
    if sock.remote == quoted.dst and sock.rport == int.from_bytes(quoted.transport[2:4], "big"):
        env.note("1122/4.1.3.3/error", sock.sock, what)
        sock.error = quoted.errno
        env.wake(sock.sock, FAILED)
    else:
        env.note("1122/4.1.3.3/unconnected", sock.sock, what)
