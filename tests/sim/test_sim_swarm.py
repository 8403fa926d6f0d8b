# SPDX-License-Identifier: GPL-2.0-or-later
"""Hundreds of random worlds: whatever wire and applications do, what must hold after each event holds (swarm.py)."""

import pytest
import swarm

EACH = 40  # seeds of a test


@pytest.mark.parametrize("block", range(6))
def test_random_worlds_keep_every_invariant_and_come_to_their_end(block: int) -> None:
    """RFC 9293 §3.8: a reliable stream both ways, then both closes, then nothing is left."""
    for seed in range(block * EACH, (block + 1) * EACH):
        try:
            assert swarm.play(seed) > 10
        except Exception as error:
            error.add_note(f"again with: swarm.play({seed})")
            raise


def test_a_seed_plays_the_same_every_time() -> None:
    assert [swarm.play(7), swarm.play(7)] == [swarm.play(7)] * 2
