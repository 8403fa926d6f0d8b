# SPDX-License-Identifier: GPL-2.0-or-later
"""Wires wrapped in wires: every fault of a link is a wire around another one, never an `if` in the stack.

A wire carries one direction. `carry(frame, at, rng)` tells at once when and how the frame will come out at the other
end: usually one Arrival, two where it is duplicated, one with a fate where it is lost. The outermost wire meets
the frame first, the innermost is a Delay: `Rate(Loss(Delay(10 * MS), 0.1), 10_000_000)` queues, loses, delays.

A wire is state, so what it has seen is cloned, undone and compared with the world. All randomness is the world's.
A super-segment passes whole where nothing on the way looks at single frames (`real`), else it is cut at the start.
"""

from collections import deque
from collections.abc import Callable
from typing import ClassVar, NamedTuple

from labstack.core.config import MS, SECOND
from labstack.core.frame import Frame
from labstack.core.named import named
from labstack.core.rng import Rng
from labstack.core.state import State, field, state
from layers import checksum


class Arrival(NamedTuple):
    """A frame comes out of a wire at `at` (ns), or it does not: then `fate` says why."""

    at: int
    frame: Frame
    fate: str = ""


class Wire(State):
    """One direction of a link."""

    __slots__ = ()

    def carry(self, frame: Frame, at: int, rng: Rng) -> list[Arrival]:
        """What becomes of a frame that enters at `at` (ns): one Arrival for each copy, lost ones with their fate."""
        raise TypeError(f"{type(self).__name__} does not say how it carries a frame")

    def real(self) -> bool:
        """Whether a super-segment must be cut into real frames before it enters."""
        return False


@state
class Delay(Wire):
    """Every frame arrives `ns` later, plus up to `jitter` ns at random (which may change their order)."""

    ns: int = 10 * MS
    jitter: int = 0  # ns

    def __post_init__(self) -> None:
        _at_least(0, delay=self.ns, jitter=self.jitter)

    def carry(self, frame: Frame, at: int, rng: Rng) -> list[Arrival]:
        wait = self.ns + rng.below(self.jitter + 1) if self.jitter else self.ns
        return [named(Arrival, (at + wait, frame, ""))]


@state
class Lost(Wire):
    """Nothing arrives; `why` is the fate."""

    why: str

    def carry(self, frame: Frame, at: int, rng: Rng) -> list[Arrival]:
        return [Arrival(at, frame, self.why)]


@state
class Over(Wire):
    """A wire around `inner`."""

    cuts: ClassVar[bool] = True  # looks at single frames
    inner: Wire

    def real(self) -> bool:
        return self.cuts or self.inner.real()


@state
class Rate(Over):
    """`bits` a second and no more; `queue` frames may wait while one is sent, further ones are dropped."""

    bits: int  # per second
    queue: int = 100  # frames
    leaves: deque[int] = field(default_factory=deque)  # ns, when each frame in here will have left

    def __post_init__(self) -> None:
        _at_least(1, bits=self.bits)
        _at_least(0, queue=self.queue)

    def carry(self, frame: Frame, at: int, rng: Rng) -> list[Arrival]:
        leaves = self.leaves
        while leaves and leaves[0] <= at:
            leaves.popleft()
        if len(leaves) > self.queue:
            return [Arrival(at, frame, "queue full")]
        left = (leaves[-1] if leaves else at) + len(frame) * 8 * SECOND // self.bits
        leaves.append(left)
        return self.inner.carry(frame, left, rng)


@state
class Mark(Rate):
    """A Rate that marks with CE what finds `above` frames or more before it in the queue, if it is ECN capable.

    What AQMs for DCTCP do (RFC 8257 §3.1): a mark says how long the queue is now, not how long it has been for a while.
    """

    above: int = 5  # frames

    def __post_init__(self) -> None:
        Rate.__post_init__(self)
        _at_least(0, above=self.above)

    def carry(self, frame: Frame, at: int, rng: Rng) -> list[Arrival]:
        arrivals = Rate.carry(self, frame, at, rng)
        return [it._replace(frame=marked(it.frame)) for it in arrivals] if len(self.leaves) > self.above else arrivals


