# SPDX-License-Identifier: GPL-2.0-or-later
"""The rows of a header's table: what a field is called, how wide it is, what it defaults to, how it is shown.

A header class lists its rows in its body; parse, emit, defaults, `show()`, documentation and the Scapy view all come
from that list (`codegen` turns it into functions). Fixed rows come first, rows of variable size (`var`) last.
A row's default is Scapy's. `None` is computed on `bytes()` (from `fill`); an `Auto` value is what the header says when
nothing above it says otherwise, as Scapy's overloaded fields. Defaults know that they are (`Header.given()` leaves them
out), and a condition in place of a value (a function, a set, a range: in a pattern) is kept as it is until `bytes()`.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

from layers import address


class Default(int):
    """What a field is until somebody sets it."""


class DefaultBytes(bytes):
    """The same for bytes and addresses."""


class Auto(Default):
    """A default that the layer above may replace."""


class AutoBytes(DefaultBytes):
    """The same for an address."""


def _same(value: Any) -> Any:
    return value


class Codec(NamedTuple):
    """How a field of variable size is read (bytes to value and flaw or None) and written (value to bytes)."""

    read: Callable[[bytes], tuple[Any, str | None]]
    write: Callable[[Any], bytes]
    empty: Any = b""
    deep: bool = False  # the value is a list of headers


AUTO = (Auto, AutoBytes)
DEFAULT = (Default, DefaultBytes)
_DEFAULTS: dict[type, Callable[[Any], Any]] = {int: Default, bytes: DefaultBytes}


class Field:
    """One row: name, width, default, and how the value is shown."""

    __slots__ = ("bits", "codec", "default", "fill", "fmt", "hex", "name", "names", "short", "size", "slot", "sum")

    def __init__(self, fmt: str, default: Any, fill: str = "", names: Any = None, hex: bool = False) -> None:
        self.name = self.slot = ""
        self.fmt, self.fill, self.names, self.hex = fmt, fill, names, hex
        self.default = _DEFAULTS.get(default.__class__, _same)(default)
        self.bits = {"B": 8, "H": 16, "I": 32}.get(fmt, 0)
        self.codec: Codec | None = None
        self.sum: Callable[..., bytes] | None = None
        self.size = ""
        self.short = ""

    def named(self, name: str) -> None:
        """Take the name that the class body gave."""
        self.name = self.slot = name

    def value(self, value: Any) -> Any:
        """Return `value` as the header keeps it: names become numbers; ValueError if it cannot be packed."""
        if value is None:
            return self.default
        if self.codec is not None:
            return value
        if self.fmt.endswith("s"):
            return bytes(value)
        number = value if isinstance(value, int) else self._number(value)
        if not 0 <= number < 1 << self.bits:
            raise ValueError(f"{self.name}={value!r} does not fit in {self.bits} bits")
        return number

    def _number(self, value: Any) -> int:
        if isinstance(value, str) and isinstance(self.names, dict):
            for number, name in self.names.items():
                if name == value:
                    return int(number)
        known = "" if self.names is None else f" or one of {self.names!r}"
        raise ValueError(f"{self.name}={value!r}: expected a number{known}")

    def text(self, value: Any) -> str:
        """Return `value` as `show()` prints it."""
        if isinstance(value, int) and not isinstance(value, bool):
            if isinstance(self.names, dict) and value in self.names:
                return str(self.names[value])
            return hex(value) if self.hex else str(int(value))
        return value if isinstance(value, str) else repr(value)


class FlagValue(int):
    """The value of a field of flags: a number that knows what its bits are called, as Scapy's.

    `flags == "SA"`, `flags.S`, `"S" in flags`, `flags & "S"`, `str(flags)`. Raises ValueError for a flag that is none.
    """

    names: Sequence[str]

    def __new__(cls, value: int, names: Sequence[str]) -> Self:
        self = super().__new__(cls, value)
        self.names = names
        return self

    def __reduce__(self) -> Any:
        return FlagValue, (int(self), self.names)

    def _other(self, value: Any) -> Any:
        """Text as the number that it stands for: letters, or names with + between them."""
        if not isinstance(value, str):
            return value
        marks = list(value) if isinstance(self.names, str) else [mark for mark in value.split("+") if mark]
        if not all(mark in self.names for mark in marks):
            raise ValueError(f"{value!r} is no flag: expected some of {self.names!r}")
        return sum(1 << self.names.index(mark) for mark in set(marks))

    def __eq__(self, other: object) -> bool:
        return int.__eq__(self, self._other(other))

    def __ne__(self, other: object) -> bool:
        return int.__ne__(self, self._other(other))

    __hash__ = int.__hash__

    def __and__(self, other: int | str) -> "FlagValue":
        return FlagValue(int(self) & self._other(other), self.names)

    def __or__(self, other: int | str) -> "FlagValue":
        return FlagValue(int(self) | self._other(other), self.names)

    def __contains__(self, marks: str) -> bool:
        wanted = self._other(marks)
        return bool(int(self) & wanted == wanted)

    def __getattr__(self, marks: str) -> bool:
        if marks.startswith("_"):
            raise AttributeError(marks)
        try:
            return marks in self
        except ValueError as error:
            raise AttributeError(str(error)) from None

    def __str__(self) -> str:
        marks = [mark for i, mark in enumerate(self.names) if int(self) >> i & 1]
        return ("" if isinstance(self.names, str) else "+").join(marks)

    def __repr__(self) -> str:
        return f"<Flag {int(self)} ({self})>"


class Flags(Field):
    """A row whose bits have names (`names`: a letter each, or a tuple): kept as a number in `x_bits`, read as a FlagValue."""

    __slots__ = ()

    def named(self, name: str) -> None:
        """Take the name that the class body gave; the slot holds the plain number."""
        self.name, self.slot = name, name + "_bits"

    def _number(self, value: Any) -> int:
        try:
            return int(FlagValue(0, self.names)._other(value))
        except (TypeError, ValueError):
            raise ValueError(f"{self.name}={value!r}: expected a number or one of {self.names!r}") from None

    def text(self, value: Any) -> str:
        """Return `value` as `show()` prints it."""
        return str(FlagValue(value, self.names)) if isinstance(value, int) else super().text(value)

    def __get__(self, header: Any, owner: object = None) -> Any:
        if header is None:
            return self
        value = getattr(header, self.slot)
        return FlagValue(value, self.names) if isinstance(value, int) else value

    def __set__(self, header: Any, value: Any) -> None:
        setattr(header, self.slot, int(value) if isinstance(value, FlagValue) else value)

    def __delete__(self, header: Any) -> None:
        delattr(header, self.slot)


class Address(Field):
    """A row that is kept packed (`x_packed`) and read as text (`x`); text or packed bytes may be written."""

    __slots__ = ("pack", "show")

    def __init__(self, size: int, default: str, pack: Callable[[Any], bytes], show: Callable[[bytes], str]) -> None:
        super().__init__(f"{size}s", pack(default))
        self.pack, self.show = pack, show

    def named(self, name: str) -> None:
        """Take the name that the class body gave; the slot holds the packed form."""
        self.name, self.slot = name, name + "_packed"

    def value(self, value: Any) -> bytes:
        """Return the packed form of text, of packed bytes, or the default for None."""
        if isinstance(value, AutoBytes):
            return value
        if value is None or callable(value) or isinstance(value, (set, frozenset)):
            return self.default if value is None else value  # type: ignore[no-any-return]
        if not isinstance(value, (str, bytes)):
            raise ValueError(f"{self.name}={value!r}: expected an address as text, or its bytes")
        packed: bytes = self.pack(value)
        return packed

    def text(self, value: Any) -> str:
        """Return the text of an address, packed or not."""
        return self.show(value) if isinstance(value, bytes) else str(value)

    def __get__(self, header: Any, owner: object = None) -> str:
        if header is None:
            return self  # type: ignore[return-value]
        value = getattr(header, self.slot)
        return self.show(value) if isinstance(value, bytes) else value

    def __set__(self, header: Any, value: str | bytes | None) -> None:
        setattr(header, self.slot, self.value(value))


# The factories say `Any` so that a class body may annotate what a reader of the attribute gets.


def _row(fmt: str, default: int | None, fill: str, names: Any, hex: bool) -> Field:
    kind = Field if names is None or isinstance(names, dict) else Flags
    return kind(fmt, default, fill, names, hex)


def u8(default: int | None = 0, fill: str = "", names: Any = None, hex: bool = False) -> Any:
    """Return a row of one byte."""
    return _row("B", default, fill, names, hex)


def u16(default: int | None = 0, fill: str = "", names: Any = None, hex: bool = False) -> Any:
    """Return a row of two bytes."""
    return _row("H", default, fill, names, hex)


def u32(default: int | None = 0, fill: str = "", names: Any = None, hex: bool = False) -> Any:
    """Return a row of four bytes."""
    return _row("I", default, fill, names, hex)


def bits(width: int, default: int | None = 0, fill: str = "", names: Any = None, hex: bool = False) -> Any:
    """Return a row of `width` bits; neighbours share whole bytes, first row in the highest bits."""
    row = _row("", default, fill, names, hex)
    row.bits = width
    return row


def raw(size: int, default: bytes = b"") -> Any:
    """Return a row of `size` bytes kept as bytes."""
    return Field(f"{size}s", default.ljust(size, b"\0"))


def checksum(function: Callable[..., bytes]) -> Any:
    """Return a row of two bytes that `function(head, tail, under)` computes while it is None."""
    row = Field("H", None, hex=True)
    row.sum = function
    return row


def var(codec: Codec, size: str = "", short: str = "", default: Any = None) -> Any:
    """Return a row of `size` bytes: an expression over `self` (negative: drop reason `short`), or all the rest."""
    row = Field("", default)
    row.codec, row.size, row.short = codec, size, short
    return row


def held(row: Any) -> Any:
    """Return `row` as one that has no fixed place: the class's own `_read` and `_more` carry it."""
    row.fmt, row.bits = "-", row.bits or 32
    return row


