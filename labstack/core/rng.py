# SPDX-License-Identifier: GPL-2.0-or-later
"""Randomness that lives in the state: SplitMix64 for spreading, keyed BLAKE2 for what an attacker must not guess.

A seed makes a whole run repeatable; a live stack is seeded from the operating system (by live/).
"""

from functools import lru_cache
from hashlib import blake2b

from labstack.core.state import State, state

_MASK = (1 << 64) - 1


@state
class Rng(State):
    """A seeded generator. `seed` also keys the hashes, so a clone continues exactly as its original."""

    seed: int
    counter: int = 0

    def bits64(self) -> int:
        """The next 64 bits (SplitMix64)."""
        self.counter += 1
        z = (self.seed + self.counter * 0x9E3779B97F4A7C15) & _MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def below(self, n: int) -> int:
        """A number in 0..n-1."""
        return (self.bits64() * n) >> 64

    def chance(self, p: float) -> bool:
        """True with probability p."""
        return self.bits64() < p * (1 << 64)

    def secret(self, *parts: bytes) -> int:
        """A 64-bit keyed hash of parts: the same for the same parts, unpredictable without the seed (RFC 6528)."""
        it = _keyed(self.seed).copy()
        it.update(b"\0".join(parts))
        return int.from_bytes(it.digest(), "big")


@lru_cache(maxsize=64)
def _keyed(seed: int) -> blake2b:
    """A hash that has taken in its key, to be copied: that is half of the work."""
    return blake2b(digest_size=8, key=(seed % (1 << 256)).to_bytes(32, "big"))
