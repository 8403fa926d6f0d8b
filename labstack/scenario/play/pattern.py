# SPDX-License-Identifier: GPL-2.0-or-later
"""Patterns: packets of which only what somebody set is compared, with what a host sent.

    Pattern(IP(src="10.0.0.1") / TCP(flags=has("A"), ack=80, options=[("MSS", ANY)]) / b"hello").rows(packet)

A pattern is a packet of ours or of Scapy's, a header class (any packet with it), bytes (these and no others), or a
function of the packet. Its headers must be there in this order, others may stand between. Options are a subset: those
that are named must be there, in any order, with their value (None: any); `exactly` says that there are no others.
Payload is compared whole.
Fields hold values or conditions (`condition`).
"""

from collections.abc import Iterable, Iterator
from typing import Any

from labstack.scenario.play.condition import Condition, condition, shown
from labstack.scenario.verdict import ANYTHING, Field, PlayError
from layers import (
    IP,
    NOTHING,
    UDP,
    Ether,
    Header,
    ICMPerror,
    IPerror,
    IPerror6,
    IPv6,
    IPv6ExtHdrFragment,
    Padding,
    Raw,
    TCPerror,
    UDPerror,
    from_scapy,
)
from layers.bridge import our_class
from layers.field import Field as Row

QUOTED = (IPerror, IPerror6, TCPerror, UDPerror, ICMPerror)  # headers inside an ICMP error: meant only if named
Wanted = Any  # a packet of ours or Scapy's, a header class, bytes, a function of the packet


class PatternError(PlayError):
    """This is no pattern, or a value in it can never be; str() says what was given and what is expected."""


class Pattern:
    """What is expected of a packet. Raises PatternError."""

    def __init__(self, wanted: Wanted) -> None:
        self.test: Condition | None = None
        self.layers: list[tuple[Any, dict[Any, Any]]] = []  # header class, row -> value or condition
        self.data: bytes | None = None
        if isinstance(wanted, type) and hasattr(wanted, "getlayer"):
            wanted = wanted()
        if isinstance(wanted, bytes | bytearray | memoryview):
            self.data = bytes(wanted)
        elif isinstance(wanted, Header) or hasattr(wanted, "fields_desc"):
            self.layers = [_given(layer) for layer in _ours(wanted)]
        elif callable(wanted):
            self.test = condition(wanted)
        else:
            raise PatternError(
                f"{wanted!r} is no pattern: expected a packet, a header class, bytes, or a function of the packet"
            )

    def __str__(self) -> str:
        if self.data is not None:
            return f"these {len(self.data)} bytes"
        return str(self.test) if self.test else " / ".join(_words(kind, rows) for kind, rows in self.layers)

    def matches(self, packet: Header) -> bool:
        """Is it such a packet?"""
        return not any(row.differs for row in self.rows(packet))

    def rows(self, packet: Header) -> tuple[Field, ...]:
        """All fields of the headers in question side by side; `row.differs` marks those that are wrong."""
        if self.test:
            return (_row("packet", self.test, packet, packet.summary(), self.test(packet)),)
        if self.data is not None:
            return _bytes(self.data, packet)
        found = list(_found(self.layers, packet))
        if len(found) < len(self.layers):
            return (Field("headers", _chain(kind for kind, _ in self.layers), _chain(map(type, packet.layers()))),)
        return tuple(row for layer, rows in found for row in _compared(layer, rows))


def read(data: bytes, link: str) -> Any:
    """A packet as the link carries it, as our layers; link: "ip" or "ether"."""
    if link == "ether":
        return Ether(data)
    return (IPv6 if data[:1] and data[0] >> 4 == 6 else IP)(data)


# what is wanted


def _ours(wanted: Any) -> list[Any]:
    """The headers of a packet, those of Scapy's as ours with what somebody set in them."""
    if isinstance(wanted, Header):
        return list(wanted.layers())
    found = []
    while type(wanted).__name__ != "NoPayload":
        found.append(_turned(wanted))
        wanted = wanted.payload
    return found


def _turned(theirs: Any) -> Any:
    """One header of Scapy's as ours; what nobody set stays unset."""
    kind = our_class(type(theirs))
    values = {name: _value(value) for name, value in theirs.fields.items()}
    known = {row.name for row in kind.table}
    if unknown := values.keys() - known:
        raise PatternError(f"{type(theirs).__name__}: {min(unknown)!r} cannot be compared; there are {sorted(known)}")
    return kind(**values)


def _value(value: Any) -> Any:
    """A value of Scapy's as ours: flags are numbers, headers in lists are ours."""
    if isinstance(value, list):
        return [from_scapy(it) if hasattr(it, "fields_desc") else it for it in value]
    return int(value) if type(value).__name__ == "FlagValue" else value


def _given(layer: Any) -> tuple[Any, dict[Any, Any]]:
    """A header's class, and what somebody set in it, checked."""
    given = layer.given()
    rows = {row: given[row.name] for row in layer.table if row.name in given}
    for row, value in rows.items():
        try:
            for it in value if isinstance(value, set | frozenset) else (value,):
                if row.codec is None and not (callable(it) or isinstance(it, range)):
                    row.value(it)
        except (ValueError, TypeError) as error:
            raise PatternError(f"{type(layer).__name__}: {error}") from None
    return type(layer), rows


