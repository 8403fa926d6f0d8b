# SPDX-License-Identifier: GPL-2.0-or-later
"""Closing: both ways, half, at the same time; resets; TIME-WAIT; what is left when all is over: nothing."""

import errno
from collections.abc import Callable

import pytest
from tcp_script import Script, pattern

from labstack.core.counters import drops
from labstack.core.event import CLOSED, FAILED, READABLE, Wake

Tcp = Callable[..., Script]
BOTH = pytest.mark.parametrize("family", [4, 6])


@BOTH
def test_active_close_passes_through_fin_wait_and_time_wait(tcp: Tcp, family: int) -> None:
    """RFC 9293 §3.6, figure 12; MUST-13; tcp_fin_timeout."""
    s = tcp(family=family).passive()
    s.call("close", s.sock)
    s.tx("FA", seq=1, ack=1)
    s.state("FIN_WAIT_1")
    s.rx("A")
    s.state("FIN_WAIT_2")
    s.rx("FA")
    s.tx("A", seq=2, ack=2)
    s.state("TIME_WAIT")
    s.wait(59_999)
    s.state("TIME_WAIT")
    s.nothing(1)
    s.gone()
    assert s.stack.env.timers.at == {}
    assert s.stack.lingering == {}


@BOTH
def test_passive_close_passes_through_close_wait_and_last_ack(tcp: Tcp, family: int) -> None:
    """RFC 9293 §3.6, figure 12."""
    s = tcp(family=family).passive()
    s.wakes.clear()
    s.rx("FA")
    s.tx("A", seq=1, ack=2)
    s.state("CLOSE_WAIT")
    assert s.wakes == [Wake(s.sock, READABLE)]
    assert s.call("recv", s.sock) == b""
    s.call("close", s.sock)
    s.tx("FA", seq=1, ack=2)
    s.state("LAST_ACK")
    s.rx("A")
    s.gone()
    assert s.stack.env.timers.at == {}


def test_simultaneous_close(tcp: Tcp) -> None:
    """RFC 9293 §3.6, figure 13."""
    s = tcp().passive()
    s.call("close", s.sock)
    s.tx("FA", seq=1, ack=1)
    s.rx("FA", ack=1)
    s.tx("A", seq=2, ack=2)
    s.state("CLOSING")
    s.rx("A", ack=2)
    s.state("TIME_WAIT")
    s.nothing(60_000)
    s.gone()


def test_half_close_lets_the_peer_go_on(tcp: Tcp) -> None:
    """RFC 9293 §3.6: a connection may be half closed for as long as they like."""
    s = tcp().passive()
    s.call("send", s.sock, b"question")
    s.call("shutdown", s.sock, 1)
    assert [seg.flags for seg in s.burst()] == ["PA", "FA"]
    s.rx("A")
    s.fails(errno.EPIPE, "send", s.sock, b"more")
    s.wait(300_000)
    s.state("FIN_WAIT_2")
    s.rx("PA", data=pattern(0, 1000))
    assert s.call("recv", s.sock) == pattern(0, 1000)
    s.tx("A")
    s.rx("FA")
    s.tx("A")
    assert s.call("recv", s.sock) == b""
    s.call("close", s.sock)
    s.nothing(60_000)
    s.gone()


def test_data_sent_after_the_peers_fin_still_goes_out(tcp: Tcp) -> None:
    """RFC 9293 §3.6, case 2."""
    s = tcp().passive()
    s.rx("FA")
    s.tx("A")
    s.call("send", s.sock, b"the answer")
    s.call("close", s.sock)
    s.tx("PA", data=b"the answer")
    s.tx("FA")
    s.rx("A")
    s.gone()


def test_queued_data_goes_out_before_the_fin(tcp: Tcp) -> None:
    """RFC 9293 §3.10.4: queue the FIN until all preceding SENDs have been segmentized."""
    s = tcp().passive(win=2000, mss=1000)
    s.call("send", s.sock, pattern(0, 2500))
    s.call("close", s.sock)
    s.tx("A", seq=1, size=1000)
    s.tx(seq=1001, size=1000)
    s.rx("A", win=1000)
    s.tx("FPA", seq=2001, data=pattern(2000, 500))
    s.rx("A")
    s.state("FIN_WAIT_2")


def test_the_fin_is_retransmitted_alone_or_with_its_data(tcp: Tcp) -> None:
    """RFC 9293 §3.8.1."""
    s = tcp().passive()
    s.call("send", s.sock, b"data")
    s.tx("PA")
    s.call("close", s.sock)
    s.tx("FA", seq=5)
    s.tx("FPA", after=200, seq=1, data=b"data")
    s.rx("A", ack=5)
    s.tx("FPA", seq=5, size=0, after=400)  # what is left of the joined segment, as on Linux
    s.rx("A", ack=6)
    s.state("FIN_WAIT_2")


