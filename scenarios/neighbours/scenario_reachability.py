# SPDX-License-Identifier: GPL-2.0-or-later
"""The life of a neighbour entry: STALE, DELAY, PROBE, REACHABLE, and given up (RFC 4861 §7.3.3).

Linux and we use one machine for ARP and ND, so every scenario is played in both families: `asks`, `tells` and `hears`
are the only words that differ. A neighbour who asked for the host is STALE: known, but not known to hear us.
"""

from labstack.scenario import scenario
from layers import ARP, UDP, Ether, ICMPv6ND_NA, ICMPv6ND_NS, IPv6
from layers import ICMPv6NDOptDstLLAddr as Target
from layers import ICMPv6NDOptSrcLLAddr as Source

EVERYBODY, NOBODY = "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"
NEIGHBOURS = {"link": "ether", "ip": "ipv4 ipv6", "neighbours": False, "tolerance": 0.1}
DELAY = 5  # s, DELAY_FIRST_PROBE_TIME


def hears(t, mac=""):
    """The peer asks for the host, which answers, and knows from then on where the peer is, or seems to be."""
    mac = mac or t.peer.mac
    if t.v6:
        header = IPv6(src=t.peer.ip, dst="ff02::1:ff00:1", hlim=255)
        t.send(header / ICMPv6ND_NS(tgt=t.ip) / Source(lladdr=mac))
        t.expect(Ether(dst=mac) / ICMPv6ND_NA(tgt=t.ip), within=0)
    else:
        asked = ARP(op=1, hwsrc=mac, psrc=t.peer.ip, hwdst=NOBODY, pdst=t.ip)
        t.send(Ether(dst=EVERYBODY, src=mac) / asked)
        t.expect(Ether(dst=mac) / ARP(op=2, psrc=t.ip), within=0)


def asks(t, mac=""):
    """The host's question for the peer: to all, or to this MAC alone."""
    if t.v6:
        return Ether(dst=mac or "33:33:ff:00:00:02") / ICMPv6ND_NS(tgt=t.peer.ip)
    return Ether(dst=mac or EVERYBODY) / ARP(op=1, psrc=t.ip, pdst=t.peer.ip)


def tells(t, mac="", **flags):
    """The peer's answer to it."""
    mac = mac or t.peer.mac
    if t.v6:
        told = ICMPv6ND_NA(**{"R": 0, "S": 1, "O": 1, "tgt": t.peer.ip, **flags}) / Target(lladdr=mac)
        t.send(IPv6(src=t.peer.ip, dst=t.ip, hlim=255) / told)
    else:
        t.send(Ether(dst=t.mac, src=mac) / ARP(op=2, hwsrc=mac, psrc=t.peer.ip, hwdst=t.mac, pdst=t.ip))


def sends(t, s, text):
    """The host sends a datagram to the peer, at once."""
    s.sendto(text, 7)
    t.expect(Ether(dst=t.peer.mac) / UDP(dport=7) / text, within=0)


@scenario(covers="ND-11 ARP-5", **NEIGHBOURS)
def a_stale_neighbour_is_used_and_then_asked_for_by_itself(t):
    "The first packet goes out at once; five seconds later the neighbour alone is asked (STALE, DELAY, PROBE)."
    s = t.socket("dgram")
    hears(t)
    start = t.now
    sends(t, s, b"1")
    t.sleep("2s")
    sends(t, s, b"2")
    t.expect(asks(t, t.peer.mac), at=start + DELAY)
    tells(t)
    sends(t, s, b"3")
    t.silence("7s")  # REACHABLE: nothing is to be doubted for a while


@scenario(covers="ND-11 ARP-5 ND-6", **NEIGHBOURS)
def a_neighbour_who_does_not_answer_is_forgotten(t):
    "Three questions to him alone, a second apart; then packets wait again, and all are asked (PROBE, none)."
    s = t.socket("dgram")
    hears(t)
    sends(t, s, b"1")
    t.expect(asks(t, t.peer.mac), after=DELAY, within=DELAY)
    t.expect(asks(t, t.peer.mac), after=1, within=1)
    t.expect(asks(t, t.peer.mac), after=1, within=1)
    t.sleep("1.2s")
    s.sendto(b"2", 7)
    t.expect(asks(t), within=0)
    tells(t)
    t.expect(Ether(dst=t.peer.mac) / UDP(dport=7) / b"2", within=0)


@scenario(covers="ND-11", **NEIGHBOURS)
def packets_still_go_out_while_a_neighbour_is_asked(t):
    "In DELAY and PROBE the address that is known serves on (RFC 4861 §7.3.3)."
    s = t.socket("dgram")
    hears(t)
    sends(t, s, b"1")
    for wait in (DELAY, 1, 1):
        t.expect(asks(t, t.peer.mac), after=wait, within=wait)
        sends(t, s, b"more")


