# SPDX-License-Identifier: GPL-2.0-or-later
"""The neighbour table has bounds, so that a scan of the subnet costs questions and not memory (RFC 6583 §5.1)."""

from labstack.scenario import scenario
from layers import ARP, TCP, UDP, Ether, ICMPv6ND_NA, ICMPv6ND_NS, IPv6
from layers import ICMPv6NDOptDstLLAddr as Target

EVERYBODY = "ff:ff:ff:ff:ff:ff"
NEIGHBOURS = {"link": "ether", "ip": "ipv4 ipv6", "neighbours": False, "tolerance": 0.1}
LAB = NEIGHBOURS | {"target": "lab"}  # gc_thresh3 belongs to all of a machine, and is not a scenario's to change


def neighbour(t, n):
    """The address and the MAC of one of many."""
    return (f"fd3d:a0b:17d6::{n:x}" if t.v6 else f"192.168.0.{n}"), f"02:00:00:00:01:{n:02x}"


def asks(t, address):
    return ICMPv6ND_NS(tgt=address) if t.v6 else ARP(op=1, pdst=address)


def tells(t, n):
    """One of many answers that it is there."""
    address, mac = neighbour(t, n)
    if t.v6:
        told = ICMPv6ND_NA(R=0, S=1, O=1, tgt=address) / Target(lladdr=mac)
        t.send(Ether(dst=t.mac, src=mac) / IPv6(src=address, dst=t.ip, hlim=255) / told)
    else:
        t.send(Ether(dst=t.mac, src=mac) / ARP(op=2, hwsrc=mac, psrc=address, hwdst=t.mac, pdst=t.ip))


def bound(t, most):
    """The table has room for so many."""
    t.sysctl("net.ipv4.neigh.default.gc_thresh3", most)


@scenario(covers="ARP-7 ND-7", **LAB)
def packets_beyond_a_hundred_wait_no_more(t):
    "Of what waits for one neighbour the newest is kept (RFC 4861 §7.2.2); Linux's unres_qlen is 101."
    t.sysctl("net.ipv4.neigh.default.unres_qlen", 3)
    s = t.socket("dgram")
    for n in range(5):
        s.sendto(bytes((n,)), (neighbour(t, 9)[0], 7))
    t.expect(asks(t, neighbour(t, 9)[0]), within=0)
    tells(t, 9)
    assert [bytes(it[UDP].payload) for it in t.expect(UDP(dport=7), count=3, within=0)] == [b"\2", b"\3", b"\4"]


@scenario(**LAB)
def a_full_table_forgets_whom_nobody_needs(t):
    "The neighbour that was not used for longest makes room; it has to be asked for again."
    bound(t, 8)
    s = t.socket("dgram")
    for n in range(10, 19):
        s.sendto(b"x", (neighbour(t, n)[0], 7))
        t.expect(asks(t, neighbour(t, n)[0]), within=0)
        tells(t, n)
        t.expect(Ether(dst=neighbour(t, n)[1]) / UDP(), within=0)
        t.sleep("10s")  # soon the first of them will be doubted: STALE
    s.sendto(b"x", (neighbour(t, 18)[0], 7))
    t.expect(Ether(dst=neighbour(t, 18)[1]) / UDP(), within=0)
    s.sendto(b"x", (neighbour(t, 10)[0], 7))
    t.expect(asks(t, neighbour(t, 10)[0]), within=0)
    tells(t, 10)
    t.expect(Ether(dst=neighbour(t, 10)[1]) / UDP(), within=0)


@scenario(**LAB)
def a_scan_holds_few_questions_at_once(t):
    "A quarter of the table may be questions without an answer; then the oldest is given up for the newest."
    bound(t, 16)
    s = t.socket("dgram")
    for n in range(10, 15):
        s.sendto(b"x", (neighbour(t, n)[0], 7))
        t.expect(asks(t, neighbour(t, n)[0]), within=0)
    for n in range(10, 15):
        tells(t, n)
    t.expect_all([Ether(dst=neighbour(t, n)[1]) / UDP() for n in range(11, 15)], within=0)


@scenario(**LAB)
def neighbours_in_use_are_not_given_up_for_others(t):
    "Where every entry is in use there is no room for a question: the packet is lost, not a working neighbour."
    bound(t, 4)
    s = t.socket("dgram")
    for n in range(8, 12):
        s.sendto(b"x", (neighbour(t, n)[0], 7))
        t.expect(asks(t, neighbour(t, n)[0]), within=0)
        tells(t, n)
        t.expect(UDP(), within=0)
    s.sendto(b"x", (neighbour(t, 12)[0], 7))
    t.silence("100ms")
    for n in range(8, 12):
        s.sendto(b"x", (neighbour(t, n)[0], 7))
        t.expect(Ether(dst=neighbour(t, n)[1]) / UDP(), within=0)


@scenario(covers="ARP-5", **LAB)
def an_entry_that_nobody_uses_is_forgotten(t):
    "A neighbour to whom nobody writes goes after gc_stale_time, a minute after it is no longer known to be there."
    s = t.socket("dgram")
    s.sendto(b"1", (neighbour(t, 9)[0], 7))
    t.expect(asks(t, neighbour(t, 9)[0]), within=0)
    tells(t, 9)
    t.expect(UDP() / b"1", within=0)
    t.silence("200s")
    s.sendto(b"2", (neighbour(t, 9)[0], 7))
    t.expect(Ether() / asks(t, neighbour(t, 9)[0]), within=0)
    tells(t, 9)
    t.expect(UDP() / b"2", within=0)


@scenario(covers="MUST-20", limit=180, **NEIGHBOURS)
def a_connection_without_answers_doubts_the_neighbour(t):
    "After three timeouts (R1) the next hop is asked whether it is still there (RFC 9293 §3.8.3, RFC 4861 §7.3.1)."
    t.sysctl("net.ipv4.tcp_retries1", 3)
    if t.v6:
        told = ICMPv6ND_NA(R=0, S=1, O=1, tgt=t.peer.ip) / Target(lladdr=t.peer.mac)
        answer = IPv6(src=t.peer.ip, dst=t.ip, hlim=255) / told
    else:
        answer = Ether(dst=t.mac, src=t.peer.mac) / ARP(op=2, hwsrc=t.peer.mac, psrc=t.peer.ip, hwdst=t.mac, pdst=t.ip)
    c = t.peer_tcp(80)
    t.listen(80)
    c.send(flags="S")
    t.expect(asks(t, t.peer.ip), within=0)
    t.send(answer)
    c.expect(flags="SA", ack=1)
    c.send()
    c.fd = t.listeners[80].accept()
    c.fd.send(b"hello?")
    repeated = 0
    while TCP in t.expect_any([TCP(), Ether(dst=t.peer.mac) / asks(t, t.peer.ip)], within="60s"):
        repeated += 1
    t.check(repeated >= 4, "at first the segment alone is sent again")
    t.send(answer)
