# SPDX-License-Identifier: GPL-2.0-or-later
"""The names that scripts have for the types and codes of ICMP (RFC 792, 950, 1122 §3.2.2.1, 1812 §5.2.7) and ICMPv6
(RFC 4443), and the numbers behind them; keys are IP versions."""

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

NAMES = tuple(dict.fromkeys(name for names in TYPES.values() for name in names))  # types of either version
QUERIES = tuple(name for name in NAMES if name.endswith(("_request", "_reply")))  # these have an identifier


def codes(name: str) -> tuple[str, ...]:
    """The codes that a type has in either version."""
    pairs = [(version, names[name]) for version, names in TYPES.items() if name in names]
    return tuple(dict.fromkeys(code for pair in pairs for code in CODES.get(pair, ())))


def has_mtu(name: str | int, code: str | int | None) -> bool:
    """May a message of this type and code carry an MTU (RFC 1191 §4, 4443 §3.2)? A number may be of either version."""
    if name in ("packet_too_big", 2):
        return True
    return name in ("unreachable", 3) and code in ("frag_needed", 4)
