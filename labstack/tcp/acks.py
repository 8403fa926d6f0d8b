# SPDX-License-Identifier: GPL-2.0-or-later
"""The sender meets an acknowledgment (RFC 9293 §3.10.7.4, fifth): windows, what it acknowledges, what that says of loss
and of the round trip, and what cwnd becomes. The order is Linux's.
"""

from labstack.core.env import Env
from labstack.tcp import (
    accecn,
    delivery,
    mtu,
    persist,
    plpmtud,
    prr,
    rack,
    rate,
    recovery,
    rtt,
    sack,
    tally,
    tlp,
    tstamp,
)
from labstack.tcp.cc import news
from labstack.tcp.cc.controller import Sample
from labstack.tcp.conn import Conn, Snd
from labstack.tcp.ecn import echoes
from labstack.tcp.loss import CWR, OPEN, RECOVERY
from labstack.tcp.segment import ACK, FIN, PSH, SYN, Segment
from labstack.tcp.sent import EVER, LOST, RETRANS, SACKED, Sent, drop, find, replace, rest
from labstack.tcp.states import ESTABLISHED
from labstack.tcp.told import Told


def acknowledge(env: Env, conn: Conn, seg: Segment) -> None:
    """An acceptable ACK of a synchronized connection: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT."""
    snd = conn.snd
    if seg.size and _text_alone(conn, seg):
        snd.wl1, snd.wl2 = seg.seq, seg.ack
        return
    told = Told(snd, sack.top(snd))
    if seg.ack < snd.una:
        _old(env, conn, seg, told)
        return
    if seg.ts is not None and conn.tstamp is not None:
        told.echo = seg.ts[1]
    if conn.ecn:
        told.ece, told.flags, told.accecn = echoes(conn, seg), seg.flags, seg.accecn
    told.data = seg.size > 0 or seg.flags & (SYN | FIN) != 0
    told.advanced = seg.ack > snd.una
    _window(env, conn, seg, told)
    if told.advanced:
        advance(env, conn, seg.ack)
    if seg.sack and conn.sack:
        sack.tag(env, conn, seg, told)
    snd.ack_at, snd.unanswered = env.now, 0
    follow(env, conn, told)


def _text_alone(conn: Conn, seg: Segment) -> bool:
    """The next text of an open connection, whose ACK and window say nothing new: the sender does not look at it, as
    with Linux's header prediction (`predict` is ours)."""
    snd, rcv = conn.snd, conn.rcv
    same = seg.ack == snd.una and seg.wnd << snd.shift == snd.wnd and not seg.sack
    next_one = seg.seq == rcv.nxt and not rcv.islands and rcv.fin is None
    return same and next_one and conn.state == ESTABLISHED and seg.flags & ~PSH == ACK


def advance(env: Env, conn: Conn, ack: int) -> None:
    """SND.UNA moves."""
    snd = conn.snd
    env.note("9293/3.10.7.4/ack/new", conn.sock, ack - snd.una)
    snd.una, snd.retries, snd.more, conn.soft = ack, 0, False, 0
    snd.out.drop_before(ack)


def follow(env: Env, conn: Conn, told: Told) -> None:
    """What follows from an ACK that is not old, once SND.UNA, the window and the SACK blocks are taken over."""
    snd = conn.snd
    if not snd.flight.queue:
        _nothing_out(env, conn, told)
        return
    _arrived(env, conn, told)
    if conn.acc is not None:
        accecn.heard(conn, conn.acc, told, snd.loss.delivered - told.delivered)
    if snd.loss.duplicated or snd.loss.steps > 1:
        rack.widen(env, conn, told)
    if snd.loss.tail_end:
        tlp.answered(env, conn, told)
    if not told.novel or told.sacked or told.ece or told.duplicate or snd.loss.state != OPEN:
        recovery.alert(env, conn, told)
    if told.timer:
        tlp.set_timer(env, conn)
    conn.progress = conn.progress or told.advanced or told.sacked
    _control(env, conn, told)
    if told.advanced and not snd.flight.queue and snd.una >= snd.out.end + snd.fin:
        tally.idle(conn.tally, env.now)


def _nothing_out(env: Env, conn: Conn, told: Told) -> None:
    """There was nothing that it could acknowledge: perhaps it opens the window."""
    if told.duplicate:
        recovery.alert(env, conn, told)
        _count(env, conn, told)
    persist.answered(env, conn)
    if conn.snd.loss.tail_end:
        tlp.answered(env, conn, told)


