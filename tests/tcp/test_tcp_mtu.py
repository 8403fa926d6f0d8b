# SPDX-License-Identifier: GPL-2.0-or-later
"""Segments that fit the path: what a router's message changes and what not (RFC 1191, RFC 8201, RFC 5927 §7)."""

import errno
from collections.abc import Callable

import pytest
from tcp_script import HLEN, Script, pattern

from labstack.ip.family import parse_addr
from labstack.ip.route import Route, insert
from labstack.tcp import mtu
from labstack.tcp.info import tcp_info
from layers import TCP

Tcp = Callable[..., Script]
FAMILIES = pytest.mark.parametrize("family", [4, 6])


def opened(s: Script, active: bool) -> Script:
    return s.active() if active else s.passive()


@pytest.mark.parametrize("active", [True, False], ids=["active", "passive"])
@FAMILIES
def test_what_was_too_large_goes_again_at_once_in_smaller_segments(tcp: Tcp, family: int, active: bool) -> None:
    """RFC 1191 §6.5, RFC 8201 §5.4; tcp_simple_retransmit: cwnd stays, in segments."""
    s = opened(tcp(family=family), active)
    full = s.conn.snd.mss
    s.call("send", s.sock, pattern(0, 2 * full))
    first, _ = s.burst()
    room, small = s.conn.snd.cc.cwnd // full, 1300 - HLEN[family] - 20
    s.too_big(first.raw, 1300)
    again = s.burst()
    assert [seg.size for seg in again] == [small, small, 2 * (full - small)]
    assert b"".join(seg.data for seg in again) == pattern(0, 2 * full)
    assert s.conn.snd.cc.cwnd // s.conn.snd.mss == room
    assert s.count("TcpExtTCPTimeouts") == 0
    assert tcp_info(s.stack.env, s.conn)["pmtu"] == 1300


@FAMILIES
def test_a_message_about_what_is_not_in_flight_is_ignored(tcp: Tcp, family: int) -> None:
    """RFC 5927 §4.1: nothing is learnt, for nobody."""
    s = tcp(family=family).passive()
    s.call("send", s.sock, bytes(s.conn.snd.mss))
    raw = s.tx().raw
    s.rx("A")
    s.too_big(raw, 1300)
    assert (s.conn.mtu, s.stack.net.learnt) == (1500, {})
    assert s.count("TcpExtOutOfWindowIcmps") == 1


@FAMILIES
def test_a_message_that_would_make_segments_larger_changes_nothing(tcp: Tcp, family: int) -> None:
    """RFC 1191 §3, RFC 8201 §4."""
    s = tcp(family=family).passive()
    s.call("send", s.sock, bytes(100))
    raw = s.tx().raw
    for size in (1500, 1501, 9000):
        s.too_big(raw, size)
    assert (s.conn.mtu, s.stack.net.learnt) == (1500, {})
    s.nothing()


def test_a_message_with_a_size_that_segments_have_already_is_not_learnt_over_ipv6(tcp: Tcp) -> None:
    """tcp_v6_mtu_reduced: the peer's MSS is below it, so it cannot be true."""
    s = tcp(family=6).passive(mss=1000)
    s.call("send", s.sock, bytes(1000))
    s.too_big(s.tx().raw, 1300)
    assert s.stack.net.learnt == {}


def test_the_least_path_of_ipv4_has_552_bytes_and_no_df(tcp: Tcp) -> None:
    """RFC 1191 §5."""
    s = tcp().passive()
    s.call("send", s.sock, bytes(1000))
    raw = s.tx().raw
    assert raw[6] == 0x40
    s.too_big(raw, 68)
    again = s.burst()
    assert [seg.size for seg in again] == [512, 488]
    assert {seg.raw[6] for seg in again} == {0}
    assert s.conn.soft == 0


def test_a_connection_that_insists_on_df_remembers_why_it_may_die(tcp: Tcp) -> None:
    """IP_PMTUDISC_DO, tcp_v4_mtu_reduced: EMSGSIZE is its soft error."""
    s = tcp().passive(discover=mtu.DO)
    s.call("send", s.sock, bytes(1000))
    s.too_big(s.tx().raw, 68)
    assert {seg.raw[6] for seg in s.burst()} == {0x40}
    assert s.conn.soft == errno.EMSGSIZE


@pytest.mark.parametrize("discover", [mtu.INTERFACE, mtu.OMIT])
def test_a_connection_may_ignore_routers(tcp: Tcp, discover: int) -> None:
    """IP_PMTUDISC_INTERFACE and _OMIT."""
    s = tcp().passive(discover=discover)
    s.call("send", s.sock, bytes(1000))
    s.too_big(s.tx().raw, 600)
    s.nothing()
    assert s.stack.net.learnt == {}


