# SPDX-License-Identifier: GPL-2.0-or-later
"""UDP as packetdrill's language cannot say it: checksums, lengths, addresses, broadcasts, many senders."""

from labstack.scenario import scenario
from layers import ICMP, IP, UDP, Ether, ICMPv6DestUnreach, Raw


def open_port(t, port=7):
    """A socket of the host that is bound to a port on all addresses, and does not block."""
    s = t.socket("dgram")
    s.bind(("::" if t.family != "ipv4" else "0.0.0.0", port))
    s.nonblocking()
    return s


def to_port(t, data=b"hello", port=7, **fields):
    """A datagram of the peer's."""
    return t.IP() / UDP(**{"sport": 5000, "dport": port, **fields}) / data


@scenario(covers="UDP-1", ip="ipv4 ipv4-mapped-ipv6")
def without_a_checksum_a_datagram_is_delivered_in_ipv4(t):
    "A checksum of 0 says that the sender computed none (RFC 768)."
    s = open_port(t)
    t.send(to_port(t, chksum=0))
    s.recv(returns=b"hello")


@scenario(covers="IP6-13 UDP-1")
def a_computed_checksum_of_zero_is_sent_as_ffff(t):
    "0 means none, so a sum that comes out as 0 is sent as its other form (RFC 768, RFC 8200 §8.1)."
    s = open_port(t)
    s.sendto(b"\0\0", 9)
    first = t.expect(UDP(sport=7, dport=9))
    s.sendto(first[UDP].chksum.to_bytes(2, "big"), 9)  # the sum grows by what it lacks
    t.expect(UDP(sport=7, dport=9, chksum=0xFFFF))


@scenario(covers="UDP-1")
def every_datagram_has_a_checksum(t):
    "Odd and even lengths, no data and much: what is expected is also looked at for its sums (RFC 1122 §4.1.3.4)."
    s = open_port(t)
    for length in (0, 1, 2, 3, 99, 1000, 1400):
        data = bytes(range(7, 250)) * 6
        s.sendto(data[:length], 9)
        t.expect(UDP(sport=7, dport=9, len=8 + length) / data[:length], within=0)


@scenario
def the_length_field_says_where_the_data_end(t):
    "What stands behind the length of UDP is not data; a length beyond the packet, or below 8, is an error (RFC 768)."
    s = open_port(t)
    datagram = bytes(to_port(t))[40 if t.v6 else 20 :]
    t.send(udp(t, datagram + b"tail"))
    s.recv(returns=b"hello")
    for wrong in (1, 7, 14, 1000, 65535):
        t.send(to_port(t, len=wrong))
        t.silence("20ms")
    t.send(udp(t, datagram[:4]))  # half a header
    t.silence("20ms")
    s.recv(fails="EAGAIN")


def udp(t, data):
    """A packet with these bytes as UDP."""
    return (t.IP(nh=17) if t.v6 else t.IP(proto=17)) / data


@scenario(covers="UDP-4", link="ether")
def a_datagram_from_an_impossible_sender_is_dropped(t):
    "Nobody on a wire is at a multicast, broadcast or loopback address, nor where we are (RFC 1122 §4.1.3.6)."
    s = open_port(t)
    for source in ("ff02::1", "::1") if t.v6 else ("255.255.255.255", "224.0.0.1", "127.0.0.1", "0.0.0.0", t.ip):
        for port in (7, 9):
            t.send(t.IP(src=source) / UDP(sport=5000, dport=port) / b"hello")
            t.silence("50ms")
    s.recv(fails="EAGAIN")
    t.send(to_port(t))
    s.recv(returns=b"hello")


@scenario(
    covers="UDP-4",
    ip="ipv4",
    link="ether",
    xfail={"kernel": "Linux looks up the source only where its reverse path filter (rp_filter) is on"},
)
def a_datagram_from_the_broadcast_address_of_the_link_is_dropped(t):
    "The address that means all hosts of a link is nobody's own, either (RFC 1122 §4.1.3.6, §3.2.1.3)."
    s = open_port(t)
    t.send(t.IP(src="192.168.255.255") / UDP(sport=5000, dport=7) / b"hello")
    s.recv(fails="EAGAIN")


@scenario(covers="UDP-2 ICMP4-2 ICMP6-2 ICMP6-5", ip="ipv4 ipv6")
def port_unreachable_quotes_the_datagram(t):
    "Who is told must know of what: the IP header, the ports, and as much more as may be (RFC 1122 §3.2.2)."
    for size in (0, 8, 500, 1400):
        asked = t.IP(id=77, ttl=9) if not t.v6 else t.IP(hlim=9)
        asked = asked / UDP(sport=5000, dport=9) / bytes(size)
        t.send(asked)
        kind = ICMPv6DestUnreach(code=4) if t.v6 else ICMP(type=3, code=3)
        told = t.expect(t.IP(src=t.ip, dst=t.peer.ip, ttl=64) / kind, within=0)
        quoted = bytes(told)[48:] if t.v6 else bytes(told)[28:]
        most = (1280 if t.v6 else 576) - (48 if t.v6 else 28)
        assert quoted == bytes(asked)[:most]


@scenario(covers="ICMP4-1", ip="ipv4", link="ether")
def a_datagram_in_a_frame_for_everybody_is_not_answered(t):
    "To us alone above, to all hosts beneath: no error about that, either (RFC 1122 §3.2.2)."
    t.send(Ether(src=t.peer.mac, dst="ff:ff:ff:ff:ff:ff") / to_port(t, port=9))
    t.silence("100ms")


