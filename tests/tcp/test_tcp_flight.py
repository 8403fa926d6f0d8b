# SPDX-License-Identifier: GPL-2.0-or-later
"""Flight counts segments by arithmetic; beside it a list of all their ends, which it must equal."""

from bisect import bisect_right

from hypothesis import given
from hypothesis import strategies as st

from labstack.tcp.flight import Flight, add, count, ends, passed

MSS = 10


class Plain:
    """Every segment's end in a list."""

    def __init__(self) -> None:
        self.ends: list[int] = []
        self.tail = 0

    def add(self, seq: int, size: int, end: int, mss: int) -> None:
        start = max(seq, self.tail)
        data = seq + size
        cuts = list(range(start + mss, data, mss))
        fin = end > data
        alone = fin and (data == start or (data - start) % mss)
        self.ends += [*cuts, end if alone else data]
        self.tail = end

    def passed(self, una: int) -> int:
        found = len(self.ends) if una >= self.tail else bisect_right(self.ends, una)
        del self.ends[:found]
        self.tail = max(self.tail, una)
        return found


sizes = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 45), st.just(False)),
        st.tuples(st.just("again"), st.integers(1, 45), st.just(False)),
        st.tuples(st.just("ack"), st.integers(0, 60), st.just(False)),
        st.tuples(st.just("mss"), st.integers(3, 12), st.just(False)),
    ),
    max_size=30,
)


@given(sizes, st.integers(0, 25))
def test_it_counts_as_a_list_of_all_ends_would(steps: list[tuple[str, int, bool]], last: int) -> None:
    it, plain, mss, una = Flight(MSS, 0, 0), Plain(), MSS, 0
    for kind, n, _ in [*steps, ("fin", last, True)]:
        if kind == "mss":
            mss = n
        elif kind == "ack":
            una = max(una, min(una + n, it.tail))
            assert passed(it, una) == plain.passed(una)
        else:
            seq = it.tail if kind != "again" else max(una, it.tail - 7)
            end = seq + n + (kind == "fin")
            if end <= it.tail:
                continue
            add(it, seq, n, end, mss)
            plain.add(seq, n, end, mss)
        assert ends(it) == plain.ends
        assert [count(it, stop) for stop in range(una, it.tail)] == [
            bisect_right(plain.ends, stop) for stop in range(una, it.tail)
        ]
        assert count(it, it.tail) == len(plain.ends)
    assert passed(it, it.tail) == len(plain.ends)
    assert (it.head, it.ends) == (it.tail, [])


def test_full_segments_need_no_memory() -> None:
    it = Flight(MSS, 0, 0)
    for n in range(100):
        add(it, n * MSS, MSS, (n + 1) * MSS, MSS)
    add(it, 1000, 50 * MSS, 1000 + 50 * MSS, MSS)
    assert (count(it, it.tail), it.ends) == (150, [])
    assert passed(it, 995) == 99
    assert (it.head, passed(it, 1000)) == (990, 1)


def test_a_syn_and_a_bare_fin_are_segments() -> None:
    it = Flight(MSS, 5, 5)
    add(it, 5, 0, 6, MSS)
    assert (passed(it, 6), it.head) == (1, 6)
    add(it, 6, 20, 26, MSS)
    add(it, 26, 0, 27, MSS)
    assert (ends(it), passed(it, 26), passed(it, 27)) == ([16, 26, 27], 2, 1)
