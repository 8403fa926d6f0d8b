# SPDX-License-Identifier: GPL-2.0-or-later
"""The window that cwnd begins with (RFC 6928), and how it goes back there where it is not used: after a pause (RFC 5681
§4.1), or while the application has less to send (RFC 7661, RFC 2861). It would be no measure of the network any more.
"""

from labstack.core.env import Env
from labstack.tcp.conn import Conn
from labstack.tcp.loss import OPEN


def window(env: Env, conn: Conn) -> int:
    """Segments."""
    return conn.initcwnd or env.config["net.ipv4.tcp_init_cwnd"]


def idle(env: Env, conn: Conn) -> None:
    """Something new is about to leave, after nothing was in flight for more than an RTO."""
    snd = conn.snd
    if snd.sent_at >= 0 and not snd.cc.own and env.config["net.ipv4.tcp_slow_start_after_idle"]:
        env.note("5681/4.1/restart", conn.sock)
        snd.cc.restart(env.now - snd.sent_at, snd.rtt.rto, window(env, conn))
        snd.full_at, snd.used, snd.sent_at = env.now, 0, env.now


def used(env: Env, conn: Conn, limited: bool) -> None:
    """Something new has left; limited: all that cwnd permits (RFC 7661 §4, tcp_cwnd_validate)."""
    snd = conn.snd
    cc, flight = snd.cc, snd.flight
    if snd.una >= snd.round or limited or (not cc.limited and flight.out > snd.most):
        cc.limited, snd.most, snd.round = limited, flight.out, snd.nxt
    if cc.limited or (cc.cwnd < cc.ssthresh and cc.cwnd < 2 * snd.most):
        snd.used, snd.full_at = 0, env.now
        return
    if flight.out > snd.used:
        snd.used = flight.out
    if not cc.own and env.now - snd.full_at >= snd.rtt.rto:
        _unused(env, conn)


def _unused(env: Env, conn: Conn) -> None:
    """For an RTO the application used less than cwnd: half of what it did not use goes (RFC 7661 §4.3, RFC 2861)."""
    snd = conn.snd
    if not env.config["net.ipv4.tcp_slow_start_after_idle"]:
        return
    if snd.loss.state == OPEN and not snd.blocked:
        most = max(snd.used, window(env, conn))
        if most < snd.cc.cwnd:
            snd.cc.ssthresh = snd.cc.worth(snd.loss.state)
            snd.cc.cwnd = (snd.cc.cwnd + most) // 2
            env.note("7661/4.3/unused", conn.sock, snd.cc.cwnd)
        snd.used = 0
    snd.full_at = env.now
