# SPDX-License-Identifier: GPL-2.0-or-later
"""From socket() to close(): descriptors, names, listeners (Linux's inet_create, inet_bind ... inet_release).

connect.py has connect(), data.py reads and writes. Checks come in Linux's order: it decides which errno is told.
"""

import errno
from collections.abc import Callable

from labstack.stack import calls, ports
from labstack.stack.host import Host
from labstack.stack.syscall import binding, connect, epoll, files, knobs, opening, sk
from labstack.stack.syscall.files import (
    ADDRESS,
    PORT,
    SHUT_RD,
    SHUT_WR,
    Address,
    Back,
    Epoll,
    Parked,
    Socket,
    refused,
)
from labstack.stack.syscall.files import UNCONNECTED as FREE
from labstack.tcp import closing
from labstack.tcp.conn import Conn
from labstack.tcp.states import CLOSED, CLOSING, FIN_WAIT_1, LAST_ACK, LISTEN, SYN_RECEIVED, SYN_SENT

SOCK_NONBLOCK, SOCK_CLOEXEC = 0o4000, 0o2000000
KINDS = {sk.SOCK_STREAM: (sk.IPPROTO_TCP,), sk.SOCK_DGRAM: (sk.IPPROTO_UDP,)}  # the first is what 0 means
MAX_FAMILY, MAX_TYPE, MAX_PROTOCOL = 46, 11, 263  # Linux's NPROTO, SOCK_MAX, IPPROTO_MAX
DONE: Back = (0, 0, None)


def socket(host: Host, family: int, type: int, protocol: int) -> Back:
    kind, flags = type & 15, type & ~15
    if flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC):
        raise refused(errno.EINVAL)
    if not 0 <= family < MAX_FAMILY:
        raise refused(errno.EAFNOSUPPORT)
    if kind >= MAX_TYPE:
        raise refused(errno.EINVAL)
    if family not in sk.FAMILIES:
        raise refused(errno.EAFNOSUPPORT)
    if not 0 <= protocol < MAX_PROTOCOL:
        raise refused(errno.EINVAL)
    if kind not in KINDS:
        raise refused(errno.ESOCKTNOSUPPORT)
    proto = protocol or KINDS[kind][0]
    if proto not in KINDS[kind]:
        raise refused(errno.EPROTONOSUPPORT)
    s = Socket(files.new_number(host.files), family, kind, proto, nonblock=bool(flags & SOCK_NONBLOCK))
    fd = files.install(host.files, s, bool(flags & SOCK_CLOEXEC))
    host.files.sockets[s.number] = s
    return fd, 0, None


def bind(host: Host, fd: int, addr: Address) -> Back:
    s = files.socket(host.files, fd)
    name = sk.sockaddr(host, addr)
    if s.family == sk.AF_INET6:
        if name.size < sk.SIZE6 or (name.packed[0] == 0xFF and s.type == sk.SOCK_STREAM):
            raise refused(errno.EINVAL)
        _unbound(host, s)
        connect.bound_to(s, name)
    elif name.family not in (sk.AF_INET, sk.AF_UNSPEC):
        raise refused(errno.EAFNOSUPPORT)
    local = binding.own_address(host, s, name.packed or sk.FAMILIES[s.family].any)
    _unbound(host, s)
    if s.local is not None:  # of a connection that is over
        s.was = sk.anywhere(s), s.local[1]
        binding.abandon(host, s)
    binding.claim(host, s, local, name.port)
    s.locks = (ADDRESS if any(local) else 0) | (PORT if name.port else 0)
    s.v6only = s.v6only or (len(local) == 16 and any(local))
    if s.type == sk.SOCK_DGRAM:
        connect.receive(host, s)
    return DONE


def _unbound(host: Host, s: Socket) -> None:
    if sk.state(host, s) != CLOSED or sk.bound(host, s):
        raise refused(errno.EINVAL)


def listen(host: Host, fd: int, backlog: int) -> Back:
    """A second listen() changes the backlog."""
    s = files.socket(host.files, fd)
    if s.type != sk.SOCK_STREAM:
        raise refused(errno.EOPNOTSUPP)
    state = sk.state(host, s)
    if s.phase != FREE or state not in (CLOSED, LISTEN):
        raise refused(errno.EINVAL)
    most = host.env.config["net.core.somaxconn"]
    backlog = backlog if 0 <= backlog <= most else most
    if state == LISTEN:
        host.listeners[s.sock].backlog = backlog
        return DONE
    if not sk.bound(host, s):
        binding.claim(host, s, sk.anywhere(s), 0)
    local, port = s.local or (b"", 0)
    if binding.conflicts(host, s, local, port):
        raise refused(errno.EADDRINUSE)
    sock = ports.fresh(host)
    host.listeners[sock] = calls.listening(host, sock, local if any(local) else b"", port, backlog, s.wishes)
    host.listeners[sock].dev, host.listeners[sock].keys = s.dev, s.keys
    sk.attach(host, s, sock)
    opening.guests(host, s)
    binding.serve(host, s)
    return DONE


def accept(host: Host, call: Parked, fd: int) -> Back | None:
    return accept4(host, call, fd, 0)


