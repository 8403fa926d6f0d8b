# SPDX-License-Identifier: GPL-2.0-or-later
"""What may be sent now: the windows, Nagle, silly-window avoidance (RFC 9293 §3.7.4, §3.8.6; RFC 5681 §3.1).

`poll` answers "which bytes go next" and nothing else; `output` puts them into segments.
"""

from labstack.core.env import Env
from labstack.tcp import ackgen, tally, timeouts
from labstack.tcp.conn import Conn, Snd
from labstack.tcp.segment import ACK, FIN, PSH, SYN
from labstack.tcp.states import SENDING

Span = tuple[int, int, int]  # sequence number, bytes of data, flags


def poll(env: Env, conn: Conn) -> Span | None:
    """The next span of sequence space to put on the wire, or None when nothing may go."""
    snd = conn.snd
    if snd.una == snd.iss:
        # RFC 9293 §3.10.7.3: until our SYN is acknowledged only the SYN itself goes
        return (snd.iss, 0, SYN) if snd.cursor == snd.iss else None
    if conn.state not in SENDING:
        return None
    probe, snd.probe = snd.probe, False
    if snd.resend:
        snd.resend = False
        return _first(conn)
    ready = snd.out.end - snd.cursor
    if ready < 0 or (ready == 0 and not snd.fin):
        return None
    size = _allowed(env, conn, ready)
    if size is None:
        return _blocked(env, conn, probe)
    seq, size, flags = _span(snd, snd.cursor, size, snd.una + snd.wnd)
    return seq, size, flags | (PSH if _ends_a_burst(conn, ready, size) else 0)


def _ends_a_burst(conn: Conn, ready: int, size: int) -> bool:
    """Is this the last full-sized segment that the windows let go now? Linux (forced_push) pushes it when half the
    largest window is on its way, which in a connection that the peer opened is little at first."""
    snd = conn.snd
    if not conn.passive and snd.cursor + size - snd.una <= snd.max_wnd // 2:
        return False
    rest = min(snd.una + snd.wnd, snd.una + snd.cc.cwnd) - snd.cursor - size
    return snd.cursor == snd.nxt and rest < snd.mss and rest < ready - size and size >= snd.mss


def _first(conn: Conn) -> Span:
    """The segment at SND.UNA once more, and no more than was sent before."""
    snd = conn.snd
    return _span(snd, snd.una, min(snd.mss, max(min(snd.out.end, snd.nxt) - snd.una, 0)), snd.nxt)


def _allowed(env: Env, conn: Conn, ready: int) -> int | None:
    """How many of the ready bytes may go in one (super-)segment now; 0 is a FIN alone, None is nothing."""
    snd = conn.snd
    mss, flight = snd.mss, snd.cursor - snd.una
    usable = snd.wnd - flight
    if ready == 0:
        return 0 if usable > 0 else None
    room = _congestion_room(env, conn, flight)
    size = min(ready, usable, room)
    if size >= mss:
        # (1) of RFC 9293 §3.8.6.2.1: full-sized segments
        most = conn.gso - conn.gso % mss if conn.gso > mss else mss
        return min(size - size % mss, most)
    if size <= 0 or room < min(ready, usable):
        return None
    if snd.cursor < snd.nxt:
        return size  # a retransmission: whatever the window takes (SHLD-16)
    if (snd.corked or snd.more) and size == ready and not snd.fin:
        env.note("linux/tcp_nagle_check/cork", conn.sock, ready)
        return None
    # DEVIATES: Nagle waits while anything is unacknowledged; Minshall, and Linux, only for another small segment
    if size == ready and (snd.nodelay or snd.fin or not snd.una < snd.small <= snd.nxt):
        return size  # (2): all that is queued, and Nagle has no objection: no other small segment is on its way
    if flight == 0 and size * 2 >= snd.max_wnd:
        return size  # (3): at least half the largest window ever offered
    if size == ready:
        env.note("9293/3.7.4/nagle", conn.sock, ready)
    return None


