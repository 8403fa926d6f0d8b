# SPDX-License-Identifier: GPL-2.0-or-later
"""Neighbour discovery (RFC 4861 §7), which is to IPv6 what ARP is to IPv4, and asks groups instead of everybody."""

from labstack.scenario import scenario
from layers import (
    UDP,
    Ether,
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6ND_RS,
    IPv6,
    IPv6ExtHdrFragment,
    Raw,
)
from layers import ICMPv6NDOptDstLLAddr as Target
from layers import ICMPv6NDOptPrefixInfo as Prefix
from layers import ICMPv6NDOptSrcLLAddr as Source
from layers import ICMPv6NDOptUnknown as Unknown
from layers.checksum import ones_sum, pseudo6

GROUP = "ff02::1:ff00:1"  # solicited-node group of the host's address ...::1 (RFC 4291 §2.7.1)
PEERS = "ff02::1:ff00:2"  # and of the peer's, ...::2


def solicitation(t, target, **ip):
    """The peer asks for an address; fields of the IPv6 header may be given."""
    header = IPv6(**{"src": t.peer.ip, "dst": GROUP, "hlim": 255, **ip})
    return header / ICMPv6ND_NS(tgt=target) / Source(lladdr=t.peer.mac)


def advertisement(t, mac=None, **flags):
    """The peer tells the host where it is."""
    header = IPv6(src=t.peer.ip, dst=t.ip, hlim=255)
    return (
        header / ICMPv6ND_NA(**{"R": 0, "S": 1, "O": 1, "tgt": t.peer.ip, **flags}) / Target(lladdr=mac or t.peer.mac)
    )


@scenario(covers="ND-8", link="ether", ip="ipv6", neighbours=False)
def answers_for_its_own_address_only(t):
    "A solicitation for the host's address is answered to who asked; one for another is not (RFC 4861 §7.2.4)."
    t.send(solicitation(t, "fd3d:a0b:17d6::77"))
    t.silence("1s")
    t.send(solicitation(t, t.ip))
    told = IPv6(src=t.ip, dst=t.peer.ip, hlim=255) / ICMPv6ND_NA(S=1, O=1, tgt=t.ip) / Target(lladdr=t.mac)
    t.expect(Ether(dst=t.peer.mac) / told, within=0)


@scenario(covers="ND-8", link="ether", ip="ipv6", neighbours=False)
def who_has_no_address_yet_is_told_with_everybody(t):
    "A solicitation from :: is about a duplicate address: the answer goes to all nodes, unsolicited (RFC 4861 §7.2.4)."
    header = IPv6(src="::", dst=GROUP, hlim=255)
    t.send(header / ICMPv6ND_NS(tgt=t.ip))
    t.expect(IPv6(dst="ff02::1", src=t.ip) / ICMPv6ND_NA(S=0, tgt=t.ip), within=0)


@scenario(covers="ND-1", link="ether", ip="ipv6", neighbours=False)
def a_solicitation_from_beyond_the_link_is_dropped(t):
    "Hop limit 255 proves that no router passed it on; anything less is silence (RFC 4861 §7.1.1)."
    for hlim in (0, 1, 64, 254):
        t.send(solicitation(t, t.ip, hlim=hlim))
        t.silence("50ms")


@scenario(covers="ND-7 ND-9", link="ether", ip="ipv6", neighbours=False)
def asks_the_group_before_it_sends_and_keeps_the_datagram_meanwhile(t):
    "The datagram waits for the advertisement, and leaves at once when it comes (RFC 4861 §7.2.2)."
    t.socket("dgram").sendto(b"are you there?", 7)
    asked = IPv6(src=t.ip, dst=PEERS, hlim=255) / ICMPv6ND_NS(tgt=t.peer.ip) / Source(lladdr=t.mac)
    t.expect(Ether(dst="33:33:ff:00:00:02", src=t.mac) / asked, within=0)
    t.sleep("300ms")
    t.send(advertisement(t))
    t.expect(Ether(dst=t.peer.mac) / IPv6(dst=t.peer.ip) / UDP(dport=7) / b"are you there?", within=0)


@scenario(covers="ND-6", link="ether", ip="ipv6", neighbours=False, tolerance=0.05)
def asks_three_times_a_second_apart_and_gives_up(t):
    "Three solicitations, RetransTimer apart, then the application is told (RFC 4861 §7.2.2)."
    s = t.socket("dgram")
    s.setsockopt("IPPROTO_IPV6", "IPV6_RECVERR", 1)
    s.connect(7)
    s.send(b"hello?")
    for second in (0, 1, 2):
        t.expect(ICMPv6ND_NS(tgt=t.peer.ip), at=second)
    t.silence("1.2s")
    assert s.error() == "EHOSTUNREACH"


