# SPDX-License-Identifier: GPL-2.0-or-later
"""Fragments (RFC 791 §3.2, RFC 8200 §4.5): put together, or dropped whole. A ping in pieces is the question."""

from labstack.scenario import scenario
from layers import (
    ICMP,
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6ParamProblem,
    ICMPv6TimeExceeded,
    IPv6ExtHdrFragment,
    Raw,
)

BOTH = "ipv4 ipv6"
DATA = bytes(range(256)) * 4


def ping(t, size=1000):
    """The ping as bytes behind the IP header, with its checksum."""
    data = DATA[:size]
    if t.v6:
        return bytes(t.IP() / ICMPv6EchoRequest(id=7, seq=1, data=data))[40:]
    return bytes(t.IP() / ICMP(type=8, id=7) / Raw(load=data))[20:]


def piece(t, whole, start, end, number=1, more=None):
    """The fragment whole[start:end]; `more` says that others follow, which is so unless it is the end."""
    more = end < len(whole) if more is None else more
    if t.v6:
        return t.IP() / IPv6ExtHdrFragment(nh=58, offset=start // 8, m=more, id=number) / Raw(load=whole[start:end])
    header = t.IP(id=number, frag=start // 8, flags="MF" if more else 0, proto=1)
    return header / Raw(load=whole[start:end])


def pong(t, size=1000):
    """The answer to it."""
    if t.v6:
        return t.IP(src=t.ip, dst=t.peer.ip) / ICMPv6EchoReply(id=7, data=DATA[:size])
    return t.IP(src=t.ip, dst=t.peer.ip) / ICMP(type=0, id=7) / DATA[:size]


@scenario(covers="IP6-14", ip="ipv6", wait="reassembly")
def an_atomic_fragment_is_a_packet(t):
    "One that is first and last at once needs no others, not even such with its number (RFC 6946 §4)."
    whole = ping(t)
    t.send(piece(t, whole, 0, 400))
    t.send(piece(t, ping(t, 8), 0, 16))
    t.expect(pong(t, 8), within=0)
    t.send(piece(t, whole, 400, len(whole)))
    t.expect(pong(t), within=0)


@scenario(covers="IP4-1", ip=BOTH, wait="reassembly")
def fragments_of_two_packets_are_kept_apart(t):
    "What belongs together has one number, source, destination and protocol (RFC 791 §3.2)."
    one, other = ping(t, 600), ping(t, 800)
    for whole, number in ((one, 1), (other, 2)):
        t.send(piece(t, whole, 0, 400, number))
    for whole, number, size in ((other, 2, 800), (one, 1, 600)):
        t.send(piece(t, whole, 400, len(whole), number))
        t.expect(pong(t, size), within=0)


@scenario(covers="IP6-9", ip="ipv6", wait="reassembly")
def overlapping_fragments_cost_the_whole_packet(t):
    "Two versions of a byte are an attack: all that there is of the packet is dropped (RFC 8200 §4.5, RFC 5722)."
    whole = ping(t)
    t.send(piece(t, whole, 0, 400))
    t.send(piece(t, whole, 392, 800))
    t.send(piece(t, whole, 400, len(whole)))
    t.silence("100ms")
    t.send(piece(t, whole, 0, 400, 2))
    t.send(piece(t, whole, 400, len(whole), 2))
    t.expect(pong(t), within=0)


@scenario(covers="IP6-7", ip="ipv6", wait="reassembly")
def a_fragment_in_the_middle_is_a_multiple_of_eight_bytes(t):
    "Otherwise the next could not begin where it ends: a problem with the payload length (RFC 8200 §4.5)."
    t.send(piece(t, ping(t), 0, 401))
    t.expect(ICMPv6ParamProblem(code=0, ptr=4), within=0)


@scenario(covers="IP6-8", ip="ipv6", wait="reassembly")
def a_fragment_beyond_the_longest_packet_is_a_problem(t):
    "An offset with which the packet would be longer than 65,535 bytes: the pointer says so (RFC 8200 §4.5)."
    t.send(t.IP() / IPv6ExtHdrFragment(nh=58, offset=8191, m=0, id=1) / Raw(load=bytes(16)))
    t.expect(ICMPv6ParamProblem(code=0, ptr=42), within=0)


@scenario(covers="IP6-11", ip="ipv6", wait="reassembly")
def the_first_fragment_has_all_headers(t):
    "Filters look only at that: without the upper-layer header it is refused (RFC 8200 §4.5, RFC 7112 §5)."
    t.send(piece(t, ping(t), 0, 0, more=True))
    t.expect(ICMPv6ParamProblem(code=3, ptr=0), within=0)


@scenario(covers="IP4-11 IP6-10", ip=BOTH, wait="reassembly", tolerance=0.5)
def a_packet_that_never_becomes_whole_is_given_up(t):
    "The sender is told, if his first fragment came, for only that says who he was (RFC 1122 §3.3.2, RFC 8200 §4.5)."
    t.sysctl("net.ipv6.ip6frag_time" if t.v6 else "net.ipv4.ipfrag_time", "2")
    whole = ping(t)
    t.send(piece(t, whole, 400, len(whole), 1))
    t.send(piece(t, whole, 0, 400, 2))
    t.expect(ICMPv6TimeExceeded(code=1) if t.v6 else ICMP(type=11, code=1), at=2)
    t.silence("1s")


@scenario(covers="ICMP4-1", ip="ipv4")
def of_later_fragments_nothing_is_said(t):
    "They have no port or number that would tell anybody which packet it was about (RFC 1122 §3.2.2)."
    t.send(t.IP(id=1, frag=50, flags="MF", proto=99) / Raw(load=bytes(400)))
    t.send(t.IP(id=2, frag=50, flags=0, proto=17) / Raw(load=bytes(400)))
    t.silence("1s")
