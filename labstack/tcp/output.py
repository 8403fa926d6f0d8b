# SPDX-License-Identifier: GPL-2.0-or-later
"""Segments leave here, when the stack is drained: what `send` allows, then the ACK that `ackgen` wants.

Also the resets that answer segments nobody expects (RFC 9293 §3.10.7.1).
"""

from labstack.core.env import Env
from labstack.core.frame import Piece
from labstack.ip import route
from labstack.ip.icmp import scope
from labstack.ip.net import Net
from labstack.ip.send import send as send_ip
from labstack.link import neighbour
from labstack.tcp import (
    accecn,
    ackgen,
    agreed,
    ecn,
    half,
    md5,
    memory,
    mtu,
    persist,
    rate,
    refused,
    send,
    sndbuf,
    tally,
    train,
    urgent,
    window,
)
from labstack.tcp.conn import NOW, Conn
from labstack.tcp.options import SPACE, of_segment
from labstack.tcp.segment import ACK, CSUM_AT, FIN, PROTO, PSH, RST, SYN, Segment, header
from labstack.tcp.states import CLOSE_WAIT, CLOSED, ESTABLISHED, SENDING, SYN_SENT
from labstack.tcp.stream import MAX_PIECES

BURST = 32  # pieces of sequence space of one connection in one drain; the rest follows in the next


def flush(env: Env, net: Net, conn: Conn) -> bool:
    """Send what is due on conn. True if the burst limit left something for another drain."""
    snd = conn.snd
    if conn.version != net.version:
        mtu.follow(env, net, conn)
    if conn.reset:
        conn.reset = False
        _bare(env, net, conn, send.ack_seq(conn), RST | ACK, window.advertise(env, conn))
        memory.forget_beyond(conn.rcv)
    if conn.state == CLOSED:
        return False
    if conn.half is not None and conn.half.due:
        synack(env, net, conn)
        half.sent(env, conn, conn.half)
        ackgen.sent(env, conn)
    if conn.earlier:
        _earlier(env, net, conn)
    if send.busy(snd):
        before, again = snd.nxt, _send(env, net, conn)
        if snd.una < snd.out.end + snd.fin and conn.state in SENDING:
            _watch(env, conn, snd.nxt > before)
        if again:
            return True
    if snd.blocked:
        sndbuf.look(env, conn)
    if snd.probe or snd.poke:
        if urgent.waits(snd):
            # RFC 9293 §3.8.5: that there is urgent data must get through a closed window; the probe alone may not count
            env.count["TcpExtTCPWinProbe"] += 1
            _bare(env, net, conn, snd.una, ACK, window.advertise(env, conn))
        if not _bare(env, net, conn, snd.una - 1, ACK, window.advertise(env, conn)) and snd.probe:
            persist.refused(env, conn)
        snd.probe = snd.poke = False
    if conn.rcv.ack == NOW:
        _bare(env, net, conn, send.ack_seq(conn), ACK, window.advertise(env, conn))
        ackgen.sent(env, conn)
    return False


def _earlier(env: Env, net: Net, conn: Conn) -> None:
    """ACKs of what came before marks began or ended, as they would have been then (RFC 8257 §3.2)."""
    nxt, bits = conn.rcv.nxt, conn.ecn
    for ack, echo in conn.earlier:
        conn.rcv.nxt, conn.ecn = ack, bits | ecn.ECHO if echo else bits & ~ecn.ECHO
        _bare(env, net, conn, send.ack_seq(conn), ACK, window.advertise(env, conn))
    conn.rcv.nxt, conn.ecn, conn.earlier = nxt, bits, ()


def synack(env: Env, net: Net, conn: Conn) -> None:
    """The SYN,ACK of a connection that the peer opens."""
    _bare(env, net, conn, conn.snd.iss, SYN | ACK, window.advertise(env, conn, True))


def _send(env: Env, net: Net, conn: Conn) -> bool:
    """Put on the wire what `send` allows. True if there may be more."""
    snd, rcv = conn.snd, conn.rcv
    before, more, wnd = snd.nxt, BURST, 0
    snd.fits = agreed.fits(conn)
    if before < snd.out.end and not snd.syn:
        rate.update(env, conn)
    while more:
        span = send.poll(env, conn)
        if span is None:
            break
        syn = span[2] & SYN != 0
        if not wnd or rcv.alloc or syn:
            wnd = window.advertise(env, conn, syn)
        had = len(env.actions)
        if not _transmit(env, net, conn, span, wnd):
            refused.not_sent(env, conn, span)
            break
        more -= 1
        if span[1] > snd.fits and span[3] == send.NEW and len(env.actions) == had + 1:
            more -= train.follow(env, conn, span[1], wnd, more)
        if syn or not rcv.shift:
            wnd = 0  # else the next segment tells the same, if nothing waits for the application
    if conn.state in SENDING:
        send.finished(env, conn, before)
        waits = snd.nxt < snd.out.end + snd.fin and not snd.flight.queue
        if waits and not snd.probe and snd.departs <= env.now:
            persist.start(env, conn)
    return not more


def _watch(env: Env, conn: Conn, progress: bool) -> None:
    """What keeps the sender from sending more now, if anything does; progress: it has just sent data."""
    snd, it = conn.snd, conn.tally
    unsent = snd.out.end + snd.fin - snd.nxt
    kind = tally.BUSY
    if unsent:
        need = snd.nxt + (unsent if unsent < snd.fits else snd.fits)
        if need > snd.una + snd.wnd and snd.flight.now < snd.cc.cwnd:
            kind = tally.RWND_LIMITED
    elif progress and snd.blocked and not snd.cc.limited and conn.state in (ESTABLISHED, CLOSE_WAIT):
        kind = tally.SNDBUF_LIMITED
    if kind != it.chrono.kind:
        tally.watch(it, kind, env.now)


