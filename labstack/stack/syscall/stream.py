# SPDX-License-Identifier: GPL-2.0-or-later
"""Bytes of a connection: what tcp_recvmsg and tcp_sendmsg of Linux decide, around `calls.take` and `calls.send`.

A call that waits keeps what it has: bytes read in `got`, the number of bytes written in `count`.
"""

import errno

from labstack.core.errors import StackError
from labstack.stack import calls
from labstack.stack.host import Host
from labstack.stack.syscall import early, owed, sk
from labstack.stack.syscall.files import (
    MSG_DONTWAIT,
    MSG_EOR,
    MSG_MORE,
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    MSG_WAITALL,
    NOWHERE,
    SHUT_RD,
    SHUT_WR,
    Address,
    Got,
    Parked,
    Socket,
    refused,
)
from labstack.tcp import receive as text
from labstack.tcp import urgent
from labstack.tcp.conn import FETCHED, SOON, Conn
from labstack.tcp.states import CLOSE_WAIT, CLOSED, ESTABLISHED, LISTEN, SYN_RECEIVED, SYN_SENT


def receive(host: Host, call: Parked, s: Socket, n: int | None, flags: int) -> Got | None:
    """Up to n bytes (None: into nowhere), or None: wait. Raises ENOTCONN, EAGAIN, EFAULT, or the pending error."""
    if sk.state(host, s) == LISTEN:
        raise refused(errno.ENOTCONN)
    it = sk.conn(host, s)
    if flags & MSG_OOB:
        return _out_of_band(host, s, it, n, flags)
    size = NOWHERE if n is None else n
    queued = it is not None and it.rcv.queued > 0
    had = _collect(host, call, it, size, flags, n is None) if it is not None and queued else call.count
    patience = call.allowed(s.nonblock or bool(flags & MSG_DONTWAIT), s.rcvtimeo)
    enough = size if flags & MSG_WAITALL else min(s.rcvlowat, size)
    stops = _over(host, s, patience) or (it is not None and urgent.at_mark(it.rcv))
    if had >= max(enough, 1) or (queued and not size) or (had and stops):
        return Got(had, b"".join(call.got))
    if not had and call.era != s.era:
        raise refused(errno.EPIPE)
    if call.ticket and not size and _over(host, s, patience):
        return Got(0, b"")  # it had room for nothing, and learns no more than that
    if not had and _ended(host, s):
        return Got(0, b"")
    return call.wait(patience, errno.EAGAIN)


def _collect(host: Host, call: Parked, it: Conn, size: int, flags: int, nowhere: bool) -> int:
    """Add what has arrived to what the call has already (with MSG_PEEK: look at it anew); returns how much it has."""
    if nowhere and not flags & MSG_TRUNC:
        raise refused(errno.EFAULT)
    if flags & MSG_PEEK:
        mark = it.rcv.urgent
        call.got = text.peek(it.rcv, size) if mark is None else urgent.peek(it.rcv, mark, size)
        call.count = sum(map(len, call.got))
    elif size > call.count:
        pieces = calls.arrived(host, it, size - call.count)
        call.count += sum(map(len, pieces))
        call.got += pieces
    if flags & MSG_TRUNC:
        call.got = []
    return call.count


def _out_of_band(host: Host, s: Socket, it: Conn | None, n: int | None, flags: int) -> Got:
    """The urgent byte (tcp_recv_urg); this never waits."""
    mark = it.rcv.urgent if it is not None else None
    if it is None or mark is None or mark.state == FETCHED or it.rcv.inline:
        raise refused(errno.EINVAL)
    if sk.state(host, s) == CLOSED and not sk.ended(it):
        raise refused(errno.ENOTCONN)
    if mark.state == SOON:
        if sk.shut(host, s) & SHUT_RD:
            return Got(0, b"")
        raise refused(errno.EAGAIN)
    if not flags & MSG_PEEK:
        it.rcv.urgent = mark._replace(state=FETCHED)
    if n == 0:
        return Got(0, b"", flags=MSG_OOB | MSG_TRUNC)
    return Got(1, b"" if flags & MSG_TRUNC else mark.byte, flags=MSG_OOB)


def _over(host: Host, s: Socket, patience: int) -> bool:
    """A call that has something returns with it: it may not wait, or nothing more will come."""
    return not patience or bool(sk.error(host, s)) or bool(sk.shut(host, s) & SHUT_RD)


def _ended(host: Host, s: Socket) -> bool:
    """A call that has nothing: is this the end of the stream? Raises the pending error, ENOTCONN."""
    it = sk.conn(host, s)
    if it is not None and sk.ended(it):
        return True
    code = sk.take_error(host, s)
    if code:
        raise refused(code)
    if sk.shut(host, s) & SHUT_RD:
        return True
    if sk.state(host, s) == CLOSED:
        raise refused(errno.ENOTCONN)
    return False


def send(
    host: Host,
    call: Parked,
    s: Socket,
    data: bytes | None,
    flags: int,
    stops: tuple[int, ...] = (),
    addr: Address = None,
) -> int | None:
    """How many bytes were taken, or None: wait. Raises EPIPE, EAGAIN, EFAULT, or the pending error.

    stops: how many of the bytes are before each place where a segment is to end
    """
    if not call.ticket and early.wanted(host, s, flags):
        early.begin(host, call, s, data, addr)
    patience = call.allowed(s.nonblock or bool(flags & MSG_DONTWAIT), s.sndtimeo)
    if call.code:
        if not early.connected(host, call, s, data, patience):
            return None
        if call.code:
            owed.wrote(host, s, call.count, flags)
            return call.count
    it = sk.conn(host, s)
    guest = it is not None and it.half is not None  # Fast Open: it can write before the handshake is over
    if not call.count and not guest and sk.state(host, s) not in (ESTABLISHED, CLOSE_WAIT):
        return _connecting(host, call, s, patience)
    if sk.error(host, s) or sk.shut(host, s) & SHUT_WR:
        if call.count:
            owed.wrote(host, s, call.count, flags)
            return call.count
        raise refused(sk.take_error(host, s) or errno.EPIPE)
    if data is None:
        raise refused(errno.EFAULT)
    if call.count < len(data):
        start = host.conns[s.sock].snd.out.end - call.count
        size = _append(host, s, memoryview(data)[call.count :], bool(flags & MSG_MORE))
        call.count += size
        if size and flags & MSG_OOB:
            urgent.mark(host.env, host.conns[s.sock])
        ends = (len(data),) if flags & MSG_EOR else stops
        for size in ends:
            if size <= call.count:
                host.conns[s.sock].snd.out.stop(start + size)
    if call.count == len(data) or (call.count and not patience):
        owed.wrote(host, s, call.count, flags)
        return call.count
    return call.wait(patience, errno.EAGAIN)


def _connecting(host: Host, call: Parked, s: Socket, patience: int) -> None:
    """sk_stream_wait_connect: who writes while it connects waits for that."""
    code, it = sk.take_error(host, s), sk.conn(host, s)
    if code or it is None or sk.state(host, s) not in (SYN_SENT, SYN_RECEIVED):
        raise refused(code or errno.EPIPE)
    call.wait(patience, errno.EAGAIN)
    it.snd.awaited = True


def _append(host: Host, s: Socket, data: memoryview, more: bool) -> int:
    """Give the connection what it has room for."""
    snd = host.conns[s.sock].snd
    snd.more = snd.unfinished = more
    try:
        return calls.send(host, s.sock, data)
    except StackError as why:
        if why.errno == errno.EAGAIN:
            return 0
        raise