@scenario(ip="ipv4", link="ether")
def a_broadcast_is_delivered(t):
    "Who listens on all addresses hears what is sent to all hosts, of the link or of the network (RFC 1122 §3.3.6)."
    s = open_port(t)
    for everybody in ("255.255.255.255", "192.168.255.255"):
        t.send(IP(src=t.peer.ip, dst=everybody) / UDP(sport=5000, dport=7) / everybody.encode())
        s.recvfrom(returns=(everybody.encode(), (t.peer.ip, 5000)))


@scenario(ip="ipv4", link="ether")
def sending_to_all_needs_permission(t):
    "A broadcast by mistake would be heard by all: SO_BROADCAST says that it is none (RFC 1122 §3.3.6)."
    s = open_port(t)
    s.sendto(b"x", ("192.168.255.255", 9), fails="EACCES")
    s.setsockopt("SOL_SOCKET", "SO_BROADCAST", 1)
    s.sendto(b"to all", ("192.168.255.255", 9))
    t.expect(Ether(dst="ff:ff:ff:ff:ff:ff") / IP(dst="192.168.255.255") / UDP(dport=9) / b"to all", within=0)


@scenario
def the_sender_is_told_with_each_datagram(t):
    "recvfrom() names who sent it, so that one socket serves many, each gets its own answer."
    s = open_port(t)
    for n in range(1, 21):
        t.send(to_port(t, str(n).encode(), sport=5000 + n))
    for n in range(1, 21):
        data, sender = s.recvfrom()
        assert (data, sender[1]) == (str(n).encode(), 5000 + n)
        s.sendto(b"you are " + data, sender)
        t.expect(t.IP(src=t.ip, dst=t.peer.ip) / UDP(sport=7, dport=5000 + n) / (b"you are " + data), within=0)


@scenario
def what_nobody_reads_is_lost_in_the_end(t):
    "The queue of a socket has a bound; what does not fit is dropped without an error, and counted."
    s = open_port(t)
    s.setsockopt("SOL_SOCKET", "SO_RCVBUF", 4096)
    for n in range(100):
        t.send(to_port(t, n.to_bytes(500, "big")))
    t.silence("50ms")
    count = 0
    while t.call("poll", [(s, 1)], 0)[0] & 1:
        s.recv(returns=count.to_bytes(500, "big"))
        count += 1
    counters = t.counters()
    lost = counters["Udp6RcvbufErrors" if t.v6 else "UdpRcvbufErrors"]
    assert 1 <= count < 50
    assert lost == 100 - count


@scenario(covers="UDP-3 ICMP4-2", ip="ipv4 ipv6")
def an_error_goes_to_the_socket_that_sent_the_datagram(t):
    "Of two sockets with one peer the one learns of the refusal whose ports are quoted (RFC 1122 §4.1.3.3)."
    one, other = t.socket("dgram"), t.socket("dgram")
    for s, port in ((one, 1001), (other, 1002)):
        s.bind(port)
        s.connect(7)
        s.nonblocking()
    one.send(b"hello")
    sent = t.expect(UDP(sport=1001, dport=7))
    t.send(t.IP() / ((ICMPv6DestUnreach(code=4) if t.v6 else ICMP(type=3, code=3)) / Raw(load=bytes(sent))))
    other.recv(fails="EAGAIN")
    one.recv(fails="ECONNREFUSED")


@scenario(ip="ipv4 ipv6")
def ttl_and_tos_are_what_the_application_sets(t):
    "The fields of the IP header that belong to the application go out as it says (RFC 1122 §4.1.4)."
    s = open_port(t)
    if t.v6:
        s.setsockopt("IPPROTO_IPV6", "IPV6_UNICAST_HOPS", 5)
        s.setsockopt("IPPROTO_IPV6", "IPV6_TCLASS", 0xB8)
    else:
        s.setsockopt("IPPROTO_IP", "IP_TTL", 5)
        s.setsockopt("IPPROTO_IP", "IP_TOS", 0xB8)
    s.sendto(b"x", 9)
    t.expect(t.IP(src=t.ip, dst=t.peer.ip, ttl=5, tos=0xB8) / UDP(dport=9), within=0)


@scenario(ip="ipv4 ipv6", wait="fragmentation")
def a_datagram_larger_than_the_link_goes_in_fragments(t):
    "UDP may send up to 65,507 bytes; IP cuts them (RFC 791 §3.2, RFC 8200 §4.5)."
    s = open_port(t)
    s.sendto(bytes(3000), 9)
    sizes = [len(bytes(t.expect(t.IP(src=t.ip, dst=t.peer.ip), within=0))) for _ in range(3)]
    assert sizes[0] <= 1500


@scenario(ip="ipv4 ipv6", wait="fragmentation")
def the_largest_datagram_arrives(t):
    "Reassembly gives back what the sender cut, up to the 65,507 bytes that fit IPv4 (RFC 1122 §3.3.2)."
    s = open_port(t)
    s.sendto(bytes(65507), 9)
    pieces = t.expect(t.IP(src=t.ip, dst=t.peer.ip), count=45 if not t.v6 else 46, within=0)
    assert sum(len(bytes(it)) for it in pieces) > 65507
