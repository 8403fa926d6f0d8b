# SPDX-License-Identifier: GPL-2.0-or-later
"""Inbound lines of scripts as packets: what is on the wire, and that it says what the script says."""

import pytest
from drawn import HOST4, PEER4, flow, known, packets, view
from hypothesis import given
from hypothesis import strategies as st

from labstack.packetdrill.script import Icmp, Ip, Option, Packet, Quote, Tcp, Udp
from labstack.scenario.packets import icmpnames
from labstack.scenario.packets.flow import Flow, PacketError
from labstack.scenario.packets.segments import build
from layers import ICMP, IP, TCP, UDP, ICMPv6PacketTooBig, IPerror, IPerror6, IPv6, Raw, TCPerror, UDPerror


def into(
    body: Tcp | Udp | Icmp, where: Flow | None = None, ip: Ip | None = None, ports: tuple[int, int] | None = None
) -> bytes:
    return build(Packet(True, body, ip or Ip(), ports), where or flow())


def options(*written: Option) -> bytes:
    packet = into(Tcp("S", 0, 0, None, 100, None, written))
    return packet[40:]


@pytest.mark.parametrize("version", [4, 6])
@given(data=st.data())
def test_what_is_built_reads_back_as_the_script_said_it(version: int, data: st.DataObject) -> None:
    where = data.draw(known(version))
    packet = data.draw(packets(version))
    assert view(build(packet, where), where, inbound=True) == packet


@pytest.mark.parametrize("version", [4, 6])
@given(data=st.data())
def test_every_packet_carries_good_checksums(version: int, data: st.DataObject) -> None:
    where = data.draw(known(version))
    built = build(data.draw(packets(version)), where)
    again = IP(built) if version == 4 else IPv6(built)
    for layer in list(again.layers())[:2]:  # not those of what is quoted
        for name in {"chksum", "cksum"} & {row.name for row in layer.table}:
            setattr(layer, name, None)
    assert bytes(again) == built


def test_the_defaults_are_ttl_255_tos_0_and_the_ports_of_the_flow() -> None:
    packet = IP(into(Tcp(".", 1, 0, 1, 100)))
    assert (packet.ttl, packet.tos, packet.src_packed, packet.dst_packed) == (255, 0, PEER4, HOST4)
    assert (packet[TCP].sport, packet[TCP].dport) == (40000, 8080)
    assert IPv6(into(Tcp(".", 1, 0, 1, 100), flow(6))).hlim == 255


def test_the_payload_is_zeros() -> None:
    assert IP(into(Tcp("P.", 1, 5, 1, 100)))[Raw].load == bytes(5)
    assert IP(into(Udp(7)))[UDP].payload.load == bytes(7)


@pytest.mark.parametrize(("mark", "bits"), [("noecn", 0), ("ect1", 1), ("ect0", 2), ("ce", 3)])
def test_ecn_marks_are_the_last_bits_of_tos(mark: str, bits: int) -> None:
    """RFC 3168 §5"""
    assert IP(into(Tcp(".", 1, 0, 1, 100), ip=Ip(mark))).tos == bits
    assert IPv6(into(Tcp(".", 1, 0, 1, 100), flow(6), Ip(mark))).tc == bits


def test_tos_ttl_and_flow_label_are_as_written() -> None:
    packet = IPv6(into(Tcp(".", 1, 0, 1, 100), flow(6), Ip(None, 0xB8, 3, 0xABCDE)))
    assert (packet.tc, packet.hlim, packet.fl) == (0xB8, 3, 0xABCDE)


def test_ports_that_are_written_win() -> None:
    packet = IP(into(Tcp(".", 1, 0, 1, 100), ports=(7, 9)))
    assert (packet[TCP].sport, packet[TCP].dport) == (7, 9)


@pytest.mark.parametrize(
    ("letters", "bits"),
    [("", 0), ("F", 1), ("S", 2), ("R", 4), ("P", 8), (".", 16), ("U", 32), ("E", 64), ("W", 128), ("A", 256)],
)
def test_each_flag_is_its_bit(letters: str, bits: int) -> None:
    """RFC 9293 §3.1, RFC 9768 §3.1"""
    assert IP(into(Tcp(letters, 1, 0, 1, 100)))[TCP].flags == bits


@pytest.mark.parametrize(("digit", "bits"), [(0, 0), (1, 64), (2, 128), (4, 256), (5, 320), (7, 448)])
def test_the_ace_digit_is_ae_cwr_ece(digit: int, bits: int) -> None:
    """RFC 9768 §3.2.1"""
    assert IP(into(Tcp(".", 1, 0, 1, 100, ace=digit)))[TCP].flags == 16 | bits


