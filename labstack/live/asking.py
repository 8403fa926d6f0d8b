# SPDX-License-Identifier: GPL-2.0-or-later
"""Ask: something that one thread wants done by the loop's thread, and waits for."""

from collections.abc import Callable
from threading import Lock
from typing import Any


class Ask:
    """A function with its arguments, then its result or what it raised."""

    __slots__ = ("args", "done", "error", "fn", "result")

    def __init__(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.fn = fn
        self.args = args
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = Lock()
        self.done.acquire()

    def answer(self) -> None:
        """In the loop: do it. Whatever it raises is for whoever asked."""
        try:
            self.result = self.fn(*self.args)
        except BaseException as error:
            self.error = error
        self.done.release()

    def refuse(self, error: BaseException) -> None:
        self.error = error
        self.done.release()

    def wait(self) -> Any:
        """In the thread that asked: the result, or raise what was raised."""
        self.done.acquire()
        if self.error is not None:
            raise self.error
        return self.result
