# SPDX-License-Identifier: GPL-2.0-or-later
"""What may be sent now: the windows, Nagle, silly-window avoidance (RFC 9293 §3.7.4, §3.8.6; RFC 5681 §3.1), and what
is sent again (RFC 6675 §4, NextSeg()).

`poll` answers "which bytes go next" and nothing else; `output` puts them into segments, `sent` remembers them.
"""

from labstack.core import kinds
from labstack.core.env import Env
from labstack.tcp import ackgen, delivery, initial, pace, persist, plpmtud, rate, sndbuf, tally, timer, tlp
from labstack.tcp.conn import REORDER, Conn, Snd
from labstack.tcp.loss import CWR, LOSS, RECOVERY
from labstack.tcp.segment import ACK, FIN, PSH, SYN
from labstack.tcp.sent import EVER, LOST, RETRANS, SACKED, Sent, cut, find, mark, push, replace, segments
from labstack.tcp.states import SENDING

NEW = -1


# a piece of sequence space to put on the wire: sequence number, bytes of data, flags; its index in the queue, or NEW;
# and whether it is one segment, larger than the others: a probe for the MTU of the path
Span = tuple[int, int, int, int, bool]


def busy(snd: Snd) -> bool:
    """Is anything in flight or to be sent, or was there to be a moment ago?"""
    loss = snd.loss
    waits = snd.nxt < snd.out.end + snd.fin or snd.syn or snd.push
    return waits or bool(snd.flight.queue) or loss.tail or loss.fresh or loss.oldest


def poll(env: Env, conn: Conn) -> Span | None:
    """The next piece of sequence space to put on the wire, or None when nothing may go."""
    snd, loss = conn.snd, conn.snd.loss
    if snd.syn:
        if snd.nxt > snd.iss:
            return snd.iss, 0, SYN, 0, False
        return snd.iss, conn.fast.size if conn.fast is not None else 0, SYN, NEW, False
    if conn.state not in SENDING and not (conn.half is not None and conn.half.fast):
        return None
    if snd.departs > env.now and not loss.oldest:
        return _paced(env, conn)
    if loss.tail:
        return _tail(env, conn)
    if loss.fresh:
        # RFC 5682 §3.1 (2.b)
        span = _new(env, conn, force=True) if snd.nxt < snd.out.end + snd.fin else None
        if span is not None:
            return span
        loss.fresh = False
        loss.hold = snd.nxt > loss.high
        loss.frto = loss.frto and loss.hold
    if (loss.oldest or snd.flight.lost > snd.flight.retrans) and not loss.hold:
        span = _again(conn)
        if span is not None:
            return span
    return _new(env, conn, force=snd.probe or snd.push) if snd.nxt < snd.out.end + snd.fin else None


def _paced(env: Env, conn: Conn) -> Span | None:
    """The pace has not come to the next segment yet: a timer will tell. A tail loss probe goes all the same if it is a
    segment once more, but new data does not, and then the timeout is what is left (tcp_send_loss_probe)."""
    snd = conn.snd
    if snd.loss.tail:
        span = _tail(env, conn)
        if span is not None and span[3] != NEW:
            return span
        snd.loss.tail = False
        timer.rearm(env, conn)
    if snd.nxt < snd.out.end + snd.fin or snd.flight.lost > snd.flight.retrans:
        env.timers.set((kinds.TCP_PACING, conn.sock), snd.departs)
    return None


def departs(env: Env, conn: Conn) -> None:
    """The pace has come to the next segment: whoever flushes the connection sends it."""
    env.note("linux/tcp_pacing_check/go", conn.sock)


# what was sent before


def _again(conn: Conn) -> Span | None:
    """The first segment that is lost and was not sent again, if the windows have room."""
    snd, flight = conn.snd, conn.snd.flight
    room = snd.cc.cwnd - flight.now
    if room <= 0 and not snd.loss.oldest:
        return None
    for index, s in enumerate(flight.queue):
        if s.marks & LOST and not s.marks & (SACKED | RETRANS):
            return _fit(conn, index, max(room, 1))
    snd.loss.oldest = False
    return None


