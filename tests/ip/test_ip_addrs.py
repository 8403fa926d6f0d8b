# SPDX-License-Identifier: GPL-2.0-or-later
"""Interfaces and addresses come and go: what follows them, what is refused, and addresses as text."""

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ip_tools import ME, MY4, MY6, MYLL, OTHER, SECOND, YOU4, YOU6, Host, ip

from labstack.core.env import Env
from labstack.core.errors import StackError
from labstack.core.frame import Frame
from labstack.core.rng import Rng
from labstack.ip import addrs
from labstack.ip.family import V4, V6, masked, of, parse_addr, parse_prefix, text
from labstack.ip.net import Net, iface, local, to_many
from labstack.link import groups
from labstack.link.iface import BROADCAST, PERMANENT, TENTATIVE, Addr, Iface


def test_a_new_host_has_the_loopback() -> None:
    net = Net()
    assert local(net, b"\x7f\0\0\1")
    assert local(net, b"\x7f\1\2\3")
    assert local(net, bytes(15) + b"\1")
    assert iface(net, "lo").index == 0


def test_an_ethernet_interface_gets_a_link_local_address_its_groups_and_a_route() -> None:
    """RFC 4862 §5.3, RFC 4291 §2.8"""
    host = Host()
    assert [text(a.ip) for a in host.eth0.addrs] == [MYLL, MY4, MY6]
    joined = {ip("224.0.0.1"), ip("ff01::1"), ip("ff02::1"), ip("ff02::1:ff00:1")}
    assert set(host.eth0.groups) == joined
    assert set(host.eth0.accept) == {ME, BROADCAST, *(groups.mac_of(g) for g in joined)}
    assert [(text(r.prefix), r.plen) for r in host.net.routes] == [("fe80::", 64), ("fd00::", 64), ("10.0.0.0", 24)]


@pytest.mark.parametrize(("mac", "link_local"), [(ME, False), (b"", True)])
def test_no_link_local_address_where_none_is_wanted_or_possible(mac: bytes, link_local: bool) -> None:
    host = Host()
    it = addrs.add_iface(host.env, host.net, Iface(2, "if2", mac and OTHER), link_local)
    assert it.addrs == []


def test_an_ipv6_address_is_tentative_until_its_detection_is_over_and_ipv4_at_once_ours() -> None:
    """RFC 4862 §5.4"""
    host = Host(**{"net.ipv6.conf.all.dad_transmits": 1})
    assert [a.state for a in host.eth0.addrs] == [TENTATIVE, "preferred", TENTATIVE]
    assert (local(host.net, ip(MY4)), local(host.net, ip(MY6))) == (True, False)
    host.wait(2 * SECOND)
    assert local(host.net, ip(MY6))
    assert "detect" not in addrs.add_addr(host.env, host.net, 1, "fd00::5/64", detect=False).state
    assert local(host.net, ip("fd00::5"))


def test_an_address_that_goes_takes_its_route_groups_and_timer_with_it() -> None:
    host = Host(**{"net.ipv6.conf.all.dad_transmits": 1})
    before = host.eth0.clone(), list(host.net.routes), dict(host.env.timers.at), dict(host.net.own)
    for cidr in ("fd99::77/64", "192.0.2.1/24"):
        addrs.add_addr(host.env, host.net, "eth0", cidr)
        assert len(host.net.routes) == len(before[1]) + 1
        addrs.del_addr(host.env, host.net, "eth0", cidr)
    assert (host.eth0, host.net.routes, host.env.timers.at, host.net.own) == before
    host.hold()


def test_two_addresses_of_one_subnet_share_its_route() -> None:
    host = Host()
    count = len(host.net.routes)
    addrs.add_addr(host.env, host.net, 1, "fd00::9/64")
    assert len(host.net.routes) == count
    addrs.del_addr(host.env, host.net, 1, MY6)
    assert len(host.net.routes) == count


@pytest.mark.parametrize(
    ("cidr", "code"),
    [
        ("10.0.0.1", errno.EEXIST),
        ("10.0.0.1/8", errno.EEXIST),
        ("224.0.0.1/4", errno.EINVAL),
        ("ff02::5/64", errno.EINVAL),
        ("0.0.0.0/0", errno.EINVAL),
        ("::/64", errno.EINVAL),
        ("255.255.255.255/32", errno.EINVAL),
        ("10.0.0.2/33", errno.EINVAL),
        ("10.0.0.2/-1", errno.EINVAL),
        ("10.0.0.2/", errno.EINVAL),
        ("10.0.0/24", errno.EINVAL),
        ("fd00::g/64", errno.EINVAL),
        ("", errno.EINVAL),
    ],
)
def test_an_address_that_cannot_be_assigned_is_refused_with_a_sentence(cidr: str, code: int) -> None:
    host = Host()
    before = host.net.clone()
    with pytest.raises(StackError) as caught:
        addrs.add_addr(host.env, host.net, 1, cidr)
    assert caught.value.errno == code
    assert len(str(caught.value)) > 30
    assert host.net == before


