# SPDX-License-Identifier: GPL-2.0-or-later
"""Ping: an echo request comes back as it was sent, and what must not be answered is answered by silence."""

from labstack.scenario import scenario, size
from layers import (
    ICMP,
    IP,
    UDP,
    Ether,
    ICMPv6DestUnreach,
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    IPv6,
    IPv6ExtHdrFragment,
    Raw,
)


def ping(t, data=b"", number=7, seq=1):
    """An echo request in the family of the run."""
    if t.v6:
        return ICMPv6EchoRequest(id=number, seq=seq, data=data)
    return ICMP(type=8, id=number, seq=seq) / Raw(load=data)


def pong(t, data, number=7, seq=1):
    """Its answer, from where it was sent to."""
    ip = t.IP(src=t.ip, dst=t.peer.ip)
    if t.v6:
        return ip / ICMPv6EchoReply(id=number, seq=seq, data=data)
    return ip / ICMP(type=0, id=number, seq=seq) / Raw(load=data)


@scenario(covers="ICMP4-4 ICMP6-6", ip="ipv4 ipv6")
def a_ping_comes_back_with_its_data(t):
    "Identifier, number and data return unmodified, whatever their length (RFC 1122 §3.2.2.6, RFC 4443 §4.2)."
    for seq, length in enumerate((1, 7, 8, 56, 1000, 1400)):
        data = bytes(range(256)) * 6
        t.send(t.IP() / ping(t, data[:length], seq=seq))
        t.expect(pong(t, data[:length], seq=seq), within=0)


@scenario(covers="ICMP4-4 ICMP6-6", ip="ipv4 ipv6")
def pings_of_many_are_answered_to_each(t):
    "Answers go to who asked, in the order of the asking."
    askers = [f"fd3d:a0b:17d6::1:{n}" if t.v6 else f"192.168.7.{n}" for n in range(1, 21)]
    for n, asker in enumerate(askers):
        t.send(t.IP(src=asker) / ping(t, b"me", number=n))
    for n, asker in enumerate(askers):
        answer = pong(t, b"me", number=n)
        answer.dst = asker
        t.expect(answer, within=0.1)


@scenario(covers="ICMP6-7 IP4-6", ip="ipv4 ipv6")
def what_was_damaged_on_the_way_is_dropped(t):
    "A wrong checksum is silence: nobody can tell who sent it (RFC 4443 §2.3, RFC 1122 §3.2.1.2)."
    damaged = t.IP() / ping(t, b"x")
    if t.v6:
        damaged[ICMPv6EchoRequest].cksum = 0xDEAD
    else:
        damaged.chksum = 0xDEAD
    t.send(damaged)
    t.silence("1s")


@scenario(covers="IP4-8 IP6-1", ip="ipv4 ipv6")
def the_last_hop_is_far_enough(t):
    "A low TTL is no reason to drop a packet that has arrived (RFC 1122 §3.2.1.7, RFC 8200 §3)."
    t.send(t.IP(ttl=1) / ping(t, b"tired"))
    t.expect(pong(t, b"tired"), within=0)


