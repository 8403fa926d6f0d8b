# SPDX-License-Identifier: GPL-2.0-or-later
"""Keep-alives (RFC 9293 §3.8.4), as Linux has them."""

import errno
from collections.abc import Callable

import pytest
from tcp_script import Script

Tcp = Callable[..., Script]
HOUR = 3_600_000  # ms


def start(s: Script, **more: int) -> Script:
    return s.passive(keepalive=1, keep_idle=10, keep_interval=3, keep_count=2, **more)


def test_off_unless_asked_for(tcp: Tcp) -> None:
    """MUST-25."""
    s = tcp().passive()
    s.nothing(3 * HOUR)
    s.state("ESTABLISHED")


def test_two_hours_of_silence_by_default(tcp: Tcp) -> None:
    """MUST-27, MUST-28; the sysctl can be changed, and each connection have its own."""
    s = tcp().passive(keepalive=1)
    s.nothing(2 * HOUR - 1)
    s.wait(1)
    s.tx("A", seq=0, ack=1, size=0)
    s = tcp(sysctl={"net.ipv4.tcp_keepalive_time": 5}).passive(keepalive=1)
    s.tx("A", after=5000, seq=0)


def test_a_probe_is_an_old_empty_ack_and_its_answer_proves_life(tcp: Tcp) -> None:
    """SHLD-12, MUST-26, MUST-29."""
    s = start(tcp())
    s.tx("A", after=10_000, seq=0, ack=1, size=0)
    assert s.count("TcpExtTCPKeepAlive") == 1
    s.wait(1000)
    s.rx("A")
    s.tx("A", after=10_000, seq=0)
    s.state("ESTABLISHED")
    s.tx("A", after=3000, seq=0)
    s.rx("A")
    s.nothing(9999)


def test_anything_that_arrives_is_life(tcp: Tcp) -> None:
    """MUST-26: the idle time begins with the last that came."""
    s = start(tcp())
    s.wait(6000)
    s.rx("PA", data=5)
    s.burst()
    s.nothing(9960)
    s.wait(40)
    s.tx("A", seq=0)


def test_probes_without_an_answer_end_the_connection_with_a_reset(tcp: Tcp) -> None:
    """MUST-29: not a single one; Linux: after tcp_keepalive_probes."""
    s = start(tcp())
    s.tx("A", after=10_000, seq=0)
    s.tx("A", after=3000, seq=0)
    s.tx("RA", after=3000, seq=1)
    s.state("CLOSED")
    s.fails(errno.ETIMEDOUT, "recv", s.sock)
    assert s.noted("9293/3.8.4/probe") in (0, 2)


def test_retransmissions_come_first(tcp: Tcp) -> None:
    """Linux: what is in flight finds out by itself."""
    s = start(tcp())
    s.wait(9000)
    s.call("send", s.sock, b"x")
    s.tx("PA")
    s.tx(after=200)
    s.rx("A", ack=2)
    s.nothing(9999)
    s.wait(1)
    s.tx("A", seq=1)


def test_the_user_timeout_counts_instead_of_probes(tcp: Tcp) -> None:
    """Linux's TCP_USER_TIMEOUT; RFC 5482 §4.2."""
    s = start(tcp(), user_timeout=20_000)
    for after in (10_000, 3000, 3000, 3000):
        s.tx("A", after=after, seq=0)
    s.tx("RA", after=3000)
    s.fails(errno.ETIMEDOUT, "recv", s.sock)


def test_it_can_be_switched_on_and_off_while_connected(tcp: Tcp) -> None:
    """MUST-24."""
    s = tcp().passive(keep_idle=10)
    s.wait(4000)
    s.call("setopt", s.sock, "keepalive", 1)
    s.tx("A", after=6000, seq=0)
    s.rx("A")
    s.call("setopt", s.sock, "keepalive", 0)
    s.nothing(HOUR)
    s.call("setopt", s.sock, "keepalive", 1)
    s.tx("A", after=0, seq=0)


@pytest.mark.parametrize("how", ["active", "listener"])
def test_before_the_connection_is_open_there_is_nothing_to_keep(tcp: Tcp, how: str) -> None:
    s = tcp()
    if how == "active":
        s.connect(keepalive=1, keep_idle=1)
        s.tx("S")
        s.rx("SA", mss=1460)
        s.tx("A")
    else:
        s.passive(keepalive=1, keep_idle=1)
    s.tx("A", after=1000, seq=0)
