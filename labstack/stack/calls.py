# SPDX-License-Identifier: GPL-2.0-or-later
"""The in-process API: what an application may call, one function each; `OPS` is the list.

Addresses are given as text or packed, and returned as text. A call that cannot be done raises StackError with the
errno of the BSD call. Nothing blocks: EAGAIN says "not yet", and a Wake says when; a read that leaves something
behind is followed by another Wake.
"""

import errno
from collections.abc import Callable, Mapping
from typing import Any

from labstack.core.errors import StackError
from labstack.core.event import ACCEPTABLE, READABLE
from labstack.core.frame import Piece
from labstack.ip import icmp
from labstack.ip.family import is_group, parse_addr, text
from labstack.stack import dial, ports
from labstack.stack.host import TCP, UDP, Echo, Host
from labstack.stack.syscall.files import MSG_OOB
from labstack.tcp import ackgen, closing, fastopen, rate, receive, settings, sndbuf, urgent
from labstack.tcp.conn import Conn
from labstack.tcp.listen import Listener
from labstack.tcp.md5 import Key
from labstack.tcp.states import CAN_SEND, CLOSED, SYN_RECEIVED, SYN_SENT
from labstack.udp import socket as udp
from labstack.udp.socket import Udp

SHUT_RD, SHUT_WR, SHUT_RDWR = 0, 1, 2
Addr = str | bytes


def connect(
    host: Host,
    addr: Addr,
    port: int,
    sock: int = 0,
    local: Addr = b"",
    lport: int = 0,
    dev: int = 0,
    options: Mapping[str, int | str] | None = None,
) -> int:
    """Active OPEN (RFC 9293 §3.9.1.1): returns the socket number at once; CONNECTED or FAILED comes as a Wake.

    sock: a number of the caller's choice; options: see ports.OPTIONS. Raises EINVAL, ENETUNREACH, EADDRNOTAVAIL,
    EADDRINUSE.
    """
    remote, mine = _addr(addr), _addr(local) if local else b""
    _check_port(port)
    if is_group(remote) or remote in host.net.broadcast or not any(remote):
        # MUST-46
        raise StackError(errno.ENETUNREACH, f"TCP cannot connect to {text(remote)}: it is no single host's address")
    path = ports.path(host, remote, mine, dev)
    lport = lport or ports.ephemeral(host, TCP, path.src, remote, port)
    _check_port(lport)
    return dial.dial(host, path, lport, port, dev, options or {}, sock)


def listen(
    host: Host,
    port: int,
    addr: Addr = b"",
    backlog: int = 128,
    sock: int = 0,
    options: Mapping[str, int | str] | None = None,
) -> int:
    """Passive OPEN on a port; returns the listener's socket number. Raises EADDRINUSE, EADDRNOTAVAIL, EINVAL."""
    local = _addr(addr) if addr else b""
    wishes = {name: ports.option(name, value) for name, value in (options or {}).items()}
    number = ports.fresh(host, sock)
    made = listening(host, number, local, port, max(backlog, 0), wishes)
    ports.bind(host, TCP, local, port, number)
    host.listeners[number] = made
    return number


def listening(host: Host, sock: int, local: bytes, port: int, backlog: int, options: dict[str, int]) -> Listener:
    """A listener for a port, not yet in the table."""
    backlog = min(backlog, host.env.config["net.core.somaxconn"])
    made = Listener(sock, local, port, backlog, options=dict(options))
    fastopen.tune(host.env, made.guests, backlog)
    return made


def accept(host: Host, sock: int, as_sock: int = 0) -> tuple[int, tuple[str, int]]:
    """(socket number, (address, port)) of the next connection. Raises EAGAIN, EBADF.

    as_sock: a number of the caller's choice for the new socket.
    """
    listener = host.listeners.get(sock)
    if listener is None:
        raise _no_socket(sock, "a listener")
    if not listener.ready:
        raise StackError(errno.EAGAIN, f"no connection waits on port {listener.lport}")
    if as_sock:
        ports.fresh(host, as_sock)
    conn = next_of(host, listener)
    if listener.ready:
        host.env.wake(sock, ACCEPTABLE)
    if as_sock:
        ports.renumber(host, conn, as_sock)
    return conn.sock, (text(conn.remote), conn.rport)


