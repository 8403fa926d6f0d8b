# SPDX-License-Identifier: GPL-2.0-or-later
"""The round-trip time and the retransmission timeout (RFC 6298). Karn's rule is the caller's: what was sent twice is no
sample (`acks`).
"""

from labstack.core.config import MS, SECOND
from labstack.core.env import Env
from labstack.core.state import State, state

INITIAL_RTO = 1000 * MS  # RFC 6298 (2.1)
US = 1000  # ns


@state
class Rtt(State):
    """Times are ns."""

    srtt: int = 0  # 0: no sample yet
    rttvar: int = INITIAL_RTO  # what is added to SRTT: four deviations, at least tcp_rto_min
    rto: int = INITIAL_RTO
    deviation: int = INITIAL_RTO  # four times the mean deviation of late
    worst: int = INITIAL_RTO  # the greatest of those in this round trip
    round: int = 0  # sequence number with which it ends
    backoff: int = 0  # how often the timeout has doubled since the last sample
    least: int = 0  # the least sample of late, tcp_min_rtt_wlen; 0: none
    least_at: int = 0


def least(env: Env) -> int:
    """The least variance term, ns.

    DEVIATES: RFC 6298 (2.4) has at least 1 s for the whole RTO. Linux's 200 ms on top of SRTT repair a loss sooner.
    """
    return env.config["net.ipv4.tcp_rto_min_us"] * US


def sample(env: Env, it: Rtt, r: int, newest: int, una: int, nxt: int, delayed: bool) -> None:
    """A segment took r ns, the newest that was acknowledged with it `newest`. una, nxt: to count round trips.

    delayed: the receiver may have held the ACK back, so that this is no measure of the least.
    """
    it.backoff = 0
    if newest <= it.least or not it.least or (not delayed and _stale(env, it)):
        it.least, it.least_at = newest, env.now
    if it.srtt == 0:
        # RFC 6298 (2.2)
        it.srtt, it.deviation = r, 2 * r
        it.rttvar = it.worst = max(it.deviation, least(env))
        it.round = nxt
        env.note("6298/2.2/first", 0, r / MS)
    else:
        _smooth(env, it, r, una, nxt)
        if env.tracing:
            env.note("6298/2.3/next", 0, r / MS)
    it.rto = bounded(env, it.srtt // US * US + it.rttvar)


def _stale(env: Env, it: Rtt) -> bool:
    """The least sample is so old that any other takes its place."""
    return env.now - it.least_at > env.config["net.ipv4.tcp_min_rtt_wlen"] * SECOND


def _smooth(env: Env, it: Rtt, r: int, una: int, nxt: int) -> None:
    """RFC 6298 (2.3), alpha 1/8 and beta 1/4.

    DEVIATES: the term that is added to SRTT rises with the worst deviation at once and falls once a round trip only,
    and samples that are better than expected raise it slowly, as in Linux: with an ACK for every segment the RFC's
    filter forgets within a round trip. And RFC 6298 (2.4) asks for at least 1 s; tcp_rto_min, 200 ms, is that term's.
    """
    srtt, deviation = it.srtt, it.deviation
    error = r - srtt
    it.srtt = srtt + error // 8 or 1
    if error < 0:
        more = -error - deviation // 4
        if more > 0:
            more //= 8
    else:
        more = error - deviation // 4
    it.deviation = deviation = deviation + more
    if deviation > it.worst:
        it.worst = deviation
        it.rttvar = max(it.rttvar, deviation)
    if una > it.round:
        if it.worst < it.rttvar:
            it.rttvar -= (it.rttvar - it.worst) // 4
        it.round, it.worst = nxt, least(env)


def unknown(it: Rtt, rto: int) -> None:
    """Nothing is known of the round trip: begin with this timeout (RFC 6298 (5.7))."""
    it.rto = it.rttvar = it.deviation = it.worst = rto


def back_off(env: Env, it: Rtt) -> None:
    """RFC 6298 (5.5): the timer expired, so wait twice as long next time."""
    it.backoff += 1
    it.rto = bounded(env, it.rto * 2)
    env.note("6298/5.5/backoff", 0, it.rto // MS)


def take_back(env: Env, it: Rtt) -> None:
    """The last doubling was not due (RFC 6069 §4.2)."""
    it.backoff -= 1
    base = it.srtt // US * US + it.rttvar if it.srtt else INITIAL_RTO
    it.rto = bounded(env, base << it.backoff)


def bounded(env: Env, rto: int) -> int:
    """No timeout is longer than tcp_rto_max (RFC 6298 (2.5))."""
    return min(rto, env.config["net.ipv4.tcp_rto_max_ms"] * MS)
