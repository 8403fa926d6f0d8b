# SPDX-License-Identifier: GPL-2.0-or-later
"""What an application may set on a connection, by name: one table, each entry with bounds and how to read and write it.

Linux's socket options (TCP_MAXSEG, TCP_CORK, ...) and the in-process call `setopt` both end here.
"""

from collections.abc import Callable
from typing import NamedTuple

from labstack.core.config import CONGESTION, MIN_RCVBUF, MIN_SNDBUF, MS, SECOND, SYSCTLS
from labstack.core.env import Env
from labstack.tcp import ackgen, initial, keepalive, mtu, pace, rate, window
from labstack.tcp.cc import table
from labstack.tcp.conn import DELAYED, Conn
from labstack.tcp.md5 import Keys
from labstack.tcp.states import CLOSED, SYN_RECEIVED, SYN_SENT

BUFFER = 1 << 30
INT_MAX = (1 << 31) - 1
MIN_MSS = 88  # Linux's TCP_MIN_MSS


class Setting(NamedTuple):
    """words: the sysctl that has words for the values 0, 1, ...; "": there are none. unset: 0 is allowed, too, and sets
    nothing."""

    least: int
    most: int
    read: Callable[[Conn], int]
    write: Callable[[Env, Conn, int], None]
    words: str = ""
    unset: bool = False

    def names(self) -> tuple[str, ...]:
        return SYSCTLS[self.words].words if self.words else ()


def _unsent(conn: Conn) -> bool:
    """Our SYN has not gone out: what it says is still ours to choose."""
    return conn.snd.nxt == conn.snd.iss


def _nodelay(env: Env, conn: Conn, value: int) -> None:
    conn.snd.nodelay = conn.snd.push = bool(value)
    env.dirty[conn.sock] = None


def _cork(env: Env, conn: Conn, value: int) -> None:
    conn.snd.corked = bool(value)
    env.dirty[conn.sock] = None


def _rcvbuf(env: Env, conn: Conn, value: int) -> None:
    """Doubled, as Linux does, which counts memory: about half of it is payload. From now on it stays as it is."""
    conn.rcv.limit, conn.rcv.locked = 2 * value, True


def _oobinline(env: Env, conn: Conn, value: int) -> None:
    conn.rcv.inline = bool(value)


def _rcvlowat(env: Env, conn: Conn, value: int) -> None:
    """Bytes that the application waits for; they must fit into the buffer (tcp_set_rcvlowat)."""
    rcv = conn.rcv
    rcv.lowat = value
    limit = window.memory_for(rcv, value)
    if not rcv.locked and limit > rcv.limit:
        rcv.limit = limit
        if 0 < rcv.clamp < value:
            rcv.clamp = value


def _clamp(env: Env, conn: Conn, value: int) -> None:
    """The window is never larger."""
    if _unsent(conn):
        conn.rcv.clamp = max(value, window.LEAST_CLAMP) if value else 0
    else:
        window.set_clamp(conn.rcv, value)


def _sndbuf(env: Env, conn: Conn, value: int) -> None:
    """Doubled, too."""
    conn.snd.limit, conn.snd.locked = 2 * value, True


def _maxseg(env: Env, conn: Conn, value: int) -> None:
    """The largest segment that we announce, and that we send (RFC 9293 §3.7.1); settled by the SYNs."""
    conn.user = conn.user._replace(maxseg=value)
    if value and _unsent(conn):
        rcv, snd = conn.rcv, conn.snd
        rcv.mss, rcv.seen, snd.mss = min(rcv.mss, value), min(rcv.seen, value), min(snd.mss, value)


def _quickack(env: Env, conn: Conn, value: int) -> None:
    """1: acknowledge what is due now, and at once for a while; 2: only what is due now; 0: wait for company.

    As on Linux (tcp_cleanup_rbuf) what is due waits until the application has read everything.
    """
    rcv = conn.rcv
    if not value:
        ackgen.expect_answer(env, rcv)
        return
    rcv.pingpong = 0
    if rcv.ack == DELAYED:
        rcv.pushed = rcv.pushed or 1
        ackgen.read(env, conn)
        if not value & 1:
            ackgen.expect_answer(env, rcv)


def _ttl(env: Env, conn: Conn, value: int) -> None:
    conn.ttl = value


def _tos(env: Env, conn: Conn, value: int) -> None:
    conn.tos = value


def _of_family(size: int, write: Callable[[Env, Conn, int], None]) -> Callable[[Env, Conn, int], None]:
    """For connections whose addresses have so many bytes; nothing happens to others."""

    def guarded(env: Env, conn: Conn, value: int) -> None:
        if len(conn.remote) == size:
            write(env, conn, value)

    return guarded


def _discover(env: Env, conn: Conn, value: int) -> None:
    """IP_MTU_DISCOVER; the next segment has DF or not."""
    conn.discover, conn.version = value, -1


