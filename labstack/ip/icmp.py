# SPDX-License-Identifier: GPL-2.0-or-later
"""ICMP and ICMPv6: echo, the errors a host sends, and what arrives. RFC 792, RFC 4443, RFC 1122 §3.2.2.

What an arrived error quotes is read in `quoted.py`, how often we may complain is `limit.py`, ND is `link/nd.py`.
"""

import struct

from labstack.core.env import Env
from labstack.core.frame import Frame
from labstack.ip import extension, limit, pmtu, quoted
from labstack.ip.datagram import Datagram
from labstack.ip.family import V4, V6, is_link_local
from labstack.ip.net import Net, Path, local, to_many
from labstack.ip.route import lookup
from labstack.ip.send import send
from labstack.link import nd
from labstack.link.iface import Iface
from layers.checksum import ones_sum

_HEAD = struct.Struct("!BBHHH")
_ERRORS4 = frozenset((3, 11, 12))
_ABOUT_ERRORS4 = frozenset((3, 4, 5, 11, 12))
_QUENCH, _REDIRECT4, _REDIRECT6, _PROBLEM4, _PROBLEM6 = 4, 5, 137, 12, 4
_TOS, _INTERNETWORK_CONTROL = 0x1E, 0xC0  # an IPv4 error has its packet's TOS and this precedence (RFC 1812 §4.3.2.5)
_MLD = frozenset((130, 131, 132, 143))


def arrive(env: Env, net: Net, dgram: Datagram) -> Datagram | None:
    """Handle an ICMP message of dgram's family; a Datagram comes back if a socket should see it (an echo reply, or
    an error about a packet of ours, then with `quoted`)."""
    family = dgram.family
    env.count[family.icmp_counters + "InMsgs"] += 1
    message = dgram.buf[dgram.at : dgram.end]
    if len(message) < 8:
        return env.drop("drop.icmp.short", len(message))
    start = 0 if family is V4 else ones_sum(dgram.src + dgram.dst, family.icmp + len(message))
    if not dgram.sure and ones_sum(message, start) != 0xFFFF:
        env.count[family.icmp_counters + "InCsumErrors"] += 1
        return env.drop("drop.icmp.csum")
    return _arrive4(env, net, dgram, message) if family is V4 else _arrive6(env, net, dgram, message)


def _arrive4(env: Env, net: Net, dgram: Datagram, message: bytes) -> Datagram | None:
    kind = message[0]
    if kind == V4.echo_request:
        return _echo_request(env, net, dgram, message)
    if kind == V4.echo_reply:
        return _delivered(env, dgram)
    if kind in _ERRORS4:
        return _error(env, net, dgram, message)
    if kind == _QUENCH:  # RFC 6633 §3
        return env.drop("drop.icmp.quench")
    if kind == _REDIRECT4:
        return env.drop("drop.icmp.redirect")
    return env.drop("drop.icmp.v4_type", kind)


def _arrive6(env: Env, net: Net, dgram: Datagram, message: bytes) -> Datagram | None:
    kind = message[0]
    if kind in nd.TYPES:
        _delivered(env, dgram)
        nd.arrive(env, dgram.iface, dgram.src, dgram.dst, dgram.ttl, message)
        return None
    if dgram.src == V6.any:
        return env.drop("drop.icmp.unspecified", kind)
    if kind == V6.echo_request:
        return _echo_request(env, net, dgram, message)
    if kind == V6.echo_reply:
        return _delivered(env, dgram)
    if kind in _MLD:
        return env.drop("drop.icmp.mld", kind)
    if kind < 128:  # unknown errors go up, too (RFC 4443 §2.4 (a))
        return _error(env, net, dgram, message)
    return env.drop("drop.icmp.v6_type", kind)


def _delivered(env: Env, dgram: Datagram) -> Datagram:
    env.count[dgram.family.icmp_counters + "InDelivers"] += 1
    return dgram


