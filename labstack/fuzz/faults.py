# SPDX-License-Identifier: GPL-2.0-or-later
"""The wires of a fuzzed run: every fault fully on or fully off, changed once or twice, and perfect in the end."""

from collections.abc import Callable
from typing import NamedTuple

from labstack.core.config import MS
from labstack.core.rng import Rng
from labstack.fuzz.meddle import FRAUDS, LIES, Meddle
from labstack.sim.wire import Bursts, Corrupt, Delay, Duplicate, Loss, Lost, Mark, Mtu, Rate, Reorder, Wire

OFTEN = 0.3  # a fault is on with this probability


class Change(NamedTuple):
    """From `at` (ns after the start) on, what a host sends goes over this wire."""

    at: int
    host: str
    wire: Wire


MAKERS: tuple[Callable[[Wire, Rng], Wire], ...] = (
    lambda it, rng: Loss(it, (1 + rng.below(30)) / 100),
    lambda it, rng: Bursts(it, (1 + rng.below(5)) / 100, (10 + rng.below(60)) / 100),
    lambda it, rng: Reorder(it, (1 + rng.below(50)) / 100, (1 + rng.below(80)) * MS),
    lambda it, rng: Duplicate(it, (1 + rng.below(20)) / 100),
    lambda it, rng: Corrupt(it, (1 + rng.below(50)) / 1000),
    lambda it, rng: Rate(it, 100_000 << rng.below(9), queue=1 + rng.below(40)),
    lambda it, rng: Mark(it, 1_000_000 << rng.below(6), queue=5 + rng.below(40), above=rng.below(10)),
    lambda it, rng: Mtu(it, 600 + rng.below(900)),
    lambda it, rng: Meddle(it, tuple(LIES)[rng.below(len(LIES))], (1 + rng.below(30)) / 100),
)


def changes(rng: Rng, calm: int) -> tuple[Change, ...]:
    """The wires of both directions: the first, perhaps others meanwhile, and perfect ones when calm comes."""
    found = []
    kind = tuple(FRAUDS)[rng.below(len(FRAUDS))] if rng.chance(0.05) else ""
    for host in ("h1", "h2"):
        delay = Delay(rng.below(1 << (4 + rng.below(14))) * 1000)
        first = _bad(rng, delay) if calm else delay
        found.append(Change(0, host, Meddle(first, kind, rng.below(50) / 100) if kind and calm else first))
        if calm and rng.chance(OFTEN):
            found.append(Change(rng.below(calm), host, _bad(rng, Delay(rng.below(100) * MS))))
        if calm and rng.chance(OFTEN / 2):
            since, until = sorted((rng.below(calm), rng.below(calm)))
            found += [Change(since, host, Lost("black hole")), Change(until, host, _bad(rng, delay))]
        if calm:
            found.append(Change(calm, host, delay))
    return tuple(sorted(found, key=lambda change: change.at))


def _bad(rng: Rng, delay: Delay) -> Wire:
    it: Wire = Delay(delay.ns, jitter=1 + rng.below(30) * MS) if rng.chance(OFTEN) else delay
    for make in MAKERS:
        if rng.chance(OFTEN):
            it = make(it, rng)
    return it


def fraud(wire: Wire) -> bool:
    """Does something on this wire end connections, or let them hang?"""
    return isinstance(wire, Meddle) and wire.how in FRAUDS


def withdraws(wire: Wire) -> bool:
    """Does something on this wire take windows back?"""
    return isinstance(wire, Meddle) and wire.how == "window shrinks"


def named(wire: Wire) -> str:
    """A wire in words, the outermost first: 'loss 0.1, delay 5 ms'."""
    words = []
    inner: Wire | None = wire
    while inner is not None:
        values = {k: v for k, v in inner.as_dict().items() if k not in ("inner", "leaves") and v not in (0, False)}
        words.append(" ".join([type(inner).__name__, *(f"{k}={v}" for k, v in values.items())]))
        inner = getattr(inner, "inner", None)
    return ", ".join(words)
