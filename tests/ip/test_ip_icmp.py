# SPDX-License-Identifier: GPL-2.0-or-later
"""ICMP: echo, the errors we send and above all do not send, their rate, and what arrived errors mean."""

import errno

import pytest
from ip_tools import ME, MY4, MY6, MYLL, SECOND, YOU4, YOU6, YOULL, Host, ip

from labstack.core.frame import Frame
from labstack.ip import addrs, icmp, limit, route
from labstack.ip.datagram import Datagram
from labstack.ip.family import V4, V6, of
from labstack.ip.send import send
from labstack.link.groups import mac_of
from layers import (
    ICMP,
    IP,
    TCP,
    UDP,
    Ether,
    ICMPv6DestUnreach,
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6PacketTooBig,
    ICMPv6ParamProblem,
    ICMPv6TimeExceeded,
    ICMPv6Unknown,
    IPv6,
    Raw,
)

DATA = bytes(range(256))


def udp4(src: str = YOU4, dst: str = MY4, size: int = 4, **fields: object) -> IP:
    return IP(src=src, dst=dst, **fields) / UDP(sport=7, dport=9) / Raw(b"x" * size)


def udp6(src: str = YOU6, dst: str = MY6, size: int = 4) -> IPv6:
    return IPv6(src=src, dst=dst) / UDP(sport=7, dport=9) / Raw(b"x" * size)


def mac(dst: str) -> bytes:
    """The destination MAC that a packet to dst comes with."""
    if dst in (MY4, MY6, MYLL):
        return ME
    return b"\xff" * 6 if dst.endswith(".255") else mac_of(ip(dst))


def answers(host: Host) -> list[Ether]:
    sent = host.sent()
    for frame in sent:  # whatever we send carries right checksums
        rebuilt = Ether(bytes(frame))
        for layer, field in (
            (IP, "chksum"),
            (ICMP, "chksum"),
            (ICMPv6EchoReply, "cksum"),
            (ICMPv6DestUnreach, "cksum"),
        ):
            if layer in rebuilt:
                setattr(rebuilt[layer], field, None)
        assert bytes(rebuilt) == bytes(frame)
    return sent


# echo


def test_an_echo_request_comes_back_with_identifier_sequence_data_and_tos_as_they_were() -> None:
    """RFC 792, RFC 1122 §3.2.2.6"""
    host = Host()
    assert host.hear(IP(src=YOU4, dst=MY4, tos=0x10, ttl=1) / ICMP(type=8, id=0xFFFF, seq=0xABCD) / DATA) is None
    (frame,) = answers(host)
    packet, message = frame[IP], frame[ICMP]
    assert (packet.src, packet.dst, packet.tos, packet.ttl) == (MY4, YOU4, 0x10, 64)
    assert (message.type, message.code, message.id, message.seq, bytes(message.payload)) == (0, 0, 0xFFFF, 0xABCD, DATA)


def test_an_icmpv6_echo_request_comes_back_unchanged_from_the_address_that_was_asked() -> None:
    """RFC 4443 §4.2"""
    for src, dst in ((YOU6, MY6), (YOULL, MYLL)):
        host = Host()
        assert host.hear(IPv6(src=src, dst=dst, hlim=1) / ICMPv6EchoRequest(id=7, seq=9, data=DATA)) is None
        (frame,) = answers(host)
        message = frame[ICMPv6EchoReply]
        assert (frame[IPv6].src, frame[IPv6].dst, frame[IPv6].hlim) == (dst, src, 64)
        assert (message.id, message.seq, message.data) == (7, 9, DATA)


@pytest.mark.parametrize("dst", ["10.0.0.255", "255.255.255.255", "224.0.0.1"])
def test_a_broadcast_ping_is_answered_only_if_configured(dst: str) -> None:
    """RFC 1122 §3.2.2.6; hostile-input row 16"""
    host = Host()
    request = IP(src=YOU4, dst=dst) / ICMP(type=8)
    assert host.hear(request, dst=mac(dst)) is None
    assert (host.drops(), answers(host)) == ({"drop.icmp.echo_group": 1}, [])
    host.set(**{"net.ipv4.icmp_echo_ignore_broadcasts": 0})
    host.hear(request, dst=mac(dst))
    assert [f[IP].src for f in answers(host)] == [MY4]


