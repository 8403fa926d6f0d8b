# SPDX-License-Identifier: GPL-2.0-or-later
"""A small interpreter of Python over `ast`: what a code block needs, and nothing that leads out of it.

Numbers, strings, lists, tuples and ranges; assertions, assignments, if, for, while, print. Nothing is imported,
defined or caught. Here are the statements; `values` has the expressions, `functions` what may be called, `budget` what
it may take. Anything else is refused by name.
"""

import ast
import warnings
from collections.abc import Iterator
from typing import Any

from labstack.scenario.code import functions
from labstack.scenario.code.budget import BLOCK, Budget, StopError, refuse
from labstack.scenario.code.values import CALLED, Expressions, allowed

LONGEST_TEXT = 20_000  # characters
ERRORS = (TypeError, ValueError, ArithmeticError, LookupError, RuntimeError, MemoryError)


class FailedError(Exception):
    """An assertion does not hold: the node, the author's message or None."""

    def __init__(self, node: ast.Assert, message: str | None) -> None:
        super().__init__(node, message)
        self.node, self.message = node, message


class LeaveError(Exception):
    """break or continue; str() is which."""


def parse(text: str) -> ast.Module:
    """The tree of a program. Raises StopError, and what ast.parse raises for a text that is no program."""
    if len(text) > LONGEST_TEXT:
        raise StopError(
            "refused", f"a code block of {len(text)} characters is too long, expected {LONGEST_TEXT} at most"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


class Program(Expressions):
    """A program whose `names` stay for the next one; `loops`: the lines of the loops that it is in."""

    def __init__(self, names: dict[str, Any], budget: Budget) -> None:
        super().__init__(names, budget)
        self.loops: list[int] = []

    def run(self, tree: ast.Module) -> None:
        """Run it. Raises FailedError, StopError, NameError with the name; `line` and `loops` then say where."""
        self.loops, self.depth, self.printed = [], 0, []
        try:
            self.block(tree.body)
        except LeaveError as leave:
            raise StopError("code", f"'{leave}' outside of a loop") from None
        except ERRORS as error:
            said = error.args[0] if error.args else ""
            raise StopError("code", f"{type(error).__name__}: {said}") from None

    def block(self, body: list[ast.stmt]) -> None:
        for statement in body:
            self.line = statement.lineno
            self.do(statement)

    def _Expr(self, node: ast.Expr) -> None:
        self.do(node.value)

    def _Pass(self, node: ast.Pass) -> None: ...

    def _Assert(self, node: ast.Assert) -> None:
        if isinstance(node.test, ast.Tuple):
            raise StopError("refused", "the assertion of a tuple always holds; write it without the parentheses")
        if not self.do(node.test):
            message = None if node.msg is None else functions.text(self.budget, self.do(node.msg))
            raise FailedError(node, message)

    def _Assign(self, node: ast.Assign) -> None:
        value = self.do(node.value)
        for target in node.targets:
            self.assign(target, value)

    def _AugAssign(self, node: ast.AugAssign) -> None:
        before = self.do(node.target)
        self.assign(node.target, self.binary(node.op, before, self.do(node.value)))

    def assign(self, target: ast.AST, value: Any) -> None:
        self.budget.charge(1)
        if isinstance(target, ast.Name):
            self.names[allowed(target.id)] = value
        elif isinstance(target, ast.Tuple | ast.List):
            values = functions.items(self.budget, value)
            if len(values) != len(target.elts):
                raise ValueError(f"{len(values)} values for {len(target.elts)} names")
            for each, part in zip(target.elts, values, strict=True):
                self.assign(each, part)
        else:
            refuse(CALLED[type(target).__name__])

    def _If(self, node: ast.If) -> None:
        self.block(node.body if self.do(node.test) else node.orelse)

    def _While(self, node: ast.While) -> None:
        def rounds() -> Iterator[None]:
            while self.do(node.test):
                yield None

        self._loop(node, rounds(), None)

    def _For(self, node: ast.For) -> None:
        values = self.do(node.iter)
        if not isinstance(values, functions.SEQUENCES):
            raise TypeError(f"{type(values).__name__!r} cannot be gone through")
        self._loop(node, iter(values), node.target)

    def _loop(self, node: ast.While | ast.For, rounds: Iterator[Any], target: ast.AST | None) -> None:
        self.loops.append(node.lineno)
        for value in rounds:
            self.budget.charge(1)
            if target is not None:
                self.assign(target, value)
            try:
                self.block(node.body)
            except LeaveError as leave:
                if str(leave) == "break":
                    break
        else:
            self.block(node.orelse)
        self.loops.pop()

    def _Break(self, node: ast.Break) -> None:
        raise LeaveError("break")

    def _Continue(self, node: ast.Continue) -> None:
        raise LeaveError("continue")


def calculate(text: str) -> int | None:
    """A whole number that an expression of numbers makes; None if it is anything else."""
    program = Program({}, Budget(BLOCK))
    try:
        tree = parse(f"assert ({text.strip()})")
        value = program.do(tree.body[0].test)  # type: ignore[attr-defined]
    except (StopError, SyntaxError, NameError, *ERRORS):
        return None
    return value if isinstance(value, int) else None
