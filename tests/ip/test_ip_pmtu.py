# SPDX-License-Identifier: GPL-2.0-or-later
"""What is learnt of the MTU of paths: what can be true, for how long, how much of it (RFC 1191, RFC 8201)."""

import pytest
from ip_tools import MY4, MY6, SECOND, YOU4, YOU6, Host, ip

from labstack.ip import pmtu, route
from labstack.ip.quoted import meaning

V4 = pytest.param(YOU4, id="v4")
BOTH = pytest.mark.parametrize("to", [V4, pytest.param(YOU6, id="v6")])


def mtu(host: Host, to: str) -> int:
    path = route.lookup(host.env, host.net, ip(to))
    assert path is not None
    return path.mtu


@BOTH
def test_less_is_believed(to: str) -> None:
    """RFC 1191 §3, RFC 8201 §4."""
    host = Host()
    assert pmtu.learn(host.env, host.net, ip(to), 1300)
    assert mtu(host, to) == 1300


@BOTH
def test_more_is_never_believed(to: str) -> None:
    """RFC 1191 §3, RFC 8201 §4: nor as much as we know already."""
    host = Host()
    pmtu.learn(host.env, host.net, ip(to), 1300)
    for more in (1300, 1301, 1500, 9000):
        assert not pmtu.learn(host.env, host.net, ip(to), more)
    assert mtu(host, to) == 1300


@pytest.mark.parametrize("told", [0, 68, 551])
def test_ipv4_paths_are_not_believed_below_the_least_and_then_have_no_df(told: int) -> None:
    """RFC 1191 §5, tcp_v4's ip_rt_min_pmtu."""
    host = Host()
    pmtu.learn(host.env, host.net, ip(YOU4), told)
    path = route.lookup(host.env, host.net, ip(YOU4))
    assert path is not None
    assert (path.mtu, path.fragile) == (552, True)


@pytest.mark.parametrize("told", [0, 68, 600, 1279])
def test_ipv6_paths_below_1280_do_not_exist(told: int) -> None:
    """RFC 8201 §4: no atomic fragments, either."""
    host = Host()
    assert not pmtu.learn(host.env, host.net, ip(YOU6), told)
    assert mtu(host, YOU6) == 1500


@BOTH
def test_it_is_forgotten_after_ten_minutes(to: str) -> None:
    """RFC 1191 §6.3, RFC 8201 §4: never earlier than 5 minutes."""
    host = Host()
    pmtu.learn(host.env, host.net, ip(to), 1300)
    host.wait(599 * SECOND)
    assert mtu(host, to) == 1300
    host.wait(2 * SECOND)
    assert mtu(host, to) == 1500
    assert not host.net.learnt
    assert pmtu.TIMER not in host.env.timers.at


def test_each_destination_is_forgotten_in_its_time() -> None:
    host = Host()
    pmtu.learn(host.env, host.net, ip(YOU4), 1300)
    host.wait(100 * SECOND)
    pmtu.learn(host.env, host.net, ip(YOU6), 1300)
    host.wait(501 * SECOND)
    assert (mtu(host, YOU4), mtu(host, YOU6)) == (1500, 1300)
    host.wait(100 * SECOND)
    assert mtu(host, YOU6) == 1500


def test_the_table_is_bounded_and_the_oldest_makes_room() -> None:
    """Whoever quotes many destinations costs us no more than that."""
    host = Host()
    route.add(host.net, "0.0.0.0/0", via=YOU4)
    for n in range(pmtu.ENTRIES + 10):
        pmtu.learn(host.env, host.net, bytes((11, 0, n >> 8, n & 255)), 1000)
    assert len(host.net.learnt) == pmtu.ENTRIES
    assert host.env.count["PmtuEvictions"] == 10
    assert mtu(host, "11.0.0.9") == 1500
    assert mtu(host, "11.0.0.10") == 1000


def test_a_locked_route_learns_nothing() -> None:
    """`ip route add ... mtu lock N`."""
    host = Host()
    route.insert(host.net, route.Route(ip(YOU4), 32, dev=1, mtu=1400, lock=True))
    assert mtu(host, YOU4) == 1400
    assert not pmtu.learn(host.env, host.net, ip(YOU4), 1000)
    assert mtu(host, YOU4) == 1400


def test_a_route_says_what_its_path_carries() -> None:
    """`ip route add ... mtu N`: more can be learnt."""
    host = Host()
    route.insert(host.net, route.Route(ip(YOU4), 32, dev=1, mtu=1400))
    assert pmtu.learn(host.env, host.net, ip(YOU4), 1000)
    assert mtu(host, YOU4) == 1000


@pytest.mark.parametrize(
    ("mode", "proto", "heard"), [(0, 17, 1200), (1, 6, 0), (2, 6, None), (3, 6, 1200), (3, 17, None)]
)
def test_whether_routers_are_believed_is_configured(mode: int, proto: int, heard: int | None) -> None:
    """net.ipv4.ip_no_pmtu_disc: as it is said, the least, not at all, only what a transport can check."""
    host = Host(**{"net.ipv4.ip_no_pmtu_disc": mode})
    family = route.of(ip(MY4))
    told = pmtu.told(host.env, meaning(family, 3, 4, 1200, proto, ip(MY4), ip(YOU4), bytes(8)))
    assert (told.mtu if told is not None else None) == heard


def test_ipv6_and_other_errors_are_always_heard() -> None:
    host = Host(**{"net.ipv4.ip_no_pmtu_disc": 2})
    six = meaning(route.of(ip(MY6)), 2, 0, 1300, 6, ip(MY6), ip(YOU6), bytes(8))
    other = meaning(route.of(ip(MY4)), 3, 1, 0, 6, ip(MY4), ip(YOU4), bytes(8))
    assert pmtu.told(host.env, six) == six
    assert pmtu.told(host.env, other) == other


def test_a_route_is_changed_in_its_place() -> None:
    """`ip route change`."""
    host = Host()
    for size in (640, 1400):
        route.change(host.net, YOU4, "", "eth0", mtu=size, lock=True, advmss=600, initcwnd=11)
        path = route.lookup(host.env, host.net, ip(YOU4))
        assert path is not None
        assert (path.mtu, path.fixed, path.advmss, path.initcwnd) == (size, True, 600, 11)
    assert len([r for r in host.net.routes if r.plen == 32 and len(r.prefix) == 4]) == 1
