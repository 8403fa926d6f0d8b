# SPDX-License-Identifier: GPL-2.0-or-later
"""Fast Open: RFC 7413, and what Linux does where it leaves the choice. Client and server, segment by segment."""

import errno
from collections.abc import Callable
from typing import Any

import pytest
from tcp_script import Script

from labstack.core.config import Config, keys_value, understood
from labstack.tcp import fastopen
from labstack.tcp.siphash import siphash

Tcp = Callable[..., Script]
SERVER = {"net.ipv4.tcp_fastopen": 0x402}
CLIENT = {"net.ipv4.tcp_fastopen": 1}
OLD = b"\xf9\x89"  # what the experimental option begins with
COOKIE = b"8 bytes."
MSG_FASTOPEN, MSG_DONTWAIT = 0x2000_0000, 0x40


def serves(s: Script) -> bytes:
    """A listener with Fast Open; returns the cookie of the peer."""
    s.listen()
    s.any_window = True  # a SYN offers one, too
    stack = s.stack
    peer, us = (bytes(map(int, addr.split("."))) for addr in (s.peer, s.us))
    return fastopen.cookie(fastopen.keys(stack.env)[0], peer, us)


def told(s: Script, raw: bytes) -> bytes | None:
    """The cookie in a segment that left."""
    options = raw[40 : 20 + (raw[32] >> 4) * 4]
    at = options.find(b"\x22")
    return options[at + 2 : at + options[at + 1]] if at >= 0 else None


def fo(cookie: bytes) -> list[tuple[Any, bytes]]:
    return [(34, cookie)]


def counts(s: Script) -> dict[str, int]:
    head = "TcpExtTCPFastOpen"
    return {name[len(head) :]: n for name, n in s.stack.env.count.items() if name.startswith(head) and n}


# ---- cookies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "expected"),
    [(0, 0x726FDB47DD0E0E31), (1, 0x74F839C593DC67FD), (8, 0x93F5F5799A932462), (15, 0xA129CA6149BE45E5)],
)
def test_siphash_is_that_of_its_authors(size: int, expected: int) -> None:
    """SipHash-2-4, the test vectors of its paper and reference implementation."""
    assert siphash(bytes(range(16)), bytes(range(size))) == expected


def test_a_cookie_is_linuxs_cookie_under_the_same_key() -> None:
    """RFC 7413 §4.1.2; the key is written in hexadecimal words, and a PC keeps each with its lowest byte first."""
    config = understood("net.ipv4.tcp_fastopen_key", "a0bf63f7-ed803d81-cd641d30-cebc4a90")
    env = Script(sysctl=config).stack.env
    (key,) = fastopen.keys(env)
    assert key == bytes.fromhex("f763bfa0813d80ed301d64cd904abcce")
    assert fastopen.cookie(key, bytes((10, 248, 0, 2)), bytes((192, 168, 0, 2))).hex() == "00abaaabe8e954c2"


def test_a_host_has_a_secret_key_until_it_is_given_one() -> None:
    """RFC 7413 §4.1.2: cookies must not be guessed."""
    one, other = (fastopen.keys(Script(seed=seed).stack.env) for seed in (1, 2))
    assert len(one) == len(one[0]) // 16 == 1
    assert one != other
    assert fastopen.keys(Script(seed=1).stack.env) == one


@pytest.mark.parametrize("bad", ["1-2-3", "1-2-3-4-5", "1-2-3-x", "1-2-3-100000000", "1-2-3-4,1-2-3-4,1-2-3-4"])
def test_a_key_is_four_words(bad: str) -> None:
    """Linux's tcp_fastopen_key."""
    with pytest.raises(OSError, match="something like"):
        understood("net.ipv4.tcp_fastopen_key", bad)
    assert Config().replace({"net.ipv4.tcp_fastopen_key": keys_value([1, 2])})


# ---- the server -----------------------------------------------------------------------------------------------------


def test_who_asks_gets_a_cookie(tcp: Tcp) -> None:
    """RFC 7413 §4.2.2: an empty option asks; the connection is an ordinary one."""
    s = tcp(sysctl=SERVER)
    cookie = serves(s)
    s.rx("S", mss=1460, options=fo(b""))
    assert told(s, s.tx("SA", ack=1).raw) == cookie
    assert len(s.stack.listeners[1].half) == 1
    assert counts(s) == {"CookieReqd": 1}
    s.tx("SA", after=1000)  # what is repeated says less: the option may be what was not liked