def next_of(host: Host, listener: Listener) -> Conn:
    """The oldest connection that waits for accept, from now on its owner's."""
    conn = host.conns[listener.ready.popleft()]
    conn.parent, conn.held = 0, True
    return conn


def send(host: Host, sock: int, data: Piece, flags: int = 0) -> int:
    """Queue bytes for sending; returns how many fitted. Raises EAGAIN (none), EPIPE, ENOTCONN, or why it died.

    flags: MSG_OOB, the last byte is urgent; EOPNOTSUPP for others.
    data is kept, not copied: do not change it afterwards if it is a memoryview of something that can change.
    """
    conn = _conn(host, sock)
    if flags & ~MSG_OOB:
        raise StackError(errno.EOPNOTSUPP, f"send flags {flags}: expected 0 or MSG_OOB ({MSG_OOB})")
    _raise_error(conn)
    snd = conn.snd
    if conn.state not in CAN_SEND or snd.fin:
        raise StackError(errno.EPIPE, f"socket {sock} is in {conn.state}: it was shut down for sending")
    if not isinstance(data, bytes) and not (isinstance(data, memoryview) and data.contiguous and data.format == "B"):
        data = bytes(data)
    rate.check(snd)
    size = sndbuf.write(host.env, conn, len(data))
    snd.blocked = size < len(data)
    if not size and data:
        raise StackError(errno.EAGAIN, f"{len(snd.out)} bytes wait to be sent already")
    if size:
        snd.out.append(data if size == len(data) else memoryview(data)[:size], snd.nxt)
        host.env.dirty[sock] = None
    if size and flags:
        urgent.mark(host.env, conn)
    return size


def take(host: Host, sock: int, most: int = 1 << 30) -> list[Piece]:
    """Received bytes as pieces that were never copied; [] at the end of the stream. Raises EAGAIN, or why it died."""
    conn = _conn(host, sock)
    if most < 0:
        raise StackError(errno.EINVAL, f"at most {most} bytes: expected 0 or more")
    rcv = conn.rcv
    if rcv.queued:
        pieces = arrived(host, conn, most)
        if rcv.queued or _over(conn):
            host.env.wake(sock, READABLE)
        if pieces or not most:
            return pieces
    if rcv.fin is not None and rcv.nxt > rcv.fin:
        return []
    _raise_error(conn)
    if conn.state in (SYN_SENT, SYN_RECEIVED):
        raise StackError(errno.EAGAIN, f"socket {sock} is still connecting")
    if conn.state == CLOSED or not rcv.wanted:
        return []
    raise StackError(errno.EAGAIN, f"nothing has arrived on socket {sock}")


def arrived(host: Host, conn: Conn, most: int) -> list[Piece]:
    """At most so many of the bytes that have arrived, and none beyond an urgent mark; the window opens."""
    mark = conn.rcv.urgent
    pieces = urgent.read(host.env, conn, mark, most) if mark is not None else receive.take(host.env, conn, most)
    if conn.state != CLOSED:
        ackgen.read(host.env, conn)
    return pieces


def recv(host: Host, sock: int, most: int = 65_536) -> bytes:
    """Received bytes, at most `most`; b"" at the end of the stream. Raises EAGAIN, or why it died."""
    return b"".join(take(host, sock, most))


def shutdown(host: Host, sock: int, how: int = SHUT_WR) -> None:
    """Close one direction (SHUT_WR: a FIN follows what is queued) or both. Raises ENOTCONN, EINVAL."""
    conn = _conn(host, sock)
    if how not in (SHUT_RD, SHUT_WR, SHUT_RDWR):
        raise StackError(errno.EINVAL, f"shutdown {how!r}: expected 0 (receive), 1 (send) or 2 (both)")
    if conn.state == CLOSED:
        raise StackError(errno.ENOTCONN, f"socket {sock} is closed")
    if how != SHUT_WR:
        conn.rcv.wanted = False
        receive.take(host.env, conn, conn.rcv.queued)
        ackgen.read(host.env, conn)
    if how != SHUT_RD:
        closing.close(host.env, conn)


