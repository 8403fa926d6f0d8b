# SPDX-License-Identifier: GPL-2.0-or-later
"""Properties of the whole stack: bytes arrive whatever the wire does, everything ends, nothing is left, a clone is its
original, and no event sequence and no byte string breaks an invariant."""

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stack_pair import Pair

from labstack.core.config import MS, SECOND
from labstack.core.counters import unbalanced
from labstack.core.errors import StackError
from labstack.core.event import Call, Event, Quarantine, Rx, Tick
from labstack.core.frame import Frame
from labstack.stack import Stack, make
from labstack.tcp import isn
from layers import ICMP, IP, TCP, UDP, Ether, IPv6
from layers.checksum import ones_sum


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 1 << 30))
def test_bytes_arrive_in_order_once_and_everything_ends(seed: int) -> None:
    """hostile-inputs §6: loss, duplication, reordering, corruption, small buffers, lazy readers, ISNs at the wrap."""
    with pytest.MonkeyPatch.context() as patch:
        pair = Pair.__new__(Pair)
        first = random.Random(seed)
        patch.setattr(isn, "choose", wrapping(isn.choose, first.choice((None, (1 << 32) - first.randrange(30_000)))))
        pair.__init__(seed)  # type: ignore[misc]
        pair.run()
        a, b = pair.apps
        assert (a.got, b.got) == (b.text, a.text)
        pair.quiesce()


def wrapping(choose: Any, iss: int | None) -> Any:
    return choose if iss is None else lambda env, key, used=None: iss if used is None else choose(env, key, used)


# ---- any event sequence ---------------------------------------------------------------------------------------------

US, THEM = "10.0.0.1", "10.0.0.2"
FLAGS = ["A"] * 6 + ["PA"] * 2 + ["FA"] * 2 + ["S", "S", "SA", "", "R", "RA", "SFA", "FPU", "SR"]
OFFSETS = [0] * 20 + [-70_000, -1461, -1, 1, 5, 1460, 70_000, 1 << 31]
segments = st.tuples(
    st.just("rx"),
    st.sampled_from(FLAGS),
    st.sampled_from(OFFSETS),
    st.sampled_from(OFFSETS),
    st.sampled_from([0, 0, 1, 10, 1460, 3000]),
    st.sampled_from([0, 1, 500, 65_535, 65_535]),
    st.integers(0, 2),
)
calls = st.tuples(
    st.just("call"),
    st.sampled_from(
        ["send", "send", "recv", "take", "shutdown", "close", "abort", "accept", "connect", "setopt", "readable"]
    ),
    st.sampled_from([0, 1, 1, 2, 2, 2, 3, 3, 4, 9]),
    st.integers(0, 6000),
)
OPENED = [("rx", "S", 0, 0, 0, 65_535, 0), ("rx", "A", 0, 0, 0, 65_535, 0), ("call", "accept", 1, 0)]
ticks = st.tuples(st.just("tick"), st.sampled_from([1, 40, 200, 1000, 61_000, 200_000]))


def segment(host: Stack, what: tuple[Any, ...]) -> Rx:
    """A segment for one of the connections there are, its numbers near the right ones; or for the listener."""
    _, flags, seq, ack, size, window, which = what
    conns = list(host.conns.values())
    bits = sum(1 << "FSRPAU".index(c) for c in flags)
    tcp = TCP(sport=1000 + which, dport=80, seq=seq & 0xFFFFFFFF, ack=ack & 0xFFFFFFFF, flags=bits, window=window)
    if which < len(conns):
        conn = conns[which]
        tcp.sport, tcp.dport = conn.rport, conn.lport
        tcp.seq, tcp.ack = (conn.rcv.nxt + seq) & 0xFFFFFFFF, (conn.snd.nxt + ack) & 0xFFFFFFFF
    if bits & 2:
        tcp.options = [("MSS", 1000), ("NOP", None), ("WScale", 3)]
    return Rx(1, Frame(bytes(IP(src=THEM, dst=US) / tcp / bytes(size)), net=0))


