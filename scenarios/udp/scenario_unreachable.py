# SPDX-License-Identifier: GPL-2.0-or-later
"""A datagram that nobody takes: who is told, how much of it is told back, and when nobody may be told."""

from labstack.scenario import scenario, size
from layers import ICMP, IP, UDP, Ether, ICMPv6DestUnreach, IPerror, IPerror6, IPv6, UDPerror


def unreachable(t):
    """Port unreachable in the family of the run, up to the header that it quotes."""
    if t.v6:
        return ICMPv6DestUnreach(code=4) / IPerror6(src=t.peer.ip)
    return ICMP(type=3, code=3) / IPerror(src=t.peer.ip)


@scenario(covers="UDP-2 ICMP4-3 ICMP6-5 ICMP4-2")
def a_closed_port_is_unreachable(t):
    "Nobody listens: the sender is told, and shown what he sent (RFC 1122 §4.1.3.1, RFC 4443 §3.1), as network control."
    control = {} if t.v6 else {"tos": 0xC0}  # RFC 1812 §4.3.2.5
    with t.counts(**{"Udp6NoPorts" if t.v6 else "UdpNoPorts": 1}):
        t.send(t.IP() / UDP(sport=5000, dport=9) / b"anybody?")
        told = t.IP(src=t.ip, dst=t.peer.ip, **control) / unreachable(t) / UDPerror(sport=5000, dport=9)
        t.expect(told, within=0)


@scenario(covers="UDP-2")
def an_open_port_takes_the_datagram_and_says_nothing(t):
    "The application gets the bytes and the sender's address; nothing goes back."
    s = t.socket("dgram")
    s.bind(9)
    t.send(t.IP() / UDP(sport=5000, dport=9) / b"you!")
    t.silence("1s")
    data, sender = s.recvfrom()
    assert (data, sender[1]) == (b"you!", 5000)


@scenario(covers="ICMP4-1", ip="ipv4", link="ether")
def a_datagram_to_everybody_is_nobodys_fault(t):
    "No error about a broadcast or a group: every host would send one (RFC 1122 §3.2.2)."
    for everybody in ("255.255.255.255", "192.168.255.255", "224.0.0.1"):
        t.send(IP(src=t.peer.ip, dst=everybody) / UDP(sport=5000, dport=9) / b"anybody?")
        t.silence("1s")


@scenario(covers="ICMP6-3", ip="ipv6", link="ether")
def a_datagram_to_all_nodes_is_nobodys_fault(t):
    "No error about a group in IPv6 either (RFC 4443 §2.4 (e.3))."
    t.send(Ether(src=t.peer.mac, dst="33:33:00:00:00:01") / IPv6(src=t.peer.ip, dst="ff02::1") / UDP(dport=9) / b"?")
    t.silence("1s")


@scenario(covers="UDP-1")
def a_damaged_datagram_is_dropped(t):
    "A wrong checksum is silence, whether somebody listens or not (RFC 1122 §4.1.3.4)."
    s = t.socket("dgram")
    s.bind(9)
    for port in (9, 10):
        t.send(t.IP() / UDP(sport=5000, dport=port, chksum=0xDEAD) / b"broken")
        t.silence("100ms")
    s.recv(flags=0x40, fails="EAGAIN")  # MSG_DONTWAIT


@scenario(covers="IP6-13", ip="ipv6")
def in_ipv6_there_is_no_datagram_without_a_checksum(t):
    "Zero means none in IPv4, and nothing in IPv6, where no other sum protects the addresses (RFC 8200 §8.1)."
    t.send(t.IP() / UDP(sport=5000, dport=9, chksum=0) / b"unsummed")
    t.silence("1s")


@scenario(covers="UDP-3", ip="ipv4 ipv6")
def the_error_reaches_the_application(t):
    "A connected socket is told that its last datagram found nobody (RFC 1122 §4.1.3.3)."
    s = t.socket("dgram")
    s.connect(7)
    s.send(b"hello?")
    sent = t.expect(UDP(dport=7) / b"hello?", within=0)
    error = ICMPv6DestUnreach(code=4) / bytes(sent) if t.v6 else ICMP(type=3, code=3) / bytes(sent)
    t.send(t.IP() / error)
    s.recv(flags=0x40, fails="ECONNREFUSED")
    s.recv(flags=0x40, fails="EAGAIN")  # it is told once


@scenario(covers="ICMP6-2", ip="ipv4 ipv6")
def a_long_datagram_is_quoted_as_far_as_it_may(t):
    "At most 576 bytes of an IPv4 error, and 1280 of one of IPv6 (RFC 1812 §4.3.2.3, RFC 4443 §2.4 (c))."
    t.send(t.IP() / UDP(sport=5000, dport=9) / bytes(1400))
    error = t.expect(unreachable(t), within=0)
    assert len(bytes(error)) == (1280 if t.v6 else 576)


@scenario(covers="UDP-2", ip="ipv4 ipv6")
def an_echo_service_of_three_clients(t):
    "One socket, three senders, answers in reverse: sendto() is all that a service needs."
    s = t.socket("dgram")
    s.bind(7)
    for sport in (1001, 1002, 1003):
        t.send(t.IP() / UDP(sport=sport, dport=7) / (b"from %d" % sport))
    heard = [s.recvfrom() for _ in range(3)]
    for data, sender in reversed(heard):
        s.sendto(data, sender)
        t.expect(UDP(sport=7, dport=sender[1]) / size(9), within=0)