def _congestion_room(env: Env, conn: Conn, flight: int) -> int:
    """What cwnd leaves, with RFC 3042's two segments on the first two duplicate ACKs."""
    snd = conn.snd
    if flight == 0 and snd.nxt == snd.una and env.now - snd.sent_at > snd.rtt.rto and snd.sent_at:
        snd.sent_at = 0
        if env.config["net.ipv4.tcp_slow_start_after_idle"]:
            env.note("5681/4.1/restart", conn.sock)
            snd.cc.idle(initial_window(env, snd.mss))
    if snd.dupacks and not snd.recovering:
        flight -= min(snd.dupacks, 2) * snd.mss
    return snd.cc.cwnd - flight


def initial_window(env: Env, mss: int) -> int:
    """RFC 6928: ten segments."""
    return env.config["net.ipv4.tcp_init_cwnd"] * mss


def _blocked(env: Env, conn: Conn, probe: bool) -> Span | None:
    """Something waits. With nothing in flight no ACK will come to free it: probe (RFC 9293 §3.8.6.1)."""
    snd = conn.snd
    if snd.cursor > snd.una:
        return None
    if not probe:
        timeouts.persist(env, conn)
        return None
    if snd.wnd:
        # RFC 9293 §3.8.6.2.1 (4): the window is small, but it has been for long
        return _span(snd, snd.una, min(snd.mss, snd.wnd, snd.out.end - snd.una), snd.una + snd.wnd)
    snd.probe = True
    return _span(snd, snd.una, min(1, snd.out.end - snd.una), snd.una + 1)


def ack_seq(snd: Snd) -> int:
    """The sequence number of an ACK: SND.NXT, unless the peer's window was shrunk and ends before it (Linux's
    tcp_acceptable_seq), where the peer would not listen. One byte beyond is a probe: the peer may have taken it."""
    edge = snd.una + snd.wnd
    return snd.nxt if snd.nxt <= edge + 1 else edge


def reset_seq(snd: Snd) -> int:
    """The sequence number of a RST, which must be exactly the peer's RCV.NXT (RFC 5961 §3): a probe will not count."""
    return min(snd.nxt, snd.una + snd.wnd)


def _span(snd: Snd, seq: int, size: int, edge: int) -> Span:
    """Complete the flags: PSH at the end of what is buffered (MUST-61), FIN behind the last byte."""
    end = seq + size
    if end < snd.out.end:
        return seq, size, ACK
    fin = FIN if snd.fin and end == snd.fin_seq and end < max(edge, snd.nxt) else 0
    return seq, size, ACK | fin | (PSH if size else 0)


def sent(env: Env, conn: Conn, span: Span) -> None:
    """The span has left: move SND.NXT, time it, start the timer (RFC 6298 §5.1)."""
    snd = conn.snd
    seq, size, flags = span
    end = seq + size + (1 if flags & (SYN | FIN) else 0)
    if seq < snd.nxt:
        env.count["TcpRetransSegs"] += 1
        snd.rtt.cancel()
    elif not snd.probe:
        snd.rtt.start(end, env.now)
        if size:
            env.note("9293/3.10.2/send", conn.sock, size)
            if size % snd.mss:
                snd.small = end
            ackgen.replied(env, conn)
    if end > snd.nxt:
        snd.nxt = end
    if snd.probe:
        snd.probe = False
        conn.tally.bare_out += 1
        return
    tally.sent(conn.tally, seq, size, end, snd.mss, env.now)
    if snd.probes:
        timeouts.stop_probing(env, conn)
    if end > snd.cursor:
        snd.cursor = end
    snd.sent_at = env.now
    flight = snd.cursor - snd.una
    # grow cwnd only where it is what limits us (RFC 5681 §3.1; RFC 7661)
    cc = snd.cc
    snd.cwnd_limited = flight * 2 >= cc.cwnd if cc.cwnd < cc.ssthresh else flight + snd.mss > cc.cwnd
    timeouts.start_if_idle(env, conn)