def accept4(host: Host, call: Parked, fd: int, flags: int) -> Back | None:
    """The descriptor is taken before the wait, as in Linux."""
    if not call.ticket and files.get(host.files, fd) and flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC):
        raise refused(errno.EINVAL)
    s = files.mine(host.files, call, fd)
    call.fd = call.fd or files.reserve(host.files)
    if s.type != sk.SOCK_STREAM:
        raise refused(errno.EOPNOTSUPP)
    if sk.state(host, s) != LISTEN:
        raise refused(errno.EINVAL)
    if not host.listeners[s.sock].ready:
        return call.wait(call.allowed(s.nonblock, s.rcvtimeo), errno.EAGAIN)
    child = _child(host, s, calls.next_of(host, host.listeners[s.sock]).sock)
    child.nonblock = bool(flags & SOCK_NONBLOCK)
    fd = files.unreserve(host.files, call)
    files.install(host.files, child, bool(flags & SOCK_CLOEXEC), fd)
    it = host.conns[child.sock]
    return fd, 0, sk.shown(child, it.remote, it.rport)


def _child(host: Host, s: Socket, sock: int) -> Socket:
    """A socket for an accepted connection, with what it inherits from its listener."""
    child = s.clone()
    child.number, child.refs, child.sock, child.local = files.new_number(host.files), 0, 0, None
    child.phase, child.locks, child.shut, child.error = files.CONNECTED, s.locks & ADDRESS, 0, 0
    child.errors.clear()
    child.owed, child.sends, child.first = [], 0, 0
    for option in (knobs.PRIORITY, *opening.OF_LISTENERS):  # the only ones that sk_clone does not copy
        child.options.pop(option, None)
    child.waiters, child.watchers = [], []
    host.files.sockets[child.number] = child
    sk.attach(host, child, sock)
    it = host.conns[sock]
    binding.settle(host, child, it.local, it.lport)
    return child


def getsockname(host: Host, fd: int) -> Back:
    s = files.socket(host.files, fd)
    return 0, 0, sk.shown(s, *(s.local or s.was or (b"", 0)))


def getpeername(host: Host, fd: int) -> Back:
    s = files.socket(host.files, fd)
    peer = sk.peer(host, s)
    if peer is None:
        raise refused(errno.ENOTCONN)
    return 0, 0, sk.shown(s, *peer)


def shutdown(host: Host, fd: int, how: int) -> Back:
    """inet_shutdown: a listener and a socket that connects are disconnected, which frees whoever waits for them."""
    s = files.socket(host.files, fd)
    if how not in (0, 1, 2):
        raise refused(errno.EINVAL)
    bits = how + 1
    state = sk.state(host, s)
    if s.phase == files.CONNECTING:
        s.phase = files.DISCONNECTING if state in (SYN_SENT, SYN_RECEIVED, CLOSED) else files.CONNECTED
    if state == SYN_SENT or (state == LISTEN and bits & SHUT_RD):
        connect.disconnect(host, s)
        s.phase = FREE
    elif state != LISTEN:
        s.shut |= bits
        _shut(host, s, state, bits)
    files.changed(host.files, s)
    return DONE if state != CLOSED else (-1, errno.ENOTCONN, None)


def _shut(host: Host, s: Socket, state: str, bits: int) -> None:
    it = sk.conn(host, s)
    if it is None:
        return
    if s.shut & SHUT_RD:
        it.rcv.deaf = True
    if bits & SHUT_WR:
        closing.close(host.env, it)


def close(host: Host, call: Parked, fd: int) -> Back | None:
    """The last descriptor's close ends the connection; with SO_LINGER it waits until that is done."""
    if call.ticket:
        lingering = host.files.sockets[call.files[0]]
        return None if _leaves(sk.conn(host, lingering)) and not call.late else DONE
    file = files.uninstall(host.files, fd)
    if isinstance(file, Socket) and file.refs == 1 and file.linger > 0:
        release(host, file)
        if _leaves(sk.conn(host, file)):
            file.refs -= 1
            call.files, call.patience = (file.number,), file.linger
            return None
    drop(host, file)
    return DONE


def _leaves(it: Conn | None) -> bool:
    return it is not None and it.state in (FIN_WAIT_1, CLOSING, LAST_ACK)


def drop(host: Host, file: Socket | Epoll) -> None:
    """One reference to a file is gone; with the last one the file is."""
    file.refs -= 1
    if file.refs:
        return
    epoll.forget(host, file)
    if isinstance(file, Socket):
        release(host, file)
        binding.abandon(host, file)
        sk.attach(host, file, 0)
        del host.files.sockets[file.number]
    else:
        del host.files.epolls[file.number]


def release(host: Host, s: Socket) -> None:
    """Nobody holds it any more: what is beneath is closed, or reset if data was left unread or linger is 0."""
    it = sk.conn(host, s)
    if not ports.in_use(host, s.sock) or (it is not None and not it.held):
        return  # nobody is beneath, or it ends already: close() has lingered
    if it is not None and s.linger == 0 and not it.rcv.queued and sk.state(host, s) != CLOSED:
        host.env.count["TcpExtTCPAbortOnData"] += 1
        closing.disconnect(host.env, it)
        it.held = False
    else:
        calls.close(host, s.sock)


CALLS: dict[str, Callable[..., Back]] = {
    "socket": socket,
    "bind": bind,
    "listen": listen,
    "getsockname": getsockname,
    "getpeername": getpeername,
    "shutdown": shutdown,
}
BLOCKING: dict[str, Callable[..., Back | None]] = {"accept": accept, "accept4": accept4, "close": close}
