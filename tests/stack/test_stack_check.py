# SPDX-License-Identifier: GPL-2.0-or-later
"""check() finds what is wrong: invariants that nothing can break would prove nothing. For descriptors see
test_syscall_sockets.

Each damage is done to a connection in the middle of everything: data is in flight, of which the peer has a part; some
bytes wait for the application, some beyond a gap; an acknowledgment is delayed.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest
from tcp_script import Script

from labstack.core import kinds
from labstack.stack.stack import Stack
from labstack.tcp.conn import DELAYED, Conn
from labstack.tcp.sent import LOST, SACKED, mark
from labstack.tcp.states import CLOSED, FIN_WAIT_2, TIME_WAIT

EMPTY = "nothing is in flight where the queue is empty"
FIRST, LAST, GAP, LENGTH, ALL, SACKS, DUPLICATES, LOSSES, BOTH = (
    "the queue begins at SND.UNA",
    "the queue ends at SND.NXT",
    "the queue has no gap",
    "every segment has a length",
    "all segments are counted",
    "SACKed segments are counted",
    "no more duplicate ACKs than segments",
    "lost and retransmitted ones are counted",
    "SACKed and lost",
)
UNA, NXT, STREAM, CWND, WINDOW, QUEUED, ALLOC, CHARGES, BEYOND, FIN, FIN_ISLAND, ISLANDS, SORTED = (
    "SND.UNA <= SND.NXT",
    "SND.NXT is at most one (the FIN) behind the stream",
    "the stream begins at SND.UNA",
    "cwnd >= 1 segment",
    "the receive window is not negative",
    "queued counts what is ready",
    "alloc is the sum of what segments cost",
    "what waits costs memory, and nothing else in order",
    "what waits beyond a gap costs memory, and nothing else there",
    "nothing is received beyond the peer's FIN",
    "no island beyond the peer's FIN",
    "islands lie beyond RCV.NXT",
    "islands are sorted, disjoint and not adjacent",
)


@pytest.fixture
def s() -> Script:
    """... and it is in order, as is one that was closed."""
    s = Script(sack=True, tracing=False, sysctl={"net.ipv4.tcp_recovery": 0})
    s.opened({"mss": 1000, "sack_ok": True}).settled()
    s.call("send", s.sock, bytes(5000))
    start = s.iss or 0
    s.rx("A", ack=1, options=[("SAck", (start + 2001, start + 3001))])
    s.rx("A", seq=2001, ack=1, data=500)
    s.rx("A", seq=3001, ack=1, data=500)
    s.rx("A", seq=1, ack=1, data=500)
    s.conn.rcv.ack = DELAYED
    s.stack.env.timers.set((kinds.TCP_DELACK, s.sock), s.now + 1)
    s.stack.check()
    flight = s.conn.snd.flight
    assert ([it.marks for it in flight.queue], len(s.conn.rcv.islands)) == ([0, SACKED, 0], 2)
    return s


def put(path: str, value: int) -> Callable[[Conn], None]:
    """Add to a number of a connection."""
    *way, name = path.split(".")

    def damage(conn: Any) -> None:
        for step in way:
            conn = getattr(conn, step)
        setattr(conn, name, getattr(conn, name) + value)

    return damage


def segment(at: int, **change: Any) -> Callable[[Conn], None]:
    """Change a record of what is in flight."""

    def damage(conn: Conn) -> None:
        conn.snd.flight.queue[at] = conn.snd.flight.queue[at]._replace(**change)

    return damage


OF_CONN: list[tuple[Callable[[Conn], Any], list[str]]] = [
    (put("snd.una", 9000), [UNA, STREAM, FIRST]),
    (put("snd.nxt", 2), [NXT, LAST]),
    (put("snd.out.start", 1), [STREAM]),
    (put("snd.cc.cwnd", -1 << 40), [CWND]),
    (put("rcv.edge", -1 << 40), [WINDOW]),
    (put("rcv.queued", 1), [QUEUED]),
    (lambda it: it.rcv.ready.pop(), [QUEUED]),
    (put("rcv.alloc", 1), [ALLOC]),
    (lambda it: it.rcv.beyond.pop(), [ALLOC]),
    (lambda it: it.rcv.charges.clear(), [ALLOC, CHARGES]),
    (lambda it: it.rcv.beyond.clear(), [ALLOC, BEYOND]),
    (lambda it: it.rcv.islands.clear(), [BEYOND]),
    (lambda it: setattr(it.rcv, "fin", it.rcv.nxt - 2), [FIN, FIN_ISLAND]),
    (lambda it: setattr(it.rcv, "fin", it.rcv.islands[1][0]), [FIN_ISLAND]),
    (lambda it: it.rcv.islands.insert(0, (it.rcv.nxt, it.rcv.nxt + 9, ())), [ISLANDS]),
    (lambda it: it.rcv.islands.reverse(), [SORTED]),
    (lambda it: it.rcv.islands.append(it.rcv.islands[1]), [SORTED]),
    (lambda it: it.snd.flight.queue.clear(), [EMPTY]),
    (lambda it: it.snd.flight.queue.pop(0), [FIRST, ALL]),
    (lambda it: it.snd.flight.queue.pop(1), [GAP, ALL, SACKS]),
    (lambda it: it.snd.flight.queue.pop(), [LAST, ALL]),
    (segment(0, segs=0), [LENGTH, ALL]),
    (lambda it: segment(0, end=it.snd.flight.queue[0].seq)(it), [GAP, LENGTH]),
    (put("snd.flight.out", 1), [ALL]),
    (put("snd.flight.sacked", 1), [SACKS]),
    (put("snd.flight.lost", 1), [LOSSES]),
    (put("snd.flight.retrans", 1), [LOSSES]),
    (segment(0, marks=LOST), [LOSSES]),
    (segment(0, marks=SACKED), [SACKS]),
    (lambda it: mark(it.snd.flight, 1, SACKED | LOST), [BOTH]),
]


@pytest.mark.parametrize(("damage", "sentences"), OF_CONN, ids=[f"{n}-{it[1][0]}" for n, it in enumerate(OF_CONN)])
def test_a_connection_that_cannot_be_is_found(s: Script, damage: Callable[[Conn], Any], sentences: list[str]) -> None:
    damage(s.conn)
    with pytest.raises(AssertionError) as caught:
        s.stack.check()
    assert str(caught.value) == f"connection {s.sock} in ESTABLISHED: not true: {'; '.join(sentences)}"


def test_without_sack_duplicate_acks_are_counted(s: Script) -> None:
    """RFC 6675 §5's DupAcks, as Linux keeps them: not more than there are segments."""
    s.conn.sack = False
    s.conn.snd.flight.sacked = s.conn.snd.flight.out
    s.stack.check()
    s.conn.snd.flight.sacked += 1
    with pytest.raises(AssertionError, match=DUPLICATES):
        s.stack.check()


