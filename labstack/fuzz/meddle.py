# SPDX-License-Identifier: GPL-2.0-or-later
"""A hostile peer, made of an honest one by the wire behind it: some of its segments say what it never would.

`LIES` cost a connection no more than time: an ACK of what was never sent is no ACK, a window that shrinks is one that
will open again. `FRAUDS` end it, or let it hang: the peer acknowledges what it has not got, or says that blocks arrived
which did not. Then only the stack's own order counts, and that it delivers no wrong byte.
"""

from collections.abc import Callable

from labstack.core.frame import Frame
from labstack.core.rng import Rng
from labstack.core.state import state
from labstack.ip.family import TCP
from labstack.sim.wire import Arrival, Over
from layers.checksum import checksum, ones_sum

NEVER = 1 << 26  # no stack here sends so many bytes ahead
OTHER = 4  # an ACK that is wrong by less may bring back another SYN cookie, one with another segment size
ACK, RST, SYN = 0x10, 4, 2
SACK, TIMESTAMP = 5, 8  # kinds of options


@state
class Meddle(Over):
    """One segment in so many says something else: `how` is of LIES or FRAUDS."""

    how: str
    chance: float

    def carry(self, frame: Frame, at: int, rng: Rng) -> list[Arrival]:
        if rng.chance(self.chance):
            raw = bytearray(frame.cuts()[0])
            if _meddled(raw, frame.net, (LIES | FRAUDS)[self.how], rng):
                frame = Frame(bytes(raw), net=frame.net)
        return self.inner.carry(frame, at, rng)


def _meddled(raw: bytearray, net: int, change: Callable[[bytearray, int, Rng], None], rng: Rng) -> bool:
    """Change an acknowledgment, if it is one, and make its checksum right."""
    version = raw[net] >> 4 if len(raw) > net + 40 else 0
    if version == 4 and raw[net + 9] == TCP:
        at, addresses = net + (raw[net] & 15) * 4, raw[net + 12 : net + 20]
        end = net + int.from_bytes(raw[net + 2 : net + 4], "big")
    elif version == 6 and raw[net + 6] == TCP:
        at, addresses = net + 40, raw[net + 8 : net + 40]
        end = at + int.from_bytes(raw[net + 4 : net + 6], "big")
    else:
        return False
    if raw[at + 13] & (ACK | RST | SYN) != ACK:
        return False
    change(raw, at, rng)
    raw[at + 16 : at + 18] = b"\0\0"
    total = checksum(bytes(raw[at:end]), ones_sum(bytes(addresses), TCP + end - at))
    raw[at + 16 : at + 18] = total.to_bytes(2, "big")
    return True


def _add(raw: bytearray, at: int, number: int) -> None:
    """To four bytes."""
    value = int.from_bytes(raw[at : at + 4], "big") + number
    raw[at : at + 4] = (value & 0xFFFFFFFF).to_bytes(4, "big")


def _never_sent(raw: bytearray, at: int, rng: Rng) -> None:
    _add(raw, at + 8, NEVER + rng.below(1 << 30))


def _long_gone(raw: bytearray, at: int, rng: Rng) -> None:
    _add(raw, at + 8, -OTHER - rng.below(1 << rng.below(31)))


def _shrinks(raw: bytearray, at: int, rng: Rng) -> None:
    window = int.from_bytes(raw[at + 14 : at + 16], "big")
    raw[at + 14 : at + 16] = rng.below(window >> rng.below(16) or 1).to_bytes(2, "big")


def _optimistic(raw: bytearray, at: int, rng: Rng) -> None:
    _add(raw, at + 8, OTHER + rng.below(1 << rng.below(17)))


def _blocks(raw: bytearray, at: int, rng: Rng) -> None:
    """Other ends for SACK blocks, where there are some; else something else acknowledged."""
    here, end = at + 20, at + (raw[at + 12] >> 4) * 4
    while here + 1 < end:
        kind, size = raw[here], 1 if raw[here] < 2 else max(raw[here + 1], 2)
        if kind == SACK and here + size <= end:
            for edge in range(here + 2, here + size, 4):
                if rng.chance(0.5):
                    _add(raw, edge, rng.below(1 << rng.below(18)) - rng.below(1 << rng.below(18)))
            return
        here += size
    _optimistic(raw, at, rng)


def _stamps(raw: bytearray, at: int, rng: Rng) -> None:
    """Other timestamps, where there are some."""
    here, end = at + 20, at + (raw[at + 12] >> 4) * 4
    while here + 1 < end:
        kind, size = raw[here], 1 if raw[here] < 2 else max(raw[here + 1], 2)
        if kind == TIMESTAMP and here + 10 <= end:
            _add(raw, here + 2 + 4 * rng.below(2), rng.below(1 << rng.below(33)) - rng.below(1 << rng.below(33)))
            return
        here += size


LIES = {"never sent": _never_sent, "long gone": _long_gone, "window shrinks": _shrinks}
FRAUDS = {"optimistic": _optimistic, "blocks": _blocks, "timestamps": _stamps}
