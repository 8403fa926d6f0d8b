# SPDX-License-Identifier: GPL-2.0-or-later
"""The scripted end of TCP: it keeps the numbers, all of them relative, and sends nothing unasked."""

from typing import Any

import pytest
from play_toy import Toy, parted

from labstack.scenario import has
from labstack.scenario.calls import Calls
from labstack.scenario.play.play import Play
from labstack.scenario.verdict import PlayError
from layers import IP, TCP, IPv6

LOCAL = ("192.168.0.1/16", "fd3d:a0b:17d6::1/64")
PLAIN = {"net.ipv4.tcp_timestamps": "0", "net.ipv4.tcp_sack": "0"}
FAMILIES = pytest.mark.parametrize("ip", ["ipv4", "ipv6", "ipv4-mapped-ipv6"])


def on(ip: str = "ipv4") -> Play:
    """A play on a host of ours."""
    return Play(Calls(local=LOCAL, sysctls=PLAIN), ip)


def sent(t: Play) -> Any:
    """The last packet that was sent to a toy."""
    data = t.target.got[-1]  # type: ignore[attr-defined]
    return (IPv6 if data[0] >> 4 == 6 else IP)(data)


def end(**of: Any) -> tuple[Play, Any]:
    """An end with a toy, its host's numbers known: 5000 is the host's SYN."""
    t = Play(Toy(), "ipv4")
    c = t.peer_tcp(80, sport=9, iss=1000, **of)
    c.irs, c.snd_nxt, c.rcv_nxt = 5000, 1, 1
    return t, c


@FAMILIES
def test_a_host_accepts_and_both_directions_carry_bytes(ip: str) -> None:
    t = on(ip)
    c = t.accepts(80)
    c.send(b"hello")
    c.expect(flags="A", seq=1, ack=6, size=0)
    c.fd.recv(returns=b"hello")
    c.fd.send(b"answer")
    assert c.expect(flags="PA", data=b"answer", ack=6)[TCP].seq == 1
    assert (c.received, c.rcv_nxt, c.snd_nxt) == (b"answer", 7, 6)
    c.send()
    t.quiet()


@FAMILIES
def test_a_host_connects_and_closes(ip: str) -> None:
    t = on(ip)
    c = t.connects(443)
    assert c.peer != 443
    c.fd.close()
    c.expect(flags="FA", seq=1, ack=1)
    c.send(flags="FA")
    c.expect(flags="A", seq=2, ack=2)
    t.quiet("61s")


def test_numbers_go_on_by_themselves_and_may_be_given() -> None:
    t, c = end()
    c.send(b"abc")
    assert (sent(t)[TCP].seq, sent(t)[TCP].ack, sent(t)[TCP].flags) == (1001, 5001, 0x18)
    c.send(flags="FA")
    assert (sent(t)[TCP].seq, sent(t)[TCP].flags) == (1004, 0x11)
    c.send(b"b", seq=2, ack=0, window=7, urgptr=3, chksum=0xBAD)
    tcp = sent(t)[TCP]
    assert (tcp.seq, tcp.ack, tcp.window, tcp.urgptr, tcp.chksum) == (1002, 5000, 7, 3, 0xBAD)
    assert c.snd_nxt == 5


def test_without_the_ack_flag_there_is_no_acknowledgment() -> None:
    t, c = end()
    c.send(flags="R")
    assert (sent(t)[TCP].ack, sent(t)[TCP].flags) == (0, 4)


def test_a_segment_can_be_made_without_being_sent_and_without_counting() -> None:
    t, c = end()
    packet = c.segment(b"later", ip={"ttl": 3})
    assert (packet.ttl, packet[TCP].seq, t.target.got, c.snd_nxt) == (3, 1001, [], 1)  # type: ignore[attr-defined]


def test_the_syn_has_the_segment_size_and_nothing_else() -> None:
    t = Play(Toy(), "ipv4")
    t.peer_tcp(80).send(flags="S")
    assert (sent(t)[TCP].options, sent(t)[TCP].seq) == ([("MSS", 1460)], 1_000_000)
    t.peer_tcp(80, mss=0).send(flags="S")
    assert (sent(t)[TCP].options, sent(t)[TCP].seq) == ([], 2_000_000)


def test_edges_of_sack_blocks_are_relative_both_ways() -> None:
    t, c = end()
    c.send(options=[("NOP", None), ("NOP", None), ("SAck", (10, 20))])
    assert sent(t)[TCP].options[-1] == ("SAck", (5010, 5020))
    block = [("NOP", None), ("NOP", None), ("SAck", (1004, 1009))]
    segment = IP(src=t.ip, dst=t.peer.ip) / TCP(sport=80, dport=9, seq=5001, ack=1001, flags="A", options=block)
    t.target.sends += Toy((0, bytes(segment))).sends  # type: ignore[attr-defined]
    c.expect(ack=1, options=[("SAck", (4, 9))])


def test_a_difference_is_told_in_relative_numbers() -> None:
    t = on()
    c = t.accepts(80)
    c.send(b"hello")
    with parted("packet", "TCP.ack: expected 7, got 6"):
        c.expect(ack=7)


def test_numbers_pass_the_end_of_32_bits() -> None:
    t = on()
    c = t.accepts(80, iss=2**32 - 2)
    c.send(b"hello")
    c.expect(flags=has("A"), ack=6)


def test_each_end_takes_its_own_connections_packets() -> None:
    t = on()
    one, two = t.accepts(80), t.accepts(80)
    for c in (one, two):
        c.fd.send(b"to %d" % c.port)
    two.expect(data=b"to %d" % two.port)
    one.expect(data=b"to %d" % one.port)
    one.send()
    two.send()
    t.quiet()


def test_collect_takes_segments_of_any_size_and_acknowledges_them() -> None:
    t = on()
    c = t.accepts(80, mss=100)
    c.fd.send(bytes(range(250)))
    assert c.collect(250) == bytes(range(250))
    t.quiet()
    with parted("missing"):
        c.collect(1)


def test_what_is_out_of_order_is_expected_but_not_received() -> None:
    t, c = end()
    segment = IP(src=t.ip, dst=t.peer.ip) / TCP(sport=80, dport=9, seq=5011, ack=1001, flags="A") / b"later"
    t.target.sends += Toy((0, bytes(segment))).sends  # type: ignore[attr-defined]
    c.expect(seq=11, data=b"later")
    assert (c.received, c.rcv_nxt) == (b"", 1)


def test_an_unknown_field_is_told() -> None:
    _, c = end()
    with pytest.raises(TypeError, match="windo"):
        c.expect(windo=1)
    with pytest.raises(PlayError, match="flags='Q'"):
        c.expect(flags={"Q"})
