# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets as users handle them: stacking, looking, changing, comparing; Scapy's habits."""

import copy
import pickle
import subprocess
import sys

import pytest

from layers import (
    ARP,
    IGMP,
    IP,
    LLC,
    NOTHING,
    TCP,
    UDP,
    Dot1Q,
    Ether,
    ICMPv6NDOptMTU,
    IPOption_Router_Alert,
    IPv6,
    NoPayload,
    Padding,
    Raw,
    ls,
    virtio_net_hdr,
)  # fmt: skip


def test_importing_layers_imports_neither_scapy_nor_anything_of_ours() -> None:
    code = "import sys, layers; print(sorted({m.split('.')[0] for m in sys.modules}))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for name in ("scapy", "IPython", "labstack", "ipaddress", "dataclasses", "socket", "asyncio"):
        assert f"'{name}'" not in found


def test_stacking_copies_both_sides() -> None:
    ether, ip, tcp = Ether(), IP(), TCP()
    base = ether / ip
    first, second = base / tcp, base / UDP()
    tcp.dport = 1
    first[IP].ttl = 2
    assert (first[TCP].dport, second[IP].ttl, base.payload.payload, ether.payload) == (80, 64, NOTHING, NOTHING)
    assert [layer.__class__ for layer in second.layers()] == [Ether, IP, UDP]


def test_bytes_and_text_become_raw_on_either_side() -> None:
    assert (b"a" / Raw(load=b"b") / "c").summary() == "Raw / Raw / Raw"
    assert bytes("a" / UDP() / bytearray(b"b"))[:1] == b"a"
    with pytest.raises(TypeError):
        UDP() / 3


def test_type_and_protocol_follow_the_layer_above_unless_set() -> None:
    assert Ether().type == 0x9000
    assert (Ether() / IP()).type == 0x0800
    assert (Ether() / ARP()).type == 0x0806
    assert (Ether(type=5) / IP()).type == 5
    assert (IP() / TCP()).proto == 6
    assert (IP(proto=99) / TCP()).proto == 99
    assert (Ether() / Dot1Q() / IPv6() / UDP())[IPv6].nh == 17


def test_igmp_asks_ip_for_ttl_precedence_alert_and_group() -> None:
    packet = IP() / IGMP(type=0x16, gaddr="239.1.2.3")
    assert (packet.ttl, packet.tos, packet.proto, packet.dst) == (1, 0xC0, 2, "239.1.2.3")
    assert packet.options == [IPOption_Router_Alert()]
    assert (IP(ttl=9, dst="10.0.0.1") / IGMP()).dst == "10.0.0.1"


def test_layers_are_found_by_class_name_and_number() -> None:
    packet = Ether() / IP(dst="10.0.0.1") / IP(dst="10.0.0.2") / TCP()
    assert TCP in packet
    assert "TCP" in packet
    assert UDP not in packet
    assert packet[IP].dst == "10.0.0.1"
    assert packet[IP:2].dst == "10.0.0.2"
    assert packet.getlayer(IP, 2).dst == "10.0.0.2"
    assert packet.getlayer(3) is packet[TCP]
    assert packet.getlayer(UDP) is None
    assert packet.lastlayer() is packet[TCP]
    with pytest.raises(IndexError, match="UDP"):
        packet[UDP]


def test_fields_of_headers_above_are_read_and_written_through() -> None:
    frame = Ether() / IP() / TCP(dport=443)
    assert frame.dport == 443
    frame.dport = 8443
    assert frame[TCP].dport == 8443
    with pytest.raises(AttributeError, match="no field 'lladdr'"):
        _ = frame.lladdr
    with pytest.raises(AttributeError):
        _ = frame.misspelt
    with pytest.raises(AttributeError):
        frame.misspelt = 1


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(TypeError, match="sprt"):
        TCP(sprt=1)


def test_deleted_fields_go_back_to_their_defaults() -> None:
    frame = Ether(bytes(Ether() / IP() / UDP(dport=9) / b"x"))
    frame[IP].ttl = 3
    wrong = bytes(frame)
    del frame[IP].chksum
    del frame[UDP].dport
    assert bytes(frame) != wrong
    assert frame[IP].chksum is None
    assert Ether(bytes(frame))[UDP].dport == 53


