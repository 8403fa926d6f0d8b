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
    """The parameters of an operation, without the host; the first `required` have no default; more: *args follow."""

    params: dict[str, Parameter]
    required: int
    types: tuple[tuple[type, ...], ...]
    more: bool = False


def shape(op: Callable[..., Any], skip: int = 1) -> Shape:
    """Read the signature of an operation, but for the first `skip` parameters. bytearray is welcome where bytes are."""
    hints = get_type_hints(op)
    params = list(inspect.signature(op).parameters.values())[skip:]
    more = bool(params) and params[-1].kind is inspect.Parameter.VAR_POSITIONAL
    params = params[:-1] if more else params
    found = {}
    for param in params:
        types = _types(hints[param.name])
        says = " or ".join("None" if t is type(None) else t.__name__ for t in types)
        found[param.name] = Parameter((*types, bytearray) if memoryview in types else types, says)
    required = sum(param.default is param.empty for param in params)
    return Shape(found, required, tuple(it.types for it in found.values()), more)


def _types(hint: Any) -> tuple[type, ...]:
    if get_origin(hint) in (Union, UnionType):
        return tuple(t for part in get_args(hint) for t in _types(part))
    return (get_origin(hint) or hint,)


def check(op: str, wanted: Shape, args: tuple[Any, ...], named: Mapping[str, Any]) -> None:
    """Raise StackError EINVAL if there are too many arguments, or too few, or one that op cannot take."""
    if named or not wanted.required <= len(args) or (len(args) > len(wanted.types) and not wanted.more):
        _check_names(op, wanted, args, named)
    if not all(map(isinstance, args, wanted.types)):
        given = zip(wanted.params, args, wanted.types, strict=False)
        name, value = next((name, value) for name, value, types in given if not isinstance(value, types))
        raise _wrong(op, wanted, f"{name} = {value!r}: expected {wanted.params[name].says}")
    if not named:
        return
    for name, value in named.items():
        if not isinstance(value, wanted.params[name].types):
            raise _wrong(op, wanted, f"{name} = {value!r}: expected {wanted.params[name].says}")


def _check_names(op: str, wanted: Shape, args: tuple[Any, ...], named: Mapping[str, Any]) -> None:
    names = list(wanted.params)
    if len(args) > len(names) and not wanted.more:
        raise _wrong(op, wanted, f"{len(args)} arguments are too many")
    for name in named:
        if name not in names[len(args) :]:
            raise _wrong(op, wanted, f"{name} was given twice" if name in names else f"no argument {name!r}")
    if any(name not in named for name in names[len(args) : wanted.required]):
        raise _wrong(op, wanted, f"{len(args) + len(named)} arguments are too few")


def _wrong(op: str, wanted: Shape, why: str) -> StackError:
    names = [*wanted.params]
    shown = ", ".join(names[: wanted.required] + [f"[{name}]" for name in names[wanted.required :]])
    return StackError(errno.EINVAL, f"{op}: {why}; the call is {op}({shown})")