def _fit(conn: Conn, index: int, room: int) -> Span | None:
    """As much of this record as may go again: so many segments, of the size that they have now, inside the window."""
    snd, flight = conn.snd, conn.snd.flight
    s = flight.queue[index]
    available = snd.una + snd.wnd - s.seq
    if available <= 0:
        if s.seq != snd.una:
            return None
        available = snd.fits  # the window was shrunk to nothing: one segment serves as a probe
    length = snd.fits * (1 if snd.loss.oldest else min(room, snd.burst))
    if length > available:
        length = available // snd.fits * snd.fits or available
    if s.size > length:
        cut(flight, index, s.seq + length, snd.fits)
    elif s.mss != snd.fits and s.segs != segments(s.size, snd.fits):
        replace(flight, index, index + 1, [s._replace(segs=segments(s.size, snd.fits), mss=snd.fits)])
    elif s.segs == 1 and s.size < min(available, snd.fits):
        _collapse(conn, index, min(available, snd.fits))
    s = flight.queue[index]
    return s.seq, s.size, s.flags | ACK, index, False


def _collapse(conn: Conn, index: int, room: int) -> None:
    """Small segments that follow each other go again as one (RFC 9293 §3.7.5 allows it)."""
    flight = conn.snd.flight
    first = flight.queue[index]
    if first.flags & SYN:
        return
    limit = conn.snd.out.stop_after(first.seq)
    stop, end, size, marks, flags = index + 1, first.end, first.size, first.marks, first.flags
    for s in flight.queue[index + 1 :]:
        size += s.size
        if s.end - (s.flags & FIN) > limit or s.segs > 1 or s.marks & SACKED or size > room:
            break
        stop, end, marks, flags = stop + 1, s.end, marks | s.marks & EVER, flags | s.flags
    if stop > index + 1:
        mss = max(first.mss, size)
        if not conn.sack:
            # fewer segments: fewer of them can have arrived
            flight.sacked = max(flight.sacked - (stop - index - 1), 0)
        replace(flight, index, stop, [Sent(first.seq, end, 1, marks, first.at, flags, mss, first.note)])


def _tail(env: Env, conn: Conn) -> Span | None:
    """A tail loss probe (RFC 8985 §7.3): a segment of new data, whatever cwnd says, or else the last one again."""
    snd, flight = conn.snd, conn.snd.flight
    if not flight.queue:
        snd.loss.tail = False
        return None
    ready = snd.out.end - snd.nxt
    fits = snd.nxt + min(ready, snd.fits) + (ready == 0) <= snd.una + snd.wnd
    if fits and (ready > 0 or (ready == 0 and snd.fin)):
        return _span(snd, snd.nxt, min(ready, snd.fits, snd.out.stop_after(snd.nxt) - snd.nxt))
    last = flight.queue[-1]
    if last.segs > 1 and last.size > (last.segs - 1) * last.mss:
        cut(flight, len(flight.queue) - 1, last.seq + (last.segs - 1) * last.mss)
        last = flight.queue[-1]
    span = _fit(conn, len(flight.queue) - 1, 1)
    if span is None:
        snd.loss.tail = False  # the peer has taken back the window it was sent for
        timer.rearm(env, conn)
    return span


# what is new


def _new(env: Env, conn: Conn, force: bool = False) -> Span | None:
    """The next bytes that were never sent, or the FIN. force: Nagle has no say."""
    snd = conn.snd
    ready = snd.out.end - snd.nxt
    if ready and snd.una == snd.iss:
        return None  # RFC 9293 §3.10.4: what was queued in SYN-RECEIVED waits for ESTABLISHED, a FIN alone does not
    if snd.out.stops and ready:
        stop = snd.out.stop_after(snd.nxt)
        ready, force = stop - snd.nxt, force or stop < snd.out.end
    if not snd.flight.queue and env.now - snd.sent_at > snd.rtt.rto and snd.una + snd.wnd > snd.nxt:
        initial.idle(env, conn)
    room = snd.cc.cwnd - snd.flight.now
    if room <= 0:
        return None
    if conn.search.on and (probe := plpmtud.probe(env, conn)) != plpmtud.NO:
        return (snd.nxt, probe, ACK, NEW, True) if probe else None
    # segments that leave together: at least two such bursts in a window, ours and the peer's, so that there is always
    # one on its way; urgent data goes one by one
    segs, peer, urgent = snd.cc.cwnd >> 1, (snd.max_wnd >> 1) // snd.mss, snd.up > snd.una
    if peer < segs:
        segs = peer
    if snd.burst < segs:
        segs = snd.burst
    if room < segs:
        segs = room
    if segs < 1 or urgent:
        segs = 1
    if len(snd.chunks) > 1 and ready:
        sndbuf.fill(snd, snd.nxt + min(segs * snd.fits, ready))
    size = _allowed(env, conn, ready, segs, force or urgent)
    return _span(snd, snd.nxt, size) if size is not None else None


