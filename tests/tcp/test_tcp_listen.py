# SPDX-License-Identifier: GPL-2.0-or-later
"""Listening as Linux does it: the two queues, the SYN,ACK and its timer, who is let in; and ports of who connects."""

import errno
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from tcp_script import Script

from labstack.stack import ports

Tcp = Callable[..., Script]


def knocks(s: Script, port: int, **options: Any) -> None:
    """A SYN from this port, and our SYN,ACK."""
    s.sport, s.pseq, s.pack, s.iss = port, 0, 0, None
    s.rx("S", mss=1460, **options)
    s.tx("SA", seq=0, ack=1)


# ---- TCP_DEFER_ACCEPT -----------------------------------------------------------------------------------------------


def test_a_deferred_connection_opens_with_its_first_data(tcp: Tcp) -> None:
    """Linux's tcp_check_req: a bare ACK is dropped, and the SYN,ACK is not repeated while there is time."""
    s = tcp()
    s.listen(options={"defer_accept": 3})
    knocks(s, 4000)
    s.rx("A")
    s.fails(errno.EAGAIN, "accept", 1)
    s.nothing(2900)
    s.rx("PA", data=b"GET")
    s.tx("A", ack=4)
    s.accept()
    assert s.call("recv", s.sock) == b"GET"
    assert (s.count("TcpExtTCPDeferAcceptDrop"), s.count("drop.tcp.defer_accept")) == (1, 1)
    s.end()


def test_at_the_end_of_its_time_a_bare_ack_opens(tcp: Tcp) -> None:
    """Linux's syn_ack_recalc: the last SYN,ACK gives the peer another chance to say something, or at least ACK."""
    s = tcp()
    s.listen(options={"defer_accept": 2})
    knocks(s, 4000)
    s.rx("A")
    s.nothing(2900)
    s.tx("SA", after=100)
    s.rx("A")
    s.accept()
    s.state("ESTABLISHED")


def test_a_fin_counts_as_data(tcp: Tcp) -> None:
    """Linux's tcp_check_req: only what is empty is dropped."""
    s = tcp()
    s.listen(options={"defer_accept": 2})
    knocks(s, 4000)
    s.rx("FA")
    s.accept()
    s.state("CLOSE_WAIT")
    s.tx("A", after=0)


def test_a_client_can_save_the_last_ack_of_the_handshake(tcp: Tcp) -> None:
    """Linux's tcp_rcv_synsent_state_process: data will take it along, or it goes after 200 ms."""
    s = tcp()
    s.connect(defer_accept=1)
    s.tx("S")
    s.rx("SA", mss=1460)
    s.nothing(100)
    s.call("send", s.sock, b"GET")
    s.tx("PA", seq=1, ack=1, data=b"GET")
    s = tcp()
    s.connect(defer_accept=1)
    s.tx("S")
    s.rx("SA", mss=1460)
    s.tx("A", after=200)


# ---- the queues -----------------------------------------------------------------------------------------------------


def test_tcp_abort_on_overflow_resets_who_finds_the_queue_full(tcp: Tcp) -> None:
    """Linux's tcp_check_req: embryonic_reset instead of silence."""
    s = tcp(sysctl={"net.ipv4.tcp_abort_on_overflow": 1})
    s.listen(backlog=1)
    for port in (4001, 4002):
        knocks(s, port)
    s.stack.listeners[1].backlog = 0
    s.rx("A")
    s.sport, s.iss = 4001, s.stack.conns[2].snd.iss
    s.rx("A", seq=1, ack=1)
    s.tx("R", seq=1, win=0)
    s.gone(2)
    assert s.count("TcpExtEmbryonicRsts") == s.count("TcpExtListenOverflows") == s.count("TcpExtListenDrops") == 1


def test_a_syn_while_the_accept_queue_is_full_is_dropped(tcp: Tcp) -> None:
    """Linux's tcp_conn_request: sk_acceptq_is_full, one more than the backlog."""
    s = tcp()
    s.listen(backlog=0)
    knocks(s, 4001)
    s.rx("A")
    s.sport, s.pseq = 4002, 0
    s.rx("S")
    s.nothing(100)
    assert s.count("TcpExtListenOverflows") == s.count("TcpExtListenDrops") == s.count("drop.tcp.accept_queue") == 1


def test_the_old_make_room_for_the_young(tcp: Tcp) -> None:
    """Linux's reqsk_timer_handler: of a crowd of half-open connections the old have fewer repetitions."""
    s = tcp(sysctl={"net.ipv4.tcp_syncookies": 0})
    s.listen(backlog=10)
    for port in range(1000, 1010):
        knocks(s, port)
    s.any_window = True
    s.wait(7_100)
    assert len(s.burst()) == 10 * 2  # at 1 and 3 s
    assert s.stack.conns == {}
    assert (s.stack.listeners[1].young, s.stack.listeners[1].half) == (0, {})


def test_a_few_half_open_connections_have_all_their_time(tcp: Tcp) -> None:
    """Linux's reqsk_timer_handler: eight of them are no crowd."""
    s = tcp()
    s.listen(backlog=1)
    for port in (1000, 1001):
        knocks(s, port)
    s.any_window = True
    s.wait(62_900)
    assert len(s.burst()) == 2 * 5
    assert len(s.stack.conns) == 2
    s.nothing(200)
    assert s.stack.conns == {}


def test_the_listener_says_how_often_its_syn_acks_go(tcp: Tcp) -> None:
    """Linux's TCP_SYNCNT: for listeners, too."""
    s = tcp()
    s.listen(options={"syn_retries": 1})
    knocks(s, 4000)
    s.tx("SA", after=1000)
    s.nothing(2000)
    assert s.stack.conns == {}
    assert (s.count("TcpExtTCPSynRetrans"), s.count("TcpRetransSegs"), s.count("TcpExtTCPTimeouts")) == (1, 1, 2)
    s.end()