def test_a_ping_to_all_nodes_is_answered_from_a_unicast_address_unless_configured_otherwise() -> None:
    """RFC 4443 §4.2"""
    host = Host()
    request = IPv6(src=YOULL, dst="ff02::1") / ICMPv6EchoRequest(id=1)
    host.hear(request, dst=mac("ff02::1"))
    assert [(f[IPv6].src, f[IPv6].dst) for f in answers(host)] == [(MYLL, YOULL)]
    host.set(**{"net.ipv6.icmp.echo_ignore_multicast": 1})
    host.hear(request, dst=mac("ff02::1"))
    assert answers(host) == []


@pytest.mark.parametrize("ping", [IP(src=YOU4, dst=MY4) / ICMP(type=8), IPv6(src=YOU6, dst=MY6) / ICMPv6EchoRequest()])
def test_echo_can_be_switched_off(ping: IP) -> None:
    host = Host(**{"net.ipv4.icmp_echo_ignore_all": 1, "net.ipv6.icmp.echo_ignore_all": 1})
    assert host.hear(ping) is None
    assert (host.drops(), host.sent()) == ({"drop.icmp.echo_ignored": 1}, [])


def test_an_echo_too_large_for_one_packet_is_not_answered() -> None:
    """Hostile-input row 47"""
    host = Host(mtu=576)
    host.hear(IP(src=YOU4, dst=MY4) / ICMP(type=8) / Raw(bytes(549)))
    assert host.drops() == {"drop.icmp.echo_too_large": 1}
    host.hear(IP(src=YOU4, dst=MY4) / ICMP(type=8) / Raw(bytes(548)))
    assert len(answers(host)) == 1


def test_an_echo_from_nobody_is_not_answered() -> None:
    host = Host()
    host.hear(IPv6(src="::", dst=MY6) / ICMPv6EchoRequest())
    assert (host.drops(), host.sent()) == ({"drop.icmp.unspecified": 1}, [])


def test_an_echo_from_where_no_route_leads_is_not_answered() -> None:
    host = Host()
    host.hear(IP(src="192.0.2.1", dst=MY4) / ICMP(type=8))
    assert (host.drops(), host.sent()) == ({"drop.icmp.echo_no_path": 1}, [])


@pytest.mark.parametrize("address", [YOU4, YOU6])
def test_our_own_echo_request_and_its_reply(address: str) -> None:
    host = Host()
    path = route.lookup(host.env, host.net, ip(address))
    assert path is not None
    icmp.echo(host.env, host.net, path, 77, 3, DATA)
    (request,) = answers(host)
    kind = ICMP if path.family is V4 else ICMPv6EchoRequest
    assert (request[kind].type, request[kind].id, request[kind].seq) == (path.family.echo_request, 77, 3)
    if path.family is V4:
        reply = host.hear(IP(src=YOU4, dst=MY4) / ICMP(type=0, id=77, seq=3) / DATA)
    else:
        reply = host.hear(IPv6(src=YOU6, dst=MY6) / ICMPv6EchoReply(id=77, seq=3, data=DATA))
    assert reply is not None
    assert (icmp.echo_of(reply), reply.quoted, reply.proto) == ((77, 3, DATA), None, path.family.icmp)


@pytest.mark.parametrize("body", [(), (memoryview(DATA),)])
def test_an_icmp_message_in_pieces_is_joined(body: tuple[memoryview, ...]) -> None:
    whole = bytes(IP(src=YOU4, dst=MY4) / ICMP(type=8) / DATA)
    cut = 28 if body else len(whole)
    host = Host()
    host.frame(Frame(ME + b"\2\0\0\0\0\2\x08\0" + whole[:cut], body))
    assert [bytes(f[ICMP].payload) for f in answers(host)] == [DATA]


# errors that we send


def closed_port(host: Host, packet: object, dst: bytes = ME) -> list[Ether]:
    """The packet arrives, and no socket wants it."""
    d = host.hear(packet, dst=dst)
    assert d is not None
    icmp.unreachable(host.env, host.net, d, d.family.port)
    return answers(host)