def test_close_with_unread_data_resets(tcp: Tcp) -> None:
    """RFC 9293 §3.6.1, SHLD-3: the peer must learn that data was lost."""
    s = tcp().passive()
    s.rx("PA", data=b"unread")
    s.tx("A")
    s.call("close", s.sock)
    s.tx("RA", seq=1, ack=7)
    s.gone()
    assert s.count("TcpExtTCPAbortOnClose") == 1


@pytest.mark.parametrize("after", ["FIN_WAIT_1", "FIN_WAIT_2"])
def test_data_that_arrives_after_close_resets(tcp: Tcp, after: str) -> None:
    """RFC 9293 §3.6.1, SHLD-3."""
    s = tcp().passive()
    s.call("close", s.sock)
    s.tx("FA")
    if after == "FIN_WAIT_2":
        s.rx("A")
    s.rx("PA", data=b"too late")
    s.tx("R", seq=2)
    s.gone()
    assert s.count("TcpExtTCPAbortOnData") == 1


def test_abort_resets_and_lets_go(tcp: Tcp) -> None:
    """RFC 9293 §3.10.5."""
    s = tcp().passive()
    s.call("send", s.sock, pattern(0, 100))
    s.tx("PA")
    s.call("abort", s.sock)
    s.tx("RA", seq=101, ack=1)
    s.gone()
    s.fails(errno.EBADF, "recv", s.sock)


def test_abort_of_a_dead_connection_forgets_it(tcp: Tcp) -> None:
    """Nothing is sent, nothing is left."""
    s = tcp().passive()
    s.rx("R")
    s.call("abort", s.sock)
    s.gone()


def test_the_rst_after_a_window_probe_is_one_that_the_peer_believes(tcp: Tcp) -> None:
    """RFC 5961 §3.2: exactly the peer's RCV.NXT."""
    s = tcp().passive(win=0)
    s.call("send", s.sock, b"abc")
    s.tx("A", after=200, seq=0, size=0)
    s.rx("A", ack=1, win=0)
    s.call("abort", s.sock)
    s.tx("RA", seq=1)


def test_close_in_syn_sent_forgets_the_connection(tcp: Tcp) -> None:
    """RFC 9293 §3.10.4, SYN-SENT."""
    s = tcp()
    s.connect()
    s.tx("S")
    s.call("close", s.sock)
    s.gone()
    s.rx("SA", seq=0, ack=1)
    s.tx("R", seq=1)


def test_close_in_syn_received_sends_the_fin_at_once(tcp: Tcp) -> None:
    """RFC 9293 §3.10.4, SYN-RECEIVED: if nothing was sent and nothing waits."""
    s = tcp()
    s.connect()
    s.tx("S")
    s.rx("S")
    s.tx("SA")
    s.call("close", s.sock)
    s.state("FIN_WAIT_1")
    s.tx("FA", seq=1, size=0)
    s.rx("A", ack=2)
    s.state("FIN_WAIT_2")


def test_close_in_syn_received_finishes_the_handshake_before_what_waits(tcp: Tcp) -> None:
    """RFC 9293 §3.10.4, SYN-RECEIVED: otherwise queued until ESTABLISHED."""
    s = tcp()
    s.connect()
    s.tx("S")
    s.rx("S")
    s.tx("SA")
    s.call("send", s.sock, b"x")
    s.call("close", s.sock)
    s.state("FIN_WAIT_1")
    s.nothing()
    s.rx("A", ack=1)
    s.tx("FPA", seq=1, data=b"x")
    s.rx("A", ack=3)
    s.state("FIN_WAIT_2")


def test_text_that_was_read_before_close_may_come_again_with_the_fin(tcp: Tcp) -> None:
    """RFC 9293 §3.6.1, SHLD-3: only text that nobody has had is answered with a reset, as Linux does."""
    s = tcp().passive()
    s.rx("PA", data=b"bye")
    s.tx("A", ack=4)
    s.call("recv", s.sock)
    s.call("close", s.sock)
    s.tx("FA", seq=1)
    s.rx("FPA", seq=1, ack=2, data=b"bye")  # our ACK was lost, and the FIN goes with what is sent again
    s.tx("A", seq=2, ack=5)
    s.state("TIME_WAIT")


