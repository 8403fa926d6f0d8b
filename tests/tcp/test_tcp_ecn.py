# SPDX-License-Identifier: GPL-2.0-or-later
"""Explicit congestion notification (RFC 3168): negotiation, marks and echoes, both roles."""

from collections.abc import Callable

import pytest
from tcp_script import Script

from labstack.tcp.ecn import CE, ECT0, ECT1
from labstack.tcp.loss import CWR, OPEN

Tcp = Callable[..., Script]
ECN = {"net.ipv4.tcp_ecn": 1}


def passive(tcp: Tcp, **settings: object) -> Script:
    """A connection with ECN that the peer opened."""
    s = tcp(sysctl=ECN, **settings)
    s.listen()
    s.rx("SEW", mss=1460)
    s.tx("SAE", tos=0)
    s.rx("A")
    s.accept()
    return s


def active(tcp: Tcp, **settings: object) -> Script:
    s = tcp(sysctl=ECN, **settings)
    s.connect()
    s.tx("SEW", tos=0)
    s.rx("SAE", mss=1460)
    s.tx("A", tos=0)
    return s


ROLES = pytest.mark.parametrize("opened", [passive, active])
FAMILIES = pytest.mark.parametrize("family", [4, 6])


@FAMILIES
@ROLES
def test_data_is_ect_and_acknowledgments_are_not(tcp: Tcp, opened: Callable[..., Script], family: int) -> None:
    """RFC 3168 §6.1.2, §6.1.4."""
    s = opened(tcp, family=family)
    s.call("send", s.sock, bytes(100))
    s.tx("PA", tos=ECT0)
    s.rx("A", data=100)
    s.tx("A", tos=0)
    s.rx("A")
    s.call("close", s.sock)
    s.burst()


@pytest.mark.parametrize(("flags", "answer"), [("S", "SA"), ("SE", "SA"), ("SW", "SA"), ("SEN", "SA"), ("SEWN", "SAE")])
def test_only_a_syn_with_both_flags_is_an_offer(tcp: Tcp, flags: str, answer: str) -> None:
    """RFC 3168 §6.1.1; with AE it asks for accurate ECN, and is content with less (RFC 9768 §3.1.2)."""
    s = tcp(sysctl=ECN)
    s.listen()
    s.rx(flags, mss=1460)
    s.tx(answer)


@pytest.mark.parametrize("tos", [ECT0, ECT1, CE])
def test_a_marked_syn_is_no_offer(tcp: Tcp, tos: int) -> None:
    """RFC 3168 §6.1.1."""
    s = tcp(sysctl=ECN)
    s.listen()
    s.rx("SEW", mss=1460, tos=tos)
    s.tx("SA")


@pytest.mark.parametrize("flags", ["SA", "SAW", "SAEW"])
def test_only_ece_alone_accepts_our_offer(tcp: Tcp, flags: str) -> None:
    """RFC 3168 §6.1.1: both flags come from a peer that reflects what it does not understand."""
    s = tcp(sysctl=ECN)
    s.connect()
    s.tx("SEW")
    s.rx(flags, mss=1460)
    s.tx("A")
    s.call("send", s.sock, b"x")
    s.tx("PA", tos=0)


@pytest.mark.parametrize(("mode", "answer", "ours"), [(0, "SA", "S"), (1, "SAE", "SEW"), (2, "SAE", "S")])
def test_what_is_taken_and_what_is_offered_is_configured(tcp: Tcp, mode: int, answer: str, ours: str) -> None:
    """tcp_ecn."""
    s = tcp(sysctl={"net.ipv4.tcp_ecn": mode})
    s.listen()
    s.rx("SEW", mss=1460)
    s.tx(answer)
    s = tcp(sysctl={"net.ipv4.tcp_ecn": mode})
    s.connect()
    s.tx(ours)


def test_a_simultaneous_open_agrees_if_both_offered(tcp: Tcp) -> None:
    """RFC 3168 §6.1.1."""
    for flags, answer, tos in (("SEW", "SAE", ECT0), ("S", "SA", 0)):
        s = tcp(sysctl=ECN)
        s.connect()
        s.tx("SEW")
        s.rx(flags, mss=1460)
        s.tx(answer)
        s.rx("A")
        s.call("send", s.sock, b"x")
        s.tx("PA", tos=tos)


@pytest.mark.parametrize(("fallback", "flags"), [(1, "S"), (0, "SEW")])
def test_a_syn_that_was_lost_goes_again_without_the_offer(tcp: Tcp, fallback: int, flags: str) -> None:
    """RFC 3168 §6.1.1.1, tcp_ecn_fallback; who answers the first one, late, still gets ECN."""
    s = tcp(sysctl=ECN | {"net.ipv4.tcp_ecn_fallback": fallback})
    s.connect()
    s.tx("SEW")
    s.tx(flags, after=1000)
    s.rx("SAE", mss=1460)
    s.tx("A")
    s.call("send", s.sock, b"x")
    s.tx("PA", tos=ECT0)


