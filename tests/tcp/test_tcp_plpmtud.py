# SPDX-License-Identifier: GPL-2.0-or-later
"""The MTU of a path found out without routers (RFC 4821, RFC 8899): when a probe goes, and what its fate means."""

from collections.abc import Callable

import pytest
from tcp_script import Script

from labstack.ip import pmtu
from labstack.ip.family import parse_addr
from labstack.tcp.loss import LOSS, OPEN

Tcp = Callable[..., Script]
ALWAYS = {"net.ipv4.tcp_mtu_probing": 2, "net.ipv4.tcp_base_mss": 1000}
PROBE = 1230  # half way between 1040 and 1500, without headers


def probing(tcp: Tcp, **settings: int) -> Script:
    """A connection that we opened, with a window of 20 segments."""
    s = tcp(sysctl=ALWAYS | settings).active(win=65535)
    assert s.conn.snd.mss == 1000
    s.call("send", s.sock, bytes(10_000))
    s.burst()
    s.wait(50)
    s.rx("A")
    assert s.conn.snd.cc.cwnd >= 11
    return s


def write(s: Script, size: int) -> list[int]:
    s.call("send", s.sock, bytes(size))
    return [seg.size for seg in s.burst()]


def test_a_probe_is_one_segment_half_way_in_the_range(tcp: Tcp) -> None:
    """RFC 4821 §7.2, §7.3: and it counts for two."""
    s = probing(tcp)
    before = s.conn.snd.cc.cwnd
    assert write(s, 8000) == [PROBE] + [1000] * 6 + [770]
    assert s.conn.snd.cc.cwnd == before - 1
    assert s.noted("4821/7.2/probe") in (0, 1)


def test_a_probe_that_arrived_makes_segments_larger(tcp: Tcp) -> None:
    """RFC 4821 §7.6.1: cwnd is as many bytes as before."""
    s = probing(tcp)
    write(s, 8000)
    s.rx("A")
    assert s.conn.snd.mss == PROBE
    assert s.count("TcpExtTCPMTUPSuccess") == 1
    assert s.conn.snd.cc.cwnd * (PROBE + 40) <= 31 * 1040


def test_a_probe_that_alone_was_lost_is_no_congestion(tcp: Tcp) -> None:
    """RFC 4821 §7.7: its bytes go again at once, and no larger probe follows."""
    s = probing(tcp)
    before = s.conn.snd.cc.cwnd
    write(s, 8000)
    for _ in range(3):
        s.rx("A", ack=10_001)
    again = s.burst()
    assert [seg.size for seg in again][:1] == [1000]
    assert again[0].seq == 10_001
    assert s.conn.snd.cc.cwnd == before
    assert s.conn.search.high == PROBE + 40 - 1
    assert (s.count("TcpExtTCPMTUPFail"), s.count("TcpExtTCPMTUPSuccess")) == (1, 0)


def test_a_timeout_that_a_probe_may_have_caused_is_under_no_suspicion(tcp: Tcp) -> None:
    """Linux's tcp_enter_loss: F-RTO has nothing to find out, the probe was too large."""
    s = probing(tcp)
    write(s, 9000)
    s.wait(300)
    assert (s.conn.snd.loss.state, s.conn.snd.loss.frto) == (LOSS, False)
    s.burst()


def test_another_loss_says_nothing_of_the_probe(tcp: Tcp) -> None:
    """What was sent again makes the probe inconclusive."""
    s = probing(tcp)
    write(s, 8000)
    s.rx("A", ack=11_231)  # the probe has arrived
    assert s.count("TcpExtTCPMTUPSuccess") == 1
    s = probing(tcp)
    s.call("send", s.sock, bytes(1000))
    s.burst()
    write(s, 8000)
    for _ in range(3):
        s.rx("A", ack=10_001)  # what went before the probe is lost
    s.burst()
    assert s.conn.search.probe == 0
    assert s.count("TcpExtTCPMTUPFail") == 0


@pytest.mark.parametrize("size", [1000, 4000, 5229])
def test_without_enough_data_behind_it_no_probe_goes(tcp: Tcp, size: int) -> None:
    """tcp_mtu_probe: its loss must show by duplicate ACKs, four segments after it."""
    s = probing(tcp)
    assert PROBE not in write(s, size)
    assert s.conn.search.probe == 0


