# SPDX-License-Identifier: GPL-2.0-or-later
"""getsockopt and setsockopt: one table of options, with the form of each, how to get and how to set it.

An accepted socket is a copy of its listener, so it inherits everything; what a connection must know from its SYN on is
a wish (a name of tcp.settings), given to connections and listeners alike. What we cannot do is refused with ENOPROTOOPT
and stands in NOT_YET with the reason; nothing is accepted without effect but what has no effect on Linux either.
"""

import errno
from collections.abc import Callable
from typing import NamedTuple

from labstack.stack.host import Host
from labstack.stack.syscall import binding, datagram, figures, files, forms, knobs, opening, owed, signing, sk
from labstack.stack.syscall.files import Back, Socket, refused
from labstack.stack.syscall.forms import BYTES, INT, INT6, NAME, OCTET, Form
from labstack.stack.syscall.knobs import INT_MAX, INT_MIN, SOL_IP, SOL_IPV6, SOL_SOCKET, SOL_TCP, SOL_UDP, Get, Set
from labstack.stack.syscall.notyet import NOT_YET

__all__ = ["CALLS", "NOT_YET", "OPTIONS", "Option"]


class Option(NamedTuple):
    """get, set: None where Linux says ENOPROTOOPT."""

    level: int
    number: int
    name: str
    form: Form
    get: Get | None
    set: Set | None


def _kept(level: int, number: int, name: str, least: int = INT_MIN, most: int = INT_MAX) -> Option:
    """A number that is remembered; who needs it looks into Socket.options."""
    key = level, number
    return Option(level, number, name, INT, knobs.kept(key), knobs.keep(key, least, most))


def _flag(level: int, number: int, name: str, form: Form = INT) -> Option:
    return Option(level, number, name, form, knobs.kept((level, number)), knobs.keep_flag((level, number)))


def _discover(level: int, number: int, name: str, form: Form) -> Option:
    """What shall be done about the MTU of paths."""
    return Option(level, number, name, form, knobs.discovers((level, number)), knobs.mtu_discover((level, number)))


def _fact(number: int, name: str, get: Get) -> Option:
    """What only getsockopt may ask."""
    return Option(SOL_SOCKET, number, name, INT, get, None)


def _tcp(number: int, name: str, wish: str, least: int, most: int, default: int | str = 0) -> Option:
    """A number that the connection keeps, as tcp.settings has it; default: see knobs.wished."""
    return Option(SOL_TCP, number, name, INT, knobs.wished(wish, default), knobs.wish_number(wish, least, most))


