# SPDX-License-Identifier: GPL-2.0-or-later
"""Containment: an exception in any handler costs that one frame, timer, call or connection, and nothing else.

Every handler of the stack is broken in turn. Each time: it is counted, the evidence comes out as a Quarantine with the
event, and afterwards the stack still answers a ping and serves another TCP connection.
"""

import errno
from collections.abc import Callable
from typing import Any

import pytest
from tcp_script import Script

from labstack.core import kinds
from labstack.core.counters import unbalanced
from labstack.core.errors import StackError
from labstack.core.event import Call, Event, Quarantine, Rx, Tick
from labstack.core.frame import Frame
from labstack.ip import icmp as ip_icmp
from labstack.stack import arrive as stack_arrive
from labstack.stack import make
from labstack.stack.stack import OPS, Stack
from labstack.tcp import arrive, timeouts
from layers import ARP, ICMP, IP, UDP, Ether, ICMPv6EchoRequest, ICMPv6ND_NS, IPv6

HERE, THERE = "02:00:00:00:00:01", "02:00:00:00:00:02"


class PlantedError(Exception):
    """Put into a handler."""


def planted(*_: Any, **__: Any) -> Any:
    raise PlantedError("planted")


def quarantined(s: Script) -> list[Quarantine]:
    """What the containment kept, and the stack is whole."""
    s.stack.check()
    kept = [a for a in s.kept if isinstance(a, Quarantine)]
    assert all("PlantedError" in a.why for a in kept)
    return kept


class Contained(Script):
    """A script that keeps the Quarantines instead of ending."""

    def __init__(self, **settings: Any) -> None:
        self.kept: list[Quarantine] = []
        super().__init__(**settings)

    def _collect(self, actions: list[Any]) -> None:
        self.kept += [a for a in actions if isinstance(a, Quarantine)]
        super()._collect([a for a in actions if not isinstance(a, Quarantine)])


def still_works(s: Script) -> None:
    """Ping, and a TCP connection from the first SYN to the last FIN."""
    s.burst()
    s.others.clear()
    s.frame(bytes(IP(src=s.peer, dst=s.us) / ICMP(type=8, id=1, seq=1) / b"alive?"))
    assert s.others[-1][28:] == b"alive?"
    listener = s.stack.call("listen", 8080)
    s.sport, s.dport, s.pseq, s.pack, s.iss = 6000, 8080, 0, 0, None
    s.rx("S")
    s.tx("SA")
    s.rx("PA", ack=1, data=b"hello")
    s.tx("A", ack=6)
    sock, _ = s.call("accept", listener)
    assert s.call("recv", sock) == b"hello"
    s.call("send", sock, b"world")
    s.tx("PA", data=b"world")
    s.rx("FA")
    s.call("close", sock)
    s.tx("FA")
    s.rx("A")
    s.gone(sock)


