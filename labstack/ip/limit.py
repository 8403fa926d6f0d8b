# SPDX-License-Identifier: GPL-2.0-or-later
"""How often we complain: Linux's token buckets for ICMP errors, one for all and one per destination.

RFC 1812 §4.3.2.8, RFC 4443 §2.4 (f). Credit is kept in nanoseconds, so nothing is rounded away.
"""

from labstack.core.env import Env
from labstack.ip.net import Limit

HOSTS = 1024  # destinations remembered
BURST = 6  # errors to one destination at once, Linux's XRLIM_BURST_FACTOR
_MS, _SECOND = 1_000_000, 1_000_000_000


def allow(env: Env, limit: Limit, dst: bytes) -> bool:
    """True, and one error spent, if an ICMP error may go to dst now; else False, counted."""
    rate = env.config["net.ipv4.icmp_msgs_per_sec"]
    each = _SECOND // rate if rate else 0  # ns that one error costs
    most = each * env.config["net.ipv4.icmp_msgs_burst"]
    tokens = most if limit.stamp < 0 else min(most, limit.tokens + env.now - limit.stamp)
    if not rate or tokens < each:
        env.note("linux/icmp_msgs_per_sec/limited", 0, rate)
        env.count["IcmpOutRateLimitGlobal"] += 1
        return False
    if not _allow_host(env, limit, dst):
        return False
    limit.tokens, limit.stamp = tokens - each, env.now
    return True


def _allow_host(env: Env, limit: Limit, dst: bytes) -> bool:
    each = env.config["net.ipv4.icmp_ratelimit"] * _MS
    if not each:
        return True
    tokens, stamp = limit.hosts.get(dst, (BURST * each, env.now))
    tokens = min(BURST * each, tokens + env.now - stamp)
    if tokens < each:
        env.note("linux/icmp_ratelimit/limited", 0, dst)
        env.count["IcmpOutRateLimitHost"] += 1
        return False
    limit.hosts.pop(dst, None)
    if len(limit.hosts) >= HOSTS:
        del limit.hosts[next(iter(limit.hosts))]
    limit.hosts[dst] = (tokens - each, env.now)
    return True
