# SPDX-License-Identifier: GPL-2.0-or-later
"""Time and packets in Python scenarios: what is next, when it is early or late, silence, and what nobody asked for."""

import pytest
from play_toy import MS, Toy, frame, parted, play, udp

from labstack.lab.errors import LabError
from labstack.scenario.play.play import Play
from labstack.scenario.verdict import PlayError
from layers import ARP, IP, UDP, Ether, ICMPv6MLReport, ICMPv6ND_NA, ICMPv6ND_NS, IPv6, Raw
from layers import ICMPv6NDOptDstLLAddr as TargetMac

# what is next


def test_the_next_packet_is_returned_as_our_layers() -> None:
    t = play((10, udp(b"x")))
    packet = t.expect(UDP(dport=9))
    assert (packet[UDP].sport, t.now) == (7, 0.01)


def test_another_packet_than_expected_is_a_failure_with_its_fields() -> None:
    t = play((10, udp(b"x")), (20, udp(b"y")))
    with parted("packet", "Raw.load: expected b'y', got b'x'") as caught:
        t.expect(UDP() / b"y")
    assert caught.value.at == 10 * MS
    assert [row.name for row in caught.value.fields if row.differs] == ["Raw.load"]


def test_a_packet_with_a_wrong_checksum_is_never_expected() -> None:
    with parted("packet", "UDP.chksum"):
        play((1, bytes(IP() / UDP(chksum=1) / b"x"))).expect(UDP())


def test_what_came_during_a_sleep_is_still_to_be_asked_for_in_order() -> None:
    t = play((10, udp(b"1")), (20, udp(b"2")))
    t.sleep("1s")
    t.expect(UDP() / b"1", at=0.01)
    t.expect(UDP() / b"2", at=0.02)
    t.quiet()


def test_so_many_packets_are_a_list_within_one_time() -> None:
    t = play(*((n, udp(b"%d" % n)) for n in range(1, 4)))
    assert [packet[Raw].load for packet in t.expect(UDP, count=3, within=0.003)] == [b"1", b"2", b"3"]
    t = play(*((n, udp(b"x")) for n in range(1, 4)))
    with parted("late"):
        t.expect(UDP, count=3, within=0.002)


def test_one_of_several_and_all_of_several_in_any_order() -> None:
    t = play(*((n, udp(b"%d" % n)) for n in range(1, 5)))
    assert t.expect_any([UDP() / b"2", UDP() / b"1"])[Raw].load == b"1"
    found = t.expect_all([UDP() / b"4", UDP() / b"2", UDP() / b"3"])
    assert [packet[Raw].load for packet in found] == [b"4", b"2", b"3"]
    with parted("missing", r"UDP / Raw\(load=b'1'\) or UDP"):
        t.expect_any([UDP() / b"1", UDP() / b"2"], within=1)


def test_the_nearest_of_several_patterns_is_told() -> None:
    with parted("packet") as caught:
        play((1, udp(b"x"))).expect_any([UDP(sport=1, dport=1), UDP(sport=7, dport=1)])
    assert [row.name for row in caught.value.fields if row.differs] == ["UDP.dport"]


def test_packets_that_do_not_matter_are_passed_over() -> None:
    toy = Toy((1, udp(b"noise", 5)), (2, udp(b"x")), (3, udp(b"noise", 6)))
    t = Play(toy, "ipv4", [UDP(sport={5, 6})])
    t.expect(UDP() / b"x")
    t.quiet("1s")


# when


def test_a_time_is_exact_where_time_is_virtual() -> None:
    play((10, udp(b"x"))).expect(UDP, at=0.01)
    with parted("late", "it left at 0.01 s, expected at 0.009999999 s"):
        play((10, udp(b"x"))).expect(UDP, at=0.009_999_999)
    with parted("early", "expected at 0.010000001 s"):
        play((10, udp(b"x"))).expect(UDP, at=0.010_000_001)


def test_where_time_is_real_it_may_be_off_by_the_tolerance_or_an_eighth() -> None:
    play((60, udp(b"x")), name="kernel").expect(UDP, at=0.05)
    with parted("late"):
        play((80, udp(b"x")), name="kernel").expect(UDP, at=0.05)
    play((1120, udp(b"x")), name="kernel").expect(UDP, at=1)
    with parted("late"):
        play((1130, udp(b"x")), name="kernel").expect(UDP, at=1)


def test_within_and_after_count_from_now() -> None:
    t = play((500, udp(b"1")), (700, udp(b"2")), (1000, udp(b"3")))
    t.sleep("400ms")
    t.expect(UDP() / b"1", within="100ms")
    with parted("early", "not before 0.75 s"):
        t.expect(UDP() / b"2", after="250ms", within="300ms")
    with parted("late", "by 0.9 s"):
        t.expect(UDP() / b"3", within="200ms")


def test_without_a_time_two_seconds_are_waited_and_what_never_comes_is_missing() -> None:
    play((2000, udp(b"x"))).expect(UDP)
    t = play((2001, udp(b"x")))
    with parted("missing", "nothing left by 2 s; expected: UDP"):
        t.expect(UDP)


def test_a_time_that_cannot_be_is_told() -> None:
    with pytest.raises(PlayError, match="is over before"):
        play().expect(UDP, after=2, within=1)
    with pytest.raises(LabError, match="is not a span of time"):
        play().sleep("soon")


# silence


def test_silence_is_proven_to_its_last_nanosecond() -> None:
    t = play((1000, udp(b"x")))
    t.silence(0.999_999_999)
    with parted("silence", r"nothing should leave for 0.000000001 s: at 1 s the host sent it") as caught:
        t.silence("1ns")
    assert "UDP" in caught.value.fields[0].actual


