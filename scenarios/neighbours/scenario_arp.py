# SPDX-License-Identifier: GPL-2.0-or-later
"""ARP (RFC 826), a request and an answer at a time: who is answered, who is asked, what is learned, and what is not.

Here the scenario plays the neighbours itself, `neighbours=False`, so every ARP packet is to be seen.
"""

from labstack.scenario import scenario
from layers import ARP, ICMP, IP, UDP, Ether

EVERYBODY = "ff:ff:ff:ff:ff:ff"
NOBODY = "00:00:00:00:00:00"


def request(t, address, asker=None):
    """A request for an address, as a whole frame, from the peer or from (address, mac)."""
    ip, mac = asker or (t.peer.ip, t.peer.mac)
    return Ether(dst=EVERYBODY, src=mac) / ARP(op=1, hwsrc=mac, psrc=ip, hwdst=NOBODY, pdst=address)


def answer(t, ip=None, mac=None):
    """The peer's answer to the host: ip is at mac."""
    mac = mac or t.peer.mac
    return Ether(dst=t.mac, src=mac) / ARP(op=2, hwsrc=mac, psrc=ip or t.peer.ip, hwdst=t.mac, pdst=t.ip)


@scenario(covers="ARP-1", link="ether", ip="ipv4", neighbours=False)
def answers_for_its_own_address_only(t):
    "A request for the host's address is answered to who asked; a request for somebody else's is not (RFC 826)."
    t.send(request(t, "192.168.0.77"))
    t.silence("1s")
    t.send(request(t, t.ip))
    told = Ether(dst=t.peer.mac, src=t.mac) / ARP(op=2, hwsrc=t.mac, psrc=t.ip, hwdst=t.peer.mac, pdst=t.peer.ip)
    t.expect(told, within=0)


@scenario(covers="ARP-4", link="ether", ip="ipv4", neighbours=False)
def ignores_what_is_not_about_ipv4_on_ethernet(t):
    "Another hardware type, protocol or length of addresses is none of ours (RFC 826, packet reception)."
    for nonsense in ({"hwtype": 15}, {"ptype": 0x86DD}, {"hwlen": 5}, {"plen": 6}):
        asked = request(t, t.ip)
        for name, value in nonsense.items():
            setattr(asked[ARP], name, value)
        t.send(asked)
        t.silence("50ms")


@scenario(covers="ARP-7", link="ether", ip="ipv4", neighbours=False)
def asks_before_it_sends_and_keeps_the_datagram_meanwhile(t):
    "The datagram waits for the answer, and leaves at once when it comes (RFC 1122 §2.3.2.2)."
    s = t.socket("dgram")
    s.sendto(b"are you there?", 7)
    t.expect(Ether(dst=EVERYBODY, src=t.mac) / ARP(op=1, hwsrc=t.mac, psrc=t.ip, pdst=t.peer.ip), within=0)
    t.sleep("300ms")
    t.send(answer(t))
    t.expect(Ether(dst=t.peer.mac) / IP(dst=t.peer.ip) / UDP(dport=7) / b"are you there?", within=0)


@scenario(covers="ARP-6 UDP-3", link="ether", ip="ipv4", neighbours=False, tolerance=0.05)
def asks_three_times_a_second_apart_and_gives_up(t):
    "No more than one request a second, and not for ever (RFC 1122 §2.3.2.1); the application is told."
    s = t.socket("dgram")
    s.setsockopt("IPPROTO_IP", "IP_RECVERR", 1)
    s.connect(7)
    s.send(b"hello?")
    for second in (0, 1, 2):
        t.expect(ARP(op=1, pdst=t.peer.ip), at=second)
    t.silence("1.2s")
    assert s.error() == "EHOSTUNREACH"


@scenario(covers="ARP-3", link="ether", ip="ipv4", neighbours=False)
def learns_from_who_asks_for_it(t):
    "Who asks for the host will be answered to soon, so the host need not ask for him (RFC 826)."
    t.send(request(t, t.ip))
    t.expect(ARP(op=2, pdst=t.peer.ip), within=0)
    t.socket("dgram").sendto(b"no need to ask", 7)
    t.expect(Ether(dst=t.peer.mac) / IP(dst=t.peer.ip) / UDP(), within=0)


@scenario(covers="ARP-3", link="ether", ip="ipv4", neighbours=False)
def learns_nothing_from_strangers(t):
    "A request for somebody else, and an answer that nobody asked for, make no entry (RFC 826)."
    t.send(request(t, "192.168.0.77"))
    t.send(answer(t))
    t.socket("dgram").sendto(b"who are you?", 7)
    t.expect(Ether(dst=EVERYBODY) / ARP(op=1, pdst=t.peer.ip), within=0)
    t.send(answer(t))
    t.expect(IP() / UDP(dport=7), within=0)


@scenario(covers="ARP-2", link="ether", ip="ipv4", neighbours=False, tolerance=0.05)
def a_known_neighbour_may_move(t):
    "Whoever is in the table is updated by any request of his, also one for somebody else (RFC 826, the merge flag)."
    t.send(request(t, t.ip))
    t.expect(ARP(op=2), within=0)
    t.sleep("1.1s")  # Linux believes a neighbour for a second before another may take his place (locktime)
    moved = "02:00:00:00:00:99"
    t.send(request(t, "192.168.0.77", (t.peer.ip, moved)))
    t.socket("dgram").sendto(b"where are you?", 7)
    t.expect(Ether(dst=moved) / UDP(dport=7), within=0)


