# SPDX-License-Identifier: GPL-2.0-or-later
"""SYN cookies: RFC 4987 §3.6, and what Linux does where it leaves the choice."""

from collections.abc import Callable
from typing import Any

import pytest
from tcp_script import Script

from labstack.core.counters import drops, unbalanced
from labstack.ip.family import parse_addr
from labstack.tcp import cookies, md5

Tcp = Callable[..., Script]
ALWAYS = {"net.ipv4.tcp_syncookies": 2}


def comes_back(s: Script, **options: Any) -> None:
    """A SYN, its cookie, and the ACK that brings it back."""
    s.rx("S", **options)
    s.tx("SA", seq=0, ack=1)
    assert (s.stack.conns, s.stack.flows, s.stack.listeners[1].half) == ({}, {}, {})
    assert not s.stack.env.timers.at
    s.rx("A")


def test_nothing_is_remembered_for_a_syn_and_the_ack_opens(tcp: Tcp) -> None:
    """RFC 4987 §3.6: what is needed comes back with the ACK."""
    s = tcp(sysctl=ALWAYS)
    s.listen()
    comes_back(s, mss=1460)
    s.accept()
    s.state("ESTABLISHED")
    s.rx("PA", data=b"hello")
    s.tx("A", ack=6)
    assert s.call("recv", s.sock) == b"hello"
    counts = [s.count("TcpExtSyncookies" + name) for name in ("Sent", "Recv", "Failed")]
    assert (counts, s.count("TcpPassiveOpens"), s.count("TcpExtTCPReqQFullDoCookies")) == ([1, 1, 0], 1, 1)
    s.end()


@pytest.mark.parametrize(("offered", "used"), [(None, 536), (100, 536), (1299, 536), (1300, 1300), (9000, 1460)])
def test_one_of_a_few_segment_sizes_is_remembered(tcp: Tcp, offered: int | None, used: int) -> None:
    """RFC 4987 §3.6: the next smaller one."""
    s = tcp(sysctl=ALWAYS)
    s.listen()
    comes_back(s, mss=offered)
    s.accept()
    assert s.conn.snd.mss == used


@pytest.mark.parametrize(("mss", "used"), [(1200, 1220), (1440, 1440), (65535, 1440)])
def test_the_sizes_of_ipv6_are_others(tcp: Tcp, mss: int, used: int) -> None:
    """RFC 4987 §3.6; of what is too small the least is remembered, as on Linux."""
    s = tcp(family=6, sysctl=ALWAYS)
    s.listen()
    comes_back(s, mss=mss)
    s.accept()
    assert s.conn.snd.mss == used


def test_options_are_given_up_without_timestamps(tcp: Tcp) -> None:
    """RFC 4987 §3.6: there is no room for them."""
    s = tcp(sysctl=ALWAYS, sack=True, stamps=True)
    s.listen()
    s.rx("S", mss=1460, ws=7, options=[("SAckOK", b"")])
    assert s.tx("SA").options == ["MSS"]
    s.rx("A")
    s.accept()
    assert (s.conn.scaling, s.conn.sack, s.conn.tstamp) == (False, False, None)


@pytest.mark.parametrize("scale", [None, 0, 7, 14])
@pytest.mark.parametrize("sack", [False, True])
def test_options_come_back_in_the_timestamp(tcp: Tcp, scale: int | None, sack: bool) -> None:
    """RFC 4987 §3.6, RFC 7323 §5.4: window scale and SACK in the low bits of TSval, which never lies in the future."""
    s = tcp(sysctl=ALWAYS, sack=True, stamps=True)
    s.listen()
    s.wait(12_345)
    options = [("Timestamp", (77, 0)), *([("SAckOK", b"")] if sack else [])]
    s.rx("S", mss=1460, ws=scale, options=options)
    value = stamp(s.tx("SA").raw)
    s.rx("A", options=[("NOP", None), ("NOP", None), ("Timestamp", (78, value))])
    s.accept()
    conn = s.conn
    assert (conn.scaling, conn.snd.shift, conn.sack) == (scale is not None, scale or 0, sack)
    assert conn.tstamp.recent == 78
    assert 0 <= (conn.tstamp.now(s.now) - value) % (1 << 32) < 64


