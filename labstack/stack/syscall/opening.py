# SPDX-License-Identifier: GPL-2.0-or-later
"""Options about how connections begin: TCP_DEFER_ACCEPT and those of Fast Open; getters and setters as in `knobs`."""

from labstack.stack.host import Host
from labstack.stack.syscall import knobs, sk
from labstack.stack.syscall.files import Socket

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