# ---- frames ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", range(len(arrive.CHECKS)))
def test_a_check_of_segment_arrives(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    s = Contained().passive()
    with monkeypatch.context() as patch:
        patch.setattr(arrive, "CHECKS", (*arrive.CHECKS[:at], planted, *arrive.CHECKS[at + 1 :]))
        s.rx("PA", data=10)
    (kept,) = quarantined(s)
    assert isinstance(kept.event, Rx)
    assert kept.event.frame.cuts() == [s.packet("PA", 1, data=kept.event.frame.cuts()[0][40:])]
    assert s.count("ContainedFrames") == 1
    assert (s.count("drop.tcp.fault"), unbalanced(s.stack.env.count)) == (1, [])
    still_works(s)
    s.state("ESTABLISHED")


FRAMES: dict[str, tuple[str, Callable[[Script], bytes]]] = {
    "labstack.stack.arrive.arrive": ("ip", lambda s: s.packet("S")),
    "labstack.stack.arrive.datagram": ("stack", lambda s: s.packet("S")),
    "labstack.stack.arrive._tcp": ("tcp", lambda s: s.packet("S")),
    "labstack.stack.arrive.parse": ("segment", lambda s: s.packet("S")),
    "labstack.stack.arrive._accept": ("syn", lambda s: s.packet("S")),
    "labstack.tcp.listen.passive": ("listen", lambda s: s.packet("S")),
    "labstack.tcp.opening.make": ("make", lambda s: s.packet("S")),
    "labstack.tcp.output.refuse": ("refuse", lambda s: s.packet("S", dport=81)),
    "labstack.tcp.opening.syn_sent": ("syn sent", lambda s: s.packet("SA", 0, 1, sport=5555, dport=6666)),
    "labstack.stack.arrive._udp": ("udp", lambda s: bytes(s.ip() / UDP(sport=1, dport=7) / b"x")),
    "labstack.udp.socket.parse": ("udp parse", lambda s: bytes(s.ip() / UDP(sport=1, dport=7) / b"x")),
    "labstack.udp.socket.deliver": ("udp deliver", lambda s: bytes(s.ip() / UDP(sport=1, dport=7) / b"x")),
    "labstack.ip.icmp.unreachable": ("icmp out", lambda s: bytes(s.ip() / UDP(sport=1, dport=9) / b"x")),
    "labstack.ip.icmp.arrive": ("icmp in", lambda s: bytes(s.ip() / ICMP(type=8) / b"x")),
    "labstack.stack.arrive._error": ("icmp error", lambda s: about(s)),
    "labstack.tcp.icmp.arrive": ("icmp for tcp", lambda s: about(s)),
}


def about(s: Script) -> bytes:
    """An ICMP error about the SYN that went out last."""
    (sock,) = [c.sock for c in s.stack.conns.values() if c.state == "SYN_SENT"]
    conn = s.stack.conns[sock]
    quote = bytes(IP(src=s.us, dst=s.peer, proto=6) / (b"\x1a\x0a\x15\xb3" + (conn.snd.iss % 2**32).to_bytes(4, "big")))
    return bytes(IP(src=s.peer, dst=s.us) / ICMP(type=3, code=1) / quote)


@pytest.mark.parametrize("handler", FRAMES)
def test_a_handler_of_frames(monkeypatch: pytest.MonkeyPatch, handler: str) -> None:
    s = Contained()
    s.any_window = True
    s.listen()
    s.call("udp", 7)
    s.call("connect", s.peer, 5555, 0, b"", 6666)
    s.iss = None
    s.burst()
    s.iss = next(iter(s.stack.conns.values())).snd.iss
    raw = FRAMES[handler][1](s)
    with monkeypatch.context() as patch:
        patch.setattr(handler, planted)
        s.frame(raw)
    (kept,) = quarantined(s)
    assert isinstance(kept.event, Rx)
    assert kept.event.frame.cuts() == [raw]
    assert s.count("ContainedFrames") == 1
    for sock in list(s.stack.conns):
        s.call("abort", sock)
    still_works(s)


LINK: dict[str, Callable[[], Any]] = {
    "labstack.link.ether.arrive": lambda: ARP(op=1, psrc="192.0.2.2", hwsrc=THERE, pdst="192.0.2.1"),
    "labstack.link.arp.arrive": lambda: ARP(op=1, psrc="192.0.2.2", hwsrc=THERE, pdst="192.0.2.1"),
    "labstack.link.neighbour.heard": lambda: ARP(op=1, psrc="192.0.2.2", hwsrc=THERE, pdst="192.0.2.1"),
    "labstack.link.nd.arrive": lambda: (
        IPv6(src="fe80::2", dst="fe80::ff:fe00:1", hlim=255) / ICMPv6ND_NS(tgt="fe80::ff:fe00:1")
    ),
    "labstack.ip.icmp._arrive6": lambda: IPv6(src="fe80::2", dst="fe80::ff:fe00:1") / ICMPv6EchoRequest(),
}


@pytest.mark.parametrize("handler", LINK)
def test_a_handler_of_the_link(monkeypatch: pytest.MonkeyPatch, handler: str) -> None:
    stack = ethernet()
    raw = bytes(Ether(dst=HERE, src=THERE) / LINK[handler]())
    with monkeypatch.context() as patch:
        patch.setattr(handler, planted)
        stack.handle(Rx(1, Frame(raw)), 0)
    kept = [a for a in stack.drain(0) if isinstance(a, Quarantine)]
    assert [k.event for k in kept] == [Rx(1, Frame(raw))]
    assert stack.env.count["ContainedFrames"] == 1
    stack.check()
    answers(stack)


def ethernet() -> Stack:
    stack = make("h1")
    stack.call("link_add", "eth0", HERE)
    stack.call("addr_add", 1, "192.0.2.1/24")
    for second in range(1, 6):  # the link-local address is no duplicate
        stack.handle(Tick(), second * 10**9)
        stack.drain(second * 10**9)
    return stack


def answers(stack: Stack) -> None:
    """ARP and ping work."""
    stack.drain(0)
    stack.handle(
        Rx(1, Frame(bytes(Ether(dst=HERE, src=THERE) / ARP(op=1, psrc="192.0.2.2", hwsrc=THERE, pdst="192.0.2.1")))), 0
    )
    stack.handle(
        Rx(1, Frame(bytes(Ether(dst=HERE, src=THERE) / IP(src="192.0.2.2", dst="192.0.2.1") / ICMP(type=8)))), 0
    )
    assert len(stack.drain(0)) == 2


def test_a_packet_to_ourselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loopback is a wire, too."""
    s = Contained()
    with monkeypatch.context() as patch:
        patch.setattr(ip_icmp, "arrive", planted)
        sock = s.call("ping", "127.0.0.1")
    assert len(quarantined(s)) == 1
    s.fails(errno.EAGAIN, "recvfrom", sock)
    s.call("ping", "127.0.0.1", b"x", sock)
    assert s.call("recvfrom", sock)[0] == b"x"
    still_works(s)


def test_a_packet_that_nobody_took(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report about an unreachable neighbour."""
    stack = ethernet()
    stack.call("ping", "192.0.2.50")
    with monkeypatch.context() as patch:
        patch.setattr(stack_arrive, "datagram", planted)
        kept = []
        for second in range(6, 20):
            stack.handle(Tick(), second * 10**9)
            kept += [a for a in stack.drain(second * 10**9) if isinstance(a, Quarantine)]
    assert len(kept) == 1
    answers(stack)


# ---- timers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", timeouts._EXPIRE)
def test_a_timer_of_a_connection(monkeypatch: pytest.MonkeyPatch, kind: int) -> None:
    s = Contained()
    s.passive(win=0 if kind == kinds.TCP_PERSIST else 65535)
    if kind in (kinds.TCP_RETRANSMIT, kinds.TCP_PERSIST):
        s.call("send", s.sock, b"x")
    elif kind == kinds.TCP_DELACK:
        s.settled().rx("PA", data=10)
    elif kind == kinds.TCP_KEEPALIVE:
        s.call("setopt", s.sock, "keep_idle", 10)
        s.call("setopt", s.sock, "keepalive", 1)
    elif kind == kinds.TCP_COMPRESS:  # that it is armed by itself is test_tcp_sack_blocks'
        s.stack.env.timers.set((kind, s.sock), s.now + 10**6)
    elif kind == kinds.TCP_PACING:
        s.call("setopt", s.sock, "pacing", 10_000)
        s.call("send", s.sock, bytes(60_000))
        s.burst()
        s.rx("A", ack=1 + s.conn.snd.flight.out * s.conn.snd.mss)
    else:
        s.call("shutdown", s.sock, 1)
        s.rx("FA", ack=2)
    s.burst()
    with monkeypatch.context() as patch:
        patch.setitem(timeouts._EXPIRE, kind, planted)
        s.wait(61_000)
    assert {type(k.event) for k in quarantined(s)} == {Tick}
    assert s.count("ContainedTimers") == 1
    still_works(s)


@pytest.mark.parametrize("handler", ["labstack.link.neighbour.expire", "labstack.link.dad.expire"])
def test_a_timer_of_the_link(monkeypatch: pytest.MonkeyPatch, handler: str) -> None:
    stack = make("h1")
    stack.call("link_add", "eth0", HERE)
    stack.call("addr_add", 1, "192.0.2.1/24")
    stack.call("ping", "192.0.2.50")
    stack.drain(0)
    with monkeypatch.context() as patch:
        patch.setattr(handler, planted)
        stack.handle(Tick(), 60_000_000_000)
    kept = [a for a in stack.drain(60_000_000_000) if isinstance(a, Quarantine)]
    assert len(kept) == stack.env.count["ContainedTimers"] == 1
    answers(stack)


def test_one_broken_timer_does_not_keep_the_others_from_expiring(monkeypatch: pytest.MonkeyPatch) -> None:
    s = Contained().passive()
    s.any_window = True
    s.rx("PA", data=10)
    s.call("send", s.sock, b"x")
    s.burst()
    s.rx("PA", ack=1, data=10)
    second = s.call("connect", s.peer, 7, 0, b"", 6666)
    s.burst()
    with monkeypatch.context() as patch:
        patch.setitem(timeouts._EXPIRE, kinds.TCP_DELACK, planted)
        s.wait(1000)
    assert [seg.flags for seg in s.burst()] == ["S"]
    assert s.count("ContainedTimers") == 1
    s.state("SYN_SENT", second)
    s.fails(errno.EIO, "send", s.sock, b"x")


# ---- calls ----------------------------------------------------------------------------------------------------------

ARGS: dict[str, tuple[Any, ...]] = {
    "connect": ("192.0.2.2", 1), "listen": (1,), "accept": (1,), "send": (2, b"x"), "take": (2,), "recv": (2,),
    "shutdown": (2,), "close": (2,), "abort": (2,), "udp": (), "udp_connect": (2, "192.0.2.2", 1),
    "sendto": (2, b"x"), "recvfrom": (2,), "ping": ("192.0.2.2",), "setopt": (2, "ttl", 1), "readable": (2,),
    "sign": (2, ()),
    "status": (2,), "sockets": (), "link_add": ("e",), "link_set": (1, True), "addr_add": (1, "10.0.0.1"),
    "addr_del": (1, "10.0.0.1"), "route_add": ("default",), "route_del": ("default",),
    "neigh_add": (1, "10.0.0.1", HERE), "sysctl": ("x",), "qdisc_set": (1, "fq"),
    "route_change": ("default", "", 1), "metrics_flush": (),
    "sys": ("socket", 2, 1, 0), "sys_result": (1,),
}  # fmt: skip


@pytest.mark.parametrize("op", OPS)
def test_an_operation(monkeypatch: pytest.MonkeyPatch, op: str) -> None:
    """Only this call is lost; its caller is told."""
    s = Contained().passive()
    with monkeypatch.context() as patch:
        patch.setitem(OPS, op, planted)
        s.fails(errno.EIO, op, *ARGS[op])
    assert [k.event for k in quarantined(s)] == [Call(op, ARGS[op])]
    assert s.count("ContainedCalls") == 1
    still_works(s)
    s.state("ESTABLISHED", 2)


# ---- connections ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "handler",
    [
        "labstack.tcp.output.flush",
        "labstack.tcp.output._transmit",
        "labstack.tcp.output._emit",
        "labstack.tcp.send.poll",
        "labstack.tcp.send.sent",
        "labstack.tcp.output.header",
        "labstack.tcp.output.send_ip",
        "labstack.tcp.window.advertise",
        "labstack.stack.stack.Stack._settle",
    ],
)
def test_the_output_of_a_connection(monkeypatch: pytest.MonkeyPatch, handler: str) -> None:
    """The connection dies, its owner is told, and its addresses are free."""
    s = Contained().passive()
    with monkeypatch.context() as patch:
        patch.setattr(handler, planted)
        s.call("send", s.sock, b"x")
    assert [k.event for k in quarantined(s)] == [Call("flush", (s.sock,))]
    assert s.count("ContainedConns") == 1
    s.fails(errno.EIO, "recv", s.sock)
    s.burst()
    s.rx("A", seq=1, ack=1)
    s.tx("R")
    s.call("close", s.sock)
    s.gone()
    still_works(s)


