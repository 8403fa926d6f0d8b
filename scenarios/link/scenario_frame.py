# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames as they come: what is taken up and what is dropped before anybody asks whose packet is inside.

A ping is the question: who answers has looked into the frame, who is silent has dropped it.
"""

from labstack.core.counters import drops
from labstack.scenario import scenario
from layers import ARP, ICMP, Ether, ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NS, IPv6, Raw
from layers import ICMPv6NDOptSrcLLAddr as Source

FRAMES = {"link": "ether", "ip": "ipv4 ipv6"}


def ping(t):
    return t.IP() / (ICMPv6EchoRequest(id=7, seq=1, data=b"hello") if t.v6 else ICMP(type=8, id=7) / b"hello")


def silent(t, frame):
    """The frame is met by silence, and the next ping by an answer."""
    t.send(frame)
    t.silence("50ms")
    t.send(ping(t))
    t.expect(ICMPv6EchoReply(id=7) if t.v6 else ICMP(type=0, id=7), within=0)


@scenario(**FRAMES)
def less_than_a_header_is_dropped(t):
    "A frame begins with two addresses and a type, 14 bytes (RFC 894); what is shorter says nothing."
    for size in (1, 6, 13):
        silent(t, (bytes.fromhex(t.mac.replace(":", "")) + bytes(14))[:size])


@scenario(**FRAMES, xfail={"kernel": "Linux does not look at the sender of a frame"})
def a_group_cannot_send(t):
    "The least bit of a MAC's first byte says that it is a group's; nobody is a group (IEEE 802.3 §3.2.3)."
    silent(t, Ether(dst=t.mac, src="01:00:5e:00:00:01") / ping(t))


@scenario(**FRAMES)
def a_length_where_the_type_should_be_is_dropped(t):
    "Below 1536 the field is a length, and an 802.2 header follows (RFC 1042): nobody sends IP so any more."
    raw = bytes(ping(t))
    snap = bytes.fromhex("aaaa03000000") + (b"\x86\xdd" if t.v6 else b"\x08\x00")
    silent(t, Ether(dst=t.mac, src=t.peer.mac, type=len(snap + raw)) / Raw(load=snap + raw))


@scenario(**FRAMES)
def a_frame_for_another_vlan_is_dropped(t):
    "An 802.1Q tag names a VLAN; an interface that is in none takes up none (IEEE 802.1Q §6.9)."
    tag = b"\x00\x07" + (b"\x86\xdd" if t.v6 else b"\x08\x00")
    for kind in (0x8100, 0x88A8):
        silent(t, Ether(dst=t.mac, src=t.peer.mac, type=kind) / Raw(load=tag + bytes(ping(t))))


@scenario(**FRAMES)
def a_type_that_nobody_knows_is_dropped(t):
    "LLDP, AppleTalk, the local experiments of 0x88b5: there is no answer to what one does not understand."
    for kind in (0x88CC, 0x809B, 0x88B5):
        silent(t, Ether(dst=t.mac, src=t.peer.mac, type=kind) / Raw(load=bytes(ping(t))))


@scenario(link="ip", ip="ipv4 ipv6")
def without_ethernet_the_first_bits_say_what_it_is(t):
    "On a TUN there is no type field: four bits say 4 or 6; anything else, or nothing at all, is dropped."
    whole = bytes(ping(t))
    for frame in (b"", *(bytes([version << 4 | 5]) + whole[1:] for version in (0, 1, 5, 7, 15))):
        silent(t, frame)


@scenario(hosts=2)
def an_interface_that_is_down_hears_nothing(lab):
    "Whatever arrives while it is off is dropped; switched on again it answers."
    h1, h2 = lab.h1, lab.h2
    h2.stack.call("link_set", "eth0", False)
    lab.inject(Ether(dst=h2.mac, src=h1.mac) / ARP(op=1, hwsrc=h1.mac, psrc=h1.ip, pdst=h2.ip), to="h2")
    lab.run("100ms")
    assert drops(h2.stack.env.count) == {"drop.link.down": 1}
    h2.stack.call("link_set", "eth0", True)
    server, client = h2.listen(80), h1.connect(h2.ip, 80)
    lab.run("1s")
    assert client.state == "ESTABLISHED"
    assert server.accept()


@scenario(link="ip", ip="ipv6")
def without_ethernet_there_is_nothing_to_resolve(t):
    "A link of two ends has no link-layer addresses: a solicitation on it is answered by silence."
    header = IPv6(src=t.peer.ip, dst="ff02::1:ff00:1", hlim=255)
    t.send(header / ICMPv6ND_NS(tgt=t.ip) / Source(lladdr="02:00:00:00:00:02"))
    t.silence("50ms")
