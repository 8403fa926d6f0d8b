# SPDX-License-Identifier: GPL-2.0-or-later
"""Departure: headers as the layers would build them, offload marks, link addresses, and what does not fit."""

import errno

import pytest
from ip_tools import ME, MY4, MY6, PEER, YOU4, YOU6, Host, ip

from labstack.core.errors import StackError
from labstack.ip import icmp, route, send
from labstack.ip.family import V4
from labstack.ip.net import Path
from labstack.link.iface import INCOMPLETE
from layers import IP, TCP, UDP, Ether, IPv6
from layers.checksum import add, ones_sum


def path(host: Host, dst: str) -> Path:
    found = route.lookup(host.env, host.net, ip(dst))
    assert found is not None
    return found


def udp(data: bytes) -> bytes:
    """A UDP header without checksum, and data."""
    return b"\0\7\0\x09" + (8 + len(data)).to_bytes(2, "big") + b"\0\0" + data


@pytest.mark.parametrize("dst", [YOU4, YOU6])
@pytest.mark.parametrize(("ttl", "tos"), [(0, 0), (1, 0xFF), (255, 0x10)])
def test_the_header_is_what_the_layers_would_build(dst: str, ttl: int, tos: int) -> None:
    """RFC 791 §3.1, RFC 8200 §3; the IPv4 checksum comes from a pre-summed base."""
    host = Host()
    send.send(host.env, host.net, path(host, dst), 17, udp(b"data"), ttl=ttl, tos=tos)
    (tx,) = host.env.actions
    link = Ether(dst=PEER, src=ME)
    if dst == YOU4:
        built = link / IP(src=MY4, dst=YOU4, id=0, flags="DF", ttl=ttl or 64, tos=tos, proto=17)
    else:
        built = link / IPv6(src=MY6, dst=YOU6, hlim=ttl or 64, tc=tos, nh=17)
    assert tx.frame.head == bytes(built / udp(b"data"))
    assert (tx.frame.gso, tx.frame.csum, tx.frame.net) == (None, None, 14)


def test_every_ipv4_header_checksum_verifies() -> None:
    """RFC 1071: whatever the fields add up to, 0 and 0xffff included."""
    host = Host()
    for n in range(0, 65536, 5):
        p = path(host, YOU4)._replace(src=n.to_bytes(4, "big"))
        p = p._replace(sum=ones_sum(p.src + p.dst))
        send.send(host.env, host.net, p, 6, bytes(20), tos=n & 255)
        head = host.env.actions.pop().frame.head[14:34]
        assert ones_sum(head) == 0xFFFF
        assert head[10:12] != b"\xff\xff"


@pytest.mark.parametrize("dst", [YOU4, YOU6])
def test_a_partial_checksum_is_completed_to_the_right_one(dst: str) -> None:
    host = Host()
    p = path(host, dst)
    payload = (memoryview(b"some "), b"payload")
    pseudo = add(p.sum, 6 + 20 + 12)
    tcp = bytes(TCP(sport=1, dport=2, seq=7, ack=9, chksum=0))
    send.send(host.env, host.net, p, 6, tcp[:16] + pseudo.to_bytes(2, "big") + tcp[18:], payload, csum_at=16)
    (frame,) = host.sent()
    rebuilt = Ether(bytes(frame))
    rebuilt[TCP].chksum = None
    assert bytes(rebuilt) == bytes(frame)
    assert bytes(frame[TCP].payload) == b"some payload"


@pytest.mark.parametrize("dst", [YOU4, YOU6])
def test_a_super_segment_leaves_whole_and_is_cut_into_right_segments(dst: str) -> None:
    host = Host()
    p = path(host, dst)
    body = (memoryview(bytes(range(250)) * 20),)
    pseudo = add(p.sum, 6 + 20 + 5000)
    tcp = bytes(TCP(sport=1, dport=2, seq=7, ack=9, flags="PA", chksum=0))
    send.send(host.env, host.net, p, 6, tcp[:16] + pseudo.to_bytes(2, "big") + tcp[18:], body, gso=1400, csum_at=16)
    assert len(host.env.actions) == 1
    frames = host.sent()
    assert [f[TCP].seq for f in frames] == [7, 1407, 2807, 4207]
    for frame in frames:
        rebuilt = Ether(bytes(frame))
        rebuilt[TCP].chksum = None
        if IP in rebuilt:
            rebuilt[IP].chksum = rebuilt[IP].len = None
        assert bytes(rebuilt) == bytes(frame)
    assert b"".join(bytes(f[TCP].payload) for f in frames) == bytes(body[0])


@pytest.mark.parametrize(("dst", "header"), [(YOU4, 20), (YOU6, 40)])
def test_what_does_not_fit_the_path_is_refused(dst: str, header: int) -> None:
    host = Host(mtu=1400)
    p = path(host, dst)
    send.send(host.env, host.net, p, 17, udp(bytes(1400 - header - 8)))
    with pytest.raises(StackError) as caught:
        send.send(host.env, host.net, p, 17, udp(bytes(1400 - header - 7)))
    assert caught.value.errno == errno.EMSGSIZE
    assert "1401" in str(caught.value)
    assert "1400" in str(caught.value)
    with pytest.raises(StackError):
        send.send(host.env, host.net, p, 6, bytes(20), (bytes(65_536 - 20 - header),), gso=1000)
    assert len(host.sent()) == 1


