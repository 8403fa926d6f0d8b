# SPDX-License-Identifier: GPL-2.0-or-later
"""connect(): of streams (Linux's __inet_stream_connect) and of datagram sockets; and being unconnected again."""

import errno
from collections.abc import Callable

from labstack.core.errors import StackError
from labstack.ip.family import V4, V6, is_group, is_link_local
from labstack.ip.net import Path
from labstack.stack import calls, dial, ports
from labstack.stack.host import TCP, Host
from labstack.stack.syscall import binding, files, owed, sk
from labstack.stack.syscall.files import (
    ADDRESS,
    CONNECTED,
    CONNECTING,
    PORT,
    UNCONNECTED,
    Address,
    Back,
    Parked,
    Socket,
    refused,
)
from labstack.stack.syscall.sk import Name
from labstack.tcp import closing
from labstack.tcp.states import CLOSED, SYN_RECEIVED, SYN_SENT
from labstack.udp.socket import Udp

EAGER = (sk.IPPROTO_TCP, 30)  # TCP_FASTOPEN_CONNECT


def connect(host: Host, call: Parked, fd: int, addr: Address) -> Back | None:
    if call.ticket:
        return _wait(host, call, files.mine(host.files, call, fd))
    files.get(host.files, fd)
    name = sk.sockaddr(host, addr)
    s = files.mine(host.files, call, fd)
    if name.family == sk.AF_UNSPEC:
        s.era += 1
        disconnect(host, s)
    elif s.type == sk.SOCK_STREAM:
        if deferred(host, s):
            raise refused(errno.EISCONN)
        call.code = begin(host, s, name)
        return _wait(host, call, s)
    else:
        _datagrams(host, s, name)
    return 0, 0, None


def begin(host: Host, s: Socket, name: Name | None, early: bytes | None = None) -> int:
    """The SYN is on its way, or was before; returns the errno of who cannot wait. early: see dial.dial."""
    if s.phase == CONNECTING:
        return errno.EALREADY
    if s.phase == CONNECTED or (s.phase == UNCONNECTED and sk.state(host, s) != CLOSED):
        raise refused(errno.EISCONN)
    if s.phase != UNCONNECTED:
        raise refused(errno.EINVAL)
    if name is None:
        raise refused(errno.EINVAL)
    path = way(host, s, _peer(host, s, name))
    if path.group:
        raise refused(errno.ENETUNREACH)
    port = s.local[1] if s.local else ports.ephemeral(host, TCP, path.src, path.dst, name.port)
    try:
        may_wait = early is None and bool(s.options.get(EAGER))
        early = b"" if may_wait else early
        sock = dial.dial(host, path, port, name.port, s.dev, s.wishes, early=early, may_wait=may_wait, keys=s.keys)
    except StackError as why:
        raise refused(errno.EADDRNOTAVAIL if why.errno == errno.EADDRINUSE else why.errno or errno.EIO) from why
    binding.settle(host, s, path.src, port)
    sk.attach(host, s, sock)
    s.phase, s.error = CONNECTING, 0
    return errno.EINPROGRESS


def _wait(host: Host, call: Parked, s: Socket) -> Back | None:
    state = sk.state(host, s)
    if call.era != s.era:
        raise refused(errno.EPIPE)
    if deferred(host, s):
        return 0, 0, None  # it says so, and connects when it has data (TCP_FASTOPEN_CONNECT)
    if state in (SYN_SENT, SYN_RECEIVED):
        return call.wait(call.allowed(s.nonblock, s.sndtimeo), call.code)
    if state == CLOSED:
        code = sk.take_error(host, s) or errno.ECONNABORTED
        disconnect(host, s)
        raise refused(code)
    s.phase = CONNECTED
    return 0, 0, None


def deferred(host: Host, s: Socket) -> bool:
    """Its SYN waits for data."""
    it = sk.conn(host, s)
    return it is not None and it.fast is not None and it.fast.deferred


def way(host: Host, s: Socket, remote: bytes) -> Path:
    """The way to a peer from what the socket is bound to. Raises ENETUNREACH, EADDRNOTAVAIL, EAFNOSUPPORT."""
    local = source(host, s)
    if local and len(local) != len(remote):
        path = ports.path(host, remote, b"", s.dev)
        if len(remote) == 4:
            return path
        raise refused(errno.EAFNOSUPPORT)
    return ports.path(host, remote, local, s.dev)


def _peer(host: Host, s: Socket, name: Name) -> bytes:
    """The packed address to connect a stream to; the unspecified one is this host. Raises EAFNOSUPPORT, EINVAL, ..."""
    if s.family == sk.AF_INET6 and name.size < sk.SIZE6:
        raise refused(errno.EINVAL)
    if name.family != s.family:
        raise refused(errno.EAFNOSUPPORT)
    if name.packed[0] == 0xFF and s.family == sk.AF_INET6:
        raise refused(errno.ENETUNREACH)
    bound_to(s, name)
    return here(host, s, unmapped(s, name.packed))


