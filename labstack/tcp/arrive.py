# SPDX-License-Identifier: GPL-2.0-or-later
"""SEGMENT ARRIVES in a connection (RFC 9293 §3.10.7.4): eight ordered checks, one function each.

SYN-SENT has checks of its own (`opening`), LISTEN and CLOSED have no connection (`listen`, `output.refuse`).
Nothing is sent here: what is due goes out when the stack is drained.
"""

import errno
from collections.abc import Callable

from labstack.core.env import Env
from labstack.ip.net import Net
from labstack.tcp import accecn, ackgen, acks, closing, ecn, half, listen, opening, output, paws, receive, tally, urgent
from labstack.tcp.conn import Conn
from labstack.tcp.segment import ACK, FIN, RST, SYN, URG, Segment
from labstack.tcp.seq import unwrap
from labstack.tcp.states import (
    CLOSE_WAIT,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    LAST_ACK,
    RECEIVING,
    SYN_RECEIVED,
    SYN_SENT,
    TIME_WAIT,
)

CONTINUE, STOP, DROPPED = 0, 1, 2
Check = Callable[[Env, Net, Conn, Segment], int]


def arrive(env: Env, net: Net, conn: Conn, seg: Segment, listener: listen.Listener | None = None) -> None:
    """A segment for this connection. listener: whose connection it will be, while it is half open."""
    tally.arrived(conn.tally, seg.size, seg.gso)
    if conn.state == SYN_SENT:
        _syn_sent(env, net, conn, seg)
        return
    seg.seq = unwrap(seg.seq, conn.rcv.nxt)
    seg.ack = unwrap(seg.ack, conn.snd.nxt)
    if seg.sack:
        seg.sack = tuple((unwrap(start, conn.snd.nxt), unwrap(end, conn.snd.nxt)) for start, end in seg.sack)
    if listener is not None:
        verdict = _passes(HALF_OPEN, env, net, conn, seg)
        if verdict == CONTINUE:
            opens = listen.lets_in(env, net, listener, conn, seg)
            verdict = _passes(REST, env, net, conn, seg) if opens else DROPPED
    else:
        verdict = _passes(CHECKS, env, net, conn, seg)
    if verdict != DROPPED:
        env.count["TcpInDelivers"] += 1
    env.dirty[conn.sock] = None


def _passes(checks: tuple[Check, ...], env: Env, net: Net, conn: Conn, seg: Segment) -> int:
    """CONTINUE, or the verdict of the check where the segment's way ends."""
    for check in checks:
        verdict = check(env, net, conn, seg)
        if verdict:
            return verdict
    return CONTINUE


def _syn_sent(env: Env, net: Net, conn: Conn, seg: Segment) -> None:
    """SEGMENT ARRIVES in SYN-SENT (RFC 9293 §3.10.7.3); text and FIN that came with the SYN,ACK are taken, too."""
    env.dirty[conn.sock] = None
    seg.ack = unwrap(seg.ack, conn.snd.nxt)
    if opening.syn_sent(env, conn, seg) is not None:
        output.reset(env, net, seg, seg.ack, 0, RST)
    elif conn.state == ESTABLISHED:
        seg.seq += 1
        _passes((sixth_urg, seventh_text, eighth_fin), env, net, conn, seg)


def zeroth_timestamp(env: Env, net: Net, conn: Conn, seg: Segment) -> int:
    """Before all others: is it an old duplicate? (RFC 7323 §5.3 R1)"""
    return DROPPED if paws.drops(env, conn, seg) else CONTINUE


def first_sequence(env: Env, net: Net, conn: Conn, seg: Segment) -> int:
    """First, check the sequence number: is any of it inside the window?"""
    rcv, length = conn.rcv, seg.len
    wnd = rcv.edge - rcv.nxt
    if length == 0:
        # DEVIATES: RFC 9293 §3.10.7.4 has SEG.SEQ < RCV.NXT+RCV.WND if the window is open. A peer that filled our
        # window and lost a segment stands exactly at the edge, and its ACKs must be heard, as in Linux (tcp_sequence).
        acceptable = rcv.nxt <= seg.seq <= rcv.edge
    else:
        acceptable = seg.seq < rcv.edge and seg.seq + length > rcv.nxt and wnd > 0
    if acceptable or _same_syn(conn, seg):
        return CONTINUE
    if wnd == 0 and seg.seq == rcv.nxt and not seg.flags & SYN:
        return _window_closed(env, conn, seg)
    return _unacceptable(env, conn, seg)


