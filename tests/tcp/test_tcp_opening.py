# SPDX-License-Identifier: GPL-2.0-or-later
"""Opening a connection: active, passive, simultaneous; listeners and their queues; initial sequence numbers."""

import errno
from collections.abc import Callable
from itertools import pairwise

import pytest
from tcp_script import Script

from labstack.core.config import MS
from labstack.core.counters import drops
from labstack.core.event import ACCEPTABLE, CLOSED, CONNECTED, FAILED, READABLE, WRITABLE, Rx, Wake
from labstack.core.frame import Frame

Tcp = Callable[..., Script]
BOTH = pytest.mark.parametrize("family", [4, 6])


@BOTH
def test_active_open_sends_syn_then_acknowledges_at_once(tcp: Tcp, family: int) -> None:
    """RFC 9293 §3.5, figure 6."""
    s = tcp(family=family)
    s.connect()
    s.tx("S", seq=0, ack=0, size=0, mss=1460 if family == 4 else 1440)
    s.state("SYN_SENT")
    s.rx("SA", mss=1460)
    s.tx("A", seq=1, ack=1, size=0, mss=None)
    s.state("ESTABLISHED")
    assert s.wakes == [Wake(s.sock, CONNECTED | WRITABLE)]


@BOTH
def test_passive_open_answers_syn_ack_and_hands_over_at_accept(tcp: Tcp, family: int) -> None:
    """RFC 9293 §3.10.7.2, third."""
    s = tcp(family=family)
    s.listen()
    s.fails(errno.EAGAIN, "accept", s.listener)
    s.rx("S", mss=1460)
    s.tx("SA", seq=0, ack=1, mss=1460 if family == 4 else 1440)
    s.fails(errno.EAGAIN, "accept", s.listener)
    s.rx("A")
    assert s.wakes == [Wake(s.listener, ACCEPTABLE)]
    assert s.call("accept", s.listener) == (2, (s.peer, 4000))
    s.state("ESTABLISHED", 2)
    prefix = "Ip" if family == 4 else "Ip6"
    assert {k: v for k, v in s.stack.env.count.items() if v} == {
        "LinkInFrames": 2, "LinkInDelivers": 2, f"{prefix}InReceives": 2, f"{prefix}InDelivers": 2, "TcpInSegs": 2,
        "TcpInDelivers": 2, "TcpPassiveOpens": 1, "TcpCurrEstab": 1, "TcpOutSegs": 1, f"{prefix}OutRequests": 1,
            "LinkOutFrames": 1,
    }  # fmt: skip


def test_simultaneous_open_as_in_the_figure(tcp: Tcp) -> None:
    """RFC 9293 §3.5, figure 7, MUST-10: SYNs cross, both answer SYN,ACK, both are established."""
    s = tcp()
    s.connect()
    s.tx("S", seq=0)
    s.rx("S", mss=1000, ws=3)
    s.tx("SA", seq=0, ack=1, mss=1460)
    s.state("SYN_RECEIVED")
    s.rx("SA", seq=0, ack=1, win=500)
    s.state("ESTABLISHED")
    assert s.count("TcpExtTCPChallengeACK") == 0
    assert drops(s.stack.env.count) == {}
    s.tx("A", seq=1, ack=1)  # as to any SYN that comes again
    assert s.conn.snd.wnd == 500, "the window in a SYN is never scaled (RFC 7323 §2.2)"
    s.rx("A", win=500)
    assert s.conn.snd.wnd == 4000


