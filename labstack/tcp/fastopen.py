# SPDX-License-Identifier: GPL-2.0-or-later
"""Fast Open, the server's side (RFC 7413 §4.1, §4.2.2): cookies, and data that a SYN brings.

A cookie is a keyed hash of the two addresses, so that nothing is remembered of clients. With a valid one the
application gets connection and data before the handshake is over; how many such handshakes may be under way is limited,
because addresses may be forged with cookies that were stolen. The client's side is `eager`.
"""

from collections import deque

from labstack.core.config import KEY_BITS, SECOND
from labstack.core.env import Env
from labstack.core.state import State, field, state
from labstack.tcp import opening, receive, window
from labstack.tcp.conn import Conn
from labstack.tcp.eager import ALL_LISTENERS, SERVER, SERVER_FREE
from labstack.tcp.segment import Segment
from labstack.tcp.siphash import siphash
from labstack.tcp.states import CLOSED

PENANCE = 60 * SECOND  # ns for which a connection that was reset before its handshake was over counts


@state
class Guests(State):
    """Connections of a listener that its application has, or may have, before their handshake is over."""

    limit: int = 0  # how many there may be (TCP_FASTOPEN); 0: no Fast Open
    waiting: int = 0  # how many there are, those in `resets` among them
    resets: deque[int] = field(default_factory=deque)  # ns until when one that was reset counts, oldest first
    keys: tuple[bytes, ...] = ()  # of this listener alone (TCP_FASTOPEN_KEY), the primary one first
    free: bool = False  # it takes data without a cookie (TCP_FASTOPEN_NO_COOKIE)


def tune(env: Env, guests: Guests, backlog: int) -> None:
    """A new listener: net.ipv4.tcp_fastopen may say that all of them take guests."""
    flags = env.config["net.ipv4.tcp_fastopen"]
    if flags & SERVER and flags & ALL_LISTENERS and not guests.limit:
        guests.limit = backlog


def serve(env: Env, conn: Conn, guests: Guests, seg: Segment) -> bool:
    """A SYN has been taken in: may the application have the connection now (Linux's tcp_try_fastopen)?"""
    flags, it = env.config["net.ipv4.tcp_fastopen"], conn.half
    assert it is not None
    env.count["TcpExtTCPFastOpenCookieReqd"] += seg.fo == b""
    if not flags & SERVER or not (seg.size or seg.fo is not None) or not _room(env, guests):
        return False
    if flags & SERVER_FREE or guests.free:
        _take(env, conn, guests, seg)
        return True
    if seg.fo is None:
        return False
    good = [cookie(key, conn.remote, conn.local) for key in guests.keys or keys(env)]
    if seg.fo != good[0]:
        it.option = (seg.fo_kind, good[0])  # RFC 7413 §4.1.2: the right one, or the one that was asked for
    if seg.fo not in good:
        env.note("7413/4.2.2/cookie", conn.sock, len(seg.fo))
        env.count["TcpExtTCPFastOpenPassiveFail"] += bool(seg.fo)
        return False
    env.count["TcpExtTCPFastOpenPassiveAltKey"] += seg.fo != good[0]
    _take(env, conn, guests, seg)
    return True


def _room(env: Env, guests: Guests) -> bool:
    """RFC 7413 §5.1: those that were reset count for a while, too."""
    if guests.limit and guests.waiting >= guests.limit:
        if not guests.resets or guests.resets[0] > env.now:
            env.count["TcpExtTCPFastOpenListenOverflow"] += 1
            env.note("7413/5.1/limit", 0, guests.limit)
            return False
        guests.resets.popleft()
        guests.waiting -= 1
    return guests.limit > 0


def _take(env: Env, conn: Conn, guests: Guests, seg: Segment) -> None:
    """The connection begins: its window, its controller, and what the SYN brought (RFC 7413 §4.2.2)."""
    assert conn.half is not None
    env.note("7413/4.2.2/data", conn.sock, seg.size)
    env.count["TcpPassiveOpens"] += 1
    env.count["TcpExtTCPFastOpenPassive"] += 1
    guests.waiting += 1
    conn.half.fast = True
    opening.first_flight(env, conn)
    window.advertise(env, conn, True)
    if seg.size:
        seg.seq += 1
        receive.text(env, conn, seg)
        conn.syn_data = True
        conn.rcv.ato = conn.rcv.quick = 0  # the SYN,ACK acknowledges it, and tells nothing of the peer's pace


def over(env: Env, guests: Guests, conn: Conn) -> None:
    """Its handshake has ended, or was ended by a reset: then it may have been forged, and counts for a while."""
    if conn.state == CLOSED and conn.error:
        guests.resets.append(env.now + PENANCE)
    else:
        guests.waiting -= 1


# cookies


def cookie(key: bytes, client: bytes, server: bytes) -> bytes:
    """RFC 7413 §4.1.2: what a client with this address sends, and nobody else can know; as Linux makes it."""
    return siphash(key, client + server).to_bytes(8, "little")


def keys(env: Env) -> tuple[bytes, ...]:
    """The keys of this host, the primary one first; a secret one until somebody has set them."""
    value = env.config["net.ipv4.tcp_fastopen_key"]
    if not value:
        return (b"".join(env.rng.secret(b"fastopen", half).to_bytes(8, "big") for half in (b"1", b"2")),)
    count = value >> 2 * KEY_BITS
    return tuple(_in_memory((value >> KEY_BITS * (1 - n)) % (1 << KEY_BITS)) for n in range(count))


def _in_memory(key: int) -> bytes:
    """Four words in the order in which they are written, each as a little-endian machine keeps it."""
    written = key.to_bytes(KEY_BITS // 8, "big")
    return b"".join(written[at : at + 4][::-1] for at in range(0, len(written), 4))
