# SPDX-License-Identifier: GPL-2.0-or-later
"""The send buffer: how much may be written now, and when it is worth telling whoever waits for room.

Linux's rules: a writer is told when a third is free (sk_stream_is_writeable), and what is not sent yet may be bounded,
too (TCP_NOTSENT_LOWAT: told below half of that).
"""

from labstack.core.env import Env
from labstack.core.event import WRITABLE
from labstack.tcp import tally
from labstack.tcp.conn import Conn


def room(env: Env, conn: Conn) -> int:
    """Bytes that may be written now."""
    snd = conn.snd
    if _unsent(conn) >= _lowat(env, conn):
        return 0
    return max(snd.limit - len(snd.out), 0)


def writable(env: Env, conn: Conn) -> bool:
    """Is there enough room to say so?"""
    snd = conn.snd
    return 3 * len(snd.out) <= 2 * snd.limit and 2 * _unsent(conn) < _lowat(env, conn)


def tell(env: Env, conn: Conn) -> None:
    """The application found no room, and there is some now."""
    conn.snd.blocked = False
    tally.room(conn.tally, env.now)
    env.wake(conn.sock, WRITABLE)


def _unsent(conn: Conn) -> int:
    return conn.snd.out.end - conn.snd.nxt


def _lowat(env: Env, conn: Conn) -> int:
    return conn.user.notsent_lowat or env.config["net.ipv4.tcp_notsent_lowat"]
