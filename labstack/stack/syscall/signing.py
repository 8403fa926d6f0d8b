# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP_MD5SIG and TCP_MD5SIG_EXT: struct tcp_md5sig gives a key for a peer or a prefix, or takes it away."""

import errno
from struct import Struct

from labstack.stack import calls
from labstack.stack.host import Host
from labstack.stack.syscall import sk
from labstack.stack.syscall.files import Socket, refused
from labstack.tcp import md5

_HEAD = Struct("<128sBBHi")  # struct sockaddr_storage, flags, prefix, key length, device
SIZE = _HEAD.size + md5.LONGEST
PREFIX = 1  # TCP_MD5SIG_FLAG_PREFIX


def sign(host: Host, s: Socket, value: bytes) -> None:
    """A key for one peer. Raises EINVAL, ENOENT."""
    _sign(host, s, value, extended=False)


def sign_prefix(host: Host, s: Socket, value: bytes) -> None:
    """The same, for a prefix, if the flags say so."""
    _sign(host, s, value, extended=True)


def _sign(host: Host, s: Socket, value: bytes, extended: bool) -> None:
    if len(value) < SIZE:
        raise refused(errno.EINVAL)
    peer, flags, prefix, length, _ = _HEAD.unpack_from(value)
    address = _address(s, peer)
    if not extended or not flags & PREFIX:
        prefix = 8 * len(address)
    if length > md5.LONGEST or prefix > 8 * len(address):
        raise refused(errno.EINVAL)
    others = tuple(it for it in s.keys if (it.address, it.prefix) != (address, prefix))
    if not length and others == s.keys:
        raise refused(errno.ENOENT)
    if length and len(others) >= md5.MOST:
        raise refused(errno.ENOMEM)
    s.keys = (*others, md5.Key(address, prefix, value[_HEAD.size : _HEAD.size + length])) if length else others
    if s.sock:
        calls.sign(host, s.sock, s.keys)


def _address(s: Socket, peer: bytes) -> bytes:
    """The peer's, whose struct sockaddr must be of the socket's family; an IPv4 one may be mapped."""
    family = int.from_bytes(peer[:2], "little")
    if family != s.family:
        raise refused(errno.EINVAL)
    if family == sk.AF_INET:
        return peer[4:8]
    address = peer[8:24]
    return address[12:] if address.startswith(sk.MAPPED) else address
