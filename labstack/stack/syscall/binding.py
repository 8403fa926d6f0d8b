# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may have which port: bind(), automatic binding, and what SO_REUSEADDR and SO_REUSEPORT allow, as in Linux.

A socket has a port from when it is bound until it is closed; a connection that lives on alone keeps it, too. Packets
find listeners and datagram sockets through host.bound, which of several has the latest.
"""

import errno
from collections.abc import Iterator
from typing import NamedTuple

from labstack.ip.family import V4, is_group
from labstack.ip.net import local as is_local
from labstack.stack import ports
from labstack.stack.host import TCP, UDP, Host
from labstack.stack.syscall import sk
from labstack.stack.syscall.files import PORT, Socket, refused
from labstack.tcp.states import CLOSED, SYN_RECEIVED

FREEBIND = 0, 15  # IP_FREEBIND, which IPv6 has under another number; one flag of the socket, as on Linux


class Holder(NamedTuple):
    """Somebody who has a port on an address, and whom he would share it with."""

    local: bytes
    reuseaddr: bool
    reuseport: bool
    listens: bool


def proto(s: Socket) -> str:
    return TCP if s.type == sk.SOCK_STREAM else UDP


def claim(host: Host, s: Socket, local: bytes, port: int) -> None:
    """Give a socket an address and a port (0: a free one). Raises EADDRINUSE."""
    port = port or _free(host, s, local)
    if conflicts(host, s, local, port):
        raise refused(errno.EADDRINUSE)
    settle(host, s, local, port)


def settle(host: Host, s: Socket, local: bytes, port: int) -> None:
    """The socket has this address and port from now on."""
    abandon(host, s)
    s.local = local, port
    host.files.ports.setdefault((proto(s), port), []).append(s.number)


def abandon(host: Host, s: Socket) -> None:
    """The socket gives up its port; whoever shared it gets what arrives from now on."""
    ports.unbind(host, s.sock)
    if s.local is None:
        return
    key = proto(s), s.local[1]
    sharers = host.files.ports[key]
    sharers.remove(s.number)
    for number in sharers:
        serve(host, host.files.sockets[number])
    if not sharers:
        del host.files.ports[key]
    s.local = None


def serve(host: Host, s: Socket) -> None:
    """What arrives for the port of a listener or a datagram socket is for this one, the latest, from now on."""
    if s.local is not None and (s.sock in host.listeners or s.sock in host.udps):
        host.bound[(proto(s), *s.local)] = s.sock


def conflicts(host: Host, s: Socket, local: bytes, port: int) -> bool:
    """Does somebody have the port who does not share it? (inet_csk_bind_conflict, udp_lib_lport_inuse)"""
    for it in _holders(host, s, port):
        shared = (s.reuseaddr and it.reuseaddr and not it.listens) or (s.reuseport and it.reuseport)
        if not shared and ports.overlap(local, it.local):
            return True
    return False


def _free(host: Host, s: Socket, local: bytes) -> int:
    """A port that nobody has on this address. Raises EADDRINUSE."""
    for port in ports.candidates(host, local, b"", 0):
        if not any(ports.overlap(local, it.local) for it in _holders(host, s, port)):
            return port
    raise refused(errno.EADDRINUSE)


def _holders(host: Host, s: Socket, port: int) -> Iterator[Holder]:
    """Who else has the port: sockets of descriptors, connections left alone, sockets of the in-process API."""
    name, it = proto(s), host.files
    for other in (it.sockets[number] for number in it.ports.get((name, port), ()) if number != s.number):
        conn = sk.conn(host, other)
        if other.local is not None and (conn is None or conn.state != CLOSED or other.locks & PORT):
            listens = other.sock in host.listeners
            yield Holder(other.local[0], other.reuseaddr, other.reuseport, listens)
    for (theirs, local, number), sock in host.bound.items():
        if (theirs, number) == (name, port) and sock not in it.owners:
            yield Holder(local, False, False, True)
    for conn in host.conns.values() if name == TCP else ():
        alone = conn.sock not in it.owners and conn.state not in (CLOSED, SYN_RECEIVED)
        if conn.lport == port and alone:
            yield Holder(conn.local, conn.reuse, False, False)


def own_address(host: Host, s: Socket, packed: bytes) -> bytes:
    """What bind() keeps of an address of this host: b"" is any address of either family. Raises EADDRNOTAVAIL."""
    if s.family == sk.AF_INET6 and packed[:12] == sk.MAPPED:
        packed = packed[12:]
        if s.v6only:
            raise refused(errno.EINVAL)
    anywhere = s.options.get(FREEBIND) or many(host, packed)
    if any(packed) and not is_local(host.net, packed) and not anywhere:
        raise refused(errno.EADDRNOTAVAIL)
    return b"" if packed == bytes(16) and not s.v6only else packed


def many(host: Host, packed: bytes) -> bool:
    """A group or a broadcast address: may be bound to, is nobody's own."""
    return is_group(packed) or packed in host.net.broadcast or packed == b"\xff" * V4.size
