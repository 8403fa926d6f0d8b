# SPDX-License-Identifier: GPL-2.0-or-later
"""Window probes: something to send, nothing in flight, and no window for it (RFC 9293 §3.8.6.1, MUST-35 to 37).

DEVIATES: §3.8.6.1 has at least one octet of new data in a probe. Ours is an ACK of the number before SND.UNA, without
data, as Linux's: every receiver must answer it, and a window that is closed stays respected.
"""

import errno

from labstack.core import kinds
from labstack.core.config import MS
from labstack.core.env import Env
from labstack.tcp import closing, patience, rtt
from labstack.tcp.conn import Conn, Snd

AGAIN = 500 * MS  # when our own device takes nothing (TCP_RESOURCE_PROBE_INTERVAL)


def start(env: Env, conn: Conn) -> None:
    """Probe after an RTO, if no ACK opens the window before."""
    key, snd = (kinds.TCP_PERSIST, conn.sock), conn.snd
    if key in env.timers.at:
        return
    if snd.wnd:
        env.note("9293/3.8.6.2.1/wait", conn.sock, snd.wnd)
    else:
        env.note("9293/3.8.6.1/persist", conn.sock)
    env.timers.set(key, env.now + _base(env, conn))


def stop(env: Env, conn: Conn) -> None:
    """There is a window, or nothing to probe for."""
    env.timers.stop((kinds.TCP_PERSIST, conn.sock))
    conn.snd.probes, conn.snd.refused, conn.snd.probe = 0, 0, False


def answered(env: Env, conn: Conn) -> None:
    """An ACK while nothing is in flight: is the window open now? If not, it is asked again later."""
    key, snd = (kinds.TCP_PERSIST, conn.sock), conn.snd
    if key not in env.timers.at:
        return
    if _fits(snd):
        stop(env, conn)
    else:
        env.timers.set(key, env.now + within(env, conn, _patience(env, conn)))


def _fits(snd: Snd) -> bool:
    """Has the window room for a segment, or for all that there is?"""
    return min(snd.nxt + snd.mss, snd.out.end + snd.fin) <= snd.una + snd.wnd


def expire(env: Env, conn: Conn) -> None:
    """Send a probe (`send` puts it on the wire): ever more slowly, and in the end not at all."""
    snd = conn.snd
    if snd.flight.queue or snd.nxt >= snd.out.end + snd.fin:
        return
    if _hopeless(env, conn):
        closing.die(env, conn, conn.soft or errno.ETIMEDOUT)
        return
    if not snd.probes + snd.refused:
        snd.trouble_at = env.now
    snd.probes += 1
    if snd.wnd:
        if not _fits(snd):
            env.note("9293/3.8.6.2.1/override", conn.sock, snd.wnd)
    else:
        env.count["TcpExtTCPWinProbe"] += 1
        snd.unanswered += 1
        env.note("9293/3.8.6.1/probe", conn.sock, snd.probes)
    snd.probe = True
    env.timers.set((kinds.TCP_PERSIST, conn.sock), env.now + within(env, conn, _patience(env, conn)))


def refused(env: Env, conn: Conn) -> None:
    """Our own device did not take what was to be sent, and nothing is in flight: again after an RTO, and then not ever
    more slowly, for the peer has nothing to do with it; but not for ever either (tcp_send_probe0)."""
    key, snd = (kinds.TCP_PERSIST, conn.sock), conn.snd
    if snd.probe:
        snd.probes, snd.refused, snd.probe = snd.probes - 1, snd.refused + 1, False
        snd.unanswered += snd.wnd > 0  # a window probe was counted already
        env.timers.set(key, env.now + within(env, conn, AGAIN))
    elif key not in env.timers.at:
        env.timers.set(key, env.now + _base(env, conn))


def _base(env: Env, conn: Conn) -> int:
    return max(conn.snd.rtt.rto, rtt.least(env))


def _patience(env: Env, conn: Conn) -> int:
    """Time between window probes: RTO, doubled by each probe (RFC 9293 §3.8.6.1)."""
    return rtt.bounded(env, _base(env, conn) << min(conn.snd.probes, 16))


def _hopeless(env: Env, conn: Conn) -> bool:
    """Has the window been closed for too long? Never, while somebody waits for it and the peer answers (MUST-37). What
    nobody waits for is given up after tcp_orphan_retries probes without an answer, and with answers, when two probes
    are as far apart as can be."""
    snd, orphan = conn.snd, patience.of_orphan(env)
    longest = _patience(env, conn) >= rtt.bounded(env, 1 << 62)
    if not conn.held and (snd.unanswered >= orphan or (longest and snd.probes >= orphan)):
        env.note("linux/tcp_probe_timer/orphan", conn.sock)
    elif snd.probes + snd.refused and 0 < conn.user.timeout <= env.now - snd.trouble_at:
        env.note("linux/tcp_probe_timer/user", conn.sock)
    elif snd.unanswered >= env.config["net.ipv4.tcp_retries2"]:
        env.note("linux/tcp_probe_timer/silent", conn.sock, snd.unanswered)
    else:
        return False
    env.count["TcpExtTCPAbortOnTimeout"] += 1
    return True


def within(env: Env, conn: Conn, wait: int) -> int:
    """No longer than the application is patient, once there is trouble (tcp_clamp_rto_to_user_timeout)."""
    if not conn.user.timeout or not (conn.snd.probes or conn.snd.refused or conn.snd.retries):
        return wait
    return max(min(wait, conn.snd.trouble_at + conn.user.timeout - env.now), MS)
