# SPDX-License-Identifier: GPL-2.0-or-later
"""The active OPEN of a host: a connection along a path, and data with its SYN (RFC 9293 §3.10.1, RFC 7413)."""

import errno
from collections.abc import Mapping

from labstack.core.errors import StackError
from labstack.core.frame import Piece
from labstack.ip.family import text
from labstack.ip.net import Path
from labstack.stack import ports
from labstack.stack.host import Host
from labstack.tcp import closing, eager, opening, timewait
from labstack.tcp.conn import Conn, Fast
from labstack.tcp.md5 import Keys


def dial(
    host: Host,
    path: Path,
    lport: int,
    port: int,
    dev: int,
    options: Mapping[str, int | str],
    sock: int = 0,
    early: Piece | None = None,
    may_wait: bool = False,
    keys: Keys = (),
) -> int:
    """Begin a connection along a path; returns its socket number. Raises EADDRINUSE, or as ports.set_option.

    early: what may go with the SYN (Fast Open), None: it is an ordinary one. may_wait: the SYN waits for `hurry`, if
    something could go with it. keys: with which it is signed.
    """
    number = ports.fresh(host, sock)
    key = path.dst + path.src + port.to_bytes(2, "big") + lport.to_bytes(2, "big")
    old = host.conns[host.flows[key]] if key in host.flows else None
    if old is not None and not timewait.replaceable(old):
        raise StackError(errno.EADDRINUSE, f"there is a connection from port {lport} to {text(path.dst)} port {port}")
    used = old.snd.nxt if old is not None else None
    conn = opening.make(host.env, number, path, path.src, lport, path.dst, port, dev, used)
    if old is not None:
        timewait.replace(host.env, old, conn)
        closing.finish(host.env, old)
        ports.unlink(host, old)
    conn.keys = keys
    ports.set_options(host, conn, options)
    ports.adopt(host, conn)
    if may_wait and eager.possible(host.env, host.memory, conn):
        conn.fast = Fast(deferred=True)
    elif early is not None:
        _with_syn(host, conn, early)
    opening.active(host.env, conn)
    return number


def hurry(host: Host, conn: Conn, early: Piece) -> None:
    """The SYN that has waited goes, with data."""
    _with_syn(host, conn, early)
    opening.send_syn(host.env, conn)


def _with_syn(host: Host, conn: Conn, early: Piece) -> None:
    size = eager.begin(host.env, host.memory, conn, len(early))
    if size:
        conn.snd.out.append(memoryview(early)[:size], conn.snd.nxt)
