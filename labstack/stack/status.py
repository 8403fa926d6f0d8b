# SPDX-License-Identifier: GPL-2.0-or-later
"""STATUS (RFC 9293 §3.9.1.5): what there is to know about a socket, in `ss` terms."""

import errno
from collections.abc import Callable
from typing import Any

from labstack.core import kinds
from labstack.core.config import MS
from labstack.core.errors import StackError
from labstack.ip.family import text
from labstack.stack.host import Host
from labstack.tcp import castate
from labstack.tcp.conn import Conn
from labstack.tcp.info import of_controller, tcp_info


def status(host: Host, sock: int) -> dict[str, Any]:
    """A dict as `ss -ti` would say it; times in ms, sizes in bytes; info and control are TCP_INFO and TCP_CC_INFO, in
    Linux's units. Raises StackError EBADF."""
    if sock in host.conns:
        return _tcp(host, host.conns[sock])
    if sock in host.listeners:
        it = host.listeners[sock]
        local = _place(it.local, it.lport)
        return _row("tcp", sock, it.state, len(it.ready), it.backlog, local, _anybody(it.local))
    if sock in host.udps:
        udp = host.udps[sock]
        peer = _place(udp.remote, udp.rport) if udp.remote else _anybody(udp.local)
        return _row("udp", sock, "ESTAB" if udp.remote else "UNCONN", udp.queued, 0, _place(udp.local, udp.lport), peer)
    if sock in host.echoes:
        echo = host.echoes[sock]
        return _row("icmp", sock, "UNCONN", len(echo.queue), 0, f"*:{echo.ident}", "*:*")
    raise StackError(errno.EBADF, f"{sock!r} is not a socket of {host.name}")


def sockets(host: Host) -> list[int]:
    """The numbers of all sockets."""
    return sorted([*host.conns, *host.listeners, *host.udps, *host.echoes])


def _anybody(local: bytes) -> str:
    """Any peer, of the family of the local address if there is one, as `ss` says it."""
    return {4: "0.0.0.0:*", 16: "[::]:*"}.get(len(local), "*:*")


def _row(proto: str, sock: int, state: str, recvq: int, sendq: int, local: str, peer: str) -> dict[str, Any]:
    row = {"proto": proto, "sock": sock, "state": state, "recv_q": recvq, "send_q": sendq}
    return row | {"local": local, "peer": peer}


def _place(addr: bytes, port: int) -> str:
    if not addr:
        return f"*:{port}"
    return f"[{text(addr)}]:{port}" if len(addr) == 16 else f"{text(addr)}:{port}"


def _tcp(host: Host, conn: Conn) -> dict[str, Any]:
    snd, rcv = conn.snd, conn.rcv
    sendq = snd.nxt - snd.una + snd.out.end - max(snd.nxt, snd.out.start) if conn.state != "CLOSED" else 0
    row = _row(
        "tcp",
        conn.sock,
        conn.state,
        rcv.queued,
        max(sendq, 0),
        _place(conn.local, conn.lport),
        _place(conn.remote, conn.rport),
    )
    timers = {
        kinds.NAMES[kind]: (due - host.env.now) / MS
        for (kind, *rest), due in host.env.timers.at.items()
        if rest == [conn.sock] and kind >= kinds.TCP_RETRANSMIT
    }
    return row | {
        "error": conn.error,
        "soft_error": conn.soft,
        "timers": timers,
        "rto": snd.rtt.rto / MS,
        "rtt": snd.rtt.srtt / MS,
        "rttvar": snd.rtt.rttvar / MS,
        "mss": snd.mss,
        "cc": snd.cc.name,
        "cwnd": snd.cc.cwnd,
        "ssthresh": snd.cc.ssthresh,
        "unacked": snd.nxt - snd.una,
        "snd_wnd": snd.wnd,
        "rcv_wnd": max(rcv.edge - rcv.nxt, 0),
        "wscale": (snd.shift, rcv.shift),
        "retrans": snd.retries,
        "congestion": castate.NAMES[snd.loss.state],
        "islands": len(rcv.islands),
        "info": tcp_info(host.env, conn),
        "control": of_controller(conn),
    }


OPS: dict[str, Callable[..., Any]] = {"status": status, "sockets": sockets}