def _allowed(env: Env, conn: Conn, ready: int, segs: int, force: bool) -> int | None:
    """How many of the ready bytes may go now, in at most so many segments; 0 is a FIN alone, None is nothing."""
    snd = conn.snd
    mss, usable = snd.fits, snd.una + snd.wnd - snd.nxt
    if ready == 0:
        return 0 if usable > 0 else None
    if ready > mss and usable >= mss:
        # (1) of RFC 9293 §3.8.6.2.1: full-sized segments. DEVIATES: and the rest of the window, if Nagle has no
        # objection, as on Linux
        most, needed = segs * mss, ready if ready < usable else usable
        if most <= needed:
            return most
        rest = needed % mss
        return needed - rest if rest and not force and _nagle(env, conn, rest) else needed
    if ready <= mss and ready <= usable:
        # (2): all that is queued
        return None if ready < mss and not force and not snd.fin and _nagle(env, conn, ready) else ready
    return _little(conn, min(ready, usable))


def _little(conn: Conn, size: int) -> int | None:
    """The window takes less than a segment of what is ready (RFC 9293 §3.8.6.2.1)."""
    snd = conn.snd
    if snd.flight.queue or size <= 0:
        return None
    # (3) at least half the largest window ever offered, (4) or an RTO has passed
    return size if snd.probe or size * 2 >= snd.max_wnd else None


def _nagle(env: Env, conn: Conn, size: int) -> bool:
    """Must a segment that is not full wait? (RFC 9293 §3.7.4)"""
    snd = conn.snd
    if snd.corked or snd.more:
        env.note("linux/tcp_nagle_check/cork", conn.sock, size)
        return True
    # DEVIATES: Nagle waits while anything is unacknowledged; Minshall, and Linux, only for another small segment
    if not snd.nodelay and snd.flight.queue and snd.una < snd.small <= snd.nxt:
        env.note("9293/3.7.4/nagle", conn.sock, size)
        return True
    return False


def _span(snd: Snd, seq: int, size: int) -> Span:
    """Complete the flags: PSH at the end of what was written (MUST-61), FIN behind the last byte."""
    end = seq + size
    if end < snd.out.end:
        push = size and (
            snd.probe
            or (snd.chunks and snd.chunks[0] == (end, True))
            or (snd.out.stops and snd.out.stop_after(end - 1) == end)
        )
        return seq, size, ACK | PSH if push else ACK, NEW, False
    fin = FIN if snd.fin and end == snd.fin_seq and end < snd.una + snd.wnd else 0
    return seq, size, ACK | fin | (PSH if size and (snd.probe or not snd.unfinished) else 0), NEW, False


# numbers of segments that carry no data


def ack_seq(conn: Conn) -> int:
    """The sequence number of an ACK.

    DEVIATES: RFC 9293 §3.10.7.4 says SND.NXT. If the peer's window was shrunk and ends before that, the peer would not
    listen, so it is the end of the window (Linux's tcp_acceptable_seq), unless no more is missing than a scale may
    round away. But perhaps the window only seemed to shrink, and the peer has got everything; if the same happened to
    it, neither would ever listen to the other again. So after every other timeout it is SND.NXT all the same.
    """
    snd, end = conn.snd, conn.snd.una + conn.snd.wnd
    return snd.nxt if snd.nxt - end < 1 << conn.rcv.shift or snd.rtt.backoff & 1 else end


# it has left


def sent(env: Env, conn: Conn, span: Span) -> None:
    """The span has left: remember it, and set the timer."""
    snd, new = conn.snd, span[3] == NEW
    tail = snd.loss.tail
    if new:
        _sent_new(env, conn, span)
    else:
        _sent_again(env, conn, span, tail)
    if tail:
        tlp.sent(env, conn, not new)
    if snd.cc.paced or conn.fq or conn.user.pacing:
        size, went = span[1], conn.tally.data_segs_out
        snd.departs = pace.next_departure(snd.departs, env.now, size, snd.pacing, went)


