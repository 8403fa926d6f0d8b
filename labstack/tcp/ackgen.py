# SPDX-License-Identifier: GPL-2.0-or-later
"""When to acknowledge: at once, every second segment, delayed (RFC 9293 §3.8.6.3; RFC 5681 §4.2; Linux's pace).

Nothing is sent here. What is due goes out when the stack is drained, on data if there is any, once for all the
segments that were handled since (MUST-58, MUST-59).
"""

from labstack.core import kinds
from labstack.core.config import MS, SECOND
from labstack.core.env import Env
from labstack.tcp import blocks, window
from labstack.tcp.conn import DELAYED, NONE, NOW, Conn, Rcv
from labstack.tcp.segment import SYN, Segment
from labstack.tcp.states import ESTABLISHED, RECEIVING, TIME_WAIT

UNLIMITED = (1 << 31) - 1  # tcp_challenge_ack_limit
QUICKLY = 16  # acknowledgments at most that go out at once when a peer starts or starts again
PATIENCE, SHORTER = 500 * MS, 200 * MS  # an acknowledgment never waits longer (MUST-40)


def heard(env: Env, conn: Conn) -> None:
    """New data came. How fast does this peer send? Acknowledge quickly while it starts, then wait about as long as it
    pauses (Linux's tcp_event_data_recv: an ACK clock that ticks too slowly keeps a small cwnd small)."""
    rcv, least = conn.rcv, env.config["net.ipv4.tcp_delack_min"] * MS
    gap, rcv.heard = env.now - rcv.heard, env.now
    if not rcv.ato:
        rcv.ato = least
        _quick(rcv)
    elif gap <= least // 2:
        rcv.ato = rcv.ato // 2 + least // 2
    elif gap < rcv.ato:
        rcv.ato = min(rcv.ato // 2 + gap, conn.snd.rtt.rto)
    elif gap > conn.snd.rtt.rto:
        _quick(rcv)


def _quick(rcv: Rcv) -> None:
    """The next few ACKs go out at once: half a window of them (tcp_incr_quickack)."""
    few = min((rcv.edge - rcv.acked) // (2 * rcv.seen) or 2, QUICKLY)
    if few > rcv.quick:
        rcv.quick = few


def in_order(env: Env, conn: Conn) -> None:
    """New data arrived in order, and nothing is missing: now or later (__tcp_ack_snd_check)?"""
    rcv = conn.rcv
    if rcv.ack == NOW:
        return
    second = rcv.nxt - rcv.acked > rcv.seen
    if second and _moves(env, rcv):
        # RFC 9293 §3.8.6.3 SHLD-19: at least every second full-sized segment
        env.note("9293/3.8.6.3/second", conn.sock)
        rcv.ack = NOW
    elif rcv.quick and not answers(env, rcv):
        env.note("linux/tcp_in_quickack_mode/at-once", conn.sock, rcv.quick)
        rcv.ack = NOW
    else:
        if second and env.tracing:
            env.note("linux/tcp_ack_snd_check/waits", conn.sock)
        delay(env, conn)


def pressing(env: Env, rcv: Rcv) -> bool:
    """The reasons of `in_order` not to wait."""
    return (rcv.nxt - rcv.acked > rcv.seen and _moves(env, rcv)) or (rcv.quick > 0 and not answers(env, rcv))


def _moves(env: Env, rcv: Rcv) -> bool:
    """The right edge goes with it, or the application waits for more; else its reading will bring the ACK.

    DEVIATES: RFC 9293 §3.8.6.3 (SHLD-19) and RFC 5681 §4.2 ask for an ACK at least every second full-sized segment;
    here, as on Linux, not while the window stands still because nobody reads.
    """
    return rcv.queued < rcv.lowat or window.choose(env, rcv) >= rcv.edge - rcv.acked


def delay(env: Env, conn: Conn) -> None:
    """An acknowledgment is due, and may wait for company (SHLD-18)."""
    rcv = conn.rcv
    if rcv.ack == NOW:
        return
    key = (kinds.TCP_DELACK, conn.sock)
    wait = _bounded(env, conn)
    if rcv.ack == DELAYED and env.timers.at[key] <= env.now + wait // 4:
        rcv.ack = NOW  # it would leave in a moment anyhow
    elif not wait:
        rcv.ack = NOW
    elif rcv.ack == NONE or env.now + wait < env.timers.at[key]:
        rcv.ack = DELAYED
        env.timers.set(key, env.now + wait)
        env.note("9293/3.8.6.3/delay", conn.sock, wait // MS)


def _bounded(env: Env, conn: Conn) -> int:
    """The time that an acknowledgment may wait now, ns (tcp_send_delayed_ack): less than the peer's RTO may be."""
    rcv, least = conn.rcv, env.config["net.ipv4.tcp_delack_min"] * MS
    ato = rcv.ato
    if ato > least:
        most = SHORTER if rcv.pushed or answers(env, rcv) else PATIENCE
        ato = min(ato, max(conn.snd.rtt.srtt, least) if 0 < conn.snd.rtt.srtt < most else most)
    return min(ato, SHORTER, max(env.config["net.ipv4.tcp_rto_min_us"] * 1000 - MS, MS))


def quickly(env: Env, conn: Conn) -> None:
    """The peer has trouble (it repeats itself, or is out of step): acknowledge at once, now and for a while."""
    rcv = conn.rcv
    _quick(rcv)
    rcv.pingpong, rcv.ato = 0, env.config["net.ipv4.tcp_delack_min"] * MS
    rcv.ack = NOW


def hurry(env: Env, conn: Conn, most: int) -> None:
    """So many acknowledgments go out at once from now on: the peer may be waiting for each of them."""
    rcv = conn.rcv
    rcv.quick, rcv.pingpong, rcv.ato = max(rcv.quick, most), 0, env.config["net.ipv4.tcp_delack_min"] * MS


def replied(rcv: Rcv, times: int = 1) -> None:
    """The application sent data soon after data came, in so many frames: this is a dialogue."""
    rcv.pingpong = min(rcv.pingpong + times, 255)


def answers(env: Env, rcv: Rcv) -> bool:
    """Does the application answer what it reads, so that an acknowledgment can ride on the answer?"""
    return rcv.pingpong >= env.config["net.ipv4.tcp_pingpong_thresh"]


def expect_answer(env: Env, rcv: Rcv) -> None:
    rcv.pingpong = env.config["net.ipv4.tcp_pingpong_thresh"]


def read(env: Env, conn: Conn) -> None:
    """The application has read (tcp_cleanup_rbuf): nothing is left of a burst that is not acknowledged yet, or the
    window opens widely."""
    rcv = conn.rcv
    if rcv.ack == DELAYED and (
        rcv.nxt - rcv.acked > rcv.seen or (not rcv.alloc and (rcv.pushed > 1 or (rcv.pushed and not answers(env, rcv))))
    ):
        env.note("linux/tcp_cleanup_rbuf/read", conn.sock)
        rcv.ack = NOW
        env.dirty[conn.sock] = None
    elif rcv.ack != NOW and conn.state in RECEIVING:
        window.opened(env, conn)


def at_once(conn: Conn) -> None:
    conn.rcv.ack = NOW


def wait(env: Env, conn: Conn) -> None:
    """The application has something to say: the acknowledgment will ride on it, or go alone after a while."""
    quickly(env, conn)
    conn.rcv.ack = DELAYED
    env.timers.set((kinds.TCP_DELACK, conn.sock), env.now + SHORTER)


def throttled(env: Env, conn: Conn, skipped: str) -> bool:
    """Did an answer to a segment that cannot be right go out a moment ago (tcp_invalid_ratelimit)? Then none goes now,
    counted as `skipped`: two peers that each find the other wrong would never stop."""
    if env.now - conn.challenged < env.config["net.ipv4.tcp_invalid_ratelimit"] * MS:
        env.count[skipped] += 1
        env.note("5961/7/throttled", conn.sock)
        return True
    conn.challenged = env.now
    return False


def whole(conn: Conn) -> bool:
    """Neither half open nor in TIME-WAIT, where Linux keeps little of a connection, and answers with less."""
    return conn.half is None and conn.state != TIME_WAIT


def answer(env: Env, conn: Conn, seg: Segment, skipped: str) -> bool:
    """An unacceptable segment: tell the peer where we are, and what it sends again for nothing (tcp_send_dupack). False
    if it is not answered: without text it may be such an answer itself."""
    rcv = conn.rcv
    if (seg.flags & SYN or not seg.len) and throttled(env, conn, skipped):
        return False
    rcv.ack = NOW
    if seg.seq < rcv.nxt and seg.len and whole(conn):
        repeated(env, conn, seg.seq, min(seg.seq + seg.len, rcv.nxt))
    return True


def repeated(env: Env, conn: Conn, start: int, end: int) -> None:
    """[start, end) came again; our ACK may have been lost. A SYN is one octet of it (RFC 9293 §3.4)."""
    env.count["TcpExtDelayedACKLost"] += 1
    quickly(env, conn)
    blocks.before(env, conn, start, end)


def challenge(env: Env, conn: Conn) -> None:
    """Ask the peer whether it meant that, with an ACK (RFC 5961 §3.2, §4.2, §5.2): seldom on each connection, and not
    too often on the whole host."""
    if throttled(env, conn, "TcpExtTCPACKSkippedChallenge"):
        return
    if not _allowance(env):
        env.note("5961/7/host", conn.sock)
        return
    env.count["TcpExtTCPChallengeACK"] += 1
    conn.rcv.ack = NOW


def challenge_syn(env: Env, conn: Conn) -> None:
    """A SYN inside a connection: the peer may have forgotten it, and then answers our ACK with a RST (RFC 5961 §4)."""
    env.note("9293/3.10.7.4/syn/challenge", conn.sock)
    env.count["TcpInErrs"] += conn.state == ESTABLISHED
    env.count["TcpExtTCPSYNChallenge"] += 1
    challenge(env, conn)


def _allowance(env: Env) -> bool:
    """One of tcp_challenge_ack_limit for this second. How many there are is drawn by lot, or else whoever counts our
    challenges could tell whether others got some (CVE-2016-5696)."""
    limit = env.config["net.ipv4.tcp_challenge_ack_limit"]
    if limit == UNLIMITED:
        return True
    second, left = env.now // SECOND, env.challenges[1]
    if second != env.challenges[0]:
        half = (limit + 1) >> 1
        left = half + env.rng.below(max(limit, 1))
    env.challenges = second, max(left - 1, 0)
    return left > 0


def sent(env: Env, conn: Conn) -> None:
    """A segment with an ACK has just left."""
    rcv = conn.rcv
    rcv.acked, rcv.twice = rcv.nxt, None
    if rcv.held.waiting:
        env.count["TcpExtTCPAckCompressed"] += rcv.held.waiting
        rcv.held = rcv.held._replace(waiting=0)
        env.timers.stop((kinds.TCP_COMPRESS, conn.sock))
    if rcv.ack == NONE:
        return
    if rcv.quick:
        rcv.quick -= 1
        if not rcv.quick:
            rcv.ato = env.config["net.ipv4.tcp_delack_min"] * MS
    rcv.ack, rcv.pushed, rcv.starved = NONE, 0, False
    env.timers.stop((kinds.TCP_DELACK, conn.sock))


def expire(env: Env, conn: Conn) -> None:
    """The delayed ACK has waited long enough (MUST-40); no answer came for it to ride on, so do not count on one."""
    rcv = conn.rcv
    if rcv.ack == DELAYED:
        env.count["TcpExtDelayedACKs"] += 1
        env.note("9293/3.8.6.3/expire", conn.sock)
        rcv.ack = NOW
        if answers(env, rcv):
            rcv.pingpong, rcv.ato = 0, env.config["net.ipv4.tcp_delack_min"] * MS
        else:
            rcv.ato = min(2 * rcv.ato, conn.snd.rtt.rto)
