# SPDX-License-Identifier: GPL-2.0-or-later
"""Arrival: what is dropped and why, and what a transport gets to see."""

import pytest
from ip_tools import ME, MY4, MY6, MYLL, OTHER, PEER, YOU4, YOU6, YOULL, Host, ip

from labstack.core.frame import Frame
from labstack.ip import addrs
from labstack.ip.family import V4, V6
from labstack.link.groups import mac_of
from labstack.link.iface import DUPLICATED, TENTATIVE, Iface
from layers import ICMP, IP, TCP, UDP, IPOption_LSRR, IPOption_NOP, IPOption_Router_Alert, IPOption_SSRR, IPv6, Raw
from layers.checksum import checksum


def ip4(**fields: object) -> IP:
    return IP(**{"src": YOU4, "dst": MY4, **fields})


def ip6(**fields: object) -> IPv6:
    return IPv6(**{"src": YOU6, "dst": MY6, **fields})


def resummed(raw: bytes) -> bytes:
    """The packet with a right IPv4 header checksum."""
    end = (raw[0] & 15) * 4
    zeroed = raw[:10] + b"\0\0" + raw[12:end]
    return raw[:10] + checksum(zeroed).to_bytes(2, "big") + raw[12:]


def altered(raw: bytes, at: int, new: bytes) -> bytes:
    return resummed(raw[:at] + new + raw[at + len(new) :])


PLAIN4 = bytes(ip4(tos=0x2E, ttl=7) / UDP(sport=7, dport=9) / b"payload")
PLAIN6 = bytes(ip6(tc=0x2E, hlim=7) / UDP(sport=7, dport=9) / b"payload")


@pytest.mark.parametrize(("raw", "family", "hlen"), [(PLAIN4, V4, 20), (PLAIN6, V6, 40)])
def test_a_plain_packet_becomes_a_datagram(raw: bytes, family: object, hlen: int) -> None:
    """RFC 791 §3.1, RFC 8200 §3"""
    host = Host()
    d = host.hear(raw)
    assert d is not None
    assert d.family is family
    assert (d.src, d.dst, d.proto) == ((ip(YOU4), ip(MY4), 17) if family is V4 else (ip(YOU6), ip(MY6), 17))
    assert (d.net_at, d.at, d.end, d.length, d.body) == (14, 14 + hlen, len(d.buf), 15, ())
    assert (d.tos, d.ttl, d.to_group, d.sure, d.quoted) == (0x2E, 7, False, False, None)
    assert d.flow == d.src + d.dst + b"\0\7\0\x09"
    assert d.iface is host.eth0
    assert host.drops() == {}
    prefix = d.family.counters
    assert host.env.count[prefix + "InReceives"] == host.env.count[prefix + "InDelivers"] == 1


@pytest.mark.parametrize("raw", [PLAIN4, PLAIN6])
def test_padding_behind_the_packet_is_trimmed(raw: bytes) -> None:
    """RFC 894; hostile-input row 4"""
    d = Host().hear(raw, pad=40)
    assert d is not None
    assert (d.length, d.end - d.at) == (15, 15)


@pytest.mark.parametrize("raw", [PLAIN4, PLAIN6])
def test_what_a_device_puts_before_the_frame_and_memoryviews_make_no_difference(raw: bytes) -> None:
    kind = b"\x08\x00" if raw is PLAIN4 else b"\x86\xdd"
    d = Host().frame(Frame(memoryview(b"\xff" * 12 + ME + PEER + kind + raw), start=12))
    assert d is not None
    assert (d.net_at, d.buf[d.at : d.at + 4]) == (26, b"\0\7\0\x09")


@pytest.mark.parametrize("raw", [PLAIN4, PLAIN6])
def test_on_a_link_without_ethernet_the_packet_begins_at_once(raw: bytes) -> None:
    d = Host(mac=b"").frame(Frame(raw, net=0))
    assert d is not None
    assert d.net_at == 0


@pytest.mark.parametrize("raw", [PLAIN4, PLAIN6])
def test_payload_in_pieces_stays_in_pieces(raw: bytes) -> None:
    kind, hlen = (b"\x08\x00", 20) if raw is PLAIN4 else (b"\x86\xdd", 40)
    cut = hlen + 8
    body = (memoryview(raw)[cut : cut + 3], raw[cut + 3 :])
    d = Host().frame(Frame(ME + PEER + kind + raw[:cut], body, csum=(14 + hlen, 6)))
    assert d is not None
    assert (d.body, d.length, d.end - d.at, d.sure) == (body, 15, 8, True)


