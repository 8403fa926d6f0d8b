# SPDX-License-Identifier: GPL-2.0-or-later
"""Neighbour Discovery as it arrives: solicitations and advertisements, and what makes them invalid.

Messages come with their ICMPv6 checksum verified. RFC 4861 §7.1, §7.2.3-§7.2.5; duplicates are judged in `dad.py`.
Router discovery and redirects are dropped by name here.
"""

from labstack.core.env import Env
from labstack.link import dad, neighbour, solicit
from labstack.link.groups import ALL_NODES, mac_of, solicited_node
from labstack.link.iface import DUPLICATED, TENTATIVE, Iface
from labstack.link.solicit import NA, NONCE, NS, SOURCE_LL, TARGET_LL, UNSPECIFIED

RS, RA, REDIRECT = 133, 134, 137
TYPES = frozenset((RS, RA, NS, NA, REDIRECT))
_ROUTER, _SOLICITED, _OVERRIDE = 0x80, 0x40, 0x20

Options = dict[int, bytes]  # the first of each type, without type and length


def arrive(env: Env, iface: Iface, src: bytes, dst: bytes, hop_limit: int, message: bytes) -> None:
    """Judge an ND message (from its type byte on): learn, answer, or drop it with a reason."""
    env.count["NdInMsgs"] += 1
    if hop_limit != 255:
        return env.drop("drop.nd.hop_limit", hop_limit)
    if message[1]:
        return env.drop("drop.nd.code", message[1])
    if not iface.mac:
        return env.drop("drop.nd.no_ethernet")
    if message[0] not in (NS, NA):
        return env.drop("drop.nd.router", message[0])
    if len(message) < 24:
        return env.drop("drop.nd.short", len(message))
    if message[8] == 0xFF:
        return env.drop("drop.nd.target", message[8:24])
    options = _options(message, 24)
    if options is None:
        return env.drop("drop.nd.option")
    mac = options.get(SOURCE_LL if message[0] == NS else TARGET_LL, b"")
    if mac and (len(mac) != 6 or mac[0] & 1 or not any(mac)):
        return env.drop("drop.nd.mac", mac)
    if message[0] == NS:
        return _solicitation(env, iface, src, dst, message[8:24], mac, options)
    return _advertisement(env, iface, dst, message[4], message[8:24], mac)


def _options(message: bytes, at: int) -> Options | None:
    """The options from `at` on; None if one has length zero or does not fit (RFC 4861 §4.6, §7.1)."""
    found: Options = {}
    while at < len(message):
        if at + 2 > len(message):
            return None
        size = message[at + 1] * 8
        if not size or at + size > len(message):
            return None
        found.setdefault(message[at], message[at + 2 : at + size])
        at += size
    return found


def _solicitation(env: Env, iface: Iface, src: bytes, dst: bytes, target: bytes, mac: bytes, options: Options) -> None:
    """RFC 4861 §7.1.1, §7.2.3, §7.2.4."""
    probe = src == UNSPECIFIED
    if probe and dst != solicited_node(target):
        return env.drop("drop.nd.probe_destination", dst)
    if probe and SOURCE_LL in options:
        return env.drop("drop.nd.probe_mac")
    addr = iface.find(target)
    if addr is None or addr.state == DUPLICATED:
        return env.drop("drop.nd.not_target", target)
    if addr.state == TENTATIVE:
        if not probe:
            return env.drop("drop.nd.tentative", target)
        if addr.nonce and options.get(NONCE) == addr.nonce:
            return env.drop("drop.nd.own_probe")
    env.count["NdInDelivers"] += 1
    if addr.state == TENTATIVE:
        dad.conflict(env, iface, addr)
    elif probe:
        env.note("4861/7.2.4/probe", 0, target)
        _advertise(env, iface, mac_of(ALL_NODES), ALL_NODES, target, _OVERRIDE)
    else:
        if mac:
            neighbour.heard(env, iface, src, mac)
        _answer(env, iface, src, target)
    return None


def _answer(env: Env, iface: Iface, src: bytes, target: bytes) -> None:
    env.note("4861/7.2.4/answer", 0, target, src)
    header = neighbour.resolve(env, iface, src, target)
    if header:
        _advertise(env, iface, header[:6], src, target, _SOLICITED | _OVERRIDE)
    else:
        frame = solicit.nd_frame(env, iface, b"\0" * 6, target, src, _advert(iface, target, _SOLICITED | _OVERRIDE))
        neighbour.wait(env, iface, src, frame)


def _advertise(env: Env, iface: Iface, mac: bytes, dst: bytes, target: bytes, flags: int) -> None:
    solicit.send_nd(env, iface, mac, target, dst, _advert(iface, target, flags))


def _advert(iface: Iface, target: bytes, flags: int) -> bytes:
    head = bytes((NA, 0, 0, 0, flags, 0, 0, 0))
    return head + target + solicit.link_option(TARGET_LL, iface.mac)


def _advertisement(env: Env, iface: Iface, dst: bytes, flags: int, target: bytes, mac: bytes) -> None:
    """RFC 4861 §7.1.2, §7.2.5."""
    solicited = bool(flags & _SOLICITED)
    if solicited and dst[0] == 0xFF:
        return env.drop("drop.nd.solicited_group")
    addr = iface.find(target)
    if addr is not None and addr.state != TENTATIVE:
        return env.drop("drop.nd.own_address", target, mac)
    if addr is None and not neighbour.known(iface, target):
        return env.drop("drop.nd.unasked", target)
    env.count["NdInDelivers"] += 1
    if addr is not None:
        return dad.conflict(env, iface, addr)
    neighbour.answered(env, iface, target, mac, solicited, bool(flags & _OVERRIDE))
    _router(env, iface, target, bool(flags & _ROUTER))
    return None


def _router(env: Env, iface: Iface, target: bytes, router: bool) -> None:
    entry = iface.neigh.table.get(target)
    if entry is not None and entry.header and entry.router != router:
        entry.router = router
        env.note("4861/7.2.5/router", 0, target, "a router" if router else "not a router any more")