@scenario(covers="ND-9", link="ether", ip="ipv6", neighbours=False)
def an_advertisement_that_nobody_asked_for_makes_no_entry(t):
    "Without an entry there is nothing to update (RFC 4861 §7.2.5)."
    t.send(advertisement(t))
    t.socket("dgram").sendto(b"who are you?", 7)
    t.expect(IPv6(dst=PEERS) / ICMPv6ND_NS(tgt=t.peer.ip), within=0)
    t.send(advertisement(t))
    t.expect(UDP(dport=7), within=0)


@scenario(covers="ND-10", link="ether", ip="ipv6", neighbours=False, tolerance=0.05)
def without_the_override_flag_another_address_is_doubted_and_not_taken(t):
    "O=0 and another address: the entry stays, but is STALE now, so it is soon probed (RFC 4861 §7.2.5)."
    s = t.socket("dgram")
    s.sendto(b"1", 7)
    t.expect(ICMPv6ND_NS(tgt=t.peer.ip), within=0)
    t.send(advertisement(t))
    t.expect(UDP() / b"1", within=0)
    t.sleep("500ms")

    t.send(advertisement(t, "02:00:00:00:00:99", O=0, S=0))
    start = t.now
    s.sendto(b"2", 7)
    t.expect(Ether(dst=t.peer.mac) / UDP() / b"2", within=0)
    probe = Ether(dst=t.peer.mac) / IPv6(dst=t.peer.ip) / ICMPv6ND_NS(tgt=t.peer.ip)
    t.expect(probe, at=start + 5)  # DELAY_FIRST_PROBE_TIME
    t.send(advertisement(t))


@scenario(covers="ND-5", link="ether", ip="ipv6", neighbours=False)
def an_option_of_length_zero_costs_the_whole_message(t):
    "A list of options that cannot be read is a message that cannot be believed (RFC 4861 §4.6)."
    broken = solicitation(t, t.ip)
    broken[Source].len = 0
    t.send(broken)
    t.silence("1s")


@scenario(covers="ICMP6-6", link="ether", ip="ipv6")
def with_neighbours_answered_for_it_a_scenario_is_about_something_else(t):
    "The same ping as on bare IP: who does not care for neighbours sees none."
    t.send(t.IP() / ICMPv6EchoRequest(id=7, seq=1, data=b"through Ethernet"))
    t.expect(t.IP(src=t.ip, dst=t.peer.ip) / ICMPv6EchoReply(id=7, seq=1, data=b"through Ethernet"), within=0)


@scenario(covers="ND-1", link="ether", ip="ipv6", neighbours=False)
def a_solicitation_must_be_valid(t):
    "Code 0, a checksum, 24 bytes, a target that is one host; and from :: only to its group, without a MAC (§7.1.1)."
    good = solicitation(t, t.ip)
    whole = bytes(good)
    cut = IPv6(bytes(IPv6(src=t.peer.ip, dst=GROUP, hlim=255, nh=58, plen=20)) + whole[40:60])
    coded, damaged = solicitation(t, t.ip), solicitation(t, t.ip)
    coded[ICMPv6ND_NS].code = 1
    damaged[ICMPv6ND_NS].cksum = 0xDEAD
    group = solicitation(t, "ff02::1")
    probe = IPv6(src="::", dst=GROUP, hlim=255) / ICMPv6ND_NS(tgt=t.ip) / Source(lladdr=t.peer.mac)
    astray = IPv6(src="::", dst=t.ip, hlim=255) / ICMPv6ND_NS(tgt=t.ip)
    for packet in (cut, coded, damaged, group, probe, astray):
        t.send(packet)
        t.silence("50ms")
    t.send(good)
    t.expect(ICMPv6ND_NA(tgt=t.ip), within=0)


@scenario(covers="ND-2 ND-9", link="ether", ip="ipv6", neighbours=False)
def an_advertisement_must_be_valid(t):
    "Hop limit 255, code 0, and what went to a group was not asked for: all else resolves nothing (RFC 4861 §7.1.2)."
    t.socket("dgram").sendto(b"waiting", 7)
    t.expect(IPv6(dst=PEERS) / ICMPv6ND_NS(tgt=t.peer.ip), within=0)
    far, coded, group, shared = (advertisement(t) for _ in range(4))
    far[IPv6].hlim = 254
    coded[ICMPv6ND_NA].code = 1
    group[ICMPv6ND_NA].tgt = "ff02::1"
    shared[IPv6].dst = "ff02::1"
    for packet in (far, coded, group, shared):
        t.send(packet)
        t.silence("50ms")
    t.send(advertisement(t))
    t.expect(Ether(dst=t.peer.mac) / UDP(dport=7) / b"waiting", within=0)


