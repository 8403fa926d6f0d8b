# SPDX-License-Identifier: GPL-2.0-or-later
"""The expressions of interpreted programs; `statements` has the statements.

Every node costs a step, and what makes values bigger is charged for first. No value changes once it is made, none has
attributes, and functions are no values. Anything else is refused by name.
"""

import ast
import operator
from collections.abc import Callable
from typing import Any

from labstack.scenario.code import functions
from labstack.scenario.code.budget import Budget, StopError, bits, refuse

DEEPEST = 80  # nodes within nodes
SCALARS = (int, float, str, bool, type(None))
CALLED = {
    "Import": "import", "ImportFrom": "import", "Attribute": "an attribute", "With": "with", "ClassDef": "class",
    "Try": "try", "TryStar": "try", "Raise": "raise", "Lambda": "lambda", "Global": "global", "Nonlocal": "nonlocal",
    "Yield": "yield", "YieldFrom": "yield", "Await": "await", "AsyncFunctionDef": "async", "AsyncFor": "async",
    "AsyncWith": "async", "NamedExpr": ":=", "Starred": "a starred expression", "Set": "a set", "Dict": "a dict",
    "ListComp": "a comprehension", "SetComp": "a comprehension", "DictComp": "a comprehension",
    "GeneratorExp": "a comprehension", "Slice": "a slice", "Match": "match", "AnnAssign": "an annotation",
    "FunctionDef": "def", "Return": "return", "Delete": "del", "Subscript": "a change of a list",
}  # fmt: skip

BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: functions.power, ast.LShift: operator.lshift,
    ast.RShift: operator.rshift, ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.BitXor: operator.xor,
}  # fmt: skip
CONVERSIONS: dict[int, Callable[[Any], str]] = {ord("r"): repr, ord("s"): str, ord("a"): ascii}
UNARY: dict[type, Callable[[Any], Any]] = {
    ast.UAdd: operator.pos, ast.USub: operator.neg, ast.Invert: lambda a: ~(int(a) if isinstance(a, bool) else a),
     ast.Not: operator.not_,
}  # fmt: skip
COMPARE: dict[type, Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.Is: operator.is_, ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip


class Expressions:
    """What a program is while it is evaluated: its names, `line`: where it is, `printed`: what it has printed,
    `depth`: of nodes within nodes."""

    def __init__(self, names: dict[str, Any], budget: Budget) -> None:
        self.names, self.budget = names, budget
        self.line = self.depth = 0
        self.printed: list[str] = []

    def do(self, node: ast.AST) -> Any:
        """Execute a statement, or evaluate an expression."""
        name = type(node).__name__
        method: Callable[[Any], Any] | None = getattr(self, f"_{name}", None)
        if method is None:
            refuse(CALLED.get(name, name.lower()))
        self.budget.charge(1)
        self.depth += 1
        if self.depth > DEEPEST:
            raise StopError("code", f"expressions are nested deeper than {DEEPEST}")
        try:
            return method(node)
        finally:
            self.depth -= 1

    def _Constant(self, node: ast.Constant) -> Any:
        if not isinstance(node.value, SCALARS):
            refuse(f"a constant of type {type(node.value).__name__}")
        if isinstance(node.value, int):
            bits(node.value.bit_length())
        return node.value

    def _Name(self, node: ast.Name) -> Any:
        if node.id in self.names:
            return self.names[node.id]
        if allowed(node.id) in functions.FUNCTIONS:
            refuse(f"the function {node.id} as a value")
        raise NameError(node.id)

    def _Tuple(self, node: ast.Tuple) -> tuple[Any, ...]:
        return tuple(self._elements(node.elts))

    def _List(self, node: ast.List) -> list[Any]:
        return self._elements(node.elts)

    def _elements(self, nodes: list[ast.expr]) -> list[Any]:
        found = [self.do(each) for each in nodes]
        self.budget.weigh(found)
        return found

    def _Subscript(self, node: ast.Subscript) -> Any:
        return self.do(node.value)[self.do(node.slice)]

    def _BinOp(self, node: ast.BinOp) -> Any:
        return self.binary(node.op, self.do(node.left), self.do(node.right))

    def binary(self, op: ast.operator, left: Any, right: Any) -> Any:
        function = BINARY.get(type(op)) or refuse("this operator")
        if isinstance(left, str) and isinstance(op, ast.Mod):
            return functions.interpolated(self.budget, left, right)
        self.budget.weigh(left, right)
        _bounded(self.budget, op, left, right)
        value = function(left, right)
        if not isinstance(value, (*SCALARS, list, tuple)):
            raise StopError("code", f"a result of type {type(value).__name__}")
        return value

    def _UnaryOp(self, node: ast.UnaryOp) -> Any:
        return UNARY[type(node.op)](self.do(node.operand))

    def _BoolOp(self, node: ast.BoolOp) -> Any:
        value = None
        for each in node.values:
            value = self.do(each)
            if bool(value) != isinstance(node.op, ast.And):
                break
        return value

    def _Compare(self, node: ast.Compare) -> bool:
        left = self.do(node.left)
        for op, right in zip(node.ops, map(self.do, node.comparators), strict=True):
            self.budget.weigh(left, right)
            if isinstance(op, ast.In | ast.NotIn) and isinstance(right, range) and not isinstance(left, int):
                right = functions.items(self.budget, right)
            if not COMPARE[type(op)](left, right):
                return False
            left = right
        return True

    def _IfExp(self, node: ast.IfExp) -> Any:
        return self.do(node.body if self.do(node.test) else node.orelse)

    def _JoinedStr(self, node: ast.JoinedStr) -> str:
        found = "".join([str(self.do(part)) for part in node.values])
        self.budget.length(len(found))
        return found

    def _FormattedValue(self, node: ast.FormattedValue) -> str:
        value = self.do(node.value)
        if node.conversion != -1:
            self.budget.weigh(value)
            value = CONVERSIONS[node.conversion](value)
        return functions.formatted(self.budget, value, "" if node.format_spec is None else self.do(node.format_spec))

    # calls

    def _Call(self, node: ast.Call) -> Any:
        args = [self.do(arg) for arg in node.args]
        named = {word.arg or refuse("**"): self.do(word.value) for word in node.keywords}
        if not isinstance(node.func, ast.Name):
            refuse("an attribute" if isinstance(node.func, ast.Attribute) else "a call of what is no name")
        name = node.func.id
        if name == "print":
            return self._print(args, **named) if named.keys() <= {"sep", "end"} else refuse("print with more")
        if name not in functions.FUNCTIONS:
            refuse(f"{name}()")
        if named:
            refuse(f"{name}() with named arguments")
        return functions.call(self.budget, name, args)

    def _print(self, args: list[Any], sep: Any = " ", end: Any = "\n") -> None:
        parts = [functions.text(self.budget, value) for value in args]
        self.printed.append(functions.text(self.budget, sep).join(parts) + functions.text(self.budget, end))
        self.budget.length(len(self.printed[-1]))


def allowed(name: str) -> str:
    if name.startswith("__"):
        refuse(f"the name {name}")
    return name


def _bounded(budget: Budget, op: ast.operator, left: Any, right: Any) -> None:
    """StopError if the result would be too big; charge for it."""
    whole = isinstance(left, int) and isinstance(right, int)
    if isinstance(op, ast.LShift) and whole:
        bits(left.bit_length() + right if right < 1 << 20 else 1 << 20)
    elif isinstance(op, ast.Mult) and whole:
        bits(left.bit_length() + right.bit_length())
    elif isinstance(op, ast.Mult):
        for one, times in ((left, right), (right, left)):
            if isinstance(one, str | list | tuple) and isinstance(times, int):
                budget.length(len(one) * max(times, 0))
    elif isinstance(op, ast.Add) and whole:
        bits(max(left.bit_length(), right.bit_length()))
    elif isinstance(op, ast.Add) and isinstance(left, str | list | tuple) and isinstance(right, type(left)):
        budget.length(len(left) + len(right))
