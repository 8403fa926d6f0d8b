# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP (RFC 9293 §3.1): the header and its options, under Scapy's option names.

An option is (name, value), or (kind, bytes) if the kind has no name: MSS WScale UTO int · Timestamp SAck tuples ·
AO (keyid, rnextkeyid, mac) · AccECN0 AccECN1 up to three counters in wire order (RFC 9768) · SAckOK MD5 bytes · TFO two
words if the cookie has 8 bytes, else bytes · NOP EOL None. A value that has not its option's size stays bytes.
Options: RFC 9293 §3.2, RFC 2018, 7323, 2385, 5925, 5482, 7413, 9768. What options mean is left to the stack.
"""

from collections.abc import Sequence
from struct import Struct, error, unpack
from typing import Any

from layers.field import Codec, FlagValue, bits, checksum, u16, u32, var
from layers.ip import IP, IPerror
from layers.ip6 import IPerror6, IPv6
from layers.packet import Header, bind
from layers.upper import upper_sum

Option = tuple[str | int, Any]

FLAGS = "FSRPAUECN"
BAD_DATAOFS = "tcp-dataofs"
OPTION_LENGTH = "tcp-option-length"  # a length below 2
OPTION_TRUNCATED = "tcp-option-truncated"  # an option that ends behind the header

#: kind: (name, struct format of the value, or None if it stays bytes)
KINDS: dict[int, tuple[str, str | None]] = {
    0: ("EOL", None),
    1: ("NOP", None),
    2: ("MSS", "!H"),
    3: ("WScale", "!B"),
    4: ("SAckOK", None),
    5: ("SAck", None),
    8: ("Timestamp", "!II"),
    14: ("AltChkSum", "!BH"),
    15: ("AltChkSumOpt", None),
    19: ("MD5", None),
    25: ("Mood", None),
    28: ("UTO", "!H"),
    29: ("AO", None),
    34: ("TFO", "!II"),
    172: ("AccECN0", None),
    174: ("AccECN1", None),
}
NAMES = {name: (kind, form) for kind, (name, form) in KINDS.items()}
REST = "Rest"  # not an option: bytes that are no option, written back as they were
_QUOTED = 8  # bytes that RFC 792 promises of a quoted header
_NOP: Option = ("NOP", None)
_STAMPED = Struct("!III").unpack
_PADS = b"", b"\0\0\0", b"\0\0", b"\0"
_EOL: Option = ("EOL", None)
_STAMPS_OPTION = Struct("!BBII").pack


def parse_options(raw: bytes | bytearray | memoryview) -> tuple[list[Option], str | None]:
    """Return the options in `raw` up to the end or EOL, and what was malformed behind them (a drop reason) or None."""
    options, flaw, _ = _scan(bytes(raw))
    return options, flaw


def _scan(raw: bytes) -> tuple[list[Option], str | None, int]:
    """Return options, flaw, and how many bytes they took; every step moves on by at least one byte."""
    options: list[Option] = []
    at, end = 0, len(raw)
    while at < end:
        kind = raw[at]
        if kind == 1:
            options.append(_NOP)
            at += 1
            continue
        if kind == 0:
            options.append(_EOL)
            return options, None, at + 1
        if at + 1 == end:
            return options, OPTION_TRUNCATED, at
        length = raw[at + 1]
        if length < 2 or at + length > end:
            return options, OPTION_LENGTH if length < 2 else OPTION_TRUNCATED, at
        options.append(_option(kind, raw[at + 2 : at + length]))
        at += length
    return options, None, at


def _option(kind: int, data: bytes) -> Option:
    name, form = KINDS.get(kind, (kind, None))
    size = len(data)
    if kind == 5 and size % 4 == 0:
        return name, unpack(f"!{size // 4}I", data)
    if kind in (172, 174) and size in (0, 3, 6, 9):
        return name, tuple([int.from_bytes(data[i : i + 3], "big") for i in range(0, size, 3)])
    if kind == 29 and size >= 2:
        return name, (data[0], data[1], data[2:])
    if form is None or Struct(form).size != size:
        return name, data
    values = unpack(form, data)
    return name, values[0] if len(values) == 1 else values


def build_options(options: Sequence[Option]) -> bytes:
    """Return the bytes of `options`, padded with zeros to a multiple of 4; ValueError names a value that is wrong."""
    data = b""
    for name, value in options:
        if name == "NOP":
            data += b"\x01"
        elif name == "Timestamp":
            data += _stamps(value)
        else:
            data += value if name == REST else _built(name, value)
    return data + _PADS[len(data) & 3]


def _stamps(value: Any) -> bytes:
    if value.__class__ is not tuple:
        return _built("Timestamp", value)
    try:
        return _STAMPS_OPTION(8, 10, *value)
    except error:
        return _built("Timestamp", value)


def _built(name: str | int, value: Any) -> bytes:
    if name not in NAMES and not isinstance(name, int):
        raise ValueError(f"unknown TCP option {name!r}: expected a kind number or one of {', '.join(NAMES)}")
    kind, form = NAMES[name] if isinstance(name, str) else (name, None)
    if kind < 2:
        return bytes((kind,))
    try:
        data = _value(kind, form, value)
        return bytes((kind, 2 + len(data))) + data
    except (error, TypeError, ValueError, OverflowError) as wrong:
        raise ValueError(f"TCP option {name}: value {value!r} does not fit ({wrong})") from None


def _value(kind: int, form: str | None, value: Any) -> bytes:
    if value is None or isinstance(value, (bytes, str)):
        return value if isinstance(value, bytes) else (value or "").encode()
    if kind == 5:
        return Struct(f"!{len(value)}I").pack(*value)
    if kind in (172, 174):
        return b"".join([counter.to_bytes(3, "big") for counter in value])
    if kind == 29 and isinstance(value, tuple):
        return bytes(value[:2]) + bytes(value[2])
    if form is None:
        return bytes(value) if not isinstance(value, int) else _no_number()
    return Struct(form).pack(*value) if isinstance(value, tuple) else Struct(form).pack(value)


def _no_number() -> bytes:
    raise TypeError("expected bytes")


def _read(raw: bytes) -> tuple[list[Option], str | None]:
    """Read options so that the same bytes can be written: what is behind them is a last (REST, bytes)."""
    if len(raw) == 12:
        magic, value, echo = _STAMPED(raw)
        if magic == 0x0101080A:  # NOP, NOP, Timestamp: what nearly every segment has (RFC 7323 appendix A)
            return [_NOP, _NOP, ("Timestamp", (value, echo))], None
    options, flaw, stop = _scan(raw)
    if flaw is not None or raw[stop:] != bytes(-stop % 4):
        options.append((REST, raw[stop:]))
    return options, flaw


class TCP(Header):
    """Transmission control protocol (RFC 9293 §3.1)."""

    sport: int = u16(20)
    dport: int = u16(80)
    seq: int = u32()
    ack: int = u32()
    dataofs: int | None = bits(4, None, fill="5 + len(more) // 4")
    reserved: int = bits(3)
    flags: FlagValue = bits(9, 2, names=FLAGS)
    window: int = u16(8192)
    chksum: int | None = checksum(upper_sum(6))
    urgptr: int = u16()
    options: list[Option] = var(Codec(_read, build_options, []), "self.dataofs * 4 - 20", short=BAD_DATAOFS)
    offload = (6, 16)

    def _summary(self, lower: Any) -> str:
        if lower is not None and hasattr(lower, "src"):
            return f"TCP {lower.src}:{self.sport} > {lower.dst}:{self.dport} {self.flags}"
        return f"TCP {self.sport} > {self.dport} {self.flags}"


class TCPerror(TCP):
    """The TCP header that an ICMP error quotes; of one that is cut short only ports and `seq` are read (RFC 792)."""

    name = "TCP in ICMP"

    def _fill(self, buf: bytes, at: int, end: int) -> int | str:
        got = TCP._fill(self, buf, at, end)
        if isinstance(got, str) and end - at >= _QUOTED:
            TCP._fill(self, bytes(buf[at : at + _QUOTED]) + b"\0\0\0\0\x50" + bytes(7), 0, 20)
            self.size = _QUOTED
            return at + _QUOTED
        return got  # type: ignore[no-any-return]

    def _emit(self, under: Any) -> bytes:
        data: bytes = TCP._emit(self, under)
        return data[:_QUOTED] + data[20:] if self.size == _QUOTED else data


bind(IP, TCP, proto=6)
bind(IPv6, TCP, nh=6)
bind(IPerror, TCPerror, proto=6)
bind(IPerror6, TCPerror, nh=6)