@scenario(covers="ND-5", link="ether", ip="ipv6", neighbours=False)
def options_that_nobody_knows_are_skipped(t):
    "What comes later in the list counts all the same (RFC 4861 §4.6)."
    header = IPv6(src=t.peer.ip, dst=GROUP, hlim=255)
    strange = Unknown(type=200, len=2, data=bytes(14))
    t.send(header / ICMPv6ND_NS(tgt=t.ip) / strange / Source(lladdr=t.peer.mac))
    t.expect(Ether(dst=t.peer.mac) / ICMPv6ND_NA(tgt=t.ip), within=0)  # without a question: the MAC was found


@scenario(covers="ND-4", link="ether", ip="ipv6", neighbours=False)
def routers_are_looked_for_by_others(t):
    "A host does not answer router solicitations (RFC 4861 §6.2.6)."
    for group in ("ff02::2", "ff02::1", t.ip):
        t.send(IPv6(src=t.peer.ip, dst=group, hlim=255) / ICMPv6ND_RS() / Source(lladdr=t.peer.mac))
        t.silence("100ms")


@scenario(covers="ND-9", link="ether", ip="ipv6", neighbours=False, tolerance=0.1)
def an_answer_that_was_not_solicited_resolves_but_is_doubted(t):
    "S=0 for an INCOMPLETE entry: the datagram leaves, but the neighbour is soon asked himself (RFC 4861 §7.2.5)."
    s = t.socket("dgram")
    s.sendto(b"1", 7)
    t.expect(IPv6(dst=PEERS) / ICMPv6ND_NS(tgt=t.peer.ip), within=0)
    t.send(advertisement(t, S=0))
    t.expect(Ether(dst=t.peer.mac) / UDP() / b"1", within=0)
    s.sendto(b"2", 7)
    t.expect(Ether(dst=t.peer.mac) / UDP() / b"2", within=0)
    t.expect(Ether(dst=t.peer.mac) / IPv6(dst=t.peer.ip) / ICMPv6ND_NS(tgt=t.peer.ip), after=5, within=5)
    t.send(advertisement(t))
    s.sendto(b"3", 7)
    t.expect(UDP() / b"3", within=0)


@scenario(covers="ND-10", link="ether", ip="ipv6", neighbours=False)
def with_the_override_flag_another_address_is_taken(t):
    "O=1: the neighbour has a new MAC, and says so to all who know him (RFC 4861 §7.2.5, §7.2.6)."
    s = t.socket("dgram")
    s.sendto(b"1", 7)
    t.expect(ICMPv6ND_NS(tgt=t.peer.ip), within=0)
    t.send(advertisement(t))
    t.expect(Ether(dst=t.peer.mac) / UDP() / b"1", within=0)
    moved = advertisement(t, "02:00:00:00:00:99", S=0)
    moved[IPv6].dst = "ff02::1"
    t.send(moved)
    s.sendto(b"2", 7)
    t.expect(Ether(dst="02:00:00:00:00:99") / UDP() / b"2", within=0)


@scenario(covers="ND-8 SLAAC-3", link="ether", ip="ipv6", neighbours=False)
def an_advertisement_of_the_hosts_own_address_changes_nothing(t):
    "Detection of duplicates is over: the host keeps its address, and goes on answering for it (RFC 4862 §5.4)."
    claim = IPv6(src=t.ip, dst="ff02::1", hlim=255) / ICMPv6ND_NA(R=0, S=0, O=1, tgt=t.ip)
    t.send(claim / Target(lladdr="02:00:00:00:00:99"))
    t.silence("100ms")
    t.send(solicitation(t, t.ip))
    t.expect(Ether(dst=t.peer.mac) / ICMPv6ND_NA(tgt=t.ip) / Target(lladdr=t.mac), within=0)


@scenario(covers="ND-21", link="ether", ip="ipv6", neighbours=False)
def fragmented_solicitations_are_ignored(t):
    "Nobody has reason to cut them but who wants to hide something (RFC 6980 §5)."
    good = solicitation(t, t.ip)
    t.send(IPv6(src=t.peer.ip, dst=GROUP, hlim=255) / IPv6ExtHdrFragment(nh=58, m=0, id=1) / bytes(good)[40:])
    t.silence("100ms")


@scenario(covers="ND-3 ND-13", link="ether", ip="ipv6", neighbours=False, wait="router discovery")
def a_router_is_believed_what_it_says(t):
    "The hop limit that it advertises is the one that the host uses from then on (RFC 4861 §6.3.4)."
    t.sysctl("net.ipv6.conf.eth0.accept_ra", 1)
    router = "fe80::ff:fe00:2"
    told = ICMPv6ND_RA(chlim=33, routerlifetime=1800) / Source(lladdr=t.peer.mac)
    t.send(IPv6(src=router, dst="ff02::1", hlim=255) / told)
    t.send(solicitation(t, t.ip))
    t.expect(ICMPv6ND_NA(tgt=t.ip), within=0)
    t.send(IPv6(src=t.peer.ip, dst=t.ip) / ICMPv6EchoRequest(id=7, seq=1, data=b"x"))
    t.expect(IPv6(hlim=33) / ICMPv6EchoReply(id=7), within=0)


