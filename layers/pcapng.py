# SPDX-License-Identifier: GPL-2.0-or-later
"""pcapng blocks (draft-ietf-opsawg-pcapng), little-endian, time stamps in nanoseconds: values to bytes and back.

A file is `section()`, then an `interface()` for each, then packets in any order. No file is touched here.
`read` takes what others write, either byte order and any resolution, and stops quietly where the bytes make no sense.
"""

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

SECTION, INTERFACE, SIMPLE, ENHANCED = 0x0A0D0D0A, 1, 3, 6
MAGIC = 0x1A2B3C4D
ETHERNET = 1

_COMMENT, _NAME, _RESOLUTION, _FLAGS = 1, 2, 9, 2  # option codes; names and flags belong to different blocks
_DIRECTIONS = {"in": 1, "out": 2, "": 0}


def _block(kind: int, body: bytes) -> bytes:
    size = (12 + len(body)).to_bytes(4, "little")
    return kind.to_bytes(4, "little") + size + body + size


def _option(code: int, value: bytes) -> bytes:
    return Struct("<HH").pack(code, len(value)) + value + bytes(-len(value) % 4)


def section(application: str = "labstack") -> bytes:
    """Return a section header block."""
    options = _option(4, application.encode()) + bytes(4) if application else b""
    return _block(SECTION, Struct("<IHHq").pack(MAGIC, 1, 0, -1) + options)


def interface(name: str, linktype: int = ETHERNET, snaplen: int = 0) -> bytes:
    """Return an interface description block; `snaplen` 0 says that packets are never cut."""
    options = _option(_NAME, name.encode()) + _option(_RESOLUTION, b"\x09") + bytes(4)
    return _block(INTERFACE, Struct("<HHI").pack(linktype, 0, snaplen) + options)


def packet(
    interface_index: int,
    ns: int,
    data: bytes | bytearray | memoryview,
    comment: str = "",
    direction: str = "",
    original_length: int | None = None,
) -> bytes:
    """Return an enhanced packet block, captured at `ns` (integer nanoseconds), going "in", "out" or "" (unknown)."""
    data = bytes(data)
    length = len(data) if original_length is None else original_length
    options = _option(_COMMENT, comment.encode()[:0xFFFF]) if comment else b""
    if direction:
        options += _option(_FLAGS, _DIRECTIONS[direction].to_bytes(4, "little"))
    head = Struct("<IIIII").pack(interface_index, ns >> 32, ns & 0xFFFFFFFF, len(data), length)
    return _block(ENHANCED, head + data + bytes(-len(data) % 4) + (options + bytes(4) if options else b""))


class Packet(NamedTuple):
    """A packet read from a capture: `ns` is its time in nanoseconds, `original_length` what it had before any cut."""

    interface: str
    linktype: int
    ns: int
    data: bytes
    comment: str
    direction: str
    original_length: int


class _Interface(NamedTuple):
    name: str
    linktype: int
    units: int  # per second


def read(data: bytes) -> Iterator[Packet]:
    """Yield the packets of a pcapng file; stop where the bytes make no sense, never raise."""
    order, at = "<", 0
    interfaces: list[_Interface] = []
    while at + 12 <= len(data):
        if data[at : at + 4] == b"\x0a\x0d\x0d\x0a":
            order, interfaces = (">" if data[at + 8 : at + 12] == b"\x1a\x2b\x3c\x4d" else "<"), []
        kind, size = Struct(order + "II").unpack_from(data, at)
        if size < 12 or size % 4 or at + size > len(data):
            return
        body = data[at + 8 : at + size - 4]
        if kind == INTERFACE and len(body) >= 8:
            interfaces.append(_read_interface(body, order))
        elif kind == ENHANCED and len(body) >= 20:
            found = _read_packet(body, order, interfaces)
            if found is None:
                return
            yield found
        elif kind == SIMPLE and len(body) >= 4 and interfaces:
            length = int(Struct(order + "I").unpack_from(body)[0])
            yield Packet(interfaces[0].name, interfaces[0].linktype, 0, body[4 : 4 + length], "", "", length)
        at += size


def _read_interface(body: bytes, order: str) -> _Interface:
    options = _options(body[8:], order)
    code = (options.get(_RESOLUTION) or b"\x06")[0]
    units = 1 << (code & 0x7F) if code & 0x80 else 10 ** (code & 0x7F)
    name = options.get(_NAME, b"").decode("utf-8", "replace")
    return _Interface(name, Struct(order + "H").unpack_from(body)[0], units)


def _read_packet(body: bytes, order: str, interfaces: list[_Interface]) -> Packet | None:
    index, high, low, captured, length = Struct(order + "IIIII").unpack_from(body)
    if index >= len(interfaces) or 20 + captured > len(body):
        return None
    name, linktype, units = interfaces[index]
    options = _options(body[20 + captured + -captured % 4 :], order)
    flags = int.from_bytes(options.get(_FLAGS, b""), "little" if order == "<" else "big") & 3
    direction = {1: "in", 2: "out"}.get(flags, "")
    comment = options.get(_COMMENT, b"").decode("utf-8", "replace")
    ns = (high << 32 | low) * 10**9 // units
    return Packet(name, linktype, ns, body[20 : 20 + captured], comment, direction, length)


def _options(data: bytes, order: str) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at + 4 <= len(data):
        code, size = Struct(order + "HH").unpack_from(data, at)
        if code == 0 or at + 4 + size > len(data):
            break
        found.setdefault(code, data[at + 4 : at + 4 + size])
        at += 4 + size + -size % 4
    return found
