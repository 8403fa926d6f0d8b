# SPDX-License-Identifier: GPL-2.0-or-later
"""What happens when a connection's timers expire: retransmission (RFC 6298 §5), persist (RFC 9293 §3.8.6.1),
delayed ACK, TIME-WAIT. The limits R1 and R2 are RFC 9293 §3.8.3's."""

import errno

from labstack.core import kinds
from labstack.core.config import MS
from labstack.core.env import Env
from labstack.tcp import ackgen, closing, keepalive, recovery, rtt
from labstack.tcp.conn import Conn
from labstack.tcp.states import SYN_RECEIVED, SYN_SENT


def rearm(env: Env, conn: Conn) -> None:
    """RFC 6298 (5.2), (5.3): new data was acknowledged; run for RTO from now if more is in flight, else stop."""
    key = (kinds.TCP_RETRANSMIT, conn.sock)
    if conn.snd.cursor > conn.snd.una:
        env.timers.set(key, env.now + conn.snd.rtt.rto)
    else:
        env.timers.stop(key)


def start_if_idle(env: Env, conn: Conn) -> None:
    """RFC 6298 (5.1): a segment with data (or SYN, FIN) was sent and the timer is not running."""
    key = (kinds.TCP_RETRANSMIT, conn.sock)
    if key not in env.timers.at:
        env.timers.set(key, env.now + conn.snd.rtt.rto)


def persist(env: Env, conn: Conn) -> None:
    """Nothing in flight, something to send, and no window for it: probe after an RTO (RFC 9293 §3.8.6.1)."""
    key = (kinds.TCP_PERSIST, conn.sock)
    if key not in env.timers.at:
        if conn.snd.wnd:
            env.note("9293/3.8.6.2.1/wait", conn.sock, conn.snd.wnd)
        else:
            env.note("9293/3.8.6.1/persist", conn.sock)
        env.timers.set(key, env.now + _patience(env, conn))
        env.timers.stop((kinds.TCP_RETRANSMIT, conn.sock))


def stop_probing(env: Env, conn: Conn) -> None:
    """There is a window again."""
    env.timers.stop((kinds.TCP_PERSIST, conn.sock))
    conn.snd.probes, conn.snd.probe = 0, False


def _patience(env: Env, conn: Conn) -> int:
    """Time between window probes: RTO, doubled by each probe (RFC 9293 §3.8.6.1)."""
    return rtt.bounded(env, conn.snd.rtt.rto << min(conn.snd.probes, 16))


def expire(env: Env, conn: Conn, kind: int) -> None:
    """A timer of this connection went off."""
    _EXPIRE[kind](env, conn)
    env.dirty[conn.sock] = None


def _retransmit(env: Env, conn: Conn) -> None:
    snd = conn.snd
    if snd.una == snd.nxt:
        return
    snd.retries += 1
    if snd.retries == 1:
        snd.trouble_at = env.now if conn.state != SYN_SENT else snd.trouble_at
    env.count["TcpExtTCPTimeouts"] += 1
    if _too_long(env, conn):
        # RFC 9293 §3.8.3 (c): R2
        env.note("9293/3.8.3/r2", conn.sock, snd.retries - 1)
        env.count["TcpExtTCPAbortOnTimeout"] += 1
        closing.die(env, conn, conn.soft or errno.ETIMEDOUT)
        return
    if snd.retries == env.config["net.ipv4.tcp_retries1"]:
        # RFC 9293 §3.8.3 (b): R1, the IP layer is told
        env.note("9293/3.8.3/r1", conn.sock, snd.retries)
        conn.doubt = True
    env.note("6298/5.4/retransmit", conn.sock, snd.una - snd.iss, snd.retries)
    rtt.back_off(env, snd.rtt)
    recovery.timed_out(env, conn)
    env.timers.set((kinds.TCP_RETRANSMIT, conn.sock), env.now + _within(env, conn, snd.rtt.rto))  # RFC 6298 (5.6)


def _too_long(env: Env, conn: Conn) -> bool:
    """R2 is reached: in time, if the application has set that (MUST-21), else in retransmissions."""
    snd, timeout = conn.snd, conn.user.timeout
    if timeout and snd.retries > 1 and env.now - snd.trouble_at >= timeout:
        return True
    return snd.retries > _allowed(env, conn) and (not timeout or conn.state in (SYN_SENT, SYN_RECEIVED))


def _allowed(env: Env, conn: Conn) -> int:
    """R2, in retransmissions."""
    if conn.state in (SYN_SENT, SYN_RECEIVED) and conn.user.syn_retries:
        return conn.user.syn_retries
    if conn.state == SYN_SENT:
        # DEVIATES: RFC 9293 §3.8.3 (MUST-23) wants 3 minutes of SYNs; Linux's tcp_syn_retries gives 127 s.
        return env.config["net.ipv4.tcp_syn_retries"]
    if conn.state == SYN_RECEIVED:
        return env.config["net.ipv4.tcp_synack_retries"]
    return env.config["net.ipv4.tcp_retries2" if conn.held else "net.ipv4.tcp_orphan_retries"]


def _probe(env: Env, conn: Conn) -> None:
    """A closed window: send one byte into it, again and again, ever more slowly (RFC 9293 §3.8.6.1). A small one: fill
    it after all, the override of silly-window avoidance (§3.8.6.2.1)."""
    snd = conn.snd
    if snd.cursor > snd.una or snd.cursor >= snd.out.end + snd.fin:
        return
    if _probes_end(env, conn):
        closing.die(env, conn, conn.soft or errno.ETIMEDOUT)
        return
    snd.probes += 1
    if snd.probes == 1:
        snd.trouble_at = env.now
    if snd.wnd:
        env.note("9293/3.8.6.2.1/override", conn.sock, snd.wnd)
    else:
        env.count["TcpExtTCPWinProbe"] += 1
        snd.unanswered += 1
        env.note("9293/3.8.6.1/probe", conn.sock, snd.probes)
    snd.probe = True
    env.timers.set((kinds.TCP_PERSIST, conn.sock), env.now + _within(env, conn, _patience(env, conn)))


def _probes_end(env: Env, conn: Conn) -> bool:
    """Has the window been closed for too long? Never, while somebody waits for it and the peer answers (MUST-37)."""
    snd = conn.snd
    if not conn.held and snd.probes >= env.config["net.ipv4.tcp_orphan_retries"]:
        env.note("linux/tcp_probe_timer/orphan", conn.sock)
    elif snd.probes and 0 < conn.user.timeout <= env.now - snd.trouble_at:
        env.note("linux/tcp_probe_timer/user", conn.sock)
    elif snd.unanswered >= env.config["net.ipv4.tcp_retries2"]:
        env.note("linux/tcp_probe_timer/silent", conn.sock, snd.unanswered)
    else:
        return False
    env.count["TcpExtTCPAbortOnTimeout"] += 1
    return True


def _within(env: Env, conn: Conn, patience: int) -> int:
    """No longer than the application is patient (tcp_clamp_rto_to_user_timeout)."""
    if not conn.user.timeout:
        return patience
    return max(min(patience, conn.snd.trouble_at + conn.user.timeout - env.now), MS)


_EXPIRE = {
    kinds.TCP_RETRANSMIT: _retransmit,
    kinds.TCP_PERSIST: _probe,
    kinds.TCP_DELACK: ackgen.expire,
    kinds.TCP_TIMEWAIT: closing.expire,
    kinds.TCP_KEEPALIVE: keepalive.expire,
}
