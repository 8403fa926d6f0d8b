# SPDX-License-Identifier: GPL-2.0-or-later
"""`labstack run FILE --at N`: run a scenario, go to event N of the ladder, and open the prompt there.

What was to come is still known: `step` repeats it, `back` undoes it, until something else is done.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from labstack.lab.errors import LabError
from labstack.lab.lab import Lab
from labstack.lab.view import Lines
from labstack.scenario import kinds
from labstack.scenario.report.failure import source
from labstack.scenario.settings import Settings
from labstack.scenario.verdict import Failure


def enter(files: Sequence[str], n: int, ips: Sequence[str], settings: Settings) -> int:
    """Open the prompt; returns its exit status. Raises LabError for more than one file, or no such event."""
    if len(files) != 1:
        raise LabError(f"--at leads into one scenario, and there are {len(files)}")
    lab, failure = land(files[0], n, ips, settings)
    if failure is not None:
        print(Lines(list(source(failure, 120))), end="\n\n")
    return int(import_module("labstack.lab.repl").open_prompt(lab))


def land(file: str, n: int, ips: Sequence[str], settings: Settings) -> tuple[Lab, Failure | None]:
    """The lab of a scenario, at event n, and how the scenario failed, if it did."""
    family = next(iter([*ips, *kinds.scenarios(file)[0].ips]))
    played = kinds.ready(file, settings._replace(ip_version=family)).play("lab")
    history: Any = played.history
    if history is None:
        raise LabError(f"{file} has no history to go to")
    if not 0 <= n <= len(history.records):
        raise LabError(f"--at {n}: its events are 0 (the beginning) to {len(history.records)}")
    history.goto(n)
    return Lab.of(history, settings.seed), played.failure
