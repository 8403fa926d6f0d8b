# SPDX-License-Identifier: GPL-2.0-or-later
"""Ethernet: which frames are for us, and the header of those we send. RFC 894, RFC 1042 (not accepted), 802.3.

On a link without Ethernet (TUN) the version nibble of the packet says what it is.
"""

import struct

from labstack.core.env import Env
from labstack.core.frame import Frame
from labstack.link.iface import Iface

IPV4, ARP, VLAN, IPV6, QINQ = 0x0800, 0x0806, 0x8100, 0x86DD, 0x88A8
SMALLEST_TYPE = 0x0600  # below, the field is an 802.3 length

_ETHER = struct.Struct("!6s6sH")
_BY_NIBBLE = {4: IPV4, 6: IPV6}


def leave(env: Env, dev: int, frame: Frame) -> bool:
    """A frame for the device; False if its queue takes nothing."""
    if dev in env.full:
        env.drop("drop.queue.full", dev)
        return False
    env.send(dev, frame)
    return True


def arrive(env: Env, iface: Iface, frame: Frame) -> int | None:
    """The ethertype of a frame that is for us, or None with the reason counted."""
    count = env.count
    count["LinkInFrames"] += 1
    if not iface.up:
        return env.drop("drop.link.down", iface.name)
    if not iface.mac:
        return _bare(env, frame)
    head, start = frame.head, frame.start
    if len(head) - start < 14:
        return env.drop("drop.link.runt", len(frame))
    dst, src, kind = _ETHER.unpack_from(head, start)
    if dst not in iface.accept:
        return env.drop("drop.link.other_host", dst)
    if src[0] & 1:
        return env.drop("drop.link.group_source", src)
    if kind != IPV4 and kind != IPV6 and kind != ARP:
        return _odd_type(env, kind)
    count["LinkInDelivers"] += 1
    return int(kind)


def _bare(env: Env, frame: Frame) -> int | None:
    if len(frame.head) <= frame.start:
        return env.drop("drop.link.empty")
    kind = _BY_NIBBLE.get(frame.head[frame.start] >> 4)
    if kind is None:
        return env.drop("drop.link.version", frame.head[frame.start] >> 4)
    env.count["LinkInDelivers"] += 1
    return kind


def _odd_type(env: Env, kind: int) -> None:
    # DEVIATES: RFC 1122 §2.3.3 would also have us read IP in 802.3 frames (RFC 1042)
    if kind < SMALLEST_TYPE:
        return env.drop("drop.link.length_field", kind)
    if kind in (VLAN, QINQ):
        return env.drop("drop.link.vlan")
    return env.drop("drop.link.ethertype", kind)


def head(iface: Iface, dst_mac: bytes, ethertype: int) -> bytes:
    """The link header of a frame from iface to dst_mac; b"" on a link without Ethernet."""
    return dst_mac + iface.mac + ethertype.to_bytes(2, "big") if iface.mac else b""
