# SPDX-License-Identifier: GPL-2.0-or-later
"""Types and codes of ICMP and ICMPv6 between a script's names and numbers, and what messages of a type carry."""

from labstack.packetdrill.icmp import CODES, TYPES
from labstack.packetdrill.script import Icmp
from labstack.scenario.packets.flow import PacketError
from layers.icmp import REST

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