@pytest.mark.parametrize("when", ["half", "ready"])
def test_a_connection_that_nobody_has_accepted_yet(monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    """It leaves no place taken in the listener's queues."""
    s = Contained()
    s.listen()
    if when == "ready":
        s.rx("S")
        s.tx("SA")
        s.rx("A")
    with monkeypatch.context() as patch:
        patch.setattr("labstack.tcp.output.flush", planted)
        s.rx("S" if when == "half" else "PA", data=b"" if when == "half" else b"x")
    assert len(quarantined(s)) == 1
    listener = s.stack.listeners[1]
    assert (listener.half, list(listener.ready)) == ({}, [])
    s.fails(errno.EAGAIN, "accept", 1)
    assert s.stack.conns == {}
    still_works(s)


def test_a_frame_from_an_interface_that_is_not_there() -> None:
    """The runner's mistake costs a frame as well."""
    s = Contained()
    s.event(Rx(7, Frame(b"E", net=0)))
    assert len(s.kept) == 1
    still_works(s)


def test_the_evidence_is_the_event_itself_and_the_traceback() -> None:
    """For the capture of quarantined frames, and for a person."""
    s = Contained()
    event: Event = Rx(7, Frame(b"E", net=0))
    s.event(event)
    assert s.kept[0].event == event
    assert "Traceback" in s.kept[0].why
    with pytest.raises(StackError):
        s.stack.call("nothing like that")