def _sent_new(env: Env, conn: Conn, span: Span) -> None:
    snd, loss, flight = conn.snd, conn.snd.loss, conn.snd.flight
    seq, size, flags, _, whole = span
    end, first, syn = seq + size, not flight.queue, flags & SYN
    if flags & (SYN | FIN):
        end += 1
    note = delivery.sent(snd.delivery, env.now, loss.delivered, flight.out)
    if syn:
        snd.syn = False
        if size:
            # Fast Open's data is a segment of its own, which can go again without the SYN
            push(flight, seq, seq + 1, SYN, snd.fits, env.now, note)
            seq, flags = seq + 1, PSH
        if conn.fast is not None:
            conn.fast.option = None  # a SYN that goes again is an ordinary one
        timer.restart(env, conn)
    mss = size if whole else snd.fits
    segs = push(flight, seq, end, flags & (SYN | FIN | PSH), mss, env.now, note)
    if first:
        persist.stop(env, conn)
        if size:
            snd.cc.transmit(rate.moment(env, snd), env.now - snd.sent_at, snd.delivery.app_limited > 0)
    snd.nxt = end
    if size or not syn:
        env.count["TcpExtTCPOrigDataSent"] += segs
    if size:
        env.note("9293/3.10.2/send", conn.sock, size)
        if whole:
            plpmtud.sent(env, conn, seq, end)
        elif size % snd.fits and not syn:
            snd.small = end
        if env.now - conn.rcv.heard < conn.rcv.ato:
            ackgen.replied(conn.rcv)
        snd.sent_at = env.now
    if loss.state in (CWR, RECOVERY):
        loss.prr_out += segs
    tally.sent(conn.tally, size, segs, env.now)


def _sent_again(env: Env, conn: Conn, span: Span, tail: bool) -> None:
    """Retransmitted: a tail loss probe is not counted as under way twice."""
    snd, loss, flight = conn.snd, conn.snd.loss, conn.snd.flight
    seq, size, _, index, _ = span
    if index >= len(flight.queue):
        index = find(flight, seq)
    old = flight.queue[index]
    if old.flags & SYN and conn.rcv.acked < conn.rcv.nxt:
        # the SYN,ACK of a simultaneous open is no repetition, though our SYN had its number
        flight.queue[index], snd.syn = old._replace(at=env.now), False
        tally.sent(conn.tally, 0, 1, env.now)
        return
    plpmtud.inconclusive(conn)
    env.count["TcpRetransSegs"] += old.segs
    note = delivery.sent(snd.delivery, env.now, loss.delivered, flight.out)
    flight.queue[index] = Sent(old.seq, old.end, old.segs, old.marks, env.now, old.flags, old.mss, note)
    tally.sent(conn.tally, size, old.segs, env.now, again=True)
    if snd.syn:
        snd.syn = False
        env.count["TcpExtTCPSynRetrans"] += 1
    if tail:
        mark(flight, index, old.marks | EVER)
        return
    mark(flight, index, old.marks | RETRANS | EVER)
    if old.flags & SYN:
        return
    if loss.resent_at < 0:
        loss.resent_at = env.now
    loss.doubtful = max(loss.doubtful, 0) + old.segs
    if loss.state in (CWR, RECOVERY):
        loss.prr_out += old.segs
    if not loss.oldest:
        env.count["TcpExtTCPSlowStartRetrans" if loss.state == LOSS else "TcpExtTCPFastRetrans"] += old.segs
        if index == 0 and snd.pending != REORDER:
            timer.restart(env, conn)
    loss.oldest = False


def finished(env: Env, conn: Conn, before: int) -> None:
    """Nothing more goes now; before: SND.NXT when this began."""
    snd = conn.snd
    snd.push, limited = False, snd.flight.now >= snd.cc.cwnd
    if snd.nxt > before or limited:
        initial.used(env, conn, limited)
    if snd.nxt > before and snd.loss.tail_end != snd.nxt:  # a probe is followed by the timeout, not by another
        tlp.burst_over(env, conn, snd.una == before)
