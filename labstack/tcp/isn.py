# SPDX-License-Identifier: GPL-2.0-or-later
"""Initial sequence numbers: a 4 us clock plus a keyed hash of addresses and ports (RFC 9293 §3.4.1, RFC 6528)."""

from labstack.core.env import Env
from labstack.tcp.seq import MASK

TICK = 4000  # ns


def choose(env: Env, key: bytes) -> int:
    """The ISN of a connection at this moment. key: addresses and ports, packed."""
    env.note("9293/3.4.1/isn")
    return (env.now // TICK + env.rng.secret(b"isn", key)) & MASK
