# SPDX-License-Identifier: GPL-2.0-or-later
"""Routes and source addresses: longest prefix, metrics, gateways, and RFC 6724's rules one by one."""

import errno

import pytest
from ip_tools import MY4, MY6, MYLL, OTHER, YOU4, YOU6, Host, ip

from labstack.core.errors import StackError
from labstack.ip import addrs, route
from labstack.ip.family import V4, V6, text
from labstack.ip.net import LOOPBACK, Path
from labstack.link.iface import DEPRECATED, DUPLICATED, TENTATIVE, Iface
from layers.checksum import ones_sum


def lookup(host: Host, dst: str, src: str = "", dev: int = 0) -> Path | None:
    found = route.lookup(host.env, host.net, ip(dst), ip(src) if src else None, dev)
    host.hold()
    return found


def way(host: Host, dst: str, **how: int) -> str:
    """'dev next-hop source' of the path to dst, or 'none'."""
    path = lookup(host, dst, **how)  # type: ignore[arg-type]
    return f"{path.dev} {text(path.nexthop)} {text(path.src)}" if path else "none"


def two_links() -> Host:
    host = Host()
    addrs.add_iface(host.env, host.net, Iface(2, "eth1", OTHER, mtu=9000, gso=65000))
    addrs.add_addr(host.env, host.net, 2, "192.0.2.1/24")
    addrs.add_addr(host.env, host.net, 2, "2001:db8::1/64")
    return host


def test_a_path_says_everything_that_sending_needs() -> None:
    host = two_links()
    for dst, family in (("192.0.2.9", V4), ("2001:db8::9", V6)):
        path = lookup(host, dst)
        assert path is not None
        assert (path.family, path.dev, path.mtu, path.gso, path.group) == (family, 2, 9000, 65000, False)
        assert path.sum == ones_sum(path.src + path.dst)
        assert path.dst == path.nexthop == ip(dst)


def test_the_longest_prefix_wins_whatever_the_order_and_then_the_least_metric() -> None:
    """RFC 1122 §3.3.1.2, RFC 1812 §5.2.4.3"""
    host = two_links()
    routes = [("default", "10.0.0.254", 0), ("172.16.0.0/12", "10.0.0.253", 9), ("172.16.0.0/12", "192.0.2.253", 3)]
    routes += [("172.16.5.0/24", "10.0.0.252", 50), ("172.16.5.7/32", "192.0.2.251", 99)]
    for prefix, via, metric in routes:
        route.add(host.net, prefix, via, metric=metric)
    assert way(host, "172.16.5.7") == "2 192.0.2.251 192.0.2.1"
    assert way(host, "172.16.5.8") == "1 10.0.0.252 10.0.0.1"
    assert way(host, "172.16.6.8") == "2 192.0.2.253 192.0.2.1"
    assert way(host, "172.31.255.255") == "2 192.0.2.253 192.0.2.1"
    assert way(host, "172.32.0.0") == "1 10.0.0.254 10.0.0.1"
    assert way(host, "10.0.0.7") == "1 10.0.0.7 10.0.0.1"


def test_without_a_route_there_is_no_path() -> None:
    host = Host()
    assert [way(host, dst) for dst in ("192.0.2.1", "2001:db8::1", "0.0.0.0", "::")] == ["none"] * 4
    assert set(host.rules()) == {"1122/3.3.1/no_route"}


def test_a_default_route_of_one_family_serves_that_family_alone() -> None:
    host = Host()
    route.add(host.net, "default", "fd00::fe")
    assert way(host, "2001:db8::1") == "1 fd00::fe fd00::1"
    assert way(host, "192.0.2.1") == "none"


def test_the_unspecified_address_is_no_destination_even_with_a_default_route() -> None:
    """RFC 1122 §3.2.1.3 (a)"""
    host = Host()
    route.add(host.net, "default", "10.0.0.254")
    assert way(host, "0.0.0.0") == "none"


