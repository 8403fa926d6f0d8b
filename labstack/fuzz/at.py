# SPDX-License-Identifier: GPL-2.0-or-later
"""`labstack fuzz tcp --seed S --at N`: play a seed, go to event N (or to where it failed), and open the prompt there.

What was to come is still known: `step` repeats it, `back` undoes it, until something else is done.
"""

from importlib import import_module

from labstack.fuzz.outcome import judged
from labstack.fuzz.plan import draw
from labstack.fuzz.stage import Remembered
from labstack.fuzz.trial import Trial
from labstack.lab.errors import LabError
from labstack.lab.lab import Lab

LAST = -1  # the event after which something did not hold, or the last one


def enter(seed: int, n: int) -> int:
    """Open the prompt; returns its exit status. Raises LabError if there is no such event."""
    lab, broken = land(seed, n)
    print(f"seed {seed}: {broken or 'everything holds, also with a trace: --differential looks without one, too'}\n")
    return int(import_module("labstack.lab.repl").open_prompt(lab))


def land(seed: int, n: int = LAST) -> tuple[Lab, str]:
    """The lab of a seed, at event n, and what did not hold, "" if all did."""
    plan = draw(seed)._replace(traced=True)
    stage = Remembered(plan)
    broken = judged(Trial(plan, stage, strict=True))
    last = len(stage.history.records)
    if n != LAST and not 0 <= n <= last:
        raise LabError(f"--at {n}: its events are 0 (the beginning) to {last}")
    stage.history.goto(last if n == LAST else n)
    return Lab.of(stage.history, seed), broken
