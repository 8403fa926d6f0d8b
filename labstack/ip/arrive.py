# SPDX-License-Identifier: GPL-2.0-or-later
"""Arrival: from a frame to a Datagram for a transport, or to a drop with its reason.

The link's filter first, ARP aside, then the checks of RFC 1122 §3.2.1 and RFC 8200 §3 in order; ICMP is handled on
the way. Fragments end here, in one place. A plain TCP or UDP packet passes one unpack and a dozen comparisons.
"""

import struct

from labstack.core.env import Env
from labstack.core.frame import Frame
from labstack.ip import extension, icmp, options
from labstack.ip.datagram import Datagram
from labstack.ip.extension import Trouble
from labstack.ip.family import ICMP, ICMPV6, IGMP, TCP, UDP, V4, V6
from labstack.ip.net import LOOPBACK, Net
from labstack.link import arp, ether
from labstack.link.iface import TENTATIVE, Iface

_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_LOW6 = bytes(10) + b"\xff" * 6  # ::, ::1, and everything else up to the IPv4-mapped addresses
_PROTOCOL_UNREACHABLE = 2
_TRANSPORTS = frozenset((TCP, UDP))


def arrive(env: Env, net: Net, dev: int, frame: Frame) -> Datagram | None:
    """Take in a frame; a Datagram comes back if a socket should see it: TCP, UDP, echo replies, and ICMP errors."""
    iface = net.ifaces[dev]
    kind = ether.arrive(env, iface, frame)
    if kind == ether.IPV4:
        return _ipv4(env, net, iface, frame)
    if kind == ether.IPV6:
        return _ipv6(env, net, iface, frame)
    if kind == ether.ARP:
        arp.arrive(env, iface, frame)
    return None


def looped(env: Env, net: Net) -> Datagram | None:
    """Take in the oldest packet that we sent to ourselves (net.loop must not be empty)."""
    frame = net.loop.popleft()
    iface = net.ifaces[LOOPBACK]
    return (_ipv4 if frame.head[0] >> 4 == 4 else _ipv6)(env, net, iface, frame)


def _ipv4(env: Env, net: Net, iface: Iface, frame: Frame) -> Datagram | None:
    count = env.count
    count["IpInReceives"] += 1
    buf, net_at = bytes(frame.head), frame.start + frame.net
    have = len(buf) - net_at
    if have < 20:
        return env.drop("drop.ip.v4_short", have)
    vihl, tos, total, _, frag, ttl, proto, _, src, dst = _IPV4.unpack_from(buf, net_at)
    hlen = 20
    if vihl != 0x45:
        hlen = (vihl & 15) * 4
        if vihl >> 4 != 4:
            return env.drop("drop.ip.v4_version", vihl >> 4)
        if hlen < 20 or hlen > have:
            return env.drop("drop.ip.v4_header_length", hlen)
    at = net_at + hlen
    if int.from_bytes(buf[net_at:at], "big") % 0xFFFF:
        return env.drop("drop.ip.v4_csum")
    body = frame.body
    for piece in body:
        have += len(piece)
    if total < hlen or total > have:
        return env.drop("drop.ip.v4_length", total, have)
    if body and (total < have or proto not in _TRANSPORTS):
        frame, body = frame.flat(), ()
        buf = bytes(frame.head)
    end = len(buf) if body else net_at + total
    to_group = False
    if iface.index and (src[0] in _BAD4 or src in net.own or src in net.broadcast):
        return env.drop("drop.ip.v4_martian", src)
    owner = net.own.get(dst)
    if not owner:  # nobody, or the loopback, which no wire leads to
        to_group = dst in iface.groups or dst in net.broadcast
        if not to_group and (iface.index or (owner is None and dst[0] != 127)):
            return env.drop("drop.ip.v4_not_mine", dst)
    elif iface.mac and buf[frame.start] & 1:
        return env.drop("drop.ip.link_group", dst)
    if frag & 0x3FFF:
        return _fragment(env)
    flow = buf[net_at + 12 : net_at + 24] if hlen == 20 else src + dst + buf[at : at + 4]
    sure = frame.sure or frame.csum is not None
    dgram = Datagram(
        V4, src, dst, proto, buf, at, end, body, total - hlen, ttl, tos, iface, frame, net_at, flow, sure, to_group
    )
    if hlen > 20 and (wrong := options.trouble(buf, net_at, at)):
        return _ended(env, net, dgram, wrong)
    if proto in _TRANSPORTS:
        count["IpInDelivers"] += 1
        return dgram
    return _rare4(env, net, dgram)


