# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls, the lab target: packets in and out as bytes with their virtual time, and nothing but what was asked for."""

import pytest

from labstack.core.errors import StackError
from labstack.scenario.calls import Calls
from labstack.sim.history import digest
from layers import ARP, ICMP, IP, TCP, UDP, Ether, ICMPv6EchoRequest, IPv6

SECOND = 1_000_000_000
MS = 1_000_000
SYN_ACK = 0x12
LOCAL, REMOTE = "192.168.0.1", "192.0.2.1"
LOCAL6, REMOTE6 = "fd3d:a0b:17d6::1", "fd3d:fa7b:d17d::1"


def listening(**named: object) -> Calls:
    calls = Calls(**named)  # type: ignore[arg-type]
    calls.history.now_call("h1", "listen", 8080)
    return calls


def syn(port: int = 1024) -> bytes:
    return bytes(IP(src=REMOTE, dst=LOCAL) / TCP(sport=port, dport=8080, flags="S", seq=0))


def test_nothing_is_sent_unasked() -> None:
    calls = Calls()
    assert calls.wait(3600 * SECOND) is None
    assert (calls.now, calls.packets(), calls.history.n) == (3600 * SECOND, [], 0)


def test_a_packet_goes_in_and_its_answer_comes_out_at_the_same_time() -> None:
    calls = listening()
    calls.advance(5 * MS)
    calls.inject(syn())
    packet = calls.wait(calls.now)
    assert packet is not None
    answer = IP(packet.data)
    assert (packet.at, answer.src, answer.dst, answer[TCP].flags) == (5 * MS, LOCAL, REMOTE, SYN_ACK)


def test_ipv6_goes_to_the_default_route_too() -> None:
    calls = Calls()
    calls.inject(bytes(IPv6(src=REMOTE6, dst=LOCAL6) / ICMPv6EchoRequest(id=1, seq=1)))
    [packet] = calls.packets()
    assert IPv6(packet.data).dst == REMOTE6


def test_wait_stops_at_the_next_packet_and_else_at_its_time() -> None:
    """RFC 6298 §2: the SYN-ACK is retransmitted after 1 s."""
    calls = listening()
    calls.inject(syn())
    assert len(calls.packets()) == 1
    assert calls.wait(SECOND - 1) is None
    assert calls.now == SECOND - 1
    again = calls.wait(10 * SECOND)
    assert again is not None
    assert (again.at, calls.now) == (SECOND, SECOND)


def test_a_wait_until_a_time_that_is_over_lets_no_time_pass() -> None:
    calls = listening()
    calls.advance(SECOND)
    assert calls.wait(0) is None
    assert calls.now == SECOND


def test_packets_are_kept_in_order_until_somebody_takes_them() -> None:
    calls = listening()
    calls.inject(syn(1))
    calls.advance(SECOND)
    calls.inject(syn(2))
    ports = [IP(packet.data)[TCP].dport for packet in calls.packets()]
    assert ports == [1, 1, 2]
    assert calls.packets() == []


def test_a_packet_can_be_injected_for_later_without_waiting() -> None:
    calls = listening()
    calls.inject(syn(2), at=7 * MS)
    calls.inject(syn(1), at=5 * MS)
    assert (calls.now, calls.packets()) == (0, [])
    calls.advance(10 * MS)
    assert [(it.at, IP(it.data)[TCP].dport) for it in calls.packets()] == [(5 * MS, 1), (7 * MS, 2)]


def test_rubbish_costs_nothing_but_itself() -> None:
    calls = listening()
    for rubbish in (b"", b"\x00", b"\x45", bytes(2000), b"\xff" * 60, syn()[:-1]):
        calls.inject(rubbish)
    calls.inject(syn())
    assert len(calls.packets()) == 1
    assert calls.fault == ""


@pytest.mark.parametrize("packet", [syn(), "text", None, 5])
def test_what_is_no_bytes_is_refused_with_a_sentence(packet: object) -> None:
    calls = Calls()
    if isinstance(packet, bytes):
        calls.inject(bytearray(packet))
        return
    with pytest.raises(TypeError, match="expected bytes"):
        calls.inject(packet)  # type: ignore[arg-type]


def test_time_does_not_go_back() -> None:
    calls = Calls()
    calls.advance(SECOND)
    with pytest.raises(ValueError, match="it is 1000000000 ns already"):
        calls.advance(SECOND - 1)
    with pytest.raises(ValueError, match="it is 1000000000 ns already"):
        calls.inject(syn(), at=0)


