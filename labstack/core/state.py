# SPDX-License-Identifier: GPL-2.0-or-later
"""@state: records that can be cloned, compared and diffed in microseconds.

Strategy: mutate inside a step, clone outside it. A state holds ints, bytes, strings, tuples, lists, dicts and
deques of those, and other states; nothing that a copy would have to share and could then change. From the
annotations of the class we write the source of `clone`, `diff`, `==` and `as_dict`, and register it in
`linecache`, so that a debugger steps through it like any other code.

A value that is immutable, or is shared on purpose, is copied by reference: everything that is not a State, a
list, a dict, a set or a deque.
"""

import dataclasses
import linecache
import types
import typing
from collections import defaultdict, deque
from typing import Any, Self, TypeVar, dataclass_transform

T = TypeVar("T")
Difference = tuple[str, object, object]  # path, ours, theirs
_CONTAINERS = (list, dict, set, deque, defaultdict)
field = dataclasses.field


class State:
    """What a class decorated with @state can do; the bodies are generated for each class."""

    __slots__ = ()

    def clone(self) -> Self:
        """An equal state that shares nothing that can change."""
        raise TypeError(f"{type(self).__name__} is not decorated with @state")

    def diff(self, other: Self, path: str = "") -> list[Difference]:
        """The fields in which other differs: (path, ours, theirs), depth first."""
        raise TypeError(f"{type(self).__name__} is not decorated with @state")

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts, lists and scalars, for printing and for JSON."""
        raise TypeError(f"{type(self).__name__} is not decorated with @state")


@dataclass_transform(field_specifiers=(dataclasses.field,))
def state(cls: type[T]) -> type[T]:
    """Make cls a slotted record with generated clone(), diff(), ==, as_dict() and an __init__ from its annotations.

    A field declared with `field(compare=False)` is copied by clone() but ignored by == and diff().
    """
    made = dataclasses.dataclass(slots=True, eq=False, repr=False)(cls)
    names = [(f.name, f.type, f.compare) for f in dataclasses.fields(made)]  # type: ignore[arg-type]
    source = _source(names)
    space: dict[str, Any] = {"new": object.__new__, "cls": made, "differ": differ, "plain": plain, "deque": deque}
    filename = f"<@state {made.__module__}.{made.__qualname__}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    exec(compile(source, filename, "exec"), space)
    for name in ("clone", "diff", "as_dict", "__eq__", "__repr__"):
        setattr(made, name, space[name])
    made.__hash__ = None  # type: ignore[assignment]
    return made


def _source(fields: list[tuple[str, Any, bool]]) -> str:
    copies = "".join(f"    it.{name} = {_copy('self.' + name, kind)}\n" for name, kind, _ in fields)
    compared = [name for name, _, compare in fields if compare]
    equal = " and ".join(f"self.{name} == other.{name}" for name in compared) or "True"
    diffs = "".join(
        f"    if self.{name} != other.{name}: found += differ(self.{name}, other.{name}, path + {'.' + name!r})\n"
        for name in compared
    )
    plains = ", ".join(f"{name!r}: plain(self.{name})" for name, _, _ in fields)
    shown = ", ".join(f"{name}={{self.{name}!r}}" for name in compared)
    return (
        f"def clone(self):\n    it = new(cls)\n{copies}    return it\n\n"
        f"def __eq__(self, other):\n    return self is other or (type(other) is cls and {equal})\n\n"
        f"def diff(self, other, path=''):\n    found = []\n{diffs}    return found\n\n"
        f"def as_dict(self):\n    return {{{plains}}}\n\n"
        f"def __repr__(self):\n    return f'{{cls.__name__}}({shown})'\n"
    )


def _copy(value: str, kind: Any) -> str:
    """The expression that copies a value of the annotated kind."""
    origin, args = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        rest = [a for a in args if a is not type(None)]
        inner = {_copy("x", a) for a in rest}
        if inner == {"x"}:
            return value
        if len(rest) > 1:
            raise TypeError(f"@state cannot copy the union {kind}: only 'X | None' may hold a mutable X")
        return f"None if {value} is None else {_copy(value, rest[0])}"
    if not isinstance(origin, type):
        return value
    if origin in _CONTAINERS:
        return _copy_container(value, origin, args)
    return f"{value}.clone()" if issubclass(origin, State) else value


def _copy_container(value: str, origin: Any, args: tuple[Any, ...]) -> str:
    inner = _copy("x", args[-1]) if args else "x"
    if inner == "x":
        return f"{value}.copy()"
    if origin is dict:
        return f"{{k: {inner} for k, x in {value}.items()}}"
    if origin is list:
        return f"[{inner} for x in {value}]"
    if origin is deque:
        return f"deque([{inner} for x in {value}])"
    raise TypeError(f"@state cannot copy a {origin.__name__} of {args}")


def differ(ours: Any, theirs: Any, path: str) -> list[Difference]:
    """How two unequal values differ, looking inside states, dicts and lists of equal length."""
    if isinstance(ours, State) and type(ours) is type(theirs):
        return ours.diff(theirs, path)
    if isinstance(ours, dict) and isinstance(theirs, dict):
        keys = [*ours, *(k for k in theirs if k not in ours)]
        pairs = [(_key(k), ours.get(k), theirs.get(k)) for k in keys]
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = [(str(i), a, b) for i, (a, b) in enumerate(zip(ours, theirs, strict=True))]
    else:
        return [(path.lstrip("."), ours, theirs)]
    return [d for key, a, b in pairs if a != b for d in differ(a, b, f"{path}[{key}]")]


def _key(key: Any) -> str:
    return key.hex(":") if isinstance(key, bytes) else str(key)


def plain(value: Any) -> Any:
    """A value as dicts, lists and scalars."""
    if isinstance(value, State):
        return value.as_dict()
    if isinstance(value, dict):
        return {_key(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, deque, set, frozenset)):
        return [plain(v) for v in value]
    return bytes(value) if isinstance(value, memoryview) else value
