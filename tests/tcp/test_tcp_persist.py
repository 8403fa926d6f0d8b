# SPDX-License-Identifier: GPL-2.0-or-later
"""Window probes: when, how often and how (RFC 9293 §3.8.6.1); what they look like test_tcp_sender has, too."""

from collections.abc import Callable

from tcp_script import Script

from labstack.core import kinds

Tcp = Callable[..., Script]


def probing(s: Script) -> bool:
    """Does the persist timer run?"""
    return (kinds.TCP_PERSIST, s.sock) in s.stack.env.timers.at


def test_a_probe_is_an_ack_of_the_number_before_what_is_acknowledged(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.4, first: it is outside every window, so every receiver must answer it (Linux)."""
    s = tcp().passive(win=0)
    s.call("send", s.sock, b"abc")
    s.tx("A", after=200, seq=0, ack=1, size=0)
    assert s.conn.snd.nxt == s.conn.snd.una
    assert (s.count("TcpExtTCPWinProbe"), s.count("TcpRetransSegs"), s.count("TcpExtTCPTimeouts")) == (1, 0, 0)


def test_the_time_between_probes_doubles_up_to_tcp_rto_max(tcp: Tcp) -> None:
    """RFC 9293 §3.8.6.1, SHLD-29, SHLD-30."""
    s = tcp(sysctl={"net.ipv4.tcp_rto_max_ms": 1000}).passive(win=0)
    s.call("send", s.sock, b"abc")
    for after in (200, 400, 800, 1000, 1000):
        s.tx("A", after=after, seq=0)
        s.rx("A", ack=1, win=0)


def test_the_first_probe_comes_after_an_rto(tcp: Tcp) -> None:
    """RFC 9293 §3.8.6.1, SHLD-29: of this path."""
    s = tcp()
    s.listen()
    s.rx("S", win=0, mss=1460)
    s.tx("SA")
    s.wait(100)
    s.rx("A", win=0)
    s.accept()
    s.call("send", s.sock, b"abc")
    s.tx("A", after=300, seq=0)


def test_nothing_to_send_is_nothing_to_probe_for(tcp: Tcp) -> None:
    """RFC 9293 §3.8.6.1."""
    s = tcp().passive(win=0)
    assert not probing(s)
    s.nothing(500_000)


def test_what_is_in_flight_has_the_retransmission_timer(tcp: Tcp) -> None:
    """RFC 9293 §3.8.6.1: one of the two runs, not both."""
    s = tcp().passive(win=1000, mss=1000)
    s.call("send", s.sock, bytes(3000))
    s.burst()
    assert not probing(s)
    s.rx("A", win=0)
    assert probing(s)
    assert (kinds.TCP_RETRANSMIT, s.sock) not in s.stack.env.timers.at


def test_a_window_that_opens_ends_it(tcp: Tcp) -> None:
    """RFC 9293 §3.8.6.1; and the next time it begins with the RTO again."""
    s = tcp().passive(win=0)
    s.call("send", s.sock, b"abcdef")
    s.tx("A", after=200)
    s.tx("A", after=400)
    s.rx("A", ack=1, win=3)
    s.tx(seq=1, data=b"abc")
    assert not probing(s)
    s.rx("A", ack=4, win=0)
    s.tx("A", after=200, seq=3)


def test_an_answer_puts_the_next_probe_off(tcp: Tcp) -> None:
    """Linux's tcp_ack_probe: the time runs from the answer."""
    s = tcp().passive(win=0)
    s.call("send", s.sock, b"abc")
    s.tx("A", after=200)
    s.wait(150)
    s.rx("A", ack=1, win=0)
    s.tx("A", after=400)


def test_the_user_timeout_is_the_patience_with_a_closed_window(tcp: Tcp) -> None:
    """RFC 5482; Linux's tcp_probe_timer: from the first probe, whatever the peer answers."""
    s = tcp().passive(win=0)
    s.call("setopt", s.sock, "user_timeout", 1000)
    s.call("send", s.sock, b"abc")
    for after in (200, 400):
        s.tx("A", after=after)
        s.rx("A", ack=1, win=0)
    s.wait(599)
    s.state("ESTABLISHED")
    s.wait(1)
    s.state("CLOSED")
    assert s.count("TcpExtTCPAbortOnTimeout") == 1


def test_patience_counts_from_the_first_probe_not_from_earlier_trouble(tcp: Tcp) -> None:
    """RFC 5482; Linux's tcp_clamp_probe0_to_user_timeout: before a probe nothing has been waited for yet."""
    s = tcp().passive()
    s.call("setopt", s.sock, "user_timeout", 1000)
    s.wait(60_000)
    s.rx("A", win=0)
    s.call("send", s.sock, b"abc")
    s.rx("A", win=0)
    s.tx("A", after=200)


def test_an_answer_of_any_kind_counts(tcp: Tcp) -> None:
    """RFC 9293 §3.8.6.1, MUST-37: as long as the peer acknowledges probes the connection stays open."""
    s = tcp(sysctl={"net.ipv4.tcp_retries2": 3}).passive(win=0)
    s.call("send", s.sock, b"abc")
    for _ in range(3):
        s.soon()
    s.rx("A", ack=1, win=0)
    assert s.conn.snd.unanswered == 0
    for _ in range(3):
        s.soon()
    s.state("ESTABLISHED")
    s.wait(120_000)
    s.state("CLOSED")