@pytest.mark.parametrize(
    ("dst", "mac"),
    [
        ("255.255.255.255", "ff:ff:ff:ff:ff:ff"),
        ("10.0.0.255", "ff:ff:ff:ff:ff:ff"),
        ("239.129.2.3", "01:00:5e:01:02:03"),
        ("ff02::1:3", "33:33:00:01:00:03"),
    ],
)
def test_groups_and_broadcasts_get_their_mac_without_asking_anybody(dst: str, mac: str) -> None:
    """RFC 1112 §6.4, RFC 2464 §7, RFC 894"""
    host = Host()
    send.send(host.env, host.net, path(host, dst), 17, udp(b""))
    assert [f.dst for f in host.sent()] == [mac]


@pytest.mark.parametrize("dst", ["10.0.0.9", "fd00::9"])
def test_a_packet_for_an_unknown_neighbour_waits_and_then_leaves_whole(dst: str) -> None:
    host = Host()
    p = path(host, dst)
    send.send(host.env, host.net, p, 6, bytes(20), (b"body",), gso=2, csum_at=16, ttl=9)
    (question,) = host.sent()
    entry = host.eth0.neigh.table[ip(dst)]
    assert (entry.state, entry.source) == (INCOMPLETE, p.src)
    (waiting,) = entry.pending
    size = p.family.header
    assert (waiting.body, waiting.gso, waiting.csum, waiting.net) == ((b"body",), 2, (14 + size, 16), 14)
    assert waiting.head[:12] == bytes(6) + ME
    assert question.dst != "00:00:00:00:00:00"


@pytest.mark.parametrize("dst", ["127.0.0.1", "127.1.2.3", MY4, "::1", MY6])
def test_packets_to_ourselves_come_back_without_a_wire(dst: str) -> None:
    """RFC 1122 §3.2.1.3 (g)"""
    host = Host()
    send.send(host.env, host.net, path(host, dst), 17, udp(b"data"))
    assert (host.sent(), len(host.net.loop)) == ([], 1)
    d = host.loop()
    assert d is not None
    assert (d.src, d.dst, d.iface.name, d.sure, bytes(d.buf[d.at : d.end])) == (
        ip("127.0.0.1" if dst == "127.1.2.3" else dst),
        ip(dst),
        "lo",
        True,
        udp(b"data"),
    )
    assert host.drops() == {}


@pytest.mark.parametrize("dst", ["127.0.0.1", MY6])
def test_we_answer_our_own_ping(dst: str) -> None:
    host = Host()
    icmp.echo(host.env, host.net, path(host, dst), 1, 2, b"me")
    assert host.loop() is None
    reply = host.loop()
    assert reply is not None
    assert icmp.echo_of(reply) == (1, 2, b"me")


@pytest.mark.parametrize("raw", [IP(src=MY4, dst=YOU4) / UDP(), IPv6(src=MY6, dst=YOU6) / UDP()])
def test_on_a_link_without_ethernet_the_packet_is_the_frame(raw: IP) -> None:
    host = Host(mac=b"")
    dst = YOU4 if IP in raw else YOU6
    send.send(host.env, host.net, path(host, dst), 17, udp(b""), csum_at=6)
    (tx,) = host.env.actions
    assert (tx.frame.net, tx.frame.head[0] >> 4) == (0, 4 if IP in raw else 6)
    assert tx.frame.csum == (20 if IP in raw else 40, 6)
    assert not host.eth0.neigh.table


def test_without_df_the_identification_never_repeats_soon_and_tells_nothing_about_others() -> None:
    """RFC 6864 §4.3, RFC 7739; hostile-input row 21"""
    host = Host()

    def idents(dst: str, n: int) -> list[int]:
        for _ in range(n):
            send.send(host.env, host.net, path(host, dst), 17, udp(b""), df=False)
        actions, host.env.actions = host.env.actions, []
        assert all(a.frame.head[20:22] == b"\0\0" for a in actions)
        return [int.from_bytes(a.frame.head[18:20], "big") for a in actions]

    first, other, again = idents(YOU4, 100), idents("10.0.0.255", 50), idents(YOU4, 100)
    assert len(set(first + again)) == 200
    assert (again[0] - first[-1]) % 65536 == 1
    assert other[0] not in (first[0], first[-1] + 1, first[-1] + 2)


def test_memory_of_identifications_is_bounded() -> None:
    host = Host()
    base = path(host, YOU4)
    for n in range(send.IDENTS + 100):
        p = base._replace(src=n.to_bytes(4, "big"))
        send.send(host.env, host.net, p, 17, udp(b""), df=False)
    assert len(host.net.ident) == send.IDENTS


def test_counters_of_what_leaves() -> None:
    host = Host()
    for dst in (YOU4, YOU6, "127.0.0.1"):
        send.send(host.env, host.net, path(host, dst), 17, udp(b""))
    counts = {k: n for k, n in host.env.count.items() if n}
    assert counts == {"IpOutRequests": 2, "Ip6OutRequests": 1, "LinkOutFrames": 2}
    assert path(host, YOU4).family is V4
