# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls that block: they return when they should, several at once, and one that fails costs itself alone."""

import errno
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from syscall_host import DGRAM, DONTWAIT, HOME, INET, PEEK, STREAM, WAITALL, Host, connected
from transcript import i32, timeval

from labstack.core.config import MS, SECOND
from labstack.core.errors import StackError
from labstack.core.event import Quarantine, Wake
from labstack.stack import make
from labstack.stack import stack as machine
from labstack.stack.syscall import parked


def test_several_calls_wait_at_once_and_the_first_is_served_first() -> None:
    h = connected()
    first, second, other = h.read(5, 2), h.read(5, 10), h.read(4, 10)
    h.write(4, b"abcdef")
    assert h.back(first) == (2, 0, b"ab")
    assert h.back(second) == (4, 0, b"cdef")
    assert h.result(other) is None
    h.write(5, b"x")
    assert h.back(other) == (1, 0, b"x")


def test_who_comes_too_late_waits_on() -> None:
    h = connected()
    first, second = h.read(5, 10), h.read(5, 10)
    h.write(4, b"abc")
    assert h.back(first) == (3, 0, b"abc")
    assert h.result(second) is None
    h.close(4)
    assert h.back(second) == (0, 0, b"")


def test_a_result_has_its_time_and_is_told_once() -> None:
    h = connected()
    h.wait(100)
    h.setsockopt(5, 1, 20, timeval(0.25))
    ticket = h.read(5, 10)
    h.wait(249)
    assert h.result(ticket) is None
    h.wait(1000)
    assert h.result(ticket) == (350 * MS, (-1, errno.EAGAIN, None))
    assert h.result(ticket) is None
    assert h.stack.files.parked == {}


def test_what_a_call_may_wait_is_settled_when_it_is_made() -> None:
    h = connected()
    h.setsockopt(5, 1, 20, timeval(0.5))
    ticket = h.recv(5, 10, WAITALL)
    h.setsockopt(5, 1, 20, timeval(0.1))
    h.fcntl(5, 4, 0o4000)
    h.write(4, b"abc")
    h.wait(499)
    assert h.result(ticket) is None
    assert h.recv(5, 10, 0) == (-1, errno.EAGAIN, None)
    h.wait(1)
    assert h.back(ticket) == (3, 0, b"abc")


def test_a_write_goes_on_piece_by_piece_until_all_is_taken() -> None:
    h = connected()
    text = bytes(range(251)) * 40_000
    ticket = h.write(4, text)
    got = b""
    while len(got) < len(text):
        assert h.result(ticket) is None or len(text) - len(got) < 3_000_000
        part = h.recv(5, 300_000, 0)
        if isinstance(part, int):
            h.wait(100)
            part = h.back(part)
        got += part[2]
    assert got == text
    assert h.stack.files.parked == {}


def test_a_write_whose_time_is_up_returns_what_was_taken() -> None:
    h = connected()
    h.setsockopt(4, 1, 21, timeval(0.5))
    ticket = h.write(4, bytes(20_000_000))
    h.wait(499)
    assert h.result(ticket) is None
    h.wait(1)
    at, (taken, code, _) = h.result(ticket)
    assert (at, code) == (h.now, 0)
    assert 0 < taken < 20_000_000
    h.wait(5000)
    while h.send(4, bytes(100_000), DONTWAIT)[0] > 0:
        pass
    nothing = h.write(4, b"x")
    h.wait(500)
    assert h.back(nothing) == (-1, errno.EAGAIN, None)


def test_a_write_ends_short_when_the_direction_is_shut() -> None:
    h = connected()
    ticket = h.write(4, bytes(20_000_000))
    h.shutdown(4, 1)
    taken, code, _ = h.back(ticket)
    assert (0 < taken < 20_000_000, code) == (True, 0)
    assert h.write(4, b"x") == (-1, errno.EPIPE, None)


def test_a_write_ends_short_with_the_connection_and_the_next_one_says_why() -> None:
    h = connected()
    ticket = h.write(4, bytes(20_000_000))
    h.setsockopt(5, 1, 13, i32(1, 0))
    h.close(5)
    taken, code, _ = h.back(ticket)
    assert (0 < taken < 20_000_000, code) == (True, 0)
    assert h.write(4, b"x") == (-1, errno.ECONNRESET, None)
    assert h.write(4, b"x") == (-1, errno.EPIPE, None)


