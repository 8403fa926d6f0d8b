# SPDX-License-Identifier: GPL-2.0-or-later
"""epoll, as Linux has it (fs/eventpoll.c): interests, a list of what may be ready, level and edge triggered, one-shot.

An interest gets on the list when something happens to its file that it asked for; epoll_wait looks at each of the list
anew, and a level-triggered one that is still ready goes to its end. An epoll that watches an epoll is refused (ELOOP).
"""

import errno
from collections.abc import Callable

from labstack.core.config import MS
from labstack.stack.host import Host
from labstack.stack.syscall import files, poll
from labstack.stack.syscall.files import FOREVER, Back, Epoll, Interest, Parked, Socket, refused

EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD = 1, 2, 3
EPOLLEXCLUSIVE, EPOLLONESHOT, EPOLLET = 1 << 28, 1 << 30, 1 << 31
EXCLUSIVE_TOO = poll.IN | poll.OUT | poll.ALWAYS | EPOLLEXCLUSIVE | 1 << 29 | EPOLLET  # what may stand beside it
EPOLL_CLOEXEC = 0o2000000
MOST = ((1 << 31) - 1) // 12  # events that one call may ask for
DONE: Back = (0, 0, None)


def epoll_create(host: Host, size: int) -> Back:
    if size <= 0:
        raise refused(errno.EINVAL)
    return epoll_create1(host, 0)


def epoll_create1(host: Host, flags: int) -> Back:
    if flags & ~EPOLL_CLOEXEC:
        raise refused(errno.EINVAL)
    epoll = Epoll(files.new_number(host.files))
    fd = files.install(host.files, epoll, bool(flags))
    host.files.epolls[epoll.number] = epoll
    return fd, 0, None


def epoll_ctl(host: Host, ep: int, op: int, fd: int, events: int, data: int) -> Back:
    """Raises EBADF, EINVAL, EEXIST, ENOENT, ELOOP."""
    epoll, file = files.get(host.files, ep), files.get(host.files, fd)
    if file is epoll or not isinstance(epoll, Epoll):
        raise refused(errno.EINVAL)
    exclusive = op != EPOLL_CTL_DEL and events & EPOLLEXCLUSIVE
    if exclusive and (op == EPOLL_CTL_MOD or isinstance(file, Epoll) or events & ~EXCLUSIVE_TOO):
        raise refused(errno.EINVAL)
    key = fd, file.number
    known = epoll.interests.get(key)
    if op not in (EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD):
        raise refused(errno.EINVAL)
    if (known is None) != (op == EPOLL_CTL_ADD):
        raise refused(errno.EEXIST if known is not None else errno.ENOENT)
    if isinstance(file, Epoll):
        raise refused(errno.ELOOP)
    if op == EPOLL_CTL_DEL:
        _unwatch(epoll, file, key)
        return DONE
    if known is not None and known.events & EPOLLEXCLUSIVE:
        raise refused(errno.EINVAL)
    if known is None:
        file.watchers.append((epoll.number, fd))
    epoll.interests[key] = Interest(fd, file.number, events & 0xFFFFFFFF, data)
    if poll.told(host, epoll, key):
        _enlist(host, epoll, key)
    return DONE


def _unwatch(epoll: Epoll, file: Socket | Epoll, key: tuple[int, int]) -> None:
    del epoll.interests[key]
    file.watchers.remove((epoll.number, key[0]))
    if key in epoll.ready:
        epoll.ready.remove(key)


def _enlist(host: Host, epoll: Epoll, key: tuple[int, int]) -> None:
    if key not in epoll.ready:
        epoll.ready.append(key)
    files.changed(host.files, epoll)


def happened(host: Host, file: Socket | Epoll, events: int) -> None:
    """Something happened to a file: the epolls that watch it for any of these events have it on their lists, the latest
    first."""
    for number, fd in reversed(file.watchers):
        epoll, key = host.files.epolls[number], (fd, file.number)
        it = epoll.interests[key]
        if not it.off and events & (it.events | poll.ALWAYS):
            _enlist(host, epoll, key)


def forget(host: Host, file: Socket | Epoll) -> None:
    """A file is gone: nobody watches it, and it watches nobody."""
    for number, fd in list(file.watchers):
        _unwatch(host.files.epolls[number], file, (fd, file.number))
    if isinstance(file, Epoll):
        for key, it in list(file.interests.items()):
            _unwatch(file, files.numbered(host.files, it.file), key)


def epoll_wait(host: Host, call: Parked, ep: int, most: int, timeout: int) -> Back | None:
    """data: (events, data) of each that is ready, at most so many."""
    epoll = files.numbered(host.files, call.files[0]) if call.ticket else files.get(host.files, ep)
    if not isinstance(epoll, Epoll) or not 0 < most <= MOST:
        raise refused(errno.EINVAL)
    found = _collect(host, epoll, most)
    if found or not timeout or call.late:
        return len(found), 0, found
    call.files, call.patience = (epoll.number,), timeout * MS if timeout > 0 else FOREVER
    return None


def _collect(host: Host, epoll: Epoll, most: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    again: list[tuple[int, int]] = []
    while epoll.ready and len(found) < most:
        key = epoll.ready.popleft()
        events = poll.told(host, epoll, key)
        if not events:
            continue
        it = epoll.interests[key]
        found.append((events, it.data))
        it.off = bool(it.events & EPOLLONESHOT)
        if not it.events & (EPOLLONESHOT | EPOLLET):
            again.append(key)
    epoll.ready.extend(again)
    return found


CALLS: dict[str, Callable[..., Back]] = {
    "epoll_create": epoll_create,
    "epoll_create1": epoll_create1,
    "epoll_ctl": epoll_ctl,
}
BLOCKING: dict[str, Callable[..., Back | None]] = {"epoll_wait": epoll_wait}
