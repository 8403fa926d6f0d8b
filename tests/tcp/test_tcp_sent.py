# SPDX-License-Identifier: GPL-2.0-or-later
"""The retransmission queue: whatever is done to it, its counts are what its records say."""

from hypothesis import given
from hypothesis import strategies as st

from labstack.tcp.delivery import Note
from labstack.tcp.segment import FIN, PSH, SYN
from labstack.tcp.sent import (
    EVER,
    LOST,
    RETRANS,
    SACKED,
    Flight,
    Sent,
    cut,
    find,
    forget,
    mark,
    push,
    replace,
    segments,
)

NOTE = Note(0, 0, 0, False, 1)
MSS = 100
MARKS = [0, SACKED, LOST, LOST | RETRANS, LOST | RETRANS | EVER, EVER, RETRANS | EVER, SACKED | EVER]

operations = st.one_of(
    st.tuples(st.just("push"), st.integers(1, 1000), st.sampled_from([0, PSH, FIN])),
    st.tuples(st.just("cut"), st.integers(0, 100), st.integers(1, 1000)),
    st.tuples(st.just("mark"), st.integers(0, 100), st.sampled_from(MARKS)),
    st.tuples(st.just("join"), st.integers(0, 100), st.integers(2, 4)),
    st.tuples(st.just("gone"), st.integers(1, 3), st.just(0)),
)


@given(st.integers(0, 1 << 33), st.lists(operations, max_size=40))
def test_any_sequence_of_changes_keeps_the_counts(iss: int, script: list[tuple[str, int, int]]) -> None:
    """RFC 6675 §4: pipe is what SetPipe() would find, if it looked at every segment."""
    it, una, nxt = Flight(), iss, iss + 1
    push(it, iss, nxt, SYN, MSS, 0, NOTE)
    for op, a, b in script:
        queue = it.queue
        if op == "push":
            end = nxt + a + (b == FIN)
            assert push(it, nxt, end, b, MSS, 0, NOTE) == segments(a, MSS)
            nxt = end
        elif not queue:
            continue
        elif op == "cut":
            s = queue[a % len(queue)]
            at = s.seq + (1 + b % max(s.segs - 1, 1)) * MSS
            if s.segs > 1 and at < s.end - (s.flags & FIN):  # what was joined may have more segments than it fills
                cut(it, a % len(queue), at)
        elif op == "mark":
            mark(it, a % len(queue), b)
        elif op == "join":
            first = a % len(queue)
            some = queue[first : first + b]
            one = Sent(
                some[0].seq, some[-1].end, sum(s.segs for s in some), some[0].marks, 0, some[-1].flags, MSS, NOTE
            )
            replace(it, first, first + b, [one])
        else:
            replace(it, 0, a, [])
            una = queue[0].seq if queue else nxt
        assert it.broken(una, nxt, sack=True) == []
        pipe = sum(s.segs * ((not s.marks & (SACKED | LOST)) + bool(s.marks & RETRANS)) for s in queue)
        assert it.now == pipe
        for index, s in enumerate(queue):
            assert find(it, s.seq) == find(it, s.end - 1) == index
    forget(it)
    assert it.broken(nxt, nxt, sack=True) == []
    assert (it.now, it.left) == (0, 0)


def test_a_bare_syn_and_a_bare_fin_are_segments() -> None:
    """RFC 9293 §3.4: they occupy a number, and no byte."""
    it = Flight()
    assert push(it, 0, 1, SYN, MSS, 0, NOTE) == 1
    assert push(it, 1, 2, FIN, MSS, 0, NOTE) == 1
    assert [s.size for s in it.queue] == [0, 0]


def test_a_fin_behind_full_segments_is_no_segment_of_its_own() -> None:
    """RFC 9293 §3.4: it rides on the last one."""
    it = Flight()
    assert push(it, 0, 2 * MSS + 1, FIN | PSH, MSS, 0, NOTE) == 2
    assert it.queue[0].size == 2 * MSS


def test_push_and_fin_stay_at_the_end_of_what_is_cut_and_the_syn_at_its_beginning() -> None:
    """RFC 9293 §3.4, §3.9.1.2."""
    it = Flight()
    push(it, 0, 302, SYN | FIN | PSH, MSS, 7, NOTE)
    cut(it, 0, 101)
    head, tail = it.queue
    assert (head.seq, head.end, head.segs, head.flags, head.size) == (0, 101, 1, SYN, 100)
    assert (tail.seq, tail.end, tail.segs, tail.flags, tail.size) == (101, 302, 2, FIN | PSH, 200)
    assert head.at == tail.at == 7


def test_what_is_cut_keeps_its_marks() -> None:
    """RFC 6675 §3."""
    it = Flight()
    push(it, 0, 5 * MSS, 0, MSS, 0, NOTE)
    mark(it, 0, LOST | RETRANS | EVER)
    cut(it, 0, 2 * MSS)
    assert [(s.segs, s.marks) for s in it.queue] == [(2, LOST | RETRANS | EVER), (3, LOST | RETRANS | EVER)]
    assert (it.out, it.lost, it.retrans, it.now) == (5, 5, 5, 5)


def test_smaller_segments_are_more_segments() -> None:
    """RFC 1191 §6.4: where the path has shrunk, the head of what is cut has the new size."""
    it = Flight()
    push(it, 0, 4 * MSS, 0, MSS, 0, NOTE)
    cut(it, 0, 2 * MSS, MSS // 2)
    assert [(s.segs, s.mss) for s in it.queue] == [(4, MSS // 2), (2, MSS)]
    assert it.out == 6


def test_check_finds_what_is_wrong() -> None:
    """Invariants that nothing can break would prove nothing."""
    it = Flight()
    push(it, 0, 300, 0, MSS, 0, NOTE)
    push(it, 300, 400, 0, MSS, 0, NOTE)
    assert it.broken(100, 400, sack=True) == []
    wrong = it.clone()
    wrong.lost = 1
    assert wrong.broken(100, 400, sack=True) == ["lost and retransmitted ones are counted"]
    wrong = it.clone()
    wrong.queue.pop()
    assert wrong.broken(100, 400, sack=True) == ["the queue ends at SND.NXT", "all segments are counted"]
    wrong = it.clone()
    mark(wrong, 0, SACKED | LOST)
    assert wrong.broken(100, 400, sack=True) == ["SACKed and lost"]
    wrong.sacked = 0
    assert "SACKed segments are counted" in wrong.broken(100, 400, sack=True)
