# SPDX-License-Identifier: GPL-2.0-or-later
"""Recordings in Python: packets as expressions that give the same bytes, and labs that the language cannot tell."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import layers
from labstack.lab.lab import Lab
from labstack.packetdrill.parser import parse
from labstack.scenario import collect
from labstack.scenario.record import expression, record
from labstack.scenario.record import python as record_python
from labstack.scenario.record.history import of_history
from labstack.scenario.record.python import duration
from labstack.scenario.script import runner
from labstack.scenario.settings import Settings
from layers import ARP, ICMP, IP, TCP, UDP, Ether, ICMPv6EchoRequest, ICMPv6ND_NS, IPerror, IPv6, Raw, UDPerror
from layers import ICMPv6NDOptSrcLLAddr as SourceMac

NAMES = {"10.0.0.1": "PEER", "10.0.0.2": "HOST"}
WORLD = {name: getattr(layers, name) for name in layers.__all__} | {"PEER": "10.0.0.1", "HOST": "10.0.0.2"}
EXAMPLES = [
    (Ether(dst="ff:ff:ff:ff:ff:ff") / ARP(psrc="10.0.0.1", pdst="10.0.0.2"), 14),
    (IP(src="10.0.0.1", dst="10.0.0.2", flags="MF", frag=0, id=9, proto=17) / Raw(load=b"12345678"), 0),
    (IP(src="10.0.0.1", dst="10.0.0.2", ttl=3) / UDP(sport=7, dport=9) / Raw(load=b"x" * 500), 0),
    (IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=7, dport=9, chksum=0x1234) / Raw(load=b"wrong"), 0),
    (IP(src="10.0.0.1", dst="10.0.0.2") / ICMP(type=3, code=3) / IPerror(dst="1.2.3.4") / UDPerror(sport=4), 0),
    (IP(src="10.0.0.1", dst="10.0.0.2") / TCP(flags="S", options=[("MSS", 1460), ("NOP", None), ("WScale", 7)]), 0),
    (IPv6(src="fd00::1", dst="fd00::2") / ICMPv6ND_NS(tgt="fd00::2") / SourceMac(lladdr="02:00:00:00:00:01"), 0),
    (IPv6(src="fd00::1", dst="fd00::2") / ICMPv6EchoRequest(id=1, seq=2, data=b"abc"), 0),
]


@pytest.mark.parametrize(
    ("packet", "net"), EXAMPLES, ids=[type(it[0].last()).__name__ + str(i) for i, it in enumerate(EXAMPLES)]
)
def test_what_is_sent_is_said_so_that_it_gives_the_same_bytes(packet: Any, net: int) -> None:
    said = expression.sent(bytes(packet), net, NAMES)
    assert bytes(eval(said, dict(WORLD))) == bytes(packet)
    assert "ihl" not in said
    assert ("chksum=4660" in said) == (packet.getlayer(UDP) is not None and packet[UDP].chksum == 0x1234)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80), st.sampled_from((0, 14)))
def test_any_bytes_can_be_said(data: bytes, net: int) -> None:
    made = eval(expression.sent(data, net, {}), dict(WORLD))
    assert bytes(made) == data


def test_what_is_expected_says_what_a_reader_looks_for() -> None:
    packet = IP(src="10.0.0.2", dst="10.0.0.1", id=77) / UDP(sport=53, dport=999) / Raw(load=b"me")
    said = expression.expected(bytes(packet), 0, NAMES)
    assert said == "IP(proto=17, src=HOST, dst=PEER) / UDP(sport=53, dport=999) / b'me'"


def three() -> Lab:
    """Two clients of one server, a datagram, a closed port, payload of every kind."""
    lab = Lab(3)
    server = lab.h2.listen(80)
    one, two = lab.h1.connect("10.0.0.2", 80), lab.h3.connect("10.0.0.2", 80)
    ears = lab.h2.udp(53)
    lab.h3.udp(999).sendto("who?", "10.0.0.2", 53)
    lab.run()
    first, second = server.accept(), server.accept()
    one.send("hello")
    two.send(bytes(range(100)))
    lab.run()
    first.recv()
    first.send(b"x" * 5000)
    lab.run()
    one.recv()
    assert ears.recvfrom()[0] == b"who?"
    lab.h1.udp(998).sendto("nobody", "10.0.0.2", 54)
    lab.run()
    one.close()
    lab.run()
    first.close()
    second.abort()
    lab.run()
    return lab


@pytest.mark.parametrize("host", ["h2", "h1"])
def test_a_lab_of_three_is_told_in_python_and_passes(host: str, tmp_path: Path) -> None:
    lab = three()
    made = record.of_lab(lab, host)
    assert made.differs == 0
    path = made.save(str(tmp_path / "scenario_three.pkt")).saved
    assert path.endswith(made.suffix)
    outcome = collect.run(f"{path}::recorded" if made.suffix == ".py" else path)
    assert (outcome.verdict, outcome.reason) == ("pass", "")


def test_python_keeps_payload_where_it_is_short_or_all_the_same() -> None:
    source = record.of_lab(three(), "h2").source
    for said in ("b'hello'", "b'x' * 5000", "b'x' * 1448", "b'who?'", "c2.send(bytes(100)", "ARP(", "t.sleep("):
        assert said in source


def test_times_are_written_with_the_unit_that_makes_them_short() -> None:
    assert [duration(ns) for ns in (10**9, 1_500_000_000, 10**7, 26_072, 1_000_000_001, 7)] == [
        "1s", "1.5s", "10ms", "26.072us", "1000000.001us", "7ns",
    ]  # fmt: skip


def test_an_ipv4_address_on_a_socket_of_ipv6_is_the_peers() -> None:
    """The scenario has other addresses than what was recorded, and a mapped one is among those that change."""
    script = parse("0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n"
                   "+0 connect(3, ..., ...) = -1 EINPROGRESS\n+0 > S 0:0(0) <...>\n+.5 close(3) = 0")  # fmt: skip
    options = Settings(ip_version="ipv4-mapped-ipv6")
    calls = runner.lab(script, options)
    runner.play(script, calls, options)
    source = record_python.source(of_history(calls.history, calls.host.name), "", "ip")
    assert 't.call("connect", 3, ("::ffff:" + PEER, 8080), fails="EINPROGRESS")' in source
    assert record.python_failure(source) == ""