def _words(kind: Any, rows: dict[Any, Any]) -> str:
    fields = [f"{row.name}={_text(row, value)}" for row, value in rows.items()]
    return f"{kind.__name__}({', '.join(fields)})" if fields else str(kind.__name__)


# what came


def _found(layers: list[tuple[Any, dict[Any, Any]]], packet: Header) -> Iterator[tuple[Any, dict[Any, Any]]]:
    """The header that each part of the pattern is about, up to the first that is not there."""
    there = packet.layers()
    below: Any = None
    for kind, rows in layers:
        layer = Raw(load=payload(below or packet)) if kind is Raw else next((it for it in there if _is(it, kind)), None)
        if layer is None:
            return
        below = layer
        yield layer, rows


def _chain(kinds: Iterable[Any]) -> str:
    return " / ".join(kind.__name__ for kind in kinds)


def _is(layer: Any, kind: Any) -> bool:
    return type(layer) is kind or (isinstance(layer, kind) and not isinstance(layer, QUOTED))


def payload(layer: Any) -> bytes:
    """The bytes above a header, without padding."""
    top = layer.copy()
    for it in top.layers():
        if isinstance(it.payload, Padding):
            it.payload = NOTHING
    return bytes(top.payload)


def _bytes(wanted: bytes, packet: Header) -> tuple[Field, ...]:
    """The fields of two packets, all of them, and their bytes should only those differ."""
    data = bytes(packet)
    rows = Pattern(type(packet)(wanted)).rows(packet) if wanted else ()
    if any(row.differs for row in rows) or wanted == data:
        return rows
    return (*rows, Field("bytes", wanted.hex(), data.hex()))


# side by side


def _compared(layer: Any, rows: dict[Any, Any]) -> Iterator[Field]:
    """The rows of one header: what is asked, and what else it says that is not computed."""
    name = type(layer).__name__
    for row in layer.table:
        actual = getattr(layer, row.name)
        if row in rows and _parts(rows[row]):
            yield from _options(f"{name}.{row.name}", rows[row], actual or [])
        elif row in rows:
            wanted = condition(rows[row])
            yield _row(f"{name}.{row.name}", rows[row], actual, row.text(actual), wanted(actual, row), row)
        elif row.default is not None and not isinstance(layer, Raw):
            yield Field(f"{name}.{row.name}", ANYTHING, row.text(actual))


def _row(name: str, wanted: Any, actual: Any, text: str, holds: bool, row: Row | None = None) -> Field:
    """One row; what is wrong never looks right."""
    expected, text = _text(row, wanted), shown(actual) if isinstance(actual, bytes) else text
    if not holds and expected == text:
        expected, text = repr(wanted), repr(actual)
    return Field(name, expected, text, enough=holds)


def _text(row: Row | None, wanted: Any) -> str:
    """What is wanted, as a failure shows it."""
    if callable(wanted) or isinstance(wanted, range | set | frozenset):
        return condition(wanted).words
    return shown(wanted) if row is None or row.codec else row.text(row.value(wanted))


def _parts(wanted: Any) -> bool:
    """Is it a list of which each part is looked for on its own: options, headers?"""
    return isinstance(wanted, list | tuple) and any(isinstance(it, tuple | Header) for it in wanted)


def _options(name: str, wanted: list[Any], actual: list[Any]) -> Iterator[Field]:
    """A row for each option that is wanted."""
    left = list(actual)
    for part in wanted:
        key = _key(part)
        there = [it for it in left if _key(it) == key]
        best = next((it for it in there if _fits(part, it)), there[0] if there else None)
        if best is not None:
            left.remove(best)
        text = _option(best) if best is not None else ""
        yield Field(f"{name}.{key}", _option(part), text, enough=best is not None and _fits(part, best))


def _key(part: Any) -> Any:
    return part[0] if isinstance(part, tuple) else type(part).__name__


def _fits(part: Any, there: Any) -> bool:
    if isinstance(part, Header):
        return Pattern(part).matches(there)
    wanted, value = part[1], there[1]
    if wanted is None:
        return True
    if isinstance(wanted, tuple) and isinstance(value, tuple) and len(wanted) == len(value):
        return all(condition(one)(two) for one, two in zip(wanted, value, strict=True))
    return condition(wanted)(value)


def _option(part: Any) -> str:
    """An option's value as text; one without any is there."""
    if isinstance(part, Header):
        return part.summary()
    return "there" if part[1] in (None, b"") else _text(None, part[1])


# what always must be right


def unsound(packet: Header) -> tuple[Field, ...]:
    """The checksums of a packet that are wrong, side by side with what they should be; of fragments only the first."""
    right = packet.copy()
    for layer in right.layers():
        if isinstance(layer, QUOTED):
            break
        for row in layer.table:
            if row.sum is not None and not (isinstance(layer, UDP) and layer.chksum == 0):
                setattr(layer, row.name, None)
        if isinstance(layer, IPv6ExtHdrFragment) or (isinstance(layer, IP) and (layer.frag or layer.flags & 1)):
            break
    return tuple(
        Field(f"{type(a).__name__}.{row.name}", row.text(getattr(b, row.name)), row.text(getattr(a, row.name)))
        for a, b in zip(packet.layers(), type(packet)(bytes(right)).layers(), strict=False)
        for row in a.table
        # 0 and 0xffff are the same number (RFC 1071 §1): Linux writes either
        if row.sum is not None and getattr(a, row.name) % 0xFFFF != getattr(b, row.name) % 0xFFFF
    )
