# SPDX-License-Identifier: GPL-2.0-or-later
"""Our packets among Scapy's: `/`, conversion, captures, lists, sniffing, sending; and Scapy's traps."""

import io
import warnings
from pathlib import Path
from typing import Any

import pytest

import layers
from layers import IP, TCP, UDP, Ether, Raw, from_scapy, register_with_scapy

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from scapy import packet as scapy_packet
    from scapy.config import conf
    from scapy.layers import inet, inet6, l2
    from scapy.plist import PacketList
    from scapy.sendrecv import sendp, sniff
    from scapy.utils import PcapNgReader, PcapNgWriter, rdpcap, wrpcap

conf.verb = 0
FRAME = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(dst="10.0.0.2") / TCP(flags="S") / b"data"


def test_a_scapy_operand_on_either_side_makes_scapy() -> None:
    ours = IP(src="10.0.0.1", dst="10.0.0.2") / TCP(dport=5)
    left = l2.Ether() / ours
    right = Ether() / inet.IP(src="10.0.0.1", dst="10.0.0.2") / inet.TCP(dport=5)
    for joined in (left, right):
        assert isinstance(joined, scapy_packet.Packet)
        assert joined[inet.TCP].dport == 5
        assert joined.type == 0x0800
    assert bytes(inet.IP(src="10.0.0.1", dst="10.0.0.2") / TCP(dport=5)) == bytes(ours)
    assert bytes(IP(src="10.0.0.1", dst="10.0.0.2") / inet.TCP(dport=5)) == bytes(ours)
    datagram = layers.IPv6(src="::1", dst="::2") / UDP() / b"x"
    assert bytes(inet6.IPv6(src="::1", dst="::2") / UDP() / Raw(load=b"x")) == bytes(datagram)


def test_what_is_left_to_compute_stays_open_in_scapy() -> None:
    theirs = FRAME.to_scapy()
    assert bytes(theirs) == bytes(FRAME)
    theirs[inet.IP].dst = "10.0.0.99"
    assert IP(bytes(theirs)[14:])[IP].chksum == IP(bytes(IP(dst="10.0.0.99") / TCP(flags="S") / b"data")).chksum


def test_what_is_set_stays_set_in_scapy() -> None:
    odd = IP(len=7, chksum=1, ihl=5) / UDP(len=3, chksum=9) / b"x"
    assert bytes(odd.to_scapy()) == bytes(odd)


def test_scapy_packets_come_back_as_ours() -> None:
    theirs = l2.Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / inet.IP(dst="10.0.0.2") / inet.UDP() / b"x"
    theirs.time = 12.5
    theirs.sniffed_on = "eth9"
    ours = from_scapy(theirs)
    assert [layer.__class__.__name__ for layer in ours.layers()] == ["Ether", "IP", "UDP", "Raw"]
    assert (ours.time, ours.sniffed_on) == (12.5, "eth9")
    assert bytes(UDP(theirs)) == bytes(theirs[inet.UDP])
    assert bytes(Ether(theirs)) == bytes(theirs)
    assert from_scapy(scapy_packet.Raw(b"x")) == Raw(load=b"x")


def test_layers_are_found_by_scapys_classes() -> None:
    assert inet.TCP in FRAME
    assert FRAME[inet.IP].dst == "10.0.0.2"
    assert inet.UDP not in FRAME


def test_answers_and_hashret_are_scapys() -> None:
    ask = IP(src="10.0.0.1", dst="10.0.0.2") / layers.ICMP(id=7, seq=1)
    tell = IP(src="10.0.0.2", dst="10.0.0.1") / layers.ICMP(type=0, id=7, seq=1)
    assert tell.answers(ask)
    assert not ask.answers(ask)
    assert tell.answers(ask.to_scapy())
    assert ask.hashret() == tell.to_scapy().hashret()


def test_notes_may_be_written_on_any_packet() -> None:
    packet = UDP()
    for name in ("time", "sent_time", "wirelen", "direction", "sniffed_on", "comments", "_answered"):
        setattr(packet, name, 7)
        assert getattr(packet, name) == 7
    assert list(packet) == [packet]
    assert UDP().comments is None


def test_captures_take_ours(tmp_path: Path) -> None:
    register_with_scapy()
    frame = FRAME.copy()
    frame.time = 3.25
    file = str(tmp_path / "a.pcap")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wrpcap(file, [frame, frame])
    read = rdpcap(file)
    assert [bytes(each) for each in read] == [bytes(frame)] * 2
    assert read[0].time == 3.25


def test_pcapng_keeps_comment_interface_and_direction(tmp_path: Path) -> None:
    register_with_scapy()
    frame = FRAME.copy()
    frame.comments, frame.sniffed_on, frame.direction, frame.time = [b"why"], "lab0", 1, 2.5
    file = str(tmp_path / "a.pcapng")
    writer = PcapNgWriter(file)
    writer.write(frame)
    writer.close()
    reader = PcapNgReader(file)
    read = reader.read_packet()
    reader.close()
    assert (bytes(read), read.comments, read.sniffed_on, read.direction) == (bytes(frame), [b"why"], "lab0", 1)


def test_reading_captures_may_give_ours(tmp_path: Path) -> None:
    file = str(tmp_path / "a.pcap")
    wrpcap(file, [FRAME.to_scapy()])
    before = dict(conf.l2types.num2layer)
    try:
        register_with_scapy(read=True)
        assert isinstance(rdpcap(file)[0], Ether)
    finally:
        conf.l2types.num2layer.update(before)


def test_lists_and_sniffing_take_ours() -> None:
    listed = PacketList([FRAME, FRAME])
    assert "TCP:2" in repr(listed)
    assert len(listed.filter(lambda packet: TCP in packet)) == 2
    listed.summary()
    sniffed = sniff(offline=[FRAME, FRAME], count=2)
    assert [bytes(packet) for packet in sniffed] == [bytes(FRAME)] * 2
    assert all(isinstance(packet, Ether) for packet in sniffed)


class Wire:
    """A socket that keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.outs: Any = None

    def send(self, packet: Any) -> int:
        self.sent.append(bytes(packet))
        return len(self.sent[-1])

    def close(self) -> None:
        pass


def test_sendp_takes_ours() -> None:
    wire = Wire()
    sendp(FRAME, socket=wire, verbose=False)
    sendp([FRAME, FRAME], socket=wire, verbose=False)
    assert wire.sent == [bytes(FRAME)] * 3


def test_a_tap_interface_adds_no_second_ethernet_header_to_converted_frames() -> None:
    from scapy.layers.tuntap import TunTapInterface

    class Tap(TunTapInterface):  # type: ignore[misc]
        def __init__(self) -> None:
            self.ins = self.outs = io.BytesIO()
            self.closed, self.kernel_packet_class, self.mode_tun, self.mtu_overhead = False, l2.Ether, False, 0

        def __del__(self) -> None:
            pass

    tap = Tap()
    try:
        tap.send(FRAME.to_scapy())
    except AttributeError as missing:  # a member that another Scapy names differently
        pytest.skip(f"this Scapy's TunTapInterface differs: {missing}")
    assert len(tap.outs.getvalue()) - len(bytes(FRAME)) in (0, 4)  # 4: the packet information header


def test_exploring_scapy_still_works() -> None:
    assert conf.layers.layers()
