# SPDX-License-Identifier: GPL-2.0-or-later
"""A train equals its super-segments one by one: the same calls and acknowledgments leave equal states and frames."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_stack_shortcut import LINKS, SECOND, Link, links, stamp

from labstack.core.event import Note, Rx, Tx
from labstack.stack import Stack
from labstack.stack.syscall.files import MSG_OOB
from labstack.tcp import isn, train
from labstack.tcp.cc.bbr import Bbr
from labstack.tcp.conn import DELAYED, Accurate, Conn, Search
from labstack.tcp.ecn import ACCURATE, ON, TELL
from labstack.tcp.loss import CWR, DISORDER
from labstack.tcp.md5 import Key

GSO = 20_000  # bytes of a super-segment: 19 segments
WINDOW = 3900  # scaled by 7: half a million bytes


@contextmanager
def one_by_one() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "follow", lambda *_: 0)
        yield


def grown(link: Link, ts: int = 5000, gso: int = GSO) -> tuple[Stack, int]:
    """A sender with a wide window and much room."""
    host, sock = link.connected(sack=True, ts=ts, gso=gso)
    conn = host.conns[sock]
    conn.snd.limit, conn.snd.cc.cwnd, conn.snd.cc.ssthresh = 1 << 20, 400, 300
    host.call("send", sock, b"first")
    host.drain(SECOND)
    acknowledge(link, host, conn, conn.snd.una, SECOND)
    return host, sock


def acknowledge(link: Link, host: Stack, conn: Conn, ack: int, now: int) -> None:
    options = stamp((conn.tstamp.recent, conn.tstamp.now(now))) if conn.tstamp is not None else stamp(None)
    host.handle(Rx(1, link.frame("A", conn.rcv.nxt, ack, window=WINDOW, options=options)), now)


def both_ways(host: Stack, other: Stack, now: int) -> int:
    """Drain both hosts, which were equal; they send equal frames, and are equal still. How many frames it was."""
    sent = host.drain(now)
    with one_by_one():
        assert other.drain(now) == sent
    assert host.diff(other) == []
    return sum(type(action) is Tx for action in sent)


@pytest.mark.parametrize("link", LINKS, ids=str)
@pytest.mark.parametrize("ts", [0, 5000], ids=["plain", "with timestamps"])
def test_much_to_send_makes_a_train(link: Link, ts: int, monkeypatch: pytest.MonkeyPatch) -> None:
    followed: list[int] = []
    follow = train.follow
    host, sock = grown(link, ts)
    other = host.clone()
    for it in (host, other):
        it.call("send", sock, bytes(300_000))
    monkeypatch.setattr(train, "follow", lambda *args: followed.append(follow(*args)) or followed[-1])
    assert both_ways(host, other, SECOND) > followed[0] > 10


def window_of_one_and_a_half(conn: Conn) -> None:
    """Told twice it is two windows: without a scale small buffers open bit by bit."""
    rcv = conn.rcv
    rcv.shift, rcv.clamp, rcv.seen, rcv.mss, rcv.ssthresh = 0, 1000, 1000, 1000, 1 << 20
    rcv.limit, rcv.edge = 1600 * 256 // rcv.ratio, rcv.acked + 500


def signed(conn: Conn) -> None:
    conn.keys = (Key(conn.remote, len(conn.remote) * 8, b"secret"),)


def counting(conn: Conn) -> None:
    conn.ecn, conn.acc = ON | ACCURATE, Accurate(0, False, came=3)


def look_again(conn: Conn) -> None:
    """The range of sizes was exhausted ten minutes ago: the next segment makes another, and the one after it probes."""
    conn.snd.clamp, conn.search = 1400, Search(True, 1030, 1032, since=-SECOND * 700)


ODD: dict[str, Callable[[Conn], None]] = {
    "urgent data": lambda conn: setattr(conn.snd, "up", conn.snd.out.end - 7),
    "disorder": lambda conn: setattr(conn.snd.loss, "state", DISORDER),
    "a window being reduced": lambda conn: setattr(conn.snd.loss, "state", CWR),
    "a window probe": lambda conn: setattr(conn.snd, "probe", True),
    "a boundary": lambda conn: conn.snd.out.stop(conn.snd.nxt + 100_000),
    "a rate of the user's": lambda conn: setattr(conn, "user", conn.user._replace(pacing=1 << 40)),
    "a pacing interface": lambda conn: setattr(conn, "fq", True),
    "a pacing controller": lambda conn: setattr(conn.snd, "cc", Bbr(conn.snd.mss, 400)),
    "a reduction to tell of": lambda conn: setattr(conn, "ecn", ON | TELL),
    "marks counted": counting,
    "a signature": signed,
    "a range of MTUs to look at again": look_again,
    "a SACK block to tell": lambda conn: setattr(conn.rcv, "recent", [(conn.rcv.nxt + 9, conn.rcv.nxt + 12)]),
    "something twice to tell": lambda conn: setattr(conn.rcv, "twice", (conn.rcv.nxt - 1, conn.rcv.nxt)),
    "a full receive buffer": lambda conn: setattr(conn.rcv, "alloc", conn.rcv.limit),
    "a window that opens": lambda conn: (setattr(conn.rcv, "starved", True), setattr(conn.rcv, "ack", DELAYED))[0],
    "no window scale": window_of_one_and_a_half,
    "an identification for routers": lambda conn: setattr(conn, "df", False),
    "a small device": lambda conn: setattr(conn, "gso", 1500),
    "a small congestion window": lambda conn: setattr(conn.snd.cc, "cwnd", 45),
    "a small window": lambda conn: setattr(conn.snd, "wnd", 70_000),
    "a small burst": lambda conn: setattr(conn.snd, "burst", 4),
    "a peer that never offered much": lambda conn: setattr(conn.snd, "max_wnd", 9000),
    "little of the application": lambda conn: setattr(conn.snd.delivery, "app_limited", 1),
    "an answer": lambda conn: (setattr(conn.rcv, "heard", SECOND), setattr(conn.rcv, "ato", SECOND))[0],
    "the end": lambda conn: setattr(conn.snd, "fin", True),
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("before", [0, 1000], ids=["", "in flight"])
def test_what_is_unusual_is_sent_as_always(odd: str, before: int) -> None:
    link = LINKS[len(odd) % len(LINKS)]
    host, sock = grown(link)
    host.call("send", sock, bytes(before))
    host.drain(SECOND)
    conn = host.conns[sock]
    host.call("send", sock, bytes(10 * (conn.gso - conn.gso % conn.snd.mss)))
    ODD[odd](conn)
    both_ways(host, host.clone(), SECOND)


def test_while_a_trace_is_kept_each_says_why() -> None:
    host, sock = grown(LINKS[0])
    host.env.tracing = True
    host.call("send", sock, bytes(300_000))
    sent = host.drain(SECOND)
    assert sum(note.rule == "9293/3.10.2/send" for note in host.take_trace() if isinstance(note, Note)) == len(sent)


def test_a_neighbour_is_asked_for_but_once() -> None:
    """Then the last action is the question."""
    host, sock = grown(Link(v6=False, ether=True))
    host.net.ifaces[1].neigh.table.clear()
    host.call("send", sock, bytes(300_000))
    both_ways(host, host.clone(), SECOND)


def test_small_writes_lie_in_too_many_pieces() -> None:
    host, sock = grown(LINKS[0], gso=65_000)
    for _ in range(150):
        host.call("send", sock, bytes(2048))
        host.call("send", sock, b"x")
    assert both_ways(host, host.clone(), SECOND) > 3


steps = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 1000, 2100, 19_000, 60_000, 150_000, 400_000]),  # bytes written
        st.sampled_from([0.0, 0.0, 0.3, 0.5, 1.0]),  # of what is in flight is acknowledged
        st.sampled_from([0, 1000, 50_000_000]),  # ns that pass
    ),
    max_size=12,
)


@settings(max_examples=100, deadline=None)
@given(links, st.booleans(), st.sampled_from([0, 1, 5]), steps)
def test_it_changes_nothing(link: Link, urgent: bool, wrap: int, script: list[tuple[int, float, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(isn, "choose", lambda *_: 2**32 - 200_000)
        host, sock = grown(link)
    other = host.clone()
    now = SECOND
    for size, share, wait in script:
        now += wait
        for it in (host, other):
            conn = it.conns[sock]
            conn.snd.burst = max(conn.snd.burst >> wrap, 1)
            if size and not conn.snd.blocked:
                it.call("send", sock, bytes(size), MSG_OOB if urgent and size else 0)
            acknowledge(link, it, conn, conn.snd.una + int((conn.snd.nxt - conn.snd.una) * share), now)
        both_ways(host, other, now)
