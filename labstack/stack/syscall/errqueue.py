# SPDX-License-Identifier: GPL-2.0-or-later
"""The error queue: ICMP errors that a socket with IP_RECVERR or IPV6_RECVERR keeps for recvmsg(MSG_ERRQUEUE).

Owns struct sock_extended_err, and who hears of an ICMP error at once: a datagram socket, a stream that is connected.
What a socket hears of its own bytes (owed.py) waits in the same queue.
"""

import errno
import struct

from labstack.ip.datagram import Datagram
from labstack.ip.family import V4
from labstack.ip.net import Path
from labstack.stack.host import Host
from labstack.stack.syscall import files, sk
from labstack.stack.syscall.files import MSG_ERRQUEUE, MSG_TRUNC, NOWHERE, Control, Extended, Got, Socket, refused
from labstack.stack.syscall.knobs import SOL_IP, SOL_IPV6
from labstack.stack.syscall.owed import SOFTWARE, STAMPS
from labstack.tcp.states import CLOSED, SYN_RECEIVED, SYN_SENT

RECVERR, RECVERR6 = (SOL_IP, 11), (SOL_IPV6, 25)
ORIGIN_LOCAL, ORIGIN_ICMP, ORIGIN_ICMP6 = 1, 2, 3
UDP_HLEN = 8
_ERROR = struct.Struct("<IBBBBII")
STATS = 1, 54  # SCM_TIMESTAMPING_OPT_STATS
_TIMES = struct.Struct("<qq32x")


def tell(host: Host, sock: int, d: Datagram, state: str = CLOSED) -> None:
    """An ICMP error about a packet of this socket of the host, which was in `state`: keep it if the owner asked.

    A stream that is open hears of it at once, and lives on; before, the error is kept, and on IPv4 even if nobody asked
    where it ends the attempt (tcp_v4_err, tcp_v6_err). One that the attempt survives shows nowhere but in SO_ERROR.
    """
    s = host.files.sockets.get(host.files.owners.get(sock, 0))
    quoted, opening = d.quoted, state in (SYN_SENT, SYN_RECEIVED)
    if s is None or quoted is None:
        return
    asked = s.options.get(RECVERR if quoted.family is V4 else RECVERR6)
    if not asked and not (opening and quoted.family is V4 and sk.state(host, s) == CLOSED):
        return
    if not opening:
        s.error = quoted.errno
    if (s.type == sk.SOCK_DGRAM or opening) and len(s.errors) < files.MOST_ERRORS:
        payload = bytes(quoted.transport)[UDP_HLEN if s.type == sk.SOCK_DGRAM else 0 :]
        origin = ORIGIN_ICMP if quoted.family is V4 else ORIGIN_ICMP6
        address = quoted.dst, int.from_bytes(quoted.transport[2:4], "big")
        kind, code, info = quoted.type, quoted.code, quoted.mtu
        s.errors.append(Extended(quoted.errno, origin, kind, code, info, 0, payload, d.src, address))
    files.changed(host.files, s)


def too_large(s: Socket, path: Path, aim: tuple[bytes, int]) -> None:
    """A datagram was refused because it would not fit the path: the queue says how large it may be (ip_local_error)."""
    if s.options.get(RECVERR if path.family is V4 else RECVERR6) and len(s.errors) < files.MOST_ERRORS:
        s.errors.append(Extended(errno.EMSGSIZE, ORIGIN_LOCAL, 0, 0, path.mtu, 0, b"", b"", aim))


def receive(host: Host, s: Socket, n: int | None) -> Got:
    """The oldest error: the data of the packet, where it was going, and what happened as control messages.

    Then the next one is the pending error, if it came by ICMP. Raises EAGAIN.
    """
    if not s.errors:
        raise refused(errno.EAGAIN)
    it = s.errors.popleft()
    if it.origin in (ORIGIN_ICMP, ORIGIN_ICMP6):
        sk.take_error(host, s)
    if s.errors and s.errors[0].origin in (ORIGIN_ICMP, ORIGIN_ICMP6):
        s.error = s.errors[0].errno
    part = it.payload[: NOWHERE if n is None else n]
    cut = MSG_TRUNC if len(part) < len(it.payload) else 0
    return Got(len(part), part, it.address, MSG_ERRQUEUE | cut, (*_stamp(s, it), _message(s, it)))


def _stamp(s: Socket, it: Extended) -> tuple[Control, ...]:
    """struct scm_timestamping, the software's time and two that only hardware has; and statistics, if there are any."""
    if it.at < 0 or not s.options.get(STAMPS, 0) & SOFTWARE:
        return ()
    stats = ((*STATS, it.payload),) if it.stats else ()
    return ((*STAMPS, _TIMES.pack(*divmod(it.at, 1_000_000_000))), *stats)


def _message(s: Socket, it: Extended) -> Control:
    raw = _ERROR.pack(it.errno, it.origin, it.type, it.code, 0, it.info, it.data & 0xFFFFFFFF)
    if not it.offender:
        return (*RECVERR, raw + bytes(16)) if s.family == sk.AF_INET else (*RECVERR6, raw + bytes(28))
    if s.family == sk.AF_INET:
        return (*RECVERR, raw + struct.pack("<HH4s8x", sk.AF_INET, 0, it.offender))
    return (*RECVERR6, raw + struct.pack("<HHI16sI", sk.AF_INET6, 0, 0, sk.mapped(it.offender), 0))
