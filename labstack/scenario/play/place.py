# SPDX-License-Identifier: GPL-2.0-or-later
"""Where in its file a Python scenario went wrong, what an assertion of it said, and a limit to its time."""

import ast
import linecache
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from types import CodeType, FrameType, TracebackType
from typing import Any, TypeGuard

from labstack.packetdrill.script import Place
from labstack.scenario.play.condition import shown
from labstack.scenario.verdict import Field

OPS = {ast.Eq: "", ast.NotEq: "not ", ast.Lt: "< ", ast.LtE: "<= ", ast.Gt: "> ", ast.GtE: ">= ", ast.In: "in "}
LEFT, RIGHT = "@left", "@right"  # where the sides of a comparison are kept


class EndlessError(BaseException):  # so that no `except Exception` holds it up: the stack has one around each event
    """The scenario took too long."""


def place_of(trace: TracebackType | None, file: str, code: CodeType | None = None) -> Place:
    """The innermost place in `file` that a traceback passes; the last line of `blocks` if it passes none."""
    found = _inside(trace, file)
    if found is None:
        lines = [line for _, _, line in code.co_lines() if line] if code else [1]
        return Place(file, max(lines), 1)
    positions = next(islice(found.tb_frame.f_code.co_positions(), found.tb_lasti // 2, None))
    return Place(file, found.tb_lineno, (positions[2] or 0) + 1)


def assertion(error: AssertionError, file: str) -> tuple[str, tuple[Field, ...]]:
    """What an assertion said, and the two sides of its comparison where they can be looked at once more."""
    found = _inside(error.__traceback__, file)
    node = _assert_at(file, found.tb_lineno) if found else None
    text = f"this does not hold: {ast.unparse(node.test)}" if node else "an assertion failed"
    said = f"{error} ({text})" if str(error) else text
    return said, _sides(node.test, found.tb_frame) if node and found else ()


def _inside(trace: TracebackType | None, file: str) -> TracebackType | None:
    found = None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            found = trace
        trace = trace.tb_next
    return found


def _assert_at(file: str, line: int) -> ast.Assert | None:
    tree = ast.parse("".join(linecache.getlines(file)))
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    return next((node for node in nodes if node.lineno <= line <= (node.end_lineno or line)), None)


def _sides(test: ast.expr, frame: FrameType) -> tuple[Field, ...]:
    """A row for a comparison of two, with the values that the two had."""
    if not _compares(test) or LEFT not in frame.f_locals:
        return ()
    left, right = frame.f_locals[LEFT], frame.f_locals[RIGHT]
    return (Field(ast.unparse(test.left), OPS[type(test.ops[0])] + shown(right), shown(left)),)


def _compares(test: ast.expr) -> TypeGuard[ast.Compare]:
    return isinstance(test, ast.Compare) and len(test.ops) == 1 and type(test.ops[0]) in OPS


class Keeping(ast.NodeTransformer):
    """Rewrites assertions that compare two values, so that the values can be told: each side is looked at once."""

    def visit_Assert(self, node: ast.Assert) -> Any:
        test = node.test
        if not _compares(test):
            return node
        sides = [(LEFT, test.left), (RIGHT, test.comparators[0])]
        kept: list[ast.stmt] = [ast.Assign([ast.Name(name, ast.Store())], side) for name, side in sides]
        again = ast.Compare(ast.Name(LEFT, ast.Load()), test.ops, [ast.Name(RIGHT, ast.Load())])
        kept.append(ast.Assert(ast.copy_location(again, test), node.msg))
        return [ast.fix_missing_locations(ast.copy_location(it, node)) for it in kept]


def compiled(source: bytes, file: str) -> CodeType:
    """The code of a scenario file. Raises SyntaxError."""
    return compile(Keeping().visit(ast.parse(source, file)), file, "exec")


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """What takes longer is stopped by an EndlessError; where there are no such signals nothing is."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> None:
        raise EndlessError(f"it was stopped after {seconds:g} s of real time")

    before = signal.signal(signal.SIGALRM, stop)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, left, interval)
        signal.signal(signal.SIGALRM, before)
