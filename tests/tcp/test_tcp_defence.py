# SPDX-License-Identifier: GPL-2.0-or-later
"""What strangers and liars can do to us: as good as nothing (RFC 5961, RFC 9293 §3.10.7).

Active and passive side alike; counters say what happened, and what did not.
"""

import random
from collections.abc import Callable

import pytest
from tcp_script import Script, pattern

from labstack.core.counters import drops
from labstack.tcp.ackgen import UNLIMITED

Tcp = Callable[..., Script]
ROLES = pytest.mark.parametrize("active", [True, False], ids=["active", "passive"])


def opened(s: Script, active: bool, **settings: int) -> Script:
    return s.active(**settings) if active else s.passive(**settings)


def sent(s: Script, size: int) -> None:
    """So many bytes are in flight."""
    s.call("send", s.sock, bytes(size))
    s.burst()


# ---- blind injection ------------------------------------------------------------------------------------------------


@ROLES
@pytest.mark.parametrize("flags", ["R", "S", "SA", "A", "PA", "FA"])
def test_nothing_that_was_guessed_gets_in(tcp: Tcp, flags: str, active: bool) -> None:
    """RFC 5961 §3, §4, §5: wrong numbers inside the window, 200 of each, and at most one challenge in half a second."""
    rng = random.Random(5961)
    s = opened(tcp(), active)
    before = s.conn.snd.una, s.conn.rcv.nxt
    for _ in range(200):
        seq = rng.randrange(2, 60_000)
        ack = rng.choice((rng.randrange(1 << 20, 1 << 31), -rng.randrange(1, 1 << 30)))
        s.rx(flags, seq=seq, ack=ack, data=b"" if flags in ("R", "S") else b"evil")
    s.state("ESTABLISHED")
    assert (s.conn.snd.una, s.conn.rcv.nxt) == before
    assert not s.conn.rcv.islands
    assert len(s.burst()) == 1
    assert (s.count("TcpExtTCPChallengeACK"), s.count("TcpExtTCPACKSkippedChallenge")) == (1, 199)
    assert s.count("TcpExtTCPSYNChallenge") == (200 if "S" in flags else 0)


def test_a_challenge_may_go_again_after_half_a_second(tcp: Tcp) -> None:
    """RFC 5961 §7, tcp_invalid_ratelimit."""
    s = tcp().passive()
    for wait, answers in ((0, 1), (499, 0), (1, 1)):
        s.wait(wait)
        s.rx("R", seq=100)
        assert len(s.burst()) == answers


def many(s: Script, count: int) -> None:
    """Connections from as many ports."""
    s.any_window = True
    s.listen()
    for port in range(5000, 5000 + count):
        s.sport, s.pseq, s.pack, s.iss = port, 0, 0, None
        s.rx("S", mss=1460)
        s.tx("SA")
        s.rx("A")


def challenged(s: Script, count: int) -> int:
    for port in range(5000, 5000 + count):
        s.rx("R", seq=100, sport=port)
    return len(s.burst())


@pytest.mark.parametrize("limit", [1, 10])
def test_challenges_of_the_host_are_limited_by_lot(tcp: Tcp, limit: int) -> None:
    """CVE-2016-5696: between half of tcp_challenge_ack_limit and half more than that, anew each second."""
    s = tcp(sysctl={"net.ipv4.tcp_challenge_ack_limit": limit})
    many(s, 40)
    seen = set()
    for _ in range(8):
        s.wait(1000)
        seen.add(challenged(s, 40))
    half = (limit + 1) // 2
    assert all(half <= n <= limit + half - 1 for n in seen)
    assert len(seen) > 1 or limit == 1


def test_by_default_the_host_has_no_limit(tcp: Tcp) -> None:
    """A fixed one would be a side channel: each connection has its own."""
    s = tcp()
    assert s.stack.env.config["net.ipv4.tcp_challenge_ack_limit"] == UNLIMITED
    many(s, 40)
    assert challenged(s, 40) == 40


def test_a_limit_of_none_is_silence(tcp: Tcp) -> None:
    s = tcp(sysctl={"net.ipv4.tcp_challenge_ack_limit": 0})
    many(s, 3)
    s.wait(1000)
    assert challenged(s, 3) == 0


# ---- quarrels -------------------------------------------------------------------------------------------------------


@ROLES
def test_two_peers_that_find_each_other_wrong_do_not_go_on_for_ever(tcp: Tcp, active: bool) -> None:
    """RFC 5961 §10: whatever we say is answered by an ACK outside the window, for ten seconds."""
    s = opened(tcp(), active)
    s.rx("A", seq=-10)
    answers = 0
    for _ in range(10_000):
        out = s.burst()
        answers += len(out)
        for _ in out:
            s.rx("A", seq=-10)
        s.wait(1)
        if not s.out and s.now % 500_000_000 < 1_000_000:
            s.rx("A", seq=-10)
    assert answers <= 22
    s.burst()
    s.state("ESTABLISHED")


