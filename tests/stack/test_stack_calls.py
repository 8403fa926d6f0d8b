# SPDX-License-Identifier: GPL-2.0-or-later
"""The in-process API: what every call does when it goes well, and what it says when it cannot."""

import array
import contextlib
import errno
import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from tcp_script import Script, pattern

from labstack.core.counters import drops, unbalanced
from labstack.core.errors import StackError
from labstack.core.event import Rx, Tx
from labstack.core.frame import Frame
from labstack.stack import arrive
from labstack.stack.stack import OPS
from labstack.tcp.md5 import Key
from labstack.tcp.states import TRANSITIONS
from layers import ICMP, IP


@pytest.fixture
def s() -> Iterator[Script]:
    it = Script()
    yield it
    assert it.faults == []


GOOD: dict[str, list[Any]] = {
    "connect": ["192.0.2.2", 80], "listen": [81], "accept": [1], "send": [2, b"x"], "take": [2, 5], "recv": [2, 5],
    "shutdown": [2, 1], "close": [2], "abort": [2], "udp": [99], "udp_connect": [3, "192.0.2.2", 5],
    "sendto": [3, b"x", "192.0.2.2", 5], "recvfrom": [3], "ping": ["192.0.2.2", b"x"], "setopt": [2, "ttl", 5],
    "sign": [2, (Key(bytes(4), 0, b"secret"),)],
    "readable": [2], "status": [2], "sockets": [], "link_add": ["eth9", "02:00:00:00:00:09"], "link_set": [1, True],
    "addr_add": [1, "10.1.1.1/24"], "addr_del": [1, "192.0.2.1"], "route_add": ["10.0.0.0/8", "192.0.2.2"],
    "route_change": ["192.0.2.0/24", "", 1], "metrics_flush": [], "qdisc_set": [1, "fq"],
    "route_del": ["192.0.2.0/24"], "neigh_add": [1, "10.0.0.1", "02:00:00:00:00:01"],
    "sysctl": ["net.ipv4.tcp_rmem.default"], "sys": ["socket", 2, 1, 0], "sys_result": [1],
}  # fmt: skip
ODD = [None, -1, 0, 70_000, 1 << 40, 1.5, "", "x", "fd00::1", b"", b"ab", bytes(4), [], {}, (), {"a": 1}, object()]


class RefusedError(Exception):
    """A call was refused with an errno and a sentence."""


def said(s: Script, op: str, args: list[Any]) -> None:
    try:
        s.call(op, *args)
    except StackError as error:
        if error.errno in (None, errno.EIO) or len(str(error)) < 20:
            raise
        raise RefusedError from error


def busy() -> Script:
    """Listener 1, connection 2 with 50 bytes to read, UDP socket 3."""
    s = Script(tracing=False).passive()
    s.rx("PA", data=50)
    s.call("udp", 7)
    return s


def test_every_operation_is_tried_here() -> None:
    """A new operation needs a line in GOOD."""
    assert set(GOOD) == set(OPS)


@pytest.mark.parametrize("op", [op for op in GOOD if op not in ("accept", "recvfrom", "neigh_add")])
def test_the_good_call_is_good(op: str) -> None:
    """... so that the bad ones below are bad for one reason."""
    s = busy()
    s.call(op, *GOOD[op])
    s.stack.check()
    assert s.faults == []


@pytest.mark.parametrize("op", GOOD)
def test_odd_arguments_are_refused_or_understood_and_never_break_anything(op: str) -> None:
    """Any wrong call: a StackError with a sentence, nothing contained, nothing left half done."""
    defaults = [p.default for p in list(inspect.signature(OPS[op]).parameters.values())[1:]]
    for at in range(len(defaults)):
        for value in ODD:
            s = busy()
            args = (GOOD[op] + defaults[len(GOOD[op]) :])[: max(at, len(GOOD[op]))]
            args[at : at + 1] = [value]
            s.any_window = True  # a second connection confuses the monitor
            with contextlib.suppress(RefusedError):
                said(s, op, args)
            s.wait(300)
            s.stack.check()
            assert s.faults == [], (op, args)


def test_an_unknown_operation_is_named_and_the_known_ones_listed(s: Script) -> None:
    assert "accept" in str(s.fails(errno.EOPNOTSUPP, "frobnicate", 1))


