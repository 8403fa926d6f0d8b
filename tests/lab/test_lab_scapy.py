# SPDX-License-Identifier: GPL-2.0-or-later
"""Stock Scapy on the lab's wire: nothing here is ours but the interface."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from scapy.config import conf
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import ARP, Ether, arping, getmacbyip
from scapy.sendrecv import AsyncSniffer, sendp, sniff, sr, sr1, srp1

from labstack.lab.errors import LabError
from labstack.lab.lab import Lab
from labstack.lab.scapy_iface import IP as HERE
from labstack.lab.scapy_iface import MAC, NAME, TAP, attach

WHO_HAS = Ether(dst="ff:ff:ff:ff:ff:ff") / ARP(pdst="10.0.0.2", psrc=HERE, hwsrc=MAC)


@pytest.fixture
def lab() -> Iterator[Lab]:
    made = Lab()
    attach(made)
    conf.netcache.flush()
    yield made
    assert TAP.listeners == []  # Scapy closed what it opened


def test_the_interface_and_the_route_to_it_are_there(lab: Lab) -> None:
    assert conf.ifaces.dev_from_name(NAME).ip == HERE
    assert conf.route.route("10.0.0.2")[:2] == (NAME, HERE)


def test_the_lab_is_reached_even_where_the_machine_has_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conf.route6, "routes", [("fd00::2", 128, "::", "eth0", ["fd00::2"], 0), *conf.route6.routes])
    lab = Lab()
    attach(lab)
    assert conf.route6.route("fd00::2")[:2] == (NAME, "fd00::100")
    answer = sr1(IPv6(dst="fd00::2") / ICMPv6EchoRequest(data=b"hello"), timeout=5, verbose=0)
    assert answer.data == b"hello"


def test_srp1_gets_an_arp_answer(lab: Lab) -> None:
    answer = srp1(WHO_HAS, iface=NAME, timeout=5, verbose=0)
    assert (answer[ARP].op, answer[ARP].hwsrc) == (2, lab.h2.mac)


def test_sr1_pings_through_scapys_own_neighbour_discovery(lab: Lab) -> None:
    answer = sr1(IP(dst="10.0.0.1") / ICMP(id=7) / b"hello", timeout=5, verbose=0)
    assert answer[ICMP].type == 0
    assert bytes(answer[ICMP].payload) == b"hello"
    assert getmacbyip("10.0.0.1") == lab.h1.mac


def test_hosts_find_scapys_address_by_nd_and_answer(lab: Lab) -> None:
    packet = Ether(dst=lab.h2.mac, src=MAC) / IPv6(src="fd00::100", dst=lab.h2.ip6) / ICMPv6EchoRequest(data=b"x")
    assert ICMPv6EchoReply in srp1(packet, iface=NAME, timeout=5, verbose=0)
    assert "fd00::100" in str(lab.h2.nd)


def test_a_handshake_by_hand_is_not_reset_by_anybody(lab: Lab) -> None:
    server = lab.h2.listen(80)
    syn = IP(dst=lab.h2.ip) / TCP(sport=4000, dport=80, flags="S", seq=100)
    answer = sr1(syn, timeout=5, verbose=0)
    assert answer[TCP].flags == "SA"
    ack = IP(dst=lab.h2.ip) / TCP(sport=4000, dport=80, flags="A", seq=101, ack=answer[TCP].seq + 1)
    sendp(Ether(src=MAC, dst=lab.h2.mac) / ack, iface=NAME, verbose=0)
    assert server.accept().state == "ESTABLISHED"
    assert lab.names == ("h1", "h2", NAME)
    assert "SYN,ACK seq=0 ack=1" in lab.ladder().text()


def test_sr_matches_each_answer_to_its_question(lab: Lab) -> None:
    lab.h2.listen(80)
    answered, unanswered = sr(IP(dst=lab.h2.ip) / TCP(dport=[80, 81, 82], flags="S"), timeout=5, verbose=0)
    assert [str(answer[TCP].flags) for _, answer in answered] == ["SA", "RA", "RA"]
    assert len(unanswered) == 0


def test_arping_finds_the_hosts(lab: Lab) -> None:
    found, _ = arping("10.0.0.0/30", iface=NAME, timeout=1, verbose=0)
    assert sorted(answer[ARP].psrc for _, answer in found) == [lab.h1.ip, lab.h2.ip]


def test_an_unanswered_question_times_out(lab: Lab) -> None:
    nobody = Ether(dst="ff:ff:ff:ff:ff:ff") / ARP(pdst="10.0.0.77")
    assert srp1(nobody, iface=NAME, timeout=0.1, verbose=0) is None


def test_async_sniffer_sees_what_hosts_say_to_each_other_in_virtual_time(lab: Lab) -> None:
    sniffer = AsyncSniffer(iface=NAME, count=4)
    sniffer.start()
    while not TAP.listeners:
        pass
    lab.h1.ping(lab.h2.ip)
    lab.run()
    sniffer.join(timeout=20)
    assert [packet.time for packet in sniffer.results] == pytest.approx([0.0, 0.01, 0.02, 0.03], abs=1e-6)
    assert ICMP in sniffer.results[3]


def test_sniff_takes_a_python_filter_and_refuses_bpf(lab: Lab) -> None:
    with pytest.raises(ValueError, match="use lfilter="):
        sniff(iface=NAME, filter="tcp", timeout=0.1)


def test_what_scapy_sent_is_undone_by_back_and_sent_again_afterwards(lab: Lab) -> None:
    srp1(WHO_HAS, iface=NAME, timeout=5, verbose=0)
    lab.back(len(lab.records))
    assert HERE not in str(lab.h2.arp)
    assert srp1(WHO_HAS, iface=NAME, timeout=5, verbose=0)


def test_scapy_works_on_a_switch_and_the_interface_follows_the_newest_lab(lab: Lab) -> None:
    other = Lab(hosts=4)
    attach(other)
    assert sr1(IP(dst="10.0.0.4") / ICMP(), timeout=5, verbose=0)[IP].src == "10.0.0.4"
    assert lab.records == []


def test_inject_takes_scapys_packets(lab: Lab) -> None:
    lab.inject(ARP(op=2, psrc="10.0.0.2", hwsrc="02:00:00:00:00:99", pdst=lab.h1.ip), to="h1")
    assert lab.records[-1].host == "h1"
    with pytest.raises(LabError, match="is no packet"):
        lab.inject(3, to="h1")


def test_none_of_it_needs_a_privilege() -> None:
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("root without setpriv cannot become somebody else here")
    root = Path(__file__).parents[2]
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from labstack import Lab\nfrom labstack.lab.scapy_iface import attach\n"
        "from scapy.layers.inet import IP, ICMP\nfrom scapy.sendrecv import sr1\n"
        "attach(Lab()); print(sr1(IP(dst='10.0.0.2')/ICMP(), timeout=5, verbose=0).src)\n"
    )
    drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]
    argv = [*(drop if os.geteuid() == 0 else []), sys.executable, "-c", script, str(root)]
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=env, check=False)
    if any(sign in done.stderr for sign in ("Permission denied", "No module named", "error while loading shared")):
        pytest.skip(f"this Python is not readable for an ordinary user: {done.stderr.splitlines()[-1]}")
    assert done.stdout.strip() == "10.0.0.2", done.stderr


def test_a_flood_is_a_loop_over_inject_in_one_instant(lab: Lab) -> None:
    lab.h2.sysctl("net.ipv4.tcp_max_syn_backlog", 64)
    lab.h2.sysctl("net.ipv4.tcp_syncookies", 0)
    lab.h2.listen(80)
    lab.run()
    before = lab.now
    for sport in range(2000, 2200):
        lab.inject(IP(src="10.0.0.77", dst=lab.h2.ip) / TCP(sport=sport, dport=80, flags="S"))
    assert lab.now == before
    half = sum(conn.state == "SYN_RECEIVED" for conn in lab.h2.stack.conns.values())
    assert (half, lab.h2.stack.env.count["TcpExtListenDrops"]) == (49, 151)