@pytest.mark.parametrize("raw", [PLAIN4, PLAIN6])
def test_pieces_with_padding_are_joined_and_trimmed(raw: bytes) -> None:
    kind, hlen = (b"\x08\x00", 20) if raw is PLAIN4 else (b"\x86\xdd", 40)
    d = Host().frame(Frame(ME + PEER + kind + raw[:hlen], (raw[hlen:], b"padding")))
    assert d is not None
    assert (d.body, d.length, bytes(d.buf[d.at : d.end])) == ((), 15, raw[hlen:])


# IPv4: what is wrong, and the reason
BAD4: dict[str, tuple[bytes, str]] = {
    "19 bytes": (PLAIN4[:19], "drop.ip.v4_short"),
    "version 5": (b"\x55" + PLAIN4[1:], "drop.ip.v4_version"),
    "ihl 4": (altered(PLAIN4, 0, b"\x44"), "drop.ip.v4_header_length"),
    "ihl 0": (b"\x40" + PLAIN4[1:], "drop.ip.v4_header_length"),
    "ihl beyond the packet": (b"\x4f" + PLAIN4[1:], "drop.ip.v4_header_length"),
    "checksum": (PLAIN4[:10] + bytes((PLAIN4[10] ^ 1,)) + PLAIN4[11:], "drop.ip.v4_csum"),
    "ttl changed": (PLAIN4[:8] + b"\x08" + PLAIN4[9:], "drop.ip.v4_csum"),
    "total > frame": (altered(PLAIN4, 2, (len(PLAIN4) + 1).to_bytes(2, "big")), "drop.ip.v4_length"),
    "total 65535": (altered(PLAIN4, 2, b"\xff\xff"), "drop.ip.v4_length"),
    "total < header": (altered(PLAIN4, 2, b"\0\x13"), "drop.ip.v4_length"),
    "total 0": (altered(PLAIN4, 2, b"\0\0"), "drop.ip.v4_length"),
    "cut by one byte": (PLAIN4[:-1], "drop.ip.v4_length"),
    "more fragments": (altered(PLAIN4, 6, b"\x20\0"), "drop.ip.fragment"),
    "offset": (altered(PLAIN4, 6, b"\0\1"), "drop.ip.fragment"),
    "ping of death": (altered(PLAIN4, 6, b"\x1f\xff"), "drop.ip.fragment"),
    "IGMP": (altered(PLAIN4, 9, b"\2"), "drop.ip.igmp"),
}


@pytest.mark.parametrize("name", BAD4)
def test_a_bad_ipv4_packet_is_dropped_by_name_and_silently(name: str) -> None:
    """RFC 791 §3.1, RFC 1122 §3.2.1.1, §3.2.1.2; hostile-input rows 2, 3, 10"""
    raw, reason = BAD4[name]
    host = Host()
    assert host.frame(Frame(ME + PEER + b"\x08\0" + raw)) is None
    assert (host.drops(), host.sent()) == ({reason: 1}, [])


BAD6: dict[str, tuple[bytes, str]] = {
    "39 bytes": (PLAIN6[:39], "drop.ip.v6_short"),
    "version 4": (b"\x45" + PLAIN6[1:], "drop.ip.v6_version"),
    "payload > frame": (PLAIN6[:4] + b"\0\x10" + PLAIN6[6:], "drop.ip.v6_length"),
    "payload 65535": (PLAIN6[:4] + b"\xff\xff" + PLAIN6[6:], "drop.ip.v6_length"),
    "cut by one byte": (PLAIN6[:-1], "drop.ip.v6_length"),
}


@pytest.mark.parametrize("name", BAD6)
def test_a_bad_ipv6_packet_is_dropped_by_name_and_silently(name: str) -> None:
    """RFC 8200 §3; hostile-input row 6"""
    raw, reason = BAD6[name]
    host = Host()
    assert host.frame(Frame(ME + PEER + b"\x86\xdd" + raw)) is None
    assert (host.drops(), host.sent()) == ({reason: 1}, [])


SOURCES = ["0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.255", "224.0.0.1", "239.1.1.1", "240.0.0.1"]
SOURCES += ["255.255.255.255", "10.0.0.255", "::", "::1", "::ffff:10.0.0.2", "::10.0.0.2", "ff02::1", "ff0e::1"]
SOURCES += [MY4, MY6, MYLL]
DESTINATIONS = ["10.0.0.9", "127.0.0.1", "127.0.0.2", "0.0.0.0", "192.0.2.1", "224.0.0.9", "10.0.1.255"]
DESTINATIONS += ["fd00::9", "fe80::9", "::1", "ff02::9", "::"]