@pytest.mark.parametrize("count", ["out", "sacked", "lost", "retrans"])
def test_where_nothing_is_in_flight_nothing_is_counted(count: str) -> None:
    s = Script().passive()
    put(f"snd.flight.{count}", 1)(s.conn)
    with pytest.raises(AssertionError, match=EMPTY):
        s.stack.check()


# ---- the host -------------------------------------------------------------------------------------------------------


def without(kind: int) -> Callable[[Stack, Conn], Any]:
    return lambda host, conn: host.env.timers.stop((kind, conn.sock))


def dead(host: Stack, conn: Conn) -> None:
    host.env.timers.at.clear()
    del host.flows[conn.key]
    conn.state = CLOSED


def dead_with_a_timer(host: Stack, conn: Conn) -> None:
    dead(host, conn)
    host.env.timers.set((kinds.TCP_KEEPALIVE, conn.sock), 1)


def dead_and_nobodys(host: Stack, conn: Conn) -> None:
    dead(host, conn)
    conn.held = False


def stuck(host: Stack, conn: Conn) -> None:
    """It believes that all it sent has arrived, and does not ask whether there is room for the rest."""
    conn.snd.flight = type(conn.snd.flight)()
    conn.snd.nxt = conn.snd.una
    host.env.timers.stop((kinds.TCP_RETRANSMIT, conn.sock))


def leaving(state: str) -> Callable[[Stack, Conn], None]:
    def damage(host: Stack, conn: Conn) -> None:
        conn.state, conn.held = state, False

    return damage


def lingering(host: Stack, conn: Conn) -> None:
    host.lingering[conn.sock] = None


OF_HOST: list[tuple[Callable[[Stack, Conn], Any], str]] = [
    (lambda host, conn: host.flows.clear(), "socket 2: in ESTABLISHED: its addresses lead elsewhere"),
    (lambda host, conn: setattr(conn, "state", CLOSED), "socket 2: in CLOSED: its addresses lead elsewhere"),
    (lambda host, conn: setattr(conn, "parent", 77), "socket 2: waits for a listener that does not know it"),
    (lambda host, conn: setattr(conn, "parent", 1), "socket 2: waits for a listener that does not know it"),
    (lingering, "socket 2: in ESTABLISHED lingers"),
    (dead_with_a_timer, "socket 2: is CLOSED and has a timer"),
    (dead_and_nobodys, "socket 2: is CLOSED and nobody's"),
    (without(kinds.TCP_RETRANSMIT), "socket 2: in flight and no timer"),
    (without(kinds.TCP_DELACK), "socket 2: a delayed ACK and no timer"),
    (stuck, "socket 2: something to send and no probe"),
    (leaving(TIME_WAIT), "socket 2: TIME_WAIT for ever"),
    (leaving(FIN_WAIT_2), "socket 2: FIN_WAIT_2 for ever"),
    (lambda host, conn: host.listeners[1].ready.append(9), "socket 1: queues the dead"),
    (lambda host, conn: host.listeners[1].half.update({9: True}), "socket 1: queues the dead"),
    (lambda host, conn: host.env.timers.set((kinds.TCP_PERSIST, 9), 1), "socket 9: is gone and has a timer"),
    (lambda host, conn: host.flows.update({b"": 9}), "socket 9: is gone and has a flow"),
    (lambda host, conn: host.bound.update({("tcp", b"", 9): 9}), "socket 9: is gone and has a port"),
    (lambda host, conn: host.env.count.update(TcpCurrEstab=2), "1 connections are open, and not counted so"),
    (lambda host, conn: put("memory", 1)(conn), "bytes of memory are counted"),
]


@pytest.mark.parametrize(("damage", "sentence"), OF_HOST, ids=[f"{n}-{it[1]}" for n, it in enumerate(OF_HOST)])
def test_a_host_that_cannot_be_is_found(s: Script, damage: Callable[..., Any], sentence: str) -> None:
    damage(s.stack, s.conn)
    with pytest.raises(AssertionError, match=re.escape(sentence)):
        s.stack.check()


def test_what_is_about_to_be_drained_may_lack_its_timers(s: Script) -> None:
    """They are set when everything that happened at once is known; but its numbers must be right."""
    s.stack.env.dirty[s.sock] = None
    without(kinds.TCP_RETRANSMIT)(s.stack, s.conn)
    s.stack.check()
    s.conn.snd.flight.out += 1
    with pytest.raises(AssertionError, match=ALL):
        s.stack.check()