def _error(env: Env, net: Net, dgram: Datagram, message: bytes) -> Datagram | None:
    found = quoted.read(dgram.family, message)
    if found is None:
        return env.drop("drop.icmp.quote")
    if not local(net, found.src):
        return env.drop("drop.icmp.not_ours", found.src)
    if (found := pmtu.told(env, found)) is None:
        return env.drop("drop.icmp.no_pmtu_disc")
    dgram.quoted = found
    env.note("1122/3.2.2/error", 0, found.type, found.code)
    return _delivered(env, dgram)


def _echo_request(env: Env, net: Net, dgram: Datagram, message: bytes) -> None:
    """RFC 1122 §3.2.2.6, RFC 4443 §4.2: the data comes back as it was, from the address that was asked."""
    family = dgram.family
    if env.config[family.ignore_echo]:
        return env.drop("drop.icmp.echo_ignored")
    if dgram.to_group and env.config[family.ignore_group_echo]:
        return env.drop("drop.icmp.echo_group")
    src = None if to_many(net, dgram.dst) else dgram.dst
    path = lookup(env, net, dgram.src, src, scope(dgram))
    if path is None:
        return env.drop("drop.icmp.echo_no_path", dgram.src)
    if len(message) + family.header > path.mtu:
        return env.drop("drop.icmp.echo_too_large", len(message), path.mtu)
    _delivered(env, dgram)
    env.note("1122/3.2.2.6/echo", 0, dgram.src)
    if src is None or dgram.frame.csum is not None:
        _emit(env, net, path, family.echo_reply, 0, message[4:], dgram.tos)
        return None
    # nothing changes but type and code, and the addresses trade places: so does the checksum by as much (RFC 1624 §3)
    step = (message[0] - family.echo_reply << 8) + message[1]
    csum = (int.from_bytes(message[2:4], "big") + step) % 0xFFFF or 0xFFFF  # right also over nothing but zeroes
    _put(env, net, path, bytes((family.echo_reply, 0)) + csum.to_bytes(2, "big") + message[4:], dgram.tos)
    return None


def scope(dgram: Datagram) -> int:
    """The interface an answer must leave by: a link-local address means nothing on another link."""
    return dgram.iface.index if is_link_local(dgram.src) else 0


def _emit(env: Env, net: Net, path: Path, kind: int, code: int, rest: bytes, tos: int = 0) -> None:
    """Send an ICMP message; rest is everything behind the checksum."""
    family = path.family
    start = 0 if family is V4 else path.sum + family.icmp + len(rest) + 4
    csum = 0xFFFF - ones_sum(rest, start + (kind << 8 | code))
    _put(env, net, path, bytes((kind, code)) + csum.to_bytes(2, "big") + rest, tos)


def _put(env: Env, net: Net, path: Path, message: bytes, tos: int) -> None:
    env.count[path.family.icmp_counters + "OutMsgs"] += 1
    send(env, net, path, path.family.icmp, message, tos=tos)


def echo(env: Env, net: Net, path: Path, ident: int, seq: int, data: bytes) -> None:
    """Send an echo request along path; ident and seq are 16 bits. Raises StackError EMSGSIZE."""
    _emit(env, net, path, path.family.echo_request, 0, ident.to_bytes(2, "big") + seq.to_bytes(2, "big") + data)


def echo_of(dgram: Datagram) -> tuple[int, int, bytes]:
    """(identifier, sequence, data) of an echo reply."""
    _, _, _, ident, seq = _HEAD.unpack_from(dgram.buf, dgram.at)
    return ident, seq, bytes(dgram.buf[dgram.at + 8 : dgram.end])


def unreachable(env: Env, net: Net, dgram: Datagram, code: int) -> None:
    """Tell the sender of dgram that its destination is unreachable: code dgram.family.port, ...."""
    error(env, net, dgram, dgram.family.unreachable, code)