def _congestion(env: Env, conn: Conn, value: int) -> None:
    """Another controller: for a connection under way it takes the window as it is (tcp_set_congestion_control)."""
    snd, name = conn.snd, SYSCTLS[table.SYSCTL].words[value]
    if name == snd.cc.name:
        return
    if conn.state in (CLOSED, SYN_SENT, SYN_RECEIVED):
        snd.cc = table.make(name, env.config, snd.cc.mss, snd.cc.seed)
        snd.cc.cwnd = initial.window(env, conn)
        return
    snd.loss.prior_ssthresh = 0
    snd.cc = table.switch(snd.cc, name, env.config, rate.moment(env, snd), ecn=bool(conn.ecn))


def sign(env: Env, conn: Conn, keys: Keys) -> None:
    """TCP_MD5SIG: segments are signed from now on, one by one, and each takes the long way in."""
    conn.keys, conn.version, conn.approved = keys, -1, (-1, 0, b"")
    if not _unsent(conn):
        mtu.sync(env, conn, conn.mtu)


def _reuse(env: Env, conn: Conn, value: int) -> None:
    conn.reuse = bool(value)


def _user(name: str, unit: int = 1) -> Callable[[Env, Conn, int], None]:
    """Write a field of `Conn.user`, given in this unit; negative values are kept as they are."""

    def write(env: Env, conn: Conn, value: int) -> None:
        conn.user = conn.user._replace(**{name: value * unit if value > 0 else value})

    return write


def _keeping(name: str, unit: int) -> Callable[[Env, Conn, int], None]:
    """The same, and the keep-alive timer follows."""
    write = _user(name, unit)

    def then(env: Env, conn: Conn, value: int) -> None:
        write(env, conn, value)
        keepalive.start(env, conn)

    return then


SETTINGS: dict[str, Setting] = {
    "nodelay": Setting(0, 1, lambda c: c.snd.nodelay, _nodelay),
    "cork": Setting(0, 1, lambda c: c.snd.corked, _cork),
    "rcvbuf": Setting(MIN_RCVBUF // 2, BUFFER, lambda c: c.rcv.limit // 2, _rcvbuf),
    "oobinline": Setting(0, 1, lambda c: c.rcv.inline, _oobinline),
    "rcvlowat": Setting(1, INT_MAX, lambda c: c.rcv.lowat, _rcvlowat),
    "window_clamp": Setting(0, INT_MAX, lambda c: c.rcv.clamp, _clamp),  # 0: none
    "sndbuf": Setting(MIN_SNDBUF // 2, BUFFER, lambda c: c.snd.limit // 2, _sndbuf),
    "maxseg": Setting(MIN_MSS, 32_767, lambda c: c.user.maxseg, _maxseg, unset=True),  # bytes
    "quickack": Setting(0, 3, lambda c: not c.rcv.pingpong, _quickack),
    "ttl": Setting(1, 255, lambda c: c.ttl, _ttl),
    "tos": Setting(0, 255, lambda c: c.tos, _tos),
    "ttl4": Setting(0, 255, lambda c: c.ttl, _of_family(4, _ttl)),  # 0: the default
    "tos4": Setting(0, 255, lambda c: c.tos, _of_family(4, _tos)),
    "hops6": Setting(0, 255, lambda c: c.ttl, _of_family(16, _ttl)),
    "tclass6": Setting(0, 255, lambda c: c.tos, _of_family(16, _tos)),
    "discover": Setting(0, 5, lambda c: c.discover, _discover),
    "discover4": Setting(0, 5, lambda c: c.discover, _of_family(4, _discover)),
    "discover6": Setting(0, 5, lambda c: c.discover, _of_family(16, _discover)),
    "congestion": Setting(0, len(CONGESTION) - 1, lambda c: table.number(c.snd.cc), _congestion, table.SYSCTL),
    "pacing": Setting(0, pace.UNLIMITED - 1, lambda c: c.user.pacing, _user("pacing")),  # bytes/s; 0: no limit
    "reuse": Setting(0, 1, lambda c: c.reuse, _reuse),
    "syn_retries": Setting(0, 127, lambda c: c.user.syn_retries, _user("syn_retries")),
    "no_cookie": Setting(0, 1, lambda c: c.user.no_cookie, _user("no_cookie")),
    "defer_accept": Setting(0, 255, lambda c: c.user.defer_accept, _user("defer_accept")),
    "user_timeout": Setting(0, INT_MAX, lambda c: c.user.timeout // MS, _user("timeout", MS)),
    "linger2": Setting(-1, 120, lambda c: c.user.linger2 // SECOND, _user("linger2", SECOND)),
    "notsent_lowat": Setting(0, 0xFFFFFFFF, lambda c: c.user.notsent_lowat, _user("notsent_lowat")),
    "keepalive": Setting(0, 1, lambda c: c.user.keepalive, _keeping("keepalive", 1)),
    "keep_idle": Setting(0, 32_767, lambda c: c.user.keep_idle // SECOND, _keeping("keep_idle", SECOND)),
    "keep_interval": Setting(0, 32_767, lambda c: c.user.keep_interval // SECOND, _user("keep_interval", SECOND)),
    "keep_count": Setting(0, 127, lambda c: c.user.keep_count, _user("keep_count")),
}
