# SPDX-License-Identifier: GPL-2.0-or-later
"""Initial sequence numbers: a 4 us clock plus a keyed hash of addresses and ports (RFC 9293 §3.4.1, RFC 6528)."""

from labstack.core.env import Env
from labstack.tcp.seq import MASK, unwrap

TICK = 4000  # ns
GAP = 65_537  # between two connections of the same addresses, as Linux


def choose(env: Env, key: bytes, used: int | None = None) -> int:
    """The ISN of a connection at this moment. key: addresses and ports, packed.

    used: how far an earlier connection of the same addresses got; the new one begins beyond (RFC 9293 §3.6.1).
    """
    env.note("9293/3.4.1/isn")
    iss = (env.now // TICK + env.rng.secret(b"isn", key)) & MASK
    return iss if used is None or unwrap(iss, used) > used else (used + GAP) & MASK