def test_the_number_of_addresses_is_bounded() -> None:
    host = Host()
    for n in range(addrs.ADDRS - len(host.eth0.addrs)):
        addrs.add_addr(host.env, host.net, 1, f"10.1.0.{n + 1}/24")
    with pytest.raises(StackError) as caught:
        addrs.add_addr(host.env, host.net, 1, "10.2.0.1/24")
    assert caught.value.errno == errno.ENOBUFS


@pytest.mark.parametrize(
    ("it", "code"),
    [
        (Iface(1, "eth9", OTHER), errno.EEXIST),
        (Iface(9, "eth0", OTHER), errno.EEXIST),
        (Iface(0, "eth9", OTHER), errno.EEXIST),
        (Iface(-1, "eth9", OTHER), errno.EINVAL),
        (Iface(9, "eth9", b"\1\0\0\0\0\0"), errno.EINVAL),
        (Iface(9, "eth9", b"\2\0\0"), errno.EINVAL),
    ],
)
def test_an_interface_that_makes_no_sense_is_refused(it: Iface, code: int) -> None:
    host = Host()
    with pytest.raises(StackError) as caught:
        addrs.add_iface(host.env, host.net, it)
    assert caught.value.errno == code


def test_calls_about_what_does_not_exist_are_refused() -> None:
    host = Host()
    for call, code in (
        (lambda: addrs.add_addr(host.env, host.net, "eth7", "10.9.9.9/24"), errno.ENODEV),
        (lambda: addrs.del_addr(host.env, host.net, 1, "10.9.9.9"), errno.EADDRNOTAVAIL),
        (lambda: addrs.set_mtu(host.net, 1, 67), errno.EINVAL),
        (lambda: addrs.set_mtu(host.net, 1, 65_536), errno.EINVAL),
    ):
        with pytest.raises(StackError) as caught:
            call()
        assert caught.value.errno == code


def test_an_interface_that_goes_down_forgets_its_neighbours_but_those_entered_by_hand() -> None:
    host = Host()
    packet = b"\0\1\x08\0\6\4\0\1" + OTHER + ip("10.0.0.33") + bytes(6) + ip(MY4)
    request = Frame(BROADCAST + OTHER + b"\x08\x06" + packet)
    host.frame(request)
    assert len(host.eth0.neigh.table) == 4
    addrs.set_up(host.env, host.net, 1, up=False)
    assert {n.state for n in host.eth0.neigh.table.values()} == {PERMANENT}
    assert host.frame(request) is None
    assert host.drops() == {"drop.link.down": 1}


def test_broadcast_addresses_follow_the_subnets() -> None:
    """RFC 1122 §3.3.6; RFC 3021: a /31 has none."""
    host = Host()
    addrs.add_addr(host.env, host.net, 1, "172.16.0.0/31")
    addrs.add_addr(host.env, host.net, 1, "172.17.3.1/22")
    known = {text(b) for b in host.net.broadcast}
    assert known == {"255.255.255.255", "10.0.0.255", "172.17.3.255"}
    assert [to_many(host.net, ip(a)) for a in ("10.0.0.255", "224.1.1.1", "ff05::1", YOU4, YOU6)] == [True] * 3 + [
        False
    ] * 2


# text


@pytest.mark.parametrize(
    "good", ["10.0.0.1", "255.255.255.255", "::", "::1", "fd00::1", "fe80::1:2:3", "::ffff:1.2.3.4"]
)
def test_addresses_read_and_written_are_the_same(good: str) -> None:
    assert text(parse_addr(good)) == good
    assert parse_addr(parse_addr(good)) == parse_addr(good)
    assert of(parse_addr(good)) is (V6 if ":" in good else V4)


@pytest.mark.parametrize(
    "bad", ["", "10.0.0", "10.0.0.256", "1.2.3.4.5", "fd00:::1", "12345::", "h2", "02:00:00:00:00:01", b"abc"]
)
def test_what_is_no_address_is_refused_with_an_example(bad: str) -> None:
    with pytest.raises(StackError) as caught:
        parse_addr(bad)
    assert caught.value.errno == errno.EINVAL
    assert repr(bad) in str(caught.value)


@given(st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16)), st.integers(0, 128))
def test_a_prefix_read_back_is_itself_and_masking_twice_is_masking_once(packed: bytes, plen: int) -> None:
    plen = min(plen, len(packed) * 8)
    assert parse_prefix(f"{text(packed)}/{plen}") == (packed, plen)
    network = masked(packed, plen)
    assert masked(network, plen) == network
    bits = "".join(f"{byte:08b}" for byte in packed)
    assert "".join(f"{byte:08b}" for byte in network) == bits[:plen].ljust(len(bits), "0")


def test_an_address_record_is_a_state() -> None:
    addr = Addr(ip(MY4), 24)
    assert addr.clone() == addr
    assert Env(Rng(1)).clone() == Env(Rng(1))