def test_a_connection_that_discovers_nothing_sends_nothing_again(tcp: Tcp) -> None:
    """IP_PMTUDISC_DONT: no DF, so the packet arrived; from now on they fit all the same."""
    s = tcp().passive(discover=mtu.DONT)
    s.call("send", s.sock, bytes(1000))
    seg = s.tx()
    assert seg.raw[6] == 0
    s.too_big(seg.raw, 600)
    s.nothing()
    s.rx("A")
    s.call("send", s.sock, bytes(1000))
    assert [seg.size for seg in s.burst()] == [560, 440]


def test_segments_grow_again_when_what_was_learnt_is_forgotten(tcp: Tcp) -> None:
    """RFC 1191 §6.3: and the peer's MSS still counts."""
    s = tcp().passive(mss=1400)
    s.call("send", s.sock, bytes(1400))
    s.too_big(s.tx().raw, 600)
    s.rx("A", ack=1401)
    s.burst()
    s.wait(601_000)
    s.call("send", s.sock, bytes(1400))
    assert s.tx().size == 1400


def test_what_is_learnt_counts_for_other_connections_at_their_next_segment(tcp: Tcp) -> None:
    """RFC 1191 §5.2: the IP layer tells all who use the path."""
    s = tcp().passive()
    first, s.any_window = s.sock, True
    s.sport, s.pseq, s.pack, s.iss = 4001, 0, 0, None
    s.rx("S", win=65535, mss=1460)
    s.tx("SA")
    s.rx("A")
    s.accept()
    s.call("send", s.sock, bytes(1000))
    s.too_big(s.tx().raw, 600)
    s.burst()
    assert s.stack.conns[first].mtu == 1500
    s.call("send", first, bytes(1000))
    assert [seg.size for seg in s.burst()] == [560, 440]


def test_a_syn_announces_what_the_path_brings(tcp: Tcp) -> None:
    """RFC 9293 §3.7.1; `ip route ... mtu N advmss N`."""
    s = tcp()
    insert(s.stack.net, Route(parse_addr(s.peer), 32, dev=1, mtu=1000))
    s.connect()
    assert s.tx("S").mss == 960
    s = tcp()
    insert(s.stack.net, Route(parse_addr(s.peer), 32, dev=1, mtu=1000, advmss=700))
    s.connect()
    assert s.tx("S").mss == 700


@pytest.mark.parametrize(("win", "size"), [(2000, 1000), (1000, 500), (537, 268), (536, 536), (100, 100), (10, 10)])
def test_no_segment_takes_more_than_half_of_the_largest_window(tcp: Tcp, win: int, size: int) -> None:
    """tcp_bound_to_half_wnd: unless the peer never has more than 536 bytes of it."""
    s = tcp().passive(mss=1460, win=win)
    s.call("send", s.sock, bytes(3000))
    assert s.soon().size == size
    s.burst()


def test_the_window_of_a_syn_is_no_measure(tcp: Tcp) -> None:
    """Linux's tcp_create_openreq_child: it was not scaled. A peer with small windows is not waited for (SHLD-25)."""
    s = tcp()
    s.listen()
    s.rx("S", win=65535, mss=1460)
    s.tx("SA")
    s.rx("A", win=0)
    s.accept()
    s.call("send", s.sock, bytes(3000))
    s.nothing()
    s.rx("A", win=700)
    assert [seg.size for seg in s.burst()] == [350, 350]


@pytest.mark.parametrize("active", [True, False])
def test_segments_grow_with_the_largest_window(tcp: Tcp, active: bool) -> None:
    """tcp_ack_update_window: what was half of a small window is no bound once there was a larger one."""
    s = tcp()
    s = s.active(win=1000) if active else s.passive(win=1000)
    s.call("send", s.sock, bytes(9000))
    assert [seg.size for seg in s.burst()] == [500, 500]
    s.rx("A", win=6000)
    assert [seg.size for seg in s.burst()] == [1460] * 4


def test_a_new_size_does_not_wait_for_data_in_flight_that_fits(tcp: Tcp) -> None:
    """tcp_simple_retransmit: nothing goes again where nothing was too large."""
    s = tcp().passive(mss=500)
    s.call("send", s.sock, bytes(1500))
    raw = s.burst()[0].raw
    s.too_big(raw, 600)
    s.nothing()
    assert s.conn.mtu == 600


def test_timestamps_take_room_whatever_the_peers_first_number_is(tcp: Tcp) -> None:
    """RFC 6691 §2: also where RCV.NXT is 0 when a SYN cookie comes back."""
    s = tcp(irs=0xFFFFFFFF, stamps=True, sysctl={"net.ipv4.tcp_syncookies": 2})
    s.listen()
    s.rx("S", mss=1460, options=[("Timestamp", (1, 0))])
    stamp = dict(TCP.parse(s.tx("SA").raw, 20, len(s.frames[-1].flat().head)).options)["Timestamp"][0]
    s.rx("A", options=[("NOP", None), ("NOP", None), ("Timestamp", (2, stamp))])
    s.accept()
    s.call("send", s.sock, bytes(3000))
    assert [seg.size for seg in s.burst()] == [1448, 1448, 104]
