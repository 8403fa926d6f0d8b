# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets as expressions of Python: `Ether(dst=HOST_MAC) / ARP(op=1, psrc=PEER, pdst=HOST)`.

What is sent is said with the fewest fields that give the same bytes; of what is expected, what a reader would look
for: no lengths, sums or identifications, which a pattern looks after itself or does not care about.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import truediv
from typing import Any

from labstack.scenario.play.pattern import read
from layers.field import FlagValue

SHORT = 48  # bytes that are written out
UNSAID = frozenset(
    (
        "version", "ihl", "len", "chksum", "plen", "cksum", "dataofs", "length", "reserved", "res", "unused", "hwtype",
        "ptype", "hwlen", "ttl", "hlim", "tos", "tc", "fl", "type_", "nexthopmtu", "urgptr",
    )
)  # fmt: skip
DATA = ("Raw", "Padding")
MF = 1
Fields = dict[str, Any]
Layers = list[tuple[Any, Fields]]


def sent(data: bytes, net: int, names: Mapping[str, str]) -> str:
    """The expression for what is sent; names: what stands for an address. Bytes for what our layers cannot say."""
    found = [(type(layer), dict(layer.given())) for layer in read(data, "ether" if net else "ip").layers()]
    if _built(found) != data:
        return written(data)
    for kind, fields in found:
        for name in () if kind.__name__ in DATA else list(fields):
            value = fields.pop(name)
            if _built(found) != data:
                fields[name] = value
    return _said(found, names)


def expected(data: bytes, net: int, names: Mapping[str, str]) -> str:
    """The pattern for what is expected."""
    packet = read(data, "ether" if net else "ip")
    found = [(type(layer), _telling(layer)) for layer in packet.layers() if type(layer).__name__ != "Padding"]
    return _said([it for it in found if it[1] or it[0].__name__ not in DATA], names)


def written(data: bytes) -> str:
    """Bytes as Python has them; many that are the same are said as such."""
    if len(data) > SHORT and len(set(data)) == 1:
        return f"{data[:1]!r} * {len(data)}"
    return repr(data)


def _telling(layer: Any) -> Fields:
    fields = {name: value for name, value in layer.given().items() if name not in UNSAID}
    if type(layer).__name__ in ("IP", "IPerror"):
        fields.pop("id", None)
        if not (fields.get("frag") or fields.get("flags", 0) & MF):
            fields = {name: value for name, value in fields.items() if name not in ("flags", "frag")}
    return fields


def _built(found: Layers) -> bytes | None:
    """The bytes of these layers; None if there can be none."""
    try:
        return bytes(reduce(truediv, [kind(**fields) for kind, fields in found]))
    except (ValueError, TypeError):
        return None


def _said(found: Sequence[tuple[Any, Fields]], names: Mapping[str, str]) -> str:
    return " / ".join([_layer(kind.__name__, fields, names) for kind, fields in found])


def _layer(kind: str, fields: Fields, names: Mapping[str, str]) -> str:
    if kind in DATA:
        said = written(bytes(fields["load"]))
        return f"({said})" if "*" in said[-12:] and said[-1] not in "'\"" else said
    words = [f"{name}={_value(value, names)}" for name, value in fields.items()]
    return f"{kind}({', '.join(words)})"


def _value(value: Any, names: Mapping[str, str]) -> str:
    if isinstance(value, str):
        return names.get(value, repr(value))
    if isinstance(value, FlagValue):
        return repr(str(value) or 0)
    if isinstance(value, list) and value and hasattr(value[0], "given"):
        return f"[{', '.join([_layer(type(it).__name__, it.given(), names) for it in value])}]"
    return written(value) if isinstance(value, bytes) else repr(value)