def test_what_a_resumed_call_sends_leaves_in_the_same_drain() -> None:
    """A writer that waits for room writes on as soon as the reader has read; nobody has to come back for it."""
    h = connected()
    ticket = h.write(4, bytes(4_000_000))
    assert len(h.recv(5, 4_000_000, DONTWAIT)[2]) < 4_000_000
    before = h.stack.env.count["TcpOutSegs"]
    while h.result(ticket) is None:
        assert not isinstance(h.recv(5, 4_000_000, DONTWAIT), int)
        assert h.now == 0
        assert h.stack.env.count["TcpOutSegs"] > before
        before = h.stack.env.count["TcpOutSegs"]


def test_close_with_linger_waits_for_the_peer_and_no_longer_than_that() -> None:
    h = connected()
    h.setsockopt(4, 1, 13, i32(1, 5))
    h.fcntl(4, 4, 0o4000)  # O_NONBLOCK does not matter here
    h.write(4, b"hello")
    ticket = h.close(4)
    assert h.result(ticket) is None
    assert h.socket(INET, DGRAM, 0) == (4, 0, None)
    h.wait(50)
    at, back = h.result(ticket)
    assert (at, back) == (40 * MS, (0, 0, None))


def test_close_with_linger_gives_up_after_its_time() -> None:
    h = connected()
    ticket = h.write(4, bytes(20_000_000))
    h.setsockopt(4, 1, 13, i32(1, 2))
    h.shutdown(4, 1)
    h.back(ticket)
    h.wait(1000)
    ticket = h.close(4)
    h.wait(1999)
    assert h.result(ticket) is None
    h.wait(1)
    assert h.result(ticket) == (3 * SECOND, (0, 0, None))
    assert not h.stack.conns[2].held
    assert h.recv(5, 10, WAITALL) == (10, 0, bytes(10))


