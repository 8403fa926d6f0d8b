# SPDX-License-Identifier: GPL-2.0-or-later
"""Timestamps: who offers them, what is echoed, what is too old, and what they do for TIME-WAIT (RFC 7323, RFC 6191)."""

import errno
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tcp_script import ALWAYS, Script

from labstack.core.config import MS, Config
from labstack.core.counters import drops
from labstack.core.env import Env
from labstack.core.errors import StackError
from labstack.core.rng import Rng
from labstack.stack import make
from labstack.tcp import tstamp
from labstack.tcp.tstamp import Timestamps

Tcp = Callable[..., Script]
U32 = st.integers(0, 0xFFFFFFFF)
DAY = 86_400_000  # ms
SYN = {"mss": 1460, "sack_ok": True}


def opened(tcp: Tcp, ts: int = 5000, **more: Any) -> Script:
    """A connection with timestamps and SACK, one second after we were started; ours are the time in ms."""
    s = tcp(sack=True, stamps=True, **more)
    s.wait(1000)
    return s.opened(SYN, ts)


def ext(s: Script) -> dict[str, int]:
    """Linux's extended counters, without those of the sender, which nothing here is about."""
    return {k[6:]: v for k, v in s.stack.env.count.items() if k.startswith("TcpExt") and v and k not in ALWAYS}


# ---- who offers, who agrees -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("said", "sysctl"), [(True, 1), (True, 2), (False, 0)])
def test_our_syn_offers_what_the_sysctl_says(tcp: Tcp, said: bool, sysctl: int) -> None:
    """RFC 7323 §3.2; tcp_timestamps."""
    s = tcp(sysctl={"net.ipv4.tcp_timestamps": sysctl})
    s.connect()
    assert ("Timestamp" in s.tx("S").options) == said


def test_a_syn_ack_without_timestamps_ends_them(tcp: Tcp) -> None:
    """RFC 7323 §3.2: only if both SYNs had the option."""
    s = tcp(stamps=True)
    s.connect()
    s.tx("S")
    s.rx("SA", mss=1460)
    assert s.tx("A").ts is None
    assert s.conn.tstamp is None
    assert s.conn.snd.mss == 1460


def test_a_syn_without_timestamps_gets_none_back(tcp: Tcp) -> None:
    """RFC 7323 §3.2: a SYN,ACK says only what the SYN offered."""
    s = tcp(sack=True, stamps=True)
    s.listen()
    s.rx("S", mss=1460)
    assert s.tx("SA").options == ["MSS"]


@pytest.mark.parametrize("family", [4, 6])
def test_both_ends_of_a_connection_carry_them_in_every_segment(tcp: Tcp, family: int) -> None:
    """RFC 7323 §3.2: TSecr is the last acceptable TSval; twelve bytes less of data."""
    s = opened(tcp, family=family)
    mss = s.conn.snd.mss
    assert mss == (1448 if family == 4 else 1428)
    s.wait(500)
    s.call("send", s.sock, bytes(2000))
    assert [(seg.size, seg.ts) for seg in s.burst()] == [(mss, (1500, 5000)), (2000 - mss, (1500, 5000))]
    s.rx("A", ts=(5600, 1500))
    s.rx("PA", data=10, ts=(5601, 1500))
    assert s.tx("A").ts == (1500, 5601)
    s.call("shutdown", s.sock, 1)
    assert s.tx("FA").ts == (1500, 5601)


