# SPDX-License-Identifier: GPL-2.0-or-later
"""What the options of a socket read and write: how to get and how to set each of them. The table is in `options`.

A getter is called with (host, socket) and returns a value of the option's form; a setter gets the value and refuses one
that Linux would.
"""

import errno
from collections.abc import Callable
from typing import Any

from labstack.core.config import MIN_RCVBUF, MIN_SNDBUF
from labstack.ip import route
from labstack.ip.net import LOOPBACK, iface
from labstack.stack import ports
from labstack.stack.host import Host
from labstack.stack.syscall import files, poll, sk
from labstack.stack.syscall.files import FOREVER, Socket, refused
from labstack.stack.syscall.forms import IFNAMSIZ, SECOND
from labstack.tcp import sndbuf as tcp_sndbuf
from labstack.tcp.cc import table
from labstack.tcp.conn import Conn
from labstack.tcp.pace import UNLIMITED
from labstack.tcp.settings import MIN_MSS, SETTINGS
from labstack.tcp.states import CLOSED, LISTEN

Get = Callable[[Host, Socket], Any]
Set = Callable[[Host, Socket, Any], None]
Key = tuple[int, int]

INT_MAX, INT_MIN = (1 << 31) - 1, -(1 << 31)
SOL_IP, SOL_SOCKET, SOL_TCP, SOL_UDP, SOL_IPV6 = 0, 1, 6, 17, 41
SNDBUF, RCVBUF, LINGER, PRIORITY = (SOL_SOCKET, 7), (SOL_SOCKET, 8), (SOL_SOCKET, 13), (SOL_SOCKET, 12)
TOS, TTL, HOPS, TCLASS = (SOL_IP, 1), (SOL_IP, 2), (SOL_IPV6, 16), (SOL_IPV6, 67)
DATAGRAMS = 212_992  # bytes, Linux's wmem_default: ours go out at once
ECN = 3  # bits of the TOS
DEFAULT_MSS = 536
CA_NAME_MAX = 16


def _within(value: int, least: int, most: int) -> int:
    if not least <= value <= most:
        raise refused(errno.EINVAL)
    return value


# numbers that are remembered in Socket.options


def kept(key: Key, default: int = 0) -> Get:
    return lambda host, s: s.options.get(key, default)


def keep(key: Key, least: int, most: int) -> Set:
    def put(host: Host, s: Socket, value: int) -> None:
        s.options[key] = _within(value, least, most)

    return put


def keep_flag(key: Key) -> Set:
    def put(host: Host, s: Socket, value: int) -> None:
        s.options[key] = int(bool(value))

    return put


# fields of a Socket


def field(name: str) -> Get:
    return lambda host, s: getattr(s, name)


def set_flag(name: str) -> Set:
    return lambda host, s, value: setattr(s, name, bool(value))


def set_time(name: str) -> Set:
    return lambda host, s, ns: setattr(s, name, ns)


def reuseaddr(host: Host, s: Socket, value: int) -> None:
    s.reuseaddr = bool(value)
    wish(host, s, "reuse", int(s.reuseaddr))


def v6only(host: Host, s: Socket, value: int) -> None:
    if sk.bound(host, s):
        raise refused(errno.EINVAL)
    s.v6only = bool(value)


def linger(host: Host, s: Socket) -> tuple[bool, int]:
    return s.linger != FOREVER, s.options.get(LINGER, 0)


def set_linger(host: Host, s: Socket, value: tuple[bool, int]) -> None:
    on, seconds = value
    s.linger = seconds * SECOND if on else FOREVER
    if on:
        s.options[LINGER] = seconds


def rcvlowat(host: Host, s: Socket, value: int) -> None:
    """A stream's is at most half its buffer (tcp_set_rcvlowat)."""
    most = INT_MAX
    if s.type == sk.SOCK_STREAM:
        most = s.options.get(RCVBUF, host.env.config["net.ipv4.tcp_rmem.max"]) // 2
    s.rcvlowat = min(value if value >= 0 else INT_MAX, most) or 1
    wish(host, s, "rcvlowat", s.rcvlowat)
    it = sk.conn(host, s)
    if it is not None and (poll.readable(it, s.rcvlowat) or sk.ended(it)):
        files.changed(host.files, s, poll.IN)


# wishes: what a connection keeps


def wish(host: Host, s: Socket, name: str, value: int) -> None:
    """Remember it for the connection to come, and tell the one that there is, or the listener."""
    if s.type != sk.SOCK_STREAM:
        return
    s.wishes[name] = value
    it = sk.conn(host, s)
    if it is not None:
        ports.set_option(host, it, name, value)
    elif s.sock in host.listeners:
        host.listeners[s.sock].options[name] = value


def wished(name: str, default: int | str = 0) -> Get:
    """What the connection has, or would get; default: a number, or the sysctl that counts where it is 0."""

    def get(host: Host, s: Socket) -> int:
        it = sk.conn(host, s)
        value = int(SETTINGS[name].read(it)) if it is not None else s.wishes.get(name)
        if isinstance(default, str):
            return value or host.env.config[default]
        return default if value is None else value

    return get