@scenario(covers="ARP-1", link="ether", ip="ipv4", neighbours=False)
def a_neighbour_of_the_peer_pings_through_a_table_of_five(t):
    "Five hosts ask and ping in turn; each gets its own answer: the table keeps them apart."
    hosts = [(f"192.168.0.{n}", f"02:00:00:00:00:{n:02x}") for n in range(10, 15)]
    for ip, mac in hosts:
        t.send(request(t, t.ip, (ip, mac)))
        t.expect(Ether(dst=mac) / ARP(op=2, pdst=ip), within=0)
    for ip, mac in reversed(hosts):
        t.send(Ether(dst=t.mac, src=mac) / IP(src=ip, dst=t.ip) / ICMP(type=8, id=7) / ip.encode())
        t.expect(Ether(dst=mac) / IP(dst=ip) / ICMP(type=0, id=7) / ip.encode(), within=0)


@scenario(covers="ARP-1 ACD-2", link="ether", ip="ipv4", neighbours=False)
def a_probe_is_answered_and_teaches_nothing(t):
    "Who looks whether an address is taken has none yet himself: the sender's is 0.0.0.0 (RFC 5227 §2.1.1)."
    t.send(request(t, t.ip, ("0.0.0.0", t.peer.mac)))
    t.expect(Ether(dst=t.peer.mac) / ARP(op=2, hwsrc=t.mac, psrc=t.ip, hwdst=t.peer.mac, pdst="0.0.0.0"), within=0)
    t.socket("dgram").sendto(b"who was that?", 7)
    t.expect(Ether(dst=EVERYBODY) / ARP(op=1, pdst=t.peer.ip), within=0)
    t.send(answer(t))
    t.expect(UDP(dport=7), within=0)


@scenario(covers="ARP-1", link="ether", ip="ipv4", neighbours=False)
def a_question_to_the_host_alone_is_answered_too(t):
    "So neighbours ask again whom they know already, without disturbing the others (RFC 1122 §2.3.2.1 (2))."
    asked = request(t, t.ip)
    asked.dst = t.mac
    t.send(asked)
    t.expect(Ether(dst=t.peer.mac) / ARP(op=2, psrc=t.ip), within=0)


@scenario(covers="ARP-2 ARP-3", link="ether", ip="ipv4", neighbours=False, tolerance=0.05)
def an_announcement_updates_whom_the_host_knows_and_adds_nobody(t):
    "A gratuitous ARP, sender and target the same, is believed where there is an entry (RFC 826, RFC 5227 §3)."
    s = t.socket("dgram")
    moved = "02:00:00:00:00:99"
    t.send(request(t, t.peer.ip, (t.peer.ip, moved)))
    s.sendto(b"1", 7)
    t.expect(Ether(dst=EVERYBODY) / ARP(op=1, pdst=t.peer.ip), within=0)
    t.send(answer(t))
    t.expect(Ether(dst=t.peer.mac) / UDP() / b"1", within=0)

    t.sleep("1.1s")
    t.send(request(t, t.peer.ip, (t.peer.ip, moved)))
    s.sendto(b"2", 7)
    t.expect(Ether(dst=moved) / UDP() / b"2", within=0)


@scenario(
    covers="ACD-5",
    link="ether",
    ip="ipv4",
    neighbours=False,
    xfail={"kernel": "Linux leaves conflicts of addresses to programs in user space"},
)
def an_address_is_defended_once_in_ten_seconds(t):
    "Somebody else has the host's address: it says that it is its own, but does not quarrel (RFC 5227 §2.4 (b))."
    mine = ARP(op=1, hwsrc=t.mac, psrc=t.ip, pdst=t.ip)
    for wait in (0, 10):
        t.sleep(wait)
        t.send(request(t, t.ip, (t.ip, "02:00:00:00:00:99")))
        t.expect(Ether(dst=EVERYBODY, src=t.mac) / mine, within=0)
        t.sleep("5s")
        t.send(request(t, t.ip, (t.ip, "02:00:00:00:00:99")))
        t.silence("1s")


@scenario(covers="ARP-4", link="ether", ip="ipv4", neighbours=False)
def what_nobody_can_be_is_not_learned(t):
    "A sender with a multicast address or MAC, a packet that is cut: nothing is answered (RFC 1812 §3.3.2)."
    wrong = [request(t, t.ip, (ip, t.peer.mac)) for ip in ("224.0.0.1", "127.0.0.1", "255.255.255.255")]
    wrong += [bytes(request(t, t.ip))[:n] for n in (14, 20, 41)]
    for packet in wrong:
        t.send(packet)
        t.silence("50ms")


@scenario(covers="ARP-4", link="ether", ip="ipv4", neighbours=False)
def operations_that_nobody_knows_are_ignored(t):
    "Request and reply are all there is (RFC 826); inverse ARP and such are for others."
    for op in (0, 3, 8, 65535):
        asked = request(t, t.ip)
        asked[ARP].op = op
        t.send(asked)
        t.silence("50ms")


@scenario(
    covers="ARP-4",
    link="ether",
    ip="ipv4",
    neighbours=False,
    xfail={"kernel": "Linux takes any MAC for a neighbour's"},
)
def nobody_has_the_mac_of_a_group(t):
    "What ARP says of its sender must be a host's own MAC, or packets for one would reach many."
    for mac in ("01:00:5e:00:00:01", EVERYBODY, NOBODY):
        asked = request(t, t.ip, (t.peer.ip, mac))
        asked.src = t.peer.mac
        t.send(asked)
        t.silence("50ms")
