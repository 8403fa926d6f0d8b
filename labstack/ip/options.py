# SPDX-License-Identifier: GPL-2.0-or-later
"""IPv4 options on arrival: malformed ones and source routes end a packet, others are ignored (RFC 1122 §3.2.1.8)."""

LOOSE, STRICT = 131, 137


def trouble(raw: bytes, at: int, end: int) -> str:
    """The drop reason of the option list raw[at:end], or ""."""
    while at < end:
        kind = raw[at]
        if kind == 0:
            return ""
        if kind == 1:
            at += 1
            continue
        size = raw[at + 1] if at + 1 < end else 0
        if size < 2 or at + size > end:
            return "drop.ip.bad_option"
        if kind in (LOOSE, STRICT):
            return "drop.ip.source_route"
        at += size
    return ""
