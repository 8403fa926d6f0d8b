# SPDX-License-Identifier: GPL-2.0-or-later
"""The bytes of options: what we write is what Linux writes, and what is written can be read."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labstack.core.env import Env
from labstack.core.rng import Rng
from labstack.tcp import options
from labstack.tcp.options import EXPERIMENT, FAST_OPEN, Offer, Options
from layers.tcp import build_options

U32 = st.integers(0, 0xFFFFFFFF)
STAMPS = st.none() | st.tuples(U32, U32)
COOKIE = st.none() | st.sampled_from([0, 4, 8, 16]).flatmap(lambda n: st.binary(min_size=n, max_size=n))


def read(raw: bytes, syn: bool = False) -> Options:
    return checked(raw, syn)[0]


def checked(raw: bytes, syn: bool = False) -> tuple[Options, dict[str, int]]:
    env, it = Env(Rng(1)), Options()
    options.read(env, it, raw, syn)
    return it, dict(env.count)


def said(it: Options) -> dict[str, Any]:
    return {name: getattr(it, name) for name in Options.__annotations__}


NOTHING = said(Options())

# as a kernel's SYN has them, byte for byte
SYNS = [
    (Offer(1460), "020405b4"),
    (Offer(1460, 7), "020405b401030307"),
    (Offer(1460, 7, True), "020405b40101040201030307"),
    (Offer(1460, None, True), "020405b401010402"),
    (Offer(1460, 7, True, (1, 2)), "020405b40402080a000000010000000201030307"),
    (Offer(1460, 7, False, (1, 2)), "020405b40101080a000000010000000201030307"),
    (Offer(1460, 7, True, (1, 2), fo=b""), "020405b40402080a00000001000000020103030722020101"),
    (Offer(536, None, False, None, fo=b"12345678"), "02040218220a31323334353637380101"),
    (Offer(1460, 7, True, (1, 2), fo=b"", fo_kind=254), "020405b40402080a000000010000000201030307fe04f989"),
    (Offer(1460, 7, True, None, md5=True), "01011312" + "00" * 16 + "020405b40101040201030307"),
]  # fmt: skip


@pytest.mark.parametrize(("offer", "wire"), SYNS)
def test_a_syn_has_linuxs_order_and_padding(offer: Offer, wire: str) -> None:
    """RFC 9293 §3.2; Linux's tcp_options_write: signature, MSS, SACK permitted beside timestamps, scale, Fast Open."""
    assert options.of_syn(offer).hex() == wire


def test_what_does_not_fit_into_forty_bytes_is_a_cookie_left_out() -> None:
    """RFC 7413 §4.1.1: a cookie of 16 bytes beside everything else would make 44."""
    whole = Offer(1460, 7, True, (1, 2), md5=True)
    assert options.of_syn(whole._replace(fo=bytes(16))) == options.of_syn(whole)
    assert len(options.of_syn(whole)) == 40


@pytest.mark.parametrize(
    ("ts", "md5", "fits"), [(None, False, 4), ((1, 2), False, 3), (None, True, 2), ((1, 2), True, 0)]
)
def test_blocks_take_the_room_that_is_left(ts: tuple[int, int] | None, md5: bool, fits: int) -> None:
    """RFC 2018 §3: four blocks, three beside timestamps; a signature takes the room of two."""
    blocks = tuple((n, n + 1) for n in range(100, 600, 100))
    raw = options.of_segment(ts, blocks, md5)
    assert read(raw).sack == blocks[:fits]
    assert len(raw) == 20 * md5 + 12 * bool(ts) + (4 + 8 * fits if fits else 0)


@given(U32, U32, st.lists(st.tuples(U32, U32), max_size=5), st.booleans())
def test_what_a_segment_says_is_read_back(value: int, echo: int, blocks: list[tuple[int, int]], stamped: bool) -> None:
    """RFC 7323 §3.2, RFC 2018 §3."""
    raw = options.of_segment((value, echo) if stamped else None, tuple(blocks))
    fits = tuple(blocks[: 3 if stamped else 4])
    assert said(read(raw)) == {**NOTHING, "sack": fits, "ts": (value, echo) if stamped else None}


