# SPDX-License-Identifier: GPL-2.0-or-later
"""Neighbour discovery (RFC 4861 §7), which is to IPv6 what ARP is to IPv4, and asks groups instead of everybody."""

from labstack.scenario import scenario
from layers import UDP, Ether, ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS, IPv6
from layers import ICMPv6NDOptDstLLAddr as Target
from layers import ICMPv6NDOptSrcLLAddr as Source

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
