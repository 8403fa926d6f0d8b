# SPDX-License-Identifier: GPL-2.0-or-later
"""Super-segments: one frame that stands for many gives the same bytes as the many, in both directions."""

from collections.abc import Callable

import pytest
from tcp_script import Script, pattern, verify

from labstack.bench.sim import connected, pump
from labstack.core.config import MS
from labstack.core.env import Env
from labstack.core.event import Rx
from labstack.core.frame import Frame
from labstack.ip.net import Net
from labstack.sim.wire import Delay, Loss
from labstack.tcp import output, window
from labstack.tcp.conn import Conn
from labstack.tcp.segment import SYN
from labstack.tcp.send import Span

Tcp = Callable[..., Script]
BOTH = pytest.mark.parametrize("family", [4, 6])


@BOTH
def test_a_super_segment_cut_equals_the_segments_of_a_link_without_offload(tcp: Tcp, family: int) -> None:
    """RFC 9293 §3.7.1: the same wire bytes, whoever cuts."""
    sent = []
    for gso in (0, 65_535):
        s = tcp(family=family, gso=gso).passive(mss=1200)
        s.call("send", s.sock, pattern(0, 12_345))
        s.call("close", s.sock)
        s.rx("A", ack=10 * 1200 + 1)
        sent.append([seg.raw for seg in s.burst()])
        assert b"".join(raw[40 if family == 4 else 60 :] for raw in sent[-1]) == pattern(0, 12_345)
    plain, cut = sent
    assert len(plain) == len(cut) == 11
    for one, other in zip(plain, cut, strict=True):
        same = [range(4), range(8, 10), range(12, len(one))] if family == 4 else [range(len(one))]
        ignoring_identification = [[raw[i] for r in same for i in r] for raw in (one, other)]
        assert ignoring_identification[0] == ignoring_identification[1]


@BOTH
@pytest.mark.parametrize("pieces", [1, 2, 40])
def test_a_super_segment_received_equals_its_cuts(tcp: Tcp, family: int, pieces: int) -> None:
    """Generic receive offload: head and body in pieces, checksum partial or verified."""
    whole = pattern(0, 14_600)
    for form in ("plain", "partial", "sure"):
        s = tcp(family=family).passive()
        if form == "plain":
            for at in range(0, 14_600, 1460):
                raw = s.packet("A", 1 + at, data=whole[at : at + 1460])
                s.stack.handle(Rx(1, Frame(raw, net=0)), s.now)
        else:
            hlen = 40 if family == 4 else 60
            raw = s.packet("A", 1, data=whole)
            step = -(-len(whole) // pieces)
            body = tuple(memoryview(raw)[hlen + at : hlen + at + step] for at in range(0, len(whole), step))
            csum = (hlen - 20, 16) if form == "partial" else None
            s.stack.handle(Rx(1, Frame(raw[:hlen], body, 1460, csum, 0, 0, form == "sure")), s.now)
        s.settle()
        s.tx("A", ack=14_601, size=0)
        assert s.call("recv", s.sock) == whole


def test_a_super_segment_with_a_wrong_checksum_is_dropped(tcp: Tcp) -> None:
    """RFC 9293 MUST-3: unless somebody vouches for it."""
    s = tcp().passive()
    raw = bytearray(s.packet("A", 1, data=bytes(3000)))
    raw[-1] ^= 1
    s.event(Rx(1, Frame(bytes(raw[:40]), (bytes(raw[40:]),), 1460, None, 0, 0)))
    assert s.count("TcpInCsumErrors") == 1


def test_what_data_costs_is_asked_of_the_whole_super_segment(tcp: Tcp) -> None:
    """As on Linux: it takes one buffer, so the window of a buffer does not shrink to the share of its first segment."""
    s = tcp().passive()
    raw = s.packet("A", 1, data=bytes(14_600))
    s.event(Rx(1, Frame(raw[:40], (raw[40:],), 1460, None, 0, 0)))
    rcv = s.conn.rcv
    assert rcv.seen == 1460
    assert rcv.ratio == (14_600 << 8) // rcv.charges[0][1] > 200
    s.burst()


def test_a_super_segment_is_trimmed_like_any(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.4, seventh: only its new part counts."""
    s = tcp().passive()
    s.rx("A", data=1000)
    raw = s.packet("A", 1, data=pattern(1, 5000))
    s.event(Rx(1, Frame(raw[:40], (raw[40:2000], raw[2000:]), 1460, None, 0, 0)))
    assert s.call("recv", s.sock) == pattern(1, 5000)
    s.burst()


def test_retransmission_of_a_super_segment_is_one_segment_at_a_time(tcp: Tcp) -> None:
    """RFC 5681 §3.1: after a timeout cwnd is one segment."""
    s = tcp(gso=65_535).passive(mss=1000)
    s.call("send", s.sock, bytes(10_000))
    assert len(s.burst()) == 10
    frames = len(s.frames)
    s.tx(after=200, seq=1, size=1000)
    assert len(s.frames) == frames + 1
    verify(s.frames[-1].cuts()[0], 4, 1500)


def test_the_mtu_shrinks_under_a_connection(tcp: Tcp) -> None:
    """RFC 9293 §3.7.3, SHLD-6: later segments fit the link as it is now; nothing fails."""
    s = tcp().passive()
    s.call("send", s.sock, bytes(1460))
    s.tx(size=1460)
    s.stack.net.ifaces[1].mtu = s.mtu = 600
    s.stack.call("route_add", "10.0.0.0/8", "", 1)
    s.call("send", s.sock, bytes(3000))
    s.tx(size=560)
    assert [seg.size for seg in s.burst()] == [560] * 4 + [200]
    assert s.faults == []


@pytest.mark.parametrize("gso", [0, 65_535])
def test_segments_that_leave_together_tell_the_window_that_each_would_tell(
    monkeypatch: pytest.MonkeyPatch, gso: int
) -> None:
    """RFC 9293 §3.8.6.2.2: it is reckoned once for all of them, and once more gives the same and changes nothing."""
    real, spans = output._transmit, list[bool]()

    def transmit(env: Env, net: Net, conn: Conn, span: Span, wnd: int) -> bool:
        other, twin, syn = env.clone(), conn.clone(), span[2] & SYN != 0
        assert (window.advertise(other, twin, syn), twin.rcv, other.count) == (wnd, conn.rcv, env.count)
        spans.append(syn)
        return real(env, net, conn, span, wnd)

    monkeypatch.setattr(output, "_transmit", transmit)
    (bulk,) = connected(Loss(Delay(MS), 0.01), gso=gso)
    bulk.world.now_call("h2", "send", bulk.server, pattern(0, 50_000))  # the sender has something to read, too
    pump(bulk, 1 << 20, bulk.world)
    assert True in spans
    assert spans.count(False) > 20


@BOTH
def test_no_super_segment_is_larger_than_a_packet_can_be(tcp: Tcp, family: int) -> None:
    """Options need room, too: 51 segments of 1284 bytes (IPv6: 48 of 1364) fit without them only."""
    mss = 1284 if family == 4 else 1364
    s = tcp(family=family, gso=65_535, stamps=True).opened({"win": 65_535, "mss": mss + 12, "ws": 10}, ts=1)
    s.conn.snd.cc.cwnd, s.conn.snd.limit = 1000, 1 << 20
    s.rx("A", ack=1, win=1000, ts=(2, 0))
    assert s.conn.snd.mss == mss
    s.call("send", s.sock, pattern(0, 400_000))
    s.state("ESTABLISHED")
    assert {seg.size for seg in s.burst()[: 400_000 // mss]} == {mss}
