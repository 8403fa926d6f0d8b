# SPDX-License-Identifier: GPL-2.0-or-later
"""ICMP errors about our segments: who believes what (RFC 9293 §3.9.2.2, RFC 5927)."""

import errno
from collections.abc import Callable

import pytest
from tcp_script import Script

from labstack.core.event import CLOSED, FAILED, Wake

Tcp = Callable[..., Script]
HARD = [(3, 2, errno.ENOPROTOOPT), (3, 3, errno.ECONNREFUSED), (3, 10, errno.EHOSTUNREACH)]
SOFT = [
    (3, 0, errno.ENETUNREACH),
    (3, 1, errno.EHOSTUNREACH),
    (3, 5, errno.EOPNOTSUPP),
    (11, 0, errno.EHOSTUNREACH),
    (12, 0, errno.EPROTO),
]


@pytest.mark.parametrize(("kind", "code", "error"), HARD)
def test_a_hard_error_ends_an_opening(tcp: Tcp, kind: int, code: int, error: int) -> None:
    """RFC 9293 §3.9.2.2, SHLD-26; MUST-54."""
    s = tcp()
    s.connect()
    s.icmp(kind, code, s.tx("S").raw[:28])
    assert s.wakes == [Wake(s.sock, CLOSED | FAILED)]
    s.fails(error, "recv", s.sock)


@pytest.mark.parametrize(("kind", "code", "error"), SOFT)
def test_a_soft_error_does_not_end_an_opening_but_explains_its_end(tcp: Tcp, kind: int, code: int, error: int) -> None:
    """RFC 9293 §3.9.2.2, MUST-56, SHLD-25."""
    s = tcp()
    s.connect()
    s.icmp(kind, code, s.tx("S").raw[:28])
    s.state("SYN_SENT")
    assert s.call("status", s.sock)["soft_error"] == error
    s.wait(200_000)
    s.burst()
    s.fails(error, "recv", s.sock)


@pytest.mark.parametrize(("kind", "code", "error"), HARD + SOFT)
def test_no_error_ends_a_synchronized_connection(tcp: Tcp, kind: int, code: int, error: int) -> None:
    """RFC 5927 §5."""
    s = tcp().passive()
    s.call("send", s.sock, b"x")
    s.icmp(kind, code, s.tx().raw[:28])
    s.state("ESTABLISHED")
    s.rx("A")
    s.nothing(1000)


@pytest.mark.parametrize("seq", [-1, 1, 5, 1 << 20, 1 << 31])
def test_an_error_about_something_not_in_flight_is_ignored(tcp: Tcp, seq: int) -> None:
    """RFC 5927 §4: SND.UNA =< SEG.SEQ < SND.NXT."""
    s = tcp()
    s.connect()
    raw = bytearray(s.tx("S").raw[:28])
    raw[24:28] = (((s.iss or 0) + seq) & 0xFFFFFFFF).to_bytes(4, "big")
    s.icmp(3, 3, bytes(raw))
    s.state("SYN_SENT")
    assert s.count("TcpExtOutOfWindowIcmps") == 1


def test_source_quench_is_ignored(tcp: Tcp) -> None:
    """RFC 9293 §3.9.2.2, MUST-55; RFC 6633."""
    s = tcp().passive()
    s.call("send", s.sock, bytes(1460))
    before = s.conn.clone()
    s.icmp(4, 0, s.tx().raw[:28])
    assert s.conn.snd.cc == before.snd.cc
    assert s.conn.soft == 0


def test_an_error_about_another_connection_changes_nothing(tcp: Tcp) -> None:
    """RFC 9293 MUST-54: exactly the connection that is quoted."""
    s = tcp()
    s.connect()
    raw = bytearray(s.tx("S").raw[:28])
    raw[22:24] = (4001).to_bytes(2, "big")
    s.icmp(3, 3, bytes(raw))
    s.state("SYN_SENT")
    assert s.conn.soft == 0


@pytest.mark.parametrize(("code", "after"), [(0, 200), (1, 200), (3, 500)])
def test_a_router_without_a_way_takes_a_doubled_timeout_back(tcp: Tcp, code: int, after: int) -> None:
    """RFC 6069 §4: net and host unreachable, about the oldest segment; tcp_ld_RTO_revert."""
    s = tcp()
    s.listen()
    s.rx("S", mss=1460)
    s.tx("SA")
    s.wait(100)
    s.rx("A")
    s.accept()
    s.call("send", s.sock, b"x")
    s.tx("PA")
    raw = s.tx("PA", after=300).raw
    s.wait(100)
    s.icmp(3, code, raw[:28])
    s.tx("PA", after=after)
    assert s.conn.snd.rtt.backoff == (1 if after == 200 else 2)


def test_a_timeout_that_would_have_come_already_comes_at_once(tcp: Tcp) -> None:
    """RFC 6069 §4.2."""
    s = tcp().passive()
    s.call("send", s.sock, b"x")
    s.tx("PA")
    raw = s.soon().raw
    s.wait(300)
    s.icmp(3, 1, raw[:28])
    s.tx("PA")
    s.rx("A")
