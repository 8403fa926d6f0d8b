# SPDX-License-Identifier: GPL-2.0-or-later
"""What a call may be given, read from the annotations of the operations: wrong arguments end at the boundary, with a
sentence, before anything has changed. Values (a port, an address) are judged by the operations themselves."""

import errno
import inspect
from collections.abc import Callable, Mapping
from types import UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from labstack.core.errors import StackError


class Parameter(NamedTuple):
    types: tuple[type, ...]
    says: str


class Shape(NamedTuple):
    """The parameters of an operation, without the host; the first `required` have no default."""

    params: dict[str, Parameter]
    required: int


def shape(op: Callable[..., Any]) -> Shape:
    """Read the signature of an operation. bytearray is welcome where bytes are."""
    hints = get_type_hints(op)
    params = list(inspect.signature(op).parameters.values())[1:]
    found = {}
    for param in params:
        types = _types(hints[param.name])
        says = " or ".join("None" if t is type(None) else t.__name__ for t in types)
        found[param.name] = Parameter((*types, bytearray) if memoryview in types else types, says)
    return Shape(found, sum(param.default is param.empty for param in params))


def _types(hint: Any) -> tuple[type, ...]:
    if get_origin(hint) in (Union, UnionType):
        return tuple(t for part in get_args(hint) for t in _types(part))
    return (get_origin(hint) or hint,)


def check(op: str, wanted: Shape, args: tuple[Any, ...], named: Mapping[str, Any]) -> None:
    """Raise StackError EINVAL if there are too many arguments, or too few, or one that op cannot take."""
    params, required = wanted
    if len(args) < required and any(name not in named for name in list(params)[len(args) : required]):
        raise _wrong(op, wanted, f"{len(args) + len(named)} arguments are too few")
    if len(args) > len(params):
        raise _wrong(op, wanted, f"{len(args)} arguments are too many")
    for value, name in zip(args, params, strict=False):
        if not isinstance(value, params[name].types):
            raise _wrong(op, wanted, f"{name} = {value!r}: expected {params[name].says}")
    for name in list(params)[: len(args)]:
        if name in named:
            raise _wrong(op, wanted, f"{name} was given twice")
    for name, value in named.items():
        if name not in params:
            raise _wrong(op, wanted, f"no argument {name!r}")
        if not isinstance(value, params[name].types):
            raise _wrong(op, wanted, f"{name} = {value!r}: expected {params[name].says}")


def _wrong(op: str, wanted: Shape, why: str) -> StackError:
    names = [*wanted.params]
    shown = ", ".join(names[: wanted.required] + [f"[{name}]" for name in names[wanted.required :]])
    return StackError(errno.EINVAL, f"{op}: {why}; the call is {op}({shown})")
