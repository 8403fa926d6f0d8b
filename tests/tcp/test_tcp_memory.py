# SPDX-License-Identifier: GPL-2.0-or-later
"""What segments cost in memory, and what gives way when there is too little (Linux's tcp_prune_queue, tcp_mem)."""

import errno
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tcp_script import Script, pattern

from labstack.core.env import Env
from labstack.core.rng import Rng
from labstack.tcp import autotune
from labstack.tcp.conn import Rcv
from labstack.tcp.memory import truesize

Tcp = Callable[..., Script]


@pytest.mark.parametrize(
    ("payload", "cost"),
    [(1, 832), (100, 832), (200, 1280), (537, 1280), (900, 2304), (1460, 2304), (2000, 4352), (10_000, 12_544)],
)
def test_a_segment_costs_what_it_does_on_linux(payload: int, cost: int) -> None:
    """Measured with SO_MEMINFO on a TUN device, 40 bytes of headers."""
    assert truesize(payload + 40)[0] == cost


def test_what_fits_into_the_buffer_before_it_costs_nothing(tcp: Tcp) -> None:
    """Linux's tcp_try_coalesce copies into what an earlier segment left free."""
    s = tcp().passive()
    s.rx("A", data=1400)
    s.rx("A", data=200)
    assert s.conn.rcv.alloc == 2304
    s.rx("A", data=100)
    assert s.conn.rcv.alloc == 2304 + 832
    s.call("recv", s.sock, 1500)
    assert s.conn.rcv.alloc == 2304 + 832  # a buffer that is read in part is in use
    s.call("recv", s.sock, 100)
    assert s.conn.rcv.alloc == 832
    s.burst()


def test_small_segments_make_room_in_a_buffer_that_nobody_chose(tcp: Tcp) -> None:
    """Linux's tcp_clamp_window: the peer was told of a window; its segments cost more than was reckoned with."""
    s = tcp(sysctl={"net.ipv4.tcp_rmem.default": 20_000}).passive()
    for _ in range(40):
        s.rx("A", data=100)
    assert s.conn.rcv.queued == 4000
    assert s.conn.rcv.limit == 39 * 832
    assert s.count("TcpExtPruneCalled") > 0 == s.count("TcpExtTCPRcvQDrop")
    s.burst()


def test_in_a_chosen_one_they_are_dropped_and_the_window_closes(tcp: Tcp) -> None:
    """Linux's tcp_data_queue: no memory is told with a window of zero."""
    s = tcp().passive(rcvbuf=4000)
    for _ in range(12):
        s.rx("A", data=400)
        s.burst()
    assert s.conn.rcv.queued == 7 * 400
    assert s.conn.rcv.edge == s.conn.rcv.nxt
    counted = {name: s.count(f"TcpExt{name}") for name in ("PruneCalled", "RcvPruned", "TCPRcvQDrop")}
    assert counted == {"PruneCalled": 1, "RcvPruned": 1, "TCPRcvQDrop": 1}
    s.call("recv", s.sock)
    assert s.burst()[-1].win > 0


def test_a_window_that_has_closed_holds_though_a_fin_beyond_it_has_come(tcp: Tcp) -> None:
    """The peer is told of 0 for want of memory, and then of less than it knew of: no more is taken (seed 417929)."""
    s = tcp().passive(rcvbuf=4000)
    rcv = s.conn.rcv
    for at in (0, 400):
        s.rx("A", seq=1 + at, data=pattern(at, 400))
        s.burst()
    s.rx("FA", seq=1 + 3300)
    while not s.count("TcpExtTCPRcvQDrop"):
        at = rcv.nxt - s.irs - 1
        s.rx("A", seq=1 + at, data=pattern(at, 400 if at < 2400 else 100))
    s.burst()
    s.call("recv", s.sock, 400)
    last = s.burst()[-1]
    assert last.win == 300
    s.rx("A", seq=last.ack, data=pattern(last.ack - 1, 500))
    assert s.burst()[-1].ack == last.ack + last.win
    s.conn.check()


def test_a_window_that_has_closed_opens_for_what_had_come_before(tcp: Tcp) -> None:
    """The host has no memory left while segments wait beyond a gap; once it is filled they join, wherever the window
    now ends."""
    pages = {"net.ipv4.tcp_mem.min": 1, "net.ipv4.tcp_mem.default": 2, "net.ipv4.tcp_mem.max": 4}
    s = tcp(sysctl=pages).passive()
    for n in (5, 6, 7, 8, 9, 0, 1, 2):
        at = n * 1460 - (n > 2) * 1900
        s.rx("A", seq=1 + at, data=pattern(at, 1460))
    gap = 3 * 1460
    s.rx("A", seq=1 + gap, data=pattern(gap, 1020))
    s.burst()
    assert s.count("TcpExtTCPRcvQDrop") == 1
    s.call("recv", s.sock, 1460)
    last = s.burst()[-1]
    assert last.ack + last.win < s.conn.rcv.islands[-1][1] - s.irs
    s.rx("A", seq=1 + gap, data=pattern(gap, 1020))
    s.conn.check()
    assert s.burst()[-1].ack == 1 + 10 * 1460 - 1900
    assert s.call("recv", s.sock, 20_000) == pattern(1460, 9 * 1460 - 1900)


