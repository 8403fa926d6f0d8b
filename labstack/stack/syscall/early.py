# SPDX-License-Identifier: GPL-2.0-or-later
"""Data before the connection: MSG_FASTOPEN, and the first write after TCP_FASTOPEN_CONNECT (tcp_sendmsg_fastopen)."""

import errno

from labstack.stack import dial
from labstack.stack.host import Host
from labstack.stack.syscall import connect, sk
from labstack.stack.syscall.files import CONNECTED, MSG_FASTOPEN, Address, Parked, Socket, refused
from labstack.tcp.eager import CLIENT
from labstack.tcp.states import CLOSED, SYN_RECEIVED, SYN_SENT


def wanted(host: Host, s: Socket, flags: int) -> bool:
    return bool(flags & MSG_FASTOPEN) or connect.deferred(host, s)


def begin(host: Host, call: Parked, s: Socket, data: bytes | None, addr: Address) -> None:
    """The SYN leaves, with as much of the data as it can take, which counts as written."""
    name = sk.sockaddr(host, addr) if addr is not None else None
    allowed = host.env.config["net.ipv4.tcp_fastopen"] & CLIENT
    if not allowed or (name is not None and name.family == sk.AF_UNSPEC):
        raise refused(errno.EOPNOTSUPP)
    it = sk.conn(host, s)
    if connect.deferred(host, s) and it is not None:
        dial.hurry(host, it, data or b"")
        call.code = errno.EINPROGRESS
    else:
        call.code = connect.begin(host, s, name, data or b"")
        it = sk.conn(host, s)
    if call.code == errno.EINPROGRESS and it is not None and it.fast is not None:
        call.count = it.fast.size


def connected(host: Host, call: Parked, s: Socket, data: bytes | None, patience: int) -> bool:
    """False while the call has to wait for the handshake. Raises why there is no connection."""
    state, it = sk.state(host, s), sk.conn(host, s)
    if state in (SYN_SENT, SYN_RECEIVED) and it is not None:
        if call.count and not patience:
            return True
        call.wait(patience, call.code)
        it.snd.awaited = call.count < len(data or b"")
        return False
    if state == CLOSED:
        code = sk.take_error(host, s) or errno.ECONNABORTED
        connect.disconnect(host, s)
        raise refused(code)
    s.phase, call.code = CONNECTED, 0
    return True