@state
class Police(Over):
    """A token bucket: `bits` a second pass, and `burst` bytes at once; what exceeds that is dropped, nothing waits."""

    bits: int  # per second
    burst: int = 15_000  # bytes
    tokens: int = -1  # bits * SECOND; -1: not used yet, full
    seen: int = 0  # ns

    def __post_init__(self) -> None:
        _at_least(1, bits=self.bits, burst=self.burst)

    def carry(self, frame: Frame, at: int, rng: Rng) -> list[Arrival]:
        full, cost = self.burst * 8 * SECOND, len(frame) * 8 * SECOND
        self.tokens = min(full, self.tokens + (at - self.seen) * self.bits) if self.tokens >= 0 else full
        self.seen = at
        if cost > self.tokens:
            return [Arrival(at, frame, "policed")]
        self.tokens -= cost
        return self.inner.carry(frame, at, rng)


@state
class Loss(Over):
    """Each frame is lost with probability `chance`."""

    chance: float

    def __post_init__(self) -> None:
        _probability(chance=self.chance)

    def carry(self, frame: Frame, at: int, rng: Rng) -> list[Arrival]:
        if rng.chance(self.chance):
            return [Arrival(at, frame, f"loss {self.chance * 100:g} %")]
        return self.inner.carry(frame, at, rng)


@state
class Bursts(Over):
    """Losses in bursts (Gilbert): before each frame a burst begins with probability `enter` and ends with `leave`."""

    enter: float
    leave: float
    bad: bool = False

    def __post_init__(self) -> None:
        _probability(enter=self.enter, leave=self.leave)

    def carry(self, frame: Frame, at: int, rng: Rng) -> list[Arrival]:
        if rng.chance(self.leave if self.bad else self.enter):
            self.bad = not self.bad
        return [Arrival(at, frame, "burst loss")] if self.bad else self.inner.carry(frame, at, rng)


@state
class Exactly(Over):
    """Exactly the frames with these numbers are lost; the first frame is number 1."""

    which: tuple[int, ...]
    seen: int = 0

    def __post_init__(self) -> None:
        for number in self.which:
            _at_least(1, which=number)

    def carry(self, frame: Frame, at: int, rng: Rng) -> list[Arrival]:
        self.seen += 1
        if self.seen in self.which:
            return [Arrival(at, frame, f"loss of frame {self.seen}")]
        return self.inner.carry(frame, at, rng)


@state
class Rule(Over):
    """The next `left` frames whose bytes `matches` go another way: `Lost("rule 1")`, a longer Delay, a Duplicate, ....

    matches is a function of the whole frame's bytes; it is shared by clones, so it must depend on nothing else.
    If it raises, the rule switches itself off and keeps the reason in `fault`. left < 0: always.
    """

    matches: Callable[[bytes], bool]
    then: Wire
    left: int = 1
    fault: str = ""

    def real(self) -> bool:
        return True

    def carry(self, frame: Frame, at: int, rng: Rng) -> list[Arrival]:
        if self.left and self._hit(frame):
            self.left -= 1
            return self.then.carry(frame, at, rng)
        return self.inner.carry(frame, at, rng)

    def _hit(self, frame: Frame) -> bool:
        try:
            return bool(self.matches(frame.cuts()[0]))
        except Exception as error:  # the user's own expression: it costs itself, not the frame
            self.left, self.fault = 0, f"{type(error).__name__}: {error}"
            return False


@state
class Duplicate(Over):
    """Each frame travels twice with probability `chance`."""

    chance: float

    def __post_init__(self) -> None:
        _probability(chance=self.chance)

    def carry(self, frame: Frame, at: int, rng: Rng) -> list[Arrival]:
        twice = rng.chance(self.chance)
        arrivals = self.inner.carry(frame, at, rng)
        return arrivals + self.inner.carry(frame, at, rng) if twice else arrivals


