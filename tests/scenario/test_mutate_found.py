# SPDX-License-Identifier: GPL-2.0-or-later
"""What mutation has found in the stack: the smallest script that showed it, each with the rule that it broke."""

from labstack.packetdrill.parser import parse
from labstack.scenario.mutate import trial as mutate_trial
from labstack.scenario.mutate.judge import Judged
from labstack.scenario.script import runner
from labstack.scenario.settings import Settings


def broken(text: str) -> str:
    """The invariant that a script breaks."""
    script, settings = parse(text), Settings(events=2000)
    failure = mutate_trial.play(script, runner.lab(script, settings, Judged), settings)
    return failure.why if failure else ""


def test_the_last_socket_that_goes_with_a_call_on_it_leaves_the_host_at_rest() -> None:
    """connect() waits, its descriptor is closed, the SYN is never answered: the call returns, and nothing is due."""
    assert not broken("""
        0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
        0...10 connect(3, ..., ...) = 0
        +1 close(3) = 0
    """)