def wish_number(name: str, least: int, most: int) -> Set:
    return lambda host, s, value: wish(host, s, name, _within(value, least, most))


def wish_flag(name: str) -> Set:
    return lambda host, s, value: wish(host, s, name, int(bool(value)))


def linger2(host: Host, s: Socket, value: int) -> None:
    wish(host, s, "linger2", max(-1, min(value, 120)))


def quickack(host: Host, s: Socket, value: int) -> None:
    """An even number asks for one ACK only; before there is a connection that is no different."""
    wish(host, s, "quickack", 0 if not value else 1 if value & 1 or sk.conn(host, s) is None else 2)


def notsent_lowat(host: Host, s: Socket, value: int) -> None:
    wish(host, s, "notsent_lowat", value & 0xFFFFFFFF)
    it = sk.conn(host, s)
    if it is not None and tcp_sndbuf.writable(host.env, it):
        files.changed(host.files, s, poll.OUT)


def set_maxseg(host: Host, s: Socket, value: int) -> None:
    wish(host, s, "maxseg", _within(value, MIN_MSS, 32_767) if value else 0)


def maxseg(host: Host, s: Socket) -> int:
    """The segment size in use; before there is one, what was asked for."""
    it = sk.conn(host, s)
    if it is None or sk.state(host, s) in (CLOSED, LISTEN):
        return s.wishes.get("maxseg", 0) or DEFAULT_MSS
    return it.snd.mss if it.rcv.nxt else min(it.snd.mss, it.user.maxseg or DEFAULT_MSS)


def oobinline(host: Host, s: Socket, value: int) -> None:
    s.options[(SOL_SOCKET, 10)] = int(bool(value))
    wish(host, s, "oobinline", int(bool(value)))


def keepalive(host: Host, s: Socket, value: int) -> None:
    s.options[(SOL_SOCKET, 9)] = int(bool(value))
    wish(host, s, "keepalive", int(bool(value)))


def congestion(host: Host, s: Socket) -> bytes:
    it, names = sk.conn(host, s), SETTINGS["congestion"].names()
    name = it.snd.cc.name if it is not None else names[s.wishes.get("congestion", host.env.config[table.SYSCTL])]
    return name.encode().ljust(CA_NAME_MAX, b"\0")


def set_congestion(host: Host, s: Socket, value: bytes) -> None:
    """By name. Raises EINVAL for none at all, ENOENT for one that nobody has."""
    if not value:
        raise refused(errno.EINVAL)
    name = value[: CA_NAME_MAX - 1].partition(b"\0")[0].decode("latin-1")
    names = SETTINGS["congestion"].names()
    if name not in names:
        raise refused(errno.ENOENT)
    wish(host, s, "congestion", names.index(name))


# buffers


def sndbuf(host: Host, s: Socket) -> int:
    """A stream's grows with cwnd, if it was not set."""
    it = sk.conn(host, s)
    if it is not None:
        return it.snd.limit
    stream = s.type == sk.SOCK_STREAM
    return s.options.get(SNDBUF, host.env.config["net.ipv4.tcp_wmem.default"] if stream else DATAGRAMS)


