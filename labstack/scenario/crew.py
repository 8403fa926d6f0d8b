# SPDX-License-Identifier: GPL-2.0-or-later
"""A crew of processes for many tasks: each gets one after the other; outcomes come in the order of the tasks.

A process that dies costs the task that it had, and another takes its place. When nobody wants more they are ended.
"""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import wait
from typing import Any, Generic, TypeVar

PATIENCE = 5  # s between looks whether whoever started us is still there
T = TypeVar("T")  # a task
R = TypeVar("R")  # its outcome
Lost = Callable[[T, str], R]


def work(tasks: Sequence[T], do: Callable[[T], R], lost: Lost[T, R], processes: int) -> Iterator[R]:
    """The outcome of every task, by so many processes.

    do: makes an outcome of a task; both, and the function, must be fit to be sent. lost: makes the outcome of a task
    whose process died, and why it did.
    """
    left: deque[tuple[int, T]] = deque(enumerate(tasks))
    done: dict[int, R] = {}
    crew = [Worker(do, lost) for _ in range(min(processes, len(tasks)))]
    try:
        for worker in crew:
            worker.give(left)
        for number in range(len(tasks)):
            while number not in done:
                for worker in _ready(crew):
                    done |= worker.take()
                    worker.give(left)
            yield done.pop(number)
    finally:
        for worker in crew:
            worker.end()


def _ready(crew: Sequence["Worker[T, R]"]) -> list["Worker[T, R]"]:
    """Those that have an outcome, or have died."""
    busy: dict[Any, Worker[T, R]] = {
        thing: worker for worker in crew if worker.has for thing in (worker.pipe, worker.process.sentinel)
    }
    return list(dict.fromkeys(busy[thing] for thing in wait(busy)))


class Worker(Generic[T, R]):
    """One process; has: the task it is at, with its number."""

    def __init__(self, do: Callable[[T], R], lost: Lost[T, R]) -> None:
        self.do, self.lost = do, lost
        self.has: tuple[int, T] | None = None
        self._begin()

    def _begin(self) -> None:
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=_loop, args=(theirs, self.do), daemon=True)
        self.process.start()
        theirs.close()

    def give(self, left: deque[tuple[int, T]]) -> None:
        """Hand it the next task, if there is one."""
        self.has = left.popleft() if left else None
        if self.has:
            self.pipe.send(self.has[1])

    def take(self) -> dict[int, R]:
        """The outcome of its task, by its number."""
        if self.has is None:
            return {}
        number, task = self.has
        try:
            return {number: self.pipe.recv()}
        except (EOFError, OSError):
            self.process.join()
            reason = f"the process that ran it died ({_cause(self.process.exitcode)})"
            self._begin()
            return {number: self.lost(task, reason)}

    def end(self) -> None:
        self.process.terminate()
        self.process.join()
        self.pipe.close()


def _loop(pipe: Any, do: Callable[[Any], Any]) -> None:
    """What a process does: outcomes for tasks, until it is ended, or whoever started it has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one who has started us decides
    parent = os.getppid()
    while os.getppid() == parent:
        if pipe.poll(PATIENCE):
            pipe.send(do(pipe.recv()))


def _cause(code: int | None) -> str:
    return signal.Signals(-code).name if code and code < 0 else f"status {code}"
