# SPDX-License-Identifier: GPL-2.0-or-later
"""Where packets go: the neighbour itself, a gateway, or nowhere (RFC 1122 §3.3.1), and from which address they come."""

from labstack.core.errors import StackError
from labstack.scenario import scenario
from layers import ICMP, IP, TCP, UDP, Ether, ICMPv6MLReport, IPv6


def refused(host, *call):
    """A call of a host cannot be done; returns the name of its error."""
    try:
        host.now(*call)
    except StackError as error:
        return error.errno
    return 0


@scenario(hosts=2, covers="IP4-13")
def beyond_the_subnet_the_gateway_is_the_next_hop(lab):
    "The frame is for the gateway, the packet inside for the far end (RFC 1122 §3.3.1.2)."
    lab.h1.now("route_add", "default", lab.h2.ip)
    lab.h1.now("connect", "203.0.113.9", 80)
    lab.run("500ms")
    (syn,) = [it for it in map(Ether, frames(lab, "h1")) if TCP in it]
    assert (syn.dst, syn[IP].dst) == (lab.h2.mac, "203.0.113.9")
    assert lab.h2.stack.env.count["IpOutRequests"] == 0  # h2 is no router, and passes nothing on


def frames(lab, host):
    """What a host has sent, as bytes."""
    return [sent.frame.flat().head for record in lab.records if record.host == host for sent in record.sent]


@scenario(hosts=2)
def without_a_route_a_call_fails_at_once(lab):
    "There is nobody to ask and nothing to wait for: network unreachable (RFC 1122 §3.3.1)."
    for where in ("203.0.113.9", "2001:db8::9"):
        assert refused(lab.h1, "connect", where, 80) == 101
    assert frames(lab, "h1") == []


@scenario(hosts=2, covers="SLAAC-12")
def without_an_address_of_the_family_nothing_can_be_sent(lab):
    "A route needs a source as well (RFC 6724 §5)."
    lab.h1.now("addr_del", "eth0", lab.h1.ip)
    lab.h1.now("route_add", "default", "", "eth0")
    assert refused(lab.h1, "connect", "192.0.2.9", 80) == 101


@scenario(hosts=2)
def a_route_that_goes_away_silences_a_connection_until_it_is_back(lab):
    "Without a route a segment is not sent, and the timers go on; with it everything arrives (RFC 9293 §3.8.3)."
    server, client = lab.h2.listen(80), lab.h1.connect(lab.h2.ip, 80)
    lab.run("1s")
    served = server.accept()
    subnet = f"{lab.h1.ip.rpartition('.')[0]}.0/24"
    lab.h1.now("route_del", subnet)
    client.send(b"hello?")
    lab.run("700ms")
    assert lab.h1.stack.env.count["TcpOutNoRoutes"] > 0
    lab.h1.now("route_add", subnet, "", "eth0")
    lab.run("10s")
    assert served.recv() == b"hello?"


@scenario(hosts=2)
def a_syn_without_a_way_back_is_dropped(lab):
    "A listener cannot answer whom it has no route to."
    lab.h2.listen(80)
    lab.step()
    syn = IP(src="203.0.113.9", dst=lab.h2.ip) / TCP(sport=4000, dport=80, flags="S")
    lab.inject(Ether(dst=lab.h2.mac, src=lab.h1.mac) / syn, to="h2")
    lab.run("1s")
    assert lab.h2.stack.env.count["drop.tcp.no_route"] == 1
    assert frames(lab, "h2") == []


@scenario(hosts=2)
def an_error_about_somebody_elses_packet_is_dropped(lab):
    "A router speaks of a packet that this host did not send (RFC 1122 §3.2.2)."
    quoted = IP(src="192.0.2.77", dst="192.0.2.1") / UDP(sport=1, dport=2) / b"12345678"
    told = IP(src=lab.h1.ip, dst=lab.h2.ip) / ICMP(type=3, code=1) / bytes(quoted)
    lab.inject(Ether(dst=lab.h2.mac, src=lab.h1.mac) / told, to="h2")
    lab.run("1s")
    assert lab.h2.stack.env.count["drop.icmp.not_ours"] == 1


@scenario(hosts=2)
def reports_of_listeners_are_for_routers(lab):
    "MLD tells a router which groups have listeners (RFC 2710); a host has nothing to do."
    report = IPv6(src=lab.h1.ip6, dst="ff02::1", hlim=1) / ICMPv6MLReport(mladdr="ff02::77")
    lab.inject(Ether(dst="33:33:00:00:00:01", src=lab.h1.mac) / report, to="h2")
    lab.run("1s")
    assert lab.h2.stack.env.count["drop.icmp.mld"] == 1