def call(what: tuple[Any, ...]) -> Call:
    _, op, sock, n = what
    args: tuple[Any, ...] = (sock,)
    if op == "send":
        args = (sock, bytes(n))
    elif op in ("recv", "take"):
        args = (sock, n)
    elif op == "shutdown":
        args = (sock, n % 3)
    elif op == "connect":
        args = (THEM, 1 + n % 3, 0, b"", 50_000 + n % 3)
    elif op == "setopt":
        args = (sock, ("nodelay", "rcvbuf", "sndbuf")[n % 3], n % 2 if n % 3 == 0 else 256 + n)
    return Call(op, args)


def outcome(host: Stack, event: Event, now: int) -> tuple[Any, ...]:
    """What an event gave; only StackErrors come out of calls, and no handler fails."""
    try:
        result = host.handle(event, now)
    except StackError as error:
        result = error
    host.check()
    actions = host.drain(now)
    host.check()
    assert not any(isinstance(a, Quarantine) for a in actions), actions
    return result, actions


@settings(max_examples=500, deadline=None)
@given(st.sampled_from([[], OPENED]), st.lists(st.one_of(segments, segments, calls, ticks), max_size=40))
def test_any_event_sequence_keeps_the_invariants_and_a_clone_does_the_same(
    start: list[tuple[Any, ...]], script: list[tuple[Any, ...]]
) -> None:
    """Style 25: check() after every event; the clone, made on the way, behaves as its original."""
    host = make("h1")
    host.call("link_add", "tun0", b"")
    host.call("addr_add", 1, US + "/24")
    host.call("listen", 80, backlog=2, sock=1)
    twin, now = host.clone(), SECOND
    for n, what in enumerate(start + script):
        if n % 7 == 3:
            twin = host.clone()
            assert twin == host
        now += what[1] * MS if what[0] == "tick" else 1000
        event: Event = Tick() if what[0] == "tick" else call(what) if what[0] == "call" else segment(host, what)
        assert outcome(host, event, now) == outcome(twin, event, now)
        assert host.diff(twin) == []
    assert unbalanced(host.env.count) == []
    for sock in host.call("sockets"):
        if sock in host.listeners or (sock in host.conns and host.conns[sock].held):
            host.handle(Call("close", (sock,)), now)
    for _ in range(2000):
        due = host.deadline()
        if due is None:
            break
        now = max(now, due)
        outcome(host, Tick(), now)
    assert (host.conns, host.flows, host.env.timers.at) == ({}, {}, {}), "everything ends"


# ---- any bytes ------------------------------------------------------------------------------------------------------

HERE, THERE = "02:00:00:00:00:01", "02:00:00:00:00:02"


def host_of(kind: str) -> Stack:
    """A host with everything open, on Ethernet or on a bare-IP link, and connections in many states."""
    host = make("h1")
    host.call("link_add", "eth0", HERE if kind == "ethernet" else b"")
    host.call("addr_add", 1, US + "/24")
    host.call("addr_add", 1, "fd00::1/64", False)
    if kind == "ethernet":
        host.call("neigh_add", 1, THEM, THERE)
        host.call("neigh_add", 1, "fd00::2", THERE)
    host.call("listen", 80)
    host.call("udp", 7)
    host.call("connect", THEM, 5, 0, b"", 6)
    host.drain(0)
    return host


def seeds(kind: str) -> list[bytes]:
    """Valid packets of every kind that the stack understands."""
    found = []
    for ip in (IP(src=THEM, dst=US), IPv6(src="fd00::2", dst="fd00::1")):
        tcp = [TCP(sport=9, dport=80, flags=f, options=[("MSS", 9), ("WScale", 7), ("NOP", None)]) for f in (2, 16, 25)]
        found += [bytes(ip / t / b"text") for t in tcp]
        found.append(bytes(ip / UDP(sport=9, dport=7) / b"text"))
    found.append(bytes(IP(src=THEM, dst=US) / ICMP(type=8) / b"text"))
    found.append(bytes(IP(src=THEM, dst=US) / ICMP(type=3, code=3) / IP(src=US, dst=THEM) / TCP(sport=6, dport=5)))
    return (
        [bytes(Ether(src=THERE, dst=HERE))[:12] + (b"\x08\0" if p[0] >> 4 == 4 else b"\x86\xdd") + p for p in found]
        if kind == "ethernet"
        else found
    )