def close(host: Host, sock: int) -> None:
    """Let go of a socket: TCP closes in an orderly way, or resets if data was left unread. Raises EBADF."""
    if sock in host.conns:
        closing.release(host.env, _conn(host, sock))
        host.env.dirty[sock] = None
    elif sock in host.listeners:
        _close_listener(host, host.listeners[sock])
    elif sock in host.udps:
        ports.unbind(host, sock)
        del host.udps[sock]
    elif sock in host.echoes:
        del host.echoes[sock]
    else:
        raise _no_socket(sock, "a socket")


def _close_listener(host: Host, listener: Listener) -> None:
    """Connections that nobody accepted are reset, those that are not yet open forgotten, as Linux does."""
    for sock in listener.half:
        ports.forget(host, host.conns[sock])
    listener.half.clear()
    while listener.ready:
        conn = host.conns[listener.ready.popleft()]
        conn.parent = 0
        host.env.dirty[conn.sock] = None
        closing.abort(host.env, conn)
    ports.unbind(host, listener.sock)
    del host.listeners[listener.sock]


def abort(host: Host, sock: int) -> None:
    """ABORT (RFC 9293 §3.9.1.6): reset the connection and let go of the socket. Raises EBADF."""
    conn = _conn(host, sock)
    closing.abort(host.env, conn)
    conn.held = False
    host.env.dirty[sock] = None


def bind_udp(host: Host, port: int = 0, addr: Addr = b"", sock: int = 0) -> int:
    """A UDP socket on a port (0: a free one); returns its number. Raises EADDRINUSE, EADDRNOTAVAIL."""
    local = _addr(addr) if addr else b""
    number = ports.fresh(host, sock)
    port = port or ports.ephemeral(host, UDP, local, b"", 0)
    ports.bind(host, UDP, local, port, number)
    host.udps[number] = Udp(number, local, port, host.env.config["net.core.rmem_default"])
    return number


def connect_udp(host: Host, sock: int, addr: Addr, port: int) -> None:
    """Only this peer from now on; ICMP errors about it are reported. Raises EBADF, ENETUNREACH."""
    it = _udp(host, sock)
    _check_port(port)
    remote = _addr(addr)
    ports.path(host, remote, it.local, it.dev)
    it.remote, it.rport = remote, port


def sendto(host: Host, sock: int, data: Piece, addr: Addr = b"", port: int = 0) -> int:
    """One datagram; returns its size. Raises EDESTADDRREQ, EMSGSIZE, ENETUNREACH, or a pending error."""
    it = _udp(host, sock)
    _raise_pending(it)
    remote = _addr(addr) if addr else it.remote
    port = port or it.rport
    if not remote:
        raise StackError(errno.EDESTADDRREQ, f"socket {sock} is not connected: say where to send, with addr and port")
    _check_port(port)
    path = ports.path(host, remote, it.local, it.dev)
    udp.transmit(host.env, host.net, path, it.lport, port, bytes(data))
    return len(data)


def recvfrom(host: Host, sock: int) -> tuple[bytes, tuple[str, int]]:
    """(data, (address, port)) of the next datagram; for a ping socket port is the sequence number. Raises EAGAIN."""
    it: Udp | Echo = host.echoes[sock] if sock in host.echoes else _udp(host, sock)
    if not it.queue:
        _raise_pending(it)
        raise StackError(errno.EAGAIN, f"nothing has arrived on socket {sock}")
    data, addr, port = it.queue.popleft()[:3]
    if isinstance(it, Udp):
        it.queued -= udp.cost(data)
    if it.queue:
        host.env.wake(sock, READABLE)
    return data, (text(addr), port)