def test_port_unreachable_quotes_the_packet_and_comes_from_the_address_it_was_sent_to() -> None:
    """RFC 792, RFC 1122 §3.2.2, §3.2.2.1"""
    packet = udp4()
    (frame,) = closed_port(Host(), packet)
    assert (frame[IP].src, frame[IP].dst, frame[ICMP].type, frame[ICMP].code) == (MY4, YOU4, 3, 3)
    assert bytes(frame)[42:] == bytes(packet)


@pytest.mark.parametrize(("asked", "told"), [(0, 0xC0), (0x1E, 0xDE), (0xFF, 0xDE)])
def test_an_error_has_its_packets_type_of_service_and_the_precedence_of_control(asked: int, told: int) -> None:
    """RFC 1812 §4.3.2.5, as Linux."""
    host = Host()
    (frame,) = closed_port(host, udp4(tos=asked))
    assert frame[IP].tos == told


def test_icmpv6_port_unreachable_is_type_1_code_4() -> None:
    """RFC 4443 §3.1"""
    packet = udp6()
    (frame,) = closed_port(Host(), packet)
    assert (frame[IPv6].src, frame[IPv6].dst, frame[ICMPv6DestUnreach].code) == (MY6, YOU6, 4)
    assert bytes(frame)[62:] == bytes(packet)


@pytest.mark.parametrize(("packet", "size"), [(udp4(size=1400), 576), (udp6(size=1400), 1280)])
def test_an_error_quotes_as_much_as_fits(packet: IP, size: int) -> None:
    """RFC 1812 §4.3.2.3, RFC 4443 §2.4 (c)"""
    (frame,) = closed_port(Host(), packet)
    raw = bytes(frame)[14:]
    assert len(raw) == size
    head = 28 if size == 576 else 48
    assert raw[head:] == bytes(packet)[: size - head]


def test_a_quote_goes_on_into_the_pieces_of_the_payload() -> None:
    raw = bytes(udp4(size=900))
    host = Host()
    d = host.frame(Frame(ME + b"\2\0\0\0\0\2\x08\0" + raw[:28], (raw[28:100], raw[100:]), csum=(34, 6)))
    assert d is not None
    icmp.unreachable(host.env, host.net, d, 3)
    assert bytes(answers(host)[0])[42:] == raw[:548]


@pytest.mark.parametrize("dst", ["10.0.0.255", "255.255.255.255", "224.0.0.1", "ff02::1"])
def test_no_error_about_what_was_sent_to_many(dst: str) -> None:
    """RFC 1122 §3.2.2, RFC 4443 §2.4 (e.3)"""
    host = Host()
    assert closed_port(host, udp6(dst=dst) if ":" in dst else udp4(dst=dst), mac(dst)) == []
    assert host.rules()[-1] == "1122/3.2.2/silent"


def test_no_error_about_what_came_in_a_group_frame() -> None:
    """RFC 1122 §3.2.2: a link-layer broadcast; RFC 4443 §2.4 (e.4)"""
    assert closed_port(Host(), udp6(), mac("ff02::1")) == []


def datagram(host: Host, packet: object) -> Datagram:
    """A datagram as icmp.error would get it, with the checks on the way here left out."""
    raw = bytes(packet)  # type: ignore[call-overload]
    family = V4 if raw[0] >> 4 == 4 else V6
    src, dst = (raw[12:16], raw[16:20]) if family is V4 else (raw[8:24], raw[24:40])
    proto, at = raw[9 if family is V4 else 6], family.header
    frame = Frame(raw, net=0)
    size = len(raw) - at
    flow = src + dst + raw[at : at + 4]
    return Datagram(
        family, src, dst, proto, raw, at, len(raw), (), size, 64, 0, host.eth0, frame, 0, flow, False, False
    )


