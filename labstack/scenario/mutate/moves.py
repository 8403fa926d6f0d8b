# SPDX-License-Identifier: GPL-2.0-or-later
"""What can happen to the packets of a script on their way: dropped, duplicated, reordered, delayed, split, flipped.

A script is a list of steps here: what is done to the host, and when. Each move is applied to one packet and what
comes after it. Everything follows from the generator that is given.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple

from labstack.packetdrill.script import Code, Command, Icmp, Packet, Syscall, Tcp, Udp
from labstack.scenario.mutate.bits import Flip
from labstack.scenario.packets import tcpopt
from labstack.scenario.packets.flow import MOD, PacketError

MS, SECOND = 1_000_000, 1_000_000_000  # ns
LATER = (0, 0, MS, 40 * MS, 250 * MS, 2 * SECOND)  # when a duplicate comes
DELAYS = (MS, 10 * MS, 45 * MS, 250 * MS, SECOND, 4 * SECOND, 65 * SECOND)
MOVES_MADE = (1, 1, 1, 2, 2, 3, 4, 8)  # how many of them make a mutant


class Step(NamedTuple):
    """at: ns since the script began; flips: bits of its packet."""

    at: int
    action: Packet | Syscall | Command | Code
    flips: tuple[Flip, ...] = ()


Steps = tuple[Step, ...]
Move = Callable[[Random, Steps, int], Steps]  # of the steps from a packet on; and the version of IP


def mutant(steps: Steps, version: int, name: str, seed: int) -> tuple[Steps, tuple[str, ...]]:
    """The mutant number `seed` of a script, and the names of the moves that made it; version: of IP."""
    rng = Random(f"{name}:{seed}")
    made: list[str] = []
    for _ in range(rng.choice(MOVES_MADE)):
        move = rng.choice(list(MOVES))
        changed = moved(rng, steps, version, move)
        if changed is not None:
            steps = changed
            made.append(move)
    return steps, tuple(made)


def moved(rng: Random, steps: Steps, version: int, move: str) -> Steps | None:
    """The steps after a move; None if there is no packet that it could be applied to."""
    where = [i for i in inbound(steps) if move != "split" or _length(steps[i]) > 1]
    if move == "reorder":  # the last one has none behind it
        where = where[:-1]
    if not where:
        return None
    i = rng.choice(where)
    return tuple(sorted((*steps[:i], *MOVES[move](rng, steps[i:], version)), key=lambda step: step.at))


def inbound(steps: Sequence[Step]) -> list[int]:
    """Where the packets are."""
    return [i for i, step in enumerate(steps) if isinstance(step.action, Packet)]


def _drop(rng: Random, steps: Steps, _: int) -> Steps:
    return steps[1:]


def _duplicate(rng: Random, steps: Steps, _: int) -> Steps:
    return steps[0], steps[0]._replace(at=steps[0].at + rng.choice(LATER)), *steps[1:]


def _reorder(rng: Random, steps: Steps, _: int) -> Steps:
    others = inbound(steps)[1:]
    i = others[min(rng.choice((0, 0, 1, 2)), len(others) - 1)]
    first, other = steps[0]._replace(at=steps[i].at), steps[i]._replace(at=steps[0].at)
    return other, *steps[1:i], first, *steps[i + 1 :]


def _delay(rng: Random, steps: Steps, _: int) -> Steps:
    return steps[0]._replace(at=steps[0].at + rng.choice(DELAYS)), *steps[1:]


def _split(rng: Random, steps: Steps, _: int) -> Steps:
    return *halves(steps[0], rng.randrange(1, _length(steps[0]))), *steps[1:]


def halves(step: Step, at: int) -> tuple[Step, Step]:
    """A segment as two, the first with `at` bytes of its text: the SYN is the first's, PSH and FIN the second's."""
    packet: Any = step.action
    body: Tcp = packet.body
    first = body._replace(size=at, flags="".join(flag for flag in body.flags if flag not in "FP"))
    second = body._replace(
        seq=(body.seq + at + ("S" in body.flags)) % MOD, size=body.size - at, flags=body.flags.replace("S", "")
    )
    return step._replace(action=packet._replace(body=first)), step._replace(action=packet._replace(body=second))


def _flip(rng: Random, steps: Steps, version: int) -> Steps:
    mask = 1 << rng.randrange(8) if rng.random() < 0.8 else rng.randrange(1, 256)
    flip = Flip(rng.randrange(headers(steps[0].action, version)), mask)
    return steps[0]._replace(flips=(*steps[0].flips, flip)), *steps[1:]


def headers(packet: Any, version: int) -> int:
    """Bytes of a packet's headers, TCP's options included, or of the ICMP message's first part."""
    size = 20 if version == 4 else 40
    body: Tcp | Udp | Icmp = packet.body
    if not isinstance(body, Tcp):
        return size + 8 + (size + 8 if isinstance(body, Icmp) else 0)
    try:
        return size + 20 + len(tcpopt.encode(body.options or ()))
    except PacketError:
        return size + 20


def _length(step: Step) -> int:
    packet: Any = step.action
    return packet.body.size if isinstance(packet.body, Tcp) else 0


MOVES: dict[str, Move] = {
    "drop": _drop,
    "duplicate": _duplicate,
    "reorder": _reorder,
    "delay": _delay,
    "split": _split,
    "flip": _flip,
}