@state
class Reorder(Over):
    """Each frame is held back for `by` ns with probability `chance`, so that later ones overtake it."""

    chance: float
    by: int = 5 * MS  # ns

    def __post_init__(self) -> None:
        _probability(chance=self.chance)
        _at_least(1, by=self.by)

    def carry(self, frame: Frame, at: int, rng: Rng) -> list[Arrival]:
        return self.inner.carry(frame, at + self.by if rng.chance(self.chance) else at, rng)


@state
class Corrupt(Over):
    """Behind the link header a burst of 1 to `burst` bits is damaged with probability `chance`.

    Up to 15 bits, so that every Internet checksum that covers them can tell (RFC 1071 §1): what arrives in spite of a
    checksum is then a bug and not bad luck. ARP has no checksum, and the Ethernet CRC that would tell is not here.
    """

    chance: float
    burst: int = 15  # bits, the most

    def __post_init__(self) -> None:
        _probability(chance=self.chance)
        if not 1 <= self.burst <= 15:
            raise ValueError(f"burst = {self.burst}: expected 1..15 bits, the damage that a checksum always sees")

    def carry(self, frame: Frame, at: int, rng: Rng) -> list[Arrival]:
        if rng.chance(self.chance):
            frame = Frame(damaged(frame.cuts()[0], frame.net, self.burst, rng), net=frame.net)
        return self.inner.carry(frame, at, rng)


@state
class Mtu(Over):
    """What is longer than `size` bytes behind the link header is dropped without a word."""

    size: int  # bytes

    def __post_init__(self) -> None:
        _at_least(1, size=self.size)

    def carry(self, frame: Frame, at: int, rng: Rng) -> list[Arrival]:
        if len(frame) - frame.net > self.size:
            return [Arrival(at, frame, f"mtu {self.size}")]
        return self.inner.carry(frame, at, rng)


@state
class Blackhole(Over):
    """Everything that enters from `since` until `until` (ns) vanishes."""

    cuts: ClassVar[bool] = False
    since: int  # ns
    until: int  # ns

    def carry(self, frame: Frame, at: int, rng: Rng) -> list[Arrival]:
        if self.since <= at < self.until:
            return [Arrival(at, frame, "black hole")]
        return self.inner.carry(frame, at, rng)


def cut(frame: Frame) -> list[Frame]:
    """The real frames of a super-segment. Their checksums were computed just now, so they count as verified."""
    return [Frame(raw, net=frame.net, sure=True) for raw in frame.cuts()]


def marked(frame: Frame) -> Frame:
    """The same frame with CE (RFC 3168 §5); itself if it is not ECN capable, or no IP."""
    raw = bytearray(frame.cuts()[0])
    at = frame.net
    version = raw[at] >> 4 if len(raw) > at + 20 else 0
    if version == 4 and raw[at + 1] & 3:
        raw[at + 1] |= 3
        raw[at + 10 : at + 12] = b"\0\0"
        raw[at + 10 : at + 12] = checksum.checksum(bytes(raw[at : at + (raw[at] & 15) * 4])).to_bytes(2, "big")
    elif version == 6 and raw[at + 1] >> 4 & 3:
        raw[at + 1] |= 3 << 4
    else:
        return frame
    return Frame(bytes(raw), net=frame.net, sure=frame.sure or frame.csum is not None)


def damaged(raw: bytes, first: int, burst: int, rng: Rng) -> bytes:
    """raw with 1..burst neighbouring bits, the outer two of them for certain, flipped somewhere behind byte `first`."""
    room = (len(raw) - first) * 8
    if room <= 0:
        return raw
    width = min(1 + rng.below(burst), room)
    pattern = rng.below(1 << width) | 1 | 1 << (width - 1)
    shift = rng.below(room - width + 1)
    return (int.from_bytes(raw, "big") ^ pattern << shift).to_bytes(len(raw), "big")


def _probability(**values: float) -> None:
    for name, value in values.items():
        if not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise ValueError(f"{name} = {value!r}: expected a probability, 0..1 (10 % is 0.1)")


def _at_least(least: int, **values: int) -> None:
    for name, value in values.items():
        if not isinstance(value, int) or value < least:
            raise ValueError(f"{name} = {value!r}: expected a whole number, {least} or greater")
