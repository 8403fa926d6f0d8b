# SPDX-License-Identifier: GPL-2.0-or-later
"""RFC 1071: sums agree with adding word by word, whatever the length, the start and the cuts."""

from hypothesis import given, settings
from hypothesis import strategies as st

from layers.checksum import add, checksum, ones_sum, pseudo4, pseudo6, sum_pieces, swab

QUICK = settings(max_examples=300, deadline=None, database=None)


def word_by_word(data: bytes, start: int = 0) -> int:
    data += bytes(len(data) & 1)
    total = start + sum(data[i] << 8 | data[i + 1] for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@QUICK
@given(st.one_of(st.binary(max_size=80), st.binary(min_size=500, max_size=540)), st.integers(0, 0xFFFF))
def test_sum_is_the_sum_of_words(data: bytes, start: int) -> None:
    assert ones_sum(data, start) == word_by_word(data, start)
    assert checksum(memoryview(data), start) == 0xFFFF - word_by_word(data, start)


@settings(max_examples=20, deadline=None, database=None)
@given(st.integers(0, 70000), st.integers(0, 255))
def test_long_sums(size: int, byte: int) -> None:
    data = bytes((byte, byte ^ 0x5A, 255)) * (size // 3)
    assert ones_sum(data) == word_by_word(data)


def test_only_zeros_sum_to_zero() -> None:
    for size in (0, 1, 2, 20, 513, 2000):
        assert ones_sum(bytes(size)) == 0
        assert ones_sum(b"\xff\xff" * (size + 1)) == 0xFFFF
    assert ones_sum(b"", 0xFFFF) == 0xFFFF


@QUICK
@given(st.lists(st.binary(max_size=9), max_size=8), st.integers(0, 0xFFFF))
def test_pieces_may_have_odd_lengths(pieces: list[bytes], start: int) -> None:
    assert sum_pieces(pieces, start) == word_by_word(b"".join(pieces), start)


@QUICK
@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_add_folds(a: int, b: int) -> None:
    assert add(a, b) == word_by_word(b"", a + b)
    assert swab(swab(a)) == a


def test_pseudo_headers_are_sums_of_their_fields() -> None:
    src, dst = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))
    assert pseudo4(src, dst, 6, 20) == word_by_word(src + dst + bytes((0, 6, 0, 20)))
    src6, dst6 = bytes(range(16)), bytes(range(16, 32))
    words = src6 + dst6 + (70000).to_bytes(4, "big") + bytes((0, 0, 0, 17))
    assert pseudo6(src6, dst6, 17, 70000) == word_by_word(words)
