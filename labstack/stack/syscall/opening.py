# SPDX-License-Identifier: GPL-2.0-or-later
"""Options about how connections begin: TCP_DEFER_ACCEPT and those of Fast Open; getters and setters as in `knobs`.

What belongs to a listener alone stands in Socket.options until there is one.
"""

import errno

from labstack.stack.host import Host
from labstack.stack.syscall import knobs, sk
from labstack.stack.syscall.files import Socket, refused
from labstack.tcp import eager, fastopen
from labstack.tcp.fastopen import Guests
from labstack.tcp.states import CLOSED, LISTEN

SOL_TCP = 6
LIMIT, EAGER, KEY, FREE = (SOL_TCP, 23), (SOL_TCP, 30), (SOL_TCP, 33), (SOL_TCP, 34)  # TCP_FASTOPEN, ...
OF_LISTENERS = (LIMIT, KEY, FREE)  # accepted sockets do not inherit them
KEY_SIZE = 16
MOST_RETRIES = 255
FIRST, LONGEST = 1, 120  # seconds: the first timeout of a SYN,ACK, and the longest


def defer_accept(host: Host, s: Socket) -> int:
    """Linux's retrans_to_secs: the seconds after which so many timeouts are over."""
    retries = int(knobs.wished("defer_accept")(host, s))
    return sum(min(FIRST << n, LONGEST) for n in range(retries))


def set_defer_accept(host: Host, s: Socket, value: int) -> None:
    """Linux's secs_to_retrans: as many timeouts of a SYN,ACK as the seconds given take."""
    retries = 0
    while value > sum(min(FIRST << n, LONGEST) for n in range(retries)) and retries < MOST_RETRIES:
        retries += 1
    if s.type == sk.SOCK_STREAM:
        knobs.wish(host, s, "defer_accept", retries)


def limit(host: Host, s: Socket) -> int:
    return guests(host, s).limit


def set_limit(host: Host, s: Socket, value: int) -> None:
    if value < 0 or not _idle(host, s):
        raise refused(errno.EINVAL)
    s.options[LIMIT] = min(value, host.env.config["net.core.somaxconn"])
    _tell(host, s)


def key(host: Host, s: Socket) -> bytes:
    return b"".join(guests(host, s).keys or fastopen.keys(host.env))


def set_key(host: Host, s: Socket, value: bytes) -> None:
    """The primary key, and the backup one behind it."""
    if len(value) not in (KEY_SIZE, 2 * KEY_SIZE):
        raise refused(errno.EINVAL)
    s.options[KEY] = int.from_bytes(b"\1" + value, "big")
    _tell(host, s)


def free(host: Host, s: Socket) -> int:
    return s.options.get(FREE, 0)


def set_free(host: Host, s: Socket, value: int) -> None:
    if value not in (0, 1) or not _idle(host, s):
        raise refused(errno.EINVAL)
    s.options[FREE] = value
    knobs.wish(host, s, "no_cookie", value)
    _tell(host, s)


def waits(host: Host, s: Socket) -> int:
    return s.options.get(EAGER, 0)


def set_waits(host: Host, s: Socket, value: int) -> None:
    """connect() waits for the first data, if a cookie is known."""
    if value not in (0, 1):
        raise refused(errno.EINVAL)
    if not host.env.config["net.ipv4.tcp_fastopen"] & eager.CLIENT:
        raise refused(errno.EOPNOTSUPP)
    if sk.state(host, s) != CLOSED:
        raise refused(errno.EINVAL)
    s.options[EAGER] = value


def _idle(host: Host, s: Socket) -> bool:
    return sk.state(host, s) in (CLOSED, LISTEN)


def guests(host: Host, s: Socket) -> Guests:
    """What a listener has, or would have."""
    listener = host.listeners.get(s.sock)
    it = listener.guests if listener is not None else Guests()
    if LIMIT in s.options:
        it.limit = s.options[LIMIT]
    it.free = bool(s.options.get(FREE, 0))
    if KEY in s.options:
        written = s.options[KEY].to_bytes(2 * KEY_SIZE + 1, "big").lstrip(b"\0")[1:]
        it.keys = tuple(written[at : at + KEY_SIZE] for at in range(0, len(written), KEY_SIZE))
    return it


def _tell(host: Host, s: Socket) -> None:
    guests(host, s)