@pytest.mark.parametrize("dst", ["127.0.0.1", "127.9.9.9", "::1", MY4, MY6, MYLL])
def test_our_own_addresses_are_reached_without_a_wire(dst: str) -> None:
    host = Host()
    path = lookup(host, dst)
    assert path is not None
    assert (path.dev, path.src) == (LOOPBACK, ip("127.0.0.1" if dst == "127.9.9.9" else dst))


@pytest.mark.parametrize("dst", ["224.0.0.251", "255.255.255.255", "10.0.0.255", "ff02::fb"])
def test_groups_and_broadcasts_need_no_route_and_no_gateway(dst: str) -> None:
    """RFC 1122 §3.3.1.1, §3.3.6"""
    host = two_links()
    route.add(host.net, "default", "192.0.2.254")
    path = lookup(host, dst, dev=1)
    assert path is not None
    assert (path.dev, path.nexthop, path.group) == (1, ip(dst), True)


def test_an_interface_that_is_down_leads_nowhere() -> None:
    host = two_links()
    route.add(host.net, "default", "192.0.2.254", metric=1)
    route.add(host.net, "default", "10.0.0.254", metric=2)
    assert way(host, "198.51.100.1").startswith("2 ")
    addrs.set_up(host.env, host.net, "eth1", up=False)
    assert way(host, "198.51.100.1").startswith("1 ")
    addrs.set_up(host.env, host.net, "eth1", up=True)
    assert way(host, "198.51.100.1").startswith("2 ")


def test_a_wanted_interface_narrows_the_choice() -> None:
    host = two_links()
    assert way(host, "fe80::9", dev=2) == "2 fe80::9 fe80::ff:fe00:3"
    assert way(host, "fe80::9", dev=1) == f"1 fe80::9 {MYLL}"
    assert way(host, "192.0.2.9", dev=1) == "none"


def test_what_was_found_is_remembered_until_something_changes() -> None:
    host = Host()
    first = lookup(host, YOU4)
    assert lookup(host, YOU4) is first
    version = host.net.version
    route.add(host.net, "10.0.0.2/32", "10.0.0.9")
    assert host.net.version > version
    assert way(host, YOU4) == "1 10.0.0.9 10.0.0.1"
    route.remove(host.net, "10.0.0.2/32")
    assert way(host, YOU4) == "1 10.0.0.2 10.0.0.1"
    addrs.set_mtu(host.net, 1, 600)
    assert lookup(host, YOU4) != first


def test_memory_of_paths_is_bounded() -> None:
    host = Host()
    for n in range(3 * route.PATHS):
        route.lookup(
            host.env, host.net, b"\x0a\0" + (0).to_bytes(1, "big") + bytes((n % 254 + 1,)), n.to_bytes(4, "big")
        )
    assert len(host.net.paths) == route.PATHS
    host.hold()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"prefix": "10.0.0.0/33", "dev": 1}, errno.EINVAL),
        ({"prefix": "10.0.0/8", "dev": 1}, errno.EINVAL),
        ({"prefix": "10.0.0.0/x", "dev": 1}, errno.EINVAL),
        ({"prefix": "nonsense", "dev": 1}, errno.EINVAL),
        ({"prefix": "192.0.2.0/24"}, errno.EINVAL),
        ({"prefix": "192.0.2.0/24", "via": "fd00::2"}, errno.EINVAL),
        ({"prefix": "default", "via": "192.0.2.1"}, errno.ENETUNREACH),
        ({"prefix": "192.0.2.0/24", "dev": "eth9"}, errno.ENODEV),
    ],
)
def test_a_route_that_makes_no_sense_is_refused_with_a_sentence(arguments: dict[str, object], code: int) -> None:
    with pytest.raises(StackError) as caught:
        route.add(Host().net, **arguments)  # type: ignore[arg-type]
    assert caught.value.errno == code
    assert len(str(caught.value)) > 30