def bound_to(s: Socket, name: Name) -> None:
    """A link-local address is on one link: the one that it names itself, or the socket. Raises EINVAL."""
    if len(name.packed) != 16:
        return
    if is_link_local(name.packed) or (name.packed[0] == 0xFF and name.packed[1] & 15 in (1, 2)):
        s.dev = s.dev or name.scope
        if not s.dev or name.scope not in (0, s.dev):
            raise refused(errno.EINVAL)


def unmapped(s: Socket, packed: bytes) -> bytes:
    """An IPv4-mapped address as IPv4. Raises ENETUNREACH if the socket is for IPv6 only."""
    if packed[:12] != sk.MAPPED or len(packed) != 16:
        return packed
    if s.v6only:
        raise refused(errno.ENETUNREACH)
    return packed[12:]


def here(host: Host, s: Socket, packed: bytes) -> bytes:
    """The unspecified address means this host (RFC 1122 §3.2.1.3 has no such destination; Linux stays at home)."""
    if any(packed):
        return packed
    if len(packed) == 4:
        return source(host, s) or V4.loopback
    return V4.loopback if s.local and len(s.local[0]) == 4 else V6.loopback


def source(host: Host, s: Socket) -> bytes:
    """The address that what it sends comes from, if that is settled; a group is no source."""
    local = s.local[0] if s.local else b""
    return local if any(local) and not binding.many(host, local) else b""


def disconnect(host: Host, s: Socket) -> None:
    """connect(AF_UNSPEC), and what follows a failed connect: unconnected, without what bind() has not settled."""
    it = sk.conn(host, s)
    if it is not None:
        pending = sk.error(host, s)
        s.error = closing.disconnect(host.env, it) or pending
        if s.owed:
            owed.settle(host, it)
        it.held = False
        host.env.dirty[it.sock] = None
    elif s.sock in host.listeners:
        calls.close(host, s.sock)
    elif s.sock in host.udps:
        host.udps[s.sock].remote, host.udps[s.sock].rport = b"", 0
    sk.attach(host, s, s.sock if s.sock in host.udps else 0)
    s.phase = UNCONNECTED
    s.shut = 0 if s.type == sk.SOCK_STREAM else s.shut
    _unsettle(host, s)
    files.changed(host.files, s)


def _unsettle(host: Host, s: Socket) -> None:
    """Address and port that bind() did not settle are given back; a stream's getsockname() still tells its port."""
    if s.local is None:
        return
    local, port = s.local
    local = local if s.locks & ADDRESS else sk.anywhere(s)
    binding.abandon(host, s)
    if s.locks & PORT:
        binding.settle(host, s, local, port)
        if s.type == sk.SOCK_DGRAM:
            receive(host, s)
    else:
        s.was = local, port if s.type == sk.SOCK_STREAM else 0


def receive(host: Host, s: Socket) -> None:
    """A datagram socket that has a port gets what arrives there."""
    local, port = s.local or (b"", 0)
    sock = s.sock or ports.fresh(host)
    if not s.sock:
        limit = s.wishes.get("rcvbuf", host.env.config["net.core.rmem_default"])
        host.udps[sock] = Udp(sock, b"", port, limit)
        sk.attach(host, s, sock)
    udp = host.udps[sock]
    udp.local, udp.lport, udp.dev = local if any(local) else b"", port, s.dev
    binding.serve(host, s)


def autobind(host: Host, s: Socket) -> None:
    """Before its first datagram a socket gets a port. Raises EAGAIN if there is none (inet_autobind)."""
    if s.local is not None:
        return
    try:
        binding.claim(host, s, sk.anywhere(s), 0)
    except StackError as why:
        raise refused(errno.EAGAIN) from why
    receive(host, s)


def _datagrams(host: Host, s: Socket, name: Name) -> None:
    """From and to this peer only (ip4_datagram_connect, ip6_datagram_connect)."""
    autobind(host, s)
    mapped = s.family == sk.AF_INET6 and name.family == sk.AF_INET
    if mapped and s.v6only:
        raise refused(errno.EAFNOSUPPORT)
    if s.family == sk.AF_INET6 and not mapped and name.size < sk.SIZE6:
        raise refused(errno.EINVAL)
    if name.family != s.family and not mapped:
        raise refused(errno.EAFNOSUPPORT)
    bound_to(s, name)
    remote = here(host, s, unmapped(s, name.packed))
    path = way(host, s, remote)
    if path.group and not is_group(remote) and not s.options.get(sk.BROADCAST):
        raise refused(errno.EACCES)
    if s.local and not any(s.local[0]):
        binding.settle(host, s, path.src, s.local[1])
        receive(host, s)
    udp = host.udps[s.sock]
    udp.remote, udp.rport = remote, name.port
    s.phase = CONNECTED


BLOCKING: dict[str, Callable[..., Back | None]] = {"connect": connect}
