# SPDX-License-Identifier: GPL-2.0-or-later
"""Opening: active, passive and simultaneous (RFC 9293 §3.5, §3.10.1, §3.10.7.3)."""

import errno

from labstack.core.config import MS, SECOND
from labstack.core.env import Env
from labstack.core.event import ACCEPTABLE, CONNECTED, WRITABLE
from labstack.ip.family import of
from labstack.ip.net import Path
from labstack.tcp import (
    ackgen,
    acks,
    agreed,
    closing,
    eager,
    ecn,
    initial,
    isn,
    keepalive,
    mtu,
    plpmtud,
    rate,
    rtt,
    sndbuf,
    tally,
    timer,
    window,
)
from labstack.tcp.cc import table
from labstack.tcp.cc.controller import Controller
from labstack.tcp.conn import RTO, Conn, Rcv, Snd
from labstack.tcp.delivery import Delivery
from labstack.tcp.loss import Loss
from labstack.tcp.rtt import Rtt
from labstack.tcp.segment import ACK, PROTO, RST, SYN, TCP_HLEN, Segment
from labstack.tcp.sent import Flight
from labstack.tcp.seq import MASK
from labstack.tcp.states import CLOSED, ESTABLISHED, SYN_RECEIVED, SYN_SENT, become
from labstack.tcp.stream import Outbox
from layers import checksum

SOON = 8 * MS  # ns: two ticks of Linux's clock
AFTER_LOST_SYN = 3 * SECOND


def make(
    env: Env,
    sock: int,
    path: Path,
    local: bytes,
    lport: int,
    remote: bytes,
    rport: int,
    dev: int = 0,
    used: int | None = None,
) -> Conn:
    """A connection record before anything was sent or received; used: as in isn.choose."""
    family = of(remote)
    ports = rport.to_bytes(2, "big") + lport.to_bytes(2, "big")
    key = remote + local + ports
    iss = isn.choose(env, key, used)
    header = family.header + TCP_HLEN
    mss = path.mtu - header
    announced = mtu.announced(env, path)
    limit = env.config["net.ipv4.tcp_rmem.default"]
    snd = Snd(
        iss=iss,
        una=iss,
        nxt=iss,
        out=Outbox(start=iss + 1, end=iss + 1),
        flight=Flight(),
        cc=_controller(env, mss),
        rtt=Rtt(),
        loss=Loss(high=iss, reordering=env.config["net.ipv4.tcp_reordering"]),
        delivery=Delivery(),
        limit=env.config["net.ipv4.tcp_wmem.default"],
        mss=mss,
        clamp=mtu.UNLIMITED,
    )
    seen = min(announced, window.SMALLEST)
    rcv = Rcv(irs=0, nxt=0, edge=0, limit=limit, mss=announced, headers=header, seen=seen)
    conn = Conn(
        sock=sock,
        local=local,
        lport=lport,
        remote=remote,
        rport=rport,
        key=key,
        dev=dev,
        state=CLOSED,
        snd=snd,
        rcv=rcv,
        tally=tally.Tally(),
        header=header,
        mtu=path.mtu,
        initcwnd=path.initcwnd,
        discover=mtu.DONT if family.no_pmtu and env.config[family.no_pmtu] else mtu.WANT,
        pseudo=checksum.add(path.sum, PROTO),
    )
    agreed.offer(env, conn)
    return conn


def _controller(env: Env, mss: int) -> Controller:
    cc = table.make(table.default(env.config), env.config, mss, env.rng.below(1 << 32))
    cc.cwnd = env.config["net.ipv4.tcp_init_cwnd"]
    return cc


def active(env: Env, conn: Conn) -> None:
    """The active OPEN: a SYN goes out at the next drain (RFC 9293 §3.10.1)."""
    env.count["TcpActiveOpens"] += 1
    env.note("9293/3.10.1/active", conn.sock)
    become(env, conn, SYN_SENT)
    if conn.fast is None or not conn.fast.deferred:
        send_syn(env, conn)


def send_syn(env: Env, conn: Conn) -> None:
    """Our first SYN."""
    conn.snd.trouble_at = env.now  # TCP_USER_TIMEOUT counts from the first SYN
    conn.snd.syn = True
    ecn.offer(env, conn)
    env.dirty[conn.sock] = None


def syn_sent(env: Env, conn: Conn, seg: Segment) -> Segment | None:
    """SEGMENT ARRIVES in SYN-SENT (RFC 9293 §3.10.7.3). Returns the segment if it is to be answered with a RST."""
    snd = conn.snd
    if seg.flags & ACK and not snd.iss < seg.ack <= snd.nxt:
        # first
        env.drop("drop.tcp.syn_sent_ack", seg.ack - snd.iss)
        if not snd.retries and snd.flight.queue:
            # RFC 9293 §3.5.1: a half-open connection of the peer; the RST ends it, and a SYN begins anew
            env.note("linux/tcp_rcv_synsent_state_process/again", conn.sock)
            timer.arm(env, conn, RTO, SOON)
        return None if seg.flags & RST else seg
    if seg.flags & ACK and _echoes_nothing_of_ours(env, conn, seg):
        env.count["TcpExtPAWSActive"] += 1
        env.drop("drop.tcp.syn_sent_echo")
        return None if seg.flags & RST else seg
    if seg.flags & RST:
        # second
        if not seg.flags & ACK:
            env.drop("drop.tcp.syn_sent_rst")
            return None
        env.count["TcpInDelivers"] += 1
        env.note("9293/3.10.7.3/refused", conn.sock)
        closing.die(env, conn, errno.ECONNREFUSED)
    elif not seg.flags & SYN:
        # fifth
        env.drop("drop.tcp.syn_sent_nothing", seg.names)
    else:
        # third is security and compartment, which nobody uses
        env.count["TcpInDelivers"] += 1
        _syn_arrived(env, conn, seg)
    return None