def _transmit(env: Env, net: Net, conn: Conn, span: send.Span, wnd: int) -> bool:
    """A piece of sequence space, in as many frames as it takes; each is a segment, or a super-segment of the path.
    False if the device took nothing."""
    seq, size, flags, _, whole = span
    if flags & SYN and conn.state != SYN_SENT:
        flags |= ACK
    snd = conn.snd
    most = snd.fits if not whole else size
    if size > most:
        # the end of a burst is pushed: receivers that join segments need not wait for more, as with Linux
        flags |= PSH
        if conn.gso >= 2 * most and snd.up <= snd.una:  # a super-segment has one urgent pointer, for all of it
            most = conn.gso - conn.gso % most
    while size > most:
        _data(env, net, conn, seq, most, flags & ~(PSH | FIN), wnd)
        seq, size = seq + most, size - most
    taken = _data(env, net, conn, seq, size, flags, wnd, whole)
    if taken or flags & SYN:
        send.sent(env, conn, span)
    if flags & ACK:
        ackgen.sent(env, conn)
    return taken or flags & SYN > 0


def _data(env: Env, net: Net, conn: Conn, seq: int, size: int, flags: int, wnd: int, whole: bool = False) -> bool:
    """Bytes of the stream: one frame, or several where they lie in more pieces than a frame may have."""
    pieces = conn.snd.out.slice(seq + (flags >> 1 & 1), size) if size else ()  # the SYN stands before the data
    while len(pieces) == MAX_PIECES and (have := sum(map(len, pieces))) < size:
        _emit(env, net, conn, seq, flags & ~(PSH | FIN), have, pieces, wnd)
        seq, size = seq + have, size - have
        pieces = conn.snd.out.slice(seq, size)
    return _emit(env, net, conn, seq, flags, size, pieces, wnd, whole)


def _bare(env: Env, net: Net, conn: Conn, seq: int, flags: int, wnd: int) -> bool:
    """A segment without data that takes no sequence number."""
    conn.tally.bare_out += 1
    return _emit(env, net, conn, seq, flags, 0, (), wnd)


def _emit(
    env: Env,
    net: Net,
    conn: Conn,
    seq: int,
    flags: int,
    size: int,
    pieces: tuple[Piece, ...],
    wnd: int,
    whole: bool = False,
) -> bool:
    """One segment of conn, into the IP layer, or a super-segment; whole: not that, though it is larger than others.
    False if the device did not take it."""
    path = conn.path or route.lookup(env, net, conn.remote, conn.local, conn.dev)
    if path is None:
        env.count["TcpOutNoRoutes"] += 1
        env.note("9293/3.8.3/no-route", conn.sock)
        return True
    if conn.progress:
        conn.progress = conn.doubt = False
        neighbour.confirm(env, net.ifaces[path.dev], path.nexthop)
    elif conn.doubt:
        conn.doubt = False
        neighbour.doubt(env, net.ifaces[path.dev], path.nexthop)
    tos = conn.tos
    if conn.ecn:
        flags, tos = ecn.marked(env, conn, seq, size, flags)
    options = agreed.block(env, conn, flags, size)
    if conn.acc is not None:
        options += accecn.option(env, conn, conn.acc, flags, size, SPACE - len(options))
    snd, pointer = conn.snd, 0
    if snd.up > snd.una and not flags & SYN:
        urg, pointer = urgent.flags(conn, seq)
        flags |= urg
    ack = conn.rcv.nxt if flags & ACK else 0
    head = header(conn.lport, conn.rport, seq, ack, flags, wnd, options, conn.pseudo, size, pointer)
    if conn.keys and (secret := agreed.signs(conn)):
        head = md5.signed(secret, conn.local, conn.remote, head, pieces)
    gso = snd.fits if size > snd.fits and not whole else None
    if seq >= snd.nxt or _adds(conn, seq, size + (flags >> 1 & 1) + (flags & 1)):
        env.count["TcpOutSegs"] += -(-size // gso) if gso else 1
    return send_ip(env, net, path, PROTO, head, pieces, gso=gso, csum_at=CSUM_AT, ttl=conn.ttl, tos=tos, df=conn.df)


def _adds(conn: Conn, seq: int, length: int) -> bool:
    """Is this more than something that is only sent again (RFC 4022)?"""
    return not length or seq + length > conn.snd.nxt or conn.half is not None


def refuse(env: Env, net: Net, seg: Segment) -> None:
    """Answer a segment for which there is no connection (RFC 9293 §3.10.7.1)."""
    if seg.flags & RST:
        return
    if seg.flags & ACK:
        env.note("9293/3.10.7.1/reset-ack", 0, seg.names)
        reset(env, net, seg, seg.ack, 0, RST)
    else:
        env.note("9293/3.10.7.1/reset", 0, seg.names)
        reset(env, net, seg, 0, seg.seq + seg.len, RST | ACK)


def reset(env: Env, net: Net, seg: Segment, seq: int, ack: int, flags: int) -> None:
    """A RST that answers seg, with these numbers."""
    d = seg.dgram
    path = route.lookup(env, net, d.src, d.dst, scope(d))
    if path is None or d.to_group:
        return
    env.count["TcpOutSegs"] += 1
    env.count["TcpOutRsts"] += 1
    options = of_segment(None, (), md5=True) if seg.secret else b""
    head = header(seg.dport, seg.sport, seq, ack, flags, 0, options, path.sum + PROTO, 0)
    if seg.secret:
        head = md5.signed(seg.secret, d.dst, d.src, head, ())
    send_ip(env, net, path, PROTO, head, csum_at=CSUM_AT)