def problem(env: Env, net: Net, dgram: Datagram, code: int, pointer: int, also_group: bool = False) -> None:
    """Tell the sender of a packet which byte of it (counted from its header) we do not understand."""
    if dgram.family is V4:
        error(env, net, dgram, _PROBLEM4, code, pointer << 24)
    else:
        error(env, net, dgram, _PROBLEM6, code, pointer, also_group)


def error(env: Env, net: Net, dgram: Datagram, kind: int, code: int, info: int = 0, also_group: bool = False) -> None:
    """Send an ICMP error about dgram, unless RFC 1122 §3.2.2 and RFC 4443 §2.4 forbid it or the rate limit does.

    info is the second word of the message; also_group lifts the ban on answering what was sent to a group.
    """
    why = _forbidden(net, dgram, also_group)
    if why:
        env.note("1122/3.2.2/silent", 0, why)
        return
    family = dgram.family
    src = dgram.dst if local(net, dgram.dst) else None
    path = lookup(env, net, dgram.src, src, scope(dgram))
    if path is None or not limit.allow(env, net.limit, dgram.src):
        return
    room = min(family.quote, path.mtu) - family.header - 8
    env.note("1122/3.2.2.1/error", 0, kind, code, dgram.src)
    tos = dgram.tos & _TOS | _INTERNETWORK_CONTROL if family is V4 else 0
    _emit(env, net, path, kind, code, info.to_bytes(4, "big") + _quote(dgram, room), tos)


def _forbidden(net: Net, dgram: Datagram, also_group: bool) -> str:
    """Why no error may be sent about dgram, or ""."""
    family, src = dgram.family, dgram.src
    if dgram.to_group and not also_group:
        return "it was not sent to us alone"
    if src == family.any or to_many(net, src):
        return "its source is not one host"
    if _is_error(dgram):
        return "it is an error itself"
    if family is V4 and int.from_bytes(dgram.buf[dgram.net_at + 6 : dgram.net_at + 8], "big") & 0x1FFF:
        return "it is not the first fragment"
    return ""


def _is_error(dgram: Datagram) -> bool:
    """ICMP errors and redirects, also behind extension headers; what cannot be told counts as one."""
    family, proto, at = dgram.family, dgram.proto, dgram.at
    if family is V6:
        proto, at = extension.upper(dgram.buf, dgram.net_at, dgram.end)
    if proto not in (family.icmp, -1):
        return False
    if at >= dgram.end:
        return True
    kind = dgram.buf[at]
    return kind in _ABOUT_ERRORS4 if family is V4 else kind < 128 or kind == _REDIRECT6


def _quote(dgram: Datagram, room: int) -> bytes:
    quote = bytes(dgram.buf[dgram.net_at : min(dgram.end, dgram.net_at + room)])
    for piece in dgram.body:
        if len(quote) >= room:
            break
        quote += bytes(piece[: room - len(quote)])
    return quote


def undelivered(env: Env, net: Net) -> list[Datagram]:
    """Packets of ours whose neighbour did not answer, each as the error "address unreachable" (RFC 4861 §7.2.2).

    To be asked after every event; a Datagram among them is an error that this host tells itself, as on Linux.
    """
    found: list[Datagram] = []
    for iface in net.ifaces.values():
        if not iface.neigh.failed:
            continue
        failed, iface.neigh.failed = iface.neigh.failed, []
        found += [dgram for frame in failed if (dgram := _about(env, iface, frame)) is not None]
    return found


def _about(env: Env, iface: Iface, frame: Frame) -> Datagram | None:
    raw = frame.flat().head
    family = V4 if raw[frame.net] >> 4 == 4 else V6
    head = bytes((family.unreachable, family.host)) + bytes(6)
    found = quoted.read(family, head + bytes(raw[frame.net :]))
    if found is None:
        return None
    env.note("1122/2.4/undelivered" if family is V4 else "4861/7.2.2/undelivered", 0, found.dst)
    dgram = Datagram(
        family, found.src, found.src, family.icmp, head, 0, 8, (), 8, 255, 0, iface, frame, 0, b"", True, False
    )
    dgram.quoted = found
    return dgram
