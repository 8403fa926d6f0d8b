# SPDX-License-Identifier: GPL-2.0-or-later
"""Timestamps (RFC 7323 §3 to §5): the clock behind our TSval, TS.Recent, and which TSval is too old to be believed.

Values are as on the wire, modulo 2^32 (`older`); one tick is a millisecond, as on Linux (RFC 7323 §5.4). What an old
timestamp means for a connection is `paws`'s.
"""

from labstack.core.config import MS, SECOND
from labstack.core.env import Env
from labstack.core.state import State, state
from labstack.tcp.options import STAMP, STAMP_MAGIC
from labstack.tcp.seq import HALF, MASK

Echo = tuple[int, int]  # TSval, TSecr
WRAP = 24 * 86_400 * SECOND  # ns: a TS.Recent of that age says nothing any more (RFC 7323 §5.5)
MSL = 60 * SECOND  # ns: for resets a TS.Recent of that age says nothing any more, as on Linux


@state
class Timestamps(State):
    offset: int  # ms between our clock and TSval
    recent: int = 0  # TS.Recent (RFC 7323 §4.3): the peer's TSval that we echo
    recent_at: int = -1  # ns when it was taken; -1: never
    syn: tuple[int, int] | None = None  # TSval of the first SYN that we sent, and of the last

    def now(self, now: int) -> int:
        """TSval at this moment."""
        return now // MS + self.offset & MASK

    def option(self, now: int) -> bytes:
        """What every segment that is sent at this moment carries."""
        return STAMP.pack(STAMP_MAGIC, now // MS + self.offset & MASK, self.recent)

    def before(self, echo: int, at: int) -> bool:
        """Did we send what the peer echoes before this moment? (RFC 3522 §3.2) echo: 0 is none."""
        return echo != 0 and older(echo, self.now(at))

    def in_syn(self, now: int) -> int:
        """TSval for a SYN that is sent now."""
        value = self.now(now)
        self.syn = (self.syn[0] if self.syn else value, value)
        return value

    def sent_in_syn(self, echo: int) -> bool:
        """Can that be the echo of a SYN that we sent?"""
        first, last = self.syn or (0, 0)
        return not older(echo, first) and not older(last, echo)

    def take(self, value: int, now: int) -> None:
        self.recent, self.recent_at = value, now


def offer(env: Env, local: bytes, remote: bytes) -> Timestamps | None:
    """What a new connection may offer. The offset hides our uptime; it is one for all connections of two addresses, so
    that their timestamps never go back (RFC 7323 §5.4, §7.1)."""
    kind = env.config["net.ipv4.tcp_timestamps"]
    if not kind:
        return None
    return Timestamps(env.rng.secret(b"timestamps", local, remote) & MASK if kind == 1 else 0)


def older(value: int, than: int) -> bool:
    """RFC 7323 §5.2: comparison modulo 2^32."""
    return value != than and (than - value & MASK) < HALF


def fresh(env: Env, it: Timestamps, value: int, slack: int = 0) -> bool:
    """Is this TSval not older than TS.Recent, or nothing to go by? slack: ticks that it may lag.

    DEVIATES: RFC 7323 §5.3 R1 has no exception for a TS.Recent of zero. There are hosts whose SYN has a timestamp of
    zero and whose later segments do not; Linux (tcp_paws_check) bears with them.
    """
    behind = it.recent - value & MASK
    return behind <= slack or behind >= HALF or env.now - it.recent_at >= WRAP or not it.recent


def round_trip(env: Env, it: Timestamps, echo: int) -> int:
    """ns since we sent this TSval, at least one tick: RTTM (RFC 7323 §4.1); -1 if that cannot be."""
    ticks = it.now(env.now) - echo & MASK
    return max(ticks, 1) * MS if echo and ticks < HALF else -1
