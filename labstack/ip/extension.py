# SPDX-License-Identifier: GPL-2.0-or-later
"""IPv6 extension headers: walked in order, without recursion, bounded in number and in options. RFC 8200 §4.

Only says what it found; `arrive.py` drops and `icmp.py` complains. A fragment header ends the walk.
"""

from typing import NamedTuple

HOP_BY_HOP, ROUTING, FRAGMENT, NOTHING, DESTINATION = 0, 43, 44, 59, 60
ROUTER_ALERT = 5
HEADERS = 16  # in one packet
OPTIONS = 8  # in one header, padding apart (Linux's max_dst_opts_number)
PADDING = 7  # consecutive bytes (RFC 8504 §5.3, and Linux)


class Found(NamedTuple):
    """The first header that is no extension: its number, where it begins, and where the number stood."""

    proto: int
    at: int
    named_at: int


class Trouble(NamedTuple):
    """Why a packet ends: a drop reason, and the parameter problem to report (code -1: none)."""

    reason: str
    code: int = -1
    pointer: int = 0  # from the IPv6 header on
    also_group: bool = False  # to be reported even if the packet was for a group (RFC 4443 §2.4 (e.3))


def walk(raw: bytes, net_at: int, end: int) -> Found | Trouble:
    """Follow the chain of next headers of the packet raw[net_at:end], whose fixed header is whole."""
    proto, at, named_at = raw[net_at + 6], net_at + 40, net_at + 6
    for _ in range(HEADERS):
        if proto == FRAGMENT or proto not in (HOP_BY_HOP, ROUTING, DESTINATION):
            return Found(proto, at, named_at)
        if proto == HOP_BY_HOP and at != net_at + 40:
            return Trouble("drop.ip.hop_by_hop_late", 1, named_at - net_at)
        if at + 8 > end or at + 8 * (raw[at + 1] + 1) > end:
            return Trouble("drop.ip.extension_short")
        after = at + 8 * (raw[at + 1] + 1)
        trouble = _routing(raw, net_at, at) if proto == ROUTING else _options(raw, net_at, at + 2, after)
        if trouble is not None:
            return trouble
        proto, at, named_at = raw[at], after, at
    return Trouble("drop.ip.extensions")


def upper(raw: bytes, net_at: int, end: int) -> tuple[int, int]:
    """(number, place) of the upper-layer header, whatever stands before it; (-1, end) if it is out of reach."""
    proto, at = raw[net_at + 6], net_at + 40
    for _ in range(HEADERS):
        if proto not in (HOP_BY_HOP, ROUTING, DESTINATION, FRAGMENT):
            return proto, at
        if at + 8 > end:
            break
        proto, at = raw[at], at + (8 if proto == FRAGMENT else 8 * (raw[at + 1] + 1))
    return -1, end


def _routing(raw: bytes, net_at: int, at: int) -> Trouble | None:
    """Every routing type is unknown here, type 0 too (RFC 8200 §4.4, RFC 5095 §3)."""
    if raw[at + 3] == 0:
        return None
    return Trouble("drop.ip.routing", 0, at + 2 - net_at)


def _options(raw: bytes, net_at: int, at: int, end: int) -> Trouble | None:
    """Hop-by-hop and destination options: padding, router alert, and what the top two bits ask for (§4.2)."""
    seen = padding = 0
    while at < end:
        kind = raw[at]
        size = 1 if kind == 0 else 2 + raw[at + 1] if at + 1 < end else 0
        if not size or at + size > end:
            return Trouble("drop.ip.option_overrun")
        padding = padding + size if kind < 2 else 0
        if padding > PADDING:
            return Trouble("drop.ip.padding")
        if kind > 1:
            seen += 1
            trouble = _unknown(kind, at - net_at) if kind != ROUTER_ALERT else None
            if seen > OPTIONS:
                return Trouble("drop.ip.options")
            if trouble is not None:
                return trouble
        at += size
    return None


def _unknown(kind: int, pointer: int) -> Trouble | None:
    action = kind >> 6
    if action == 0:  # skip
        return None
    if action == 1:  # discard
        return Trouble("drop.ip.option_discard")
    return Trouble("drop.ip.option_report", 2, pointer, also_group=action == 2)