def test_addresses_are_text_outside_and_packed_inside() -> None:
    packet = IP(src="192.0.2.1", dst=bytes((192, 0, 2, 2)))
    assert (packet.src, packet.dst, packet.src_packed) == ("192.0.2.1", "192.0.2.2", bytes((192, 0, 2, 1)))
    packet.dst = "192.0.2.3"
    packet.src_packed = bytes(4)
    assert (packet.dst_packed, packet.src) == (bytes((192, 0, 2, 3)), "0.0.0.0")
    for wrong in ("192.0.2", b"abc"):
        with pytest.raises(ValueError, match="not an IPv4 address"):
            IP(src=wrong)


def test_names_of_values_may_be_written() -> None:
    assert ARP(op="is-at").op == 2
    assert TCP(flags="SA").flags == 0x12
    assert IP(flags="DF", proto="udp").proto == 17
    assert IP(flags="MF+DF").flags == 3
    packet = TCP()
    packet.flags = "F"  # type: ignore[assignment]
    assert TCP(bytes(packet)).flags == 1
    with pytest.raises(ValueError, match="flags='X'"):
        TCP(flags="X")


def test_flags_are_numbers_that_know_the_letters_of_their_bits_as_scapys() -> None:
    packet = IP(bytes(IP(flags="DF") / TCP(flags="SA")))
    flags = packet[TCP].flags
    assert [flags == it for it in ("SA", "AS", 0x12, "S", "")] == [True, True, True, False, False]
    assert [flags.S, flags.SA, flags.F, "S" in flags, "F" in flags] == [True, True, False, True, False]
    assert [flags & "S", flags & "F", flags & 2, flags | "P"] == [2, 0, 2, "PSA"]
    assert (str(flags), repr(flags), f"{flags:d}", {flags: 1}[0x12]) == ("SA", "<Flag 18 (SA)>", "18", 1)
    assert (packet.flags, packet.flags.DF, packet.flags.MF, str(IP(flags=3).flags)) == ("DF", True, False, "MF+DF")
    assert pickle.loads(pickle.dumps(flags)) == "SA"
    with pytest.raises(ValueError, match="'X' is no flag"):
        assert flags == "X"
    with pytest.raises(AttributeError, match="'X' is no flag"):
        assert flags.X
    packet[TCP].flags = TCP(flags="R").flags
    packet[TCP].flags |= "A"
    assert type(packet[TCP].flags_bits) is int
    assert IP(bytes(packet))[TCP].flags == "RA"
    del packet[TCP].flags
    assert IP(bytes(packet))[TCP].flags == "S"


@pytest.mark.parametrize(
    ("packet", "word"), [(TCP(sport=70000), "sport"), (IP(ttl=-1), "ttl"), (UDP(sport="x"), "sport")]
)
def test_values_that_do_not_fit_are_named(packet: TCP, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        bytes(packet)


def test_a_packet_too_long_for_its_length_field_says_so() -> None:
    with pytest.raises(ValueError, match="IP: a value or a computed length does not fit"):
        bytes(IP() / Raw(load=bytes(70000)))
    assert len(bytes(IP(len=0) / Raw(load=bytes(70000)))) == 70020


def test_nonsense_is_built_as_it_is_written() -> None:
    packet = IP(version=15, ihl=1, len=1, chksum=1, proto=6) / TCP(dataofs=1, chksum=2, reserved=7)
    data = bytes(packet)
    assert data[0] == 0xF1
    assert data[2:4] == b"\0\1"
    assert data[32] >> 4 == 1


def test_what_cannot_be_read_stays_raw_with_a_reason() -> None:
    short = Ether(b"abc")
    assert (short.drop, bytes(short), short[Raw].load) == ("ether-short", b"abc", b"abc")
    cut = Ether(bytes(Ether() / IP())[:30])
    assert (cut.drop, cut.payload.__class__) == ("ip-short", Raw)
    assert Ether.parse(b"abc") == "ether-short"
    assert IP.parse(bytes((0x44,)) + bytes(30)) == "ip-ihl"
    assert Ether(bytes(Ether() / IP() / UDP())).drop is None


def test_lengths_end_packets_and_the_rest_is_padding() -> None:
    frame = Ether(bytes(Ether() / IP() / UDP() / b"data") + bytes(6))
    assert frame[Raw].load == b"data"
    assert frame[Padding].load == bytes(6)
    frame[UDP].chksum = frame[UDP].len = frame[IP].len = None
    assert Ether(bytes(frame))[UDP].len == 12
    arp = Ether(bytes(Ether() / ARP()) + bytes(18))
    assert arp[Padding].load == bytes(18)
    tagged = Ether(bytes(Ether() / Dot1Q(type=3) / LLC() / b"rest"))
    assert tagged[Padding].load == b"rest"


def test_comparison_is_by_value() -> None:
    assert IP(dst="10.0.0.1") / UDP() == IP(dst="10.0.0.1") / UDP()
    assert IP() / UDP() != IP()
    assert IP() != UDP()
    assert IP() != b"x"


def test_copies_by_every_way_are_equal() -> None:
    packet = Ether() / IP(options=[IPOption_Router_Alert()]) / TCP(options=[("MSS", 1460)]) / b"x"
    packet.time = 3.5
    for other in (packet.copy(), copy.deepcopy(packet), copy.copy(packet), pickle.loads(pickle.dumps(packet))):
        assert other == packet
        assert other.time == 3.5
        assert other.lastlayer().payload is NOTHING


def test_views_name_what_matters(capsys: pytest.CaptureFixture[str]) -> None:
    packet = Ether() / IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=1, dport=2, flags="SA", options=[("MSS", 9)])
    assert packet.summary() == "Ether / IP / TCP 10.0.0.1:1 > 10.0.0.2:2 SA"
    assert repr(packet[TCP]) == "<TCP sport=1 dport=2 flags=SA options=[('MSS', 9)] |>"
    assert packet.show() is None
    assert "  flags     = SA" in capsys.readouterr().out
    packet.show2()
    assert "chksum    = None" not in capsys.readouterr().out
    packet.hexdump()
    assert capsys.readouterr().out.startswith("0000  ff ff ff ff ff ff 00 00")
    assert Ether(b"abc").show(dump=True).endswith("(not all could be read: ether-short)")  # type: ignore[union-attr]