@scenario(covers="IP4-1 IP4-2 IP6-12", ip="ipv4 ipv6", wait="reassembly")
def a_ping_in_fragments_comes_back_whole_or_in_fragments(t):
    "Fragments are put together in whatever order they come (RFC 791 §3.2, RFC 8200 §4.5)."
    whole = bytes(t.IP() / ping(t, b"0123456789abcdef" * 30))
    body = whole[40:] if t.v6 else whole[20:]
    cuts = [(at, body[at : at + 200]) for at in range(0, len(body), 200)]
    for order in (cuts, cuts[::-1], cuts[1:] + cuts[:1]):
        for at, data in order:
            more = at + len(data) < len(body)
            if t.v6:
                header = t.IP() / IPv6ExtHdrFragment(nh=58, offset=at // 8, m=more, id=order[0][0])
            else:
                header = t.IP(id=order[0][0] + 1, frag=at // 8, flags="MF" if more else 0, proto=1)
            t.send(header / data)
        t.expect(pong(t, b"0123456789abcdef" * 30), within=0)


@scenario(covers="ICMP4-1", ip="ipv4", link="ether")
def a_ping_to_everybody_is_answered_by_nobody(t):
    "Answers to a broadcast could be a flood: hosts may keep quiet, and do (RFC 1122 §3.2.2.6)."
    for everybody in ("255.255.255.255", "192.168.255.255", "224.0.0.1"):
        t.send(IP(src=t.peer.ip, dst=everybody) / ping(t, b"anybody?"))
        t.silence("1s")


@scenario(covers="ICMP6-6", ip="ipv6", link="ether")
def a_ping_to_all_nodes_is_answered_from_the_own_address(t):
    "In IPv6 a group may be pinged; the answer comes from a unicast address of the host (RFC 4443 §4.2)."
    t.send(Ether(src=t.peer.mac, dst="33:33:00:00:00:01") / IPv6(src=t.peer.ip, dst="ff02::1") / ping(t, b"all?"))
    answer = t.expect(IPv6(dst=t.peer.ip) / ICMPv6EchoReply(data=size(4)), within="100ms")
    assert not answer[IPv6].src.startswith("ff")


@scenario(covers="ICMP4-4 ICMP6-6", ip="ipv4 ipv6")
def answering_can_be_switched_off(t):
    "An administrator may want silence; Linux has a sysctl for each family."
    t.sysctl("net.ipv6.icmp.echo_ignore_all" if t.v6 else "net.ipv4.icmp_echo_ignore_all", 1)
    t.send(t.IP() / ping(t, b"anybody?"))
    t.silence("1s")
    t.sysctl("net.ipv6.icmp.echo_ignore_all" if t.v6 else "net.ipv4.icmp_echo_ignore_all", 0)
    t.send(t.IP() / ping(t, b"and now?"))
    t.expect(pong(t, b"and now?"), within=0)


@scenario(ip="ipv4 ipv6", mtu=9000, wait="sending fragments")
def an_answer_larger_than_the_link_goes_in_fragments(t):
    "What came whole goes back in pieces, if the way back is narrower (RFC 1122 §3.3.3)."
    data = bytes(9001 - 28) if not t.v6 else bytes(9001 - 48)
    t.send(t.IP() / ping(t, data))
    t.expect(t.IP(src=t.ip, dst=t.peer.ip), within=0, count=2)


@scenario(ip="ipv4")
def times_and_masks_are_asked_in_vain(t):
    "Timestamp, address mask and information are questions of another age, and tell strangers too much (RFC 6918)."
    for kind in (15, 17):
        t.send(t.IP() / ICMP(type=kind, id=7))
        t.silence("50ms")


@scenario(covers="ICMP6-7", ip="ipv6")
def a_message_of_less_than_eight_bytes_is_dropped(t):
    "Type, code, checksum and four bytes more are the least that means anything (RFC 4443 §2.1)."
    for message in (b"\x80\0", b"\x80\0\0\0\0\7\0"):
        t.send(t.IP(nh=58) / Raw(load=message))
        t.silence("50ms")


@scenario(covers="ICMP4-3", ip="ipv4")
def a_message_of_less_than_eight_bytes_is_dropped_v4(t):
    "The same of ICMP for IPv4 (RFC 792)."
    for message in (b"\x08\0", b"\x08\0\0\0\0\7\0"):
        t.send(t.IP(proto=1) / Raw(load=message))
        t.silence("50ms")


@scenario(ip="ipv6", link="ether", xfail={"kernel": "Linux answers, to nobody"})
def a_ping_from_nobody_is_not_answered(t):
    "The unspecified address is the source of questions for duplicates, not of pings: whom should one answer?"
    t.send(Ether(src=t.peer.mac, dst=t.mac) / IPv6(src="::", dst=t.ip) / ping(t, b"who am I?"))
    t.silence("1s")


@scenario(covers="ICMP4-3 ICMP6-4", ip="ipv4 ipv6", target="lab")  # Linux rations with a bit of chance
def errors_to_everybody_are_rationed(t):
    "However many packets nobody waits for, so many errors leave in a second (RFC 1812 §4.3.2.8, RFC 4443 §2.4 (f))."
    t.sysctl("net.ipv4.icmp_msgs_per_sec", 1)
    t.sysctl("net.ipv4.icmp_msgs_burst", 10)
    for n in range(1, 21):
        asker = f"fd3d:a0b:17d6::9:{n:x}" if t.v6 else f"192.168.9.{n}"
        t.send(t.IP(src=asker) / UDP(sport=4000, dport=9) / b"?")
    t.expect(ICMPv6DestUnreach(code=4) if t.v6 else ICMP(type=3, code=3), count=10, within="50ms")
    t.silence("900ms")


@scenario(hosts=2)
def a_host_that_pings_hears_the_answers(lab):
    "Number and data of each answer are those of its question (RFC 1122 §3.2.2.6)."
    for address in (lab.h2.ip, lab.h2.ip6):
        ping = lab.h1.ping(address, size=56)
        lab.run("1s")
        data, (who, number) = ping.reply()
        assert (len(data), who, number) == (56, address, 1)


@scenario(hosts=2)
def a_ping_without_a_way_back_is_dropped(lab):
    "The asker is beyond a router that the host has not got: there is no way to tell him anything."
    lab.inject(Ether(dst=lab.h2.mac, src=lab.h1.mac) / IP(src="203.0.113.9", dst=lab.h2.ip) / ICMP(type=8), to="h2")
    lab.run("1s")
    assert lab.h2.stack.env.count["drop.icmp.echo_no_path"] == 1
    assert lab.h2.stack.env.count["IcmpOutMsgs"] == 0
