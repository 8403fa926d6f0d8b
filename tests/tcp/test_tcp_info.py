# SPDX-License-Identifier: GPL-2.0-or-later
"""TCP_INFO: what Linux 6.18 said at each of these steps (reno, no SACK, no timestamps), our stack says, too.

The figures that are not times were read from the kernel's own TCP_INFO, one for one; tests/stack compares them live.
"""

from collections.abc import Callable
from typing import Any

import pytest
from tcp_script import RENO, Script

from labstack.tcp.info import tcp_info

Tcp = Callable[..., Script]
MSS = 1460
OPEN, DISORDER, RECOVERY, LOSS = 0, 1, 3, 4


def info(s: Script) -> dict[str, int]:
    """TCP_INFO now."""
    s.stack.env.now = s.now
    return tcp_info(s.stack.env, s.conn)


def says(s: Script, **wanted: Any) -> None:
    """These fields have these values now."""
    found = info(s)
    assert {name: found[name] for name in wanted} == wanted


def start(s: Script, **options: int) -> Script:
    return s.passive(ws=7, nodelay=1, **options)


def send(s: Script, size: int) -> None:
    s.call("send", s.sock, bytes(size))
    s.burst()


def test_before_the_peer_has_answered(tcp: Tcp) -> None:
    s = tcp()
    s.connect()
    s.tx("S")
    says(s, state=2, ca_state=OPEN, options=0, snd_wscale=0, rcv_wscale=0, rto=1_000_000, rtt=0, rttvar=250_000)
    says(s, min_rtt=0xFFFFFFFF, snd_mss=536, rcv_mss=88, advmss=1460, pmtu=1500, snd_cwnd=10, snd_ssthresh=0x7FFFFFFF)
    says(s, unacked=1, delivered=0, segs_out=1, segs_in=0, bytes_acked=0, bytes_sent=0, busy_time=0, notsent_bytes=0)
    s.tx("S", after=1000)
    says(s, state=2, ca_state=LOSS, retransmits=1, backoff=0, rto=1_000_000, unacked=1, lost=1, retrans=1)
    says(s, total_retrans=1, segs_out=2, total_rto=1, total_rto_recoveries=1, total_rto_time=0, bytes_retrans=0)
    s.rx("SA", mss=MSS, ws=7)
    s.tx("A")
    says(s, state=1, ca_state=LOSS, retransmits=0, backoff=0, rto=3_000_000, rtt=0, rttvar=750_000, unacked=0, lost=0)
    says(s, options=4, snd_wscale=7, rcv_wscale=7, segs_in=1, segs_out=3, bytes_acked=1, delivered=1, rcv_mss=536)


def test_the_two_ways_of_opening_count_differently(tcp: Tcp) -> None:
    """For Linux a listener's connection was a request before: its SYN,ACKs are not counted."""
    s = tcp().active(ws=7)
    says(s, state=1, segs_in=1, segs_out=2, bytes_acked=1, delivered=1, unacked=0, snd_wnd=65_535, options=4)
    s = tcp().passive(ws=7)
    says(s, state=1, segs_in=2, segs_out=0, bytes_acked=0, delivered=1, unacked=0, rcv_space=14_600)
    s = tcp()
    s.listen()
    s.rx("S", mss=MSS)
    s.tx("SA")
    s.rx("S", seq=0, mss=MSS)
    s.tx("SA")
    s.tx("SA", after=1000)
    s.rx("A")
    s.accept()
    says(s, ca_state=OPEN, options=0, segs_in=2, segs_out=0, total_retrans=2, total_rto=1, total_rto_recoveries=1)
    says(s, total_rto_time=0, snd_wscale=0, rcv_wscale=0, snd_ssthresh=0x7FFFFFFF)


def test_what_arrives(tcp: Tcp) -> None:
    s = start(tcp())
    s.rx("A", data=MSS)
    says(s, bytes_received=MSS, segs_in=3, data_segs_in=1, rcv_mss=MSS, ato=40_000, rcv_ooopack=0)
    s.rx("PA", seq=1561, data=100)
    says(s, bytes_received=MSS, segs_in=4, data_segs_in=2, rcv_ooopack=1)
    s.wait(30)
    says(s, last_data_recv=30, last_ack_recv=30)
    s.rx("PA", seq=1461, data=100)
    says(s, bytes_received=1660, data_segs_in=3, last_data_recv=0, last_ack_recv=0, last_data_sent=30)
    s.wait(20)
    s.rx("PA", seq=1661, data=100)  # Linux's header prediction has no look at this ACK
    says(s, last_data_recv=0, last_ack_recv=20)
    s.rx("FA", seq=1761)
    says(s, state=8, bytes_received=1761, segs_in=7, data_segs_in=4)
    s.burst()