def test_data_with_a_cookie_is_there_before_the_handshake_is_over(tcp: Tcp) -> None:
    """RFC 7413 §4.2.2: accept, read, answer; the handshake ends later."""
    s = tcp(sysctl=SERVER)
    cookie = serves(s)
    s.rx("S", data=b"GET", mss=1460, options=fo(cookie))
    assert told(s, s.tx("SA", seq=0, ack=4).raw) is None
    s.accept()
    s.state("SYN_RECEIVED")
    assert s.call("recv", s.sock) == b"GET"
    s.call("send", s.sock, b"200 OK")
    s.tx("PA", seq=1, ack=4, data=b"200 OK")
    s.rx("A", ack=7)
    s.state("ESTABLISHED")
    assert counts(s) == {"Passive": 1}
    assert (s.count("TcpPassiveOpens"), s.stack.listeners[1].guests.waiting) == (1, 0)
    s.end()


def test_only_the_syn_ack_is_repeated_until_the_handshake_is_over(tcp: Tcp) -> None:
    """Linux's tcp_retransmit_timer: data that was sent waits, too; its timer starts with the handshake's end."""
    s = tcp(sysctl=SERVER)
    cookie = serves(s)
    s.rx("S", data=b"GET", mss=1460, options=fo(cookie))
    s.tx("SA")
    s.accept()
    s.call("send", s.sock, b"200 OK")
    s.tx("PA")
    for seconds in (1, 2, 4):
        s.tx("SA", after=seconds * 1000, seq=0, ack=4)
    s.rx("A", ack=1)
    assert s.soon().data == b"200 OK"


def test_who_closes_before_the_handshake_is_over_still_sends_again(tcp: Tcp) -> None:
    """Linux's tcp_rcv_synrecv_state_fastopen: in FIN-WAIT-1, too, the handshake's end starts the timer."""
    s = tcp(sysctl=SERVER)
    cookie = serves(s)
    s.rx("S", data=b"GET", mss=1460, options=fo(cookie))
    s.tx("SA")
    s.accept()
    s.call("recv", s.sock)
    s.call("send", s.sock, b"200 OK")
    s.call("close", s.sock)
    assert [seg.flags for seg in s.burst()] == ["PA", "FA"]
    s.wait(100)
    s.rx("A", ack=1)
    s.state("FIN_WAIT_1")
    s.tx("FPA", after=300, seq=1, data=b"200 OK")