@scenario(covers="ND-13 SLAAC-1 SLAAC-3", link="ether", ip="ipv6", neighbours=False, wait="router discovery")
def a_prefix_makes_an_address_that_is_probed_first(t):
    "The host makes itself an address of an advertised prefix, and asks from :: whether it is taken (RFC 4862 §5.4)."
    for name in ("accept_ra", "autoconf", "accept_dad", "dad_transmits"):
        t.sysctl(f"net.ipv6.conf.eth0.{name}", 1)
    prefix = Prefix(prefix="2001:db8:1::", prefixlen=64, L=1, A=1, validlifetime=1000, preferredlifetime=900)
    t.send(IPv6(src="fe80::ff:fe00:2", dst="ff02::1", hlim=255) / ICMPv6ND_RA(routerlifetime=1800) / prefix)
    own = "2001:db8:1::ff:fe00:1"
    t.expect(IPv6(src="::", hlim=255) / ICMPv6ND_NS(tgt=own), within="1.5s")
    t.sleep("1.5s")
    t.send(IPv6(src=t.peer.ip, dst="ff02::1:ff00:1", hlim=255) / ICMPv6ND_NS(tgt=own) / Source(lladdr=t.peer.mac))
    t.expect(ICMPv6ND_NA(tgt=own) / Target(lladdr=t.mac), within=0)


@scenario(covers="ND-1 ND-2", link="ether", ip="ipv6", neighbours=False)
def a_message_without_a_whole_target_says_nothing(t):
    "24 bytes are the least (RFC 4861 §7.1.1, §7.1.2)."
    for message in (ICMPv6ND_NS(tgt=t.ip), ICMPv6ND_NA(tgt=t.peer.ip)):
        whole = bytes(IPv6(src=t.peer.ip, dst=t.ip, hlim=255) / message)
        for size in (8, 16, 23):
            t.send(cut(t, whole[40 : 40 + size]))
            t.silence("20ms")
    t.send(solicitation(t, t.ip))
    t.expect(ICMPv6ND_NA(tgt=t.ip), within=0)


def cut(t, message):
    """A shorter message with a good checksum, so that it is its length that is judged."""
    header = IPv6(src=t.peer.ip, dst=t.ip, hlim=255, nh=58)
    ends = header.build()
    start = pseudo6(ends[8:24], ends[24:40], 58, len(message))
    total = ones_sum(message[:2] + bytes(2) + message[4:], start)
    return header / Raw(load=message[:2] + (0xFFFF - total).to_bytes(2, "big") + message[4:])


@scenario(
    covers="ND-1",
    link="ether",
    ip="ipv6",
    neighbours=False,
    xfail={"kernel": "Linux takes any MAC for a neighbour's"},
)
def nobody_has_the_mac_of_a_group(t):
    "What a solicitation says of its sender must be a host's own MAC, or packets for one would reach many."
    for mac in ("33:33:00:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"):
        header = IPv6(src=t.peer.ip, dst=GROUP, hlim=255)
        t.send(header / ICMPv6ND_NS(tgt=t.ip) / Source(lladdr=mac))
        t.silence("50ms")


@scenario(covers="ND-9", link="ether", ip="ipv6", neighbours=False)
def an_answer_without_a_mac_is_no_answer(t):
    "Who is asked for his MAC has to tell it; the question stays (RFC 4861 §7.2.5)."
    t.socket("dgram").sendto(b"where are you?", 7)
    t.expect(ICMPv6ND_NS(tgt=t.peer.ip), within=0)
    t.send(IPv6(src=t.peer.ip, dst=t.ip, hlim=255) / ICMPv6ND_NA(S=1, O=1, tgt=t.peer.ip))
    t.silence("500ms")
    t.send(advertisement(t))
    t.expect(UDP(dport=7) / b"where are you?", within=0)


@scenario(covers="ND-20", link="ether", ip="ipv6", neighbours=False)
def a_neighbour_may_say_that_it_is_a_router(t):
    "The R flag is remembered, and taken back by the next advertisement without it; packets go on (RFC 4861 §7.2.5)."
    s = t.socket("dgram")
    s.sendto(b"1", 7)
    t.expect(ICMPv6ND_NS(tgt=t.peer.ip), within=0)
    t.send(advertisement(t, R=1))
    t.expect(UDP() / b"1", within=0)
    t.send(advertisement(t))
    s.sendto(b"2", 7)
    t.expect(Ether(dst=t.peer.mac) / UDP() / b"2", within=0)