def test_a_header_lists_its_table() -> None:
    text = ls(IP, dump=True) or ""
    assert "  ttl             8  64" in text
    assert "  chksum         16  computed" in text
    assert "  dst            32  127.0.0.1 = 10.0.0.1" in (ls(IP(dst="10.0.0.1"), dump=True) or "")
    assert all(ls(cls, dump=True) for cls in (TCP, ARP, virtio_net_hdr))


def test_a_type_that_is_a_length_means_llc() -> None:
    frame = Ether(bytes(Ether(type=5) / LLC(dsap=1) / b"ab") + b"pad")
    assert frame[LLC].dsap == 1
    assert frame[Raw].load == b"ab"
    assert frame[Padding].load == b"pad"


def test_nothing_follows_the_last_header() -> None:
    end = TCP().payload
    assert isinstance(end, NoPayload)
    assert not end
    assert bytes(end) == b""
    assert len(TCP()) == 20
    assert TCP()


def test_a_virtio_header_comes_before_the_frame() -> None:
    data = bytes(virtio_net_hdr(flags=1, csum_start=34, csum_offset=16) / Ether() / IP() / TCP())
    assert data[:10] == bytes((1, 0, 0, 0, 0, 0, 34, 0, 16, 0))
    assert virtio_net_hdr(data)[TCP].dport == 80


def test_options_stack_as_layers() -> None:
    assert (ICMPv6NDOptMTU() / ICMPv6NDOptMTU(mtu=9)).payload.mtu == 9


def test_given_tells_what_was_set_from_defaults_even_where_they_are_equal() -> None:
    packet = IP(src="127.0.0.1") / TCP(dport=80, seq=0, options=[])
    assert packet.given() == {"src": "127.0.0.1"}
    assert packet[TCP].given() == {"dport": 80, "seq": 0}
    assert packet.copy()[TCP].given() == {"dport": 80, "seq": 0}
    packet[TCP].window = 8192
    del packet[TCP].dport
    assert TCP().given() == {}
    assert packet[TCP]._healed().given() == {"seq": 0, "window": 8192}


def test_given_has_all_that_was_read() -> None:
    read = IP(bytes(IP() / UDP()))
    assert set(read[UDP].given()) == {"sport", "dport", "len", "chksum"}


def test_a_condition_may_stand_for_a_value_until_the_packet_is_built() -> None:
    def even(value: int) -> bool:
        return value % 2 == 0

    pattern = IP(src={"192.0.2.1"}, dst=even) / TCP(window=range(3))
    assert pattern.given() == {"src": {"192.0.2.1"}, "dst": even}
    with pytest.raises(ValueError, match="window=range"):
        bytes(pattern)
    with pytest.raises(ValueError, match="src=5: expected an address"):
        IP(src=5)
