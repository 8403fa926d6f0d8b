# SPDX-License-Identifier: GPL-2.0-or-later
"""Lab.of: a lab around a history that somebody else made, on Ethernet or where a wire carries bare IP."""

from pathlib import Path

import pytest

from labstack import Lab
from labstack.lab.scapy_iface import TAP
from labstack.scenario.calls import Calls
from layers import IP, TCP, Ether, pcapng

LOCAL, REMOTE = "192.168.0.1", "192.0.2.1"


def syn(port: int) -> IP:
    return IP(src=REMOTE, dst=LOCAL) / TCP(sport=port, dport=8080, flags="S", seq=0)


@pytest.fixture
def lab() -> Lab:
    """A host on bare IP that listens and has answered a SYN, one second ago, twice."""
    calls = Calls()
    calls.history.now_call("h1", "listen", 8080)
    calls.inject(bytes(syn(1024)))
    calls.advance(1_000_000_000)
    return Lab.of(calls.history)


def test_the_hosts_and_what_else_is_on_the_wire_are_known_by_name(lab: Lab) -> None:
    assert [(host.name, host.ip, host.mac) for host in lab.hosts] == [("h1", LOCAL, "")]
    assert lab.names == ("h1", "peer")
    assert lab.peer.name == "peer"


def test_the_past_can_be_shown_and_stepped_both_ways(lab: Lab) -> None:
    whole, n = lab.ladder().text(), lab.history.n
    assert "SYN,ACK seq=0 ack=1 mss=1460 rtx #1" in whole
    lab.back(n)
    assert lab.now == 0
    lab.step(n)
    assert lab.ladder().text() == whole
    assert "RFC 6298" in lab.why(n - 1).text()


def test_a_packet_is_handed_over_as_the_wire_carries_it(lab: Lab) -> None:
    for packet in (syn(1025), Ether() / syn(1026), bytes(syn(1027))):
        lab.inject(packet)
        lab.advance("1ms")
    assert {row["peer"] for row in lab.host("h1").sockets() if row["peer"] != "*:*"} >= {
        f"{REMOTE}:{port}" for port in (1025, 1026, 1027)
    }


def test_a_fork_has_the_same_hosts_and_peers(lab: Lab) -> None:
    fork = lab.fork()
    assert fork.names == lab.names
    assert fork.ladder().text() == lab.ladder().text()


def test_its_capture_says_that_packets_are_bare_ip(lab: Lab, tmp_path: Path) -> None:
    lab.export(tmp_path / "run.pcapng")
    raw = (tmp_path / "run.pcapng").read_bytes()
    packets = list(pcapng.read(raw))
    assert [packet.data[0] >> 4 for packet in packets] == [4, 4, 4]
    assert {packet.linktype for packet in packets} == {101}


def test_scapys_interface_says_that_it_needs_an_ethernet(lab: Lab) -> None:
    TAP.attach(lab)
    with pytest.raises(OSError, match="bare IP: use inject"):
        TAP.send(bytes(syn(1)))