def test_syns_that_come_again_are_answered_now_and_then(tcp: Tcp) -> None:
    """Linux's tcp_check_req: one in tcp_invalid_ratelimit, and the timer starts again."""
    s = tcp()
    s.listen()
    knocks(s, 4000)
    s.wait(900)
    s.rx("S", seq=0, mss=1460)
    s.tx("SA")
    for _ in range(5):
        s.rx("S", seq=0, mss=1460)
    s.nothing(400)
    assert s.count("TcpExtTCPACKSkippedSynRecv") == 5
    s.tx("SA", after=600)


def test_resets_of_half_open_connections_are_counted(tcp: Tcp) -> None:
    """Linux's EmbryonicRsts and AttemptFails; nobody is told."""
    s = tcp()
    s.listen()
    knocks(s, 4000)
    s.rx("R", seq=1)
    assert (s.count("TcpExtEmbryonicRsts"), s.count("TcpAttemptFails"), s.count("TcpPassiveOpens")) == (1, 1, 0)
    assert s.stack.conns == {}


def test_opens_are_counted_when_they_are_open(tcp: Tcp) -> None:
    """RFC 4022, tcpPassiveOpens; Linux's tcp_create_openreq_child."""
    s = tcp()
    s.listen()
    knocks(s, 4000)
    assert s.count("TcpPassiveOpens") == 0
    s.rx("A")
    assert s.count("TcpPassiveOpens") == 1


def test_the_round_trip_is_that_of_a_syn_ack_that_went_once(tcp: Tcp) -> None:
    """RFC 6298 §3, Karn: a repeated one tells nothing, and the timeout begins at 3 s (§5.7)."""
    s = tcp()
    s.listen()
    knocks(s, 4000)
    s.wait(50)
    s.rx("A")
    s.accept()
    assert s.conn.snd.rtt.srtt == 50_000_000
    knocks(s, 4001)
    s.tx("SA", after=1000)
    s.rx("A")
    s.accept()
    assert (s.conn.snd.rtt.srtt, s.conn.snd.rtt.rto) == (0, 3_000_000_000)


# ---- orphans, and a peer that is somewhere else ---------------------------------------------------------------------


def test_too_many_orphans_are_reset(tcp: Tcp) -> None:
    """Linux's tcp_max_orphans: who closes may not leave behind more connections than that."""
    s = tcp(sysctl={"net.ipv4.tcp_max_orphans": 1})
    s.listen()
    for port in (4001, 4002):
        knocks(s, port)
        s.rx("A")
        s.accept()
        s.call("close", s.sock)
        s.tx("FA", seq=1)
    s.tx("RA", seq=2)
    assert (s.count("TcpExtTCPAbortOnMemory"), len(s.stack.orphans), len(s.stack.conns)) == (1, 1, 1)


def test_an_orphan_whose_fin_is_acknowledged_is_none_any_more(tcp: Tcp) -> None:
    """Linux's tcp_max_orphans: in FIN-WAIT-2 and TIME-WAIT others count."""
    s = tcp()
    s.listen()
    knocks(s, 4001)
    s.rx("A")
    s.accept()
    s.call("close", s.sock)
    s.tx("FA")
    assert len(s.stack.orphans) == 1
    s.rx("A")
    assert len(s.stack.orphans) == 0


def test_a_peer_that_is_somewhere_else_gets_a_reset_and_soon_another_syn(tcp: Tcp) -> None:
    """RFC 9293 §3.5.1: recovery from a half-open connection; Linux does not wait a second for it."""
    s = tcp()
    s.connect()
    s.tx("S")
    s.rx("A", seq=777, ack=5000)
    s.tx("R", seq=5000)
    s.tx("S", after=8, seq=0)
    s.rx("A", seq=777, ack=5000)
    s.tx("R", seq=5000)
    s.tx("S", after=1000, seq=0)


# ---- ports ----------------------------------------------------------------------------------------------------------


def test_ephemeral_ports_of_a_destination_do_not_tell_those_of_others(tcp: Tcp) -> None:
    """RFC 6056 §3.3.4: a keyed offset, and a table of counters; a port comes again only after all others."""
    host = tcp().stack
    here = bytes((192, 0, 2, 1))

    def first(last: int) -> int:
        return next(ports.candidates(host, here, bytes((192, 0, 2, last)), 80))

    mine = [first(7) for _ in range(100)]
    assert len(set(mine)) == 100
    assert all(1 <= (b - a) // 2 <= 8 for a, b in pairwise(mine) if b > a)
    assert len({first(n) // 1000 for n in range(1, 100)}) > 15
    assert len(host.turns) <= ports.TURNS


@pytest.mark.parametrize(("low", "high"), [(50_000, 50_000), (50_000, 50_001), (50_000, 50_006), (49_999, 50_003)])
def test_every_port_of_the_range_is_tried_once(tcp: Tcp, low: int, high: int) -> None:
    """RFC 6056 §3.2; Linux's __inet_hash_connect: first those that bind() leaves, every other one."""
    names = ("net.ipv4.ip_local_port_range.min", "net.ipv4.ip_local_port_range.max")
    host = tcp(sysctl=dict(zip(names, (low, high), strict=True))).stack
    peer = bytes((192, 0, 2, 2))
    tried = list(ports.candidates(host, b"", peer, 80))
    assert sorted(tried) == list(range(low, high + 1))
    half = (high - low) // 2 + 1
    assert {port % 2 for port in tried[:half]} == {low % 2}
    unconnected = list(ports.candidates(host, b"", b"", 0))
    assert sorted(unconnected) == list(range(low, high + 1))
    assert high == low or unconnected[0] % 2 != low % 2