@scenario(covers="ND-12", **NEIGHBOURS)
def progress_of_tcp_says_that_the_neighbour_is_there(t):
    "Who acknowledges new data hears us: nobody needs to be asked (RFC 4861 §7.3.1)."
    hears(t)
    c = t.accepts(80)
    for _ in range(8):
        c.fd.send(b"hello")
        c.expect(data=b"hello", within=0)
        c.send()
        t.sleep("1s")
    t.silence("1ms")


@scenario(covers="ARP-7 ND-7 ND-9", **NEIGHBOURS)
def packets_wait_in_order_for_the_answer(t):
    "As many as there is room for, and they leave as they were sent (RFC 1122 §2.3.2.2, RFC 4861 §7.2.2)."
    s = t.socket("dgram")
    for n in range(10):
        s.sendto(b"%d" % n, 7)
    t.expect(asks(t), within=0)
    t.silence("100ms")
    tells(t)
    for n in range(10):
        t.expect(Ether(dst=t.peer.mac) / UDP(dport=7) / (b"%d" % n), within=0)


@scenario(covers="ARP-6 ND-6", **NEIGHBOURS)
def one_question_for_many_packets(t):
    "However many wait, the neighbour is asked for once a second (RFC 1122 §2.3.2.1, RFC 4861 §7.2.2)."
    s = t.socket("dgram")
    start = t.now
    for _ in range(20):
        s.sendto(b"x", 7)
    t.expect(asks(t), within=0)
    t.silence("900ms")
    t.expect(asks(t), at=start + 1)
    tells(t)
    t.expect(UDP(dport=7) / b"x", count=20, within=0)


@scenario(covers="ARP-2 ND-10 ND-11", **NEIGHBOURS)
def an_answer_from_elsewhere_moves_the_neighbour(t):
    "Asked again, he answers with another MAC: from then on that is his (RFC 826, RFC 4861 §7.2.5)."
    s = t.socket("dgram")
    hears(t)
    sends(t, s, b"1")
    for wait in (DELAY, 1):
        t.expect(asks(t, t.peer.mac), after=wait, within=wait)
    t.sleep("200ms")  # what he said a second ago is not believed to be wrong so soon (Linux's locktime)
    moved = "02:00:00:00:00:99"
    tells(t, moved)
    s.sendto(b"2", 7)
    t.expect(Ether(dst=moved) / UDP(dport=7) / b"2", within=0)


@scenario(
    covers="ND-6",
    ignore=(ARP, ICMPv6ND_NS),
    xfail={"lab": "a soft error: SYNs go on, and ask for the neighbour again, until they are given up (MUST-56)"},
    **NEIGHBOURS,
)
def a_connection_to_nobody_fails_in_three_seconds(t):
    "The host tells itself what a router would tell: host unreachable, so nobody waits for TCP's patience."
    connecting = t.blocking("connect", t.socket(), (t.peer.ip, 80))
    t.sleep("2.9s")
    t.check(not connecting.done, "three questions are asked first")
    connecting.fails("EHOSTUNREACH", within="1s")


@scenario(covers="ND-11 ARP-3", **NEIGHBOURS)
def who_asked_for_the_host_while_it_asked_for_him_is_known(t):
    "Two hosts that want each other at once: the question of the one is as good as an answer (RFC 4861 §7.2.3)."
    s = t.socket("dgram")
    s.sendto(b"crossing", 7)
    t.expect(asks(t), within=0)
    start = t.now
    if t.v6:
        header = IPv6(src=t.peer.ip, dst="ff02::1:ff00:1", hlim=255)
        t.send(header / ICMPv6ND_NS(tgt=t.ip) / Source(lladdr=t.peer.mac))
        answer = Ether(dst=t.peer.mac) / ICMPv6ND_NA(tgt=t.ip)
    else:
        asked = ARP(op=1, hwsrc=t.peer.mac, psrc=t.peer.ip, hwdst=NOBODY, pdst=t.ip)
        t.send(Ether(dst=EVERYBODY, src=t.peer.mac) / asked)
        answer = Ether(dst=t.peer.mac) / ARP(op=2, psrc=t.ip)
    t.expect_all([answer, Ether(dst=t.peer.mac) / UDP(dport=7) / b"crossing"], within=0)
    sends(t, s, b"next")
    t.expect(asks(t, t.peer.mac), at=start + DELAY)  # he was heard, but does he hear us?
    tells(t)