def test_simultaneous_open_is_finished_by_a_plain_ack_too(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.4, fifth, SYN-RECEIVED."""
    s = tcp()
    s.connect()
    s.tx("S")
    s.rx("S", mss=1000)
    s.tx("SA")
    s.wait(100)
    s.rx("A")
    s.state("ESTABLISHED")
    assert Wake(s.sock, CONNECTED | WRITABLE) in s.wakes
    # the SYN,ACK is no repetition of the SYN: it is timed, as on Linux
    assert (s.count("TcpRetransSegs"), s.conn.tally.retrans, s.conn.snd.rtt.srtt) == (0, 0, 100 * MS)
    assert s.conn.snd.rtt.rto == 300 * MS


def test_simultaneous_open_refused_in_syn_received_is_connection_refused(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.4, second: with an active OPEN the user is told."""
    s = tcp()
    s.connect()
    s.tx("S")
    s.rx("S")
    s.tx("SA")
    s.rx("R")
    s.state("CLOSED")
    s.fails(errno.ECONNREFUSED, "recv", s.sock)


def test_data_with_the_syn_ack_is_taken(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.3, fourth: other controls or text are processed after the SYN."""
    s = tcp()
    s.connect()
    s.tx("S")
    s.rx("SA", data=b"hello", mss=1460)
    s.pseq = 6
    s.tx("A", ack=6)
    assert s.call("recv", s.sock) == b"hello"


def test_fin_with_the_syn_ack_is_taken(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.3, fourth."""
    s = tcp()
    s.connect()
    s.tx("S")
    s.rx("SFA", mss=1460)
    s.tx("A", ack=2)
    s.state("CLOSE_WAIT")


def test_text_behind_the_syn_ack_in_one_batch_is_inside_the_window_of_our_syn(tcp: Tcp) -> None:
    """RFC 9293 §3.8.6: what our SYN offered holds before our next segment does."""
    s = tcp()
    s.connect()
    s.tx("S", win=64240)
    s.stack.handle(Rx(1, Frame(s.packet("SA", 0, 1, mss=1460), net=0)), s.now)
    s.stack.handle(Rx(1, Frame(s.packet("PA", 1, 1, b"x" * 1000), net=0)), s.now)
    s.settle()
    s.tx("A", ack=1001)
    assert s.call("recv", s.sock) == b"x" * 1000


def test_a_refused_connection_says_so(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.3, second."""
    s = tcp()
    s.connect()
    s.tx("S")
    s.rx("RA", seq=0, ack=1)
    assert s.wakes == [Wake(s.sock, CLOSED | FAILED)]
    s.fails(errno.ECONNREFUSED, "send", s.sock, b"x")
    s.call("close", s.sock)
    s.gone()
    assert s.count("TcpAttemptFails") == 1


@pytest.mark.parametrize(
    ("flags", "ack", "answer", "drop"),
    [
        ("A", 0, ("R", 0), "drop.tcp.syn_sent_ack"),  # old
        ("A", 2, ("R", 2), "drop.tcp.syn_sent_ack"),  # not yet sent
        ("SA", 0, ("R", 0), "drop.tcp.syn_sent_ack"),
        ("SA", 7, ("R", 7), "drop.tcp.syn_sent_ack"),
        ("RA", 0, None, "drop.tcp.syn_sent_ack"),
        ("RA", 2, None, "drop.tcp.syn_sent_ack"),
        ("R", 0, None, "drop.tcp.syn_sent_rst"),
        ("A", 1, None, "drop.tcp.syn_sent_nothing"),
        ("FA", 1, None, "drop.tcp.syn_sent_nothing"),
        ("F", 0, None, "drop.tcp.syn_sent_nothing"),
        ("", 0, None, "drop.tcp.syn_sent_nothing"),
        ("PU", 0, None, "drop.tcp.syn_sent_nothing"),
        ("SR", 0, None, "drop.tcp.syn_sent_rst"),
    ],
)
def test_syn_sent_ignores_or_resets_what_does_not_fit(
    tcp: Tcp, flags: str, ack: int, answer: tuple[str, int] | None, drop: str
) -> None:
    """RFC 9293 §3.10.7.3, first to fifth."""
    s = tcp()
    s.connect()
    s.tx("S")
    s.rx(flags, seq=0, ack=ack)
    s.state("SYN_SENT")
    assert drops(s.stack.env.count) == {drop: 1}
    if answer:
        s.tx(answer[0], seq=answer[1], win=0)


def test_the_syn_is_retransmitted_and_at_last_given_up(tcp: Tcp) -> None:
    """RFC 9293 §3.8.3, MUST-22; RFC 6298 (2.1), (5.5): 1, 2, 4, ... 64 s, then ETIMEDOUT."""
    s = tcp(sysctl={"net.ipv4.tcp_syn_linear_timeouts": 0})
    s.connect()
    s.tx("S")
    for seconds in (1, 2, 4, 8, 16, 32):
        s.tx("S", after=seconds * 1000, seq=0, mss=1460)
    s.nothing(64_000)
    assert s.wakes == [Wake(s.sock, CLOSED | FAILED)]
    s.fails(errno.ETIMEDOUT, "recv", s.sock)
    assert s.count("TcpExtTCPTimeouts") == 7
    assert s.count("TcpRetransSegs") == s.count("TcpExtTCPSynRetrans") == 6


def test_the_first_timeouts_of_a_syn_do_not_double(tcp: Tcp) -> None:
    """RFC 6298 §5.5; Linux's tcp_syn_linear_timeouts: four more SYNs, a second apart, and then 2, 4, ... 64 s."""
    s = tcp()
    s.connect()
    s.tx("S")
    for seconds in (1, 1, 1, 1, 1, 2, 4, 8, 16, 32):
        s.tx("S", after=seconds * 1000, seq=0)
    s.nothing(64_000)
    s.fails(errno.ETIMEDOUT, "recv", s.sock)


def test_linear_timeouts_do_not_prolong_few_retries_much(tcp: Tcp) -> None:
    """RFC 9293 §3.8.3; Linux's retransmits_timed_out: a SYN has the time that doubling would have taken, here 7 s."""
    s = tcp(sysctl={"net.ipv4.tcp_syn_retries": 2})
    s.connect()
    s.tx("S")
    for _ in range(5):
        s.tx("S", after=1000)
    s.nothing(2000)
    s.fails(errno.ETIMEDOUT, "recv", s.sock)


def test_the_syn_ack_is_retransmitted_and_at_last_forgotten(tcp: Tcp) -> None:
    """RFC 9293 §3.8.3: tcp_synack_retries; nothing is left of a half-open connection."""
    s = tcp()
    s.listen()
    s.rx("S")
    s.tx("SA")
    for seconds in (1, 2, 4, 8, 16):
        s.tx("SA", after=seconds * 1000, seq=0, ack=1)
    s.nothing(32_000)
    s.gone(2)
    assert s.stack.listeners[1].half == {}


def test_the_syn_again_brings_the_syn_ack_again(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.4, first: our SYN,ACK was lost."""
    s = tcp()
    s.listen()
    s.rx("S")
    s.tx("SA", seq=0, ack=1, mss=1460)
    s.rx("S", seq=0)
    s.tx("SA", seq=0, ack=1, mss=1460)
    s.rx("A")
    s.accept()
    s.state("ESTABLISHED")


def test_the_syn_again_with_text_is_the_same_syn(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.2: text with a SYN may be sent, and is sent again."""
    s = tcp()
    s.listen()
    for _ in range(3):
        s.rx("S", seq=0, data=b"early")
        s.tx("SA", seq=0, ack=1)
        s.wait(500)
    s.rx("PA", seq=1, data=b"early")
    s.tx("A", ack=6)
    s.accept()
    assert s.call("recv", s.sock) == b"early"


def test_another_syn_in_syn_received_of_a_passive_open_returns_to_listen(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.4, fourth, SYN-RECEIVED."""
    s = tcp()
    s.listen()
    s.rx("S")
    s.tx("SA")
    s.rx("S", seq=100)
    s.gone(2)
    assert s.stack.listeners[1].half == {}


def test_rst_in_syn_received_of_a_passive_open_returns_to_listen(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.4, second: the user is not told."""
    s = tcp()
    s.listen()
    s.rx("S")
    s.tx("SA")
    s.rx("R")
    s.gone(2)
    assert s.wakes in ([], [Wake(2, CLOSED | FAILED)])
    assert s.stack.listeners[1].half == {}
    s.fails(errno.EAGAIN, "accept", 1)


def test_a_wrong_ack_in_syn_received_is_answered_by_rst(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.4, fifth: SEG.ACK outside (SND.UNA, SND.NXT]."""
    s = tcp()
    s.listen()
    s.rx("S")
    s.tx("SA")
    for ack in (0, 2, 1 << 31):
        s.rx("A", ack=ack)
        s.tx("R", seq=ack, win=0)
    s.state("SYN_RECEIVED", 2)
    assert drops(s.stack.env.count) == {"drop.tcp.handshake_ack": 3}


def test_data_and_fin_with_the_last_ack_of_the_handshake(tcp: Tcp) -> None:
    """RFC 9293 §3.10.7.4, fifth: continue processing after SYN-RECEIVED."""
    s = tcp()
    s.listen()
    s.rx("S")
    s.tx("SA")
    s.rx("FPA", data=b"all in one")
    s.tx("A", ack=12, after=40)
    s.accept()
    s.state("CLOSE_WAIT")
    assert s.call("recv", s.sock) == b"all in one"
    assert s.call("recv", s.sock) == b""


# ---- listeners ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "drop", "answer"),
    [
        ("", "drop.tcp.listen_nothing", None),
        ("F", "drop.tcp.listen_nothing", None),
        ("FPU", "drop.tcp.listen_nothing", None),
        ("P", "drop.tcp.listen_nothing", None),
        ("SF", "drop.tcp.syn_fin", None),
        ("SR", "drop.tcp.listen_rst", None),
        ("R", "drop.tcp.listen_rst", None),
        ("RA", "drop.tcp.listen_rst", None),
        ("A", "drop.tcp.listen_ack", 77),
        ("SA", "drop.tcp.listen_ack", 77),
        ("FA", "drop.tcp.listen_ack", 77),
        ("SFRPAU", "drop.tcp.listen_rst", None),
    ],
)
def test_a_listener_wants_nothing_but_syns(tcp: Tcp, flags: str, drop: str, answer: int | None) -> None:
    """RFC 9293 §3.10.7.2, first to fourth."""
    s = tcp()
    s.listen()
    s.rx(flags, ack=77)
    assert drops(s.stack.env.count) == {drop: 1}
    if answer is not None:
        s.tx("R", seq=answer, win=0)
    assert s.stack.conns == {}


@pytest.mark.parametrize("flags", ["", "F", "S", "SF", "FPU", "A", "SA", "FA", "PA", "R", "RA", "SR", "SRA", "U"])
@pytest.mark.parametrize("size", [0, 9])
def test_nobody_listens_so_everything_but_a_rst_is_reset(tcp: Tcp, flags: str, size: int) -> None:
    """RFC 9293 §3.10.7.1."""
    s = tcp()
    s.rx(flags, seq=5, ack=77, data=size)
    assert drops(s.stack.env.count) == {"drop.tcp.closed": 1}
    if "R" in flags:
        s.nothing()
    elif "A" in flags:
        s.tx("R", seq=77, size=0, win=0)
    else:
        s.tx("RA", seq=0, ack=5 + size + ("S" in flags) + ("F" in flags), size=0, win=0)


def test_backlog_bounds_the_connections_that_wait_for_accept(tcp: Tcp) -> None:
    """Linux's sk_acceptq_is_full: backlog + 1 may wait; SYNs beyond are dropped without an answer."""
    s = tcp()
    s.listen(backlog=1)
    for port in (4001, 4002):
        _knock(s, port)
    s.sport = 4003
    s.rx("S", seq=0)
    assert drops(s.stack.env.count) == {"drop.tcp.accept_queue": 1}
    assert s.count("TcpExtListenOverflows") == 1
    assert s.call("accept", s.listener)[1][1] == 4001
    _knock(s, 4004)
    assert [s.call("accept", s.listener)[1][1] for _ in range(2)] == [4002, 4004]
    s.fails(errno.EAGAIN, "accept", s.listener)


def test_handshakes_that_finish_when_the_accept_queue_is_full_wait(tcp: Tcp) -> None:
    """Linux's tcp_v4_syn_recv_sock: the last ACK is dropped, the SYN,ACK comes again, and room may be there then."""
    s = tcp()
    s.listen(backlog=2)
    for port in (4001, 4002, 4003):
        s.sport = port
        s.rx("S", seq=0)
        s.tx("SA")
        s.pseq = 0
    s.stack.listeners[1].backlog = 0
    for port in (4001, 4002, 4003):
        s.sport, s.iss = port, s.stack.conns[port - 4000 + 1].snd.iss
        s.rx("A", seq=1, ack=1)
    assert len(s.stack.listeners[1].ready) == 1
    assert len(s.stack.listeners[1].half) == 2
    assert s.count("TcpExtListenOverflows") == 2
    s.call("accept", 1)
    s.any_window = True
    assert {seg.flags for seg in (s.tx(after=1000), s.tx())} == {"SA"}
    s.sport, s.iss = 4002, s.stack.conns[3].snd.iss
    s.rx("A", seq=1, ack=1)
    assert s.call("accept", 1)[1][1] == 4002


def _knock(s: Script, port: int) -> None:
    """The peer opens a connection from this port."""
    s.sport, s.pseq = port, 0
    s.rx("S")
    s.tx("SA")
    s.rx("A")


def test_closing_a_listener_resets_what_nobody_accepted_and_forgets_what_is_half_open(tcp: Tcp) -> None:
    """RFC 9293 §3.10.4, LISTEN; Linux's inet_csk_listen_stop."""
    s = tcp()
    s.listen()
    _knock(s, 4001)
    s.sport, s.pseq = 4002, 0
    s.rx("S")
    s.tx("SA")
    s.call("close", s.listener)
    assert [(seg.flags, seg.raw[22:24]) for seg in s.burst()] == [("RA", (4001).to_bytes(2, "big"))]
    assert (s.stack.conns, s.stack.flows, s.stack.bound, s.stack.env.timers.at) == ({}, {}, {}, {})
    s.rx("S", seq=500)
    s.tx("RA", ack=501)


def test_closing_a_listener_forgets_a_connection_that_was_reset_while_it_waited(tcp: Tcp) -> None:
    """RFC 9293 §3.10.4: nothing is left."""
    s = tcp()
    s.listen()
    _knock(s, 4001)
    s.rx("R")
    assert len(s.stack.listeners[1].ready) == 1
    s.call("close", s.listener)
    s.nothing()
    assert (s.stack.conns, s.stack.flows) == ({}, {})


def test_accepting_a_connection_that_was_reset_tells_why(tcp: Tcp) -> None:
    """RFC 9293 MUST-12; its addresses are free again."""
    s = tcp()
    s.listen()
    _knock(s, 4001)
    s.rx("R")
    _knock(s, 4001)
    sock, _ = s.call("accept", s.listener, 70)
    assert sock == 70
    s.fails(errno.ECONNRESET, "recv", 70)
    second, _ = s.call("accept", s.listener)
    s.state("ESTABLISHED", second)
    s.sock = second
    s.rx("PA", data=b"for the second")
    assert s.call("recv", second) == b"for the second"
    s.tx("A")
    s.call("close", 70)
    s.stack.check()


def test_accept_can_renumber_a_busy_connection(tcp: Tcp) -> None:
    """Timers, flows and unread data follow the new number."""
    s = tcp()
    s.listen()
    _knock(s, 4001)
    s.stack.conns[2].rcv.ato = 40 * MS  # as after many segments
    s.rx("PA", data=b"early")
    sock, _ = s.call("accept", s.listener, 99)
    s.tx("A", after=40, ack=6)
    assert s.call("recv", sock) == b"early"
    s.fails(errno.EBADF, "recv", 2)


def test_a_listener_on_one_address_and_another_on_all(tcp: Tcp) -> None:
    """RFC 9293 MUST-42, MUST-43: the one with the address comes first... and both cannot have one port."""
    s = tcp()
    s.stack.call("addr_add", 1, "192.0.2.9/24")
    s.call("listen", 80, "192.0.2.9")
    s.call("listen", 81)
    s.fails(errno.EADDRINUSE, "listen", 80, "192.0.2.9")
    s.fails(errno.EADDRINUSE, "listen", 80)
    s.call("listen", 80, "192.0.2.1")
    s.rx("S")
    s.tx("SA")
    (conn,) = s.stack.conns.values()
    assert s.stack.listeners[conn.parent].local == bytes((192, 0, 2, 1))


def test_a_syn_without_a_way_back_is_dropped(tcp: Tcp) -> None:
    """A source that we cannot reach costs nothing but a counter."""
    s = tcp()
    s.listen()
    s.peer = "198.51.100.7"
    s.rx("S")
    s.nothing()
    assert s.stack.conns == {}
    assert drops(s.stack.env.count) == {"drop.tcp.no_route": 1}


def test_a_syn_when_all_sockets_are_taken_is_dropped(tcp: Tcp) -> None:
    """Every table has a bound: the SYN waits for better times."""
    s = tcp()
    s.call("sysctl", "fs.file-max", 2)
    s.listen()
    s.rx("S")
    s.tx("SA")
    s.sport = 5000
    s.rx("S", seq=0)
    s.nothing()
    assert drops(s.stack.env.count) == {"drop.tcp.sockets": 1}


def test_listener_options_are_inherited_and_checked_at_once(tcp: Tcp) -> None:
    """A wrong option is the caller's mistake, not the peer's."""
    s = tcp()
    s.fails(errno.ENOPROTOOPT, "listen", 80, b"", 5, 0, {"colour": 1})
    s.fails(errno.EINVAL, "listen", 80, b"", 5, 0, {"ttl": 300})
    assert s.stack.bound == {}
    s.passive(nodelay=1, rcvbuf=5000, ttl=7)
    assert (s.conn.snd.nodelay, s.conn.rcv.limit, s.conn.ttl) == (True, 10_000, 7)


def test_a_connect_with_wrong_options_leaves_nothing(tcp: Tcp) -> None:
    """The call fails whole."""
    s = tcp()
    for options in ({"colour": 1}, {"ttl": 0}, {"nodelay": "yes"}):
        with pytest.raises(OSError, match=r"expected|no option"):
            s.stack.call("connect", s.peer, 80, options=options)
    assert (s.stack.conns, s.stack.flows) == ({}, {})


def test_syn_to_a_group_is_dropped(tcp: Tcp) -> None:
    """RFC 9293 MUST-57."""
    s = tcp()
    s.listen()
    s.us = "192.0.2.255"
    s.rx("S")
    s.nothing()
    assert drops(s.stack.env.count) == {"drop.tcp.group": 1}


@pytest.mark.parametrize("to", ["224.0.0.5", "255.255.255.255", "192.0.2.255", "0.0.0.0", "ff02::1", "::"])
def test_connect_to_no_single_host_is_refused(tcp: Tcp, to: str) -> None:
    """RFC 9293 MUST-46."""
    tcp().fails(errno.ENETUNREACH, "connect", to, 80)


# ---- initial sequence numbers and ports -----------------------------------------------------------------------------


def test_isn_moves_with_a_4_us_clock_and_differs_by_tuple_and_seed(tcp: Tcp) -> None:
    """RFC 9293 §3.4.1, MUST-8, SHLD-1; RFC 6528."""

    def isn(seed: int, port: int, us: int) -> int:
        s = tcp(seed=seed)
        s.now = us * 1000
        s.connect(port)
        s.burst()
        assert s.iss is not None
        return s.iss

    s1 = [isn(1, port, 0) for port in range(1, 40)]
    assert len({n >> 20 for n in s1}) > 35, "tuples are independent"
    assert isn(1, 1, 0) == s1[0]
    assert isn(2, 1, 0) != s1[0]
    s = tcp()
    s.listen()
    first: list[int] = []
    for ms in (0, 1, 1000):
        s.wait(ms)
        s.rx("S", seq=0)
        s.tx("SA")
        assert s.iss is not None
        first.append(s.iss)
        s.rx("R", seq=1)
    assert [(b - a) & 0xFFFFFFFF for a, b in pairwise(first)] == [250, 250_000]


def test_ephemeral_ports_differ_and_avoid_those_in_use(tcp: Tcp) -> None:
    """RFC 6056 §3.3.3; RFC 9293 MUST-41."""
    s = tcp(sysctl={"net.ipv4.ip_local_port_range.min": 50_000, "net.ipv4.ip_local_port_range.max": 50_003})
    s.call("listen", 50_002)
    ports = {s.stack.conns[s.call("connect", s.peer, 4000)].lport for _ in range(3)}
    assert ports == {50_000, 50_001, 50_003}
    s.fails(errno.EADDRNOTAVAIL, "connect", s.peer, 4000)
    s.call("connect", s.peer, 4001)
    s.burst()


def test_the_same_four_numbers_twice_are_refused(tcp: Tcp) -> None:
    """RFC 9293 §3.10.1: error: connection already exists."""
    s = tcp()
    s.call("connect", s.peer, 4000, 0, b"", 6000)
    s.fails(errno.EADDRINUSE, "connect", s.peer, 4000, 0, b"", 6000)
    s.burst()


def test_a_connection_to_itself(tcp: Tcp) -> None:
    """RFC 9293 §3.5: simultaneous open with oneself, over the loopback."""
    s = tcp()
    sock = s.call("connect", "127.0.0.1", 7777, 0, "127.0.0.1", 7777)
    s.state("ESTABLISHED", sock)
    s.call("send", sock, b"echo")
    assert s.call("recv", sock) == b"echo"
    s.call("close", sock)
    s.wait(200_000)
    s.gone(sock)


def test_two_sockets_of_one_host_over_the_loopback(tcp: Tcp) -> None:
    """Both ends in one stack, no frame on the wire."""
    s = tcp()
    s.call("listen", 80)
    a = s.call("connect", "192.0.2.1", 80)
    b, _ = s.call("accept", 1)
    assert s.call("send", a, bytes(300_000)) == 300_000
    got = b""
    while len(got) < 300_000:
        got += s.call("recv", b, 1 << 20)
        s.wait(1)
    assert READABLE in {w.what for w in s.wakes}
    s.call("close", a)
    s.call("close", b)
    s.wait(61_000)
    s.gone(a)
    s.gone(b)
    s.nothing()