@pytest.mark.parametrize(
    "src",
    [
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "127.255.255.255",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "10.0.0.1",
        "10.0.0.255",
        "::",
        "::1",
        "::ffff:10.0.0.2",
        "::10.0.0.2",
        "ff02::1",
        "ff0e::1",
        "fd00::1",
        "fe80::ff:fe00:1",
    ],
)
def test_a_source_that_no_packet_can_have_is_dropped_and_never_answered(src: str) -> None:
    """RFC 1122 §3.2.1.3, RFC 4291 §2.5.2, §2.7; hostile-input rows 14 (LAND) and 15"""
    host = Host()
    v6 = ":" in src
    packet = ip6(src=src) / UDP(dport=9) if v6 else ip4(src=src) / UDP(dport=9)
    assert host.hear(packet) is None
    assert (host.drops(), host.sent()) == ({"drop.ip.v6_martian" if v6 else "drop.ip.v4_martian": 1}, [])


@pytest.mark.parametrize(
    "dst",
    [
        "10.0.0.9",
        "127.0.0.1",
        "127.0.0.2",
        "0.0.0.0",
        "192.0.2.1",
        "224.0.0.9",
        "10.0.1.255",
        "fd00::9",
        "fe80::9",
        "::1",
        "ff02::9",
        "::",
    ],
)
def test_a_packet_for_somebody_else_is_dropped(dst: str) -> None:
    """RFC 1122 §3.2.1.3: a host is no router; hostile-input row 15: 127/8 never comes from a wire."""
    host = Host()
    v6 = ":" in dst
    packet = ip6(dst=dst) / UDP(dport=9) if v6 else ip4(dst=dst) / UDP(dport=9)
    assert host.hear(packet) is None
    assert (host.drops(), host.sent()) == ({"drop.ip.v6_not_mine" if v6 else "drop.ip.v4_not_mine": 1}, [])


@pytest.mark.parametrize(
    ("dst", "mac"),
    [
        ("10.0.0.255", b"\xff" * 6),
        ("255.255.255.255", b"\xff" * 6),
        ("224.0.0.1", mac_of(ip("224.0.0.1"))),
        ("ff02::1", mac_of(ip("ff02::1"))),
        ("ff01::1", mac_of(ip("ff01::1"))),
        ("ff02::1:ff00:1", mac_of(ip("ff02::1:ff00:1"))),
    ],
)
def test_broadcasts_and_joined_groups_are_heard_and_marked(dst: str, mac: bytes) -> None:
    """RFC 1122 §3.3.6, §3.3.7; RFC 4291 §2.8"""
    packet = ip6(dst=dst) / UDP(dport=9) if ":" in dst else ip4(dst=dst) / UDP(dport=9)
    d = Host().hear(packet, dst=mac)
    assert d is not None
    assert d.to_group


def test_an_ipv4_packet_for_us_alone_in_a_frame_for_everybody_is_dropped() -> None:
    """RFC 1122 §3.3.6"""
    host = Host()
    assert host.hear(PLAIN4, dst=b"\xff" * 6) is None
    assert host.drops() == {"drop.ip.link_group": 1}


def test_an_ipv6_packet_for_us_alone_in_a_group_frame_is_not_ours_alone() -> None:
    d = Host().hear(PLAIN6, dst=b"\x33\x33\0\0\0\1")
    assert d is not None
    assert d.to_group


def test_a_low_ttl_alone_is_no_reason_to_drop_here() -> None:
    """RFC 1122 §3.2.1.7, RFC 8200 §3"""
    host = Host()
    assert host.hear(altered(PLAIN4, 8, b"\0")) is not None
    assert host.hear(PLAIN6[:7] + b"\0" + PLAIN6[8:]) is not None


def test_unknown_ipv4_options_are_ignored_and_the_ports_are_still_found() -> None:
    """RFC 1122 §3.2.1.8"""
    d = Host().hear(ip4(options=[IPOption_NOP(), IPOption_Router_Alert()]) / UDP(sport=7, dport=9) / b"x")
    assert d is not None
    assert (d.at - d.net_at, d.flow, d.length) == (28, ip(YOU4) + ip(MY4) + b"\0\7\0\x09", 9)