@pytest.mark.parametrize(("via", "dev", "code"), [("", "eth9", errno.ENODEV), (YOU6, "eth0", errno.EINVAL)])
def test_a_change_that_makes_no_sense_leaves_the_route_that_was_there(via: str, dev: str, code: int) -> None:
    host = two_links()
    route.add(host.net, "198.51.100.0/24", "192.0.2.9")
    before = way(host, "198.51.100.7")
    with pytest.raises(StackError) as refused:
        route.change(host.net, "198.51.100.0/24", via, dev)
    assert refused.value.errno == code
    assert way(host, "198.51.100.7") == before == "2 192.0.2.9 192.0.2.1"


def test_routes_are_removed_by_prefix_gateway_or_interface() -> None:
    host = two_links()
    for via in ("10.0.0.254", "192.0.2.254"):
        route.add(host.net, "default", via)
    route.add(host.net, "default", "fd00::fe")
    route.remove(host.net, "default", dev="eth1")
    assert way(host, "198.51.100.1") == "1 10.0.0.254 10.0.0.1"
    route.remove(host.net, "default")
    assert way(host, "198.51.100.1") == "none"
    assert way(host, "2001:db8:1::1").startswith("1 fd00::fe")
    route.remove(host.net, "::/0")
    assert way(host, "2001:db8:1::1") == "none"
    with pytest.raises(StackError):
        route.remove(host.net, "default")


def test_the_same_route_twice_is_one_and_the_table_is_bounded() -> None:
    host = Host()
    before = len(host.net.routes)
    for _ in range(2):
        route.add(host.net, "default", "10.0.0.254")
    assert len(host.net.routes) == before + 1
    for n in range(route.ROUTES - len(host.net.routes)):
        route.add(host.net, f"172.{n >> 8}.{n & 255}.0/24", dev=1)
    with pytest.raises(StackError) as caught:
        route.add(host.net, "192.0.2.0/24", dev=1)
    assert caught.value.errno == errno.ENOBUFS


# source addresses


def test_ipv4_takes_the_address_in_the_next_hops_subnet() -> None:
    """RFC 1122 §3.3.4.3"""
    host = Host()
    addrs.add_addr(host.env, host.net, 1, "172.16.0.1/16")
    route.add(host.net, "default", "172.16.0.254")
    assert way(host, "198.51.100.1") == "1 172.16.0.254 172.16.0.1"
    assert way(host, "10.0.0.9") == "1 10.0.0.9 10.0.0.1"


def test_a_routes_own_source_is_taken_while_it_is_ours() -> None:
    host = Host()
    addrs.add_addr(host.env, host.net, 1, "10.0.0.5/24")
    route.add(host.net, "198.51.100.0/24", "10.0.0.254", src="10.0.0.5")
    assert way(host, "198.51.100.1") == "1 10.0.0.254 10.0.0.5"
    addrs.del_addr(host.env, host.net, 1, "10.0.0.5")
    assert way(host, "198.51.100.1") == "1 10.0.0.254 10.0.0.1"


def test_an_interface_without_address_borrows_one() -> None:
    host = Host()
    addrs.add_iface(host.env, host.net, Iface(2, "tun0", b""))
    route.add(host.net, "198.51.100.0/24", dev="tun0")
    assert way(host, "198.51.100.1") == "2 198.51.100.1 10.0.0.1"