def test_a_reset_ends_a_close_that_lingers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is forgotten before the close returns: there is nothing left to close."""
    h = connected()
    h.setsockopt(4, 1, 13, i32(1, 5))
    h.write(4, b"hello")
    ticket = h.close(4)
    h.setsockopt(5, 1, 13, i32(1, 0))
    assert h.close(5) == (0, 0, None)
    assert h.back(ticket) == (0, 0, None)
    assert not h.stack.env.count["ContainedCalls"]
    assert not h.stack.conns


def test_a_fault_in_a_call_that_waits_costs_that_call_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    h = connected()
    bad, good = h.recv(5, 10, 0), h.read(5, 10)
    with monkeypatch.context() as patch:
        patch.setitem(parked.BLOCKING, "recv", lambda *_: {}["planted"])
        h.write(4, b"abc")
    assert h.back(bad) == (-1, errno.EIO, None)
    assert h.back(good) == (3, 0, b"abc")
    assert h.stack.env.count["ContainedCalls"] == 1
    assert ["planted" in it.why for it in h.actions if isinstance(it, Quarantine)] == [True]


def test_a_fault_in_a_call_that_is_made_costs_that_call_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    h = connected()
    with monkeypatch.context() as patch:
        patch.setitem(parked.AT_ONCE, "getsockname", lambda *_: {}["planted"])
        assert h.getsockname(4) == (-1, errno.EIO, None)
    assert h.getsockname(4)[0] == 0
    assert h.stack.env.count["ContainedCalls"] == 1


def test_a_clone_goes_on_as_its_original() -> None:
    h = connected()
    reading, writing = h.recv(5, 2_000_000, WAITALL), h.write(5, bytes(20_000_000))
    h.write(4, b"abc")
    twin = Host()
    twin.stack, twin.now = h.stack.clone(), h.now
    for it in (h, twin):
        it.send(4, bytes(2_000_000), DONTWAIT)
        it.recv(4, 1_000_000, DONTWAIT)
        it.wait(500)
    assert h.stack == twin.stack
    assert h.result(reading) == twin.result(reading)
    assert h.result(writing) == twin.result(writing)


def test_a_drain_that_reaches_its_limit_wakes_nobody_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "LOOPS", 2)
    h = connected_slowly()
    ticket = h.recv(5, 3_000_000, WAITALL)
    h.write(4, bytes(3_000_000))
    assert h.back(ticket)[0] == 3_000_000
    assert h.now == 0


def connected_slowly() -> Host:
    """As connected, where no drain gets far."""
    h = Host()
    h.socket(INET, STREAM, 0), h.bind(3, HOME), h.listen(3, 5), h.socket(INET, STREAM, 0)
    assert h.back(h.connect(4, HOME)) == (0, 0, None)
    assert h.accept(3)[0] == 5
    return h


def test_results_that_nobody_takes_are_forgotten_from_the_oldest_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parked, "MOST", 2)
    h = connected()
    h.setsockopt(5, 1, 20, timeval(0.1))
    tickets = []
    for _ in range(3):
        tickets.append(h.read(5, 1))
        h.wait(200)
    assert [h.result(ticket) is None for ticket in tickets] == [True, False, False]


def test_too_many_calls_that_wait_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parked, "MOST", 2)
    h = connected()
    assert all(isinstance(h.read(5, 1), int) for _ in range(2))
    assert h.read(5, 1) == (-1, errno.ENOMEM, None)


def test_wakes_of_descriptors_are_for_calls_and_the_others_for_the_runner() -> None:
    h = connected()
    h.read(5, 10)
    h.write(4, b"x")
    assert [it for it in h.actions if isinstance(it, Wake)] == []
    listener = h.stack.call("listen", 81)
    h.settle()
    h.socket(INET, STREAM | 0o4000, 0)
    h.connect(6, ("127.0.0.1", 81))
    assert [it.sock for it in h.actions if isinstance(it, Wake)] == [listener]


def test_a_host_without_descriptors_never_looks_for_calls_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parked, "resume", None)
    stack = make("h")
    stack.call("listen", 80)
    stack.call("connect", "127.0.0.1", 80)
    assert [type(it) for it in stack.drain(0)] == [Wake, Wake]


def test_a_call_that_there_is_not() -> None:
    assert Host().sys("ptrace", 1, 2, 3) == (-1, errno.ENOSYS, None)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("socket", 2, 1), "too few"),
        (("socket", 2, 1, 0, 0), "too many"),
        (("socket", "AF_INET", 1, 0), "family = 'AF_INET': expected int"),
        (("write", 3, "text"), "data = 'text': expected bytes or None"),
        (("connect", 3, "127.0.0.1"), "addr = '127.0.0.1'"),
        (("accept4", 3), "accept4(fd, flags)"),
    ],
)
def test_what_no_c_program_could_pass_is_a_mistake_of_the_caller(args: tuple[Any, ...], says: str) -> None:
    with pytest.raises(StackError) as caught:
        Host().sys(*args)
    assert caught.value.errno == errno.EINVAL
    assert says in str(caught.value)


# ---- any sequence ---------------------------------------------------------------------------------------------------

fds = st.sampled_from([3, 3, 4, 4, 4, 5, 5, 5, 6, 7, 0, -1, 99])
hosts = st.sampled_from(["127.0.0.1"] * 4 + ["0.0.0.0", "127.0.0.2", "::1", "::", "::ffff:127.0.0.1", "192.0.2.1"])
odd = st.sampled_from([None, 0, 2, 10, 77, ("fe80::1", 80), ("ff02::1", 80), ("224.0.0.1", 80), ("x", 1), ("::1", -1)])
addresses = st.one_of(st.tuples(hosts, st.sampled_from([80, 80, 80, 81, 0])), odd)
flags = st.sampled_from([0, 0, DONTWAIT, WAITALL, PEEK, PEEK | WAITALL, 0x20, 1, 0x8000, 0x2000, 0x2000_0000, -1])
sizes = st.sampled_from([0, 1, 3, 10, 100_000, None])
texts = st.sampled_from([b"", b"x", b"abcdef", bytes(3000), bytes(3_000_000), None])
settable = st.sampled_from(
    [
        (1, 2, i32(1)), (1, 15, i32(1)), (41, 26, i32(1)), (1, 20, timeval(0.1)), (1, 21, timeval(0.1)),
        (1, 13, i32(1, 0)), (1, 13, i32(1, 1)), (1, 18, i32(5)), (6, 1, i32(1)), (6, 3, i32(1)), (1, 7, i32(5000)),
        (1, 8, i32(3000)), (1, 6, i32(1)), (6, 2, i32(100)), (1, 9999, b""),
    ]
)  # fmt: skip
STEPS = [
    st.tuples(
        st.just("socket"), st.sampled_from([2, 2, 2, 10, 7]), st.sampled_from([1, 1, 2, 0o4001, 0o4002, 3]), st.just(0)
    ),
    st.tuples(st.just("bind"), fds, addresses),
    st.tuples(st.just("listen"), fds, st.sampled_from([0, 1, 5, -1])),
    st.tuples(st.just("accept"), fds),
    st.tuples(st.just("accept4"), fds, st.sampled_from([0, 0o4000, 1])),
    st.tuples(st.just("connect"), fds, addresses),
    st.tuples(st.just("connect"), fds, addresses),
    st.tuples(st.just("shutdown"), fds, st.sampled_from([0, 1, 2, 3])),
    st.tuples(st.just("close"), fds),
    st.tuples(st.sampled_from(["getsockname", "getpeername"]), fds),
    st.tuples(st.just("read"), fds, sizes),
    st.tuples(st.just("recv"), fds, sizes, flags),
    st.tuples(st.just("recvfrom"), fds, sizes, flags),
    st.tuples(st.just("recvmsg"), fds, st.lists(st.integers(0, 9), max_size=3), flags),
    st.tuples(st.just("readv"), fds, st.lists(st.integers(0, 9), max_size=3)),
    st.tuples(st.just("write"), fds, texts),
    st.tuples(st.just("send"), fds, texts, flags),
    st.tuples(st.just("writev"), fds, st.lists(st.sampled_from([b"", b"ab"]), max_size=3)),
    st.tuples(st.just("sendto"), fds, texts, flags, addresses),
    st.tuples(st.just("sendmsg"), fds, st.lists(st.sampled_from([b"", b"ab"]), max_size=3), flags, addresses),
    settable.flatmap(lambda it: fds.map(lambda fd: ("setsockopt", fd, *it))),
    st.tuples(st.just("getsockopt"), fds, st.just(1), st.just(4), st.just(4)),
    st.tuples(st.just("wait"), st.sampled_from([1, 40, 150, 1000, 61_000])),
]
START = [
    ("socket", 2, 1, 0),
    ("bind", 3, HOME),
    ("listen", 3, 5),
    ("socket", 2, 1, 0),
    ("connect", 4, HOME),
    ("accept", 3),
]


def did(h: Host, step: tuple[Any, ...]) -> Any:
    """One step; whatever it is, nothing is raised and nothing fails inside."""
    back = h.wait(step[1]) if step[0] == "wait" else h.sys(*step)
    done = {ticket: h.result(ticket) for ticket in list(h.stack.files.done)}
    assert [it for it in h.actions if isinstance(it, Quarantine)] == []
    h.actions.clear()
    return back, done


@settings(max_examples=600, deadline=None)
@given(st.sampled_from([[], START]), st.lists(st.one_of(STEPS), max_size=30), st.integers(0, 30))
def test_any_calls_keep_the_invariants_and_a_clone_returns_the_same(
    start: list[tuple[Any, ...]], steps: list[tuple[Any, ...]], cut: int
) -> None:
    """Style 25: check() around every drain; a replay is identical."""
    h = Host()
    for step in [*start, *steps[:cut]]:
        did(h, step)
    twin = Host()
    twin.stack, twin.now = h.stack.clone(), h.now
    for step in steps[cut:]:
        assert did(h, step) == did(twin, step)
    assert h.stack == twin.stack
    for fd in list(h.stack.files.fds):
        if h.stack.files.fds.get(fd):
            did(h, ("shutdown", fd, 2))
            did(h, ("close", fd))
    did(h, ("wait", 200_000))
    files = h.stack.files
    held = {number for call in files.parked.values() for number in call.files}
    assert files.sockets.keys() == held  # by who waits with a descriptor that was closed
