# SPDX-License-Identifier: GPL-2.0-or-later
"""A system call is made: tried, if it blocks parked, and tried again when its files change or its time is up.

A function of BLOCKING gets the record of its call and returns None as long as it must wait; what it has done so far it
keeps in that record. One of AT_ONCE always returns. Both raise StackError for (-1, errno, None). A failure inside
costs the call alone: EIO.
"""

import errno
from collections.abc import Callable
from typing import Any

from labstack.core import kinds
from labstack.core.errors import StackError
from labstack.core.event import ACCEPTABLE, READABLE, WRITABLE, Call
from labstack.stack import arguments
from labstack.stack.contain import contain
from labstack.stack.host import Host
from labstack.stack.syscall import connect, control, data, epoll, files, options, poll, sk, sockets
from labstack.stack.syscall.files import Back, Parked, Socket

AT_ONCE: dict[str, Callable[..., Back]] = {**sockets.CALLS, **options.CALLS, **control.CALLS, **epoll.CALLS}
BLOCKING: dict[str, Callable[..., Back | None]] = {
    **sockets.BLOCKING,
    **connect.BLOCKING,
    **data.BLOCKING,
    **poll.BLOCKING,
    **epoll.BLOCKING,
}
SHAPES = {name: arguments.shape(it, 1) for name, it in AT_ONCE.items()}
SHAPES |= {name: arguments.shape(it, 2) for name, it in BLOCKING.items()}
MOST = 65_536  # calls that wait, results that nobody has taken


def sys(host: Host, name: str, *args: Any) -> Back | int:
    """Make a system call: (result, errno, data), or the number of its ticket if it blocks.

    Raises StackError EINVAL for arguments that no C program could give; what the host refuses is in the result.
    """
    if name not in SHAPES:
        return -1, errno.ENOSYS, None
    call = Parked(name, _frozen(args))
    arguments.check(name, SHAPES[name], call.args, {})
    back = _attempt(host, call)
    return _park(host, call) if back is None else back


def sys_result(host: Host, ticket: int) -> tuple[int, Back] | None:
    """When (ns) and with what a call that blocked returned, which is told once; None if it has not (or was told)."""
    return host.files.done.pop(ticket, None)


def resume(host: Host) -> bool:
    """Try the calls again that wait for what has changed; False if nothing has. To be asked after every flush."""
    hear(host)
    woken, host.files.woken = host.files.woken, {}
    for number, events in woken.items():
        file = host.files.sockets.get(number) or host.files.epolls.get(number)
        if file is None:
            continue
        epoll.happened(host, file, events)
        for ticket in list(file.waiters):
            _again(host, ticket)
    return bool(woken)


def hear(host: Host) -> None:
    """Take in what has happened to the sockets that descriptors lead to: what packets did, then what calls did, in the
    order in which Linux tells it on loopback."""
    it, wakes = host.files, host.env.wakes
    called, it.woken = it.woken, {}
    for sock in [sock for sock in wakes if sock in it.owners]:
        s = it.sockets[it.owners[sock]]
        files.changed(it, s, _events(host, s, wakes.pop(sock)))
    for number, events in called.items():
        it.woken[number] = it.woken.get(number, 0) | events


def _events(host: Host, s: Socket, what: int) -> int:
    """What a wake means to poll(): data, room, or, as the end of a stream, anything."""
    conn = sk.conn(host, s)
    if what & ~(READABLE | WRITABLE | ACCEPTABLE) or (conn is not None and sk.ended(conn)):
        return files.ANYTHING
    enough = what & ACCEPTABLE or (what & READABLE and (conn is None or poll.readable(conn, s.rcvlowat)))
    return (poll.OUT if what & WRITABLE else 0) | (poll.IN if enough else 0)


def expire(host: Host, ticket: int) -> None:
    """The time of a call is up: it returns with what there is."""
    call = host.files.parked.get(ticket)
    if call is not None:
        call.late = True
        _again(host, ticket)


def _again(host: Host, ticket: int) -> None:
    call = host.files.parked.get(ticket)
    if call is None:
        return
    back = _attempt(host, call)
    if back is not None:
        _finish(host, call, back)


def _attempt(host: Host, call: Parked) -> Back | None:
    """What the call returns now, or None: it must wait."""
    try:
        if call.name in AT_ONCE:
            return AT_ONCE[call.name](host, *call.args)
        return BLOCKING[call.name](host, call, *call.args)
    except StackError as why:
        files.unreserve(host.files, call)
        return -1, why.errno or errno.EIO, None
    except Exception:
        contain(host.env, "ContainedCalls", Call("sys", (call.name, *call.args)))
        files.unreserve(host.files, call)
        return -1, errno.EIO, None


def _park(host: Host, call: Parked) -> Back | int:
    it = host.files
    if len(it.parked) >= MOST:
        return -1, errno.ENOMEM, None
    call.ticket, it.next_ticket = it.next_ticket, it.next_ticket + 1
    it.parked[call.ticket] = call
    for number in call.files:
        file = files.numbered(it, number)
        file.refs += 1
        file.waiters.append(call.ticket)
    if call.patience != files.FOREVER:
        host.env.timers.set((kinds.SYSCALL, call.ticket), host.env.now + call.patience)
    return call.ticket


def _finish(host: Host, call: Parked, back: Back) -> None:
    it = host.files
    del it.parked[call.ticket]
    host.env.timers.stop((kinds.SYSCALL, call.ticket))
    if len(it.done) >= MOST:
        del it.done[next(iter(it.done))]
    it.done[call.ticket] = host.env.now, back
    for number in call.files:
        file = files.numbered(it, number)
        file.waiters.remove(call.ticket)
        try:
            sockets.drop(host, file)
        except Exception:
            contain(host.env, "ContainedCalls", Call("sys", (call.name, *call.args)))


def _frozen(value: Any) -> Any:
    """An argument as a value that nobody can change."""
    if isinstance(value, list | tuple):
        return tuple(_frozen(it) for it in value)
    return bytes(value) if isinstance(value, bytearray | memoryview) else value


OPS: dict[str, Callable[..., Any]] = {"sys": sys, "sys_result": sys_result}
