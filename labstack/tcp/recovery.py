# SPDX-License-Identifier: GPL-2.0-or-later
"""Loss recovery without SACK: fast retransmit and NewReno (RFC 5681 §3.2, RFC 6582), limited transmit (RFC 3042).

Decides that a segment is lost and when recovery is over. What cwnd becomes is the controller's affair, putting the
segment on the wire is `send`'s.
"""

from labstack.core.env import Env
from labstack.tcp import tally
from labstack.tcp.conn import Conn, Snd
from labstack.tcp.segment import FIN, SYN, Segment


def is_duplicate(snd: Snd, seg: Segment) -> bool:
    """RFC 5681 §2, the definition of a duplicate acknowledgment."""
    return (
        snd.cursor > snd.una  # (a) the receiver of the ACK has outstanding data
        and seg.size == 0  # (b) the ACK carries no data
        and not seg.flags & (SYN | FIN)  # (c) SYN and FIN are both off
        and seg.ack == snd.una  # (d) it acknowledges what was acknowledged before
        and seg.wnd << snd.shift == snd.wnd  # (e) the advertised window did not change
    )


def duplicate(env: Env, conn: Conn) -> None:
    """One more duplicate ACK."""
    snd = conn.snd
    snd.dupacks += 1
    tally.duplicate(conn.tally, snd.nxt, snd.recover)
    if snd.recovering:
        if snd.inflations > 0:
            env.note("5681/3.2/4/inflate", conn.sock, snd.dupacks)
            snd.inflations -= 1
            snd.cc.inflate()
    elif snd.dupacks < env.config["net.ipv4.tcp_reordering"]:
        env.note("3042/2/limited", conn.sock, snd.dupacks)
    elif snd.una <= snd.recover:
        # RFC 6582 §3.2 (1): these may be echoes of segments that were sent before the last recovery
        env.note("6582/3.2/1/again", conn.sock)
    else:
        _enter(env, conn)


def _enter(env: Env, conn: Conn) -> None:
    snd = conn.snd
    env.count["TcpExtTCPRenoRecovery"] += 1
    env.count["TcpExtTCPFastRetrans"] += 1
    env.note("5681/3.2/2/fast", conn.sock, snd.una - snd.iss)
    snd.recovering, snd.recover = True, snd.nxt
    conn.tally.loss = tally.RECOVERY
    flight = snd.nxt - snd.una
    snd.inflations = flight // snd.mss - snd.dupacks
    snd.cc.enter_recovery(min(flight, snd.cc.cwnd))  # without what limited transmit added (RFC 5681 §3.2 (2))
    snd.resend = True


def advanced(env: Env, conn: Conn, size: int) -> None:
    """SND.UNA has just moved by size bytes of sequence space."""
    snd = conn.snd
    snd.dupacks = 0
    if not snd.recovering:
        if snd.cwnd_limited:
            snd.cc.acked(size)
    elif snd.una >= snd.recover:
        env.note("6582/3.2/full", conn.sock)
        snd.recovering = False
        snd.cc.leave_recovery(snd.nxt - snd.una)
    else:
        env.note("6582/3.2/partial", conn.sock, snd.una - snd.iss)
        snd.cc.partial(size)
        snd.inflations = (snd.nxt - snd.una) // snd.mss
        snd.resend = True


def timed_out(env: Env, conn: Conn) -> None:
    """The retransmission timer expired: everything in flight counts as lost (RFC 5681 §3.1, RFC 6582 §4)."""
    snd = conn.snd
    env.note("5681/3.1/timeout", conn.sock)
    # RFC 6928 §2: the first flight is one segment if a SYN was lost twice; once need not be a loss: nothing is halved
    if snd.una > snd.iss or snd.retries > 1:
        snd.cc.timed_out(snd.nxt - snd.una, snd.retries == 1)
    snd.recovering, snd.recover, snd.dupacks = False, snd.nxt, 0
    snd.cursor, snd.resend = snd.una, False
    tally.timed_out(conn.tally, snd.retries == 1, env.now)
    snd.rtt.cancel()
