# SPDX-License-Identifier: GPL-2.0-or-later
"""Lists of small headers inside a header: options that say their own length, records that are counted."""

from collections.abc import Callable
from typing import Any

from layers.field import Codec
from layers.packet import Header, Raw

Pick = Callable[[bytes, int], tuple[type[Header], type[Header], int] | str]


def headers(pick: Pick, unit: int = 1) -> Codec:
    """Return the codec of a list of small headers, padded with zeros to a multiple of `unit` bytes.

    `pick(data, at)` returns the class to try, the class that reads anything, and where the header ends; or a reason.
    What cannot be read stays as a last Raw.
    """

    def read(data: bytes) -> tuple[list[Header], str | None]:
        found: list[Header] = []
        at = 0
        while at < len(data):
            picked = pick(data, at)
            if isinstance(picked, str):
                return [*found, Raw(load=data[at:])], picked
            cls, any_cls, stop = picked
            item = cls.parse(data, at, stop)
            if isinstance(item, str) or item.size != stop - at:
                item = any_cls.parse(data, at, stop)
            if isinstance(item, str) or item.size != stop - at:
                return [*found, Raw(load=data[at:])], any_cls.short
            found.append(item)
            at = stop
        return found, None

    def write(items: Any) -> bytes:
        data = _write_headers(items)
        return data + bytes(-len(data) % unit)

    return Codec(read, write, [], deep=True)


def _write_headers(items: Any) -> bytes:
    return b"".join(map(bytes, items))


#: a list that its header reads with `read_records`
HEADERS = Codec(lambda data: ([], None), _write_headers, [], deep=True)


def read_records(cls: type[Header], count: int, buf: bytes, at: int, end: int) -> tuple[list[Any], int] | str:
    """Read `count` headers of one class from `at`; return them and where they end, or a drop reason."""
    found: list[Any] = []
    while len(found) < count:
        record = cls.parse(buf, at, end)
        if isinstance(record, str):
            return record
        found.append(record)
        at += record.size or 0
    return found, at