_BAD4 = frozenset((0, 127, *range(224, 256)))  # first bytes that no source on a wire has (RFC 1122 §3.2.1.3)


def _rare4(env: Env, net: Net, dgram: Datagram) -> Datagram | None:
    if dgram.proto == ICMP:
        env.count["IpInDelivers"] += 1
        return icmp.arrive(env, net, dgram)
    if dgram.proto == IGMP:
        return env.drop("drop.ip.igmp")
    env.count["IpInUnknownProtos"] += 1
    icmp.unreachable(env, net, dgram, _PROTOCOL_UNREACHABLE)
    return env.drop("drop.ip.proto", dgram.proto)


def _ipv6(env: Env, net: Net, iface: Iface, frame: Frame) -> Datagram | None:
    count = env.count
    count["Ip6InReceives"] += 1
    buf, net_at = bytes(frame.head), frame.start + frame.net
    have = len(buf) - net_at - 40
    if have < 0:
        return env.drop("drop.ip.v6_short", have + 40)
    first, length, proto, ttl, src, dst = _IPV6.unpack_from(buf, net_at)
    if first >> 28 != 6:
        return env.drop("drop.ip.v6_version", first >> 28)
    body = frame.body
    for piece in body:
        have += len(piece)
    if length > have:
        return env.drop("drop.ip.v6_length", length, have)
    if body and (length < have or proto not in _TRANSPORTS):
        frame, body = frame.flat(), ()
        buf = bytes(frame.head)
    at = net_at + 40
    end = len(buf) if body else at + length
    to_group = False
    if iface.index:
        if src[0] == 0xFF or src in net.own or (src <= _LOW6 and (any(src) or proto != ICMPV6)):
            return env.drop("drop.ip.v6_martian", src)
        if net.own.get(dst) != iface.index:
            to_group = dst in iface.groups
            if not to_group and (why := _not_mine(net, iface, dst)):
                return env.drop(why, dst)
        elif iface.mac and buf[frame.start] & 1:
            to_group = True
    sure = frame.sure or frame.csum is not None
    flow = buf[net_at + 8 : net_at + 44]
    tos = first >> 20 & 0xFF
    dgram = Datagram(
        V6, src, dst, proto, buf, at, end, body, length, ttl, tos, iface, frame, net_at, flow, sure, to_group
    )
    if proto in _TRANSPORTS:
        count["Ip6InDelivers"] += 1
        return dgram
    return _rare6(env, net, dgram)


def _not_mine(net: Net, iface: Iface, dst: bytes) -> str:
    """Why a unicast packet to dst does not end here, or "". A link-local address counts only on its own link."""
    here = iface.find(dst)
    if here is not None:
        return "" if iface.owns(dst) else "drop.ip.tentative" if here.state == TENTATIVE else "drop.ip.duplicated"
    elsewhere = dst in net.own and dst[0] != 0xFE and net.own[dst] != LOOPBACK
    return "" if elsewhere else "drop.ip.v6_not_mine"


def _rare6(env: Env, net: Net, dgram: Datagram) -> Datagram | None:
    found = extension.walk(dgram.buf, dgram.net_at, dgram.end)
    if isinstance(found, Trouble):
        return _ended(env, net, dgram, found)
    dgram.proto, dgram.at, dgram.length = found.proto, found.at, dgram.end - found.at
    if found.proto == extension.FRAGMENT:
        return _fragment(env)
    if found.proto == extension.NOTHING:
        return env.drop("drop.ip.no_next_header")
    if found.proto in (TCP, UDP, ICMPV6):
        env.count["Ip6InDelivers"] += 1
        if found.proto == ICMPV6:
            return icmp.arrive(env, net, dgram)
        dgram.flow = dgram.src + dgram.dst + dgram.buf[found.at : found.at + 4]
        return dgram
    env.count["Ip6InUnknownProtos"] += 1
    icmp.problem(env, net, dgram, 1, found.named_at - dgram.net_at)
    return env.drop("drop.ip.next_header", found.proto)


def _ended(env: Env, net: Net, dgram: Datagram, why: Trouble) -> None:
    """A header that cannot be obeyed; the sender is told if he should be (RFC 1122 §3.2.2.5, RFC 8200 §4)."""
    if why.code >= 0:
        icmp.problem(env, net, dgram, why.code, why.pointer, why.also_group)
    return env.drop(why.reason)


def _fragment(env: Env) -> None:
    """Both families' fragments end here: nothing is reassembled."""
    return env.drop("drop.ip.fragment")
