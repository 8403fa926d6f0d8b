# SPDX-License-Identifier: GPL-2.0-or-later
"""The headers of IP itself: what is read, what is passed over, what ends a packet without a word, and what with one.

A ping is the question: who answers has read the header, who is silent has dropped it.
"""

from labstack.scenario import scenario
from layers import ICMP, IP, UDP, Ether, ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ParamProblem, IPOption, Raw
from layers import IPOption_LSRR as LooseRoute
from layers import IPOption_NOP as Nop
from layers import IPOption_RR as RecordRoute
from layers import IPOption_SSRR as StrictRoute

DATA = b"0123456789abcdef"


def ping(t, header=None):
    """A ping behind this header, or the usual one."""
    header = header or t.IP()
    return header / ICMPv6EchoRequest(id=7, seq=1, data=DATA) if t.v6 else header / ICMP(type=8, id=7) / DATA


def pong(t, **fields):
    """The answer to it."""
    header = t.IP(src=t.ip, dst=t.peer.ip, **fields)
    return header / ICMPv6EchoReply(id=7, data=DATA) if t.v6 else header / ICMP(type=0, id=7) / DATA


def framed(t, packet):
    """As an Ethernet frame, whatever the packet says of itself."""
    return Ether(dst=t.mac, src=t.peer.mac, type=0x86DD if t.v6 else 0x0800) / bytes(packet)


def answers(t):
    """The host is well: it answers a ping."""
    t.send(ping(t))
    t.expect(pong(t), within=0)


def dropped(t, packets):
    """Each of them is met by silence."""
    for packet in packets:
        t.send(framed(t, packet))
        t.silence("10ms")
    answers(t)


@scenario(covers="IP4-5 IP4-6", link="ether", ip="ipv4 ipv6")
def another_version_is_dropped(t):
    "A packet says twice what it is, in its frame and in its first bits: both must agree (RFC 1122 §3.2.1.1)."
    whole = bytes(ping(t))
    dropped(t, [bytes([version << 4 | 5]) + whole[1:] for version in range(16) if version != (6 if t.v6 else 4)])


@scenario(covers="IP4-6", link="ether", ip="ipv4")
def a_damaged_header_is_dropped(t):
    "Any flipped bit of the header shows in its checksum (RFC 1122 §3.2.1.2)."
    whole = bytes(ping(t))
    damaged = []
    for at in range(20):
        for bit in (1, 0x80):
            damaged.append(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :])
    dropped(t, damaged)


@scenario(link="ether", ip="ipv4")
def lengths_that_cannot_be_are_dropped(t):
    "A header shorter than 20 bytes, or longer than the packet; a packet longer than its frame (RFC 791 §3.1)."
    wrong = [ping(t, t.IP(ihl=n)) for n in (0, 1, 4, 15)] + [ping(t, t.IP(len=n)) for n in (0, 19, 200, 65535)]
    dropped(t, wrong + [bytes(ping(t))[:n] for n in (0, 1, 8, 19, 20, 43)])


@scenario(link="ether", ip="ipv6")
def lengths_beyond_the_frame_are_dropped(t):
    "A payload longer than what the frame brought was cut on its way (RFC 8200 §3)."
    dropped(t, [ping(t, t.IP(plen=n)) for n in (25, 200, 65535)] + [bytes(ping(t))[:n] for n in (0, 1, 39, 40, 63)])


@scenario(link="ether", ip="ipv4 ipv6")
def what_fills_the_frame_is_not_data(t):
    "Ethernet pads small frames; the length of IP says where the packet ends (RFC 894, RFC 2464 §3)."
    t.send(framed(t, bytes(ping(t)) + bytes(30)))
    t.expect(pong(t), within=0)


@scenario(covers="IP4-3 IP4-8 IP6-1", ip="ipv4 ipv6")
def whatever_is_left_of_its_life_the_packet_has_arrived(t):
    "TTL and hop limit are the affair of routers; a destination does not drop for 0 or 1 (RFC 1122 §3.2.1.7)."
    for ttl in (0, 1, 255):
        t.send(ping(t, t.IP(ttl=ttl)))
        t.expect(pong(t, ttl=64), within=0)


@scenario(covers="ICMP4-4", ip="ipv4 ipv6")
def fields_for_routers_are_passed_over(t):
    "Don't fragment, the reserved bit, any identification; in IPv6 the flow label (RFC 791 §3.1, RFC 8200 §6)."
    headers = [t.IP(fl=0xABCDE), t.IP(fl=1)] if t.v6 else [t.IP(flags="DF", id=0), t.IP(id=65535), t.IP(flags="evil")]
    for header in headers:
        t.send(ping(t, header))
        t.expect(pong(t), within=0)


@scenario(covers="IP4-9 MUST-50", ip="ipv4")
def options_are_passed_over(t):
    "Options that a host does not know or need are ignored, whatever they hold (RFC 1122 §3.2.1.8, RFC 9293 §3.9.2)."
    t.listen(80)
    s = t.socket("dgram")
    s.bind(7)
    times = IPOption(b"\x44\x0c\x05\x00" + bytes(8))  # room for two
    unknown = [IPOption(b"\x5e\x04\x01\x02"), IPOption(b"\x1e\x02"), IPOption(b"\xde\x08abcdef")]
    for options in ([Nop()], [Nop()] * 40, [RecordRoute(routers=["0.0.0.0"] * 9, pointer=4)], unknown, [times]):
        t.send(t.IP(options=options) / UDP(sport=5000, dport=7) / DATA)
        s.recv(returns=DATA)
        c = t.peer_tcp(80)
        c.send(flags="S", ip={"options": options})
        c.expect(flags="SA", ack=1)
        c.send(flags="R")