def test_what_nobody_asked_for_is_no_silence() -> None:
    t = play((1, udp(b"x")))
    t.sleep(1)
    with parted("silence", "at 0.001 s"):
        t.silence(1)


def test_silence_where_time_is_real_leaves_room_for_what_comes_after_it() -> None:
    t = play((990, udp(b"x")), name="kernel")
    t.silence(1)
    t.expect(UDP, at=1)


def test_the_end_is_quiet_for_a_while() -> None:
    play((101, udp(b"x"))).quiet()
    with parted("silence", "the end should be quiet"):
        play((100, udp(b"x"))).quiet()


# what is sent


def test_packets_of_every_kind_are_sent_as_bytes() -> None:
    t = play()
    t.send(t.IP() / UDP())
    t.send(b"nonsense")
    inet = pytest.importorskip("scapy.layers.inet", reason="Scapy is not installed")
    t.send(inet.IP(src="192.168.0.2", dst="192.168.0.1") / inet.UDP(sport=53, dport=53))
    assert t.target.got[0] == bytes(IP(src="192.168.0.2", dst="192.168.0.1") / UDP())
    assert t.target.got[1:] == [b"nonsense", t.target.got[0]]


def test_what_is_no_packet_of_this_link_is_told() -> None:
    with pytest.raises(PlayError, match="expected a packet"):
        play().send(5)
    with pytest.raises(PlayError, match=r'say @scenario\(link="ether"\)'):
        play().send(Ether() / IP())


def test_the_header_of_the_family_goes_from_the_peer_to_the_host() -> None:
    four, six = play().IP(ttl=3, tos=4), play(ip="ipv6").IP(ttl=3, tos=4)
    assert (four.src, four.dst, four.ttl, four.tos) == ("192.168.0.2", "192.168.0.1", 3, 4)
    assert (six.src, six.dst, six.hlim, six.tc) == ("fd3d:a0b:17d6::2", "fd3d:a0b:17d6::1", 3, 4)
    assert type(play(ip="ipv4-mapped-ipv6").IP()) is IP


@pytest.mark.parametrize(
    ("dst", "mac"),
    [
        ("192.168.0.1", "02:00:00:00:00:01"),
        ("224.0.0.251", "01:00:5e:00:00:fb"),
        ("255.255.255.255", "ff:ff:ff:ff:ff:ff"),
        ("ff02::1:ff00:1", "33:33:ff:00:00:01"),
    ],
)
def test_on_ethernet_a_bare_packet_gets_the_header_of_its_destination(dst: str, mac: str) -> None:
    t = play(link="ether")
    packet = IPv6(src="fd3d:a0b:17d6::2", dst=dst) if ":" in dst else IP(src="192.168.0.2", dst=dst)
    t.send(packet / UDP())
    sent = Ether(t.target.got[0])
    assert (sent.dst, sent.src, sent.type) == (mac, "02:00:00:00:00:02", 0x86DD if ":" in dst else 0x0800)
    assert bytes(sent.payload) == bytes(packet / UDP())


# neighbours


def test_the_peer_answers_arp_and_the_scenario_does_not_see_it() -> None:
    request = ARP(op=1, hwsrc="02:00:00:00:00:01", psrc="192.168.0.1", pdst="192.168.0.2")
    t = play((1, frame(request)), (2, frame(IP() / UDP())), link="ether")
    t.expect(UDP)
    answer = Ether(t.target.got[0])
    assert (answer.dst, answer[ARP].op, answer[ARP].hwsrc) == ("02:00:00:00:00:01", 2, "02:00:00:00:00:02")
    assert (answer[ARP].psrc, answer[ARP].pdst) == ("192.168.0.2", "192.168.0.1")


def test_the_peer_answers_solicitations() -> None:
    asked = IPv6(src="fd3d:a0b:17d6::1", dst="ff02::1:ff00:2") / ICMPv6ND_NS(tgt="fd3d:a0b:17d6::2")
    t = play((1, frame(asked)), link="ether", ip="ipv6")
    t.quiet()
    told = Ether(t.target.got[0])
    assert (told[IPv6].dst, told[IPv6].hlim) == ("fd3d:a0b:17d6::1", 255)
    assert (told[ICMPv6ND_NA].S, told[TargetMac].lladdr) == (1, "02:00:00:00:00:02")


def test_the_answer_is_for_every_address_that_the_scenario_sent_from() -> None:
    request = ARP(op=1, psrc="192.168.0.1", pdst="192.168.0.77")
    t = play((1, frame(request)), link="ether")
    t.send(Ether(src="02:00:00:00:00:77") / IP(src="192.168.0.77", dst="192.168.0.1") / UDP())
    t.quiet()
    assert Ether(t.target.got[1])[ARP].hwsrc == "02:00:00:00:00:77"


def test_who_asks_for_a_stranger_is_seen_and_what_is_said_unasked_is_not() -> None:
    request = ARP(op=1, psrc="192.168.0.1", pdst="192.168.0.99")
    t = play((1, frame(IPv6() / ICMPv6MLReport())), (2, frame(request)), link="ether")
    t.expect(ARP(pdst="192.168.0.99"))
    t.quiet()


def test_a_scenario_that_plays_the_neighbours_sees_all_and_answers_itself() -> None:
    t = Play(Toy((1, frame(ARP(op=1, pdst="192.168.0.2"))), link="ether"), "ipv4", neighbours=False)
    t.expect(ARP(op=1))
    assert t.target.got == []
