# SPDX-License-Identifier: GPL-2.0-or-later
"""The names that scripts have for types and codes of ICMP (RFC 792, 950, 1122 §3.2.2.1, 1812 §5.2.7) and ICMPv6
(RFC 4443), and the numbers behind them."""

from labstack.packetdrill.script import Icmp
from labstack.scenario.flow import PacketError
from layers.icmp import REST

TYPES: dict[int, dict[str, int]] = {
    4: {
        "echo_reply": 0, "unreachable": 3, "source_quench": 4, "redirect": 5, "echo_request": 8, "time_exceeded": 11,
        "parameter_problem": 12, "timestamp_request": 13, "timestamp_reply": 14, "information_request": 15,
        "information_reply": 16, "address_mask_request": 17, "address_mask_reply": 18,
    },
    6: {
        "unreachable": 1, "packet_too_big": 2, "time_exceeded": 3, "parameter_problem": 4, "echo_request": 128,
        "echo_reply": 129,
    },
}  # fmt: skip

CODES: dict[tuple[int, int], tuple[str, ...]] = {  # (version, type): names of code 0, 1, 2, ...
    (4, 3): (
        "net_unreachable", "host_unreachable", "protocol_unreachable", "port_unreachable", "frag_needed",
        "source_route_failed", "net_unknown", "host_unknown", "source_host_isolated", "net_prohibited",
        "host_prohibited", "net_unreachable_for_tos", "host_unreachable_for_tos", "packet_filtered",
        "precedence_violation", "precedence_cutoff",
    ),
    (6, 1): ("no_route", "admin_prohibited", "not_neighbour", "address_unreachable", "port_unreachable"),
    (6, 3): ("exceeded_hop_limit", "exceeded_frag_time"),
    (6, 4): ("header_field", "unknown_next_header", "unknown_option"),
}  # fmt: skip

ECHOES = {4: (0, 8), 6: (128, 129)}
QUOTING = {4: (3, 4, 5, 11, 12), 6: (1, 2, 3, 4)}  # the errors
TOO_BIG = ((4, 3, 4), (6, 2, 0))  # (version, type, code) of those that carry an MTU
NEIGHBOURS = range(133, 138)  # ICMPv6 types of neighbour discovery, which no script speaks of by name


def numbers(version: int, body: Icmp) -> tuple[int, int]:
    """Type and code; PacketError if this version of ICMP has no such name."""
    kind = body.type if isinstance(body.type, int) else TYPES[version].get(body.type)
    if kind is None:
        raise PacketError(f"{_name(version)} has no type {body.type}; it has {', '.join(TYPES[version])}")
    if body.code is None or isinstance(body.code, int):
        return kind, body.code or 0
    codes = CODES.get((version, kind), ())
    if body.code not in codes:
        raise PacketError(
            f"{_name(version)}'s {body.type} has no code {body.code}; it has {', '.join(codes) or 'only code_N'}"
        )
    return kind, codes.index(body.code)


def names(version: int, kind: int, code: int) -> tuple[str | int, str | int]:
    """What a script calls a type and its code: the numbers themselves where there is no name."""
    codes = CODES.get((version, kind), ())
    return next((name for name, number in TYPES[version].items() if number == kind), kind), (
        codes[code] if code < len(codes) else code
    )


def size(version: int, kind: int) -> int:
    """Bytes of a message without what it quotes or carries."""
    return 4 + REST[kind][0].size if version == 4 and kind in REST else 8


def _name(version: int) -> str:
    return "ICMP" if version == 4 else "ICMPv6"
