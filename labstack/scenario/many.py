# SPDX-License-Identifier: GPL-2.0-or-later
"""Many scenarios: one after the other, or in several processes at once; outcomes come in the order of the cases."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from labstack.scenario import crew
from labstack.scenario.collect import Case, run
from labstack.scenario.settings import Settings
from labstack.scenario.verdict import Outcome

WORTH = 100  # cases: below this many, processes take longer to start than they save


def jobs(cases: Sequence[Case], wanted: int | None = None) -> int:
    """How many processes: as many as wanted; else one a processor for many cases in virtual time, else one."""
    if wanted is not None:
        return min(wanted, len(cases)) or 1
    virtual = all(case.target == "lab" for case in cases)
    return (os.cpu_count() or 1) if virtual and len(cases) >= WORTH else 1


def run_all(cases: Sequence[Case], settings: Settings, processes: int = 1) -> Iterator[Outcome]:
    """The outcome of every case. Whoever stops asking, or is interrupted, ends it."""
    if processes > 1:
        return crew.work(cases, settings, processes)
    return (run(*case, settings) for case in cases)


def watched(outcomes: Iterator[Outcome], total: int, shown: bool) -> Iterator[Outcome]:
    """The same outcomes, with a progress bar on the terminal while they come, if one is to be shown."""
    bar, advance = _bar(total) if shown else (nullcontext(), lambda outcome: None)
    with bar:
        for outcome in outcomes:
            advance(outcome)
            yield outcome


def _bar(total: int) -> tuple[AbstractContextManager[Any], Callable[[Outcome], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    progress = Progress(*columns, transient=True)
    task = progress.add_task("", total=total)
    bad = 0

    def advance(outcome: Outcome) -> None:
        nonlocal bad
        bad += outcome.bad
        told = f"{bad} not as expected  {outcome.file}" if bad else outcome.file
        progress.update(task, advance=1, description=told)

    return progress, advance
