# SPDX-License-Identifier: GPL-2.0-or-later
"""Many scenarios: one after the other, or in several processes at once; outcomes come in the order of the cases."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, Protocol, TypeVar

from labstack.scenario import crew
from labstack.scenario.collect import Case, run
from labstack.scenario.settings import Settings
from labstack.scenario.verdict import ERROR, Outcome

WORTH = 100  # cases: below this many, processes take longer to start than they save
T = TypeVar("T")
R = TypeVar("R")


class Bad(Protocol):
    """What a progress bar tells of an outcome: is it not as it should be, and what is it of?"""

    @property
    def bad(self) -> bool: ...
    @property
    def file(self) -> str: ...


B = TypeVar("B", bound=Bad)


def jobs(cases: Sequence[Case], wanted: int | None = None) -> int:
    """How many processes: as many as wanted; else one a processor for many cases in virtual time, else one."""
    if wanted is not None:
        return min(wanted, len(cases)) or 1
    virtual = all(case.target == "lab" for case in cases)
    return (os.cpu_count() or 1) if virtual and len(cases) >= WORTH else 1


def run_all(cases: Sequence[Case], settings: Settings, processes: int = 1) -> Iterator[Outcome]:
    """The outcome of every case. Whoever stops asking, or is interrupted, ends it."""
    plain = settings._replace(defines=dict(settings.defines), options=dict(settings.options))  # can be sent
    return spread(cases, partial(_one, plain), _lost, processes)


def spread(tasks: Sequence[T], do: Callable[[T], R], lost: Callable[[T, str], R], processes: int) -> Iterator[R]:
    """The outcome of every task, in this process or in several; arguments as crew.work()."""
    return crew.work(tasks, do, lost, processes) if processes > 1 else map(do, tasks)


def _lost(case: Case, reason: str) -> Outcome:
    return Outcome(case.file, case.target, case.ip, ERROR, reason)


def _one(settings: Settings, case: Case) -> Outcome:
    return run(*case, settings)


def watched(outcomes: Iterator[B], total: int, shown: bool) -> Iterator[B]:
    """The same outcomes, with a progress bar on the terminal while they come, if one is to be shown."""
    bar, advance = _bar(total) if shown else (nullcontext(), lambda outcome: None)
    with bar:
        for outcome in outcomes:
            advance(outcome)
            yield outcome


def _bar(total: int) -> tuple[AbstractContextManager[Any], Callable[[Bad], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    progress = Progress(*columns, transient=True)
    task = progress.add_task("", total=total)
    bad = 0

    def advance(outcome: Bad) -> None:
        nonlocal bad
        bad += outcome.bad
        told = f"{bad} not as expected  {outcome.file}" if bad else outcome.file
        progress.update(task, advance=1, description=told)

    return progress, advance
