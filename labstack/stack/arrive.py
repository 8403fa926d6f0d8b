# SPDX-License-Identifier: GPL-2.0-or-later
"""A frame arrives at a host: through link and IP to the socket that it is for, or to the answer that there is none."""

import errno
import struct

from labstack.core.event import FAILED, READABLE
from labstack.core.frame import Frame
from labstack.ip import icmp, pmtu, route
from labstack.ip.arrive import arrive, looped
from labstack.ip.datagram import Datagram
from labstack.stack import ports
from labstack.stack.host import TCP, UDP, Echo, Host
from labstack.stack.syscall import datagram as datagrams
from labstack.stack.syscall import errqueue
from labstack.tcp import arrive as tcp
from labstack.tcp import closing, cookies, listen, md5, opening, output, timewait
from labstack.tcp import icmp as tcp_icmp
from labstack.tcp.conn import Conn
from labstack.tcp.segment import Segment, parse
from labstack.tcp.states import CLOSED, TIME_WAIT
from labstack.udp import socket as udp
from labstack.udp.socket import Udp

PROTO_TCP, PROTO_UDP = 6, 17
ECHOES = 64  # replies that may wait for the owner of a ping socket


def frame(host: Host, dev: int, it: Frame) -> None:
    """One frame from interface dev."""
    d = arrive(host.env, host.net, dev, it)
    if d is not None:
        datagram(host, d)


def loop(host: Host) -> None:
    """One packet that this host sent to itself."""
    d = looped(host.env, host.net)
    if d is not None:
        datagram(host, d)


def datagram(host: Host, d: Datagram) -> None:
    """One packet for the sockets of this host."""
    if d.quoted is not None:
        _error(host, d)
    elif d.proto == PROTO_TCP:
        _tcp(host, d)
    elif d.proto == PROTO_UDP:
        _udp(host, d)
    else:
        _echo_reply(host, d)


def _tcp(host: Host, d: Datagram) -> None:
    env = host.env
    seg = parse(env, d)
    if seg is None:
        return
    if d.to_group:
        env.drop("drop.tcp.group")
        return
    sock = host.flows.get(d.flow)
    used: int | None = None
    if sock is not None:
        conn = host.conns[sock]
        if (conn.keys or seg.md5 is not None) and conn.state != CLOSED and not md5.admits(env, conn.keys, seg):
            return
        link = d.buf[d.frame.start : d.net_at + 1]
        conn.approved = (host.net.version, d.iface.index, link) if not conn.keys else NOBODY
        if conn.state not in _LEAVING or not _makes_way(host, conn, seg):
            half = conn.half is not None and not conn.half.fast
            tcp.arrive(env, host.net, conn, seg, host.listeners.get(conn.parent) if half else None)
            return
        used = conn.snd.nxt
    listener = host.listeners.get(ports.find(host, TCP, d.dst, seg.dport))
    if listener is None:
        env.drop("drop.tcp.closed", seg.dport)
        if seg.md5 is None:  # or else our answer would have to be signed, too
            output.refuse(env, host.net, seg)
    elif (seg.md5 is None and not listener.keys) or md5.admits(env, listener.keys, seg):
        fate = listen.wants(env, host.net, listener, seg)
        if fate != listen.DROP:
            _accept(host, listener, seg, used, fate)


NOBODY = (-1, 0, b"")  # of a connection with signatures no segment takes the shortcut
_LEAVING = frozenset({TIME_WAIT, CLOSED})


def _makes_way(host: Host, conn: Conn, seg: Segment) -> bool:
    """A connection that died a moment ago has no more say; one in TIME-WAIT gives way to a new SYN, if somebody listens
    (RFC 9293 §3.6.1)."""
    if conn.state == CLOSED:
        ports.unlink(host, conn)
        return True
    if ports.find(host, TCP, conn.local, conn.lport) not in host.listeners:
        return False
    if not timewait.makes_way(host.env, conn, seg):
        return False
    closing.finish(host.env, conn)
    ports.unlink(host, conn)  # the flush of this event forgets the rest, unless an application holds it
    return True