@given(
    st.integers(0, 0xFFFF), st.none() | st.integers(0, 14), st.booleans(), STAMPS, COOKIE, st.sampled_from([34, 254])
)
def test_what_a_syn_says_is_read_back(
    mss: int, shift: int | None, sack: bool, ts: tuple[int, int] | None, fo: bytes | None, kind: int
) -> None:
    """RFC 9293 §3.2."""
    raw = options.of_syn(Offer(mss, shift, sack, ts, False, fo, kind))
    wanted = {**NOTHING, "mss": mss, "shift": shift, "sack_ok": sack, "ts": ts}
    if fo is not None:
        wanted |= {"fo": fo, "fo_kind": kind}
    assert said(read(raw, syn=True)) == wanted
    assert len(raw) % 4 == 0


@given(st.binary(max_size=40), st.booleans())
def test_any_bytes_are_a_list_of_options(raw: bytes, syn: bool) -> None:
    """RFC 9293 §3.1, MUST-7: and no byte of it raises."""
    it = read(raw, syn)
    assert len(it.sack) <= 4
    if not syn:
        assert (it.mss, it.shift, it.sack_ok, it.fo) == (None, None, False, None)


@given(
    st.lists(st.sampled_from([("NOP", None), ("Timestamp", (7, 8)), ("SAck", (1, 2, 3, 4)), (253, b"xy")]), max_size=4)
)
def test_options_are_found_in_any_order(listed: list[tuple[Any, Any]]) -> None:
    """RFC 9293 §3.1, MUST-5: the quick ways of reading say what the long one says."""
    raw = build_options(listed)[:40]
    it = read(raw)
    names = [name for name, _ in listed] if len(build_options(listed)) <= 40 else []
    if names:
        assert it.ts == ((7, 8) if "Timestamp" in names else None)
        assert it.sack == (((1, 2), (3, 4)) if "SAck" in names else ())


@given(st.sampled_from(SYNS), st.lists(st.tuples(st.integers(0, 19), st.integers(0, 255)), max_size=2), st.booleans())
def test_what_is_read_at_once_is_what_is_read_one_by_one(
    syn: tuple[Offer, str], changes: list[tuple[int, int]], really: bool
) -> None:
    """With a NOP in front no list is one of those that are known as a whole."""
    raw = bytearray.fromhex(syn[1])
    for at, value in changes:
        if at < len(raw):
            raw[at] = value
    assert said(read(bytes(raw), really)) == said(read(b"\1" + raw, really))


@pytest.mark.parametrize("cut", ["0101050a000001", "05", "0801", "1300", "fe20f989", "0214"])
def test_an_option_that_runs_over_the_end_ends_the_list(cut: str) -> None:
    """RFC 9293 §3.1, MUST-7: counted, and what stood before it holds."""
    it, count = checked(bytes.fromhex("0101080a0000000100000002" + cut))
    assert said(it) == {**NOTHING, "ts": (1, 2)}
    assert count == {"TcpInBadOptions": 1}


def test_options_of_sizes_that_they_cannot_have_are_unknown_ones() -> None:
    """RFC 9293 §3.1, MUST-6: passed over, and what follows is read."""
    for kind, size in ((8, 7), (5, 7), (5, 0), (19, 3), (172, 4), (2, 3), (3, 0), (4, 1), (34, 5)):
        raw = bytes((kind, 2 + size)) + bytes(size) + bytes((2, 4, 5, 180))
        assert said(read(raw, syn=True)) == {**NOTHING, "mss": 1460}, (kind, size)


def test_accurate_ecn_counters_keep_the_order_of_their_kind() -> None:
    """RFC 9768 §3.2.3: kinds 172 and 174, up to three counters of 24 bits."""
    assert read(bytes.fromhex("ac0b000001000002000003")).accecn == (172, 1, 2, 3)
    assert read(bytes.fromhex("ae05000009")).accecn == (174, 9)
    assert read(bytes.fromhex("ae02")).accecn == (174,)


@pytest.mark.parametrize("kind", [FAST_OPEN, EXPERIMENT])
def test_a_cookie_is_of_four_to_sixteen_bytes_and_even(kind: int) -> None:
    """RFC 7413 §4.1.1; another magic number is another experiment (RFC 6994)."""
    for size in range(19):
        data = (b"\xf9\x89" if kind == EXPERIMENT else b"") + bytes(size)
        it = read(bytes((kind, 2 + len(data))) + data, syn=True)
        assert it.fo == (bytes(size) if size in (0, 4, 6, 8, 10, 12, 14, 16) else None)
    assert read(bytes((254, 4)) + b"\xf9\x88", syn=True).fo is None