def test_what_begins_with_a_connection_begins_for_who_has_closed_before(tcp: Tcp) -> None:
    """Linux's tcp_rcv_synrecv_state_fastopen in FIN-WAIT-1: the timer, and all else that begins with a connection."""
    s = tcp(sysctl=SERVER, stamps=True)
    cookie = serves(s)
    s.rx("S", data=b"GET", mss=1460, options=fo(cookie), ts=(5, 0))
    s.tx("SA")
    s.accept()
    s.call("send", s.sock, b"200 OK")
    s.call("shutdown", s.sock, 1)
    assert [seg.flags for seg in s.burst()] == ["PA", "FA"]
    s.rx("A", seq=4, ack=1, ts=(6, 0))
    s.state("FIN_WAIT_1")
    assert s.soon().data == b"200 OK"
    s.burst()
    s.rx("A", seq=4, ack=8, data=bytes(5000), ts=(500, s.stack.env.now // 1_000_000))
    assert s.call("recv", s.sock)[:3] == b"GET"
    assert s.conn.rcv.trip.space
    s.burst()


def test_the_echo_in_a_syn_is_no_round_trip(tcp: Tcp) -> None:
    """RFC 7323 §3.2: TSecr is valid in segments with ACK only."""
    s = tcp(sysctl=SERVER, stamps=True)
    cookie = serves(s)
    s.wait(1000)
    s.rx("S", data=bytes(1460), mss=1460, options=fo(cookie), ts=(5, 0))
    s.tx("SA")
    assert s.stack.conns[2].rcv.trip.rtt == 0


def test_a_guest_that_never_answers_is_given_up(tcp: Tcp) -> None:
    """Linux's tcp_fastopen_synack_timer: one SYN,ACK more than other connections get, and ETIMEDOUT."""
    s = tcp(sysctl=SERVER | {"net.ipv4.tcp_synack_retries": 1})
    cookie = serves(s)
    s.rx("S", data=b"GET", mss=1460, options=fo(cookie))
    s.tx("SA")
    s.accept()
    for seconds in (1, 2):
        s.tx("SA", after=seconds * 1000)
    s.nothing(4000)
    assert s.call("recv", s.sock) == b"GET"
    s.fails(errno.ETIMEDOUT, "recv", s.sock)
    assert s.stack.listeners[1].guests.waiting == 1  # it may have been forged: a while longer


def test_a_wrong_cookie_is_corrected_and_its_data_dropped(tcp: Tcp) -> None:
    """RFC 7413 §4.2.2."""
    s = tcp(sysctl=SERVER)
    cookie = serves(s)
    s.rx("S", data=b"GET", mss=1460, options=fo(b"12345678"))
    assert told(s, s.tx("SA", ack=1).raw) == cookie
    s.fails(errno.EAGAIN, "accept", 1)
    assert counts(s) == {"PassiveFail": 1}


def test_a_cookie_of_the_backup_key_is_taken_and_replaced(tcp: Tcp) -> None:
    """RFC 7413 §4.1.2: keys change; Linux's second key is the one before."""
    s = tcp(sysctl=SERVER | {"net.ipv4.tcp_fastopen_key": keys_value([1, 2])})
    primary = serves(s)
    old = fastopen.cookie(fastopen.keys(s.stack.env)[1], bytes((192, 0, 2, 2)), bytes((192, 0, 2, 1)))
    s.rx("S", data=b"GET", mss=1460, options=fo(old))
    assert told(s, s.tx("SA", ack=4).raw) == primary
    assert counts(s) == {"Passive": 1, "PassiveAltKey": 1}


@pytest.mark.parametrize("size", [2, 3, 5, 17, 18])
def test_a_cookie_of_an_impossible_size_is_no_cookie(tcp: Tcp, size: int) -> None:
    """RFC 7413 §4.1.1: 4 to 16 bytes, an even number."""
    s = tcp(sysctl=SERVER)
    serves(s)
    s.rx("S", data=b"GET", mss=1460, options=fo(bytes(size)))
    assert told(s, s.tx("SA", ack=1).raw) is None
    assert counts(s) == {}


@pytest.mark.parametrize("flags", [0, 1, 0x400, 2])
def test_without_both_sysctl_and_listener_there_is_no_fast_open(tcp: Tcp, flags: int) -> None:
    """Linux's tcp_fastopen: 2 is for servers, 0x400 for listeners that did not ask for it."""
    s = tcp(sysctl={"net.ipv4.tcp_fastopen": flags})
    cookie = serves(s)
    s.rx("S", data=b"GET", mss=1460, options=fo(cookie))
    assert told(s, s.tx("SA", ack=1).raw) is None
    assert len(s.stack.listeners[1].half) == 1


def test_the_sysctl_can_do_without_cookies(tcp: Tcp) -> None:
    """Linux's TFO_SERVER_COOKIE_NOT_REQD, 0x200: for networks where addresses are not forged."""
    s = tcp(sysctl={"net.ipv4.tcp_fastopen": 0x602})
    serves(s)
    s.rx("S", data=b"GET", mss=1460)
    s.tx("SA", ack=4)
    s.accept()
    assert s.call("recv", s.sock) == b"GET"


def test_guests_are_limited_and_resets_count_for_a_minute(tcp: Tcp) -> None:
    """RFC 7413 §5.1: who forges addresses gets resets back, and must not fill the queue by that."""
    s = tcp(sysctl=SERVER)
    cookie = serves(s)
    s.stack.listeners[1].guests.limit = 1

    def knocks(port: int) -> bool:
        s.sport, s.pseq, s.iss = port, 0, None
        s.rx("S", data=b"GET", mss=1460, options=fo(cookie))
        return s.tx("SA").ack == 4

    assert knocks(4001)
    s.rx("R", seq=4)
    assert not knocks(4002)
    s.wait(59_000)
    s.burst()
    assert not knocks(4003)
    s.wait(1_000)
    s.burst()
    assert knocks(4004)
    assert counts(s) == {"Passive": 2, "ListenOverflow": 2}


def test_closing_the_listener_resets_its_guests(tcp: Tcp) -> None:
    """RFC 9293 §3.10.4, LISTEN; Linux's inet_csk_listen_stop."""
    s = tcp(sysctl=SERVER)
    cookie = serves(s)
    s.rx("S", data=b"GET", mss=1460, options=fo(cookie))
    s.tx("SA")
    s.call("close", 1)
    s.tx("RA", seq=1, ack=4)
    assert (s.stack.conns, s.stack.flows, s.stack.env.timers.at) == ({}, {}, {})


def test_a_syn_that_comes_again_brings_the_syn_ack_again(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.4: the data is not taken twice."""
    s = tcp(sysctl=SERVER)
    cookie = serves(s)
    for _ in range(2):
        s.rx("S", seq=0, data=b"GET", mss=1460, options=fo(cookie))
        s.tx("SA", seq=0, ack=4)
    s.accept()
    assert s.call("recv", s.sock) == b"GET"


# ---- the client -----------------------------------------------------------------------------------------------------


def sys(s: Script, name: str, *args: Any) -> tuple[int, int]:
    """A system call that does not block: result, errno."""
    back = s.call("sys", name, *args)
    return back[0], back[1]


def socket(s: Script) -> int:
    return sys(s, "socket", 2, 1, 0)[0]


def fast_send(s: Script, data: bytes, fd: int = 0) -> tuple[int, int]:
    """sendto(MSG_FASTOPEN) to the peer's port 4000."""
    s.sport = 4000
    s.pseq = s.pack = 0
    s.iss = None
    back = sys(s, "sendto", fd or socket(s), data, MSG_FASTOPEN | MSG_DONTWAIT, (s.peer, 4000))
    s.dport = next(reversed(s.stack.conns.values())).lport if s.stack.conns else 0
    s.sock = max(s.stack.conns, default=0)
    return back


def knows(s: Script, cookie: bytes = COOKIE, mss: int = 1460) -> None:
    """A first connection has brought a cookie."""
    assert fast_send(s, b"") == (-1, errno.EINPROGRESS)
    assert told(s, s.tx("S", size=0).raw) == b""
    s.rx("SA", mss=mss, options=fo(cookie))
    s.tx("A")
    s.rx("R")
    s.burst()


def test_a_syn_of_tiny_segments_has_no_room_for_data(tcp: Tcp) -> None:
    """RFC 7413 §4.2.1: what goes with a SYN fits into a segment, options and all."""
    s = tcp(sysctl={"net.ipv4.tcp_fastopen": 5}, mtu=68)
    fast_send(s, b"GET / HTTP/1.1")
    s.tx("S", size=0)


def test_a_client_asks_and_then_sends_with_its_syn(tcp: Tcp) -> None:
    """RFC 7413 §4.1.3, §4.2.1."""
    s = tcp(sysctl=CLIENT)
    knows(s)
    assert fast_send(s, b"GET") == (3, 0)
    seg = s.tx("S", seq=0, data=b"GET")
    assert told(s, seg.raw) == COOKIE
    s.rx("SA", ack=4, mss=1460)
    s.tx("A", seq=4, ack=1)
    assert counts(s) == {"Active": 1}
    s.nothing(5000)
    assert s.conn.syn_data


def test_what_the_syn_ack_does_not_acknowledge_goes_again_at_once(tcp: Tcp) -> None:
    """RFC 7413 §4.2.1: all of it, or what is missing; it is no sign of congestion."""
    for ack, rest in ((1, b"GET"), (3, b"T")):
        s = tcp(sysctl=CLIENT)
        knows(s)
        fast_send(s, b"GET")
        s.tx("S")
        s.rx("SA", ack=ack, mss=1460)
        s.tx("PA", seq=ack, data=rest)
        assert counts(s) == {"ActiveFail": 1}
        assert s.conn.snd.cc.cwnd == 10
        s.rx("A", ack=4)
        assert not s.conn.syn_data


def test_a_syn_that_is_repeated_is_an_ordinary_one(tcp: Tcp) -> None:
    """RFC 7413 §4.2.1: a box on the way may drop what it does not know."""
    s = tcp(sysctl=CLIENT)
    knows(s)
    fast_send(s, b"GET")
    s.tx("S")
    again = s.tx("S", after=1000, seq=0, size=0)
    assert told(s, again.raw) is None
    s.rx("SA", ack=1, mss=1460)
    s.tx("PA", seq=1, data=b"GET")


def test_the_data_of_a_syn_fits_the_segment_size_of_last_time(tcp: Tcp) -> None:
    """RFC 7413 §4.1.3: the cached MSS, less 40 bytes for options that boxes on the way may add."""
    s = tcp(sysctl=CLIENT)
    knows(s, mss=940)
    assert fast_send(s, bytes(5000)) == (900, 0)
    s.tx("S", size=900)


def test_a_cookie_that_nobody_asked_for_is_not_kept(tcp: Tcp) -> None:
    """Linux's tcp_rcv_fastopen_synack."""
    s = tcp(sysctl=CLIENT)
    s.active()
    other = tcp(sysctl=CLIENT)
    other.connect()
    other.tx("S")
    other.rx("SA", mss=1460, options=fo(COOKIE))
    other.tx("A")
    assert other.stack.memory.known == {}


def test_who_ignores_the_option_is_asked_in_the_old_way_next_time(tcp: Tcp) -> None:
    """RFC 7413 §4.1.1: the option had an experimental number before."""
    s = tcp(sysctl=CLIENT)
    fast_send(s, b"")
    assert told(s, s.tx("S").raw) == b""
    s.rx("SA", mss=1460)
    s.tx("A")
    fast_send(s, b"")
    raw = s.tx("S").raw
    assert told(s, raw) is None
    assert b"\xfe\x04" + OLD in raw
    s.rx("SA", mss=1460, options=[(254, OLD + COOKIE)])
    s.tx("A")
    assert fast_send(s, b"GET") == (3, 0)
    assert b"\xfe\x0c" + OLD + COOKIE in s.tx("S", data=b"GET").raw


def test_without_the_sysctl_a_client_has_no_fast_open(tcp: Tcp) -> None:
    """Linux's tcp_fastopen, 1."""
    s = tcp(sysctl={"net.ipv4.tcp_fastopen": 2})
    assert sys(s, "sendto", socket(s), b"GET", MSG_FASTOPEN, (s.peer, 4000)) == (-1, errno.EOPNOTSUPP)
    s.nothing()


def test_fast_open_that_is_swallowed_is_left_alone_for_a_while(tcp: Tcp) -> None:
    """RFC 7413 §7.4: after the third timeout in a row; the pause doubles with every time."""
    s = tcp(sysctl=CLIENT | {"net.ipv4.tcp_fastopen_blackhole_timeout_sec": 100})
    knows(s)
    fast_send(s, b"GET")
    s.wait(3000)
    s.burst()
    assert counts(s) == {"ActiveFail": 1, "Blackhole": 1}
    assert fast_send(s, b"GET") == (-1, errno.EINPROGRESS)
    assert told(s, s.tx("S", size=0).raw) is None
    s.wait(100_000)
    s.burst()
    assert fast_send(s, b"GET") == (3, 0)
    s.tx("S", data=b"GET")


def test_connect_can_wait_for_data(tcp: Tcp) -> None:
    """Linux's TCP_FASTOPEN_CONNECT: with a cookie at hand connect() sends nothing, the first write does."""
    s = tcp(sysctl=CLIENT)
    knows(s)
    fd = socket(s)
    assert sys(s, "setsockopt", fd, 6, 30, (1).to_bytes(4, "little")) == (0, 0)
    assert sys(s, "fcntl", fd, 4, 0o4000) == (0, 0)
    assert sys(s, "connect", fd, (s.peer, 4000)) == (0, 0)
    s.nothing(1000)
    assert sys(s, "write", fd, b"GET") == (3, 0)
    assert told(s, s.tx("S", data=b"GET").raw) == COOKIE


def test_what_is_remembered_is_bounded_and_can_be_forgotten(tcp: Tcp) -> None:
    """RFC 7413 §4.1.3: a cache."""
    s = tcp(sysctl=CLIENT)
    knows(s)
    assert [it.cookie for it in s.stack.memory.known.values()] == [COOKIE]
    s.call("metrics_flush")
    assert fast_send(s, b"GET") == (-1, errno.EINPROGRESS)
    assert told(s, s.tx("S").raw) == b""