def _accept(host: Host, listener: listen.Listener, seg: Segment, used: int | None, fate: int) -> None:
    """A connection for a SYN that a listener wants, or for an ACK that brings a cookie back."""
    d, env = seg.dgram, host.env
    dev = listener.dev or icmp.scope(d)
    path = route.lookup(env, host.net, d.src, d.dst, dev)
    if path is None:
        env.drop("drop.tcp.no_route", d.src)
        return
    if ports.full(host):
        env.drop("drop.tcp.sockets")
        return
    mss = 0
    if fate == listen.OPEN and not (mss := cookies.size(env, seg)):
        output.refuse(env, host.net, seg)
        return
    number = ports.free(host) if fate != listen.COOKIE else 0
    conn = opening.make(env, number, path, d.dst, seg.dport, d.src, seg.sport, dev, used)
    conn.held, conn.keys = False, listener.keys
    ports.set_options(host, conn, listener.options)
    if fate == listen.COOKIE:
        listen.with_cookie(env, host.net, conn, listener, seg)
    elif fate == listen.REMEMBER:
        ports.adopt(host, conn)
        listen.passive(env, conn, listener, seg)
    elif listen.reopen(env, conn, listener, seg, mss):
        ports.adopt(host, conn)
        tcp.arrive(env, host.net, conn, seg, listener)
    else:
        env.count["TcpExtListenDrops"] += 1


def _udp(host: Host, d: Datagram) -> None:
    env = host.env
    parsed = udp.parse(env, d)
    if parsed is None:
        return
    sport, dport, data = parsed
    sock = _reader(host, d.dst, dport, d.src, sport)
    if sock is None:
        env.count[d.family.udp_counters + "NoPorts"] += 1
        env.drop("drop.udp.closed", dport)
        icmp.unreachable(env, host.net, d, d.family.port)
        return
    size = d.frame.gso or len(data) or 1
    pieces = [data[at : at + size] for at in range(0, len(data), size)] or [data]
    env.count[d.family.udp_counters + "InSegs"] += len(pieces) - 1  # a super-datagram is many
    for piece in pieces:
        udp.deliver(env, sock, d, sport, piece)


def _reader(host: Host, local: bytes, lport: int, remote: bytes, rport: int) -> Udp | None:
    """Who hears a datagram: of sockets that share the port one that is connected to the sender, else the latest."""
    sharers = host.files.ports.get((UDP, lport), ())
    if len(sharers) < 2:
        it = host.udps.get(ports.find(host, UDP, local, lport))
        return it if it is not None and it.hears(remote, rport) else None
    fits: list[tuple[bool, bool, int, int, Udp]] = []
    for number in sharers:
        s = host.files.sockets[number]
        it = host.udps.get(s.sock)
        if it is not None and s.local is not None and ports.overlap(s.local[0], local) and it.hears(remote, rport):
            fits.append((bool(it.remote), any(s.local[0]), len(s.local[0]), len(fits), it))
    return max(fits)[4] if fits else None


def _echo_reply(host: Host, d: Datagram) -> None:
    """Replies find their ping socket by the identifier (RFC 792, RFC 4443 §4.2)."""
    ident, seq, data = icmp.echo_of(d)
    echo = _echo_socket(host, ident)
    if echo is None:
        host.env.drop("drop.ping.closed", ident)
    elif len(echo.queue) >= ECHOES:
        host.env.drop("drop.ping.full", seq)
    else:
        host.env.note("1122/3.2.2.6/reply", echo.sock, seq, len(data))
        echo.queue.append((data, d.src, seq))
        host.env.wake(echo.sock, READABLE)


def _echo_socket(host: Host, ident: int) -> Echo | None:
    return next((echo for echo in host.echoes.values() if echo.ident == ident), None)


def _error(host: Host, d: Datagram) -> None:
    """An ICMP error goes to the socket whose packet it quotes (RFC 1122 §3.2.2)."""
    quoted = d.quoted
    assert quoted is not None
    if quoted.proto == PROTO_TCP and quoted.flow in host.flows:
        conn = host.conns[host.flows[quoted.flow]]
        state = conn.state
        if tcp_icmp.arrive(host.env, host.net, conn, quoted):
            errqueue.tell(host, conn.sock, d, state)
        host.env.dirty[conn.sock] = None
    elif quoted.proto == PROTO_UDP:
        lport, rport = struct.unpack_from("!HH", quoted.transport)
        sock = _reader(host, quoted.src, lport, quoted.dst, rport)
        if sock is not None:
            s = host.files.sockets.get(host.files.owners.get(sock.sock, 0))
            if quoted.errno != errno.EMSGSIZE or s is None or datagrams.too_big(host, s, quoted):
                udp.icmp(host.env, sock, quoted)
                errqueue.tell(host, sock.sock, d)
    elif quoted.proto == quoted.family.icmp:
        echo = _echo_socket(host, int.from_bytes(quoted.transport[4:6], "big"))
        if echo is not None:
            if quoted.errno == errno.EMSGSIZE:
                pmtu.learn(host.env, host.net, quoted.dst, quoted.mtu)
            echo.error = quoted.errno
            host.env.wake(echo.sock, FAILED)
