# SPDX-License-Identifier: GPL-2.0-or-later
"""sk: what a socket is to its owner, in the terms of Linux's struct sock: state, shutdown, pending error, addresses.

The connection, listener or datagram socket beneath has the facts; a Socket has only what outlives them.
"""

import errno
from typing import NamedTuple

from labstack.ip.family import V4, V6, parse_addr, text
from labstack.ip.net import iface
from labstack.stack.host import Host
from labstack.stack.syscall import files
from labstack.stack.syscall.files import PORT, SHUT_RD, SHUT_WR, Address, Socket, refused
from labstack.tcp.conn import Conn
from labstack.tcp.states import CLOSED, ESTABLISHED, LISTEN, SYN_SENT, TIME_WAIT

AF_UNSPEC, AF_INET, AF_INET6 = 0, 2, 10
SOCK_STREAM, SOCK_DGRAM = 1, 2
IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMPV6 = 1, 6, 17, 58
SOL_SOCKET, SO_BROADCAST = 1, 6
BROADCAST, CORKED = (SOL_SOCKET, SO_BROADCAST), (IPPROTO_UDP, 1)  # UDP_CORK
SIZE6 = 24  # the least that C may say of a struct sockaddr_in6
MAPPED = bytes(10) + b"\xff\xff"
FAMILIES = {AF_INET: V4, AF_INET6: V6}


def conn(host: Host, s: Socket) -> Conn | None:
    """Its connection, alive or dead; None while it has none."""
    return host.conns.get(s.sock) if s.sock else None


def state(host: Host, s: Socket) -> str:
    """The state that the owner sees: TIME_WAIT is nobody's (CLOSED); a connected datagram socket is ESTABLISHED."""
    it = conn(host, s)
    if it is not None:
        return CLOSED if it.state == TIME_WAIT else it.state
    if s.sock in host.listeners:
        return LISTEN
    return ESTABLISHED if s.phase == files.CONNECTED else CLOSED


def shut(host: Host, s: Socket) -> int:
    """Linux's sk_shutdown: SHUT_RD | SHUT_WR, by the owner, by the peer's FIN, by the end of the connection."""
    it = conn(host, s)
    if it is None:
        return s.shut
    if it.state in (CLOSED, TIME_WAIT):
        return SHUT_RD | SHUT_WR
    return s.shut | (SHUT_RD if ended(it) else 0)


def ended(it: Conn) -> bool:
    """The peer's FIN has arrived (Linux's SOCK_DONE)."""
    return it.rcv.fin is not None and it.rcv.nxt > it.rcv.fin


def error(host: Host, s: Socket) -> int:
    """The pending error (sk_err), which stays. A reset after the peer's FIN is EPIPE (tcp_reset)."""
    it = conn(host, s)
    below = it or host.udps.get(s.sock) or host.echoes.get(s.sock)
    code = s.error or (below.error if below is not None else 0)
    return errno.EPIPE if code == errno.ECONNRESET and it is not None and ended(it) else code


def take_error(host: Host, s: Socket) -> int:
    """The pending error, which is told once (sock_error(), SO_ERROR)."""
    code, s.error = error(host, s), 0
    it = conn(host, s)
    below = it or host.udps.get(s.sock) or host.echoes.get(s.sock)
    if below is not None:
        below.error = 0
    return code


def peer(host: Host, s: Socket) -> tuple[bytes, int] | None:
    """Address and port of the peer, while it is connected to one."""
    it, udp = conn(host, s), host.udps.get(s.sock)
    if it is not None and it.state not in (CLOSED, TIME_WAIT, SYN_SENT):
        return it.remote, it.rport
    return (udp.remote, udp.rport) if udp is not None and udp.remote and udp.rport else None


def bound(host: Host, s: Socket) -> bool:
    """It has a port (Linux's inet_num); one that bind() has not settled goes with the connection that had it."""
    over = conn(host, s) is not None and state(host, s) == CLOSED
    return s.local is not None and (not over or bool(s.locks & PORT))


def anywhere(s: Socket) -> bytes:
    """Any address that the socket may have, as host.bound has it."""
    if s.family == AF_INET6 and not s.v6only:
        return b""
    return FAMILIES[s.family].any


def attach(host: Host, s: Socket, sock: int) -> None:
    """From now on it stands for this connection, listener or datagram socket of the host; 0: for none."""
    host.files.owners.pop(s.sock, None)
    s.sock = sock
    if sock:
        host.files.owners[sock] = s.number


def shown(s: Socket, addr: bytes, port: int) -> tuple[str, int]:
    """An address as calls hand it back, in the socket's family; b"" is any address."""
    if s.family == AF_INET:
        return text(addr or V4.any), port
    return "::ffff:" + text(addr) if len(addr) == 4 else text(addr or V6.any), port


def mapped(addr: bytes) -> bytes:
    """An address as IPv6 has it: an IPv4 one mapped, b"" is none."""
    return MAPPED + addr if len(addr) == 4 else addr or bytes(16)


class Name(NamedTuple):
    """struct sockaddr: family, packed address (b"" for a family alone), port, the size that C says, interface."""

    family: int
    packed: bytes
    port: int
    size: int
    scope: int = 0


def sockaddr(host: Host, addr: Address) -> Name:
    """An address as a call gives it; "fe80::1%eth0" names an interface. Raises EFAULT for a null pointer, EINVAL."""
    if addr is None:
        raise refused(errno.EFAULT)
    if isinstance(addr, int):
        return Name(addr, V4.any if addr == AF_INET else b"", 0, 16)
    if len(addr) != 2 or not isinstance(addr[0], str) or not isinstance(addr[1], int) or not 0 <= addr[1] < 65_536:
        raise refused(errno.EINVAL)
    words, _, scope = addr[0].partition("%")
    packed = parse_addr(words)
    if len(packed) == 4:
        return Name(AF_INET, packed, addr[1], 16)
    dev = iface(host.net, int(scope) if scope.isdecimal() else scope).index if scope else 0
    return Name(AF_INET6, packed, addr[1], 28, dev)
