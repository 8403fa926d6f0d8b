# SPDX-License-Identifier: GPL-2.0-or-later
"""The retransmission timer: RFC 6298, and the limits R1 and R2 of RFC 9293 §3.8.3."""

import errno
from collections.abc import Callable

import pytest
from tcp_script import Script

from labstack.core.config import MS, Config
from labstack.core.env import Env
from labstack.core.event import CLOSED, FAILED, Tick, Wake
from labstack.core.rng import Rng
from labstack.tcp import rtt

Tcp = Callable[..., Script]


def samples(it: rtt.Rtt, *milliseconds: int, env: Env | None = None) -> None:
    """Round trips, each with an acknowledgment of its own: a round of the estimator, too."""
    for r in milliseconds:
        rtt.sample(env or Env(Rng(1)), it, r * MS, r * MS, una=it.round + 1, nxt=it.round + 2, delayed=False)


def test_first_and_later_samples_as_in_the_formulas() -> None:
    """RFC 6298 (2.2), (2.3): RTTVAR before SRTT, alpha 1/8, beta 1/4, K 4 (the field is K times the RFC's RTTVAR)."""
    it = rtt.Rtt()
    samples(it, 800)
    assert (it.srtt, it.rttvar, it.rto) == (800 * MS, 4 * 400 * MS, 2400 * MS)
    samples(it, 400)
    assert (it.srtt, it.rttvar, it.rto) == (750 * MS, 4 * 400 * MS, 750 * MS + 4 * 400 * MS)
    samples(it, 1550)
    assert (it.srtt, it.rttvar, it.rto) == (850 * MS, 4 * 500 * MS, 850 * MS + 4 * 500 * MS)


def test_the_variance_term_is_at_least_tcp_rto_min() -> None:
    """RFC 6298 (2.4) asks for an RTO of 1 s at least; Linux's 200 ms are for the term that is added to SRTT."""
    it = rtt.Rtt()
    samples(it, 800, *[100] * 200)
    assert abs(it.srtt - 100 * MS) < MS
    assert 0 <= it.rttvar - 200 * MS < 4  # ns; what whole numbers leave
    assert it.rto == it.srtt // 1000 * 1000 + it.rttvar