def _old(env: Env, conn: Conn, seg: Segment, told: Told) -> None:
    """It was overtaken by another; its SACK blocks may still tell something."""
    env.note("9293/3.10.7.4/ack/old", conn.sock, seg.ack - conn.snd.iss)
    if not (seg.sack and conn.sack):
        return
    told.old = True
    sack.tag(env, conn, seg, told)
    told.data = True  # never a duplicate ACK
    if told.sacked or told.duplicate:
        recovery.alert(env, conn, told)
    _count(env, conn, told)


def _count(env: Env, conn: Conn, told: Told) -> None:
    """What was delivered (tcp_newly_delivered)."""
    env.count["TcpExtTCPDelivered"] += conn.snd.loss.delivered - told.delivered


# what was acknowledged


def _arrived(env: Env, conn: Conn, told: Told) -> None:
    """Take from the queue what SND.UNA has passed."""
    snd = conn.snd
    queue, una = snd.flight.queue, snd.una
    if una > queue[0].seq:
        for s in _passed(conn):
            _told(env, conn, s, told)
    if queue and queue[0].marks & SACKED:
        told.reneged = True
    sampled = _timed(env, conn, told)
    if told.acked:
        told.timer = True
        if conn.search.probe:
            plpmtud.arrived(env, conn)
        if not conn.sack:
            _uncounted(env, conn, told)
        elif told.lowest < told.top:
            sack.reordered(env, conn, told.lowest)
    elif sampled and queue and 0 <= told.sack_first_at < queue[0].at:
        # not for what was sent after the oldest went (again): else the timeout for that would never come
        told.timer = True


def _passed(conn: Conn) -> list[Sent]:
    """The records that SND.UNA has passed leave the queue, all at once, before anything is made of them."""
    flight, una = conn.snd.flight, conn.snd.una
    if flight.queue[-1].end <= una:
        return drop(flight, len(flight.queue))
    index = find(flight, una)
    return drop(flight, index if flight.queue[index].seq == una else _partly(conn, index))


def _partly(conn: Conn, index: int) -> int:
    """A super-segment is acknowledged in part: whole segments of it count, and of a segment a part does not. Returns
    the index of what is left."""
    flight, una = conn.snd.flight, conn.snd.una
    s = flight.queue[index]
    left = rest(s, una)
    records = [left]
    if left.segs < s.segs:
        records.insert(0, s._replace(end=una, segs=s.segs - left.segs, flags=s.flags & ~(FIN | PSH)))
    replace(flight, index, index + 1, records)
    return index + len(records) - 1


def _told(env: Env, conn: Conn, s: Sent, told: Told) -> None:
    """What the acknowledgment of a record tells."""
    loss = conn.snd.loss
    seq, end, segs, marks, at, flags, _, note = s
    if marks & EVER:
        told.retransmitted = True
    elif not marks & SACKED:
        told.last_at = at
        if told.first_at < 0:
            told.first_at = at
        if seq < told.lowest:
            told.lowest = seq
        if end <= loss.high:
            told.original = True
    if not marks & SACKED:
        if conn.sack:
            loss.delivered += segs
            if not (marks & EVER and rack.superfluous(conn, s, told.echo)):
                rack.advance(env, conn, s, told.echo)
        told.newest = delivery.newest(told.newest, note, at, end)
    if flags & SYN:
        told.syn = True
        loss.resent_at = -1
    else:
        told.text = True
    told.acked += segs


def _uncounted(env: Env, conn: Conn, told: Told) -> None:
    """Without SACK duplicate ACKs were counted in the place of segments: take as many back."""
    loss, flight, acked = conn.snd.loss, conn.snd.flight, told.acked
    if acked > 0:
        # one ACK is for what was missing, the rest for what the duplicate ACKs told of
        loss.delivered += max(acked - flight.sacked, 1)
        flight.sacked = max(flight.sacked - acked + 1, 0)
    sack.guess(env, conn, acked)
    if told.retransmitted:
        told.original = False


def _timed(env: Env, conn: Conn, told: Told) -> bool:
    """Karn's rule: only what was sent once tells the round-trip time, unless timestamps do (RFC 7323 §4)."""
    snd, now = conn.snd, env.now
    seq_rtt = -1
    if told.first_at >= 0 and not told.retransmitted:
        seq_rtt, told.rtt = now - told.first_at, now - told.last_at
        told.delayed = told.acked == 1 and not told.sacked and snd.loss.delivered == told.delivered + 1
    sack_rtt = -1
    if told.sack_first_at >= 0:
        sack_rtt, told.rtt = now - told.sack_first_at, now - told.sack_last_at
    sample = seq_rtt if seq_rtt >= 0 else sack_rtt
    if sample < 0 and told.acked and told.echo and conn.tstamp is not None:
        sample = told.rtt = tstamp.round_trip(env, conn.tstamp, told.echo)
    if sample < 0:
        return False
    rtt.sample(env, snd.rtt, max(sample, 1), max(told.rtt, 1), snd.una, snd.nxt, told.delayed)
    return True


