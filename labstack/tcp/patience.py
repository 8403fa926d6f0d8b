# SPDX-License-Identifier: GPL-2.0-or-later
"""How long a sender goes on without an answer: R2 (RFC 9293 §3.8.3, MUST-20, MUST-21), as Linux counts it.

A number of retransmissions means the time that they would have taken, had the first timeout been the least there is:
the connection ends at the first timeout beyond that.
"""

from labstack.core.config import MS
from labstack.core.env import Env
from labstack.tcp import rtt
from labstack.tcp.conn import Conn

ORPHAN = 8  # what tcp_orphan_retries = 0 means


def over(env: Env, conn: Conn) -> bool:
    """Data was sent again and again, and it is too long now."""
    snd = conn.snd
    if snd.retries <= 1:
        return False
    boundary = env.config["net.ipv4.tcp_retries2"] if conn.held else of_orphan(env)
    return env.now - snd.trouble_at >= (conn.user.timeout or time(env, boundary, rtt.least(env)))


def of_orphan(env: Env) -> int:
    """Retransmissions or window probes of a connection that nobody holds."""
    return env.config["net.ipv4.tcp_orphan_retries"] or ORPHAN


def time(env: Env, retries: int, base: int) -> int:
    """ns that so many retransmissions take, if the first comes after `base` and every timeout doubles."""
    doublings = (_longest(env) // base).bit_length() - 1
    if retries <= doublings:
        return ((2 << retries) - 1) * base
    return ((2 << doublings) - 1) * base + (retries - doublings) * _longest(env)


def _longest(env: Env) -> int:
    return env.config["net.ipv4.tcp_rto_max_ms"] * MS
