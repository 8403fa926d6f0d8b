# SPDX-License-Identifier: GPL-2.0-or-later
"""The retransmission timeout (RFC 6298), with Karn's rule: one timed segment at a time, never a retransmitted one."""

from labstack.core.config import MS, SECOND
from labstack.core.env import Env
from labstack.core.state import State, state

INITIAL_RTO = 1000 * MS  # RFC 6298 (2.1)
US = 1000  # ns


@state
class Rtt(State):
    srtt: int = 0  # ns; 0: no sample yet
    rttvar: int = 0
    rto: int = INITIAL_RTO
    timed: int = -1  # the sample ends when this sequence number is acknowledged; -1: none under way
    since: int = 0
    backoff: int = 0  # how often the timeout has doubled since the last sample
    least: int = 0  # the least sample of late, tcp_min_rtt_wlen; 0: none
    least_at: int = 0

    def start(self, seq_end: int, now: int) -> None:
        if self.timed < 0:
            self.timed, self.since = seq_end, now

    def cancel(self) -> None:
        """Karn: a sample that a retransmission made ambiguous is worthless."""
        self.timed = -1


def on_ack(env: Env, rtt: Rtt, ack: int) -> None:
    """Finish the sample under way, if this ACK covers it."""
    if 0 <= rtt.timed <= ack:
        rtt.timed = -1
        sample(env, rtt, max(env.now - rtt.since, 1))


def sample(env: Env, rtt: Rtt, r: int) -> None:
    rtt.backoff = 0
    if r <= rtt.least or env.now - rtt.least_at > env.config["net.ipv4.tcp_min_rtt_wlen"] * SECOND or not rtt.least:
        rtt.least, rtt.least_at = r, env.now
    if rtt.srtt == 0:
        # RFC 6298 (2.2)
        rtt.srtt, rtt.rttvar = r, r // 2
        env.note("6298/2.2/first", 0, r / MS)
    else:
        # RFC 6298 (2.3): RTTVAR before SRTT
        rtt.rttvar = (3 * rtt.rttvar + abs(rtt.srtt - r)) // 4
        rtt.srtt = (7 * rtt.srtt + r) // 8
        env.note("6298/2.3/next", 0, r / MS)
    # DEVIATES: RFC 6298 (2.4) asks for at least 1 s; as in Linux tcp_rto_min is 200 ms, and the variance term has it
    least = env.config["net.ipv4.tcp_rto_min_us"] * US
    rtt.rto = bounded(env, rtt.srtt // US * US + max(least, 4 * rtt.rttvar))


def back_off(env: Env, rtt: Rtt) -> None:
    """RFC 6298 (5.5): the timer expired, so wait twice as long next time."""
    rtt.backoff += 1
    rtt.rto = bounded(env, rtt.rto * 2)
    env.note("6298/5.5/backoff", 0, rtt.rto // MS)


def bounded(env: Env, rto: int) -> int:
    """No timeout is longer than tcp_rto_max (RFC 6298 (2.5))."""
    return min(rto, env.config["net.ipv4.tcp_rto_max_ms"] * MS)
