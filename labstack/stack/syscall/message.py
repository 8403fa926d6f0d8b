# SPDX-License-Identifier: GPL-2.0-or-later
"""Control messages (cmsg): what comes beside the data of recvmsg and sendmsg, in Linux's layout.

A control message is (level, type, data); `fit` says what of them a buffer takes. errqueue.py has the error queue.
"""

import errno
import struct
from typing import Any

from labstack.stack.host import Host
from labstack.stack.syscall import control, sk
from labstack.stack.syscall.files import Control, Socket, refused
from labstack.stack.syscall.knobs import HOPS, SOL_IP, SOL_IPV6, SOL_SOCKET, SOL_TCP, TCLASS, TOS, TTL
from labstack.udp.socket import Received

MSG_CTRUNC = 8
HEADER, ALIGN = 16, 8  # struct cmsghdr, and what each message is padded to
IP_TOS, IP_TTL, IP_PKTINFO, IPV6_PKTINFO, IPV6_HOPLIMIT, IPV6_TCLASS, TCP_CM_INQ = 1, 2, 8, 50, 52, 67, 36
WANTED = {
    IP_PKTINFO: (SOL_IP, 8),
    IP_TTL: (SOL_IP, 12),
    IP_TOS: (SOL_IP, 13),
}  # what kind of message: the option that asks for it
WANTED6 = {IPV6_PKTINFO: (SOL_IPV6, 49), IPV6_HOPLIMIT: (SOL_IPV6, 51), IPV6_TCLASS: (SOL_IPV6, 66)}
INQ = SOL_TCP, 36


def fit(messages: tuple[Control, ...], size: int) -> tuple[tuple[Control, ...], int]:
    """The messages that fit into a buffer of so many bytes, the last one perhaps cut, and MSG_CTRUNC or 0."""
    found: list[Control] = []
    flags = 0
    for level, kind, data in messages:
        if size < HEADER:
            return tuple(found), MSG_CTRUNC
        room = size - HEADER
        if len(data) > room:
            data, flags = data[:room], MSG_CTRUNC
        found.append((level, kind, data))
        size -= min(-(-(HEADER + len(data)) // ALIGN) * ALIGN, size)
    return tuple(found), flags


def of_stream(host: Host, s: Socket) -> tuple[Control, ...]:
    """Beside the bytes of a stream: how many more there are (TCP_INQ), one at least if its end is still to be told."""
    if not s.options.get(INQ):
        return ()
    it = sk.conn(host, s)
    waiting = control.inq(host, s) or int(it is not None and sk.ended(it))
    return ((SOL_TCP, TCP_CM_INQ, _int(waiting)),)


def of_datagram(s: Socket, it: Received) -> tuple[Control, ...]:
    """Beside a datagram: where it went, its TTL, its TOS, as far as the socket asked for them."""
    found: list[Control] = []
    if s.family == sk.AF_INET6 and s.options.get(WANTED6[IPV6_PKTINFO]):
        found.append((SOL_IPV6, IPV6_PKTINFO, sk.mapped(it.dst) + _int(it.dev)))
    if len(it.dst) == 4:
        info = _int(it.dev) + it.dst + it.dst
        beside = {IP_PKTINFO: info, IP_TTL: _int(it.ttl), IP_TOS: bytes((it.tos,))}
        return (*found, *((SOL_IP, kind, beside[kind]) for kind, key in WANTED.items() if s.options.get(key)))
    beside = {IPV6_HOPLIMIT: _int(it.ttl), IPV6_TCLASS: _int(it.tos)}
    return (*found, *((SOL_IPV6, kind, data) for kind, data in beside.items() if s.options.get(WANTED6[kind])))


def marks(s: Socket, size: int, messages: tuple[Any, ...]) -> tuple[int, int]:
    """TTL (0: the default) and TOS of a datagram to an address of so many bytes: the message's, else the socket's.

    Raises EINVAL for control messages that we cannot follow.
    """
    level, ttl_key, tos_key = (SOL_IP, TTL, TOS) if size == 4 else (SOL_IPV6, HOPS, TCLASS)
    ttl, tos = s.options.get(ttl_key, 0), s.options.get(tos_key, 0)
    for theirs, kind, data in _checked(messages):
        if theirs == level and kind in (IP_TTL, IPV6_HOPLIMIT) and len(data) == 4:
            ttl = _between(struct.unpack("<i", data)[0], 1, 255)
        elif theirs == level and kind in (IP_TOS, IPV6_TCLASS) and len(data) in (1, 4):
            tos = _between(int.from_bytes(data, "little", signed=len(data) == 4), 0, 255)
        else:
            raise refused(errno.EINVAL)
    return ttl, tos


def no_marks(messages: tuple[Any, ...]) -> None:
    """Linux lets a stream pass over what is not of its level, and we know nothing of that one. Raises EINVAL."""
    if any(level == SOL_SOCKET for level, _, _ in _checked(messages)):
        raise refused(errno.EINVAL)


def _checked(messages: tuple[Any, ...]) -> tuple[Control, ...]:
    kinds = (int, int, bytes)
    if not all(isinstance(it, tuple) and len(it) == 3 and all(map(isinstance, it, kinds)) for it in messages):
        raise refused(errno.EINVAL)
    return messages


def _between(value: int, least: int, most: int) -> int:
    if not least <= value <= most:
        raise refused(errno.EINVAL)
    return value


def _int(value: int) -> bytes:
    return struct.pack("<I", value & 0xFFFFFFFF)