def window_clamp(host: Host, s: Socket, value: int) -> None:
    """0 takes it back, while there is no connection (tcp_set_window_clamp)."""
    if value == 0 and sk.state(host, s) != CLOSED:
        raise refused(errno.EINVAL)
    wish(host, s, "window_clamp", max(value, MIN_RCVBUF // 2) if value else 0)


def pacing(host: Host, s: Socket) -> int:
    return s.wishes.get("pacing", 0) or UNLIMITED


def set_pacing(host: Host, s: Socket, value: int) -> None:
    """Bytes a second at most; what is no limit limits nothing, and paces nothing."""
    wish(host, s, "pacing", 0 if value >= UNLIMITED else value)


def rcvbuf(host: Host, s: Socket) -> int:
    """A stream's grows with what is read, if it was not set."""
    it = sk.conn(host, s)
    if it is not None:
        return it.rcv.limit
    name = "net.ipv4.tcp_rmem.default" if s.type == sk.SOCK_STREAM else "net.core.rmem_default"
    return s.options.get(RCVBUF, host.env.config[name])


def set_sndbuf(host: Host, s: Socket, value: int) -> None:
    """Doubled, as Linux does: what is counted is memory (tcp.sndbuf)."""
    _sndbuf(host, s, min(value & 0xFFFFFFFF, host.env.config["net.core.wmem_max"]))


def force_sndbuf(host: Host, s: Socket, value: int) -> None:
    _sndbuf(host, s, min(max(value, 0), INT_MAX // 2))


def _sndbuf(host: Host, s: Socket, value: int) -> None:
    s.options[SNDBUF] = max(2 * value, MIN_SNDBUF)
    wish(host, s, "sndbuf", min(s.options[SNDBUF] // 2, SETTINGS["sndbuf"].most))


def set_rcvbuf(host: Host, s: Socket, value: int) -> None:
    """Doubled, too; the window gets half of that."""
    _rcvbuf(host, s, min(value & 0xFFFFFFFF, host.env.config["net.core.rmem_max"]))


def force_rcvbuf(host: Host, s: Socket, value: int) -> None:
    _rcvbuf(host, s, min(max(value, 0), INT_MAX // 2))


def _rcvbuf(host: Host, s: Socket, value: int) -> None:
    total = s.options[RCVBUF] = max(2 * value, MIN_RCVBUF)
    wish(host, s, "rcvbuf", min(total // 2, SETTINGS["rcvbuf"].most))
    if s.type == sk.SOCK_DGRAM:
        s.wishes["rcvbuf"] = total
    if s.sock in host.udps:
        host.udps[s.sock].limit = total


# the IP header


def tos(host: Host, s: Socket, value: int) -> None:
    """ECN belongs to TCP; the priority follows (rt_tos2priority)."""
    value &= 0xFF
    s.options[TOS] = value & ~ECN if s.type == sk.SOCK_STREAM else value
    s.options[PRIORITY] = (0, 2, 6, 4)[value >> 3 & 3]
    wish(host, s, "tos4", s.options[TOS])


def tclass(host: Host, s: Socket, value: int) -> None:
    value = max(_within(value, -1, 255), 0)
    s.options[TCLASS] = value & ~ECN if s.type == sk.SOCK_STREAM else value
    wish(host, s, "tclass6", s.options[TCLASS])


def ttl(host: Host, s: Socket, value: int) -> None:
    """-1 is the default."""
    if value != -1:
        _within(value, 1, 255)
    s.options[TTL] = max(value, 0)
    wish(host, s, "ttl4", s.options[TTL])


def hops(host: Host, s: Socket, value: int) -> None:
    """-1 is the default. 0, which no packet survives, cannot be set."""
    if value == 0:
        raise refused(errno.ENOPROTOOPT)
    s.options[HOPS] = max(_within(value, -1, 255), 0)
    wish(host, s, "hops6", s.options[HOPS])


def default_ttl(host: Host, s: Socket) -> int:
    return s.options.get(TTL) or host.env.config["net.ipv4.ip_default_ttl"]


def default_hops(host: Host, s: Socket) -> int:
    return s.options.get(HOPS) or host.env.config["net.ipv6.conf.all.hop_limit"]


def mtu_discover(key: Key) -> Set:
    """IP_PMTUDISC_DONT, _WANT, _DO, _PROBE, _INTERFACE, _OMIT."""

    def put(host: Host, s: Socket, value: int) -> None:
        s.options[key] = _within(value, 0, 5)
        if key[0] == SOL_IP or s.family == sk.AF_INET6:
            wish(host, s, "discover4" if key[0] == SOL_IP else "discover6", value)

    return put


def discovers(key: Key) -> Get:
    """What was asked for; before, what net.ipv4.ip_no_pmtu_disc has."""

    def get(host: Host, s: Socket) -> int:
        return s.options.get(key, int(not (key[0] == SOL_IP and host.env.config["net.ipv4.ip_no_pmtu_disc"])))

    return get


def mtu(host: Host, s: Socket) -> int:
    """Of the path, as far as it is known."""
    it, udp = sk.conn(host, s), host.udps.get(s.sock)
    if it is not None and it.state != CLOSED:
        return it.mtu
    path = route.lookup(host.env, host.net, udp.remote, udp.local, udp.dev) if udp is not None and udp.remote else None
    if path is None:
        raise refused(errno.ENOTCONN)
    return path.mtu


def recverr(key: Key) -> Set:
    """Without it the error queue is emptied."""

    def put(host: Host, s: Socket, value: int) -> None:
        s.options[key] = int(bool(value))
        if not value:
            s.errors.clear()

    return put


# the rest


def pending(host: Host, s: Socket) -> int:
    """The pending error; where there is none a soft one of the connection, told once, too (RFC 9293 §3.9.2.2)."""
    code, it = sk.take_error(host, s), sk.conn(host, s)
    if not code and it is not None:
        code, it.soft = it.soft, 0
    return code


def listens(host: Host, s: Socket) -> int:
    return int(sk.state(host, s) == LISTEN)


def device(host: Host, s: Socket) -> bytes:
    return iface(host.net, s.dev).name.encode() + b"\0" if s.dev else b""


def bind_to_device(host: Host, s: Socket, value: bytes) -> None:
    """By name; an empty one unbinds. Raises ENODEV."""
    name = value[: IFNAMSIZ - 1].partition(b"\0")[0].decode("latin-1")
    index = next((it.index for it in host.net.ifaces.values() if it.name == name), -1) if name else 0
    if index < 0:
        raise refused(errno.ENODEV)
    if name and index == LOOPBACK:
        raise refused(errno.ENOPROTOOPT)  # 0 is any interface, too
    s.dev = index
    below = host.conns.get(s.sock) or host.listeners.get(s.sock) or host.udps.get(s.sock)
    if below is not None:
        below.dev = index
    if isinstance(below, Conn):
        below.version = -1  # the way that was found for it may be another now