def test_the_offset_is_one_for_all_connections_of_two_addresses(tcp: Tcp) -> None:
    """RFC 7323 §5.4, §7.1: it hides our uptime, and the timestamps of a next connection are never older."""
    s = tcp(sysctl={"net.ipv4.tcp_timestamps": 1})
    firsts = []
    for port in (4000, 4001):
        s.connect(port)
        value, echo = s.tx("S").ts or (0, -1)
        assert echo == 0
        firsts.append(value - s.now // MS)
        s.iss = None
        s.wait(10)
    assert firsts[0] == firsts[1] != 0


def test_a_segment_without_its_timestamp_is_taken(tcp: Tcp) -> None:
    """DEVIATES from RFC 7323 §3.2, as Linux."""
    s = opened(tcp)
    s.rx("PA", data=10)
    assert s.tx("A", ack=11).ts == (1000, 5000)


def test_a_reset_that_answers_a_stranger_has_none(tcp: Tcp) -> None:
    """RFC 7323 §5.2; of a connection that is aborted it has."""
    s = opened(tcp)
    s.rx("A", dport=81, ts=(1, 2))
    assert s.tx("R").options == []
    s.call("abort", s.sock)
    assert s.tx("RA").ts == (1000, 5000)


# ---- TS.Recent ------------------------------------------------------------------------------------------------------


def test_the_first_of_several_segments_is_echoed(tcp: Tcp) -> None:
    """RFC 7323 §4.3 (2): a delayed ACK tells when the first of those that it answers came."""
    s = opened(tcp)
    s.conn.rcv.ato = 40 * MS
    s.rx("PA", data=10, ts=(5010, 1000))
    s.rx("PA", data=10, ts=(5020, 1000))
    assert s.tx("A", after=40, ack=21).ts == (1040, 5010)


def test_what_fills_a_gap_is_echoed_and_what_lies_beyond_is_not(tcp: Tcp) -> None:
    """RFC 7323 §4.3: SEG.SEQ <= Last.ACK.sent."""
    s = opened(tcp)
    s.rx("PA", seq=101, data=100, ts=(5010, 1000))
    assert s.tx("A", ack=1).ts == (1000, 5000)
    s.rx("PA", seq=1, data=100, ts=(5005, 1000))
    assert s.tx("A", ack=201).ts == (1000, 5005)


def test_a_segment_with_an_ack_of_nothing_is_not_echoed(tcp: Tcp) -> None:
    """RFC 7323 §4.3: only an acceptable segment's timestamp counts."""
    s = opened(tcp)
    s.rx("PA", data=10, ack=9999, ts=(90_000, 1000))
    assert s.tx("A", ack=1).ts == (1000, 5000)
    assert drops(s.stack.env.count) == {"drop.tcp.ack_outside": 1}


# ---- PAWS -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("back", [2, 1000, (1 << 31) - 1])
def test_text_with_an_old_timestamp_is_answered_and_not_taken(tcp: Tcp, back: int) -> None:
    """RFC 7323 §5.3 R1: every time, since it carries text."""
    s = opened(tcp)
    for _ in range(3):
        s.rx("PA", seq=1, data=10, ts=((5000 - back) & 0xFFFFFFFF, 1000))
        assert s.tx("A", ack=1).ts == (1000, 5000)
    assert drops(s.stack.env.count) == {"drop.tcp.paws": 3}
    assert ext(s) == {"PAWSEstab": 3}
    assert s.noted("7323/5.3/old") in (0, 3)


@pytest.mark.parametrize("ahead", [0, 1, 1 << 30, (1 << 31) - 1, 1 << 31, 0xFFFFFFFF])
def test_a_timestamp_that_is_newer_or_hardly_older_is_none(tcp: Tcp, ahead: int) -> None:
    """RFC 7323 §5.2, modulo 2^32: half of that is not older. One ms of grace, as on Linux."""
    s = opened(tcp)
    s.rx("PA", data=10, ts=((5000 + ahead) & 0xFFFFFFFF, 1000))
    newest = (5000 + ahead) & 0xFFFFFFFF if ahead <= 1 << 31 else 5000
    assert s.tx("A", ack=11).ts == (1000, newest)


def test_an_old_ack_of_text_that_we_have_is_not_answered(tcp: Tcp) -> None:
    """Linux's PAWSOldAck: ACKs overtake each other, and there is nothing to tell."""
    s = opened(tcp)
    s.rx("PA", data=10, ts=(5100, 1000))
    s.tx("A")
    s.rx("A", seq=1, ts=(5050, 1000))
    s.nothing()
    assert ext(s) == {"PAWSOldAck": 1}
    assert drops(s.stack.env.count) == {"drop.tcp.paws": 1}


def test_an_ack_that_was_overtaken_and_says_nothing_passes(tcp: Tcp) -> None:
    """Linux's tcp_disordered_ack: a bare duplicate ACK at RCV.NXT, no more than 1.2 RTO old."""
    s = opened(tcp)
    s.rx("PA", data=10, ts=(90_000, 1000))
    s.tx("A")
    s.rx("A", ts=(90_000, 1000))
    rto = s.conn.snd.rtt.rto // MS
    s.rx("A", ts=(90_000 - rto * 6 // 5, 1000))
    assert (ext(s), drops(s.stack.env.count)) == ({}, {})
    s.rx("A", ts=(90_000 - rto * 6 // 5 - 1, 1000))
    s.tx("A")
    s.rx("A", win=0, ts=(89_999 - 1, 1000))  # this one would say something
    assert ext(s) == {"PAWSEstab": 2, "TCPACKSkippedPAWS": 1}


def test_bare_segments_with_old_timestamps_are_answered_once_in_a_while(tcp: Tcp) -> None:
    """tcp_invalid_ratelimit: or two that are out of step would answer each other for ever."""
    s = opened(tcp)
    for _ in range(5):
        s.rx("A", ack=0, seq=1, ts=(100, 1000))
    s.tx("A")
    s.nothing()
    assert ext(s) == {"PAWSEstab": 5, "TCPACKSkippedPAWS": 4}
    s.wait(500)
    s.rx("A", ack=0, seq=1, ts=(100, 1000))
    s.tx("A")


def test_an_old_syn_is_challenged(tcp: Tcp) -> None:
    """RFC 5961 §4.2, before its timestamp is judged otherwise."""
    s = opened(tcp)
    s.rx("S", seq=1, ts=(100, 0))
    s.tx("A", ack=1)
    assert ext(s) == {"TCPSYNChallenge": 1, "TCPChallengeACK": 1}
    assert drops(s.stack.env.count) == {"drop.tcp.paws": 1}


def test_a_reset_is_heard_whatever_its_timestamp(tcp: Tcp) -> None:
    """RFC 7323 §5.3: PAWS does not hold back a RST."""
    s = opened(tcp)
    s.rx("R", ts=(1, 0))
    assert s.conn.state == "CLOSED"


def test_after_24_days_any_timestamp_is_new(tcp: Tcp) -> None:
    """RFC 7323 §5.5: TS.Recent has outlived half of the number space."""
    for days, taken in ((24, True), (23.999, False)):
        s = opened(tcp)
        s.wait(days * DAY)
        s.rx("PA", data=10, ts=(4000, 1000))
        s.tx("A", ack=11 if taken else 1)


def test_a_peer_that_began_with_zero_is_believed(tcp: Tcp) -> None:
    """DEVIATES from RFC 7323 §5.3, as Linux: some begin with zero, and go on with something else."""
    s = tcp(stamps=True)
    s.wait(1000)
    s.listen()
    s.rx("S", ts=(0, 0))
    s.tx("SA")
    s.rx("A", ts=(0xF0000000, 1000))
    s.accept()
    s.rx("PA", data=10, ts=(0xF0000001, 1000))
    s.tx("A", ack=11)


# ---- the handshake --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("echo", "fine"), [(1000, True), (2000, True), (1500, True), (999, False), (2001, False), (0, True)]
)
def test_the_ack_of_a_syn_ack_echoes_one_of_them(tcp: Tcp, echo: int, fine: bool) -> None:
    """Linux's TSEcrRejected: ours went out at 1000 and again at 2000 ms; 0 says nothing."""
    s = tcp(stamps=True)
    s.wait(1000)
    s.listen()
    s.rx("S", ts=(5000, 0))
    assert s.tx("SA").ts == (1000, 5000)
    assert s.tx("SA", after=1000).ts == (2000, 5000)
    s.wait(10)
    s.rx("A", ts=(6000, echo))
    assert (s.stack.conns[2].state == "ESTABLISHED") == fine
    if not fine:
        s.tx("A", seq=1, ack=1)
        assert ext(s) == {"TSEcrRejected": 1, "TCPSynRetrans": 1, "TCPTimeouts": 1}
        assert drops(s.stack.env.count) == {"drop.tcp.tsecr": 1}


def test_an_old_ack_does_not_open_a_connection(tcp: Tcp) -> None:
    """RFC 7323 §5.3, without grace (tcp_check_req); the answer is one in a while."""
    s = tcp(stamps=True)
    s.wait(1000)
    s.listen()
    s.rx("S", ts=(5000, 0))
    s.tx("SA")
    for _ in range(2):
        s.rx("A", ts=(4999, 1000))
    s.tx("A")
    s.nothing()
    assert s.stack.conns[2].state == "SYN_RECEIVED"
    assert ext(s) == {"PAWSEstab": 2, "TCPACKSkippedSynRecv": 1}


@pytest.mark.parametrize(("echo", "fine"), [(1000, True), (1100, True), (999, False), (1101, False), (0, True)])
def test_a_syn_ack_echoes_what_our_syn_said(tcp: Tcp, echo: int, fine: bool) -> None:
    """Linux's PAWSActive: our SYN went out at 1000, and it is 1100 ms now."""
    s = tcp(stamps=True)
    s.wait(1000)
    s.connect()
    s.tx("S")
    s.wait(100)
    s.rx("SA", ts=(7000, echo))
    if fine:
        assert s.tx("A").ts == (1100, 7000)
    else:
        s.tx("R", seq=1)
        assert ext(s) == {"PAWSActive": 1}
        assert drops(s.stack.env.count) == {"drop.tcp.syn_sent_echo": 1}
        s.state("SYN_SENT")


# ---- TIME-WAIT ------------------------------------------------------------------------------------------------------


def lingering(tcp: Tcp, **more: Any) -> Script:
    s = opened(tcp, **more)
    s.call("close", s.sock)
    s.tx("FA")
    s.rx("FA", ts=(5010, 1000))
    assert s.tx("A").ts == (1000, 5010)
    s.state("TIME_WAIT")
    return s


def test_a_newer_timestamp_reopens_whatever_the_number(tcp: Tcp) -> None:
    """RFC 6191 §2."""
    s = lingering(tcp)
    s.rx("S", seq=-500, ts=(5011, 0))
    s.tx("SA", ack=-499 & 0xFFFFFFFF)
    s.gone()
    assert ext(s) == {"TW": 1}


@pytest.mark.parametrize(("seq", "ts"), [(5000, 5009), (-500, 5010), (2, 5010)])
def test_an_old_syn_is_told_where_we_are(tcp: Tcp, seq: int, ts: int) -> None:
    """RFC 6191 §2: an older timestamp outweighs a greater number; an equal one leaves it to the number."""
    s = lingering(tcp)
    s.rx("S", seq=seq, ts=(ts, 0))
    s.tx("A", seq=2, ack=2)
    s.state("TIME_WAIT")


def test_an_old_segment_begins_time_wait_anew_and_is_answered_in_measure(tcp: Tcp) -> None:
    """Linux's PAWSTimewait; a bare ACK is answered once in tcp_invalid_ratelimit."""
    s = lingering(tcp)
    s.wait(50_000)
    for _ in range(3):
        s.rx("A", seq=2, ts=(4000, 1000))
    s.tx("A", ack=2)
    s.nothing(59_999)
    s.state("TIME_WAIT")
    assert ext(s) == {"TW": 1, "PAWSTimewait": 3, "TCPACKSkippedTimeWait": 2}
    s.wait(1)
    s.gone()


@pytest.mark.parametrize("strict", [0, 1])
def test_a_reset_ends_time_wait_unless_rfc1337_is_on(tcp: Tcp, strict: int) -> None:
    """RFC 1337 §3 (F1); tcp_rfc1337."""
    s = lingering(tcp, sysctl={"net.ipv4.tcp_rfc1337": strict})
    s.rx("R", seq=2)
    s.nothing()
    if strict:
        s.state("TIME_WAIT")
        assert s.noted("1337/3/ignored") in (0, 1)
    else:
        s.gone()


PORTS = {"net.ipv4.ip_local_port_range.min": 40_000, "net.ipv4.ip_local_port_range.max": 40_000}


def waiting(tcp: Tcp, stamps: bool = True, reuse: int = 2) -> Script:
    """A connection that we opened and closed first, from the only port that there is."""
    s = tcp(stamps=stamps, sysctl={**PORTS, "net.ipv4.tcp_tw_reuse": reuse})
    s.wait(1000)
    s.connect()
    s.tx("S")
    s.rx("SA", mss=1460, ts=(5000, 1000) if stamps else None)
    s.tx("A")
    s.call("close", s.sock)
    s.tx("FA")
    s.rx("FA", ts=(5010, 1000) if stamps else None)
    s.tx("A")
    s.state("TIME_WAIT")
    return s


@pytest.mark.parametrize(
    ("stamps", "reuse", "after", "free"),
    [
        (True, 1, 1001, True),
        (True, 1, 1000, False),
        (True, 2, 5000, False),
        (True, 0, 5000, False),
        (False, 1, 5000, False),
    ],
)
def test_a_port_in_time_wait_is_one_to_choose_from_if_timestamps_guard_it(
    tcp: Tcp, stamps: bool, reuse: int, after: int, free: bool
) -> None:
    """tcp_tw_reuse (2: on loopback) and its delay; RFC 6191 §2 for who opens; the new numbers begin beyond the old."""
    s = waiting(tcp, stamps, reuse)
    s.wait(after)
    if not free:
        s.fails(errno.EADDRNOTAVAIL, "connect", s.peer, 4000)
        s.state("TIME_WAIT")
        return
    old = s.iss
    s.connect()
    seg = s.tx("S")
    assert s.iss is not None
    assert old is not None
    assert 0 < (s.iss - old) % (1 << 32) < 1 << 31
    assert seg.ts == (1000 + after, 5010)
    assert ext(s) == {"TW": 1, "TWRecycled": 1}


def test_an_application_that_insists_gets_its_port_at_once(tcp: Tcp) -> None:
    """Linux's tcp_twsk_unique: a bound port needs no delay, only timestamps."""
    for stamps in (True, False):
        s = waiting(tcp, stamps, reuse=0)
        if stamps:
            s.call("connect", s.peer, 4000, 0, b"", 40_000)
            s.tx("S")
        else:
            s.fails(errno.EADDRINUSE, "connect", s.peer, 4000, 0, b"", 40_000)


def test_on_loopback_ports_come_back_after_a_second() -> None:
    """tcp_tw_reuse = 2, the default."""
    stack, now = make("h", config=Config().replace(PORTS)), 1000 * MS

    def call(*args: Any) -> Any:
        back = stack.call(*args, now=now)
        for _ in range(4):
            stack.drain(now)
        return back

    call("listen", 80)
    one = call("connect", "127.0.0.1", 80)
    call("close", one)
    call("close", call("accept", 1)[0])
    assert [it.state for it in stack.conns.values()] == ["TIME_WAIT"]
    now += 1000 * MS
    with pytest.raises(StackError):
        call("connect", "127.0.0.1", 80)
    now += MS
    call("connect", "127.0.0.1", 80)
    assert stack.env.count["TcpExtTWRecycled"] == 1


# ---- the clock ------------------------------------------------------------------------------------------------------


@given(U32, st.integers(1, (1 << 31) - 1))
def test_older_is_modulo_2_to_the_32(value: int, ahead: int) -> None:
    """RFC 7323 §5.2."""
    later = (value + ahead) & 0xFFFFFFFF
    assert tstamp.older(value, later)
    assert not tstamp.older(later, value)
    assert not tstamp.older(value, value)
    assert not tstamp.older(value, value ^ 1 << 31)  # neither is: 2^31 is not less than 2^31


@given(U32, st.integers(1, 1 << 50), st.integers(0, 1 << 30))
def test_the_echo_of_a_timestamp_tells_the_round_trip(offset: int, sent: int, took: int) -> None:
    """RFC 7323 §4.1: in ms, at least one."""
    env, it = Env(Rng(1), Config()), Timestamps(offset)
    echo = it.now(sent * MS)
    env.now = (sent + took) * MS
    assert tstamp.round_trip(env, it, echo) == (max(took, 1) * MS if echo else -1)


@given(U32, U32)
def test_the_echo_of_what_was_never_sent_tells_nothing(offset: int, ahead: int) -> None:
    """RFC 7323 §4.1: from the future."""
    env, it = Env(Rng(1), Config()), Timestamps(offset)
    env.now = 10_000 * MS
    echo = (it.now(env.now) + 1 + ahead % (1 << 30)) & 0xFFFFFFFF
    assert tstamp.round_trip(env, it, echo) == -1
