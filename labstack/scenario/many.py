# SPDX-License-Identifier: GPL-2.0-or-later
"""Many scenarios: one after the other, or in several processes at once; outcomes come in the order of the cases.

Each process has its share of them. One that dies costs the task that it had, and another takes its place.
"""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, Generic, TypeVar

from labstack.scenario.collect import Case, run
from labstack.scenario.settings import Settings
from labstack.scenario.verdict import ERROR, Outcome

WORTH = 100  # cases: below this many, processes take longer to start than they save
T = TypeVar("T")  # a task
R = TypeVar("R")  # its outcome


def jobs(cases: Sequence[Case], wanted: int | None = None) -> int:
    """How many processes: as many as wanted; else one a processor for many cases in virtual time, else one."""
    if wanted is not None:
        return min(wanted, len(cases)) or 1
    virtual = all(case.target == "lab" for case in cases)
    return (os.cpu_count() or 1) if virtual and len(cases) >= WORTH else 1


def run_all(cases: Sequence[Case], settings: Settings, processes: int = 1) -> Iterator[Outcome]:
    """The outcome of every case. Whoever stops asking, or is interrupted, ends it."""
    return spread(cases, partial(_one, settings), _lost, processes)


def _one(settings: Settings, case: Case) -> Outcome:
    return run(*case, settings)


def _lost(case: Case, reason: str) -> Outcome:
    return Outcome(case.file, case.target, case.ip, ERROR, reason)


def spread(tasks: Sequence[T], do: Callable[[T], R], lost: Callable[[T, str], R], processes: int) -> Iterator[R]:
    """The outcome of every task, in this process or in several.

    do: makes an outcome of a task; both, and the function, must be fit to be sent. lost: makes the outcome of a task
    whose process died, and why it did.
    """
    if processes <= 1:
        yield from map(do, tasks)
        return
    crew = [Worker(do, lost, tasks[i::processes]) for i in range(min(processes, len(tasks)))]
    try:
        for n in range(len(tasks)):
            yield crew[n % len(crew)].outcome()
    finally:
        for worker in crew:
            worker.end()


class Worker(Generic[T, R]):
    """A process with its share of the tasks; left: those whose outcomes are still to come."""

    def __init__(self, do: Callable[[T], R], lost: Callable[[T, str], R], share: Sequence[T]) -> None:
        self.do, self.lost, self.left = do, lost, deque(share)
        self._begin()

    def _begin(self) -> None:
        self.pipe, theirs = multiprocessing.Pipe(False)
        self.process = multiprocessing.Process(target=_work, args=(theirs, self.do, list(self.left)), daemon=True)
        self.process.start()
        theirs.close()

    def outcome(self) -> R:
        """That of the next task."""
        task = self.left.popleft()
        try:
            found: R = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            code = self.process.exitcode or 0
            cause = signal.Signals(-code).name if code < 0 else f"status {code}"
            self._begin()
            found = self.lost(task, f"the process that ran it died ({cause})")
        return found

    def end(self) -> None:
        self.process.terminate()
        self.process.join()
        self.pipe.close()


def _work(pipe: Any, do: Callable[[Any], Any], tasks: Sequence[Any]) -> None:
    """What a process does: outcomes for tasks, until it is ended, or whoever started it has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who has started us decides
    for task in tasks:
        pipe.send(do(task))


# how far they are


def watched(outcomes: Iterator[T], total: int, shown: bool) -> Iterator[T]:
    """The same outcomes, with a progress bar on the terminal while they come, if one is to be shown.

    It tells of what `file` each is, and how many are `bad`: not as they should be.
    """
    bar, advance = _bar(total) if shown else (nullcontext(), lambda outcome: None)
    with bar:
        for outcome in outcomes:
            advance(outcome)
            yield outcome


def _bar(total: int) -> tuple[AbstractContextManager[Any], Callable[[Any], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    progress = Progress(*columns, transient=True)
    task = progress.add_task("", total=total)
    bad = 0

    def advance(outcome: Any) -> None:
        nonlocal bad
        bad += outcome.bad
        told = f"{bad} not as expected  {outcome.file}" if bad else outcome.file
        progress.update(task, advance=1, description=told)

    return progress, advance
