# SPDX-License-Identifier: GPL-2.0-or-later
"""Asking for a neighbour's MAC: the ARP request and the Neighbour Solicitation, and ND's packet format.

The one place where the two neighbour protocols differ towards the machine in `neighbour.py`.
RFC 826, RFC 4861 §4.3, §7.2.2.
"""

import struct
from collections.abc import Callable

from labstack.core.env import Env
from labstack.core.frame import Frame
from labstack.link import ether, groups
from labstack.link.iface import BROADCAST, Iface
from layers import checksum

ARP_HEAD = b"\0\1\x08\0\6\4"  # Ethernet, IPv4, 6, 4
REQUEST, REPLY = 1, 2
NS, NA = 135, 136
SOURCE_LL, TARGET_LL, NONCE = 1, 2, 14
ICMPV6 = 58
UNSPECIFIED = b"\0" * 16

_IPV6 = struct.Struct("!IHBB16s16s")


def ask(env: Env, iface: Iface, target: bytes, mac: bytes, source: bytes) -> None:
    """Ask for target: by broadcast or to its group if mac is b"", else of that MAC only (a probe)."""
    _ASK[len(target)](env, iface, target, mac, iface.source(source, target))


def _ask_arp(env: Env, iface: Iface, target: bytes, mac: bytes, source: bytes) -> None:
    send_arp(env, iface, REQUEST, mac or BROADCAST, source or b"\0\0\0\0", b"\0" * 6, target)


def _ask_nd(env: Env, iface: Iface, target: bytes, mac: bytes, source: bytes) -> None:
    option = link_option(SOURCE_LL, iface.mac) if source else b""
    dst = target if mac else groups.solicited_node(target)
    body = bytes((NS, 0)) + b"\0" * 6 + target + option
    send_nd(env, iface, mac or groups.mac_of(dst), source or UNSPECIFIED, dst, body)


_ASK: dict[int, Callable[[Env, Iface, bytes, bytes, bytes], None]] = {4: _ask_arp, 16: _ask_nd}


def send_arp(env: Env, iface: Iface, op: int, mac: bytes, psrc: bytes, hwdst: bytes, pdst: bytes) -> None:
    """Send an ARP packet from our MAC to `mac`; addresses packed."""
    packet = ARP_HEAD + op.to_bytes(2, "big") + iface.mac + psrc + hwdst + pdst
    env.count["ArpOutPackets"] += 1
    ether.leave(env, iface.index, Frame(ether.head(iface, mac, ether.ARP) + packet))


def link_option(kind: int, mac: bytes) -> bytes:
    """A source or target link-layer address option (RFC 4861 §4.6.1)."""
    return bytes((kind, 1)) + mac


def send_nd(env: Env, iface: Iface, mac: bytes, src: bytes, dst: bytes, message: bytes) -> None:
    """Send an ND message, its checksum still zero, to a MAC."""
    ether.leave(env, iface.index, nd_frame(env, iface, mac, src, dst, message))


def nd_frame(env: Env, iface: Iface, mac: bytes, src: bytes, dst: bytes, message: bytes) -> Frame:
    """The frame of an ND message, its checksum still zero, with hop limit 255 (RFC 4861 §4.3)."""
    total = checksum.ones_sum(message, checksum.pseudo6(src, dst, ICMPV6, len(message)))
    message = message[:2] + (0xFFFF - total).to_bytes(2, "big") + message[4:]
    header = _IPV6.pack(6 << 28, len(message), ICMPV6, 255, src, dst)
    env.count["Icmp6OutMsgs"] += 1
    env.count["Ip6OutRequests"] += 1
    return Frame(ether.head(iface, mac, ether.IPV6) + header + message, net=iface.hlen)