@pytest.mark.parametrize("option", [IPOption_LSRR, IPOption_SSRR])
def test_source_routes_are_not_followed(option: type) -> None:
    """RFC 1122 §3.2.1.8 (c); hostile-input row 5"""
    host = Host()
    assert host.hear(ip4(options=[option(routers=["10.0.0.9"])]) / UDP()) is None
    assert (host.drops(), host.sent()) == ({"drop.ip.source_route": 1}, [])


@pytest.mark.parametrize(
    ("options", "reason", "told"),
    [
        (b"\x07\0\0\0", "drop.ip.bad_option", [20]),  # length 0
        (b"\x07\1\0\0", "drop.ip.bad_option", [20]),  # length 1
        (b"\x07\5\0\0", "drop.ip.bad_option", [20]),  # beyond the header
        (b"\1\1\1\x07", "drop.ip.bad_option", [23]),  # no length at all
        (b"\x83\2\0\0", "drop.ip.source_route", []),
        (b"\0\x83\0\0", "", []),  # behind the end of the list nothing counts
        (b"\1\1\1\1", "", []),
        (b"\x99\4\0\0", "", []),  # unknown
    ],
)
def test_malformed_option_lists_end_a_packet_and_the_sender_is_told(
    options: bytes, reason: str, told: list[int]
) -> None:
    """RFC 791 §3.1; RFC 1122 §3.2.2.5; hostile-input row 5"""
    host = Host()
    raw = altered(b"\x46" + PLAIN4[1:20] + options + PLAIN4[20:], 2, (len(PLAIN4) + 4).to_bytes(2, "big"))
    assert (host.hear(raw) is None) == bool(reason)
    assert host.drops() == ({reason: 1} if reason else {})
    assert [it[ICMP].ptr for it in host.sent()] == told


def test_a_tentative_or_duplicated_address_receives_nothing() -> None:
    """RFC 4862 §5.4"""
    for state, reason in ((TENTATIVE, "drop.ip.tentative"), (DUPLICATED, "drop.ip.duplicated")):
        host = Host()
        host.set(**{"net.ipv6.conf.all.dad_transmits": 1})
        addr = addrs.add_addr(host.env, host.net, 1, "fd00::7/64")
        if state == DUPLICATED:
            host.env.timers.at.clear()
        addr.state = state
        addrs.reindex(host.net)
        assert host.hear(ip6(dst="fd00::7") / UDP()) is None
        assert host.drops() == {reason: 1}


def test_an_address_of_another_interface_is_ours_too_but_a_link_local_one_only_on_its_link() -> None:
    """RFC 1122 §3.3.4.2, the weak model as Linux; RFC 4291 §2.5.6"""
    host = Host()
    addrs.add_iface(host.env, host.net, Iface(2, "eth1", OTHER))
    addrs.add_addr(host.env, host.net, 2, "fd01::1/64")
    addrs.add_addr(host.env, host.net, 2, "10.1.0.1/24")
    assert host.hear(ip6(dst="fd01::1") / UDP()) is not None
    assert host.hear(ip4(dst="10.1.0.1") / UDP()) is not None
    assert host.hear(ip6(src=YOULL, dst="fe80::ff:fe00:3") / UDP()) is None
    assert host.drops() == {"drop.ip.v6_not_mine": 1}


def test_an_unknown_transport_is_refused_with_protocol_unreachable() -> None:
    """RFC 1122 §3.2.2.1"""
    host = Host()
    assert host.hear(ip4(proto=132) / Raw(b"sctp....")) is None
    (answer,) = host.sent()
    assert (answer[ICMP].type, answer[ICMP].code, answer[IP].dst) == (3, 2, YOU4)
    assert host.drops() == {"drop.ip.proto": 1}


def test_tcp_flags_and_options_do_not_matter_here() -> None:
    d = Host().hear(ip4() / TCP(sport=1, dport=2, flags="SFRPAU"))
    assert d is not None
    assert (d.proto, d.flow[8:]) == (6, b"\0\1\0\2")


@pytest.mark.parametrize("kind", [b"\x08\x00", b"\x86\xdd", b"\x08\x06"])
def test_no_prefix_of_a_frame_is_too_short_to_be_dropped(kind: bytes) -> None:
    packet = {b"\x08\x00": PLAIN4, b"\x86\xdd": PLAIN6, b"\x08\x06": bytes(28)}[kind]
    whole = ME + PEER + kind + packet
    host = Host()
    for size in range(len(whole)):
        assert host.frame(Frame(whole[:size])) is None
    assert sum(host.drops().values()) == len(whole)
