# SPDX-License-Identifier: GPL-2.0-or-later
"""How the value of a socket option lies in memory, and what Linux says to one that is too short."""

import errno
from collections.abc import Callable
from typing import Any, NamedTuple

from labstack.stack.syscall.files import refused

SECOND, US = 1_000_000_000, 1000  # ns
IFNAMSIZ = 16


class Form(NamedTuple):
    """read: bytes (None: a null pointer) to a value, raises EFAULT, EINVAL, EDOM; write: a value to at most so many
    bytes, raises EINVAL."""

    read: Callable[[bytes | None], Any]
    write: Callable[[Any, int], bytes]


def _given(value: bytes | None, least: int) -> bytes:
    if value is None:
        raise refused(errno.EFAULT)
    if len(value) < least:
        raise refused(errno.EINVAL)
    return value


def int_of(raw: bytes) -> int:
    return int.from_bytes(raw[:4], "little", signed=True)


def bytes_of(value: int) -> bytes:
    return (value & 0xFFFFFFFF).to_bytes(4, "little")


def _cut(raw: bytes, size: int) -> bytes:
    if size < 0:
        raise refused(errno.EINVAL)
    return raw[:size]


def _read_octet(value: bytes | None) -> int:
    """An int, or one byte where that is all there is (do_ip_setsockopt)."""
    raw = _given(value, 0)
    return int_of(raw) if len(raw) >= 4 else raw[0] if raw else 0


def _write_octet(value: int, size: int) -> bytes:
    return _cut(bytes_of(value), 1 if 0 < size < 4 and 0 <= value <= 255 else size)


def _read_int6(value: bytes | None) -> int:
    """A null pointer is 0 (do_ipv6_setsockopt)."""
    return 0 if value is None else int_of(_given(value, 4))


def _read_linger(value: bytes | None) -> tuple[bool, int]:
    """struct linger: (on, seconds)."""
    raw = _given(value, 8)
    return bool(int_of(raw)), int.from_bytes(raw[4:8], "little")


def _write_linger(value: tuple[bool, int], size: int) -> bytes:
    return _cut(bytes_of(value[0]) + bytes_of(value[1]), size)


def _read_time(value: bytes | None) -> int:
    """struct timeval: ns, 0 for ever; a negative time is none at all."""
    raw = _given(value, 16)
    seconds, micros = (int.from_bytes(raw[at : at + 8], "little", signed=True) for at in (0, 8))
    if not 0 <= micros < 1_000_000:
        raise refused(errno.EDOM)
    if seconds < 0:
        return 1
    ns = seconds * SECOND + micros * US
    return ns if ns < 1 << 63 else 0


def _write_time(ns: int, size: int) -> bytes:
    return _cut((ns // SECOND).to_bytes(8, "little") + (ns % SECOND // US).to_bytes(8, "little"), size)


def _write_device(name: bytes, size: int) -> bytes:
    """The name of an interface needs its whole space (sock_getbindtodevice)."""
    if name and size < IFNAMSIZ:
        raise refused(errno.EINVAL)
    return _cut(name, size)


def _read_rate(value: bytes | None) -> int:
    """Bytes a second, in 8 bytes or 4; all ones are no limit (sk_setsockopt)."""
    raw = _given(value, 4)
    rate = int.from_bytes(raw[:8] if len(raw) == 8 else raw[:4], "little")
    return (1 << 64) - 1 if rate == 0xFFFFFFFF and len(raw) != 8 else rate


def _write_rate(value: int, size: int) -> bytes:
    return value.to_bytes(8, "little") if size >= 8 else _cut(min(value, 0xFFFFFFFF).to_bytes(4, "little"), size)


INT = Form(lambda value: int_of(_given(value, 4)), lambda value, size: _cut(bytes_of(value), size))
INT6 = Form(_read_int6, lambda value, size: bytes_of(value)[: size if size >= 0 else 4])
OCTET = Form(_read_octet, _write_octet)
LINGER = Form(_read_linger, _write_linger)
TIME = Form(_read_time, _write_time)
RATE = Form(_read_rate, _write_rate)
NAME = Form(lambda value: _given(value, 0), _cut)  # whatever else must hold, the option knows
DEVICE = Form(lambda value: _given(value, 0), _write_device)
BYTES = Form(lambda value: _given(value, 4), _cut)