_ROWS: tuple[Option, ...] = (
    Option(SOL_SOCKET, 2, "SO_REUSEADDR", INT, knobs.field("reuseaddr"), knobs.reuseaddr),
    _fact(3, "SO_TYPE", lambda host, s: s.type),
    _fact(4, "SO_ERROR", knobs.pending),
    _flag(SOL_SOCKET, 6, "SO_BROADCAST"),
    Option(SOL_SOCKET, 7, "SO_SNDBUF", INT, knobs.sndbuf, knobs.set_sndbuf),
    Option(SOL_SOCKET, 8, "SO_RCVBUF", INT, knobs.rcvbuf, knobs.set_rcvbuf),
    Option(SOL_SOCKET, 9, "SO_KEEPALIVE", INT, knobs.kept((SOL_SOCKET, 9)), knobs.keepalive),
    Option(SOL_SOCKET, 10, "SO_OOBINLINE", INT, knobs.kept((SOL_SOCKET, 10)), knobs.oobinline),
    _kept(SOL_SOCKET, 12, "SO_PRIORITY"),  # in queues that we have not, as Linux without traffic control
    Option(SOL_SOCKET, 13, "SO_LINGER", forms.LINGER, knobs.linger, knobs.set_linger),
    Option(SOL_SOCKET, 15, "SO_REUSEPORT", INT, knobs.field("reuseport"), knobs.set_flag("reuseport")),
    Option(SOL_SOCKET, 18, "SO_RCVLOWAT", INT, knobs.field("rcvlowat"), knobs.rcvlowat),
    _fact(19, "SO_SNDLOWAT", lambda host, s: 1),
    Option(SOL_SOCKET, 20, "SO_RCVTIMEO", forms.TIME, knobs.field("rcvtimeo"), knobs.set_time("rcvtimeo")),
    Option(SOL_SOCKET, 21, "SO_SNDTIMEO", forms.TIME, knobs.field("sndtimeo"), knobs.set_time("sndtimeo")),
    Option(SOL_SOCKET, 25, "SO_BINDTODEVICE", forms.DEVICE, knobs.device, knobs.bind_to_device),
    _fact(30, "SO_ACCEPTCONN", knobs.listens),
    Option(SOL_SOCKET, 32, "SO_SNDBUFFORCE", INT, None, knobs.force_sndbuf),
    Option(SOL_SOCKET, 33, "SO_RCVBUFFORCE", INT, None, knobs.force_rcvbuf),
    _kept(SOL_SOCKET, 36, "SO_MARK"),  # for rules of routing that we have not, as Linux without any
    Option(SOL_SOCKET, 37, "SO_TIMESTAMPING", INT, knobs.kept(owed.STAMPS), owed.set_stamps),
    _fact(38, "SO_PROTOCOL", lambda host, s: s.proto),
    _fact(39, "SO_DOMAIN", lambda host, s: s.family),
    Option(SOL_SOCKET, 47, "SO_MAX_PACING_RATE", forms.RATE, knobs.pacing, knobs.set_pacing),
    Option(SOL_SOCKET, 55, "SO_MEMINFO", BYTES, figures.memory_bytes, None),
    _kept(SOL_SOCKET, 60, "SO_ZEROCOPY", 0, 1),
    Option(SOL_TCP, 1, "TCP_NODELAY", INT, knobs.wished("nodelay"), knobs.wish_flag("nodelay")),
    Option(SOL_TCP, 2, "TCP_MAXSEG", INT, knobs.maxseg, knobs.set_maxseg),
    Option(SOL_TCP, 3, "TCP_CORK", INT, knobs.wished("cork"), knobs.wish_flag("cork")),
    _tcp(4, "TCP_KEEPIDLE", "keep_idle", 1, 32_767, "net.ipv4.tcp_keepalive_time"),
    _tcp(5, "TCP_KEEPINTVL", "keep_interval", 1, 32_767, "net.ipv4.tcp_keepalive_intvl"),
    _tcp(6, "TCP_KEEPCNT", "keep_count", 1, 127, "net.ipv4.tcp_keepalive_probes"),
    _tcp(7, "TCP_SYNCNT", "syn_retries", 1, 127, "net.ipv4.tcp_syn_retries"),
    Option(SOL_TCP, 8, "TCP_LINGER2", INT, knobs.wished("linger2", "net.ipv4.tcp_fin_timeout"), knobs.linger2),
    Option(SOL_TCP, 9, "TCP_DEFER_ACCEPT", INT, opening.defer_accept, opening.set_defer_accept),
    Option(SOL_TCP, 10, "TCP_WINDOW_CLAMP", INT, knobs.wished("window_clamp"), knobs.window_clamp),
    Option(SOL_TCP, 11, "TCP_INFO", BYTES, figures.tcp_bytes, None),
    Option(SOL_TCP, 12, "TCP_QUICKACK", INT, knobs.wished("quickack", 1), knobs.quickack),
    Option(SOL_TCP, 13, "TCP_CONGESTION", NAME, knobs.congestion, knobs.set_congestion),
    Option(SOL_TCP, 14, "TCP_MD5SIG", NAME, None, signing.sign),
    _tcp(18, "TCP_USER_TIMEOUT", "user_timeout", 0, INT_MAX),
    Option(SOL_TCP, 23, "TCP_FASTOPEN", INT, opening.limit, opening.set_limit),
    Option(SOL_TCP, 25, "TCP_NOTSENT_LOWAT", INT, knobs.wished("notsent_lowat"), knobs.notsent_lowat),
    Option(SOL_TCP, 26, "TCP_CC_INFO", BYTES, figures.control_bytes, None),
    Option(SOL_TCP, 30, "TCP_FASTOPEN_CONNECT", INT, opening.waits, opening.set_waits),
    Option(SOL_TCP, 32, "TCP_MD5SIG_EXT", NAME, None, signing.sign_prefix),
    Option(SOL_TCP, 33, "TCP_FASTOPEN_KEY", NAME, opening.key, opening.set_key),
    Option(SOL_TCP, 34, "TCP_FASTOPEN_NO_COOKIE", INT, opening.free, opening.set_free),
    _kept(SOL_TCP, 36, "TCP_INQ", 0, 1),
    Option(SOL_UDP, 1, "UDP_CORK", INT, knobs.kept(sk.CORKED), datagram.uncork),
    Option(SOL_IP, 1, "IP_TOS", OCTET, knobs.kept(knobs.TOS), knobs.tos),
    Option(SOL_IP, 2, "IP_TTL", OCTET, knobs.default_ttl, knobs.ttl),
    _flag(SOL_IP, 8, "IP_PKTINFO", OCTET),
    _discover(SOL_IP, 10, "IP_MTU_DISCOVER", OCTET),
    Option(SOL_IP, 11, "IP_RECVERR", OCTET, knobs.kept((SOL_IP, 11)), knobs.recverr((SOL_IP, 11))),
    _flag(SOL_IP, 12, "IP_RECVTTL", OCTET),
    _flag(SOL_IP, 13, "IP_RECVTOS", OCTET),
    Option(SOL_IP, 14, "IP_MTU", OCTET, knobs.mtu, None),
    _flag(*binding.FREEBIND, "IP_FREEBIND", OCTET),
    Option(SOL_IPV6, 16, "IPV6_UNICAST_HOPS", INT6, knobs.default_hops, knobs.hops),
    Option(
        SOL_IPV6, 23, "IPV6_MTU_DISCOVER", INT6, knobs.discovers((SOL_IPV6, 23)), knobs.mtu_discover((SOL_IPV6, 23))
    ),
    Option(SOL_IPV6, 24, "IPV6_MTU", INT6, knobs.mtu, None),
    Option(SOL_IPV6, 25, "IPV6_RECVERR", INT6, knobs.kept((SOL_IPV6, 25)), knobs.recverr((SOL_IPV6, 25))),
    Option(SOL_IPV6, 26, "IPV6_V6ONLY", INT6, knobs.field("v6only"), knobs.v6only),
    _flag(SOL_IPV6, 49, "IPV6_RECVPKTINFO", INT6),
    _flag(SOL_IPV6, 51, "IPV6_RECVHOPLIMIT", INT6),
    _flag(SOL_IPV6, 66, "IPV6_RECVTCLASS", INT6),
    Option(SOL_IPV6, 67, "IPV6_TCLASS", INT6, knobs.kept(knobs.TCLASS), knobs.tclass),
    Option(SOL_IPV6, 78, "IPV6_FREEBIND", INT6, knobs.kept(binding.FREEBIND), knobs.keep_flag(binding.FREEBIND)),
)
OPTIONS: dict[tuple[int, int], Option] = {(it.level, it.number): it for it in _ROWS}