@pytest.mark.parametrize(
    "packet",
    [
        udp4(src="0.0.0.0"),
        udp4(src="10.0.0.255"),
        udp4(src="255.255.255.255"),
        udp4(src="224.0.0.7"),
        udp4(frag=1),
        udp4(frag=185, flags="MF"),
        udp6(src="::"),
        udp6(src="ff02::7"),
        *(IP(src=YOU4, dst=MY4) / ICMP(type=kind) / Raw(bytes(28)) for kind in (3, 4, 5, 11, 12)),
        IP(src=YOU4, dst=MY4, proto=1),
        IPv6(src=YOU6, dst=MY6) / ICMPv6DestUnreach(code=4) / Raw(bytes(48)),
        IPv6(src=YOU6, dst=MY6) / ICMPv6TimeExceeded() / Raw(bytes(48)),
        IPv6(src=YOU6, dst=MY6) / ICMPv6Unknown(type=100) / Raw(bytes(48)),
        IPv6(src=YOU6, dst=MY6) / ICMPv6Unknown(type=137) / Raw(bytes(48)),
        IPv6(src=YOU6, dst=MY6, nh=58),
    ],
)
def test_errors_that_must_never_be_sent(packet: IP) -> None:
    """RFC 1122 §3.2.2, RFC 4443 §2.4 (e): not about errors, groups, later fragments, or to what is not one host."""
    host = Host()
    d = datagram(host, packet)
    icmp.unreachable(host.env, host.net, d, d.family.port)
    assert (host.sent(), host.rules()) == ([], ["1122/3.2.2/silent"])


@pytest.mark.parametrize("packet", [udp4(flags="MF"), IP(src=YOU4, dst=MY4) / ICMP(type=8), udp6()])
def test_errors_about_first_fragments_and_queries_may_be_sent(packet: IP) -> None:
    """RFC 1122 §3.2.2"""
    host = Host()
    d = datagram(host, packet)
    icmp.unreachable(host.env, host.net, d, d.family.port)
    assert len(host.sent()) == 1


def test_an_error_that_no_route_leads_back_for_is_not_sent() -> None:
    host = Host()
    assert closed_port(host, udp4(src="192.0.2.7")) == []


# how often


def test_one_destination_gets_six_errors_at_once_and_then_one_a_second() -> None:
    """Linux's icmp_ratelimit; RFC 1812 §4.3.2.8, RFC 4443 §2.4 (f)"""
    host = Host()
    assert sum(len(closed_port(host, udp4())) for _ in range(20)) == 6
    assert host.env.count["IcmpOutRateLimitHost"] == 14
    host.wait(SECOND - 1)
    assert closed_port(host, udp4()) == []
    host.wait(1)
    assert len(closed_port(host, udp4())) == 1
    host.wait(3 * SECOND)
    assert sum(len(closed_port(host, udp4())) for _ in range(20)) == 3
    host.wait(3600 * SECOND)
    assert sum(len(closed_port(host, udp4())) for _ in range(20)) == 6


def test_all_destinations_together_get_a_burst_of_fifty_and_a_thousand_a_second() -> None:
    """Linux's icmp_msgs_per_sec and icmp_msgs_burst; hostile-input row 45"""
    host = Host()
    allowed = sum(limit.allow(host.env, host.net.limit, n.to_bytes(4, "big")) for n in range(200))
    assert (allowed, host.env.count["IcmpOutRateLimitGlobal"]) == (50, 150)
    host.env.now += SECOND // 100
    assert sum(limit.allow(host.env, host.net.limit, n.to_bytes(4, "big")) for n in range(200)) == 10


def test_a_flood_from_everywhere_for_ten_seconds_stays_within_the_rate_and_the_memory() -> None:
    host = Host()
    sent = 0
    for n in range(50_000):
        host.env.now += SECOND // 5000
        sent += limit.allow(host.env, host.net.limit, n.to_bytes(4, "big"))
    assert sent <= 50 + 10 * 1000
    assert sent >= 10 * 1000 - 1
    assert len(host.net.limit.hosts) <= limit.HOSTS


def test_limits_can_be_lifted_and_closed() -> None:
    host = Host(**{"net.ipv4.icmp_ratelimit": 0})
    assert sum(len(closed_port(host, udp4())) for _ in range(60)) == 50
    host.set(**{"net.ipv4.icmp_msgs_per_sec": 0})
    host.wait(3600 * SECOND)
    assert closed_port(host, udp4()) == []


def test_echo_replies_are_not_limited() -> None:
    """Linux's icmp_ratemask leaves echo replies out."""
    host = Host()
    for _ in range(200):
        host.hear(IP(src=YOU4, dst=MY4) / ICMP(type=8))
    assert len(host.sent()) == 200


# errors that arrive

OURS4 = IP(src=MY4, dst=YOU4) / UDP(sport=5000, dport=53) / b"query"
OURS6 = IPv6(src=MY6, dst=YOU6) / TCP(sport=5000, dport=80, seq=0x01020304)