# what cwnd becomes


def _control(env: Env, conn: Conn, told: Told) -> None:
    """The controller hears of it: it grows the window, or recovery shrinks it."""
    snd, loss = conn.snd, conn.snd.loss
    _count(env, conn, told)
    if told.ece:
        told.ce = told.ce or loss.delivered - told.delivered
        loss.marks += told.ce
        env.count["TcpExtTCPDeliveredCE"] += told.ce
    new, losses = loss.delivered - told.delivered, loss.marked - told.marked
    sample = rate.sample(env, snd, told.newest, told.flight, new, told.rtt, losses, told.ce, told.ece, told.delayed)
    reduces = loss.state in (CWR, RECOVERY) and not snd.cc.own
    heard(env, conn, sample, not reduces and _forward(env, snd, told))
    if reduces:
        prr.reduce(env, conn, sample, told.advanced)


def heard(env: Env, conn: Conn, sample: Sample, forward: bool = True) -> None:
    """The controller may grow the window if data was delivered (forward), or decides alone."""
    snd, cc = conn.snd, conn.snd.cc
    cc.heard(sample)
    if cc.own:
        cc.control(sample)
        if cc.dipping:
            delivery.starve(snd.delivery, sample.total, sample.flight)
    elif forward:
        snd.full_at = env.now  # cwnd may grow: that nobody uses it counts from here (tcp_cong_avoid)
        if cc.limited or (cc.cwnd < cc.ssthresh and cc.cwnd < 2 * snd.most):
            before = cc.cwnd
            cc.grow(sample)
            if cc.cwnd > before:
                rule = "5681/3.1/slow-start" if before < cc.ssthresh else "5681/3.1/avoid"
                env.note(rule, conn.sock, sample.acked, cc.cwnd)
    if cc.news:
        news.tell(env, conn.sock, cc)


def _forward(env: Env, snd: Snd, told: Told) -> bool:
    """Has data been delivered? Where segments overtake each other, SACK blocks say so, too."""
    return told.text or (told.sacked and snd.loss.reordering > env.config["net.ipv4.tcp_reordering"])


# the window


def _window(env: Env, conn: Conn, seg: Segment, told: Told) -> None:
    """RFC 9293 §3.10.7.4: an older segment must not overwrite a newer window."""
    snd = conn.snd
    # RFC 7323 §2.2: a SYN's window is never scaled
    wnd = seg.wnd if seg.flags & SYN else seg.wnd << snd.shift
    if told.advanced or snd.wl1 < seg.seq:
        told.window = True
    elif snd.wl1 == seg.seq and snd.wl2 <= seg.ack:
        # a window that is only smaller may be the price of what arrived out of order, and no news (RFC 6675 §2)
        told.window = wnd > snd.wnd or not wnd
    else:
        return
    if not snd.wnd and wnd and not told.advanced:
        _reopened(env, conn)
    window(env, conn, seg.seq, seg.ack, wnd)


def _reopened(env: Env, conn: Conn) -> None:
    """What was sent again while the window was closed was not taken: do not wait for a timer that has backed off.

    Linux does wait.
    """
    queue = conn.snd.flight.queue
    if queue and queue[0].marks & LOST and queue[0].marks & RETRANS:
        env.note("9293/3.8.6/reopened", conn.sock)
        rack.lose(env, conn, 0)


def window(env: Env, conn: Conn, seq: int, ack: int, wnd: int) -> None:
    """Take over the window (bytes) that a segment offers: SND.WND, SND.WL1, SND.WL2."""
    snd = conn.snd
    if wnd != snd.wnd:
        env.note("9293/3.10.7.4/ack/window", conn.sock, snd.wnd, wnd)
    snd.wnd, snd.wl1, snd.wl2 = wnd, seq, ack
    if wnd > snd.max_wnd:
        before, snd.max_wnd = snd.max_wnd, wnd
        if before >> 1 <= snd.mss:
            mtu.sync(env, conn, conn.mtu)  # segments may have been small because of that