@pytest.mark.parametrize(
    ("option", "data"),
    [
        (Option("mss", (1460,)), "020405b4"),
        (Option("sack", (1, 2)), "050a0000000100000002"),
        (Option("TS", (100, 0)), "080a0000006400000000"),
        (Option("md5", (b"\xab\xcd",)), "1304abcd"),
        (Option("FO"), "2202"),
        (Option("FO", (b"\x01\x02",)), "22040102"),
        (Option("FOEXP"), "fe04f989"),
        (Option("FOEXP", (b"\x01\x02",)), "fe06f9890102"),
        (Option("wscale", (255,)), "0303ff"),
        (Option("sackOK"), "0402"),
        (Option("ECN", ("e0b", 1)), "ac05000001"),
        (Option("ECN", ("e0b", 1, "ceb", 2, "e1b", 3)), "ac0b000001000002000003"),
        (Option("ECN", ("e1b", 3, "ceb", 2, "e0b", 1)), "ae0b000003000002000001"),
    ],
)
def test_each_option_is_laid_out_as_its_rfc_says(option: Option, data: str) -> None:
    """RFC 9293 §3.2, 7323, 2018, 2385, 7413, 6994, 9768"""
    pad = -(len(data) // 2) % 4
    assert options(option, *[Option("nop")] * pad).hex() == data + "01" * pad


def test_options_are_laid_out_exactly_as_written() -> None:
    nop, eol = Option("nop"), Option("eol")
    written = nop, Option("mss", (1460,)), nop, nop, eol, nop, nop, nop, nop
    assert options(*written).hex() == "01020405b401010001010101"


def test_the_peers_initial_number_is_the_one_that_the_script_writes() -> None:
    where = flow()
    assert IP(into(Tcp("S", 123, 0, None, 100), where))[TCP].seq == 123
    assert where.remote_isn == 123
    assert IP(into(Tcp(".", 1, 0, 1, 100), where))[TCP].seq == 124


def test_numbers_of_a_syn_are_absolute_and_others_count_from_the_initial_ones() -> None:
    where = flow(local_isn=5000, script_isn=10)
    answer = IP(into(Tcp("S.", 123, 0, 11, 100), where))[TCP]
    assert (answer.seq, answer.ack) == (123, 5001)
    segment = IP(into(Tcp(".", 1, 0, 1, 100, None, (Option("nop"), Option("nop"), Option("sack", (11, 21)))), where))[
        TCP
    ]
    assert (segment.seq, segment.ack, segment.options[2]) == (124, 5001, ("SAck", (5011, 5021)))


def test_numbers_wrap() -> None:
    where = flow(local_isn=0xFFFFFFFF, remote_isn=0xFFFFFFF0)
    segment = IP(into(Tcp(".", 21, 0, 1, 100), where))[TCP]
    assert (segment.seq, segment.ack) == (5, 0)


def test_a_second_syn_does_not_move_the_initial_number() -> None:
    where = flow()
    into(Tcp("S", 0, 0, None, 100), where)
    into(Tcp("S", 5000, 0, None, 100), where)
    assert where.remote_isn == 0


def test_an_ack_without_the_flag_is_not_shifted() -> None:
    where = flow(local_isn=5000)
    assert IP(into(Tcp("R", 1, 0, None, 0), where))[TCP].ack == 0


def test_an_echoed_timestamp_is_the_live_one() -> None:
    """RFC 7323 §3.2"""
    where = flow()
    where.stamped(100, 777)
    stamp = Option("TS", (5, 100))
    packet = IP(into(Tcp(".", 1, 0, 1, 100, None, (Option("nop"), Option("nop"), stamp)), where))
    assert packet[TCP].options[2] == ("Timestamp", (5, 777))


def test_an_echo_of_what_was_never_sent_is_refused_unless_it_may_be_scaled() -> None:
    where = flow()
    stamp = Option("nop"), Option("nop"), Option("TS", (5, 103))
    where.stamped(100, 777)
    with pytest.raises(PacketError, match="ecr 103 echoes no timestamp"):
        into(Tcp(".", 1, 0, 1, 100, None, stamp), where)
    where.ecr_scaled = True
    assert IP(into(Tcp(".", 1, 0, 1, 100, None, stamp), where))[TCP].options[2] == ("Timestamp", (5, 780))


def test_an_ecr_without_ack_is_as_written() -> None:
    stamp = Option("nop"), Option("nop"), Option("TS", (5, 103))
    assert IP(into(Tcp("S", 0, 0, None, 100, None, stamp)))[TCP].options[2] == ("Timestamp", (5, 103))


@pytest.mark.parametrize("version", [4, 6])
def test_every_type_and_code_that_has_a_name_is_its_number(version: int) -> None:
    for name, kind in icmpnames.TYPES[version].items():
        for number, code in enumerate(icmpnames.CODES.get((version, kind), ())):
            data = into(Icmp(name, code), flow(version))
            assert tuple(data[20 if version == 4 else 40 :][:2]) == (kind, number)
        assert tuple(into(Icmp(name), flow(version))[20 if version == 4 else 40 :][:2]) == (kind, 0)


def test_types_and_codes_may_be_numbers() -> None:
    assert tuple(into(Icmp(77, 5))[20:22]) == (77, 5)


def test_an_icmp_error_quotes_the_segment_with_live_addresses_ports_and_number() -> None:
    """RFC 5927 §4: what a host checks before it believes an error."""
    packet = IP(into(Icmp("unreachable", "frag_needed", mtu=800, quote=Quote("tcp", 1, 1000)), flow(local_isn=5000)))
    assert (packet[ICMP].type, packet[ICMP].code, packet[ICMP].nexthopmtu) == (3, 4, 800)
    quoted = packet[IPerror]
    assert (quoted.src_packed, quoted.dst_packed, quoted.len, quoted.proto) == (HOST4, PEER4, 1040, 6)
    assert (quoted[TCPerror].sport, quoted[TCPerror].dport, quoted[TCPerror].seq) == (8080, 40000, 5001)
    assert len(bytes(packet)) == 20 + 8 + 20 + 8


def test_an_icmp6_error_quotes_the_segment() -> None:
    """RFC 4443 §3.2"""
    body = Icmp("packet_too_big", mtu=1400, quote=Quote("tcp", 1, 1000))
    packet = IPv6(into(body, flow(6, local_isn=5000)))
    assert packet[ICMPv6PacketTooBig].mtu == 1400
    quoted = packet[IPerror6]
    assert (quoted.plen, quoted[TCPerror].sport, quoted[TCPerror].seq) == (1020, 8080, 5001)


def test_an_error_without_a_quote_quotes_tcp_from_the_initial_number_on() -> None:
    packet = IP(into(Icmp("unreachable", "host_unreachable"), flow(local_isn=5000)))
    assert (packet[TCPerror].seq, packet[IPerror].len) == (5000, 40)


def test_a_quoted_datagram_has_the_size_of_the_script() -> None:
    packet = IP(into(Icmp("unreachable", "port_unreachable", quote=Quote("udp", 0, 100))))
    assert (packet[UDPerror].sport, packet[UDPerror].len, packet[IPerror].len) == (8080, 108, 128)


def test_raw_fills_the_message_up_to_its_size() -> None:
    packet = into(Icmp("echo_request", ident=7, quote=Quote("raw", 0, 100)))
    assert (len(packet), IP(packet)[ICMP].id) == (120, 7)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (Tcp(".", 1, 0, 1, None), "no window is for what is expected"),
        (Tcp(".", 1, 0, 1, 100, None, None), "<...> is for what is expected"),
        (
            Tcp("S", 0, 0, None, 1, None, (Option("sackOK"),)),
            "the options sackOK take 2 bytes, expected a multiple of 4",
        ),
        (Tcp("S", 0, 0, None, 1, None, (Option("mss", (1,)),) * 11), "take 44 bytes, expected at most 40"),
        (Tcp("S", 0, 0, None, 1, None, (Option("mss", (1 << 16,)),)), "'mss 65536' cannot be laid out"),
        (Tcp("S", 0, 0, None, 1, None, (Option("ECN", ("ceb", 1)),)), "'ECN ceb 1' cannot be laid out"),
        (Tcp("S", 0, 0, None, 1, None, (Option("huh"),)), "'huh' cannot be laid out"),
        (Tcp(".", 1, 0, 1, 1 << 16), "cannot be laid out as bytes"),
        (Tcp(".", 1, 65535, 1, 100), "it cannot be laid out as bytes: IP"),
        (Icmp("unreachable", "no_route"), "ICMP's unreachable has no code no_route; it has net_unreachable"),
        (Icmp("packet_too_big"), "ICMP has no type packet_too_big; it has echo_reply"),
        (Icmp("time_exceeded", "exceeded_hop_limit"), "has no code exceeded_hop_limit; it has only code_N"),
        (Icmp("unreachable", "host_unreachable", mtu=1), "only frag_needed and packet_too_big carry an mtu"),
        (Icmp("unreachable", ident=1), "only echo_request and echo_reply carry an id"),
    ],
)
def test_what_cannot_be_sent_is_told_in_a_sentence(body: Tcp | Icmp, says: str) -> None:
    with pytest.raises(PacketError) as told:
        into(body)
    assert says in str(told.value)


def test_either_mark_and_labels_of_ipv4_cannot_be_sent() -> None:
    with pytest.raises(PacketError, match="ect01 is either of two"):
        into(Tcp(".", 1, 0, 1, 100), ip=Ip("ect01"))
    with pytest.raises(PacketError, match="IPv4 has no flow label"):
        into(Tcp(".", 1, 0, 1, 100), ip=Ip(flowlabel=1))


def test_a_packet_to_an_unknown_port_is_told() -> None:
    with pytest.raises(PacketError, match="port of the host under test is not known"):
        into(Tcp(".", 1, 0, 1, 100), Flow(HOST4, 0, PEER4, 8080))


def test_nothing_is_learned_from_a_packet_that_cannot_be_sent() -> None:
    where = flow()
    with pytest.raises(PacketError):
        into(Tcp("S", 7, 0, None, 1, None, (Option("sackOK"),)), where)
    assert where.remote_isn is None
