# SPDX-License-Identifier: GPL-2.0-or-later
"""How a header class is made: its rows become a table and slots, its functions are installed, its name is registered.

Every field name is also known to `Header` itself, as a descriptor that finds the field in a header above.
"""

from typing import Any

from layers.codegen import install
from layers.field import Field

REGISTRY: dict[str, Any] = {}  # every header class by its name


class HeaderType(type):
    """Collects the rows of a class body into its table, makes the slots, and installs the generated functions."""

    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> "HeaderType":
        table = {row.name: row for row in getattr(bases[0], "table", ())} if bases else {}
        slots = list(body.get("__slots__", ()))
        for key, row in [(key, row) for key, row in body.items() if isinstance(row, Field)]:
            row.named(key)
            if key not in table:
                slots.append(row.slot)
            table[key] = row
            if row.slot == key:
                del body[key]
        body["__slots__"] = tuple(slots)
        body["table"] = list(table.values())
        if "key" in body:
            body.setdefault("uppers", {})
            body.setdefault("lowers", {})
        body.setdefault("name", name)
        if bases and not hasattr(bases[0], "short"):
            body.setdefault("short", name.lower() + "-short")
        made = super().__new__(cls, name, bases, body)
        install(made)
        REGISTRY[name] = made
        for field in [name for row in table.values() for name in (row.name, row.slot)]:
            if field not in REGISTRY["Header"].__dict__:
                setattr(REGISTRY["Header"], field, Above(field))
        return made


class Note:
    """A remark on a packet (when, where, which way): Scapy reads and writes these on any packet."""

    __slots__ = ("default", "name")

    def __init__(self, default: Any) -> None:
        self.default = default
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, header: Any, owner: object = None) -> Any:
        meta = None if header is None else header._meta
        return self.default if meta is None else meta.get(self.name, self.default)

    def __set__(self, header: Any, value: Any) -> None:
        if header._meta is None:
            header._meta = {}
        header._meta[self.name] = value


class Above:
    """A field that this header has not: reading or writing it means the first header above that has it, as in Scapy."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def owner(self, header: Any) -> Any:
        """Return the header above that has the field; AttributeError if there is none."""
        for layer in header.payload.layers():
            if any(row.name == self.name or row.slot == self.name for row in layer.table):
                return layer
        raise AttributeError(f"no field {self.name!r} in {header.__class__.__name__} or above it")

    def __get__(self, header: Any, owner: object = None) -> Any:
        return self if header is None else getattr(self.owner(header), self.name)

    def __set__(self, header: Any, value: Any) -> None:
        setattr(self.owner(header), self.name, value)