def _same_syn(conn: Conn, seg: Segment) -> bool:
    """The peer's SYN again: it has not heard ours, or it is the SYN,ACK of a simultaneous open."""
    if conn.state != SYN_RECEIVED or seg.seq != conn.rcv.irs or seg.flags & (SYN | RST) != SYN:
        return False
    if conn.half is not None:
        return not seg.flags & ACK
    return seg.flags & ACK != 0 and seg.ack == conn.snd.nxt


def _window_closed(env: Env, conn: Conn, seg: Segment) -> int:
    """A window of zero: no text, but valid ACKs and RSTs are still heard (RFC 9293 §3.4, MUST-66), and a FIN that comes
    without text (`receive.fin`)."""
    if not seg.size:
        return CONTINUE
    env.note("9293/3.4/zero-window", conn.sock, seg.size)
    env.count["TcpExtTCPZeroWindowDrop"] += 1
    seg.size, seg.pieces = 0, ()
    seg.flags &= ~FIN
    ackgen.at_once(conn)
    return CONTINUE


def _unacceptable(env: Env, conn: Conn, seg: Segment) -> int:
    """Nothing of it is inside the window: say where we are, unless it is a RST. Without text it may be such an answer
    itself, so that not every one is answered (tcp_oow_rate_limited)."""
    if seg.flags & RST:
        if _after_fin(conn, seg):
            closing.was_reset(env, conn)
            return STOP
        env.drop("drop.tcp.rst_outside", seg.seq - conn.rcv.nxt)
        return DROPPED
    if conn.state == TIME_WAIT and seg.flags & FIN:
        closing.again(env, conn)
        return STOP
    env.drop("drop.tcp.outside_window", seg.seq - conn.rcv.nxt, seg.size)
    if seg.flags & SYN and ackgen.whole(conn):
        ackgen.challenge_syn(env, conn)
        return DROPPED
    env.count["TcpExtBeyondWindow"] += seg.seq > conn.rcv.edge and conn.state != TIME_WAIT
    kind = "SynRecv" if conn.half is not None else "TimeWait" if conn.state == TIME_WAIT else "Seq"
    if ackgen.answer(env, conn, seg, f"TcpExtTCPACKSkipped{kind}"):
        env.note("9293/3.10.7.4/seq/ack", conn.sock)
    return DROPPED


def second_rst(env: Env, net: Net, conn: Conn, seg: Segment) -> int:
    """Second, check the RST bit (with RFC 5961 §3: only the exact next sequence number resets)."""
    if not seg.flags & RST:
        return CONTINUE
    if seg.seq != conn.rcv.nxt and not _behind_all(conn, seg):
        env.note("9293/3.10.7.4/rst/challenge", conn.sock, seg.seq - conn.rcv.nxt)
        ackgen.challenge(env, conn)
    elif conn.state == TIME_WAIT and env.config["net.ipv4.tcp_rfc1337"]:
        # DEVIATES: a RST ends TIME-WAIT in RFC 9293; if the user says so it does not, as RFC 1337 §3 (F1) asks
        env.note("1337/3/ignored", conn.sock)
    else:
        env.count["TcpExtEmbryonicRsts"] += conn.half is not None and not conn.half.fast
        closing.was_reset(env, conn)
    return STOP


def _after_fin(conn: Conn, seg: Segment) -> bool:
    """A RST with the number of the peer's FIN: some count it no more once they have closed (tcp_reset_check)."""
    return seg.seq == conn.rcv.nxt - 1 and conn.state in (CLOSE_WAIT, CLOSING, LAST_ACK)


def _behind_all(conn: Conn, seg: Segment) -> bool:
    """A RST behind everything that has arrived: the peer sent it last, and what is missing before may be lost. It must
    have seen our SACK blocks to know where that is, as an honest peer has."""
    islands = conn.rcv.islands
    return conn.sack and bool(islands) and seg.seq == islands[-1][1]


def fourth_syn(env: Env, net: Net, conn: Conn, seg: Segment) -> int:
    """Fourth, check the SYN bit: no SYN has a place here, so ask (RFC 5961 §4)."""
    if not seg.flags & SYN:
        return CONTINUE
    if _same_syn(conn, seg):
        if conn.half is not None:
            half.again(env, conn, conn.half)
            return STOP
        env.note("9293/3.5/simultaneous-ack", conn.sock)
        seg.seq += 1
        return CONTINUE
    if conn.state == SYN_RECEIVED and conn.passive:
        env.note("9293/3.10.7.4/syn/listen", conn.sock)
        env.count["TcpExtEmbryonicRsts"] += 1
        closing.die(env, conn, errno.ECONNRESET)
        return STOP
    ackgen.challenge_syn(env, conn)
    return STOP