@pytest.mark.parametrize(
    ("op", "args", "says"),
    [
        ("send", (), "too few"),
        ("send", (2,), "send(sock, data, [flags])"),
        ("send", (2, b"x", 0, 3), "too many"),
        ("send", ("two", b"x"), "sock = 'two': expected int"),
        ("send", (2, "text"), "data = 'text': expected bytes or memoryview"),
        ("recv", (2, -1), "-1 bytes"),
        ("connect", ("192.0.2.300", 80), "not an address"),
        ("connect", ("192.0.2.2", 0), "1..65535"),
        ("connect", ("192.0.2.2", 65_536), "1..65535"),
        ("connect", ("192.0.2.2", 80, -4), "socket number -4"),
        ("connect", ("192.0.2.2", 80, 0, "2001:db8::5"), "one family"),
        ("listen", (0,), "1..65535"),
        ("shutdown", (2, 5), "expected 0"),
    ],
)
def test_a_wrong_call_says_what_was_wrong_and_what_to_write(op: str, args: tuple[Any, ...], says: str) -> None:
    assert says in str(busy().fails(errno.EINVAL, op, *args))


def test_named_arguments_are_checked_like_the_others(s: Script) -> None:
    for named in ({"colour": 1}, {"port": 1}, {"backlog": "5"}):
        with pytest.raises(StackError, match="listen"):
            s.stack.call("listen", 80, **named)
    assert s.stack.call("listen", port=80, backlog=5) == 1


@pytest.mark.parametrize(
    ("op", "args"),
    [
        ("accept", (9,)), ("send", (9, b"x")), ("recv", (9,)), ("take", (9,)), ("shutdown", (9,)), ("close", (9,)),
        ("abort", (9,)), ("udp_connect", (9, "192.0.2.2", 5)), ("sendto", (9, b"x", "192.0.2.2", 5)),
        ("recvfrom", (9,)), ("setopt", (9, "ttl", 5)), ("sign", (9, ())), ("readable", (9,)), ("status", (9,)),
        ("accept", (2,)), ("send", (1, b"x")), ("recv", (3,)), ("sendto", (2, b"x", "192.0.2.2", 5)),
    ],
)  # fmt: skip
def test_what_is_no_such_socket_is_ebadf(op: str, args: tuple[Any, ...]) -> None:
    busy().fails(errno.EBADF, op, *args)


def test_addresses_and_ports_that_are_not_ours_or_taken(s: Script) -> None:
    s.fails(errno.EADDRNOTAVAIL, "listen", 80, "192.0.2.77")
    s.fails(errno.EADDRNOTAVAIL, "udp", 80, "192.0.2.77")
    s.fails(errno.EADDRNOTAVAIL, "connect", "192.0.2.2", 80, 0, "192.0.2.77")
    number = s.call("listen", 80)
    s.call("udp", 80)
    s.fails(errno.EADDRINUSE, "listen", 80)
    s.fails(errno.EADDRINUSE, "udp", 80, "192.0.2.1")
    s.fails(errno.EADDRINUSE, "listen", 90, b"", 5, number)
    assert s.call("listen", 90, b"", 5, 44) == 44
    s.fails(errno.ENETUNREACH, "connect", "203.0.113.1", 80)
    s.fails(errno.ENETUNREACH, "ping", "203.0.113.1")


def test_echo_replies_beyond_what_a_ping_socket_holds_and_those_for_nobody_are_counted_drops(s: Script) -> None:
    sock = s.call("ping", s.peer)
    ident = s.stack.echoes[sock].ident
    for seq in range(arrive.ECHOES + 1):
        s.frame(bytes(IP(src=s.peer, dst=s.us) / ICMP(type=0, id=ident, seq=seq) / b"x"))
    s.frame(bytes(IP(src=s.peer, dst=s.us) / ICMP(type=0, id=ident ^ 1, seq=1) / b"x"))
    assert len(s.stack.echoes[sock].queue) == arrive.ECHOES
    assert drops(s.stack.env.count) == {"drop.ping.full": 1, "drop.ping.closed": 1}
    assert unbalanced(s.stack.env.count) == []


def test_sockets_and_status_tell_what_there_is(s: Script) -> None:
    """RFC 9293 §3.9.1.6: STATUS."""
    s.passive()
    s.call("udp", 7)
    s.call("ping", s.peer)
    s.rx("PA", data=10)
    s.tx("A")
    s.call("send", s.sock, b"four")
    s.tx("PA")
    assert s.call("sockets") == [1, 2, 3, 4]
    rows = [s.call("status", n) for n in (1, 2, 3, 4)]
    assert [(r["proto"], r["state"], r["recv_q"], r["send_q"], r["local"], r["peer"]) for r in rows] == [
        ("tcp", "LISTEN", 0, 128, "*:80", "*:*"),
        ("tcp", "ESTABLISHED", 10, 4, "192.0.2.1:80", "192.0.2.2:4000"),
        ("udp", "UNCONN", 0, 0, "*:7", "*:*"),
        ("icmp", "UNCONN", 0, 0, rows[3]["local"], "*:*"),
    ]
    assert s.call("status", s.call("listen", 81, bytes([192, 0, 2, 1]), 1, 50))["peer"] == "0.0.0.0:*"
    assert rows[1]["state"] in TRANSITIONS
    assert rows[1]["timers"] == {"retransmit": 200.0}