def _echoes_nothing_of_ours(env: Env, conn: Conn, seg: Segment) -> bool:
    """Its timestamp echoes none that a SYN of ours had (RFC 7323 §5.1; tcp_rcv_synsent_state_process)."""
    if seg.ts is None or conn.tstamp is None or not seg.ts[1]:
        return False
    first, now = (conn.tstamp.now(at) for at in (conn.snd.trouble_at, env.now))
    return (seg.ts[1] - first & MASK) > (now - first & MASK)


def _syn_arrived(env: Env, conn: Conn, seg: Segment) -> None:
    """Fourth: the SYN bit."""
    take_syn(env, conn, seg)
    if seg.flags & ACK:
        env.note("9293/3.10.7.3/established", conn.sock)
        acks.acknowledge(env, conn, seg)
        established(env, conn)
        if conn.fast is not None:
            eager.answered(env, conn, conn.fast, seg)
        if conn.snd.awaited or conn.user.defer_accept or ackgen.answers(env, conn.rcv):
            env.note("linux/tcp_rcv_synsent_state_process/save", conn.sock)
            ackgen.wait(env, conn)
        else:
            ackgen.at_once(conn)
    else:
        # simultaneous open (RFC 9293 §3.5, figure 7): our SYN goes again, with an ACK
        env.note("9293/3.10.7.3/simultaneous", conn.sock)
        become(env, conn, SYN_RECEIVED)
        conn.snd.syn = True
        acks.window(env, conn, seg.seq, seg.ack, seg.wnd)


def take_syn(env: Env, conn: Conn, seg: Segment) -> None:
    """Learn from the peer's SYN: IRS, its MSS (MUST-15, MUST-16), the options that it offers."""
    snd, rcv = conn.snd, conn.rcv
    family = of(conn.remote)
    offered = rcv.edge - rcv.nxt  # by our SYN, if it was first
    rcv.irs, rcv.nxt, rcv.edge, rcv.acked = seg.seq, seg.seq + 1, seg.seq + 1 + offered, seg.seq
    theirs = seg.mss or family.mss  # nobody can take segments without data: zero is no offer
    agreed.settle(env, conn, seg)
    ecn.settle(env, conn, seg)
    snd.clamp = min(theirs, conn.user.maxseg or mtu.UNLIMITED)
    mtu.sync(env, conn, conn.mtu)
    snd.wl1 = seg.seq - 1


def established(env: Env, conn: Conn) -> None:
    """Our SYN was acknowledged: the connection is open."""
    if conn.snd.rtt.srtt == 0:
        # RFC 6298 (5.7): the SYN was retransmitted, so nothing is known of the round trip
        env.note("6298/5.7/after-syn", conn.sock)
        rtt.unknown(conn.snd.rtt, AFTER_LOST_SYN)
    if conn.passive:  # Linux begins to search when it has settled the size already
        mtu.sync(env, conn, conn.mtu)
        plpmtud.start(env, conn)
    else:
        plpmtud.start(env, conn)
        mtu.sync(env, conn, conn.mtu)
    become(env, conn, ESTABLISHED)
    if not conn.owed:
        first_flight(env, conn)
    sndbuf.expand(env, conn)
    tally.opened(conn.tally, conn.passive and not conn.owed, env.now)
    confirmed(env, conn)
    env.dirty[conn.sock] = None
    if conn.parent:
        env.wake(conn.parent, ACCEPTABLE)
    else:
        env.wake(conn.sock, CONNECTED | WRITABLE)


def confirmed(env: Env, conn: Conn) -> None:
    """The handshake is over. By then Fast Open may have let an application send, which had no timer, and close."""
    window.established(env, conn)
    conn.rcv.heard = conn.snd.ack_at = env.now
    if conn.user.keepalive:
        keepalive.start(env, conn)
    if conn.snd.flight.queue:
        timer.rearm(env, conn)


def first_flight(env: Env, conn: Conn) -> None:
    """RFC 6928 §2: one segment, if our SYN had to be sent again, and again. Then the controller begins."""
    snd = conn.snd
    snd.cc.cwnd = 1 if conn.tally.retrans > 1 else initial.window(env, conn)
    snd.full_at = env.now
    snd.cc = table.begin(snd.cc, rate.moment(env, snd), ecn=bool(conn.ecn))
    rate.update(env, conn)
