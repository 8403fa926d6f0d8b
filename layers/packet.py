# SPDX-License-Identifier: GPL-2.0-or-later
"""`Header`, the base of every layer: stacking, dissecting a chain, building it, and looking at it.

A packet is a chain of headers linked by `payload`. `Cls(data)` reads a whole chain permissively: what cannot be read
becomes `Raw` and the reason is in `.drop`; `Cls.parse(buf, at, end)` reads one header and returns it, or the reason.
`bytes(packet)` fills whatever is None. Names and behaviour follow Scapy where it has them; both kinds mix (`bridge`).
The fields are the business of `field`, the generated functions of `codegen`, the appearance of `view`.
"""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Self, SupportsIndex

from layers import view
from layers.field import AUTO, BYTES, DEFAULT, Auto, AutoBytes, Field, var
from layers.metaclass import HeaderType, Note

LIMIT = 100  # headers in one packet; what is deeper stays Raw, so that reading, building and copying may recurse
NEW = object.__new__


class Header(metaclass=HeaderType):
    """A protocol header with the packet that follows it in `payload`.

    `size` is the number of bytes it was read from (None if it was not read), `drop` the reason why something in it or
    behind it could not be read.
    """

    __slots__ = ("_meta", "payload", "size")
    table: list[Field]
    name: str
    short: str
    nothing: "Header"
    raw: "type[Header]"
    order = "!"
    key: str | None = None
    uppers: ClassVar[dict[int, "type[Header]"]] = {}
    lowers: ClassVar[dict[Any, tuple[Auto, list[tuple[str, Any]]]]] = {}
    pick: "Callable[[bytes, int, int], type[Header]] | None" = None
    generated: ClassVar[list[str]]
    aka: tuple[str, ...] = ()  # names of Scapy's for the same
    payload: Any
    size: int | None
    _meta: dict[str, Any] | None
    _fill: Any
    _grow: Any
    _above: Any
    _emit: Any
    _stack: Any

    drop = Note(None)
    time = Note(0.0)
    sent_time = Note(None)
    wirelen = Note(None)
    direction = Note(None)
    sniffed_on = Note(None)
    comments = Note(None)
    process_information = Note({})
    _answered = Note(None)

    def __init__(self, _pkt: object = None, **fields: Any) -> None: ...

    # reading

    @classmethod
    def parse(cls, buf: bytes | bytearray | memoryview, at: int = 0, end: int | None = None) -> Self | str:
        """Read this header (with its options, without its payload) from `buf[at:end]`; return it or a drop reason."""
        self = cls.__new__(cls)
        got = self._fill(buf, at, len(buf) if end is None else min(end, len(buf)))
        return got if got.__class__ is str else self

    def _dissect(self, data: Any) -> None:
        """Read a chain of headers from `data` into self and what follows it."""
        if data.__class__ is not bytes:
            data = wire(data, self.__class__)
        flaws: list[str] = []
        end = self._grow(data, 0, len(data), LIMIT, flaws)
        if end.__class__ is str:
            self._unread(data, end)
            return
        if end < len(data):
            self.last().payload = Padding(load=data[end:])
        if flaws:
            self.drop = flaws[0]

    def _unread(self, data: bytes, reason: str) -> None:
        """Become a header that was not there: default fields, no bytes of its own, the data behind it as Raw."""
        self.__init__()  # type: ignore[misc]
        self.size, self.drop = 0, reason
        if data:
            self.payload = Raw(load=data)

    # building

    def __bytes__(self) -> bytes:
        pads: list[bytes] = []
        data: bytes = self._emit(pads)
        return data + b"".join(pads) if pads else data

    build = __bytes__

    def __len__(self) -> int:
        return len(bytes(self))

    def __bool__(self) -> bool:
        return True

    def _healed(self) -> Self:
        """Set fields that were deleted back to their defaults, here, and return self."""
        for row in self.table:
            if not hasattr(self, row.slot):
                setattr(self, row.name, row.codec.empty if row.codec else row.default)
        return self

    def _repaired(self, tail: bytes) -> Self:
        """Return a copy before `tail` whose values can be packed (names as numbers); ValueError says which cannot."""
        before = [getattr(self, row.slot, NOTHING) for row in self.table]
        new = self.__class__()
        new.payload = Raw(load=tail)
        for row in self._healed().table:
            try:
                setattr(new, row.slot, row.value(getattr(self, row.slot)))
            except (TypeError, ValueError) as error:
                raise ValueError(f"{self.__class__.__name__}: {error}") from None
        if before == [getattr(new, row.slot) for row in self.table]:
            raise ValueError(f"{self.__class__.__name__}: a value or a computed length does not fit its field")
        return new

    # stacking

    def __truediv__(self, other: Any) -> Any:
        if other.__class__.__class__ is HeaderType:
            return self._stack(other._stack(NOTHING))
        if isinstance(other, (bytes, bytearray, memoryview, str)):
            return self / Raw(load=other.encode() if isinstance(other, str) else bytes(other))
        return self.to_scapy() / other if hasattr(other, "fields_desc") else NotImplemented

    def __rtruediv__(self, other: Any) -> Any:
        if isinstance(other, (bytes, bytearray, memoryview, str)):
            return Raw(load=other.encode() if isinstance(other, str) else bytes(other)) / self
        return NotImplemented

    def __rdiv__(self, other: Any) -> Any:
        """Answer Scapy, which asks its right operand for this Python 2 name."""
        return other / self.to_scapy()

    def _seat(self, upper: "Header", rest: list[tuple[str, Any]]) -> None:
        """Let `upper`, now on top of this, replace the other defaults that depend on it."""
        for slot, value in rest:
            if getattr(self, slot, None).__class__ in AUTO:
                setattr(self, slot, value)
        upper._seated(self)

    def _seated(self, lower: "Header") -> None:
        """Tell the header below what else it must say; called if it was bound with more than one field."""

    def copy(self) -> Self:
        """Return a copy of the whole chain."""
        return self._stack(NOTHING)  # type: ignore[no-any-return]

    # looking

    def layers(self) -> "Iterator[Header]":
        """Yield this header and those above it."""
        layer = self
        while layer is not NOTHING:
            yield layer
            layer = layer.payload

    iterpayloads = layers

    def last(self) -> "Header":
        """Return the last header of the chain."""
        layer: Header = self
        while layer.payload is not NOTHING:
            layer = layer.payload
        return layer

    lastlayer = last

    def getlayer(self, cls: Any, nb: int = 1) -> Any:
        """Return the `nb`-th header of class `cls` (ours, Scapy's, its name, or a number from 0), or None."""
        if isinstance(cls, int):
            return next((layer for i, layer in enumerate(self.layers()) if i == cls), None)
        name = cls if isinstance(cls, str) else cls.__name__
        for layer in self.layers():
            if layer.__class__.__name__ == name or name in layer.aka:
                nb -= 1
                if nb == 0:
                    return layer
        return None

    def haslayer(self, cls: Any) -> bool:
        """Say whether a header of class `cls` (or of that name) is in the chain."""
        return self.getlayer(cls) is not None

    __contains__ = haslayer

    def __getitem__(self, cls: Any) -> Any:
        cls, nb = (cls.start, cls.stop or 1) if isinstance(cls, slice) else (cls, 1)
        found = self.getlayer(cls, nb)
        if found is None:
            raise IndexError(f"Layer [{getattr(cls, '__name__', cls)}] not found in {self.summary()}")
        return found

    def __iter__(self) -> Iterator[Self]:
        """Yield self once: Scapy iterates packets as sets of one."""
        yield self

    def values(self) -> dict[str, Any]:
        """Return this header's values by field name."""
        return {row.name: getattr(self, row.name) for row in self.table}

    def given(self) -> dict[str, Any]:
        """Return by name the values of this header that were set or read: no defaults, nothing empty."""
        stored = {row.name: getattr(self, row.slot, None) for row in self.table}
        return {
            name: getattr(self, name)
            for name, value in stored.items()
            if not isinstance(value, DEFAULT) and value is not None and value not in ([], b"")
        }

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Header):
            return NotImplemented
        mine, theirs = list(self.layers()), list(other.layers())
        return len(mine) == len(theirs) and all(a._same(b) for a, b in zip(mine, theirs, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def _same(self, other: "Header") -> bool:
        return self.__class__ is other.__class__ and self._healed()._stored() == other._healed()._stored()

    def _stored(self) -> list[Any]:
        return [row.value(getattr(self, row.slot)) for row in self.table]

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        slots = [getattr(self, name) for name in ("_meta", "payload", "size", *(row.slot for row in self.table))]
        return _restore, (self.__class__, slots)

    # the appearance, and what Scapy asks of packets

    def show(self, dump: bool = False) -> str | None:
        """Print every field of every header (or return that text, with `dump`)."""
        return view.shown(view.show(self), dump)

    def show2(self, dump: bool = False) -> str | None:
        """Print the packet as it would be read from the wire: computed fields filled."""
        return self.__class__(bytes(self)).show(dump)

    def summary(self) -> str:
        """Return one line that names the headers and what matters in them."""
        return view.summary(self)

    def hexdump(self, dump: bool = False) -> str | None:
        """Print the packet's bytes in hexadecimal and text (or return that, with `dump`)."""
        return view.shown(view.hexdump(bytes(self)), dump)

    def __repr__(self) -> str:
        return view.line(self)

    def hashret(self) -> bytes:
        """Return what a request and its answers have in common, as Scapy computes it."""
        return self.to_scapy().hashret()  # type: ignore[no-any-return]

    def answers(self, other: Any) -> bool:
        """Say whether this packet answers `other` (ours or Scapy's), by Scapy's rules."""
        asked = other.to_scapy() if isinstance(other, Header) else other
        return bool(self.to_scapy().answers(asked))

    def to_scapy(self) -> Any:
        """Return the same packet as Scapy objects; what is None here is left for Scapy to compute."""
        from layers import bridge

        return bridge.to_scapy(self)


def _restore(cls: type[Header], values: list[Any]) -> Header:
    new = cls.__new__(cls)
    for name, value in zip(("_meta", "payload", "size", *(row.slot for row in cls.table)), values, strict=True):
        setattr(new, name, value)
    return new


def wire(data: Any, cls: type[Header]) -> bytes:
    """Return the bytes of what a header class was called with: bytes, text, or a packet that may contain the header."""
    if isinstance(data, str):
        return data.encode()
    if hasattr(data, "getlayer"):
        found = data.getlayer(cls.__name__)
        return bytes(data if found is None else found)
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise TypeError(f"{cls.__name__}({data!r}): expected bytes or a packet; name the fields you want to set")


class NoPayload(Header):
    """What follows the last header: nothing. False, empty, and only one of it (`NOTHING`)."""

    def __bool__(self) -> bool:
        return False

    def __bytes__(self) -> bytes:
        return b""

    def _emit(self, under: Any) -> bytes:
        return b""

    def _stack(self, upper: Header) -> Header:
        return upper

    def __reduce_ex__(self, protocol: SupportsIndex) -> str:
        return "NOTHING"


NOTHING = Header.nothing = NoPayload.__new__(NoPayload)
NOTHING.payload, NOTHING.size, NOTHING._meta = NOTHING, 0, None


class Raw(Header):
    """Bytes that no header explains."""

    load: bytes = var(BYTES)


Header.raw = Raw


class Padding(Raw):
    """Bytes behind the packet that no length counts."""

    def _emit(self, under: Any) -> bytes:
        tail: bytes = self.payload._emit((self, under))
        while isinstance(under, tuple):
            under = under[1]
        under.insert(0, bytes(self.load))
        return tail


Next = tuple[type[Header], int]  # what follows a header, and where that ends


def bind(lower: type[Header], upper: type[Header], **fields: int | str) -> None:
    """Say that `upper` follows `lower` when its key field, named first, has that value; `/` sets all that are named."""
    (_, value), *more = fields.items()
    lower.uppers.setdefault(int(value), upper)
    rows = {row.name: row for row in lower.table}
    rest = [
        (rows[name].slot, Auto(each) if isinstance(each, int) else AutoBytes(rows[name].value(each)))
        for name, each in more
    ]
    lower.lowers[upper] = Auto(value), rest
