# SPDX-License-Identifier: GPL-2.0-or-later
"""The shortcut equals the long way: the same frames, with and without it, leave equal states and actions."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labstack.core.event import Call, Rx, Tick
from labstack.core.frame import Frame
from labstack.core.state import state
from labstack.stack import Stack, make, shortcut
from labstack.tcp import ecn
from labstack.tcp.cc.controller import Controller, Sample
from labstack.tcp.conn import SOON, Conn, Urgent
from labstack.tcp.loss import DISORDER, RECOVERY
from labstack.tcp.sent import EVER, LOST, RETRANS, SACKED, mark
from layers import IP, TCP, Ether, IPv6, Raw, checksum

SECOND = 1_000_000_000
MACS = "02:00:00:00:00:02", "02:00:00:00:00:01"


class Link(NamedTuple):
    v6: bool
    ether: bool

    def frame(self, flags: str, seq: int, ack: int, data: bytes = b"", window: int = 500, **more: object) -> Frame:
        """A segment from the peer, whole and with right checksums."""
        tcp = TCP(sport=999, dport=80, flags=flags, seq=seq % 2**32, ack=ack % 2**32, window=window, **more)
        ip = IPv6(src="fd00::2", dst="fd00::1") if self.v6 else IP(src="10.0.0.2", dst="10.0.0.1")
        packet = ip / tcp / Raw(data)
        if self.ether:
            return Frame(bytes(Ether(src=MACS[0], dst=MACS[1]) / packet))
        return Frame(bytes(packet), net=0)

    def connected(self, sack: bool = False, ts: int = 0, gso: int = 0) -> tuple[Stack, int]:
        """A host with an accepted connection whose peer is at sequence number 1, and its socket; ts: its TSval, gso:
        bytes of the greatest super-segment."""
        options: list[tuple[str, object]] = [("MSS", 1000), ("WScale", 7), *([("SAckOK", b"")] if sack else [])]
        options += [("Timestamp", (ts, 0))] if ts else []
        host = make("h1")
        host.call("link_add", "eth0", MACS[1] if self.ether else b"", link_local=False, gso=gso)
        host.call("addr_add", 1, "fd00::1/64" if self.v6 else "10.0.0.1/24", False)
        if self.ether:
            host.call("neigh_add", 1, "fd00::2" if self.v6 else "10.0.0.2", MACS[0])
        listener = host.call("listen", 80)
        host.handle(Rx(1, self.frame("S", 0, 0, options=options)), SECOND)
        (answer,) = host.drain(SECOND)
        ours = TCP.parse(answer.frame.cuts()[0], (14 if self.ether else 0) + (40 if self.v6 else 20))
        assert isinstance(ours, TCP)
        echo = dict(ours.options).get("Timestamp", (0, 0))[0]
        host.handle(Rx(1, self.frame("A", 1, ours.seq + 1, options=stamp((ts, echo) if ts else None))), SECOND)
        host.drain(SECOND)
        return host, host.call("accept", listener)[0]


def stamp(ts: tuple[int, int] | None) -> list[tuple[str, object]]:
    return [("NOP", None), ("NOP", None), ("Timestamp", ts)] if ts is not None else []


LINKS = [Link(v6, ether) for v6 in (False, True) for ether in (False, True)]
links = st.sampled_from(LINKS)


@contextmanager
def the_long_way() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shortcut, "taken", lambda *_: False)
        yield


def both_ways(host: Stack, other: Stack, frame: Frame, now: int) -> None:
    """Hand the frame to both hosts, which were equal, and see that they are equal still."""
    host.handle(Rx(1, frame), now)
    with the_long_way():
        other.handle(Rx(1, frame), now)
    assert host.diff(other) == []
    assert host.drain(now) == other.drain(now)
    assert host.diff(other) == []


@pytest.mark.parametrize("link", LINKS, ids=str)
@pytest.mark.parametrize("partial", [False, True], ids=["whole", "with a body and a partial checksum"])
@pytest.mark.parametrize("ts", [0, 5000], ids=["plain", "with timestamps"])
def test_the_common_text_and_the_common_ack_take_it(link: Link, partial: bool, ts: int) -> None:
    host, sock = link.connected(ts=ts)
    conn = host.conns[sock]
    assert host.handle(Call("send", (sock, b"x" * 300)), SECOND) == 300
    host.drain(SECOND)
    options = stamp((ts, conn.tstamp.now(SECOND)) if conn.tstamp is not None else None)
    ack = link.frame("A", 1, conn.snd.nxt, options=options)
    assert shortcut.taken(host, 1, ack)
    assert conn.snd.una == conn.snd.nxt
    text = link.frame("PA", 1, conn.snd.nxt, b"hello", options=options)
    if partial:
        at = text.net + (40 if link.v6 else 20)
        text = Frame(text.head[:-5], (b"he", b"llo"), None, (at, 16), 0, text.net)
    assert shortcut.taken(host, 1, text)
    assert host.call("recv", sock) == b"hello"


@pytest.mark.parametrize("link", LINKS, ids=str)
def test_it_leaves_alone_what_is_unusual(link: Link) -> None:
    host, sock = link.connected()
    nxt = host.conns[sock].snd.nxt
    good = link.frame("PA", 1, nxt, b"hello")
    bad_sum = Frame(good.head[:-1] + b"!", (), net=good.net)
    padded = Frame(good.head + b"\0\0", (), net=good.net)
    options = link.frame("PA", 1, nxt, b"hello", options=[("NOP", None), ("NOP", None), ("Timestamp", (1, 2))])
    frames = [bad_sum, padded, options, link.frame("A", 1, nxt), link.frame("PAF", 1, nxt, b"x")]
    before = host.clone()
    assert [shortcut.taken(host, 1, frame) for frame in frames] == [False] * len(frames)
    assert host.diff(before) == []
    host.call("addr_add", 1, "10.9.9.9/24")  # addresses changed: IP has to look again
    assert not shortcut.taken(host, 1, good)
    host.env.tracing = True
    host.handle(Rx(1, good), SECOND)
    assert any("text/accept" in str(note) for note in host.take_trace())


Segment = tuple[str, int, str, int, int, str, tuple[int, int] | None, tuple[int, int] | None]
segments = st.tuples(
    st.sampled_from(["A", "PA", "PA", "A", "FA", "R", "S", "UA", ""]),
    st.sampled_from([0, 0, 0, 0, 0, 0, 5, -3, 1000, 70_000, -70_000]),  # from RCV.NXT
    st.sampled_from(["una", "una", "nxt", "nxt", "half", "before", "beyond"]),
    st.integers(0, 1200) | st.just(0),
    st.sampled_from([500, 500, 500, 400, 0]),
    st.sampled_from(["", "", "read", "send", "send", "wait", "long", "close"]),
    st.sampled_from([None, None, None, (0, 1000), (1000, 2000), (1000, 2500), (2500, 3500), (-500, 0)]),  # from SND.UNA
    # TSval from the last one, TSecr from ours
    st.sampled_from(
        [(0, 0), (0, 0), (1, 0), (1, -1), (1, 1), (-1, 0), (-2, 0), (-(1 << 31), -5), (0, -(1 << 30)), None]
    ),
)
WAITS = {"wait": 100_000_000, "long": SECOND}


@settings(max_examples=150, deadline=None)
@given(links, st.booleans(), st.booleans(), st.booleans(), st.lists(segments, max_size=14))
def test_it_changes_nothing(link: Link, sack: bool, stamped: bool, joined: bool, script: list[Segment]) -> None:
    """With losses, too: SACK blocks take the long way on both hosts, what comes after them need not. With old and new
    timestamps, and with super-segments (joined)."""
    host, sock = link.connected(sack, 0xFFFFFFFE if stamped else 0, 65_000 if joined else 0)
    other = host.clone()
    now = SECOND
    for flags, seq, where, size, window, then, block, ts in script:
        conn = host.conns.get(sock)
        if conn is None:
            break
        now += WAITS.get(then, 1000)
        calls = []
        if then == "read" and conn.rcv.queued and conn.held:
            calls.append(Call("recv", (sock,)))
        elif then == "send" and conn.state == "ESTABLISHED" and conn.held:
            calls.append(Call("send", (sock, b"y" * 2500)))
        elif then == "close" and conn.held:
            calls.append(Call("close", (sock,)))
        for event in [Tick(), *calls]:
            assert host.handle(event, now) == other.handle(event, now)
        assert host.drain(now) == other.drain(now)
        una, nxt = conn.snd.una, conn.snd.nxt
        ack = {"una": una, "nxt": nxt, "half": (una + nxt) // 2, "before": una - 1, "beyond": nxt + 1}[where]
        options: list[tuple[str, object]] = []
        if conn.tstamp is not None and ts is not None:
            mine, yours = conn.tstamp.recent + ts[0], conn.tstamp.now(now) + ts[1]
            options = stamp((mine % 2**32, yours % 2**32))
        if block is not None and sack:
            blocks = tuple((una + at) % 2**32 for at in block)
            options += [("NOP", None), ("NOP", None), ("SAck", blocks)]
        frame = link.frame(flags, conn.rcv.nxt + seq, ack, bytes(size), window, options=options)
        both_ways(host, other, frame, now)


@settings(max_examples=300, deadline=None)
@given(links, st.data())
def test_it_takes_no_broken_frame(link: Link, data: st.DataObject) -> None:
    ts = data.draw(st.sampled_from([0, 5000]))
    host, sock = link.connected(ts=ts)
    options = stamp((ts, 1) if ts else None)
    whole = bytearray(link.frame("PA", 1, host.conns[sock].snd.nxt, b"hello, world", options=options).head)
    for _ in range(data.draw(st.integers(0, 2))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)) | st.just(len(whole)))
    sure = data.draw(st.booleans())
    frame = Frame(bytes(whole[:cut]), (), net=14 if link.ether else 0, sure=sure)
    both_ways(host, host.clone(), frame, SECOND)


@pytest.mark.parametrize("link", LINKS, ids=str)
@pytest.mark.parametrize("ts", [0, 5000], ids=["plain", "with timestamps"])
def test_it_takes_no_frame_that_was_cut(link: Link, ts: int) -> None:
    """Wherever it ends, though whoever handed it to us vouches for it."""
    host, sock = link.connected(ts=ts)
    whole = link.frame("PA", 1, host.conns[sock].snd.nxt, b"hello", options=stamp((ts, 1) if ts else None))
    for end in range(len(whole.head)):
        frame = Frame(whole.head[:end], (), None, (whole.net + (40 if link.v6 else 20), 16), 0, whole.net)
        both_ways(host.clone(), host.clone(), frame, SECOND)


NOP = ("NOP", None)


@pytest.mark.parametrize("link", LINKS, ids=str)
@pytest.mark.parametrize(
    "options",
    [[NOP] * 4, [NOP] * 12, [("Timestamp", (5001, 1)), NOP, NOP], [NOP, ("Timestamp", (5001, 1)), NOP]],
    ids=str,
)
def test_it_sees_options_that_are_not_the_common_ones(link: Link, options: list[tuple[str, object]]) -> None:
    host, sock = link.connected(ts=5000)
    frame = link.frame("PA", 1, host.conns[sock].snd.nxt, b"hello", options=options)
    assert not shortcut.taken(host.clone(), 1, frame)
    both_ways(host, host.clone(), frame, SECOND)


@pytest.mark.parametrize("ts", [0, 5000], ids=["plain", "with timestamps"])
def test_a_stream_of_segments_changes_nothing(ts: int) -> None:
    """Small and joined ones, acknowledged at once and later, with a clock that ticks."""
    link = LINKS[0]
    host, sock = link.connected(ts=ts)
    other, conn = host.clone(), host.conns[sock]
    for n, gso in enumerate([None, None, 500, 1000] * 10):
        options = stamp((ts + n, conn.tstamp.now(SECOND)) if conn.tstamp is not None else None)
        frame = link.frame("PA", conn.rcv.nxt, conn.snd.nxt, bytes(1200 if gso else 20), options=options)
        frame.gso, frame.sure = gso, True
        assert shortcut.taken(host.clone(), 1, frame)
        both_ways(host, other, frame, SECOND + n * 1_000_000)


def test_it_takes_nothing_while_a_trace_is_kept() -> None:
    link = LINKS[0]
    host, sock = link.connected()
    frame = link.frame("PA", 1, host.conns[sock].snd.nxt, b"hello")
    host.env.tracing = True
    assert not shortcut.taken(host, 1, frame)


def sacked(conn: Conn) -> None:
    """The peer has what was sent last."""
    flight = conn.snd.flight
    mark(flight, -1, SACKED)
    flight.top = flight.queue[-1].end


def in_flight(conn: Conn) -> None:
    """As after three duplicate ACKs for the 2500 bytes that are in flight."""
    snd = conn.snd
    mark(snd.flight, 0, LOST | RETRANS | EVER)
    snd.flight.sacked, snd.cc.ssthresh = 2, 5
    loss = snd.loss
    loss.state, loss.high, loss.since, loss.doubtful, loss.resent_at = RECOVERY, snd.nxt, snd.una, 1, SECOND
    loss.prior_cwnd, loss.prior_ssthresh, loss.prr_delivered, loss.prr_out = 10, 10, 2, 1


def ahead(conn: Conn) -> None:
    """A part of the oldest sending has arrived that lies behind all the rest."""
    conn.snd.loss.newest, conn.snd.loss.newest_end = conn.snd.flight.queue[0].note.nth, conn.snd.nxt


CONDITIONS: dict[str, Callable[[Conn], None]] = {
    "nothing unusual": lambda conn: None,
    "a window with room for three bytes": lambda conn: setattr(conn.rcv, "edge", conn.rcv.nxt + 3),
    "an island beyond": lambda conn: conn.rcv.islands.append((conn.rcv.nxt + 9, conn.rcv.nxt + 12, (b"abc",))),
    "an island that it reaches": lambda conn: conn.rcv.islands.append((conn.rcv.nxt + 5, conn.rcv.nxt + 7, (b"ab",))),
    "a FIN that waits for it": lambda conn: setattr(conn.rcv, "fin", conn.rcv.nxt + 5),
    "a window known from a later segment": lambda conn: setattr(conn.snd, "wl1", conn.rcv.nxt + 10),
    "an urgent byte was announced": lambda conn: setattr(conn.rcv, "urgent", Urgent(SOON, conn.rcv.nxt + 3)),
    "marks of the network are echoed": lambda conn: setattr(conn, "ecn", ecn.ON | ecn.SEEN),
    "loss recovery": in_flight,
    "a SACK block": lambda conn: sacked(conn),
    "a segment believed to be lost": lambda conn: mark(conn.snd.flight, 0, LOST),
    "the oldest was sent again once": lambda conn: mark(conn.snd.flight, 0, EVER),
    "the newest was sent again once": lambda conn: mark(conn.snd.flight, -1, EVER),
    "the newest was sent again, and is on its way": lambda conn: mark(conn.snd.flight, -1, RETRANS | EVER),
    "disorder": lambda conn: setattr(conn.snd.loss, "state", DISORDER),
    "a tail loss probe under way": lambda conn: setattr(conn.snd.loss, "tail_end", conn.snd.nxt),
    "a D-SACK in this round trip": lambda conn: setattr(conn.snd.loss, "duplicated", True),
    "a wide reordering window": lambda conn: setattr(conn.snd.loss, "steps", 3),
    "a probe for the MTU": lambda conn: setattr(
        conn, "search", conn.search._replace(on=True, probe=1500, low=1040, start=conn.snd.una, end=conn.snd.una + 1000)
    ),
    "a least round trip of long ago": lambda conn: setattr(conn.snd.rtt, "least_at", -400 * SECOND),
    "the newest is believed to be lost": lambda conn: mark(conn.snd.flight, -1, LOST),
    "something sent together with the oldest has arrived": lambda conn: setattr(conn.snd.loss, "newest", 2),
    "the end of what was sent together with the oldest has arrived": ahead,
    "more is to follow the last write": lambda conn: setattr(conn.snd, "more", True),
    "something sent later has arrived": lambda conn: setattr(conn.snd.loss, "newest", 9),
    "the window has never been so wide": lambda conn: setattr(conn.snd, "max_wnd", 1000),
}


@state
class Listener(Controller):
    """Remembers what it was told last."""

    last: Sample | None = None

    def heard(self, s: Sample) -> None:
        self.last = s


def test_a_controller_is_told_every_field() -> None:
    link = LINKS[0]
    host, sock = link.connected(sack=True)
    snd = host.conns[sock].snd
    snd.cc = heard = Listener(snd.mss)
    host.call("send", sock, b"y" * 1000)
    host.drain(SECOND)
    host.handle(Rx(1, link.frame("A", 1, snd.nxt)), SECOND)
    assert heard.last is not None
    assert len(heard.last) == len(Sample._fields)


@pytest.mark.parametrize("sack", [False, True], ids=["", "SACK"])
@pytest.mark.parametrize("gso", [0, 65_000], ids=["", "joined"])
@pytest.mark.parametrize("condition", CONDITIONS)
def test_it_sees_what_is_unusual_about_the_connection(condition: str, gso: int, sack: bool) -> None:
    link = LINKS[len(condition) % len(LINKS)]
    host, sock = link.connected(sack, 0, gso)
    conn, snd = host.conns[sock], host.conns[sock].snd
    snd.cc, snd.rtt.least = Listener(snd.mss), 400_000
    for now, size in ((SECOND, 2500), (SECOND + 1_000_000, 1000), (SECOND + 1_000_000, 1000)):
        assert host.handle(Call("send", (sock, b"y" * size)), now) == size
        host.drain(now)
    CONDITIONS[condition](conn)
    for ack in (0, 300, 500, 1000, 2200, 2500, 2700, 3500, 4500):
        for window, size, took in product((500, 400), (0, 5), (0, 500_000)):
            frame = link.frame("PA", 1, snd.una + ack, bytes(size), window)
            both_ways(host.clone(), host.clone(), frame, SECOND + 1_000_000 + took)


@pytest.mark.parametrize(
    ("at", "value", "reason"),
    [(6, 0x03, "drop.link.group_source"), (20, 0x20, "drop.ip.fragment"), (0, 0x03, "drop.link.other_host")],
)
def test_it_sees_what_is_unusual_about_the_frame(at: int, value: int, reason: str) -> None:
    """A group as source, a fragment with a right header checksum, a group as destination: none may pass as common."""
    link = Link(v6=False, ether=True)
    host, sock = link.connected()
    raw = bytearray(link.frame("PA", 1, host.conns[sock].snd.nxt, b"hello").head)
    raw[at] = value
    raw[24:26] = bytes(2)
    raw[24:26] = checksum.checksum(raw[14:34]).to_bytes(2, "big")
    both_ways(host, host.clone(), Frame(bytes(raw)), SECOND)
    assert host.env.count[reason] == 1