def test_what_is_sent_and_acknowledged(tcp: Tcp) -> None:
    s = start(tcp())
    s.wait(5)
    send(s, 3000)
    says(s, unacked=3, segs_out=3, data_segs_out=3, bytes_sent=3000, last_data_sent=0, delivered=1, notsent_bytes=0)
    s.wait(20)
    says(s, last_data_sent=20, last_ack_recv=25, busy_time=20_000)
    s.rx("A", ack=1461)
    says(s, unacked=2, delivered=2, bytes_acked=1460, last_ack_recv=0, rtt=20_000 // 8)
    s.rx("A", ack=2000)  # in the middle of a segment: what is left is as long as one
    says(s, unacked=1, delivered=3, bytes_acked=1999)
    s.wait(10)
    s.rx("A", ack=3001)
    says(s, unacked=0, delivered=4, bytes_acked=3000, busy_time=30_000)
    s.wait(100)
    says(s, busy_time=30_000)
    s.call("shutdown", s.sock, 1)
    s.burst()
    says(s, state=4, unacked=1, segs_out=4, data_segs_out=3, bytes_sent=3000)
    s.rx("A", ack=3002)
    says(s, state=5, unacked=0, delivered=5, bytes_acked=3001)
    s.rx("FA", ack=3002)
    says(s, state=7, unacked=0, bytes_received=1)  # Linux's socket has let go of TIME-WAIT
    s.burst()


def test_duplicate_acks_and_recovery_without_sack(tcp: Tcp) -> None:
    """RFC 6582; what Linux's scoreboard makes of duplicate ACKs: tcp_add_reno_sack, tcp_remove_reno_sacks."""
    s = start(tcp(sysctl=RENO))
    send(s, 10 * MSS)
    for n in (1, 2):
        s.rx("A", ack=1)
        says(s, ca_state=DISORDER, unacked=10, sacked=n, lost=0, retrans=0, delivered=1 + n)
    s.rx("A", ack=1)
    says(s, ca_state=RECOVERY, unacked=10, sacked=3, lost=1, retrans=1, delivered=4, total_retrans=1, snd_ssthresh=5)
    says(s, segs_out=11, data_segs_out=11, bytes_sent=11 * MSS, bytes_retrans=MSS)
    s.rx("A", ack=1)
    says(s, ca_state=RECOVERY, unacked=10, sacked=4, lost=1, retrans=1, delivered=5)
    s.rx("A", ack=1 + 2 * MSS)  # a partial ACK
    says(s, ca_state=RECOVERY, unacked=8, sacked=3, lost=1, retrans=1, delivered=6, total_retrans=2)
    s.rx("A", ack=1 + 10 * MSS)
    says(s, ca_state=RECOVERY, unacked=0, sacked=0, lost=0, retrans=0, delivered=11)
    s.burst()
    send(s, 1000)
    says(s, ca_state=RECOVERY, unacked=1, lost=0)
    s.rx("A", ack=1 + 10 * MSS + 1000)
    says(s, ca_state=OPEN, unacked=0, delivered=12, bytes_sent=12 * MSS + 1000, bytes_retrans=2 * MSS)


def test_at_least_one_segment_counts_as_missing(tcp: Tcp) -> None:
    """Linux's tcp_limit_reno_sacked: more duplicate ACKs than segments deliver nothing more."""
    s = start(tcp())
    send(s, 2 * MSS)
    for sacked, delivered in ((1, 2), (1, 2)):
        s.rx("A", ack=1)
        says(s, sacked=sacked, delivered=delivered, unacked=2)
    s.burst()


def test_timeouts(tcp: Tcp) -> None:
    """RFC 6298 §5; Linux's tcp_enter_loss and tcp_update_rto_stats."""
    s = start(tcp(sysctl=RENO))
    send(s, 10 * MSS)
    s.tx("A", after=200, seq=1)
    says(s, ca_state=LOSS, retransmits=1, backoff=1, rto=400_000, unacked=10, lost=10, retrans=1, snd_cwnd=1)
    says(s, snd_ssthresh=5, total_retrans=1, total_rto=1, total_rto_recoveries=1, total_rto_time=0)
    s.wait(100)
    says(s, total_rto_time=100, busy_time=300_000)
    s.rx("A", ack=1 + MSS)
    s.burst()
    says(s, ca_state=LOSS, retransmits=0, backoff=1, unacked=9, lost=9, retrans=2, delivered=2, total_retrans=3)
    s.tx("A", after=400, seq=1 + MSS)
    says(s, ca_state=LOSS, retransmits=1, backoff=2, unacked=9, lost=9, retrans=1, total_retrans=4, total_rto=2)
    says(s, total_rto_recoveries=2, total_rto_time=0)  # the second recovery, and the first is forgotten
    s.wait(50)
    s.rx("A", ack=1 + 10 * MSS)
    says(s, ca_state=LOSS, retransmits=0, backoff=2, unacked=0, lost=0, retrans=0, delivered=11, total_rto_time=50)
    send(s, 1000)
    s.wait(10)
    s.rx("A", ack=1 + 10 * MSS + 1000)
    says(s, ca_state=OPEN, backoff=0, total_rto=2, total_rto_recoveries=2, total_rto_time=60)
    s.wait(100)
    says(s, total_rto_time=60)


def test_a_closed_window(tcp: Tcp) -> None:
    s = tcp().passive(win=3000, nodelay=1)
    send(s, 5000)
    says(s, unacked=2, notsent_bytes=2080, bytes_sent=2 * MSS, rwnd_limited=0)
    s.wait(50)
    says(s, busy_time=50_000, rwnd_limited=50_000)
    s.rx("A", ack=2921, win=0)
    says(s, unacked=0, probes=0, snd_wnd=0, delivered=3)
    s.soon()
    says(s, probes=1, backoff=1, unacked=0, segs_out=3, data_segs_out=2, bytes_sent=2 * MSS, notsent_bytes=2080)
    s.rx("A", ack=2921, win=0)
    says(s, probes=0, backoff=1)
    s.soon()
    says(s, probes=1, backoff=2)
    before = info(s)["rwnd_limited"]
    s.wait(100)
    s.rx("A", ack=2921, win=20_000)
    s.burst()
    says(s, probes=0, backoff=0, unacked=2, data_segs_out=4, bytes_sent=5000, bytes_retrans=0, notsent_bytes=0)
    s.wait(40)
    says(s, rwnd_limited=before + 100_000, busy_time=before + 140_000)
    s.rx("A", ack=5001, win=20_000)
    s.wait(40)
    says(s, rwnd_limited=before + 100_000, busy_time=before + 140_000, delivered=5, sndbuf_limited=0)


def test_cwnd_is_not_the_peers_window(tcp: Tcp) -> None:
    s = start(tcp())
    send(s, 20 * MSS)
    s.wait(50)
    says(s, unacked=10, notsent_bytes=10 * MSS, busy_time=50_000, rwnd_limited=0, sndbuf_limited=0)


def test_a_small_send_buffer_limits_once_everything_is_out_and_the_application_waits(tcp: Tcp) -> None:
    """Linux's tcp_cwnd_validate starts that watch, room in the buffer stops it."""
    s = tcp().passive(win=6 * MSS, nodelay=1, sndbuf=2304)
    s.call("send", s.sock, bytes(20 * MSS))
    assert len(s.burst()) == 3
    s.wait(30)
    says(s, busy_time=30_000, sndbuf_limited=30_000)
    s.rx("A", ack=1 + 3 * MSS)
    s.wait(20)
    says(s, busy_time=30_000, sndbuf_limited=30_000)


def test_the_least_round_trip_time_is_forgotten_in_the_end(tcp: Tcp) -> None:
    """Linux's tcp_min_rtt_wlen."""
    s = start(tcp(sysctl={"net.ipv4.tcp_min_rtt_wlen": 10}))
    s.wait(10_001)  # the handshake took no time at all
    for n, (ms, least) in enumerate(((30, 30), (20, 20), (50, 20), (0, 20), (50, 50))):
        send(s, 100)
        s.wait(ms)
        s.rx("A", ack=101 + 100 * n)
        s.wait(10_001 if not ms else 0)
        says(s, min_rtt=least * 1000 if ms else 0)


def test_a_receiver_guesses_the_round_trip_time_from_full_windows(tcp: Tcp) -> None:
    """Linux's tcp_rcv_rtt_measure: the least time in which the peer filled a window."""
    s = start(tcp(), rcvbuf=2 * MSS)
    for ms in (10, 30, 20):
        s.rx("A", data=MSS)
        s.rx("A", data=MSS)
        s.call("recv", s.sock)
        s.wait(ms)
    assert info(s)["rcv_rtt"] == 10_000
    s.burst()


@pytest.mark.parametrize("end", ["RA", "abort"])
def test_a_dead_connection_has_nothing_in_flight(tcp: Tcp, end: str) -> None:
    s = start(tcp())
    send(s, 20 * MSS)
    if end == "abort":
        s.stack.conns[s.sock].held = True
        conn = s.conn
        s.call("abort", s.sock)
        found = tcp_info(s.stack.env, conn)
    else:
        s.rx("RA", ack=1)
        found = info(s)
    gone = ("unacked", "sacked", "lost", "notsent_bytes", "busy_time")
    wanted = {"state": 7, "bytes_sent": 14_600, **dict.fromkeys(gone, 0)}
    assert {name: found[name] for name in wanted} == wanted
    s.burst()


def test_super_segments_count_as_what_they_are_cut_into(tcp: Tcp) -> None:
    s = start(tcp(gso=65_535))
    s.call("send", s.sock, bytes(5 * MSS + 10))
    says(s, unacked=6, segs_out=6, data_segs_out=6, bytes_sent=5 * MSS + 10)
    s.rx("A", ack=1 + 2 * MSS)
    says(s, unacked=4, delivered=3)
    s.burst()
    s.tx("A", after=200)
    says(s, lost=4, retrans=1, total_retrans=1)
    s.burst()
