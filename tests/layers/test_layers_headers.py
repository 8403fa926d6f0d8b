# SPDX-License-Identifier: GPL-2.0-or-later
"""Every header, by its table: Scapy's names and defaults, the same bytes, the same values, and back again."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layers_fields import CLASSES, OTHERWISE, TWINS, differing, plain, scapy_values, twin, values

import layers
from layers.codegen import source
from layers.packet import Header

FEW = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)
#: fields whose default Scapy takes from the machine (addresses) or leaves out of messages that have not got them
FROM_MACHINE = {"dst", "src", "hwsrc", "psrc", "hwdst", "pdst", "lladdr", "unused", "prefix"}


def ids(cls: type[Header]) -> str:
    return cls.__name__


@pytest.mark.parametrize("cls", TWINS, ids=ids)
def test_names_and_defaults_are_scapys(cls: type[Header]) -> None:
    theirs, ours = twin(cls)(), cls()
    names = [field.name for field in theirs.fields_desc if field.name not in ("ext", "extpad")]
    assert [row.name for row in cls.table if (cls.__name__, row.name) != ("IPOption_Timestamp", "more")] == names
    for name in names:
        if name not in FROM_MACHINE and (cls.__name__, name) not in OTHERWISE:
            assert plain(getattr(ours, name)) == (plain(theirs.getfieldval(name)) or plain(getattr(ours, name))), name


@pytest.mark.parametrize("cls", TWINS, ids=ids)
def test_same_fields_make_the_same_bytes(cls: type[Header]) -> None:
    @FEW
    @given(values(cls, computed=True))
    def check(drawn: dict[str, Any]) -> None:
        assert bytes(cls(**drawn)).hex() == bytes(twin(cls)(**scapy_values(drawn))).hex()

    check()


@pytest.mark.parametrize("cls", TWINS, ids=ids)
def test_same_bytes_give_the_same_values(cls: type[Header]) -> None:
    @FEW
    @given(values(cls))
    def check(drawn: dict[str, Any]) -> None:
        data = bytes(cls(**drawn))
        assert differing(cls(data), twin(cls)(data)) == []

    check()


@pytest.mark.parametrize("cls", CLASSES, ids=ids)
def test_parse_gives_back_what_was_built(cls: type[Header]) -> None:
    @FEW
    @given(values(cls), st.binary(max_size=3))
    def check(drawn: dict[str, Any], before: bytes) -> None:
        built = cls(**drawn)
        data = bytes(built)
        read = cls.parse(before + data, len(before))
        assert isinstance(read, cls), read
        assert read.size == len(data)
        assert bytes(read) == data
        for name, value in drawn.items():
            found = getattr(read, name)
            if name == "options" and cls not in (layers.TCP, layers.TCPerror):  # padding is read as options, too
                assert {bytes(option) for option in value} <= {bytes(option) for option in found}
            elif name == "options":
                assert plain(found[: len(value)]) == plain(value)
            else:
                assert plain(found) == plain(value), name
        for view in (memoryview(data), bytearray(data)):
            assert cls.parse(view) == read

    check()


@pytest.mark.parametrize("cls", CLASSES, ids=ids)
def test_copies_are_equal_and_independent(cls: type[Header]) -> None:
    @FEW
    @given(values(cls))
    def check(drawn: dict[str, Any]) -> None:
        first = cls(**drawn)
        second = first.copy()
        assert second == first
        assert second is not first
        for row in cls.table:
            value = getattr(second, row.name)
            if isinstance(value, list):
                value.append(b"more")
                assert second != first

    check()


@pytest.mark.parametrize("cls", CLASSES, ids=ids)
def test_every_header_shows_itself(cls: type[Header]) -> None:
    header = cls()
    assert cls.__name__ in repr(header)
    assert cls.__doc__
    shown = header.show(dump=True)
    assert shown is not None
    assert all(f"  {row.name}" in shown for row in cls.table)
    assert header.summary()
    assert source(cls).startswith("def __init__(self, _pkt=None")


def test_generated_code_can_be_stepped_through() -> None:
    import linecache

    bytes(layers.UDP())
    lines = linecache.getlines(layers.UDP._emit.__code__.co_filename)
    assert any("PACK(" in line for line in lines)
    linecache.checkcache()
    assert linecache.getlines("<layers.UDP>") == lines
