# SPDX-License-Identifier: GPL-2.0-or-later
"""The figures of a socket, by Linux's names: TCP_INFO (also of a socket without a connection) and SO_MEMINFO.

`info` has their layout, `tcp.info` those of a connection.
"""

from labstack.stack.host import Host
from labstack.stack.syscall import files, info, knobs, sk
from labstack.stack.syscall.files import Socket
from labstack.tcp import sndbuf
from labstack.tcp.info import MAX_SSTHRESH, NEVER, STATES, of_controller
from labstack.tcp.info import tcp_info as of_connection
from labstack.tcp.pace import UNLIMITED
from labstack.tcp.rtt import INITIAL_RTO
from labstack.tcp.states import CLOSED, LISTEN

US = 1000  # ns


def tcp(host: Host, s: Socket) -> dict[str, int]:
    """What TCP_INFO says of a stream socket; a listener's unacked and sacked are its queue and its backlog."""
    it, config = sk.conn(host, s), host.env.config
    if it is not None:
        return of_connection(host.env, it)
    found = {"state": STATES[CLOSED], "reordering": config["net.ipv4.tcp_reordering"]}
    found |= {"snd_cwnd": config["net.ipv4.tcp_init_cwnd"], "pacing_rate": UNLIMITED, "max_pacing_rate": UNLIMITED}
    listener = host.listeners.get(s.sock)
    if listener is not None:
        return found | {"state": STATES[LISTEN], "unacked": len(listener.ready), "sacked": listener.backlog}
    found |= {"rto": INITIAL_RTO // US, "rttvar": INITIAL_RTO // US // 4, "min_rtt": NEVER}
    return found | {"snd_mss": knobs.DEFAULT_MSS, "snd_ssthresh": MAX_SSTHRESH}


def memory(host: Host, s: Socket) -> dict[str, int]:
    """What SO_MEMINFO says: of TCP as `tcp.memory` counts it, of datagrams bytes without the memory around them."""
    it, udp = sk.conn(host, s), host.udps.get(s.sock)
    received = it.rcv.alloc if it is not None else udp.queued if udp is not None else 0
    return {
        "SK_MEMINFO_RMEM_ALLOC": received,
        "SK_MEMINFO_RCVBUF": knobs.rcvbuf(host, s),
        "SK_MEMINFO_SNDBUF": knobs.sndbuf(host, s),
        "SK_MEMINFO_WMEM_QUEUED": sndbuf.queued(it.snd) if it is not None and it.state != CLOSED else 0,
    }


def tcp_bytes(host: Host, s: Socket) -> bytes:
    """struct tcp_info."""
    return info.pack(info.TCP_INFO, tcp(host, s))


def control(host: Host, s: Socket) -> dict[str, int]:
    """What TCP_CC_INFO says: the figures of the connection's controller, if it has any."""
    it = sk.conn(host, s)
    return of_controller(it) if it is not None else {}


def control_bytes(host: Host, s: Socket) -> bytes:
    it = sk.conn(host, s)
    return info.pack(info.CC_INFO.get(it.snd.cc.name, ()), of_controller(it)) if it is not None else b""


def memory_bytes(host: Host, s: Socket) -> bytes:
    return info.pack(info.MEMINFO, memory(host, s))


def of(host: Host, fd: int) -> dict[str, int]:
    """All figures of a descriptor's socket, by name. Raises EBADF, ENOTSOCK."""
    s = files.socket(host.files, fd)
    found = info.unpack(info.MEMINFO, memory_bytes(host, s))
    if s.type != sk.SOCK_STREAM:
        return found
    return found | control(host, s) | info.unpack(info.TCP_INFO, tcp_bytes(host, s))