def test_the_variance_term_rises_at_once_and_falls_once_a_round_trip() -> None:
    """Linux's tcp_rtt_estimator, where RFC 6298 (2.3) would forget within a round trip of many acknowledgments."""
    env, it = Env(Rng(1)), rtt.Rtt()
    samples(it, *[100] * 100)
    assert it.rttvar == 200 * MS
    rtt.sample(env, it, 500 * MS, 500 * MS, it.round - 1, it.round, delayed=False)
    high = it.rttvar
    assert high == it.deviation > 400 * MS
    for _ in range(20):  # of the same round
        rtt.sample(env, it, 150 * MS, 150 * MS, it.round - 1, it.round, delayed=False)
    assert (it.rttvar, it.deviation < high // 4) == (high, True)
    rtt.sample(env, it, 150 * MS, 150 * MS, it.round + 1, it.round + 2, delayed=False)
    assert it.rttvar == high  # the worst of that round was the first
    rtt.sample(env, it, 150 * MS, 150 * MS, it.round + 1, it.round + 2, delayed=False)
    assert it.rttvar == high - (high - 200 * MS) // 4


def test_a_sample_that_is_better_than_expected_raises_the_variance_slowly() -> None:
    """Linux's tcp_rtt_estimator: a round trip that gets shorter is no reason to wait longer."""
    it = rtt.Rtt()
    samples(it, 800, 100)
    assert (it.srtt, it.rttvar) == (712_500_000, 1600 * MS + (700 - 400) * MS // 8)


def test_rto_stays_in_its_bounds() -> None:
    """RFC 6298 (2.4), (2.5)."""
    env, it = Env(Rng(1), Config().replace({"net.ipv4.tcp_rto_min_us": 1_000_000})), rtt.Rtt()
    rtt.sample(env, it, 1, 1, 1, 2, delayed=False)
    assert it.rto == 1000 * MS
    for _ in range(20):
        rtt.back_off(env, it)
    assert it.rto == 120_000 * MS


def test_an_ack_that_may_have_been_delayed_does_not_raise_the_least() -> None:
    """Linux's tcp_update_rtt_min: the least round trip is the path's, not the receiver's patience."""
    env, it = Env(Rng(1)), rtt.Rtt()
    samples(it, 100, env=env)
    env.now = 400_000 * MS  # longer than tcp_min_rtt_wlen
    rtt.sample(env, it, 140 * MS, 140 * MS, 1, 2, delayed=True)
    assert it.least == 100 * MS
    rtt.sample(env, it, 140 * MS, 140 * MS, 1, 2, delayed=False)
    assert it.least == 140 * MS


def test_every_acknowledgment_is_a_sample(tcp: Tcp) -> None:
    """RFC 6298 §3: at least one in a round trip; here each tells of the oldest segment that it acknowledges."""
    s = tcp()
    s.connect()
    s.tx("S")
    s.wait(100)
    s.rx("SA", mss=1000)
    s.tx("A")
    assert s.conn.snd.rtt.srtt == 100 * MS
    s.call("send", s.sock, bytes(3000))
    s.burst()
    s.wait(180)
    s.rx("A", ack=1001)
    assert s.conn.snd.rtt.srtt == 110 * MS
    s.wait(50)
    s.rx("A", ack=3001)
    assert s.conn.snd.rtt.srtt == 125 * MS


def test_retransmitted_segments_give_no_sample(tcp: Tcp) -> None:
    """RFC 6298 §3, Karn; RFC 9293 MUST-18: and the backed-off RTO stays until there is a new sample."""
    s = tcp().passive()
    s.call("send", s.sock, b"x")
    s.tx()
    s.tx(after=200)
    s.wait(30)
    s.rx("A")
    assert s.conn.snd.rtt.rto == 400 * MS
    s.call("send", s.sock, b"y")
    s.tx()
    s.tx(after=400)
    s.rx("A")
    s.call("send", s.sock, b"z")
    s.tx()
    s.wait(10)
    s.rx("A")
    assert s.conn.snd.rtt.rto == 201_250_000


def test_the_timer_runs_from_the_latest_ack_of_new_data(tcp: Tcp) -> None:
    """RFC 6298 (5.1) to (5.3)."""
    s = tcp().passive(mss=1000)
    s.call("send", s.sock, bytes(3000))
    s.burst()
    s.wait(150)
    s.rx("A", ack=1001)
    rto = s.conn.snd.rtt.rto / MS
    s.tx(after=rto, seq=1001)


def test_all_acknowledged_stops_the_timer(tcp: Tcp) -> None:
    """RFC 6298 (5.2)."""
    s = tcp().passive()
    s.call("send", s.sock, b"x")
    s.tx()
    s.rx("A")
    assert s.stack.env.timers.at == {}


def test_r2_ends_a_connection_that_gets_no_answer(tcp: Tcp) -> None:
    """RFC 9293 §3.8.3, MUST-20 (b), SHLD-11: as long as 15 retransmissions take at least, 924.6 s from the first on.

    Then ETIMEDOUT. Without a round trip that is a little more than 15 of them.
    """
    s = tcp().passive()
    s.call("send", s.sock, b"x")
    s.tx()
    s.wakes.clear()
    wait = 200
    for _ in range(16):
        s.tx(after=wait, data=b"x")
        wait = min(2 * wait, 120_000)
    assert s.now > 100_000 * MS
    s.nothing(120_000)
    assert s.wakes == [Wake(s.sock, CLOSED | FAILED)]
    s.fails(errno.ETIMEDOUT, "recv", s.sock)
    assert s.count("TcpExtTCPAbortOnTimeout") == 1


def test_at_r1_the_next_hop_is_doubted_once(tcp: Tcp) -> None:
    """RFC 9293 §3.8.3, MUST-20 (a), SHLD-10: tcp_retries1 = 3."""
    s = tcp(tracing=True).passive()
    s.call("send", s.sock, b"x")
    s.tx()
    noted = []
    for _ in range(6):
        s.soon()
        noted.append(s.noted("9293/3.8.3/r1"))
    assert noted == [0, 0, 1, 1, 1, 1]


def test_an_answer_starts_the_count_of_retransmissions_anew(tcp: Tcp) -> None:
    """RFC 9293 §3.8.3: R2 is about one segment; what is acknowledged begins another count."""
    s = tcp(sysctl={"net.ipv4.tcp_retries2": 3}).passive(nodelay=1)
    s.call("send", s.sock, b"x")
    s.call("send", s.sock, b"y")
    s.burst()
    for n in (2, 3):
        s.soon()
        s.soon()
        s.rx("A", ack=n)
        s.burst()
    s.state("ESTABLISHED")


def test_an_orphan_gives_up_earlier(tcp: Tcp) -> None:
    """Linux's tcp_orphan_retries: 3 are the time of 3, 3 s from the first one on."""
    s = tcp(sysctl={"net.ipv4.tcp_orphan_retries": 3}).passive()
    s.call("close", s.sock)
    s.tx("FA")
    for _ in range(4):
        assert s.soon().flags == "FA"
    s.nothing(200_000)
    s.gone()


def test_orphans_have_eight_retries_unless_somebody_says_so(tcp: Tcp) -> None:
    """Linux's tcp_orphan_retries: its default, 0, means 8: the time of 8, from the first one on."""
    s = tcp().passive()
    assert s.stack.env.config["net.ipv4.tcp_orphan_retries"] == 0
    s.call("close", s.sock)
    s.tx("FA")
    assert [s.soon().flags for _ in range(9)] == ["FA"] * 9
    s.nothing(200_000)
    s.gone()


def test_a_soft_error_names_the_death_but_not_after_progress(tcp: Tcp) -> None:
    """RFC 9293 §3.9.2.2: what was heard last, as long as nothing has arrived since."""
    s = tcp(sysctl={"net.ipv4.tcp_retries2": 2}).passive()
    s.call("send", s.sock, b"x")
    seg = s.tx()
    s.icmp(3, 1, seg.raw[:28])
    assert s.call("status", s.sock)["soft_error"] == errno.EHOSTUNREACH
    s.rx("A")
    assert s.call("status", s.sock)["soft_error"] == 0
    s.call("send", s.sock, b"y")
    s.wait(100_000)
    s.burst()
    s.fails(errno.ETIMEDOUT, "recv", s.sock)


@pytest.mark.parametrize(("family", "min_rto"), [(4, 200), (6, 200)])
def test_a_clock_that_jumps_far_is_one_timeout_not_many(tcp: Tcp, family: int, min_rto: int) -> None:
    """hostile-inputs §6 (7): a suspend of an hour is a long pause, no timer storm."""
    s = tcp(family=family).passive()
    s.call("send", s.sock, b"x")
    s.tx()
    s.now += 3_600_000 * MS
    s.event(Tick())
    s.tx(data=b"x")
    s.nothing()
    s.tx(after=2 * min_rto, data=b"x")


def test_a_link_that_was_down_for_a_while_costs_only_time(tcp: Tcp) -> None:
    """RFC 9293 §3.8.3: no route is no reason to give up before R2."""
    s = tcp().passive()
    s.call("link_set", 1, False)
    s.call("send", s.sock, b"patience")
    s.nothing(5000)
    assert s.count("TcpOutNoRoutes") == 5
    s.call("link_set", 1, True)
    assert s.soon().data == b"patience"
    s.rx("A")
    s.nothing(1000)


def test_a_call_to_open_without_a_link_is_retried_like_any_syn(tcp: Tcp) -> None:
    """RFC 9293 §3.8.3, MUST-22."""
    s = tcp()
    s.connect()
    s.tx("S")
    s.call("link_set", 1, False)
    s.nothing(10_000)
    s.call("link_set", 1, True)
    assert s.soon().flags == "S"
    s.rx("SA", mss=1460)
    s.tx("A")


def test_a_fast_retransmit_spoils_the_sample_too(tcp: Tcp) -> None:
    """RFC 6298 §3, Karn: the ACK may be for either copy."""
    s = tcp().passive(mss=1000)
    s.call("send", s.sock, bytes(4000))
    assert len(s.burst()) == 4
    before = s.conn.snd.rtt.srtt
    s.wait(100)
    for _ in range(3):
        s.rx("A", ack=1)
    s.tx(seq=1)
    s.wait(30)
    s.rx("A", ack=4001)
    assert s.conn.snd.rtt.srtt == before