def test_without_enough_window_no_probe_goes(tcp: Tcp) -> None:
    s = probing(tcp)
    s.rx("A", win=5000)
    s.any_window = True
    assert PROBE not in write(s, 8000)


def test_with_a_small_cwnd_no_probe_goes(tcp: Tcp) -> None:
    s = probing(tcp)
    s.conn.snd.cc.cwnd = 10
    assert PROBE not in write(s, 8000)


def test_only_one_probe_is_under_way(tcp: Tcp) -> None:
    s = probing(tcp)
    write(s, 8000)
    assert PROBE not in write(s, 8000)


def test_a_range_that_is_too_small_is_searched_again_after_ten_minutes(tcp: Tcp) -> None:
    """RFC 4821 §7.3, tcp_probe_threshold, tcp_probe_interval."""
    s = probing(tcp, **{"net.ipv4.tcp_probe_threshold": 300, "net.ipv4.tcp_slow_start_after_idle": 0})
    write(s, 8000)
    s.rx("A")
    low = s.conn.search.low
    write(s, 8000)
    s.rx("A")
    assert (s.conn.search.probe, s.conn.snd.mss) == (0, PROBE)
    s.conn.search = s.conn.search._replace(high=low + 100)
    s.wait(601_000)
    write(s, 8000)
    assert (s.conn.search.low, s.conn.search.high) == (low, 1500)
    s.burst()


def test_what_a_router_says_bounds_the_search(tcp: Tcp) -> None:
    """RFC 4821 §7.6.4: both may know something."""
    s = probing(tcp)
    s.call("send", s.sock, bytes(1000))
    s.too_big(s.tx().raw, 1300)
    assert s.conn.search.high == 1300


def test_what_was_learnt_before_bounds_the_search_of_who_is_connected_to(tcp: Tcp) -> None:
    """RFC 4821 §7.2: no probe is larger than what the path is known to carry."""
    s = tcp(sysctl=ALWAYS)
    pmtu.learn(s.stack.env, s.stack.net, parse_addr(s.peer), 600)
    s.passive()
    s.conn.snd.cc.cwnd = 20
    assert set(write(s, 8000)[:-1]) == {560}


def hole(tcp: Tcp, mode: int) -> Script:
    s = tcp(sysctl={"net.ipv4.tcp_mtu_probing": mode}).passive()
    s.call("send", s.sock, bytes(1460))
    s.tx(size=1460)
    return s


def test_a_black_hole_makes_segments_smaller_again_and_again(tcp: Tcp) -> None:
    """RFC 4821 §7.7, RFC 2923 §2.1: when timeouts have gone on for tcp_retries1 of them."""
    s = hole(tcp, 1)
    sizes = [s.soon().size for _ in range(12)]
    assert sizes[:3] == [1460] * 3
    assert [size for at, size in enumerate(sizes) if size != sizes[at - 1]] == [1460, 1024, 512, 256, 128, 64, 48]
    assert s.conn.snd.loss.state != OPEN


def test_black_holes_are_nobodys_business_without_probing(tcp: Tcp) -> None:
    """tcp_mtu_probing 0."""
    s = hole(tcp, 0)
    assert {s.soon().size for _ in range(10)} == {1460}


def test_a_path_that_grew_makes_no_segment_smaller(tcp: Tcp) -> None:
    """`ip route change`: the search begins below what is known to get through."""
    s = tcp(sysctl={"net.ipv4.tcp_mtu_probing": 2, "net.ipv4.tcp_base_mss": 512})
    s.call("route_change", s.peer, "", 1, 640, True, 600, 11)
    s.listen()
    s.rx("S", mss=1460)
    assert s.tx("SA").mss == 600
    s.rx("A")
    s.accept()
    assert (s.conn.snd.mss, s.conn.snd.cc.cwnd) == (600, 11)
    s.call("route_change", s.peer, "", 1, 1500, True, 1460)
    s.call("send", s.sock, bytes(4000))
    assert [seg.size for seg in s.burst()] == [986, 600, 600, 600, 600, 600, 14]
    s.rx("A")
    s.call("send", s.sock, bytes(2000))
    assert [seg.size for seg in s.burst()] == [986, 986, 28]