@pytest.mark.parametrize(
    ("kind", "code", "number", "hard"),
    [
        (3, 0, errno.ENETUNREACH, False),
        (3, 1, errno.EHOSTUNREACH, False),
        (3, 2, errno.ENOPROTOOPT, True),
        (3, 3, errno.ECONNREFUSED, True),
        (3, 4, errno.EMSGSIZE, False),
        (3, 5, errno.EOPNOTSUPP, False),
        (3, 9, errno.ENETUNREACH, True),
        (3, 13, errno.EHOSTUNREACH, True),
        (3, 8, errno.ENONET, True),
        (3, 200, errno.EHOSTUNREACH, False),
        (11, 0, errno.EHOSTUNREACH, False),
        (12, 0, errno.EPROTO, False),
    ],
)
def test_an_icmp_error_goes_to_the_transport_it_quotes(kind: int, code: int, number: int, hard: bool) -> None:
    """RFC 792, RFC 1122 §3.2.2"""
    d = Host().hear(IP(src="10.0.0.254", dst=MY4) / ICMP(type=kind, code=code) / OURS4)
    assert d is not None
    q = d.quoted
    assert q is not None
    assert (q.type, q.code, q.family, q.proto, q.src, q.dst) == (kind, code, V4, 17, ip(MY4), ip(YOU4))
    assert (q.errno, q.hard, q.transport) == (number, hard, bytes(OURS4)[20:])
    assert q.flow == ip(YOU4) + ip(MY4) + (53).to_bytes(2, "big") + (5000).to_bytes(2, "big")


@pytest.mark.parametrize(
    ("message", "number", "hard"),
    [
        (ICMPv6DestUnreach(code=0), errno.ENETUNREACH, False),
        (ICMPv6DestUnreach(code=1), errno.EACCES, True),
        (ICMPv6DestUnreach(code=3), errno.EHOSTUNREACH, False),
        (ICMPv6DestUnreach(code=4), errno.ECONNREFUSED, True),
        (ICMPv6PacketTooBig(mtu=1300), errno.EMSGSIZE, False),
        (ICMPv6TimeExceeded(), errno.EHOSTUNREACH, False),
        (ICMPv6DestUnreach(code=5), errno.EACCES, True),
        (ICMPv6DestUnreach(code=77), errno.EPROTO, False),
        (ICMPv6ParamProblem(code=1, ptr=6), errno.EPROTO, False),
        (ICMPv6Unknown(type=100) / Raw(bytes(4)), errno.EPROTO, False),  # RFC 4443 §2.4 (a)
    ],
)
def test_an_icmpv6_error_goes_to_the_transport_it_quotes(message: Raw, number: int, hard: bool) -> None:
    """RFC 4443 §3"""
    d = Host().hear(IPv6(src="fd00::fe", dst=MY6) / message / OURS6)
    assert d is not None
    q = d.quoted
    assert q is not None
    assert (q.proto, q.src, q.dst, q.errno, q.hard, q.transport[4:8]) == (
        6,
        ip(MY6),
        ip(YOU6),
        number,
        hard,
        b"\1\2\3\4",
    )
    assert q.flow == ip(YOU6) + ip(MY6) + (80).to_bytes(2, "big") + (5000).to_bytes(2, "big")
    assert q.mtu == (1300 if number == errno.EMSGSIZE else 0)


def test_the_next_hop_mtu_of_fragmentation_needed_is_passed_on() -> None:
    """RFC 1191 §4"""
    d = Host().hear(IP(src="10.0.0.254", dst=MY4) / ICMP(type=3, code=4, nexthopmtu=1280) / OURS4)
    assert d is not None
    assert d.quoted is not None
    assert d.quoted.mtu == 1280


