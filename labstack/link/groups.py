# SPDX-License-Identifier: GPL-2.0-or-later
"""Groups: which multicast groups an interface belongs to, and the Ethernet addresses they map to.

Telling routers about it (IGMP, MLD) is not done here. RFC 1112 §6.4, RFC 2464 §7, RFC 4291 §2.7.1.
"""

from labstack.link.iface import BROADCAST, Iface

ALL_HOSTS = b"\xe0\0\0\1"  # 224.0.0.1
ALL_NODES = b"\xff\2" + b"\0" * 13 + b"\1"  # ff02::1
ALL_ROUTERS = b"\xff\2" + b"\0" * 13 + b"\2"  # ff02::2
INTERFACE_NODES = b"\xff\1" + b"\0" * 13 + b"\1"  # ff01::1
_SOLICITED = b"\xff\2" + b"\0" * 9 + b"\1\xff"


def solicited_node(ip: bytes) -> bytes:
    """The solicited-node group of an IPv6 address (RFC 4291 §2.7.1)."""
    return _SOLICITED + ip[-3:]


def mac_of(group: bytes) -> bytes:
    """The Ethernet address that a multicast group maps to."""
    if len(group) == 4:
        return b"\x01\x00\x5e" + bytes((group[1] & 0x7F,)) + group[2:]
    return b"\x33\x33" + group[-4:]


def setup(iface: Iface) -> None:
    """Make a new interface hear its own address, the broadcast address and the groups of every host."""
    if iface.mac:
        iface.accept = {iface.mac: 1, BROADCAST: 1}
    for group in (ALL_HOSTS, ALL_NODES, INTERFACE_NODES):
        join(iface, group)


def join(iface: Iface, group: bytes) -> None:
    """Belong to a group once more."""
    iface.groups[group] = iface.groups.get(group, 0) + 1
    if iface.mac:
        mac = mac_of(group)
        iface.accept[mac] = iface.accept.get(mac, 0) + 1


def leave(iface: Iface, group: bytes) -> None:
    """Undo one join; nothing happens if we are not a member."""
    if group in iface.groups:
        _less(iface.groups, group)
        if iface.mac:
            _less(iface.accept, mac_of(group))


def _less(counts: dict[bytes, int], key: bytes) -> None:
    counts[key] -= 1
    if not counts[key]:
        del counts[key]