def mac(default: str = "00:00:00:00:00:00") -> Address:
    """Return a row with an Ethernet address."""
    return Address(6, default, address.mac, address.mac_text)


def ip4(default: str = "0.0.0.0") -> Address:
    """Return a row with an IPv4 address."""
    return Address(4, default, address.ip4, address.ip4_text)


def ip6(default: str = "::") -> Address:
    """Return a row with an IPv6 address."""
    return Address(16, default, address.ip6, address.ip6_text)


def auto(row: Address) -> Address:
    """Return `row` with a default that the layer above may replace."""
    row.default = AutoBytes(row.default)
    return row


def any_address(default: str) -> Address:
    """Return a row whose kind of address only its length tells (ARP)."""
    row: Address = held(Address(0, default, address.any_address, address.any_text))
    return row


def _bytes_of(value: Any) -> bytes:
    if value.__class__ is bytes:
        return value
    return value.encode() if isinstance(value, str) else bytes(value)


def list_of(size: int, pack: Callable[[Any], bytes], show: Callable[[bytes], str]) -> Codec:
    """Return the codec of a list of addresses of `size` bytes; a part of one at the end stays bytes."""

    def read(data: bytes) -> tuple[list[str | bytes], None]:
        cuts = [data[i : i + size] for i in range(0, len(data), size)]
        return [show(cut) if len(cut) == size else cut for cut in cuts], None

    def write(values: Any) -> bytes:
        return b"".join([value if isinstance(value, bytes) else pack(value) for value in values])

    return Codec(read, write, [])


BYTES = Codec(lambda data: (data, None), _bytes_of)
IP4S = list_of(4, address.ip4, address.ip4_text)
IP6S = list_of(16, address.ip6, address.ip6_text)
