# SPDX-License-Identifier: GPL-2.0-or-later
"""Extension headers of IPv6 (RFC 8200 §4): walked in order; options by two bits of their type; routes by nobody.

A ping behind the headers is the question, as in scenario_header.
"""

from labstack.scenario import scenario
from layers import (
    Ether,
    HBHOptUnknown,
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6ParamProblem,
    IPv6,
    IPv6ExtHdrRouting,
    Pad1,
    PadN,
    Raw,
)
from layers import IPv6ExtHdrDestOpt as Destination
from layers import IPv6ExtHdrHopByHop as HopByHop
from layers import RouterAlert as Alert

PING = ICMPv6EchoRequest(id=7, seq=1, data=b"ping")
SKIP, DISCARD, REPORT, REPORT_UNICAST = 0x1E, 0x5E, 0x9E, 0xDE  # types of options that nobody knows


def answered(t, packet):
    """The ping behind these headers arrived."""
    t.send(packet)
    t.expect(IPv6(src=t.ip, dst=t.peer.ip) / ICMPv6EchoReply(id=7, data=b"ping"), within=0)


def refused(t, packet, code, pointer):
    """The sender is told what of his packet was not understood."""
    t.send(packet)
    told = t.expect(IPv6(src=t.ip, dst=t.peer.ip) / ICMPv6ParamProblem(code=code, ptr=pointer), within=0)
    assert bytes(told)[48:] == bytes(packet)


@scenario(covers="IP6-5", ip="ipv6")
def padding_is_passed_over(t):
    "Pad1 and PadN fill up a header to a multiple of 8 bytes (RFC 8200 §4.2)."
    for options in ([Pad1()] * 6, [PadN(optdata=bytes(4))], [Pad1(), PadN(optdata=bytes(3))], [PadN(optdata=b"")] * 3):
        for header in (HopByHop, Destination):
            answered(t, t.IP() / header(autopad=0, options=options) / PING)


@scenario(covers="IP6-2", ip="ipv6")
def headers_may_stand_in_any_number(t):
    "Hop-by-hop, destination, routing, destination once more: each names the next (RFC 8200 §4.1)."
    answered(t, t.IP() / HopByHop(options=[Alert(value=0)]) / PING)
    answered(t, t.IP() / HopByHop() / Destination() / IPv6ExtHdrRouting(type=9, segleft=0) / Destination() / PING)


@scenario(covers="IP6-2", ip="ipv6")
def hop_by_hop_options_stand_only_at_the_front(t):
    "Behind another header they count as a next header that nobody knows: the pointer says where (RFC 8200 §4.1, §4.3)."
    refused(t, t.IP() / Destination() / HopByHop() / PING, 1, 40)


@scenario(covers="IP6-4", ip="ipv6")
def an_unknown_option_says_itself_what_is_to_be_done(t):
    "Two bits: skip it, drop the packet, drop it and tell, tell only whom it was for alone (RFC 8200 §4.2)."
    for header in (HopByHop, Destination):
        answered(t, t.IP() / header(options=[HBHOptUnknown(otype=SKIP, optdata=b"abcd")]) / PING)
        t.send(t.IP() / header(options=[HBHOptUnknown(otype=DISCARD, optdata=b"abcd")]) / PING)
        t.silence("50ms")
        for kind in (REPORT, REPORT_UNICAST):
            refused(t, t.IP() / header(options=[HBHOptUnknown(otype=kind, optdata=b"abcd")]) / PING, 2, 42)
    two = [HBHOptUnknown(otype=SKIP, optdata=b"ab"), HBHOptUnknown(otype=REPORT, optdata=b"ab")]
    refused(t, t.IP() / Destination(options=two) / PING, 2, 46)