def test_what_lies_farthest_beyond_a_gap_gives_way_to_what_is_nearer(tcp: Tcp) -> None:
    """Linux's tcp_prune_ofo_queue."""
    s = tcp().passive(rcvbuf=5000)
    for at in range(4000, 100, -300):
        s.rx("A", seq=at, data=200)
    s.burst()
    assert s.count("TcpExtOfoPruned") > 0
    rcv = s.conn.rcv
    assert rcv.islands[0][0] == s.irs + 400
    assert rcv.alloc <= rcv.limit + 1280
    s.rx("A", seq=1, data=pattern(0, 399))
    assert s.burst()[-1].ack == 600


def test_a_window_that_may_shrink_leaves_the_gap_open_that_its_islands_wait_for(tcp: Tcp) -> None:
    """net.ipv4.tcp_shrink_window: the window closed before what would have made room in it could come."""
    s = tcp(sysctl={"net.ipv4.tcp_shrink_window": 1}).passive(ws=7)
    s.call("setopt", s.sock, "rcvbuf", 1152)
    before = s.conn.rcv.edge
    for at in (300, 1000, 1700):
        s.rx("A", seq=1 + at, data=pattern(at, 700))
    s.burst()
    assert s.conn.rcv.alloc >= s.conn.rcv.limit
    assert s.conn.rcv.edge < before
    s.rx("A", seq=1, data=pattern(0, 300))
    assert s.burst()[-1].ack > 300
    assert s.call("recv", s.sock).startswith(pattern(0, 1000))
    s.burst()


def test_the_host_counts_what_all_connections_use_and_lets_none_grow_under_pressure(tcp: Tcp) -> None:
    """net.ipv4.tcp_mem, in pages."""
    pages = {"net.ipv4.tcp_mem.min": 1, "net.ipv4.tcp_mem.default": 2, "net.ipv4.tcp_mem.max": 4}
    s = tcp(sysctl=pages).passive()
    for _ in range(6):
        s.rx("A", data=1460)
    env = s.stack.env
    assert env.memory == s.conn.rcv.alloc == 6 * 2304
    assert env.pressed
    assert s.count("TcpExtTCPMemoryPressures") == 1
    for _ in range(10):
        s.rx("A", data=1460)
    assert s.count("TcpExtTCPRcvQDrop") > 0
    assert env.memory <= 5 * 4096
    while s.conn.rcv.queued:
        s.call("recv", s.sock)
    assert not env.pressed
    assert env.memory == 0
    s.burst()


def test_without_memory_a_send_buffer_holds_its_least_and_goes_on(tcp: Tcp) -> None:
    """net.ipv4.tcp_wmem, the first number: what waits to be sent counts for tcp_mem, too."""
    pages = {"net.ipv4.tcp_mem.min": 1, "net.ipv4.tcp_mem.default": 2, "net.ipv4.tcp_mem.max": 3}
    s = tcp(sysctl=pages).passive(win=0)
    for _ in range(9):
        s.rx("A", data=1460, win=0)  # nobody reads
    s.burst()
    written = s.call("send", s.sock, bytes(100_000))
    assert 4096 <= written < 8192
    s.fails(errno.EAGAIN, "send", s.sock, b"more")
    s.wakes.clear()
    s.rx("A", win=written)
    s.burst()
    s.rx("A", ack=1 + written)
    assert [wake.sock for wake in s.wakes] == [s.sock]
    assert s.call("send", s.sock, b"more") == 4
    s.burst()


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 9000), st.integers(1, 3000), st.integers(0, 2)), max_size=25))
def test_any_segments_keep_the_bounds(steps: list[tuple[int, int, int]]) -> None:
    """Whatever comes, in whatever order: a buffer that was chosen holds no more than it may, and a segment."""
    s = Script(tracing=False).passive(rcvbuf=5000)
    for seq, size, reads in steps:
        s.rx("A", seq=1 + seq, data=pattern(seq, size))
        rcv = s.conn.rcv
        assert rcv.alloc <= rcv.limit + truesize(3040)[0]
        assert rcv.queued + sum(end - start for start, end, _ in rcv.islands) <= 10_000
        if reads and rcv.queued:
            s.call("recv", s.sock, 700 * reads)
        s.burst()


def test_the_window_grows_up_to_its_clamp() -> None:
    """Linux's tcp_grow_window: by two segments for each that arrives, as far as buffer and clamp have room."""
    rcv = Rcv(irs=0, nxt=1, edge=1, limit=1 << 20, mss=1000, clamp=1500, ssthresh=1000, seen=1000)
    autotune.grow(Env(rng=Rng(1)), rcv, 1000, 1000)
    assert rcv.ssthresh == 1500
