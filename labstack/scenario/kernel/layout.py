# SPDX-License-Identifier: GPL-2.0-or-later
"""How C lays out what system calls take and give: addresses, I/O vectors, control messages, events.

Native byte order and alignment, as on the machine that we run on. Imports only what starts fast.
"""

import ctypes
import os
import socket
import struct
from typing import Any

Address = tuple[str, int]
ADDRESS_SIZE = 128  # bytes of struct sockaddr_storage
CMSG = struct.Struct("@Nii")  # struct cmsghdr: length, level, type
POLLFD = struct.Struct("=ihh")
EPOLL_EVENT = struct.Struct("=IQ" if os.uname().machine == "x86_64" else "=I4xQ")  # packed on x86-64 alone


class Iovec(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("len", ctypes.c_size_t))


class Msghdr(ctypes.Structure):
    """struct msghdr."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("namelen", ctypes.c_uint32),
        ("iov", ctypes.c_void_p),
        ("iovlen", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("controllen", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


def sockaddr(addr: Address | int | None) -> bytes | None:
    """struct sockaddr_in or sockaddr_in6 of (host, port); of a family alone; None: a null pointer.

    A link-local host names its interface: "fe80::1%tun0". Raises OSError, ValueError for a host that is none.
    """
    if addr is None:
        return None
    if isinstance(addr, int):
        return struct.pack("=H26x", addr)
    host, port = addr
    if ":" not in host:
        return struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", port, socket.inet_pton(socket.AF_INET, host))
    host, _, scope = host.partition("%")
    raw = socket.inet_pton(socket.AF_INET6, host)
    number = socket.if_nametoindex(scope) if scope else 0
    return struct.pack("=H", socket.AF_INET6) + struct.pack("!HI16s", port, 0, raw) + struct.pack("=I", number)


def address(raw: bytes) -> Address | None:
    """(host, port) of a struct sockaddr; None where there is none."""
    family = struct.unpack_from("=H", raw)[0] if len(raw) > 2 else 0
    if family == socket.AF_INET and len(raw) >= 8:
        return socket.inet_ntop(family, raw[4:8]), int.from_bytes(raw[2:4], "big")
    if family == socket.AF_INET6 and len(raw) >= 28:
        scope = struct.unpack_from("=I", raw, 24)[0]
        where = f"%{socket.if_indextoname(scope)}" if scope else ""
        return socket.inet_ntop(family, raw[8:24]) + where, int.from_bytes(raw[2:4], "big")
    return None


def vectors(buffers: list[Any]) -> Any:
    """An array of struct iovec, one for each ctypes buffer."""
    return (Iovec * len(buffers))(*[Iovec(ctypes.addressof(it), len(it)) for it in buffers])


def control(messages: list[tuple[int, int, bytes]]) -> bytes:
    """Control messages (level, type, data) one after the other, each aligned."""
    raw = b""
    for level, kind, data in messages:
        raw += CMSG.pack(CMSG.size + len(data), level, kind) + data
        raw += bytes(-len(raw) % ctypes.sizeof(ctypes.c_size_t))
    return raw


def controls(raw: bytes) -> tuple[tuple[int, int, bytes], ...]:
    """The control messages in what recvmsg wrote; one that was cut off is as long as there is of it."""
    found, at = [], 0
    while at + CMSG.size <= len(raw):
        length, level, kind = CMSG.unpack_from(raw, at)
        if length < CMSG.size:
            break
        found.append((level, kind, raw[at + CMSG.size : at + length]))
        at += length + -length % ctypes.sizeof(ctypes.c_size_t)
    return tuple(found)
