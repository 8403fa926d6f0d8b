# SPDX-License-Identifier: GPL-2.0-or-later
"""What became of a seed: its plan drawn, its trial played, and what did not hold."""

import traceback
from collections import Counter
from typing import NamedTuple

from labstack.fuzz.plan import draw
from labstack.fuzz.stage import Stage, Twins
from labstack.fuzz.trial import Trial


class Outcome(NamedTuple):
    """What became of a seed. broken: what did not hold at event n, "" if all did; seen: how often what was covered."""

    seed: int
    n: int
    ns: int  # of virtual time
    broken: str
    seen: Counter[str]
    states: frozenset[str]
    rules: frozenset[str]


def judged(trial: Trial) -> str:
    """Play a trial: what did not hold, "" if all did."""
    try:
        trial.play()
    except AssertionError as error:
        return str(error) or traceback.format_exc()
    except Exception:
        return traceback.format_exc()
    return ""


def play(seed: int, differential: bool = False) -> Outcome:
    """Play one seed. What is only looked for in the end is then looked for at every event of the same run again.

    differential: on two worlds side by side, see Twins
    """
    plan, kind = draw(seed), Twins if differential else Stage
    trial = Trial(plan, kind(plan), plan.traced)
    broken = judged(trial)
    if broken and not trial.judge.strict:
        again = Trial(plan, kind(plan), strict=True)
        trial, broken = again, judged(again) or broken
    judge = trial.judge
    return Outcome(seed, trial.world.n, trial.world.now - trial.stage.start, broken, judge.seen,
                   frozenset(judge.states), frozenset(judge.rules))  # fmt: skip