@scenario(covers="IP6-4 ICMP6-3", ip="ipv6", link="ether")
def of_a_group_only_one_kind_of_option_asks_for_an_answer(t):
    "What was sent to all nodes is answered by all: only where the sender wants that (RFC 8200 §4.2, RFC 4443 §2.4)."
    frame = Ether(src=t.peer.mac, dst="33:33:00:00:00:01") / IPv6(src=t.peer.ip, dst="ff02::1")
    t.send(frame / Destination(options=[HBHOptUnknown(otype=REPORT_UNICAST, optdata=b"abcd")]) / PING)
    t.silence("100ms")
    t.send(frame / Destination(options=[HBHOptUnknown(otype=REPORT, optdata=b"abcd")]) / PING)
    told = t.expect(ICMPv6ParamProblem(code=2, ptr=42), within=0)
    assert not told[IPv6].src.startswith("ff")


@scenario(covers="IP6-6 IP6-15", ip="ipv6")
def a_route_that_nobody_knows_is_followed_by_nobody(t):
    "With segments left it would have to be: an error with the place of the type; without it is passed over (§4.4)."
    for kind in (0, 9, 253):
        answered(t, t.IP() / IPv6ExtHdrRouting(type=kind, segleft=0) / PING)
        refused(t, t.IP() / IPv6ExtHdrRouting(type=kind, segleft=1, addresses=["fd00::1"]) / PING, 0, 42)
        t.sleep("1.2s")  # errors are rationed


@scenario(covers="IP6-3", ip="ipv6")
def an_unknown_header_behind_others_is_pointed_at(t):
    "The pointer is to where the unknown number stands, in the header before (RFC 8200 §4)."
    refused(t, t.IP() / Destination(nh=99) / Raw(load=bytes(8)), 1, 40)
    refused(t, t.IP() / HopByHop() / Destination(nh=99) / Raw(load=bytes(8)), 1, 48)


@scenario(ip="ipv6")
def no_next_header_is_the_end(t):
    "59 says that nothing follows; what does is ignored, and nobody is told (RFC 8200 §4.7)."
    t.send(t.IP(nh=59) / Raw(load=bytes(PING)))
    t.send(t.IP() / Destination(nh=59) / Raw(load=bytes(PING)))
    t.silence("100ms")


@scenario(ip="ipv6")
def headers_that_are_cut_are_dropped(t):
    "A header longer than what is left of the packet, an option longer than its header: nothing can be said of them."
    for extension in (b"", b"\x3a", b"\x3a\x01" + bytes(6), b"\x3a\xff" + bytes(22)):
        t.send(t.IP(nh=60) / Raw(load=extension))
        t.silence("20ms")
    for options in (b"\x01\x05\0\0\0\0", b"\x1e\xff\0\0\0\0", b"\0\0\0\0\0\x01"):
        t.send(t.IP(nh=60) / Raw(load=b"\x3a\x00" + options + bytes(8)))
        t.silence("20ms")


@scenario(covers="IP6-5", ip="ipv6")
def more_padding_than_alignment_needs_is_dropped(t):
    "Seven bytes align anything; more would be a way to make hosts work (RFC 8504 §5.3)."
    for header in (HopByHop, Destination):
        for options in ([PadN(optdata=bytes(6))], [PadN(optdata=bytes(12))], [Pad1()] * 14):
            packet = t.IP() / header(autopad=0, options=options) / PING
            padding = sum(len(option.build()) for option in options)
            if padding > 7 and (2 + padding) % 8 == 0:
                t.send(packet)
                t.silence("50ms")


@scenario(covers="IP6-4", ip="ipv6")
def more_options_than_anybody_needs_are_dropped(t):
    "Eight in one header, padding apart (RFC 8504 §5.3, Linux's max_dst_opts_number)."
    for header in (HopByHop, Destination):
        answered(t, t.IP() / header(options=[HBHOptUnknown(otype=SKIP, optdata=b"ab")] * 8) / PING)
        t.send(t.IP() / header(options=[HBHOptUnknown(otype=SKIP, optdata=b"ab")] * 9) / PING)
        t.silence("50ms")


@scenario(covers="IP6-2", ip="ipv6", xfail={"kernel": "Linux walks on to the end of the packet"})
def more_headers_than_anybody_needs_are_dropped(t):
    "A chain of sixteen is longer than any that makes sense, and each costs work (RFC 8883 §1)."
    packet = t.IP()
    for _ in range(17):
        packet = packet / Destination()
    t.send(packet / PING)
    t.silence("50ms")