# RFC 6724 §5 and its §10.1 examples: (rule, our addresses with states, destination, choice)
SOURCES = [
    ("rule 2, scope", [("2001:db8:1::1", ""), ("fe80::7", "")], "2001:db8:2::1", "2001:db8:1::1"),
    ("rule 2, scope", [("2001:db8:1::1", ""), ("fe80::7", "")], "fe80::9", "fe80::7"),
    ("rule 2, group of link scope", [("2001:db8:1::1", ""), ("fe80::7", "")], "ff02::fb", "fe80::7"),
    ("rule 2, group of global scope", [("2001:db8:1::1", ""), ("fe80::7", "")], "ff0e::fb", "2001:db8:1::1"),
    ("rule 2, the largest if none reaches", [("fe80::7", "")], "2001:db8:2::1", "fe80::7"),
    ("rule 3, deprecated", [("2001:db8:1::1", DEPRECATED), ("2001:db8:9::1", "")], "2001:db8:1::2", "2001:db8:9::1"),
    ("rule 2 before 3", [("fe80::7", ""), ("2001:db8:1::1", DEPRECATED)], "2001:db8:2::1", "2001:db8:1::1"),
    ("rule 6, label", [("fd11::1", ""), ("2001:db8:1::1", "")], "fd22::2", "fd11::1"),
    ("rule 6, label", [("fd11::1", ""), ("2001:db8:1::1", "")], "2001:db9::2", "2001:db8:1::1"),
    ("rule 6, 6to4", [("2002:c633:6401::1", ""), ("2001:db8:1::1", "")], "2002:c633:6401::2", "2002:c633:6401::1"),
    ("rule 6 before 8", [("2002:c633:6401::1", ""), ("2001:db8:1::1", "")], "2003::9", "2001:db8:1::1"),
    ("rule 8, longest prefix", [("2001:db8:1::1", ""), ("2001:db8:3::1", "")], "2001:db8:3::9", "2001:db8:3::1"),
    ("rule 8 counts no more than the prefix", [("2001:db8:3::1:1", ""), ("2001:db8:3::2", "")], "2001:db8:3::3", ""),
    ("never tentative", [("2001:db8:1::1", TENTATIVE), ("2001:db8:9::1", "")], "2001:db8:1::2", "2001:db8:9::1"),
    ("never duplicated", [("2001:db8:1::1", DUPLICATED), ("2001:db8:9::1", "")], "2001:db8:1::2", "2001:db8:9::1"),
    ("nothing usable", [("2001:db8:1::1", TENTATIVE)], "2001:db8:1::2", "none"),
]


@pytest.mark.parametrize(("rule", "ours", "dst", "choice"), SOURCES)
def test_ipv6_sources_follow_the_rules_in_order(rule: str, ours: list[tuple[str, str]], dst: str, choice: str) -> None:
    """RFC 6724 §5"""
    for turned in (False, True):
        host = Host(**{"net.ipv6.conf.all.dad_transmits": 0})
        addrs.add_iface(host.env, host.net, Iface(2, "eth1", OTHER), link_local=False)
        addrs.set_up(host.env, host.net, 1, up=False)
        for addr in list(host.eth0.addrs):
            addrs.del_addr(host.env, host.net, 1, text(addr.ip))
        for address, state in reversed(ours) if turned else ours:
            addr = addrs.add_addr(host.env, host.net, 2, address + "/64")
            addr.state = state or addr.state
        addrs.reindex(host.net)
        route.add(host.net, "::/0", dev=2)
        path = route.lookup(host.env, host.net, ip(dst))
        first = ours[-1 if turned else 0][0]
        assert (text(path.src) if path else "none") == (choice or first), rule


def test_rule_5_prefers_the_outgoing_interface() -> None:
    """RFC 6724 §5, rule 5; §4: for a link-local destination nothing else may be taken."""
    host = two_links()
    addrs.add_addr(host.env, host.net, 1, "2001:db8:7::1/64")
    route.add(host.net, "::/0", dev=2)
    assert way(host, "2001:db8:7:8::9").endswith(" 2001:db8::1")
    addrs.del_addr(host.env, host.net, 2, "fe80::ff:fe00:3")
    addrs.del_addr(host.env, host.net, 2, "2001:db8::1")
    assert way(host, "fe80::9", dev=2) == "none"
    assert way(host, "2001:db8:7:8::9").endswith(" 2001:db8:7::1")


def test_a_source_that_is_already_settled_stays() -> None:
    host = Host()
    addrs.add_addr(host.env, host.net, 1, "10.0.0.5/24")
    path = lookup(host, YOU4, "10.0.0.5")
    assert path is not None
    assert path.src == ip("10.0.0.5")
    assert lookup(host, YOU6, MYLL) != lookup(host, YOU6)