def getsockopt(host: Host, fd: int, level: int, name: int, size: int) -> Back:
    """data: the value, cut to `size` bytes. Raises ENOPROTOOPT, EOPNOTSUPP, EINVAL, ENOTCONN."""
    s = files.socket(host.files, fd)
    if not _has(s, level):
        raise refused(errno.EOPNOTSUPP if s.family == sk.AF_INET else errno.ENOPROTOOPT)
    it = OPTIONS.get((level, name))
    if it is None or it.get is None:
        raise refused(errno.ENOPROTOOPT)
    return 0, 0, it.form.write(it.get(host, s), size)


def setsockopt(host: Host, fd: int, level: int, name: int, value: bytes | None) -> Back:
    """Raises ENOPROTOOPT, EINVAL, EFAULT, EDOM, ENODEV, ENOENT."""
    s = files.socket(host.files, fd)
    it = OPTIONS.get((level, name)) if _has(s, level) else None
    if it is None or it.set is None:
        if level == SOL_SOCKET or (level == SOL_TCP and s.proto == SOL_TCP):
            INT.read(value)  # Linux reads before it looks which option it is
        raise refused(errno.ENOPROTOOPT)
    it.set(host, s, it.form.read(value))
    return 0, 0, None


def _has(s: Socket, level: int) -> bool:
    """Has a socket of this family and protocol options of this level?"""
    return level in (SOL_SOCKET, SOL_IP, s.proto) or (level == SOL_IPV6 and s.family == sk.AF_INET6)


CALLS: dict[str, Callable[..., Back]] = {"getsockopt": getsockopt, "setsockopt": setsockopt}