def refixed(raw: bytearray, at: int) -> bytes:
    """The same packet with right lengths and checksums as far as it still is one (hostile-inputs §1.4)."""
    if len(raw) < at + 20 or raw[at] >> 4 not in (4, 6):
        return bytes(raw)
    if raw[at] >> 4 == 4:
        hlen, proto, pseudo = (raw[at] & 15) * 4, raw[at + 9], bytes(raw[at + 12 : at + 20])
        raw[at + 2 : at + 4] = (len(raw) - at).to_bytes(2, "big")
        raw[at + 10 : at + 12] = b"\0\0"
        raw[at + 10 : at + 12] = (0xFFFF - ones_sum(raw[at : at + hlen])).to_bytes(2, "big")
    else:
        hlen, proto, pseudo = 40, raw[at + 6], bytes(raw[at + 8 : at + 40])
        raw[at + 4 : at + 6] = max(len(raw) - at - 40, 0).to_bytes(2, "big")
    where = {6: 16, 17: 6, 1: 2, 58: 2}.get(proto)
    if where is None or len(raw) < at + hlen + where + 2:
        return bytes(raw)
    start = at + hlen
    raw[start + where : start + where + 2] = b"\0\0"
    size = len(raw) - start
    head = b"" if proto == 1 else pseudo + bytes((0, proto)) + size.to_bytes(2, "big")
    raw[start + where : start + where + 2] = (0xFFFF - ones_sum(head + bytes(raw[start:]))).to_bytes(2, "big")
    return bytes(raw)


@pytest.mark.parametrize("kind", ["ethernet", "bare"])
@given(raw=st.binary(max_size=200))
def test_no_byte_string_is_quarantined(kind: str, raw: bytes) -> None:
    """Issue: any bytes on the wire are dropped with a named, counted reason; never an exception."""
    host = host_of(kind)
    for prefix in (b"", *(p[:cut] for p in seeds(kind)[::3] for cut in (14, 20, 34))):
        outcome(host, Rx(1, Frame(prefix + raw, net=14 if kind == "ethernet" else 0)), 0)
    assert unbalanced(host.env.count) == []


@pytest.mark.parametrize("kind", ["ethernet", "bare"])
@pytest.mark.parametrize("seed", range(4))
def test_no_mutation_of_a_valid_packet_is_quarantined(kind: str, seed: int) -> None:
    """hostile-inputs §1.4: structure-aware, checksums and lengths right in nine of ten cases."""
    rng = random.Random(seed)
    host, packets = host_of(kind), seeds(kind)
    at = 14 if kind == "ethernet" else 0
    for n in range(1500):
        raw = bytearray(rng.choice(packets))
        for _ in range(rng.randrange(1, 4)):
            what, where = rng.randrange(5), rng.randrange(len(raw))
            if what == 0:
                raw[where] ^= 1 << rng.randrange(8)
            elif what == 1:
                raw[where] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
            elif what == 2:
                del raw[max(where, 1) :]
            elif what == 3:
                raw[where:where] = rng.randbytes(rng.randrange(1, 9))
            else:
                raw += rng.randbytes(rng.randrange(1, 50))
        frame = refixed(raw, at) if rng.random() < 0.9 else bytes(raw)
        outcome(host, Rx(1, Frame(frame, net=at)), n * MS)
        if n % 100 == 99:
            outcome(host, Tick(), n * MS)
            assert unbalanced(host.env.count) == []
            assert len(host.env.timers.heap) < 20_000


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 40),
    st.lists(st.integers(0, 300), max_size=3),
    st.integers(0, 2000),
    st.sampled_from([None, 0, 1, 100]),
)
def test_no_shape_of_frame_is_quarantined(head: int, body: list[int], seed: int, gso: int | None) -> None:
    """Pieces, partial checksums and gso marks that a device may hand us, fitting or not."""
    rng = random.Random(seed)
    for kind in ("ethernet", "bare"):
        host = host_of(kind)
        for raw in seeds(kind):
            raw = raw + rng.randbytes(600)
            cut = min(head + rng.randrange(60), len(raw))
            pieces, place = [], cut
            for size in body:
                pieces.append(memoryview(raw)[place : place + size])
                place += size
            net = 14 if kind == "ethernet" else 0
            for sure in (False, True):
                frame = Frame(raw[:cut], tuple(pieces), gso or None, (net + 20, 16) if gso else None, 0, net, sure)
                outcome(host, Rx(1, frame), 0)
        assert unbalanced(host.env.count) == []