def test_abort_in_last_ack_has_nothing_to_reset(tcp: Tcp) -> None:
    """RFC 9293 §3.10.5: in CLOSING and LAST-ACK the connection is deleted without a RST."""
    s = tcp().passive()
    s.rx("FA")
    s.tx("A")
    s.call("shutdown", s.sock, 1)
    s.tx("FA")
    s.call("abort", s.sock)
    s.nothing()
    s.gone()
    assert s.count("TcpOutRsts") == 0


def test_abort_in_last_ack_resets_what_was_not_sent(tcp: Tcp) -> None:
    """Linux's tcp_disconnect: the peer would wait for the rest."""
    s = tcp().passive(win=10)
    s.rx("FA", win=10)
    s.tx("A")
    s.call("send", s.sock, b"more than ten bytes")
    s.burst()
    s.call("shutdown", s.sock, 1)
    s.call("abort", s.sock)
    s.tx("RA", seq=11)


@pytest.mark.parametrize("op", ["abort", "rst", "timeout"])
def test_every_abrupt_end_of_an_open_connection_is_counted(tcp: Tcp, op: str) -> None:
    """RFC 4022, tcpEstabResets: from ESTABLISHED or CLOSE-WAIT straight to CLOSED, whoever wanted it."""
    s = tcp(sysctl={"net.ipv4.tcp_retries2": 1}).passive()
    if op == "rst":
        s.rx("R")
    elif op == "abort":
        s.call("abort", s.sock)
    else:
        s.call("send", s.sock, b"x")
        s.wait(60_000)
    s.burst()
    assert s.count("TcpEstabResets") == 1


def test_an_orderly_end_is_no_reset(tcp: Tcp) -> None:
    """RFC 4022, tcpEstabResets."""
    linger(s := tcp())
    s.wait(60_000)
    s.gone()
    assert s.count("TcpEstabResets") == 0


def test_a_reset_tells_the_application_after_what_it_can_still_read(tcp: Tcp) -> None:
    """RFC 9293 MUST-12."""
    s = tcp().passive()
    s.rx("PA", data=b"last words")
    s.tx("A")
    s.wakes.clear()
    s.rx("R")
    assert s.wakes == [Wake(s.sock, CLOSED | FAILED)]
    s.fails(errno.ECONNRESET, "send", s.sock, b"x")
    assert s.call("recv", s.sock) == b"last words"
    s.fails(errno.ECONNRESET, "recv", s.sock)
    assert s.count("TcpEstabResets") == 1
    s.call("close", s.sock)
    s.gone()


def test_a_closed_socket_is_no_socket(tcp: Tcp) -> None:
    """Linux: EBADF, though the connection still lingers."""
    s = tcp().passive()
    s.call("close", s.sock)
    s.tx("FA")
    for op, *args in (("recv",), ("send", b"x"), ("shutdown", 1), ("close",), ("abort",), ("setopt", "ttl", 5)):
        s.fails(errno.EBADF, op, s.sock, *args)
    s.state("FIN_WAIT_1")


# ---- TIME-WAIT and FIN-WAIT-2 ---------------------------------------------------------------------------------------


def linger(s: Script) -> Script:
    s.passive()
    s.call("close", s.sock)
    s.tx("FA")
    s.rx("FA")
    s.tx("A")
    s.state("TIME_WAIT")
    return s


