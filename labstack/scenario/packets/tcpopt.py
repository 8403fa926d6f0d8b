# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP options between a script's words and bytes: one row a kind, laid out exactly as written, no padding added.

What they mean, and the mapping of their numbers between script and wire, is left to `segments` and `view`.
RFC 9293 §3.2, 2018, 7323, 2385, 7413 (and its experimental form, RFC 6994), 9768.
"""

from struct import error, pack, unpack
from typing import Any

from labstack.packetdrill import printer
from labstack.packetdrill.script import Option
from labstack.scenario.packets.flow import PacketError

LONGEST = 40  # bytes of options that a header can have
KINDS = {"eol": 0, "nop": 1, "mss": 2, "wscale": 3, "sackOK": 4, "sack": 5, "TS": 8, "md5": 19, "FO": 34, "FOEXP": 254}
NAMES = {kind: name for name, kind in KINDS.items()}
MAGIC = b"\xf9\x89"  # the experiment's number of Fast Open (RFC 7413 §4.1.1 and appendix)
FORMS = {"mss": "!H", "wscale": "!B", "TS": "!II"}
COUNTERS = {172: ("e0b", "ceb", "e1b"), 174: ("e1b", "ceb", "e0b")}  # in the order of the wire (RFC 9768 §3.2.3)


def encode(options: tuple[Option, ...]) -> bytes:
    """The bytes of `options`; PacketError if they are no multiple of 4, more than 40, or a value does not fit."""
    data = b"".join(map(_one, options))
    if len(data) > LONGEST or len(data) % 4:
        fits = f"at most {LONGEST}" if len(data) > LONGEST else "a multiple of 4 (write the nops)"
        raise PacketError(f"the options {text(options)} take {len(data)} bytes, expected {fits}")
    return data


def _one(option: Option) -> bytes:
    kind = KINDS.get(option.name)
    if kind is not None and kind < 2:
        return bytes((kind,))
    try:
        if option.name == "ECN":
            kind, data = _counters(option.values)
        else:
            data = _data(option)
        return bytes((kind, 2 + len(data))) + data  # type: ignore[arg-type]
    except (error, KeyError, TypeError, ValueError, OverflowError):
        raise PacketError(f"TCP option {word(option)!r} cannot be laid out as bytes") from None


def _data(option: Option) -> bytes:
    values: Any = option.values
    if option.name == "sack":
        return pack(f"!{len(values)}I", *[value % (1 << 32) for value in values])
    if option.name in ("md5", "FO", "FOEXP"):
        return (MAGIC if option.name == "FOEXP" else b"") + b"".join(values)
    return pack(FORMS[option.name], *values) if option.name in FORMS else b""


def _counters(values: tuple[Any, ...]) -> tuple[int, bytes]:
    names = values[::2]
    for kind, order in COUNTERS.items():
        if names and names == order[: len(names)]:
            return kind, b"".join([value.to_bytes(3, "big") for value in values[1::2]])
    raise ValueError(names)


def decode(raw: bytes) -> tuple[Option, ...]:
    """The options in `raw`: what the language has no word for is Option("kind N", (bytes,)), what cannot be read
    Option("malformed", (bytes,)); after an eol each zero byte is one more."""
    options: list[Option] = []
    at = 0
    while at < len(raw):
        kind = raw[at]
        length = 1 if kind < 2 else raw[at + 1] if at + 1 < len(raw) else 0
        ended = bool(options) and options[-1].name == "eol"
        if (kind >= 2 and length < 2) or at + length > len(raw) or (ended and kind):
            options.append(Option("malformed", (raw[at:],)))
            break
        options.append(_read(kind, raw[at + 2 : at + length]))
        at += length
    return tuple(options)


def _read(kind: int, data: bytes) -> Option:
    name = NAMES.get(kind, "")
    try:
        if name in FORMS:
            return Option(name, unpack(FORMS[name], data))
        if name == "sack":
            return Option(name, unpack(f"!{len(data) // 8 * 2}I", data))
    except error:
        return Option(f"kind {kind}", (data,))
    if kind in COUNTERS and data and len(data) % 3 == 0 and len(data) <= 9:
        counts = [int.from_bytes(data[i : i + 3], "big") for i in range(0, len(data), 3)]
        return Option("ECN", tuple(x for pair in zip(COUNTERS[kind], counts, strict=False) for x in pair))
    if name == "FOEXP":
        return Option(name, _cookie(data[2:])) if data[:2] == MAGIC else Option(f"kind {kind}", (data,))
    if name in ("FO", "md5"):
        return Option(name, _cookie(data))
    return Option(name) if name and not data else Option(f"kind {kind}", (data,))


def _cookie(data: bytes) -> tuple[bytes, ...]:
    return (data,) if data else ()


def stamp(options: tuple[Option, ...] | None) -> int | None:
    """The value of the timestamp among them."""
    return next((it.values[0] for it in options or () if it.name == "TS" and isinstance(it.values[0], int)), None)


def text(options: tuple[Option, ...]) -> str:
    """The options as a script writes them, without the angle brackets."""
    return ",".join(map(word, options))


def word(option: Option) -> str:
    """One option as a script writes it; one that the language has no word for by its kind and bytes."""
    if option.name in KINDS or option.name == "ECN":
        return printer.option(option)
    return " ".join([option.name, *[value.hex() for value in option.values if isinstance(value, bytes)]])