@scenario(ip="ipv4")
def malformed_options_are_a_parameter_problem(t):
    "An option whose length cannot be: the pointer says which (RFC 1122 §3.2.2.5)."
    for options, at in ((b"\x07\x00\x00\x00", 20), (b"\x01\x01\x5e\x09", 22), (b"\x01\x01\x01\x5e", 23)):
        whole = bytes(ping(t))
        total = (len(whole) + 4).to_bytes(2, "big")
        header = IP(b"\x46" + whole[1:2] + total + whole[4:20] + options)
        header.chksum = None
        t.send(header / Raw(load=whole[20:]))
        t.expect(ICMP(type=12, code=0, ptr=at), within=0)


@scenario(ip="ipv4", covers="IP4-9")
def source_routes_are_not_followed(t):
    "A packet that says itself how it is to travel passes by filters: such wishes are not granted (RFC 7126 §4.3)."
    for route in (LooseRoute, StrictRoute):
        t.send(ping(t, t.IP(options=[route(routers=["192.0.2.1", t.ip], pointer=4)])))
        t.silence("50ms")


@scenario(covers="IP4-7", link="ether", ip="ipv4 ipv6")
def packets_for_others_are_dropped(t):
    "A host that is no router passes nothing on and complains of nothing (RFC 1122 §3.2.1.3, §3.3.1)."
    others = (
        ("fd3d:a0b:17d6::77", "2001:db8::1", "ff02::1:ff00:77") if t.v6 else ("192.168.0.77", "192.0.2.1", "224.0.0.77")
    )
    for other in others:
        t.send(Ether(dst=t.mac, src=t.peer.mac) / ping(t, t.IP(dst=other)))
        t.silence("50ms")
    answers(t)


@scenario(covers="IP4-7", link="ether", ip="ipv4 ipv6")
def packets_from_nobody_are_dropped(t):
    "No host has a multicast, broadcast or loopback address on a wire, nor ours (RFC 1122 §3.2.1.3, RFC 4291 §2.7)."
    nobody = ("255.255.255.255", "224.0.0.1", "127.0.0.1", "0.0.0.0", t.ip)
    for source in ("ff02::1", "::1") if t.v6 else nobody:
        t.send(Ether(dst=t.mac, src=t.peer.mac) / ping(t, t.IP(src=source)))
        t.silence("50ms")
    answers(t)


@scenario(covers="ICMP4-3", ip="ipv4")
def an_unknown_protocol_is_unreachable(t):
    "Somebody may be waiting: protocol unreachable, with the header that was sent (RFC 1122 §3.2.2.1)."
    for proto in (99, 132, 255):
        asked = t.IP(proto=proto, id=proto) / Raw(load=DATA)
        t.send(asked)
        told = t.expect(t.IP(src=t.ip, dst=t.peer.ip) / ICMP(type=3, code=2), within=0)
        assert bytes(told)[28:] == bytes(asked)


@scenario(covers="IP6-3", ip="ipv6")
def an_unknown_next_header_is_a_parameter_problem(t):
    "Its pointer says where the unknown number stands: in the fixed header, byte 6 (RFC 8200 §4)."
    for proto in (99, 132, 253):
        asked = t.IP(nh=proto) / Raw(load=DATA)
        t.send(asked)
        told = t.expect(t.IP(src=t.ip, dst=t.peer.ip) / ICMPv6ParamProblem(code=1, ptr=6), within=0)
        assert bytes(told)[48:] == bytes(asked)


@scenario(covers="IP4-4 IP4-10", ip="ipv4 ipv6")
def packets_as_large_as_the_link_are_accepted(t):
    "576 bytes always, and whatever the link carries: a ping of that size comes back (RFC 1122 §3.3.2)."
    head = 48 if t.v6 else 28
    for size in (576, 1280, 1499, 1500):
        data = bytes(range(256)) * 6
        asked = ICMPv6EchoRequest(id=7, seq=size, data=data[: size - head])
        t.send(t.IP() / (asked if t.v6 else ICMP(type=8, id=7, seq=size) / data[: size - head]))
        back = t.expect(t.IP(src=t.ip, dst=t.peer.ip), within=0)
        assert bytes(back)[-(size - head) :] == data[: size - head]


@scenario(ip="ipv4 ipv6", covers="ICMP4-4")
def the_answer_to_a_ping_is_served_as_the_ping_was(t):
    "Type of service and traffic class come back, so that one can measure each class (RFC 1122 §3.2.2.6)."
    for tos in (0, 0xB8, 0x20):
        t.send(ping(t, t.IP(tos=tos)))
        t.expect(pong(t, tos=tos), within=0)


@scenario(ip="ipv4", xfail={"lab": "our answers have no options"})
def a_recorded_route_goes_on_with_the_answer(t):
    "Record Route of a ping is filled in by us and sent back in the answer (RFC 1122 §3.2.2.6)."
    t.send(ping(t, t.IP(options=[RecordRoute(routers=["0.0.0.0"] * 3, pointer=4)])))
    back = t.expect(ICMP(type=0, id=7), within=0)
    assert back[IP].options


@scenario(ip="ipv4", link="ether")
def reports_of_groups_are_for_routers(t):
    "IGMP tells a router which groups have listeners (RFC 2236); a host that hears one has nothing to say."
    for packet in (b"\x16\0\x09\xff\xe0\0\0\1", b"\x17\0\xf8\xfd\xe0\0\0\2"):
        t.send(Ether(dst=t.mac, src=t.peer.mac) / t.IP(proto=2) / Raw(load=packet))
        t.silence("50ms")
    answers(t)
