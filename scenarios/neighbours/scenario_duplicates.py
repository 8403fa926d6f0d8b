# SPDX-License-Identifier: GPL-2.0-or-later
"""Is an IPv6 address anybody's already? Duplicate address detection (RFC 4862 §5.4, RFC 7527) among hosts of the lab.

A new address is tentative: nothing is received or said with it until the others have been asked, and nobody objected.
"""

from labstack.link.iface import DUPLICATED, PREFERRED, TENTATIVE
from labstack.scenario import scenario
from layers import ARP, Ether, ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS, IPv6
from layers import ICMPv6NDOptDstLLAddr as Target
from layers import ICMPv6NDOptSrcLLAddr as Source

NEW = "fd3d:a0b:17d6::77"
GROUP, GROUP_MAC = "ff02::1:ff00:77", "33:33:ff:00:00:77"


def state(host, address=NEW):
    """TENTATIVE, PREFERRED or DUPLICATED."""
    (found,) = [it for it in host.stack.net.ifaces[1].addrs if it.ip == IPv6(src=address).build()[8:24]]
    return found.state


def assign(host, address=NEW):
    """A new address, of which the others are asked first."""
    host.now("sysctl", "net.ipv6.conf.all.dad_transmits", 1)
    host.now("addr_add", "eth0", f"{address}/64")


def reasons(host):
    """What was dropped, and why."""
    return {name for name, n in host.stack.env.count.items() if name.startswith("drop.") and n}


@scenario(hosts=2, covers="SLAAC-1 SLAAC-2")
def an_address_is_used_when_nobody_objects(lab):
    "One question to the group of the address, then a second of silence: it is ours (RFC 4862 §5.4.2)."
    assign(lab.h1)
    assert state(lab.h1) == TENTATIVE
    lab.run("3s")
    assert state(lab.h1) == PREFERRED
    assert lab.h2.stack.env.count["NdInMsgs"] == 0  # it was asked of a group that h2 is not in


@scenario(hosts=2, covers="SLAAC-3 SLAAC-4")
def an_address_that_is_taken_is_not_used(lab):
    "Who has the address answers to all, and the newcomer never uses it (RFC 4862 §5.4.4, §5.4.5)."
    lab.h2.now("addr_add", "eth0", f"{NEW}/64", False)
    assign(lab.h1)
    lab.run("3s")
    assert state(lab.h1) == DUPLICATED
    lab.inject(Ether(dst=lab.h1.mac, src=lab.h2.mac) / IPv6(src=lab.h2.ip6, dst=NEW) / ICMPv6EchoRequest(), to="h1")
    lab.run("100ms")
    assert "drop.ip.duplicated" in reasons(lab.h1)


@scenario(hosts=2, covers="SLAAC-3")
def of_two_who_want_it_at_once_the_later_gives_way(lab):
    "Each waits a moment before it asks; who hears the question of the other first has lost (RFC 4862 §5.4.3)."
    for host in (lab.h1, lab.h2):
        assign(host)
    lab.run("3s")
    assert sorted((state(lab.h1), state(lab.h2))) == [DUPLICATED, PREFERRED]


@scenario(hosts=2, covers="SLAAC-1")
def a_tentative_address_receives_nothing(lab):
    "Neither packets nor questions for it are answered (RFC 4862 §5.4)."
    assign(lab.h1)
    link = Ether(dst=lab.h1.mac, src=lab.h2.mac)
    lab.inject(link / IPv6(src=lab.h2.ip6, dst=NEW) / ICMPv6EchoRequest(), to="h1")
    asked = IPv6(src=lab.h2.ip6, dst=GROUP, hlim=255) / ICMPv6ND_NS(tgt=NEW) / Source(lladdr=lab.h2.mac)
    lab.inject(Ether(dst=GROUP_MAC, src=lab.h2.mac) / asked, to="h1")
    lab.step(2)
    assert reasons(lab.h1) == {"drop.ip.tentative", "drop.nd.tentative"}
    assert state(lab.h1) == TENTATIVE


@scenario(hosts=2, covers="SLAAC-3")
def an_echo_of_our_own_question_is_no_objection(lab):
    "Some links send back what was sent; the nonce tells that the question is ours (RFC 7527 §4)."
    assign(lab.h1)
    lab.until(lambda: lab.h1.stack.env.count["Icmp6OutMsgs"] == 1)
    asked = lab.records[-1].sent[0].frame.flat().head
    lab.inject(asked, to="h1")
    lab.run("3s")
    assert reasons(lab.h1) == {"drop.nd.own_probe"}
    assert state(lab.h1) == PREFERRED


@scenario(hosts=2, covers="SLAAC-3")
def a_claim_to_an_address_in_use_changes_nothing(lab):
    "An advertisement of an address that we have had for long is noted, and not believed (RFC 4862 §5.4.4)."
    claim = ICMPv6ND_NA(R=0, S=0, O=1, tgt=lab.h1.ip6) / Target(lladdr=lab.h2.mac)
    header = IPv6(src=lab.h2.ip6, dst="ff02::1", hlim=255)
    lab.inject(Ether(dst="33:33:00:00:00:01", src=lab.h2.mac) / header / claim, to="h1")
    lab.run("1s")
    assert reasons(lab.h1) == {"drop.nd.own_address"}
    assert state(lab.h1, lab.h1.ip6) == PREFERRED


@scenario(hosts=2, covers="SLAAC-1")
def detection_can_be_switched_off(lab):
    "Where no two hosts can have one address, it need not wait (RFC 4862 §5.4, DupAddrDetectTransmits 0)."
    lab.h1.now("sysctl", "net.ipv6.conf.all.dad_transmits", 0)
    lab.h1.now("addr_add", "eth0", f"{NEW}/64")
    assert state(lab.h1) == PREFERRED


@scenario(hosts=2)
def a_neighbour_entered_by_hand_is_not_moved_by_what_is_said(lab):
    "A permanent entry is the administrator's: an advertisement changes nothing (RFC 4861 §7.2.5 is of learned ones)."
    lab.h1.now("neigh_add", "eth0", lab.h2.ip6, lab.h2.mac)
    claim = ICMPv6ND_NA(R=0, S=1, O=1, tgt=lab.h2.ip6) / Target(lladdr="02:00:00:00:00:99")
    lab.inject(Ether(dst=lab.h1.mac, src=lab.h2.mac) / IPv6(src=lab.h2.ip6, dst=lab.h1.ip6, hlim=255) / claim, to="h1")
    server, client = lab.h2.listen(80), lab.h1.connect(lab.h2.ip6, 80)
    lab.run("1s")
    assert client.state == "ESTABLISHED"
    assert server.accept()


@scenario(hosts=2)
def a_neighbour_entered_by_hand_is_not_moved_by_an_arp_reply(lab):
    "A permanent entry is the administrator's, in IPv4 too: RFC 826 is of what was learned."
    lab.h1.now("neigh_add", "eth0", lab.h2.ip, lab.h2.mac)
    claim = ARP(op=2, hwsrc="02:00:00:00:00:99", psrc=lab.h2.ip, hwdst=lab.h1.mac, pdst=lab.h1.ip)
    lab.inject(Ether(dst=lab.h1.mac, src="02:00:00:00:00:99") / claim, to="h1")
    server, client = lab.h2.listen(80), lab.h1.connect(lab.h2.ip, 80)
    lab.run("1s")
    assert client.state == "ESTABLISHED"
    assert server.accept()
