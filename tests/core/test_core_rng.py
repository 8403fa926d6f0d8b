# SPDX-License-Identifier: GPL-2.0-or-later
"""Randomness is state: the same seed, the same numbers, in every process; and they are spread as asked."""

import os
import subprocess
import sys

import pytest

from labstack.core.rng import Rng


def test_the_numbers_are_those_of_splitmix64() -> None:
    """Steele, Lea, Flood (2014): the published outputs of SplitMix64 for the seed 1234567."""
    rng = Rng(1234567)
    assert [rng.bits64() for _ in range(3)] == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_a_clone_continues_exactly_as_its_original() -> None:
    rng = Rng(7)
    rng.bits64()
    twin = rng.clone()
    assert [rng.bits64() for _ in range(9)] == [twin.bits64() for _ in range(9)]
    assert rng.secret(b"a") == twin.secret(b"a")


def test_below_and_chance_are_even() -> None:
    rng = Rng(1)
    drawn = [rng.below(10) for _ in range(10_000)]
    assert set(drawn) == set(range(10))
    assert all(880 < drawn.count(n) < 1120 for n in range(10))  # four standard deviations
    assert 2900 < sum(rng.chance(0.3) for _ in range(10_000)) < 3100
    assert not any(rng.chance(0) for _ in range(100))
    assert all(rng.chance(1) for _ in range(100))


def test_a_secret_depends_on_the_seed_and_on_every_part_and_not_on_what_was_drawn() -> None:
    """RFC 6528 §3: a keyed hash of the tuple."""
    rng = Rng(1)
    first = rng.secret(b"10.0.0.1", b"80")
    rng.bits64()
    assert rng.secret(b"10.0.0.1", b"80") == first
    others = [rng.secret(b"10.0.0.1", b"81"), rng.secret(b"10.0.0.2", b"80"), Rng(2).secret(b"10.0.0.1", b"80")]
    assert len({first, *others}) == 4
    assert 0 <= first < 1 << 64


@pytest.mark.parametrize("hash_seed", ["0", "77"])
def test_another_process_draws_the_same(hash_seed: str) -> None:
    script = "from labstack.core.rng import Rng; r = Rng(5); print(r.bits64(), r.below(99), r.secret(b'x', b'y'))"
    env = {**os.environ, "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-c", script]
    run = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=True)
    rng = Rng(5)
    assert run.stdout.split() == [str(rng.bits64()), str(rng.below(99)), str(rng.secret(b"x", b"y"))]
