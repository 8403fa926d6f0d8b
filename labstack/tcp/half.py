# SPDX-License-Identifier: GPL-2.0-or-later
"""Half open: from the peer's SYN to its ACK of our SYN,ACK, which is sent and repeated here (Linux's request_sock).

The sender has no part in it: SND.UNA and SND.NXT stand behind the SYN from the beginning, and what Fast Open lets an
application send before the handshake is over waits for no timer but this one. How often a SYN,ACK is repeated is the
listener's affair (`listen`). Owns SYN-RECEIVED of a passive open (RFC 9293 §3.10.7.4) and its SYN,ACK's timer (RFC 6298
§5.7).
"""

from labstack.core import kinds
from labstack.core.env import Env
from labstack.tcp import ackgen, rtt, tally
from labstack.tcp.conn import NEVER, Conn, Half
from labstack.tcp.rtt import INITIAL_RTO
from labstack.tcp.states import LISTEN, SYN_RECEIVED, become


def start(env: Env, conn: Conn) -> None:
    """The peer's SYN has been taken in: a SYN,ACK goes out at the next drain."""
    snd = conn.snd
    conn.passive, conn.half = True, Half()
    snd.una = snd.nxt = snd.iss + 1
    become(env, conn, LISTEN)
    become(env, conn, SYN_RECEIVED)
    env.timers.set((kinds.TCP_SYNACK, conn.sock), env.now + INITIAL_RTO)
    env.dirty[conn.sock] = None


def sent(env: Env, conn: Conn, half: Half) -> None:
    """The SYN,ACK has left."""
    half.due, half.option = False, None
    if half.sent_at < 0:
        half.sent_at = env.now
        return
    half.repeats += 1
    env.count["TcpRetransSegs"] += 1
    env.count["TcpExtTCPSynRetrans"] += 1


def again(env: Env, conn: Conn, half: Half) -> None:
    """The same SYN again: our SYN,ACK was lost, or is late. One in tcp_invalid_ratelimit is answered."""
    if ackgen.throttled(env, conn, "TcpExtTCPACKSkippedSynRecv"):
        return
    env.note("linux/tcp_check_req/synack", conn.sock)
    half.due = True
    _wait(env, conn, half)


def timed_out(env: Env, conn: Conn, half: Half) -> None:
    """Wait twice as long for the next one (RFC 6298 §5.5)."""
    half.timeouts += 1
    _wait(env, conn, half)


def _wait(env: Env, conn: Conn, half: Half) -> None:
    env.timers.set((kinds.TCP_SYNACK, conn.sock), env.now + rtt.bounded(env, INITIAL_RTO << min(half.timeouts, 16)))


def opened(env: Env, conn: Conn, half: Half) -> None:
    """The peer has acknowledged our SYN: the round trip is known if the SYN,ACK went out once (RFC 6298 §3)."""
    snd = conn.snd
    conn.half, conn.challenged = None, NEVER
    env.timers.stop((kinds.TCP_SYNACK, conn.sock))
    it = conn.tally
    snd.loss.delivered += 1
    it.retrans += half.repeats
    if half.timeouts:
        it.timeouts = tally.Timeouts(half.timeouts, 1)
    if not half.repeats and half.sent_at >= 0:
        took = max(env.now - half.sent_at, 1)
        rtt.sample(env, snd.rtt, took, took, snd.una, snd.nxt, delayed=False)
    if not half.fast:
        snd.max_wnd = 0  # the window of a SYN is not scaled, and forgotten, as on Linux
        env.count["TcpPassiveOpens"] += 1