def fifth_acceptable(env: Env, net: Net, conn: Conn, seg: Segment) -> int:
    """Fifth, in SYN-RECEIVED: does it acknowledge our SYN?"""
    snd = conn.snd
    if not seg.flags & ACK:
        env.drop("drop.tcp.no_ack", seg.names)
        return DROPPED
    if conn.state == SYN_RECEIVED and not snd.iss < seg.ack <= snd.nxt:
        env.drop("drop.tcp.handshake_ack", seg.ack - snd.nxt)
        output.reset(env, net, seg, seg.ack, 0, RST)
        return DROPPED
    return CONTINUE


def fifth_ack(env: Env, net: Net, conn: Conn, seg: Segment) -> int:
    """Fifth, check the ACK field."""
    snd = conn.snd
    if conn.half is not None and snd.iss < seg.ack <= snd.nxt:
        half.opened(env, conn, conn.half)
        if conn.state != SYN_RECEIVED:
            opening.confirmed(env, conn)
    if conn.state == SYN_RECEIVED:
        env.note("9293/3.10.7.4/ack/syn-received", conn.sock)
        paws.learn(env, conn, seg)
        accecn.opened(env, conn, seg)
        acks.acknowledge(env, conn, seg)
        opening.established(env, conn)
        if conn.acc is not None:
            accecn.arrived(env, conn, conn.acc, seg)
        if seg.flags & SYN:
            ackgen.repeated(env, conn, conn.rcv.irs, conn.rcv.irs + 1)  # a simultaneous open
        return CONTINUE
    if not snd.una - min(snd.max_wnd, snd.una - snd.iss - conn.passive) <= seg.ack <= snd.nxt:
        # RFC 5961 §5, and nothing from before the connection began, which the peer cannot have seen either
        env.drop("drop.tcp.ack_outside", seg.ack - snd.nxt)
        ackgen.challenge(env, conn)
        return DROPPED
    if seg.ack >= snd.una:
        paws.learn(env, conn, seg)
    acks.acknowledge(env, conn, seg)
    if conn.acc is not None:
        accecn.arrived(env, conn, conn.acc, seg)
    if snd.fin and snd.una > snd.fin_seq and closing.fin_acked(env, conn):
        output.refuse(env, net, seg)
        return STOP
    return CONTINUE


def sixth_urg(env: Env, net: Net, conn: Conn, seg: Segment) -> int:
    """Sixth, check the URG bit."""
    if (seg.flags & URG or conn.rcv.urgent is not None) and conn.state in RECEIVING:
        urgent.arrived(env, conn, seg)
    return CONTINUE


def seventh_text(env: Env, net: Net, conn: Conn, seg: Segment) -> int:
    """Seventh, process the segment text."""
    if seg.flags & FIN and conn.state in RECEIVING:
        receive.fin(env, conn, seg)
    if not seg.size:
        return CONTINUE
    if conn.state not in RECEIVING:
        # RFC 9293 §3.10.7.4: after the peer's FIN there can be no text
        env.note("9293/3.10.7.4/text/after-fin", conn.sock)
        return CONTINUE
    unwanted = (not conn.held and not conn.parent) or (conn.rcv.deaf and conn.state in (FIN_WAIT_1, FIN_WAIT_2))
    if unwanted and seg.seq + seg.size > conn.rcv.nxt:
        # RFC 9293 §3.6.1 SHLD-3: it is new, and nobody will ever read it
        env.note("9293/3.6.1/after-close", conn.sock, seg.size)
        env.count["TcpExtTCPAbortOnData"] += 1
        output.refuse(env, net, seg)
        closing.die(env, conn, errno.ECONNRESET)
        return STOP
    if conn.ecn and conn.acc is None:
        ecn.arrived(env, conn, seg)
    receive.text(env, conn, seg)
    return CONTINUE


def eighth_fin(env: Env, net: Net, conn: Conn, seg: Segment) -> int:
    """Eighth, check the FIN bit; it counts when everything before it has arrived."""
    rcv = conn.rcv
    if rcv.fin == rcv.nxt and conn.state in RECEIVING:
        if not seg.flags & FIN:
            ackgen.at_once(conn)  # it filled the gap before the FIN (RFC 5681 §4.2)
        closing.fin_arrived(env, conn)
    elif seg.flags & FIN and conn.state == TIME_WAIT:
        closing.again(env, conn)
    return CONTINUE


HALF_OPEN: tuple[Check, ...] = (zeroth_timestamp, first_sequence, second_rst, fourth_syn, fifth_acceptable)
REST: tuple[Check, ...] = (fifth_ack, sixth_urg, seventh_text, eighth_fin)
CHECKS: tuple[Check, ...] = (*HALF_OPEN, *REST)