def test_readable_counts_what_a_read_would_find(s: Script) -> None:
    s.listen()
    assert s.call("readable", 1) == 0
    s.rx("S")
    s.tx("SA")
    s.rx("A")
    assert s.call("readable", 1) == 1
    s.accept()
    assert s.call("readable", 2) == 0
    s.rx("PA", data=10)
    assert s.call("readable", 2) == 10
    s.rx("FA")
    s.tx("A")
    assert s.call("readable", 2) == 10
    s.call("recv", 2)
    assert s.call("readable", 2) == -1


def test_recv_before_and_after_the_connection(s: Script) -> None:
    s.connect()
    s.tx("S")
    s.fails(errno.EAGAIN, "recv", s.sock)
    assert s.call("send", s.sock, b"queued until it opens") == 21
    s.nothing()
    s.rx("SA", mss=1460)
    s.tx("PA", data=b"queued until it opens")
    s.fails(errno.EAGAIN, "recv", s.sock)
    s.rx("A")
    s.rx("FA")
    s.tx("A")
    assert s.call("recv", s.sock) == b""
    assert s.call("take", s.sock) == []


def test_what_was_sent_may_change_afterwards_unless_it_is_a_view(s: Script) -> None:
    """send keeps bytes; a bytearray is copied."""
    s.passive(win=0)
    data = bytearray(b"hello")
    s.call("send", s.sock, data)
    data[:] = b"XXXXX"
    s.rx("A", win=100)
    s.tx("PA", data=b"hello")


def test_views_of_other_things_than_bytes_are_sent_as_their_bytes(s: Script) -> None:
    s.passive()
    words = array.array("I", [1, 2, 3])
    assert s.call("send", s.sock, memoryview(words)) == 12
    s.tx("PA", data=words.tobytes())
    s.rx("A")
    assert s.call("send", s.sock, memoryview(b"a-b-c-")[::2]) == 3
    s.tx("PA", data=b"abc")


def test_take_gives_the_pieces_that_arrived(s: Script) -> None:
    s.passive()
    s.rx("A", data=1460)
    s.rx("A", data=1460)
    s.tx("A")
    pieces = s.call("take", s.sock, 2000)
    assert [len(p) for p in pieces] == [1460, 540]
    assert b"".join(pieces) == pattern(1, 2000)


def test_sysctls_are_read_set_and_refused(s: Script) -> None:
    assert s.call("sysctl", "net.ipv4.tcp_fin_timeout") == 60
    assert s.call("sysctl", "net.ipv4.tcp_fin_timeout", 5) == 5
    s.fails(errno.EINVAL, "sysctl", "net.ipv4.tcp_fin_timeout", 0)
    s.fails(errno.EINVAL, "sysctl", "net.ipv4.nothing")
    assert s.call("sysctl", "net.ipv4.tcp_rmem", "4096 9000 70000") == "4096 9000 70000"
    assert s.call("sysctl", "net.ipv4.tcp_rmem.default") == 9000
    s.passive()
    s.call("close", s.sock)
    s.tx("FA")
    s.rx("A")
    s.nothing(5000)  # in FIN-WAIT-2
    s.gone()


def test_answers_to_a_link_local_peer_leave_by_its_link() -> None:
    """RFC 4007 §6: such an address means nothing on another link."""
    s = Script(family=6)
    s.stack.call("link_add", "tun1", b"")
    for dev in (1, 2):
        s.stack.call("addr_add", dev, "fe80::1/64", False)
    s.us, s.peer = "fe80::1", "fe80::2"
    s.listen()
    for dport, dev in ((80, 2), (80, 1), (81, 2), (81, 1)):
        s.stack.handle(Rx(dev, Frame(s.packet("S", 0, sport=5000 + dev, dport=dport), net=0)), 0)
        sent = [a for a in s.stack.drain(0) if isinstance(a, Tx)]
        assert [a.dev for a in sent] == [dev]
