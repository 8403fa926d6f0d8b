# SPDX-License-Identifier: GPL-2.0-or-later
"""Datagrams of a socket: what udp_recvmsg and udp_sendmsg of Linux decide."""

import errno

from labstack.core.errors import StackError
from labstack.ip import pmtu
from labstack.ip.datagram import Quoted
from labstack.ip.family import V4, V6, Family, is_group
from labstack.stack.host import Host
from labstack.stack.syscall import errqueue, files, message, poll, sk
from labstack.stack.syscall.connect import autobind, here, unmapped, way
from labstack.stack.syscall.files import (
    MSG_DONTWAIT,
    MSG_MORE,
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    NOWHERE,
    SHUT_RD,
    SHUT_WR,
    Address,
    Control,
    Got,
    Parked,
    Socket,
    refused,
)
from labstack.tcp.mtu import DO, DONT, INTERFACE, OMIT, PROBE, WANT
from labstack.udp import socket as udp

MOST = 65_535
DISCOVER = {V4: (0, 10), V6: (41, 23)}  # IP_MTU_DISCOVER, IPV6_MTU_DISCOVER


def receive(host: Host, call: Parked, s: Socket, n: int | None, flags: int) -> Got | None:
    """The next datagram, cut to n bytes, or None: wait. Raises EAGAIN, EFAULT, or the pending error."""
    code = sk.take_error(host, s)
    if code:
        raise refused(code)
    it = host.udps.get(s.sock)
    if it is not None and it.queue:
        first = it.queue[0]
        data = first.data
        if not flags & MSG_PEEK:
            it.queue.popleft()
            it.queued -= udp.cost(data)
        if n is None and data:
            raise refused(errno.EFAULT)
        part = data[: NOWHERE if n is None else n]
        size, cut = len(data) if flags & MSG_TRUNC else len(part), MSG_TRUNC if len(part) < len(data) else 0
        return Got(size, part, (first.src, first.sport), cut, message.of_datagram(s, first))
    patience = call.allowed(s.nonblock or bool(flags & MSG_DONTWAIT), s.rcvtimeo)
    if patience and sk.shut(host, s) & SHUT_RD:
        return Got(0, b"")
    return call.wait(patience, errno.EAGAIN)


def send(
    host: Host, s: Socket, data: bytes | None, flags: int, addr: Address, control: tuple[Control, ...] = ()
) -> int:
    """Send one datagram; returns its size. Raises EDESTADDRREQ, EMSGSIZE, EPIPE, ENETUNREACH, the pending error, ..."""
    autobind(host, s)
    size = NOWHERE if data is None else len(data)
    if s.family == sk.AF_INET:
        _rough(size, flags)
    aim = s.aim or _where(host, s, addr)
    if s.family == sk.AF_INET6 and len(aim[0]) == 4:
        _rough(size, flags)
    path = way(host, s, aim[0])
    if path.group and not is_group(aim[0]) and not s.options.get(sk.BROADCAST):
        raise refused(errno.EACCES)
    code = sk.take_error(host, s)
    if code or s.shut & SHUT_WR:
        raise refused(code or errno.EPIPE)
    held, s.held, s.aim = s.held, [], None
    if data is None:
        raise refused(errno.EFAULT)
    parts = [*held, data]
    if flags & MSG_MORE or s.options.get(sk.CORKED):
        s.held, s.aim = parts, aim
    else:
        ttl, tos = message.marks(s, len(path.dst), control)
        lport, wants = host.udps[s.sock].lport, discover(host, s, path.family)
        whole = wants in (DO, PROBE) or (wants == WANT and not path.fragile)
        path = path if wants < PROBE else path._replace(mtu=path.link_mtu)  # what was learnt of the path is not asked
        try:
            udp.transmit(host.env, host.net, path, lport, aim[1], b"".join(parts), ttl, tos, whole)
        except StackError:
            if wants in (DO, PROBE, INTERFACE):
                errqueue.too_large(s, path, aim)
            raise
        files.changed(host.files, s, poll.OUT)  # it is out, so there is room again (sock_def_write_space)
    return size


def discover(host: Host, s: Socket, family: Family) -> int:
    """IP_MTU_DISCOVER for packets of this family."""
    without = DONT if family.no_pmtu and host.env.config[family.no_pmtu] else WANT
    return s.options.get(DISCOVER[family], without)


def too_big(host: Host, s: Socket, quoted: Quoted) -> bool:
    """A router could not send a datagram of this socket on. False if the owner does not want to know."""
    wants = discover(host, s, quoted.family)
    if wants not in (INTERFACE, OMIT):
        pmtu.learn(host.env, host.net, quoted.dst, quoted.mtu)
    return wants not in (DONT, INTERFACE, OMIT)


def uncork(host: Host, s: Socket, value: int) -> None:
    """UDP_CORK: what was held back goes out when it is switched off, with the errors of sending (udp_push_pending)."""
    s.options[sk.CORKED] = int(bool(value))
    if not value and s.aim is not None:
        send(host, s, b"", 0, None)


def _rough(size: int, flags: int) -> None:
    """What IPv4 refuses before it looks at anything else."""
    if size > MOST:
        raise refused(errno.EMSGSIZE)
    if flags & MSG_OOB:
        raise refused(errno.EOPNOTSUPP)


def _where(host: Host, s: Socket, addr: Address) -> tuple[bytes, int]:
    """Where the datagram goes: to the address given, else to the peer. Raises EDESTADDRREQ, EINVAL, EAFNOSUPPORT."""
    it = host.udps[s.sock]
    if addr is None:
        if not it.remote:
            raise refused(errno.EDESTADDRREQ)
        return it.remote, it.rport
    name = sk.sockaddr(host, addr)
    if s.family == sk.AF_INET6 and name.family == sk.AF_UNSPEC:
        return _where(host, s, None)
    if s.family == sk.AF_INET6 and name.family not in (sk.AF_INET, sk.AF_INET6):
        raise refused(errno.EINVAL)
    if s.family == sk.AF_INET and name.family not in (sk.AF_INET, sk.AF_UNSPEC):
        raise refused(errno.EAFNOSUPPORT)
    if not name.port:
        raise refused(errno.EINVAL)
    if name.family == sk.AF_INET and s.v6only:
        raise refused(errno.ENETUNREACH)
    return here(host, s, unmapped(s, name.packed)), name.port
