# SPDX-License-Identifier: GPL-2.0-or-later
"""The pieces under a connection against simple models: islands against a dict of bytes, the outbox against bytes."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from labstack.tcp import islands
from labstack.tcp.islands import Island
from labstack.tcp.states import EDGES, TRANSITIONS
from labstack.tcp.stream import MAX_PIECES, Outbox


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20), st.integers(0, 255), st.integers(1, 4)), max_size=30))
def test_islands_hold_the_first_copy_of_every_byte(chunks: list[tuple[int, int, int, int]]) -> None:
    """hostile-inputs row 33: whatever overlaps whatever."""
    model: dict[int, int] = {}
    held: list[Island] = []
    for start, size, value, cuts in chunks:
        data = bytes((value + i) & 255 for i in range(size))
        step = -(-size // cuts)
        pieces = tuple(memoryview(data)[i : i + step] for i in range(0, size, step))
        new = sum(at not in model for at in range(start, start + size))
        assert islands.insert(held, start, start + size, pieces) == new
        for at in range(start, start + size):
            model.setdefault(at, data[at - start])
    assert {a + i: b for a, _, pieces in held for i, b in enumerate(b"".join(pieces))} == model
    assert all(len(b"".join(pieces)) == end - start for start, end, pieces in held)
    assert all(a[1] < b[0] for a, b in pairwise(held))


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=12), st.integers(0, 80))
def test_nothing_is_left_beyond_the_end(chunks: list[tuple[int, int]], end: int) -> None:
    """What the FIN cuts off."""
    held: list[Island] = []
    model = set()
    for start, size in chunks:
        islands.insert(held, start, start + size, (bytes(range(start, start + size)),))
        model |= set(range(start, start + size))
    islands.end_at(held, end)
    assert {at for a, b, _ in held for at in range(a, b)} == {at for at in model if at < end}
    assert all(b"".join(pieces) == bytes(range(a, b)) for a, b, pieces in held)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=20), st.integers(0, 400), st.integers(0, 400))
def test_cut_is_a_slice(pieces: list[bytes], first: int, stop: int) -> None:
    """Bytes [first, stop) of all the pieces."""
    assert b"".join(islands.cut(tuple(pieces), first, stop)) == b"".join(pieces)[first:stop]


@given(st.lists(st.integers(1, 5000), max_size=60))
def test_gathered_pieces_are_few_and_complete(sizes: list[int]) -> None:
    """No two neighbours that would fit together stay apart."""
    out: list[bytes | memoryview] = []
    islands.gather(out, [bytes([n & 255]) * n for n in sizes])
    assert b"".join(out) == b"".join(bytes([n & 255]) * n for n in sizes)
    assert all(len(a) + len(b) > islands.JOIN for a, b in pairwise(out))


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.binary(min_size=1, max_size=3000)),
        st.tuples(st.just("drop"), st.floats(0, 1)),
        st.tuples(st.just("slice"), st.tuples(st.floats(0, 1), st.integers(1, 5000))),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(st.integers(0, 1 << 33), ACTIONS)
def test_the_outbox_is_a_window_on_a_stream(start: int, actions: list[tuple[str, object]]) -> None:
    """Appending, acknowledging and slicing, against one long string."""
    box, stream, sent = Outbox(start=start, end=start), b"", start
    for what, how in actions:
        if what == "append":
            assert isinstance(how, bytes)
            box.append(how, sent)
            stream += how
        elif what == "drop":
            assert isinstance(how, float)
            box.drop_before(box.start + int(how * (sent - box.start)))
        else:
            assert isinstance(how, tuple)
            at = box.start + int(how[0] * len(box))
            got = b"".join(box.slice(at, how[1]))
            wanted = stream[at - start : at - start + how[1]]
            assert got == wanted[: len(got)]
            assert got == wanted or len(box.slice(at, how[1])) == MAX_PIECES
            sent = max(sent, at + len(got))
        assert (box.end, len(box)) == (start + len(stream), box.end - box.start)
        twin = box.clone()
        twin.append(b"only the twin's", sent)
        assert box.end == start + len(stream)


def test_what_was_acknowledged_is_forgotten() -> None:
    """RFC 9293 §3.10.7.4: what SND.UNA has passed leaves the queue, and a FIN may stand behind the last byte."""
    box = Outbox(start=0, end=0)
    for _ in range(200):
        box.append(bytes(3000), box.end)
        box.stop(box.end)
    box.drop_before(2999)
    assert (box.start, sum(map(len, box.pieces)), box.stop_after(2999)) == (2999, 600_000, 3000)
    box.drop_before(3000)
    assert (box.start, sum(map(len, box.pieces)), box.stops[0]) == (3000, 597_000, 6000)
    box.drop_before(450_001)
    box.drop_before(1000)  # an old number
    assert (box.start, len(box.pieces), box.stops[0]) == (450_001, 50, 453_000)
    box.drop_before(box.end + 1)
    assert (box.start, len(box), sum(map(len, box.pieces)), box.stops) == (600_000, 0, 0, [])


def test_every_state_of_the_figure_is_in_the_table_and_can_be_left() -> None:
    """RFC 9293 §3.3.2, figure 5: eleven states, and CLOSED is reachable from each."""
    assert len(TRANSITIONS) == 11
    for state, after in EDGES.items():
        assert after <= set(TRANSITIONS)
        assert "CLOSED" in after or state == "CLOSED"
