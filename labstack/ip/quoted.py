# SPDX-License-Identifier: GPL-2.0-or-later
"""ICMP errors that arrive: which packet of ours they quote, and what that means to a socket.

RFC 792, RFC 4443 §3, RFC 1122 §3.2.2, RFC 9293 §3.9.2.2; errno as Linux (`icmp_err_convert`). The transport decides
whether to believe it (RFC 5927).
"""

import errno
import struct

from labstack.ip import extension
from labstack.ip.datagram import Quoted
from labstack.ip.extension import Found
from labstack.ip.family import V4, V6, Family

_U16 = struct.Struct("!H")
_U32 = struct.Struct("!I")
PORTS = 8  # bytes of a transport header that every error must quote (RFC 792)

# type: {code: (errno, hard)}; None as a code: every other, which nobody has defined
_V4_MEANS: dict[int, dict[int | None, tuple[int, bool]]] = {
    3: {
        0: (errno.ENETUNREACH, False),
        1: (errno.EHOSTUNREACH, False),
        2: (errno.ENOPROTOOPT, True),
        3: (errno.ECONNREFUSED, True),
        4: (errno.EMSGSIZE, False),
        5: (errno.EOPNOTSUPP, False),
        6: (errno.ENETUNREACH, True),
        7: (errno.EHOSTDOWN, True),
        8: (errno.ENONET, True),
        9: (errno.ENETUNREACH, True),
        10: (errno.EHOSTUNREACH, True),
        11: (errno.ENETUNREACH, False),
        12: (errno.EHOSTUNREACH, False),
        13: (errno.EHOSTUNREACH, True),
        14: (errno.EHOSTUNREACH, True),
        15: (errno.EHOSTUNREACH, True),
        None: (errno.EHOSTUNREACH, False),
    },
    11: {None: (errno.EHOSTUNREACH, False)},
    12: {None: (errno.EPROTO, False)},  # MUST-56
}
_V6_MEANS: dict[int, dict[int | None, tuple[int, bool]]] = {
    1: {
        0: (errno.ENETUNREACH, False),
        1: (errno.EACCES, True),
        2: (errno.EHOSTUNREACH, False),
        3: (errno.EHOSTUNREACH, False),
        4: (errno.ECONNREFUSED, True),
        5: (errno.EACCES, True),
        6: (errno.EACCES, True),
        None: (errno.EPROTO, False),
    },
    2: {None: (errno.EMSGSIZE, False)},
    3: {None: (errno.EHOSTUNREACH, False)},
    4: {None: (errno.EPROTO, False)},
}


def read(family: Family, message: bytes) -> Quoted | None:
    """What an ICMP error message (from its type on, 8 bytes at least) quotes; None if no transport can be told from it:
    too short, malformed, or a fragment without ports."""
    return _read4(message) if family is V4 else _read6(message)


def _read4(message: bytes) -> Quoted | None:
    if len(message) < 28 or message[8] >> 4 != 4:
        return None
    hlen = (message[8] & 15) * 4
    if hlen < 20 or len(message) < 8 + hlen + PORTS or _U16.unpack_from(message, 14)[0] & 0x1FFF:
        return None
    mtu = _U16.unpack_from(message, 6)[0] if message[:2] == b"\3\4" else 0
    src, dst = message[20:24], message[24:28]
    return meaning(V4, message[0], message[1], mtu, message[17], src, dst, message[8 + hlen :])


def _read6(message: bytes) -> Quoted | None:
    if len(message) < 48 or message[8] >> 4 != 6:
        return None
    found = extension.walk(message, 8, len(message))
    if not isinstance(found, Found) or found.proto == extension.FRAGMENT or len(message) < found.at + PORTS:
        return None
    mtu = _U32.unpack_from(message, 4)[0] if message[0] == 2 else 0
    return meaning(V6, message[0], message[1], mtu, found.proto, message[16:32], message[32:48], message[found.at :])


def meaning(
    family: Family, kind: int, code: int, mtu: int, proto: int, src: bytes, dst: bytes, transport: bytes
) -> Quoted:
    """The Quoted of an error about a packet of ours from src to dst."""
    table = _V4_MEANS if family is V4 else _V6_MEANS
    codes = table.get(kind) or {None: (errno.EPROTO, False)}
    number, hard = codes.get(code) or codes[None]
    flow = dst + src + transport[2:4] + transport[:2]
    return Quoted(kind, code, mtu, family, proto, src, dst, flow, transport, number, hard)
