# SPDX-License-Identifier: GPL-2.0-or-later
"""Our own SYN: how often it goes, and for how long (RFC 9293 §3.8.3, MUST-23; RFC 6298 §5)."""

from labstack.core.config import SECOND
from labstack.core.env import Env
from labstack.tcp import patience
from labstack.tcp.conn import Conn
from labstack.tcp.states import SYN_SENT


def linear(env: Env, conn: Conn) -> bool:
    """The first few timeouts of a SYN do not double (tcp_syn_linear_timeouts): a SYN is more often lost on a busy
    first hop than to a congestion that would need patience."""
    return conn.state == SYN_SENT and conn.tally.timeouts.total <= env.config["net.ipv4.tcp_syn_linear_timeouts"]


def over(env: Env, conn: Conn) -> bool:
    """Has our SYN gone often enough, or for as long as it would have taken if every timeout had doubled?

    DEVIATES: RFC 9293 §3.8.3 (MUST-23) wants 3 minutes of SYNs; Linux's tcp_syn_retries and tcp_syn_linear_timeouts
    give 131 s.
    """
    snd, most = conn.snd, conn.user.syn_retries or env.config["net.ipv4.tcp_syn_retries"]
    more = env.config["net.ipv4.tcp_syn_linear_timeouts"] if conn.state == SYN_SENT else 0
    if snd.retries > most + more:
        return True
    return snd.retries > 1 and env.now - snd.trouble_at >= (conn.user.timeout or patience.time(env, most, SECOND))