def test_an_echo_with_options_that_we_never_offer_opens_nothing(tcp: Tcp) -> None:
    """Linux's cookie_timestamp_decode: whatever it is, it is no answer to a cookie of ours."""
    s = tcp(sysctl=ALWAYS, stamps=True)
    s.listen()
    s.rx("S", mss=1460, options=[("Timestamp", (77, 0))])
    value = stamp(s.tx("SA").raw) | 0x1F  # SACK, and no scale
    s.rx("A", options=[("NOP", None), ("NOP", None), ("Timestamp", (78, value))])
    assert drops(s.stack.env.count) == {"drop.tcp.cookie": 1}
    assert not unbalanced(s.stack.env.count)
    assert s.stack.conns == {}


def stamp(raw: bytes) -> int:
    """TSval of a segment of ours."""
    at = raw.index(b"\x08\x0a", 40)
    return int.from_bytes(raw[at + 2 : at + 6], "big")


def test_an_ack_that_brings_no_cookie_is_reset(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.2, second."""
    s = tcp(sysctl=ALWAYS)
    s.listen()
    s.rx("S", mss=1460)
    s.tx("SA")
    for ack in (2, 1 << 24):
        s.rx("A", seq=1, ack=ack)
        s.tx("R", seq=ack, win=0)
    assert s.count("TcpExtSyncookiesFailed") == 2
    assert s.stack.conns == {}
    s.end()


def test_a_cookie_is_good_for_its_minute_and_the_next(tcp: Tcp) -> None:
    """RFC 4987 §3.6: it must not be replayed for long."""
    for age, valid in ((0, True), (1, True), (2, False)):
        s = tcp(sysctl=ALWAYS)
        s.listen()
        s.rx("S", mss=1460)
        s.tx("SA")
        s.wait(age * 60_000)
        s.stack.listeners[1].flooded_at = s.now  # others are answered meanwhile
        s.rx("A")
        assert bool(s.stack.listeners[1].ready) == valid
        assert [seg.flags for seg in s.burst()] == ([] if valid else ["R"])


def test_without_a_flood_of_late_nobody_looks_for_cookies(tcp: Tcp) -> None:
    """RFC 4987 §3.6: guessing is possible only while cookies are sent."""
    s = tcp()
    s.listen()
    s.rx("A", seq=1, ack=77)
    s.tx("R", seq=77)
    assert s.count("TcpExtSyncookiesFailed") == 0


def test_the_ack_of_a_cookie_may_carry_data_and_a_fin(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.4, fifth."""
    s = tcp(sysctl=ALWAYS)
    s.listen()
    s.rx("S", mss=1460)
    s.tx("SA")
    s.rx("FPA", data=b"all")
    s.tx("A", ack=5, after=40)
    s.accept()
    s.state("CLOSE_WAIT")
    assert s.call("recv", s.sock) == b"all"


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_data_that_follows_lost_data_brings_no_cookie(tcp: Tcp, lost: int) -> None:
    """As many bytes as there are other segment sizes: on Linux another size makes up for them (seed 426965)."""
    s = tcp(sysctl=ALWAYS)
    s.listen()
    s.rx("S", mss=9000)
    s.tx("SA", ack=1)
    s.rx("PA", seq=1 + lost, data=b"late")
    s.tx("R")
    assert s.count("TcpExtSyncookiesFailed") == 1
    s.rx("PA", seq=1, data=b"early")
    s.tx("A", ack=6)


def test_a_cookie_that_finds_the_accept_queue_full_opens_nothing(tcp: Tcp) -> None:
    """Linux's tcp_get_cookie_sock: the ACK is dropped; the peer's data will bring the cookie again."""
    s = tcp(sysctl=ALWAYS)
    s.listen(backlog=0)
    comes_back(s, mss=1460)
    s.sport, s.pseq = 4001, 0
    s.stack.listeners[1].backlog = 1
    s.rx("S", mss=1460)
    s.tx("SA")
    s.stack.listeners[1].backlog = 0
    s.rx("A")
    s.nothing()
    assert (len(s.stack.conns), s.count("TcpExtListenOverflows"), s.count("TcpExtListenDrops")) == (1, 1, 1)
    s.call("accept", 1)
    s.rx("PA", data=b"again")
    s.tx("A", ack=6)
    s.accept()
    assert s.call("recv", s.sock) == b"again"


def test_a_flood_of_syns_costs_no_memory(tcp: Tcp) -> None:
    """RFC 4987 §3.6: the queue fills, and then every SYN is answered and nothing grows; who is real gets in."""
    s = tcp(tracing=False)
    s.listen(backlog=4)
    for port in range(1000, 1200):
        s.sport, s.pseq = port, 0
        s.rx("S", mss=1460)
    assert len(s.burst()) == 200
    stack = s.stack
    assert len(stack.conns) == len(stack.flows) == len(stack.env.timers.at) == 5
    assert s.count("TcpExtSyncookiesSent") == s.count("TcpExtTCPReqQFullDoCookies") == 195
    s.sport, s.pseq, s.iss = 9999, 0, None
    s.rx("S", mss=1460)
    s.tx("SA")
    s.rx("A")
    s.accept()
    s.state("ESTABLISHED")
    s.any_window = True
    s.wait(63_000)
    s.burst()
    assert list(stack.conns) == [s.sock]


def test_without_cookies_a_flood_is_dropped(tcp: Tcp) -> None:
    """Linux's tcp_conn_request: one more than the backlog may be half open."""
    s = tcp(sysctl={"net.ipv4.tcp_syncookies": 0})
    s.listen(backlog=2)
    for port in range(1000, 1010):
        s.sport, s.pseq = port, 0
        s.rx("S", mss=1460)
    assert len(s.burst()) == len(s.stack.conns) == 3
    assert s.count("TcpExtTCPReqQFullDrop") == s.count("TcpExtListenDrops") == s.count("drop.tcp.syn_queue") == 7


def test_without_cookies_the_last_quarter_of_the_backlog_is_kept_free(tcp: Tcp) -> None:
    """Linux's tcp_max_syn_backlog: it is for destinations that are known, of which we remember none."""
    s = tcp(sysctl={"net.ipv4.tcp_syncookies": 0, "net.ipv4.tcp_max_syn_backlog": 8})
    s.listen()
    for port in range(1000, 1012):
        s.sport, s.pseq = port, 0
        s.rx("S", mss=1460)
    assert len(s.burst()) == 7
    assert (s.count("drop.tcp.syn_queue"), s.count("TcpExtTCPReqQFullDrop")) == (5, 0)


def test_cookies_of_other_addresses_ports_and_numbers_are_others(tcp: Tcp) -> None:
    """RFC 4987 §3.6: nobody can make one without the secret."""
    env = tcp().stack.env
    known = {
        cookies._cookie(env, key, irs, minute, index)
        for key in (b"a", b"b")
        for irs in (1, 100)
        for minute in (7, 8)
        for index in range(4)
    }
    assert len(known) == 32


@pytest.mark.parametrize(
    ("flags", "ts", "answer"), [("SEW", 7, "SAE"), ("SEW", 0, "SA"), ("SEWN", 7, "SAE"), ("SN", 7, "SA")]
)
def test_ecn_is_agreed_on_only_if_it_is_remembered(tcp: Tcp, flags: str, ts: int, answer: str) -> None:
    """RFC 3168 §6.1.1; Linux's cookie_ecn_ok: who said yes must echo marks. Nothing of accurate ECN is remembered."""
    s = tcp(sysctl=ALWAYS | {"net.ipv4.tcp_ecn": 3}, stamps=True)
    s.wait(1000)
    s.listen()
    s.rx(flags, mss=1460, ts=(ts, 0) if ts else None)
    seg = s.tx(ack=1)
    assert seg.flags == answer
    s.rx("A", ts=(ts + 1, seg.ts[0]) if seg.ts else None)
    s.accept()
    assert (bool(s.conn.ecn), s.conn.acc) == ("E" in answer, None)
    s.rx("PA", data=b"x", tos=3, ts=(ts + 1, seg.ts[0]) if seg.ts else None)
    s.tx("AE" if "E" in answer else "A")


@pytest.mark.parametrize("signed", [False, True])
def test_options_are_given_up_where_our_side_has_no_timestamps(tcp: Tcp, signed: bool) -> None:
    """RFC 4987 §3.6: a SYN,ACK promises nothing that is forgotten: not without timestamps, nor beside a signature."""
    s = tcp(sysctl=ALWAYS, sack=True, stamps=signed)
    s.wait(1000)
    listener = s.listen()
    if signed:
        s.call("sign", listener, (md5.Key(parse_addr(s.peer), 32, b"key"),))
    sign = {"md5": b"key"} if signed else {}
    s.rx("S", mss=1460, ws=7, sack_ok=True, ts=None if signed else (5, 0), **sign)
    seg = s.tx("SA", ack=1)
    assert (seg.ws, seg.ts, "SAckOK" in seg.options) == (None, None, False)
    s.rx("A", win=1000, **sign)
    s.accept()
    assert (s.conn.scaling, s.conn.sack, s.conn.tstamp, s.conn.snd.wnd) == (False, False, None, 1000)
