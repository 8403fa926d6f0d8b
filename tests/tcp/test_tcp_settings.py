# SPDX-License-Identifier: GPL-2.0-or-later
"""What an application may set on a connection: segment size, patience, TCP_LINGER2, TCP_QUICKACK (Linux's options)."""

import errno
from collections.abc import Callable

import pytest
from tcp_script import Script

from labstack.tcp.settings import SETTINGS

Tcp = Callable[..., Script]


def test_every_setting_reads_what_was_written(tcp: Tcp) -> None:
    for name, it in SETTINGS.items():
        s = tcp().passive()
        for value in (it.least, it.most):
            s.call("setopt", s.sock, name, value)
            kept = 0 if name in ("hops6", "tclass6") else value & 1 if name == "quickack" else value
            kept = s.conn.discover if name == "discover6" else kept
            kept = max(value, 1152) if name == "window_clamp" else kept
            assert it.read(s.conn) == kept
        for value in {it.least - 1, it.most + 1} - ({0} if it.unset else set()):
            s.fails(errno.EINVAL, "setopt", s.sock, name, value)


@pytest.mark.parametrize(("name", "least"), [("maxseg", 88), ("rcvbuf", 1152), ("sndbuf", 2304)])
def test_no_setting_goes_below_linuxs(tcp: Tcp, name: str, least: int) -> None:
    """TCP_MIN_MSS; SOCK_MIN_RCVBUF and SOCK_MIN_SNDBUF, which are twice that."""
    s = tcp().passive()
    s.fails(errno.EINVAL, "setopt", s.sock, name, least - 1)
    s.call("setopt", s.sock, name, least)
    s.call("setopt", s.sock, "maxseg", 0)


def test_maxseg_limits_what_we_announce_and_what_we_send(tcp: Tcp) -> None:
    """RFC 9293 §3.7.1; Linux's TCP_MAXSEG."""
    s = tcp()
    s.connect(maxseg=1000)
    assert s.tx("S").mss == 1000
    s.rx("SA", mss=1460)
    s.tx("A")
    s.call("send", s.sock, bytes(1500))
    assert [seg.size for seg in s.burst()] == [1000, 500]
    s = tcp()
    s.listen(options={"maxseg": 700})
    s.rx("S", mss=1460)
    assert s.tx("SA").mss == 700


def test_maxseg_is_settled_by_the_syns(tcp: Tcp) -> None:
    s = tcp().passive()
    s.call("setopt", s.sock, "maxseg", 500)
    s.call("send", s.sock, bytes(1460))
    s.tx(size=1460)


def test_syn_retries_of_one_connection(tcp: Tcp) -> None:
    """RFC 9293 §3.8.3, MUST-21; Linux's TCP_SYNCNT."""
    s = tcp(sysctl={"net.ipv4.tcp_syn_linear_timeouts": 0})
    s.connect(syn_retries=2)
    s.tx("S")
    s.tx("S", after=1000)
    s.tx("S", after=2000)
    s.wait(4000)
    s.fails(errno.ETIMEDOUT, "recv", s.sock)
    s = tcp()
    s.listen(options={"syn_retries": 1})
    s.rx("S", mss=1460)
    s.tx("SA")
    s.tx("SA", after=1000)
    s.nothing(100_000)


def test_the_user_timeout_is_r2_in_time(tcp: Tcp) -> None:
    """RFC 9293 §3.8.3, MUST-21; RFC 5482; Linux's TCP_USER_TIMEOUT, which counts from the first retransmission."""
    s = tcp().passive(user_timeout=1500)
    s.call("send", s.sock, b"x")
    s.tx("PA")
    for after in (200, 400, 800):
        s.tx("PA", after=after)
    s.wait(299)
    s.state("ESTABLISHED")
    s.wait(1)
    s.state("CLOSED")
    s.fails(errno.ETIMEDOUT, "recv", s.sock)


def test_a_long_user_timeout_outlives_the_count_of_retransmissions(tcp: Tcp) -> None:
    s = tcp(sysctl={"net.ipv4.tcp_retries2": 2}).passive(user_timeout=60_000)
    s.call("send", s.sock, b"x")
    s.tx("PA")
    for after in (200, 400, 800, 1600, 3200):
        s.tx("PA", after=after)
    s.rx("A", ack=2)
    s.nothing(60_000)
    s.state("ESTABLISHED")


def test_the_user_timeout_ends_a_connecting_socket(tcp: Tcp) -> None:
    s = tcp()
    s.connect(user_timeout=2500)
    s.tx("S")
    s.tx("S", after=1000)
    s.tx("S", after=1000)
    s.wait(499)
    s.state("SYN_SENT")
    s.wait(1)
    s.fails(errno.ETIMEDOUT, "recv", s.sock)