def test_in_time_wait_answers_are_rationed_too(tcp: Tcp) -> None:
    """tcp_timewait_check_oow_rate_limit."""
    s = tcp().active()
    s.call("close", s.sock)
    s.tx("FA")
    s.rx("FA")
    s.tx("A")
    for _ in range(10):
        s.rx("A", seq=100_000)
    assert len(s.burst()) == 1
    assert s.count("TcpExtTCPACKSkippedTimeWait") == 9


# ---- liars about acknowledgments ------------------------------------------------------------------------------------


@ROLES
def test_an_optimistic_ack_gains_nothing(tcp: Tcp, active: bool) -> None:
    """what was not sent cannot be acknowledged, and cwnd does not grow for it."""
    s = opened(tcp(), active)
    sent(s, 3 * 1460)
    before = s.conn.snd.cc.cwnd, s.conn.snd.una
    for more in (1, 1460, 100_000):
        s.rx("A", ack=1 + 3 * 1460 + more)
    assert (s.conn.snd.cc.cwnd, s.conn.snd.una) == before
    assert drops(s.stack.env.count) == {"drop.tcp.ack_outside": 3}
    s.burst()


@ROLES
def test_an_ack_that_is_cut_into_many_is_worth_no_more(tcp: Tcp, active: bool) -> None:
    """RFC 3465 §2.3: segments count, not ACKs."""
    s = opened(tcp(), active)
    sent(s, 10 * 1460)
    before = s.conn.snd.cc.cwnd
    for at in range(146, 1461, 146):
        s.rx("A", ack=1 + at)
    assert s.conn.snd.cc.cwnd <= before + 1


def test_sack_blocks_of_single_bytes_cut_nothing_to_pieces(tcp: Tcp) -> None:
    """CVE-2019-11477, -11478: the scoreboard never has more records than segments are in flight."""
    rng = random.Random(11477)
    s = tcp(sack=True, stamps=False)
    s.listen()
    s.rx("S", mss=48, options=[("SAckOK", b"")])
    s.tx("SA")
    s.rx("A")
    s.accept()
    s.call("send", s.sock, bytes(10 * 48))
    s.burst()
    for _ in range(300):
        blocks = []
        for _ in range(4):
            start = (s.iss or 0) + rng.randrange(50, 480)
            blocks += [start & 0xFFFFFFFF, start + 1 & 0xFFFFFFFF]
        s.rx("A", ack=1, options=[("NOP", None), ("NOP", None), ("SAck", tuple(blocks))])
        assert len(s.conn.snd.flight.queue) <= s.conn.snd.flight.out <= 64
        s.wait(1)
    s.burst()


# ---- small things ---------------------------------------------------------------------------------------------------


def test_one_byte_islands_are_bounded_in_number(tcp: Tcp) -> None:
    """CVE-2018-5390."""
    s = tcp().passive()
    for at in range(2, 3000, 2):
        s.rx("A", seq=at, data=1)
    assert len(s.conn.rcv.islands) <= 1024
    s.burst()


@ROLES
def test_a_peer_that_never_opens_its_window_costs_a_probe_in_two_minutes(tcp: Tcp, active: bool) -> None:
    """RFC 9293 §3.8.6.1, MUST-36: ever more slowly, as long as somebody waits for it."""
    s = opened(tcp(), active)
    s.rx("A", win=0)
    s.call("send", s.sock, pattern(0, 5000))
    probes = 0
    for _ in range(3600):
        s.wait(1000)
        for _ in s.burst():
            probes += 1
            s.rx("A", ack=1, win=0)
    s.state("ESTABLISHED")
    assert 30 <= probes <= 45


def test_a_closed_window_ends_a_connection_that_nobody_holds(tcp: Tcp) -> None:
    """CVE-2008-4609: tcp_orphan_retries."""
    s = tcp().passive()
    s.rx("A", win=0)
    s.call("send", s.sock, bytes(5000))
    s.call("close", s.sock)
    for _ in range(600):
        s.wait(1000)
        for _ in range(len(s.burst())):
            if s.stack.conns:
                s.rx("A", ack=1, win=0)
    s.gone()
    s.burst()


@pytest.mark.parametrize("flags", ["", "F", "P", "U", "FPU", "SF", "SFPU"])
@pytest.mark.parametrize("family", [4, 6])
def test_scanners_get_one_answer_of_a_closed_port_and_none_of_a_listener(tcp: Tcp, flags: str, family: int) -> None:
    """RFC 9293 §3.10.7.1, §3.10.7.2."""
    s = tcp(family=family)
    s.rx(flags)
    s.tx("RA", seq=0)
    s.listen()
    s.rx(flags)
    s.nothing()


@pytest.mark.parametrize("bits", [0x1FF, 0x1C0, 0x140, 0x0C0, 0x080])
@ROLES
def test_reserved_flags_make_no_difference(tcp: Tcp, bits: int, active: bool) -> None:
    """RFC 9293 §3.1: ECE, CWR and AE without ECN."""
    s = opened(tcp(), active)
    letters = [c for i, c in enumerate("FSRPAUEWN") if bits >> i & 1 and c not in "FSRAU"]
    s.rx("A" + "".join(letters), data=10)
    s.state("ESTABLISHED")
    assert s.call("recv", s.sock) == pattern(1, 10)
    s.burst()
