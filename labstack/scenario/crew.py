# SPDX-License-Identifier: GPL-2.0-or-later
"""A crew of processes for many cases: each gets one after the other; outcomes come in the order of the cases.

A process that dies costs the case that it had, and another takes its place. When nobody wants more they are ended.
"""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import wait
from typing import Any

from labstack.scenario.collect import Case, run
from labstack.scenario.settings import Settings
from labstack.scenario.verdict import ERROR, Outcome

PATIENCE = 5  # s between looks whether whoever started us is still there
Work = tuple[int, Case]  # which one, and what


def work(cases: Sequence[Case], settings: Settings, processes: int) -> Iterator[Outcome]:
    """The outcome of every case, by so many processes."""
    plain = settings._replace(defines=dict(settings.defines), options=dict(settings.options))  # can be sent
    left: deque[Work] = deque(enumerate(cases))
    done: dict[int, Outcome] = {}
    crew = [Worker(plain) for _ in range(min(processes, len(cases)))]
    try:
        for worker in crew:
            worker.give(left)
        for number in range(len(cases)):
            while number not in done:
                for worker in _ready(crew):
                    done |= worker.take()
                    worker.give(left)
            yield done.pop(number)
    finally:
        for worker in crew:
            worker.end()


def _ready(crew: Sequence["Worker"]) -> list["Worker"]:
    """Those that have an outcome, or have died."""
    busy: dict[Any, Worker] = {
        thing: worker for worker in crew if worker.has for thing in (worker.pipe, worker.process.sentinel)
    }
    return list(dict.fromkeys(busy[thing] for thing in wait(busy)))


class Worker:
    """One process; has: the case it is at."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.has: Work | None = None
        self._begin()

    def _begin(self) -> None:
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=_loop, args=(theirs, self.settings), daemon=True)
        self.process.start()
        theirs.close()

    def give(self, left: deque[Work]) -> None:
        """Hand it the next case, if there is one."""
        self.has = left.popleft() if left else None
        if self.has:
            self.pipe.send(self.has[1])

    def take(self) -> dict[int, Outcome]:
        """The outcome of its case, by its number."""
        if self.has is None:
            return {}
        number, case = self.has
        try:
            return {number: self.pipe.recv()}
        except (EOFError, OSError):
            self.process.join()
            reason = f"the process that ran it died ({_cause(self.process.exitcode)})"
            self._begin()
            return {number: Outcome(*case, ERROR, reason)}

    def end(self) -> None:
        self.process.terminate()
        self.process.join()
        self.pipe.close()


def _loop(pipe: Any, settings: Settings) -> None:
    """What a process does: outcomes for cases, until it is ended, or whoever started it has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who has started us decides
    parent = os.getppid()
    while os.getppid() == parent:
        if pipe.poll(PATIENCE):
            case: Case = pipe.recv()
            pipe.send(run(*case, settings))


def _cause(code: int | None) -> str:
    return signal.Signals(-code).name if code and code < 0 else f"status {code}"