def test_the_user_timeout_ends_window_probes(tcp: Tcp) -> None:
    """Linux's tcp_probe_timer: even if the peer answers each of them."""
    s = tcp().passive(user_timeout=1000)
    s.rx("A", ack=1, win=0)
    s.call("send", s.sock, b"x")
    for after in (200, 400):
        s.tx(after=after)
        s.rx("A", ack=1, win=0)
    s.wait(600)
    s.fails(errno.ETIMEDOUT, "recv", s.sock)


def test_window_probes_that_nobody_answers_end_as_retransmissions_do(tcp: Tcp) -> None:
    """RFC 9293 §3.8.6.1 asks for patience only with a peer that answers (MUST-37)."""
    s = tcp(sysctl={"net.ipv4.tcp_retries2": 3}).passive()
    s.rx("A", ack=1, win=0)
    s.call("send", s.sock, b"x")
    for after in (200, 400, 800):
        s.tx(after=after)
    s.rx("A", ack=1, win=0)
    for after in (1600, 3200, 6400):
        s.tx(after=after)
    s.wait(12_800)
    s.state("CLOSED")
    s.fails(errno.ETIMEDOUT, "recv", s.sock)


@pytest.mark.parametrize(("linger2", "ms"), [(0, 60_000), (5, 5000)])
def test_linger2_is_the_time_in_fin_wait_2_without_an_owner(tcp: Tcp, linger2: int, ms: int) -> None:
    """Linux's TCP_LINGER2."""
    s = tcp().passive(linger2=linger2)
    s.call("close", s.sock)
    s.tx("FA")
    s.rx("A", ack=2)
    s.wait(ms - 1)
    s.state("FIN_WAIT_2")
    s.wait(1)
    s.gone()


def test_a_negative_linger2_leaves_fin_wait_2_at_once(tcp: Tcp) -> None:
    s = tcp().passive(linger2=-1)
    s.call("close", s.sock)
    s.tx("FA")
    s.rx("A", ack=2)
    s.tx("R", seq=2)
    s.gone()
    s = tcp().passive(linger2=-1)
    s.call("shutdown", s.sock, 1)
    s.tx("FA")
    s.rx("A", ack=2)
    s.call("close", s.sock)
    s.tx("RA")
    s.gone()
    assert s.count("TcpExtTCPAbortOnLinger") == 1


def test_quickack_sends_what_is_due_and_its_absence_waits(tcp: Tcp) -> None:
    """Linux's TCP_QUICKACK."""
    s = tcp().passive()
    s.call("setopt", s.sock, "quickack", 0)
    s.rx("PA", data=10)
    s.nothing()
    s.call("setopt", s.sock, "quickack", 1)
    s.nothing()
    s.call("recv", s.sock)
    s.call("setopt", s.sock, "quickack", 1)
    s.tx("A", ack=11)
    s.rx("PA", data=10)
    s.tx("A", ack=21)
    s.call("setopt", s.sock, "quickack", 0)
    s.rx("PA", data=10)
    s.call("recv", s.sock)
    s.call("setopt", s.sock, "quickack", 2)
    s.tx("A", ack=31)
    s.rx("PA", data=10)
    s.nothing()
    s.tx("A", after=40)


def test_fragments_on_the_way_may_be_allowed(tcp: Tcp) -> None:
    """RFC 1191: DF is set unless the application does without path MTU discovery."""
    s = tcp().passive()
    s.call("send", s.sock, b"x")
    assert s.tx().raw[6] & 0x40
    s.rx("A", ack=2)
    s.call("setopt", s.sock, "discover", 0)
    s.call("send", s.sock, b"x")
    assert not s.tx().raw[6] & 0x40


def test_options_of_one_family_leave_the_other_alone(tcp: Tcp) -> None:
    for family, tos, ttl in ((4, 8, 9), (6, 16, 10)):
        s = tcp(family=family).passive(tos4=8, ttl4=9, tclass6=16, hops6=10)
        assert (s.conn.tos, s.conn.ttl) == (tos, ttl)


def test_congestion_is_chosen_by_name_or_number(tcp: Tcp) -> None:
    s = tcp().passive()
    for wanted, name in (("bbr", "bbr"), (0, "reno")):
        s.call("setopt", s.sock, "congestion", wanted)
        assert s.conn.snd.cc.name == name
    s.fails(errno.ENOENT, "setopt", s.sock, "congestion", "vegas")


def test_a_listener_hands_its_congestion_control_on(tcp: Tcp) -> None:
    s = tcp()
    s.listen(options={"congestion": "bbr"})
    s.rx("S", mss=1460)
    s.tx("SA")
    s.rx("A", seq=1, ack=1)
    s.accept()
    assert s.conn.snd.cc.name == "bbr"