def test_the_fin_again_restarts_time_wait(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.4, eighth."""
    s = linger(tcp())
    s.wait(50_000)
    s.rx("FA", seq=1)
    s.tx("A", ack=2)
    s.wait(59_999)
    s.state("TIME_WAIT")
    s.wait(1)
    s.gone()


def test_old_text_in_time_wait_is_acknowledged_and_does_not_restart_it(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.4, first."""
    s = linger(tcp())
    s.wait(50_000)
    s.rx("PA", seq=-10, data=5)
    s.tx("A", ack=2)
    s.nothing(10_000)
    s.gone()


def test_a_rst_ends_time_wait(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.4, second; Linux with tcp_rfc1337 = 0."""
    s = linger(tcp())
    s.rx("R")
    s.gone()


def test_a_new_syn_reopens_with_a_greater_isn(tcp: Tcp) -> None:
    """RFC 9293 §3.6.1, MAY-2 (1), (2)."""
    s = linger(tcp())
    old = s.iss
    assert old is not None
    s.rx("S", seq=5000)
    s.tx("SA", ack=5001)
    s.gone()
    assert s.iss is not None
    assert 0 < (s.iss - old) % (1 << 32) < 1 << 31
    assert s.noted("9293/3.6.1/reopen") == (1 if s.stack.env.tracing else 0)
    s.rx("A", seq=5001, ack=1)
    s.accept()
    s.state("ESTABLISHED")


def test_a_reopened_connection_never_reuses_sequence_numbers(tcp: Tcp) -> None:
    """RFC 9293 §3.6.1, MAY-2 (1): larger than the largest used, also when the old one was faster than the clock."""
    s = tcp().passive()
    s.conn.snd.una = s.conn.snd.nxt = s.conn.snd.iss + 300_000_000  # as if it had sent so much
    s.conn.snd.out.start = s.conn.snd.out.end = s.conn.snd.nxt
    old = s.iss or 0
    s.any_window = True
    s.call("close", s.sock)
    s.burst()
    s.rx("FA", ack=300_000_001)
    s.burst()
    s.state("TIME_WAIT")
    s.rx("S", seq=5000)
    s.tx("SA", ack=5001)
    assert s.iss is not None
    assert 300_000_000 < (s.iss - old) % (1 << 32) < 1 << 31


def test_an_old_syn_in_time_wait_is_challenged(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.4, fourth."""
    s = linger(tcp())
    s.rx("S", seq=-5)
    s.tx("A", seq=2, ack=2)
    s.state("TIME_WAIT")


def test_a_new_syn_reopens_although_the_application_still_holds_the_old_socket(tcp: Tcp) -> None:
    """The old socket stays what it is: closed, and its owner's."""
    s = tcp().passive()
    s.call("shutdown", s.sock, 1)
    s.tx("FA")
    s.rx("FA")
    s.tx("A")
    s.state("TIME_WAIT")
    s.rx("S", seq=5000)
    s.tx("SA", ack=5001)
    assert s.call("recv", s.sock) == b""
    s.state("CLOSED")
    s.call("close", s.sock)
    s.gone()
    s.rx("A", seq=5001, ack=1)
    s.accept()


def test_fin_wait_2_without_an_owner_ends(tcp: Tcp) -> None:
    """tcp_fin_timeout; hostile-inputs row 29."""
    s = tcp().passive()
    s.call("close", s.sock)
    s.tx("FA")
    s.wait(100)
    s.rx("A")
    s.wait(59_999)
    s.state("FIN_WAIT_2")
    s.nothing(1)
    s.gone()


def test_fin_wait_2_with_an_owner_stays(tcp: Tcp) -> None:
    """RFC 9293 §3.6: it may wait for ever; closing it starts the clock."""
    s = tcp().passive()
    s.call("shutdown", s.sock, 1)
    s.tx("FA")
    s.rx("A")
    s.wait(500_000)
    s.state("FIN_WAIT_2")
    s.call("close", s.sock)
    s.nothing(60_000)
    s.gone()


@pytest.mark.parametrize("state", ["TIME_WAIT", "FIN_WAIT_2"])
def test_who_only_waits_is_bounded_and_the_oldest_goes_first(tcp: Tcp, state: str) -> None:
    """tcp_max_tw_buckets; hostile-inputs row 29: with a FIN of the peer's, and from one who never sends it."""
    s = tcp(sysctl={"net.ipv4.tcp_max_tw_buckets": 2})
    s.listen()
    socks = []
    for port in (1, 2, 3):
        s.sport, s.pseq, s.pack, s.iss = port, 0, 0, None
        s.rx("S")
        s.tx("SA")
        s.rx("A", ack=1)
        socks.append(s.accept())
        s.call("close", s.sock)
        s.tx("FA")
        s.rx("FA" if state == "TIME_WAIT" else "A", ack=2)
        s.burst()
    s.gone(socks[0])
    s.state(state, socks[1])
    s.state(state, socks[2])
    assert s.count("TcpExtTCPTimeWaitOverflow") == 1
    s.wait(60_000)
    assert s.stack.lingering == {}


def test_a_quiet_end_counts_exactly_this(tcp: Tcp) -> None:
    """The whole record: it proves what did not happen, too."""
    s = tcp().passive()
    s.rx("PA", data=b"ping")
    s.tx("A")
    s.call("recv", s.sock)
    s.call("send", s.sock, b"pong")
    s.tx("PA")
    s.rx("FA")
    s.call("close", s.sock)
    s.tx("FA")
    s.rx("A")
    s.gone()
    assert drops(s.stack.env.count) == {}
    assert {k: v for k, v in s.stack.env.count.items() if v and k.startswith("Tcp")} == {
        "TcpInSegs": 5, "TcpInDelivers": 5, "TcpOutSegs": 4, "TcpPassiveOpens": 1,
        "TcpExtTCPOrigDataSent": 2, "TcpExtTCPDelivered": 2,
    }  # fmt: skip