@pytest.mark.parametrize(
    ("quote", "reason"),
    [
        (b"", "drop.icmp.quote"),
        (bytes(OURS4)[:27], "drop.icmp.quote"),  # ports alone are not enough for a sequence number
        (b"\x60" + bytes(OURS4)[1:], "drop.icmp.quote"),
        (b"\x44" + bytes(OURS4)[1:], "drop.icmp.quote"),
        (b"\x4f" + bytes(OURS4)[1:], "drop.icmp.quote"),
        (bytes(IP(src=MY4, dst=YOU4, frag=1) / UDP()), "drop.icmp.quote"),
        (bytes(IP(src=YOU4, dst=MY4) / UDP()), "drop.icmp.not_ours"),
    ],
)
def test_an_error_that_does_not_tell_whose_packet_it_is_about_is_dropped(quote: bytes, reason: str) -> None:
    """RFC 1122 §3.2.2, RFC 5927 §4"""
    host = Host()
    assert host.hear(IP(src="10.0.0.254", dst=MY4) / ICMP(type=3, code=3) / Raw(quote)) is None
    assert (host.drops(), host.sent()) == ({reason: 1}, [])


def test_a_quote_shorter_than_its_lengths_say_is_still_good() -> None:
    """RFC 792: IP header plus 64 bits."""
    d = Host().hear(IP(src="10.0.0.254", dst=MY4) / ICMP(type=3, code=3) / Raw(bytes(OURS4)[:28]))
    assert d is not None
    assert d.quoted is not None


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (IP(src=YOU4, dst=MY4, proto=1) / Raw(b"\x08\0\xf7\xff"), "drop.icmp.short"),
        (IP(src=YOU4, dst=MY4) / ICMP(type=8, chksum=1), "drop.icmp.csum"),
        (IPv6(src=YOU6, dst=MY6) / ICMPv6EchoRequest(cksum=1), "drop.icmp.csum"),
        (IP(src=YOU4, dst=MY4) / ICMP(type=4) / OURS4, "drop.icmp.quench"),
        (IP(src=YOU4, dst=MY4) / ICMP(type=5) / OURS4, "drop.icmp.redirect"),
        (IP(src=YOU4, dst=MY4) / ICMP(type=13), "drop.icmp.v4_type"),
        (IP(src=YOU4, dst=MY4) / ICMP(type=255), "drop.icmp.v4_type"),
        (IPv6(src=YOU6, dst=MY6) / ICMPv6Unknown(type=200) / Raw(bytes(8)), "drop.icmp.v6_type"),
        (IPv6(src=YOULL, dst=MY6) / ICMPv6Unknown(type=143) / Raw(bytes(8)), "drop.icmp.mld"),
    ],
)
def test_other_messages_are_dropped_by_name_and_silently(packet: IP, reason: str) -> None:
    """RFC 1122 §3.2.2, RFC 6633 §3, RFC 4443 §2.4 (b); hostile-input rows 3, 22, 24"""
    host = Host()
    assert host.hear(packet) is None
    assert (host.drops(), host.sent()) == ({reason: 1}, [])


@pytest.mark.parametrize("address", ["10.0.0.77", "fd00::77"])
def test_a_packet_whose_neighbour_never_answers_comes_back_as_host_unreachable(address: str) -> None:
    """RFC 4861 §7.2.2, RFC 1122 §2.3.2.2"""
    host = Host()
    path = route.lookup(host.env, host.net, ip(address))
    assert path is not None
    send(host.env, host.net, path, 6, bytes(TCP(sport=1, dport=2)), (b"data",))
    assert icmp.undelivered(host.env, host.net) == []
    host.wait(3 * SECOND)
    (d,) = icmp.undelivered(host.env, host.net)
    q = d.quoted
    assert q is not None
    assert d.src == d.dst == q.src
    family = of(ip(address))
    assert (q.type, q.code, q.errno, q.hard) == (family.unreachable, family.host, errno.EHOSTUNREACH, False)
    assert (q.proto, q.dst, q.transport[:4], q.transport[-4:]) == (6, ip(address), b"\0\1\0\2", b"data")
    assert q.flow == path.dst + path.src + b"\0\2\0\1"
    assert icmp.undelivered(host.env, host.net) == []


def test_errors_about_packets_from_a_former_address_are_not_ours() -> None:
    host = Host()
    addrs.del_addr(host.env, host.net, 1, MY6)
    addrs.add_addr(host.env, host.net, 1, "10.0.0.3/24")
    addrs.del_addr(host.env, host.net, 1, MY4)
    host.hear(IP(src="10.0.0.254", dst="10.0.0.3") / ICMP(type=3, code=3) / OURS4)
    assert host.drops() == {"drop.icmp.not_ours": 1}
