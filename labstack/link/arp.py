# SPDX-License-Identifier: GPL-2.0-or-later
"""ARP as it arrives: RFC 826's algorithm line by line, with the care of RFC 1122 §2.3.2 and RFC 5227 §2.4.

Entries age and probe in `neighbour.py`; requests are sent by `solicit.py`.
"""

import struct

from labstack.core.env import Env
from labstack.core.frame import Frame
from labstack.link import neighbour, solicit
from labstack.link.iface import BROADCAST, Addr, Iface

DEFEND_INTERVAL = 10_000_000_000  # ns, RFC 5227 §1.1
_ARP = struct.Struct("!6sH6s4s6s4s")
_NOBODY = b"\0\0\0\0"


def arrive(env: Env, iface: Iface, frame: Frame) -> None:
    """Judge an ARP packet: learn, answer, defend, or drop it with a reason."""
    env.count["ArpInPackets"] += 1
    raw = frame.flat().head
    at = frame.start + frame.net
    if len(raw) - at < _ARP.size:
        return env.drop("drop.arp.short", len(raw) - at)
    kinds, op, mac, sender, _, target = _ARP.unpack_from(raw, at)
    if kinds != solicit.ARP_HEAD:
        return env.drop("drop.arp.kind", kinds.hex())
    if op not in (solicit.REQUEST, solicit.REPLY):
        return env.drop("drop.arp.op", op)
    if mac[0] & 1 or mac == b"\0" * 6:
        return env.drop("drop.arp.sender_mac", mac)
    if sender[0] >= 224 or sender[0] == 127:
        return env.drop("drop.arp.sender", sender)
    ours = iface.find(sender)
    if ours is not None and mac != iface.mac:
        return _conflict(env, iface, ours, mac)
    to_me = raw[frame.start : frame.start + 6] == iface.mac
    return _merge(env, iface, op, mac, sender, target, to_me)


def _merge(env: Env, iface: Iface, op: int, mac: bytes, sender: bytes, target: bytes, to_me: bool) -> None:
    """RFC 826, from "Merge_flag := false" to the reply."""
    mine = iface.owns(target)
    known = neighbour.known(iface, sender)
    if known:  # refreshed before the opcode is looked at, whoever the target is
        env.note("826/-/merge", 0, sender, mac)
        asked = op == solicit.REPLY and mine and to_me
        neighbour.answered(env, iface, sender, mac, solicited=asked, override=True)
    if not mine and not known:
        return env.drop("drop.arp.not_target", target)
    # DEVIATES: RFC 826 adds the sender of any packet whose target we are; a reply that nobody asked for adds nothing
    if op == solicit.REPLY and not known:
        return env.drop("drop.arp.unasked", sender)
    env.count["ArpInDelivers"] += 1
    if mine and op == solicit.REQUEST:
        _answer(env, iface, mac, sender, target)
    return None


def _answer(env: Env, iface: Iface, mac: bytes, sender: bytes, target: bytes) -> None:
    if sender != _NOBODY:  # a probe has no sender yet (RFC 5227 §2.1.1)
        neighbour.heard(env, iface, sender, mac)
    env.note("826/-/reply", 0, target, mac)
    solicit.send_arp(env, iface, solicit.REPLY, mac, target, mac, sender)


def _conflict(env: Env, iface: Iface, ours: Addr, mac: bytes) -> None:
    """Somebody else uses our address: say so, at most every ten seconds (RFC 5227 §2.4 (b))."""
    env.count["ArpConflicts"] += 1
    if ours.defended < 0 or env.now - ours.defended >= DEFEND_INTERVAL:
        ours.defended = env.now
        env.note("5227/2.4/defend", 0, ours.ip, mac)
        solicit.send_arp(env, iface, solicit.REQUEST, BROADCAST, ours.ip, b"\0" * 6, ours.ip)
    return env.drop("drop.arp.own_address", ours.ip, mac)