def test_after_the_end_nothing_happens_any_more() -> None:
    calls = listening()
    calls.end()
    calls.end()
    with pytest.raises(ValueError, match="lab is gone"):
        calls.inject(syn())


def test_one_seed_gives_the_same_bytes_and_another_gives_others() -> None:
    def run(seed: int) -> tuple[str, list[bytes]]:
        calls = listening(seed=seed)
        calls.inject(syn())
        calls.advance(10 * SECOND)
        return digest(calls.history.records), [packet.data for packet in calls.packets()]

    assert run(1) == run(1)
    assert run(1)[1] != run(2)[1]


def test_the_whole_run_can_be_stepped_back_in_its_history() -> None:
    calls = listening()
    calls.inject(syn())
    calls.advance(10 * SECOND)
    fork = calls.history.fork("look")
    fork.goto(0)
    assert fork.world.now == 0
    fork.run(10 * SECOND)
    assert calls.history.diff(fork).states == []
    hosts = {record.host for record in calls.history.records}
    assert hosts == {"h1", "peer"}
    assert all(record.trace for record in calls.history.records if record.host == "h1" and record.flight)


def test_on_ethernet_whoever_injects_answers_the_questions() -> None:
    """RFC 826: without a gateway the host asks for the destination itself."""
    calls = Calls(link="ether")
    calls.history.now_call("h1", "listen", 8080)
    mac, peer = "02:00:00:00:00:01", "02:00:00:00:00:02"
    calls.inject(bytes(Ether(dst=mac, src=peer, type=0x0800)) + syn())
    [asked] = calls.packets()
    assert Ether(asked.data)[ARP].pdst == REMOTE
    calls.inject(bytes(Ether(dst=mac, src=peer) / ARP(op=2, hwsrc=peer, psrc=REMOTE, hwdst=mac, pdst=LOCAL)))
    answer = calls.wait(calls.now)
    assert answer is not None
    assert (Ether(answer.data).dst, Ether(answer.data)[TCP].flags) == (peer, SYN_ACK)


def test_on_ethernet_a_gateway_and_neighbours_may_be_known() -> None:
    gateway, mac = "192.168.0.9", "02:00:00:00:00:09"
    calls = Calls(link="ether", gateway=[gateway], neighbours={gateway: mac})
    ping = IP(src=REMOTE, dst=LOCAL) / ICMP(type=8)
    calls.inject(bytes(Ether(dst="02:00:00:00:00:01", src=mac) / ping))
    [packet] = calls.packets()
    assert Ether(packet.data).dst == mac


def test_the_mtu_is_the_interfaces() -> None:
    calls = Calls(mtu=1000)
    calls.history.now_call("h1", "listen", 8080)
    calls.inject(syn())
    [packet] = calls.packets()
    assert ("MSS", 960) in IP(packet.data)[TCP].options


@pytest.mark.parametrize("wrong", [{"local": ["192.168.0.1/33"]}, {"local": ["nowhere"]}, {"mtu": 10}])
def test_an_impossible_host_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(StackError):
        Calls(**wrong)  # type: ignore[arg-type]


def test_an_unknown_link_is_refused() -> None:
    with pytest.raises(ValueError, match="'tap'"):
        Calls(link="tap")


def test_sysctls_are_read_and_set_as_in_proc_sys() -> None:
    calls = Calls(sysctls={"net.ipv4.tcp_syn_retries": 3})
    assert calls.sysctl("net.ipv4.tcp_syn_retries") == "3"
    assert calls.sysctl("net.ipv4.tcp_syn_retries", "0x5") == "5"
    assert calls.sysctl("net.ipv4.ip_local_port_range", "1000\t2000") == "1000 2000"
    assert calls.sysctl("net.ipv4.ip_local_port_range") == "1000 2000"


def test_a_wrong_sysctl_is_answered_with_a_sentence() -> None:
    calls = Calls()
    with pytest.raises(KeyError, match="no sysctl"):
        calls.sysctl("net.ipv4.nothing")
    for value in ("many", "1 2", "-1", ""):
        with pytest.raises(ValueError, match=r"net\.ipv4\.tcp_syn_retries"):
            calls.sysctl("net.ipv4.tcp_syn_retries", value)


def test_counters_have_the_names_of_nstat() -> None:
    calls = Calls()
    calls.inject(bytes(IP(src=REMOTE, dst=LOCAL) / UDP(sport=1, dport=2)))
    assert calls.counters()["IpInReceives"] == 1
    assert calls.counters()["drop.udp.closed"] == 1