def ping(host: Host, addr: Addr, data: Piece = b"labstack", sock: int = 0) -> int:
    """An echo request; returns the ping socket's number, to be given again for the next one. Replies: recvfrom."""
    remote = _addr(addr)
    path = ports.path(host, remote, b"", 0)
    if sock not in host.echoes:
        number = ports.fresh(host, sock)
        host.echoes[number] = Echo(number, ident=host.env.rng.below(65_536))
        sock = number
    it = host.echoes[sock]
    it.seq += 1
    icmp.echo(host.env, host.net, path, it.ident, it.seq & 0xFFFF, bytes(data))
    return sock


def setopt(host: Host, sock: int, name: str, value: int | str) -> None:
    """Set one of ports.OPTIONS on a connection, or on a listener for those to come; congestion is a name. Raises EBADF,
    ENOPROTOOPT, EINVAL, ENOENT."""
    if sock in host.listeners:
        host.listeners[sock].options[name] = ports.option(name, value)
    else:
        ports.set_option(host, _conn(host, sock), name, value)


def sign(host: Host, sock: int, keys: tuple[Key, ...]) -> None:
    """Who must sign, and with what (RFC 2385): on a connection, or on a listener for those to come. Raises EBADF,
    EINVAL."""
    if not all(isinstance(it, Key) for it in keys):
        raise StackError(errno.EINVAL, f"sign {keys!r}: expected some of labstack.tcp.md5.Key")
    if sock in host.listeners:
        host.listeners[sock].keys = keys
    else:
        settings.sign(host.env, _conn(host, sock), keys)


def readable(host: Host, sock: int) -> int:
    """Bytes (or connections, datagrams) that a read would find now; -1 at the end of the stream or after an error."""
    if sock in host.listeners:
        return len(host.listeners[sock].ready)
    if sock in host.udps:
        return len(host.udps[sock].queue)
    if sock in host.echoes:
        return len(host.echoes[sock].queue)
    conn = _conn(host, sock)
    return conn.rcv.queued or (-1 if _over(conn) else 0)


def _over(conn: Conn) -> bool:
    """Nothing more can arrive."""
    rcv = conn.rcv
    return conn.state == CLOSED or not rcv.wanted or (rcv.fin is not None and rcv.nxt > rcv.fin)


def _addr(value: Addr) -> bytes:
    return parse_addr(value)


def _check_port(port: int) -> None:
    if not isinstance(port, int) or not 0 < port < 65_536:
        raise StackError(errno.EINVAL, f"port {port!r}: expected a number in 1..65535")


def _no_socket(sock: int, what: str) -> StackError:
    return StackError(errno.EBADF, f"{sock!r} is not {what} of this host; it may have been closed")


def _conn(host: Host, sock: int) -> Conn:
    conn = host.conns.get(sock)
    if conn is None or not conn.held:
        raise _no_socket(sock, "a TCP connection")
    return conn


def _udp(host: Host, sock: int) -> Udp:
    it = host.udps.get(sock)
    if it is None:
        raise _no_socket(sock, "a UDP socket")
    return it


def _raise_error(conn: Conn) -> None:
    if conn.error:
        raise StackError(conn.error, f"the connection to {text(conn.remote)} port {conn.rport} is over")


def _raise_pending(it: Udp | Echo) -> None:
    if it.error:
        code, it.error = it.error, 0
        raise StackError(code, "an ICMP error came back for an earlier datagram")


OPS: dict[str, Callable[..., Any]] = {
    "connect": connect,
    "listen": listen,
    "accept": accept,
    "send": send,
    "take": take,
    "recv": recv,
    "shutdown": shutdown,
    "close": close,
    "abort": abort,
    "udp": bind_udp,
    "udp_connect": connect_udp,
    "sendto": sendto,
    "recvfrom": recvfrom,
    "ping": ping,
    "setopt": setopt,
    "sign": sign,
    "readable": readable,
}