@ROLES
def test_a_mark_is_echoed_until_the_peer_has_slowed_down(tcp: Tcp, opened: Callable[..., Script]) -> None:
    """RFC 3168 §6.1.3."""
    s = opened(tcp)
    s.rx("A", data=100, tos=ECT0)
    s.tx("A")
    s.rx("A", data=100, tos=CE)
    s.tx("AE")
    s.rx("A", data=100, tos=ECT0)
    s.tx("AE")
    s.call("send", s.sock, b"x")
    s.tx("PAE", tos=ECT0)
    s.rx("AW", data=100, tos=ECT0)
    s.tx("A")


def test_a_mark_on_the_segment_that_answers_counts_anew(tcp: Tcp) -> None:
    """RFC 3168 §6.1.3: CWR answers what was before."""
    s = passive(tcp)
    s.rx("A", data=100, tos=CE)
    s.tx("AE")
    s.rx("AW", data=100, tos=CE)
    s.tx("AE")


def test_marks_are_acknowledged_at_once(tcp: Tcp) -> None:
    """tcp_enter_quickack_mode: cwnd may be very small over there."""
    s = passive(tcp).settled()
    s.conn.rcv.quick, s.conn.rcv.pingpong = 0, True
    s.rx("A", data=100, tos=CE)
    s.tx("AE")


def test_a_pure_ack_that_is_marked_is_not_echoed(tcp: Tcp) -> None:
    """RFC 3168 §6.1.4: only data is ECT."""
    s = passive(tcp)
    s.rx("A", tos=CE)
    s.rx("A", data=1)
    s.tx("A")


def test_an_echo_reduces_the_window_once_in_a_round_trip(tcp: Tcp) -> None:
    """RFC 3168 §6.1.2."""
    s = passive(tcp)
    s.call("send", s.sock, bytes(14_600))
    s.burst()
    s.wait(100)
    s.rx("AE", ack=1461)
    assert s.conn.snd.loss.state == CWR
    threshold = s.conn.snd.cc.ssthresh
    for at in range(2, 11):
        s.rx("AE", ack=1 + 1460 * at)
    assert s.conn.snd.cc.ssthresh == threshold
    assert s.conn.snd.cc.cwnd == threshold
    s.call("send", s.sock, bytes(2920))
    assert [seg.flags for seg in s.burst()] == ["AW", "PA"]
    assert s.count("TcpRetransSegs") == 0
    s.rx("A")
    assert s.conn.snd.loss.state == OPEN


def test_a_retransmission_is_not_ect_and_says_nothing_of_cwr(tcp: Tcp) -> None:
    """RFC 3168 §6.1.5."""
    s = passive(tcp)
    s.call("send", s.sock, bytes(1000))
    s.tx("PA", tos=ECT0)
    again = s.soon()
    assert (again.flags, again.tos) == ("PA", 0)
    s.rx("A")
    s.call("send", s.sock, bytes(1000))
    s.tx("PAW", tos=ECT0)


def test_an_echo_without_agreement_means_nothing(tcp: Tcp) -> None:
    s = tcp(sysctl=ECN).passive()
    s.call("send", s.sock, bytes(14_600))
    s.burst()
    s.rx("AE", ack=1461)
    assert s.conn.snd.loss.state == OPEN
    s.burst()


def test_the_rest_of_tos_is_kept(tcp: Tcp) -> None:
    """RFC 2474: the six bits of the application."""
    s = passive(tcp)
    s.call("setopt", s.sock, "tos", 0x28)
    s.call("send", s.sock, b"x")
    s.tx("PA", tos=0x28 | ECT0)


def dctcp(tcp: Tcp) -> Script:
    """A receiver with DCTCP whose ACKs are delayed: its first ones, which go at once, are behind it."""
    s = tcp(sysctl={**ECN, "net.ipv4.tcp_congestion_control": 3})
    s.listen()
    s.rx("SEW", mss=1460, tos=ECT0)
    s.tx("SAE")
    s.rx("A", tos=ECT0)
    s.accept()
    s.conn.rcv.quick, s.conn.rcv.ato, s.conn.rcv.heard = 0, 40_000_000, s.now
    return s


def test_dctcp_acknowledges_at_once_when_marks_begin(tcp: Tcp) -> None:
    """RFC 8257 §3.2: what waited is acknowledged with the echo of before, then what was marked."""
    s = dctcp(tcp)
    s.rx("A", data=100, tos=ECT0)
    s.nothing()
    s.rx("A", data=100, tos=CE)
    s.tx("A", ack=101)
    s.tx("AE", ack=201)


def test_dctcp_acknowledges_at_once_when_marks_end(tcp: Tcp) -> None:
    """RFC 8257 §3.2."""
    s = dctcp(tcp)
    s.rx("A", data=100, tos=CE)
    s.tx("AE", ack=101)
    s.rx("A", data=100, tos=CE)
    s.nothing()
    s.rx("A", data=100, tos=ECT0)
    s.tx("AE", ack=201)
    s.tx("A", ack=301)


def test_dctcp_echoes_marks_whatever_cwr_says(tcp: Tcp) -> None:
    """RFC 8257 §3.2: the echo tells what was marked, and not that the sender should slow down."""
    s = dctcp(tcp)
    s.rx("A", data=100, tos=CE)
    s.tx("AE", ack=101)
    s.rx("AW", data=100, tos=CE)
    s.tx("AE", ack=201)
