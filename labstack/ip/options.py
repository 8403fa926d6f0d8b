# SPDX-License-Identifier: GPL-2.0-or-later
"""IPv4 options on arrival: malformed ones and source routes end a packet, others are ignored (RFC 1122 §3.2.1.8)."""

from labstack.ip.extension import Trouble

LOOSE, STRICT = 131, 137


def trouble(raw: bytes, net_at: int, end: int) -> Trouble | None:
    """Why the options of the header raw[net_at:end] end the packet, or None; of malformed ones the sender is told."""
    at = net_at + 20
    while at < end:
        kind = raw[at]
        if kind == 0:
            return None
        if kind == 1:
            at += 1
            continue
        size = raw[at + 1] if at + 1 < end else 0
        if size < 2 or at + size > end:
            return Trouble("drop.ip.bad_option", 0, at - net_at)
        if kind in (LOOSE, STRICT):
            return Trouble("drop.ip.source_route")
        at += size
    return None
