# SPDX-License-Identifier: GPL-2.0-or-later
"""A frame in one line of words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labstack.core.event import Rx, Tick
from labstack.core.frame import Frame
from labstack.core.record import Record, Sent
from labstack.lab.words import Reader, Script
from layers import ARP, ICMP, IP, TCP, UDP, Ether, ICMPv6EchoRequest, ICMPv6ND_NS, IPv6, Raw

LINK = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
HERE, THERE = {"src": "10.0.0.1", "dst": "10.0.0.2"}, {"src": "10.0.0.2", "dst": "10.0.0.1"}


def frame(*packet: object) -> Frame:
    whole = LINK
    for layer in packet:
        whole = whole / layer
    return Frame(bytes(whole))


def test_sequence_numbers_are_told_relative_to_the_syn() -> None:
    reader = Reader()
    out, back = {"sport": 5000, "dport": 80}, {"sport": 80, "dport": 5000}
    said = [
        reader.read(frame(IP(**HERE), TCP(seq=4294967290, flags="S", options=[("MSS", 1460), ("WScale", 2)], **out))),
        reader.read(frame(IP(**THERE), TCP(seq=77, ack=4294967291, flags="SA", options=[("MSS", 1400)], **back))),
        reader.read(frame(IP(**HERE), TCP(seq=4294967291, ack=78, flags="A", **out))),
        reader.read(frame(IP(**HERE), TCP(seq=4294967291, ack=78, flags="PA", **out), Raw(b"x" * 100))),
        reader.read(frame(IP(**THERE), TCP(seq=78, ack=95, flags="FA", **back))),
    ]
    assert [s.label for s in said] == [
        "SYN seq=0 mss=1460 ws=2",
        "SYN,ACK seq=0 ack=1 mss=1400",
        "ACK ack=1",
        "PSH,ACK seq=1:101 ack=1 len=100",
        "FIN,ACK seq=1 ack=101",
    ]


def test_what_a_syn_offers_and_what_loss_and_congestion_look_like_is_told() -> None:
    reader = Reader()
    out, back = {"sport": 5000, "dport": 80}, {"sport": 80, "dport": 5000}
    offers = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1, 0)), ("NOP", None), ("WScale", 7), ("TFO", b"")]
    said = [
        reader.read(frame(IP(**HERE), TCP(seq=4294967290, flags="SEC", options=offers, **out))),
        reader.read(
            frame(IP(**THERE), TCP(seq=1, ack=4294967291, flags="A", options=[("SAck", (95, 195, 295, 395))], **back))
        ),
        reader.read(frame(IP(**THERE), TCP(seq=1, ack=4294967291, flags="AE", window=0, **back))),
        reader.read(frame(IP(tos=3, **HERE), TCP(seq=4294967291, ack=2, urgptr=2, flags="AU", **out), Raw(b"abc"))),
    ]
    assert [s.label for s in said] == [
        "SYN,ECE,CWR seq=0 mss=1460 sackOK ts ws=7 tfo",
        "ACK ack=1 sack=101:201,301:401",
        "ACK,ECE ack=1 win=0",
        "ACK,URG seq=1:4 ack=1 len=3 urg=2 CE",
    ]


def test_bytes_sent_again_are_a_retransmission_and_their_arrival_is_not() -> None:
    reader = Reader()
    data = frame(IP(**HERE), TCP(seq=5, flags="A"), Raw(b"x"))
    assert "rtx" not in reader.read(data).label
    assert "rtx" not in reader.look(data).label
    again = reader.read(data)
    assert again.label.endswith("rtx #1")
    assert again.style == "badtcp"


def test_pure_acks_are_never_retransmissions() -> None:
    reader = Reader()
    ack = frame(IP(**HERE), TCP(seq=5, ack=9, flags="A"))
    assert reader.read(ack) == reader.read(ack)


def test_a_super_segment_is_one_line_with_its_number_of_segments() -> None:
    whole = bytes(LINK / IP(**HERE) / TCP(seq=1, flags="A") / Raw(b"x" * 3000))
    assert "len=3000 (3 segments)" in Reader().read(Frame(whole, gso=1400)).label


def test_lengths_come_from_the_header_when_only_the_first_bytes_were_kept() -> None:
    whole = bytes(LINK / IP(**HERE) / TCP(seq=1, flags="A") / Raw(b"x" * 1000))
    assert "len=1000" in Reader().read(Frame(whole[:128])).label


@pytest.mark.parametrize(
    ("packet", "label", "style"),
    [
        ((ARP(op=1, psrc="10.0.0.1", pdst="10.0.0.2"),), "ARP who-has 10.0.0.2 tell 10.0.0.1", "arp"),
        ((ARP(op=1, psrc="10.0.0.1", pdst="10.0.0.1"),), "ARP announce 10.0.0.1", "arp"),
        (
            (ARP(op=2, psrc="10.0.0.2", hwsrc="02:00:00:00:00:02"),),
            "ARP 10.0.0.2 is-at 02:00:00:00:00:02",
            "arp",
        ),
        ((IP(**HERE), ICMP(type=8, id=7, seq=3), Raw(b"hi")), "ICMP echo request id=7 seq=3 len=2", "icmp"),
        ((IP(**HERE), ICMP(type=3, code=3)), "ICMP port unreachable", "icmperr"),
        ((IP(**HERE), UDP(sport=5, dport=9), Raw(b"abc")), "UDP 5 → 9 len=3", "udp"),
        ((IP(**HERE), TCP(flags="R", seq=9)), "RST seq=0", "rst"),
        ((IPv6(src="fd00::1", dst="ff02::1:ff00:2"), ICMPv6ND_NS(tgt="fd00::2")), "ND solicit fd00::2", "icmp"),
        (
            (IPv6(src="fd00::1", dst="fd00::2"), ICMPv6EchoRequest(id=1, seq=2, data=b"abc")),
            "ICMPv6 echo request id=1 seq=2 len=3",
            "icmp",
        ),
    ],
)
def test_every_kind_of_packet_has_its_words(packet: tuple[object, ...], label: str, style: str) -> None:
    assert tuple(Reader().read(frame(*packet))) == (label, style)


@given(st.binary(max_size=200))
def test_no_bytes_make_a_reader_raise(raw: bytes) -> None:
    assert Reader().read(Frame(raw)).label
    assert Reader().read(Frame(raw, net=0)).label


@given(st.binary(max_size=80), st.sampled_from([6, 1, 17, 58]))
def test_no_transport_header_makes_a_reader_raise(raw: bytes, proto: int) -> None:
    assert Reader().read(frame(IP(proto=proto, **HERE), Raw(raw))).label
    assert Reader().read(frame(IPv6(nh=proto), Raw(raw))).label


def record(n: int, sent: Frame, flight: int = 0) -> Record:
    event = Rx(1, sent) if flight else Tick()
    return Record(n, 0, "h1", event, flight=flight, sent=() if flight else (Sent(n, 1, sent),))


DATA = frame(IP(**HERE), TCP(seq=5, flags="A"), Raw(b"x"))


def test_a_script_reads_each_record_once_however_often_it_is_asked() -> None:
    history = [record(1, DATA), record(2, DATA, flight=1), record(3, DATA)]
    script = Script(history[:1])
    for _ in range(3):
        script.read(history)
        script.read(history[:2])  # after going back
    assert "rtx" not in script[0].sent[0].label
    assert script[1].came is not None
    assert script[2].sent[0].label.endswith("rtx #1")


def test_a_script_begins_anew_when_the_past_is_another_one() -> None:
    script = Script([record(1, DATA), record(2, DATA)])
    script.read([record(1, DATA)])
    assert len(script.told) == 1
    assert "rtx" not in script[0].sent[0].label
