# SPDX-License-Identifier: GPL-2.0-or-later
"""What a host sends against what a script expects: nothing too strict, nothing overlooked, and packets in pieces."""

from typing import Any

import pytest
from drawn import HOST4, HOST6, PEER4, PEER6, U16, U32, flow, known, option_lists, view
from hypothesis import assume, given
from hypothesis import strategies as st

from labstack.packetdrill.script import Icmp, Ip, Option, Packet, Quote, Tcp, Udp
from labstack.scenario.calls import Calls
from labstack.scenario.packets import tcpopt
from labstack.scenario.packets.flow import Flow
from labstack.scenario.packets.match import Pieces, belongs, why
from labstack.scenario.packets.segments import build
from labstack.scenario.verdict import Field
from layers import ICMP, IP, TCP, UDP, ICMPv6EchoReply, ICMPv6ND_NA, IPerror, IPOption_NOP, IPv6, Raw, UDPerror
from layers.tcp import REST

NOP = Option("nop")
BITS = {"F": 1, "S": 2, "R": 4, "P": 8, ".": 16, "U": 32, "E": 64, "W": 128, "A": 256}


def sent(version: int = 4, size: int = 0, options: tuple[Option, ...] = (), ip: Any = None, **tcp: Any) -> bytes:
    """A segment of the host as bytes; fields under layers' names."""
    fields: dict[str, Any] = {"sport": 8080, "dport": 40000, "window": 1000, "flags": 16, **tcp}
    if "options" not in fields:
        fields["options"] = [(REST, tcpopt.encode(options))]
    outer: Any = IP(src=HOST4, dst=PEER4) if version == 4 else IPv6(src=HOST6, dst=PEER6)
    for name, value in (ip or {}).items():
        setattr(outer, name, value)
    return bytes(outer / TCP(**fields) / Raw(load=bytes(size)))


def expect(
    flags: str, seq: int, size: int, ack: int | None = None, *more: Any, ip: Ip | None = None, **named: Any
) -> Packet:
    return Packet(False, Tcp(flags, seq, size, ack, *more, **named), ip or Ip())


def compare(expected: Packet, data: bytes, flow: Flow, slack_us: float = 0) -> tuple[Field, ...] | None:
    """None if one packet is what is expected, else all fields side by side; as Pieces.rows."""
    pieces = Pieces(expected, flow, strict=True)
    pieces.take(data)
    rows = pieces.rows(slack_us)
    return rows if any(row.differs for row in rows) else None


def wrong(expected: Packet, data: bytes, where: Flow | None = None, slack_us: float = 0) -> list[str]:
    """The names of the fields that differ."""
    return [row.name for row in compare(expected, data, where or flow(), slack_us) or () if row.differs]


# nothing is too strict, nothing is overlooked


@st.composite
def segments(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "size": draw(st.integers(0, 1400)), "options": draw(option_lists()), "seq": draw(U32), "ack": draw(U32),
        "flags": draw(st.integers(0, 511)), "window": draw(U16), "urgptr": draw(U16),
    }  # fmt: skip


@pytest.mark.parametrize("version", [4, 6])
@given(data=st.data())
def test_a_segment_never_differs_from_its_own_description(version: int, data: st.DataObject) -> None:
    where, fields = data.draw(known(version)), data.draw(segments())
    packet = sent(version, **fields)
    described = view(packet, where)
    assert isinstance(described, Packet)
    assert compare(described, packet, where, 0) is None


CHANGES: list[tuple[str, Any]] = [
    ("flags", lambda f: f | {"flags": f["flags"] ^ 2 ** (f["seq"] % 9)}),
    ("seq", lambda f: f | {"seq": (f["seq"] + 1) % 2**32}),
    ("seq", lambda f: f | {"size": f["size"] + 1}),
    ("ack", lambda f: f | {"ack": f["ack"] ^ 1}),
    ("win", lambda f: f | {"window": f["window"] ^ 256}),
    ("urg", lambda f: f | {"urgptr": f["urgptr"] ^ 1}),
    ("reserved bits", lambda f: f | {"reserved": 2}),
    ("tcp checksum", lambda f: f | {"chksum": 0x1234}),
    ("option 1", lambda f: f | {"options": (NOP, NOP, NOP, NOP)}),
]


@pytest.mark.parametrize(("name", "change"), CHANGES)
@given(fields=segments())
def test_a_change_of_a_single_field_is_always_found(name: str, change: Any, fields: dict[str, Any]) -> None:
    where = flow(local_isn=1000, remote_isn=2000)
    fields["flags"] &= ~2  # a SYN would be the first one, from which numbers are counted
    described = view(sent(**fields), where)
    assert isinstance(described, Packet)
    fields["flags"] &= ~2
    other = change(fields)
    assume(sent(**other) != sent(**fields))
    assert name in wrong(described, sent(**other), where)


@given(fields=segments(), at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_no_bit_of_a_segment_can_flip_unseen(fields: dict[str, Any], at: int, bit: int) -> None:
    """Every bit is covered by a checksum, so one that flips on its own always shows; the script gives every field."""
    where = flow(local_isn=1000, remote_isn=2000)
    fields["flags"] &= ~2
    packet = bytearray(sent(**fields))
    described = view(bytes(packet), where)
    assert isinstance(described, Packet)
    packet[at % len(packet)] ^= 1 << bit
    if belongs(bytes(packet), described._replace(ports=(8080, 40000)), where):
        assert wrong(described, bytes(packet), where)


@pytest.mark.parametrize("version", [4, 6])
def test_what_our_stack_sends_is_what_its_description_expects(version: int) -> None:
    calls, where = Calls(), flow(version)
    host = "192.168.0.1" if version == 4 else "fd3d:a0b:17d6::1"
    fd = calls.socket(2 if version == 4 else 10, 1).result  # type: ignore[union-attr]
    calls.bind(fd, (host, 8080))
    calls.listen(fd, 1)
    seen = []

    def heard() -> None:
        for packet in calls.packets():
            described = view(packet.data, where)
            assert isinstance(described, Packet)
            assert belongs(packet.data, described, where)
            assert compare(described, packet.data, where) is None
            seen.append(described.body)

    for body in (
        Tcp("S", 7, 0, None, 1000),
        Tcp(".", 1, 0, 1, 1000),
        Tcp("P.", 1, 10, 1, 1000),
        Tcp("R", 11, 0, None, 0),
    ):
        calls.inject(build(Packet(True, body), where))
        calls.advance(calls.now + 5 * 10**8)
        heard()
    calls.inject(build(Packet(True, Tcp("P.", 11, 10, 1, 1000)), where))
    heard()
    assert [(body.flags, body.seq, body.ack) for body in seen] == [("S.", 0, 8), (".", 1, 11), ("R", 1, 0)]


# what is given is compared, what is not is not


def test_what_a_script_leaves_out_is_not_compared() -> None:
    data = sent(seq=1, ack=1, window=77, ip={"ttl": 9, "tos": 0xB9})
    rows = Pieces(expected := expect(".", 1, 0, 1), flow())
    rows.take(data)
    loose = {row.name: row.actual for row in rows.rows() if row.expected == "*"}
    assert loose == {"win": "77", "ecn": "ect1", "tos": "0xb9", "ttl": "9"}
    assert compare(expected, data, flow()) is None


def test_no_options_are_expected_where_none_are_written() -> None:
    data = sent(seq=1, ack=1, options=(NOP,) * 4)
    assert wrong(expect(".", 1, 0, 1), data) == ["option 1", "option 2", "option 3", "option 4"]
    assert wrong(expect(".", 1, 0, 1, options=None), data) == []


def test_options_are_compared_one_by_one_in_their_order() -> None:
    syn = (Option("mss", (1460,)), Option("sackOK"), NOP, NOP)
    data = sent(flags=2, options=syn)
    assert wrong(expect("S", 0, 0, options=syn), data) == []
    assert wrong(expect("S", 0, 0, options=(syn[0], NOP, NOP, syn[1])), data) == ["option 2", "option 4"]
    assert wrong(expect("S", 0, 0, options=(Option("mss", (1461,)), *syn[1:])), data) == ["option 1"]
    assert wrong(expect("S", 0, 0, options=syn[:1]), data) == ["option 2", "option 3", "option 4"]


def test_an_ack_that_is_left_out_is_0() -> None:
    assert wrong(expect("R", 1, 0), sent(flags=4, seq=1)) == []
    assert wrong(expect("R", 1, 0), sent(flags=4, seq=1, ack=5)) == ["ack"]


def test_the_window_is_the_raw_field() -> None:
    """RFC 7323 §2: the scale is the business of who reads it."""
    assert wrong(expect(".", 1, 0, 1, 1000), sent(seq=1, ack=1)) == []
    assert wrong(expect(".", 1, 0, 1, 1001), sent(seq=1, ack=1)) == ["win"]


def test_the_urgent_pointer_is_0_unless_written() -> None:
    data = sent(flags=16 | 32, seq=1, ack=1, urgptr=3)
    assert wrong(expect(".U", 1, 0, 1, None, 3), data) == []
    assert wrong(expect(".U", 1, 0, 1), data) == ["urg"]


@pytest.mark.parametrize(("digit", "flags"), [(0, 16), (1, 16 | 64), (5, 16 | 64 | 256), (7, 16 | 64 | 128 | 256)])
def test_the_ace_digit_stands_for_three_flags(digit: int, flags: int) -> None:
    """RFC 9768 §3.2.1"""
    assert wrong(expect(".", 1, 0, 1, ace=digit), sent(seq=1, ack=1, flags=flags)) == []
    assert wrong(expect(".", 1, 0, 1, ace=digit ^ 2), sent(seq=1, ack=1, flags=flags)) == ["flags"]
    assert wrong(expect(".", 1, 0, 1, ace=digit), sent(seq=1, ack=1, flags=flags | 8)) == ["flags"]


@pytest.mark.parametrize(
    ("mark", "tos"), [("noecn", 0), ("ect1", 1), ("ect0", 2), ("ce", 3), ("ect01", 1), ("ect01", 2)]
)
@pytest.mark.parametrize("version", [4, 6])
def test_a_mark_is_compared_without_the_rest_of_tos(mark: str, tos: int, version: int) -> None:
    """RFC 3168 §5"""
    name, where = ("tos" if version == 4 else "tc"), flow(version)
    asked = expect(".", 1, 0, 1, ip=Ip(mark))
    assert wrong(asked, sent(version, seq=1, ack=1, ip={name: 0xB8 | tos}), where) == []
    assert wrong(asked, sent(version, seq=1, ack=1, ip={name: 3 - tos if tos in (0, 3) else 0}), where) == ["ecn"]


@pytest.mark.parametrize("version", [4, 6])
def test_tos_and_ttl_are_compared_where_written(version: int) -> None:
    tos, ttl = ("tos", "ttl") if version == 4 else ("tc", "hlim")
    data = sent(version, seq=1, ack=1, ip={tos: 0xB9, ttl: 64})
    assert wrong(expect(".", 1, 0, 1, ip=Ip(None, 0xB9, 64)), data, flow(version)) == []
    assert wrong(expect(".", 1, 0, 1, ip=Ip(None, 0xB8, 63)), data, flow(version)) == ["tos", "ttl"]


def test_a_flow_label_is_a_name() -> None:
    """RFC 6437: equal in the script, equal on the wire, and the other way round."""
    where = flow(6)

    def label(name: int, live: int) -> list[str]:
        return wrong(expect(".", 1, 0, 1, ip=Ip(flowlabel=name)), sent(6, seq=1, ack=1, ip={"fl": live}), where)

    assert label(1, 0xAAAAA) == []
    assert label(1, 0xAAAAA) == []
    assert label(1, 0xBBBBB) == ["flow label"]
    assert label(2, 0xAAAAA) == ["flow label"]
    assert label(3, 0xBBBBB) == []
    assert label(4, 0xBBBBB) == ["flow label"]


def test_a_flow_label_is_not_found_in_ipv4() -> None:
    assert wrong(expect(".", 1, 0, 1, ip=Ip(flowlabel=1)), sent(seq=1, ack=1)) == ["flow label"]


def test_ports_are_those_of_the_flow_unless_written() -> None:
    data = sent(seq=1, ack=1, sport=7, dport=9)
    assert wrong(expect(".", 1, 0, 1), data) == ["ports"]
    assert wrong(expect(".", 1, 0, 1)._replace(ports=(7, 9)), data) == []


def test_a_wrong_header_checksum_shows() -> None:
    assert wrong(expect(".", 1, 0, 1), sent(seq=1, ack=1, ip={"chksum": 1})) == ["ip checksum"]


def test_ip_options_and_fragments_and_wrong_lengths_show() -> None:
    assert wrong(expect(".", 1, 0, 1), sent(seq=1, ack=1, ip={"flags": 1})) == ["fragment"]
    options = [IPOption_NOP()] * 4
    assert wrong(expect(".", 1, 0, 1), sent(seq=1, ack=1, ip={"options": options})) == ["ip header length"]
    assert wrong(expect(".", 1, 0, 1), sent(seq=1, ack=1, ip={"len": 99})) == ["ip length"]


def test_payload_that_is_not_zero_shows() -> None:
    data = bytearray(sent(seq=1, ack=1, size=10))
    data[45] = 0x41
    fixed = IP(bytes(data))
    fixed[TCP].chksum = None
    rows = compare(expect(".", 1, 10, 1), bytes(fixed), flow())
    assert rows is not None
    assert why(rows) == "payload: expected zeros, got 4100000000 at byte 5"


# numbers and timestamps


def test_our_initial_number_is_learned_from_our_first_syn() -> None:
    where = flow(remote_isn=100)
    asked = expect("S.", 10, 0, 101)
    assert compare(asked, sent(flags=18, seq=0xFFFFFFFF, ack=101), where) is None
    assert (where.local_isn, where.script_isn) == (0xFFFFFFFF, 10)
    assert compare(expect(".", 1, 3, 1), sent(seq=0, ack=101, size=3), where) is None
    assert wrong(asked, sent(flags=18, seq=7, ack=101), where) == ["seq"]  # a retransmission has the same number


def test_a_later_syn_that_is_answered_by_a_syn_ack_begins_a_new_connection() -> None:
    """RFC 9293 §3.6.1: TIME-WAIT may end with a new SYN; until that is answered, the old numbers hold"""
    where = flow(remote_isn=100, local_isn=1000)
    build(Packet(True, Tcp("S", 5000, 0, None, 100)), where)
    assert compare(expect(".", 1, 0, 2), sent(seq=1001, ack=102), where) is None
    assert compare(expect("S.", 0, 0, 5001), sent(flags=18, seq=777, ack=5001), where) is None
    assert (where.local_isn, where.script_isn, where.remote_isn) == (777, 0, 5000)
    assert wrong(expect("S.", 0, 0, 5001), sent(flags=18, seq=778, ack=5001), where) == ["seq"]


def test_sack_blocks_are_shifted_like_the_ack() -> None:
    """RFC 2018 §3"""
    sack = (NOP, NOP, Option("sack", (1101, 1201)))
    data = sent(seq=1, ack=101, options=sack)
    assert (
        compare(expect(".", 1, 0, 1, options=(NOP, NOP, Option("sack", (1001, 1101)))), data, flow(remote_isn=100))
        is None
    )


def test_the_port_of_a_socket_that_connects_is_learned_from_its_syn() -> None:
    where = Flow(HOST4, 0, PEER4, 40000)
    data = sent(flags=2, sport=33333)
    assert belongs(data, expect("S", 0, 0), where)
    assert compare(expect("S", 0, 0), data, where) is None
    assert where.local_port == 33333


def stamp(val: int, ecr: int = 0) -> tuple[Option, ...]:
    return NOP, NOP, Option("TS", (val, ecr))


def test_timestamps_are_not_compared_without_a_tick_but_remembered() -> None:
    """RFC 7323 §3.2"""
    where = flow()
    assert (
        compare(expect(".", 1, 0, 1, options=stamp(100, 5)), sent(seq=1, ack=1, options=stamp(777, 6)), where) is None
    )
    assert (
        compare(expect(".", 1, 0, 1, options=stamp(200, 5)), sent(seq=1, ack=1, options=stamp(778, 6)), where) is None
    )
    assert (where.stamps, where.first) == ({100: 777, 200: 778}, (100, 777))


@pytest.mark.parametrize(
    ("live", "slack_us", "good"), [(1010, 0, True), (1011, 0, False), (1011, 999, False), (1009, 1000, True)]
)
def test_with_a_tick_the_distance_from_the_first_timestamp_counts(live: int, slack_us: int, good: bool) -> None:
    where = flow(tick_us=1000)
    where.stamped(100, 1000)
    found = wrong(expect(".", 1, 0, 1, options=stamp(110)), sent(seq=1, ack=1, options=stamp(live)), where, slack_us)
    assert found == ([] if good else ["option 3"])


def test_timestamps_wrap() -> None:
    where = flow(tick_us=1000)
    where.stamped(0xFFFFFFF0, 5)
    assert compare(expect(".", 1, 0, 1, options=stamp(16)), sent(seq=1, ack=1, options=stamp(37)), where) is None


# other protocols


def test_a_datagram_is_compared_by_ports_size_and_zeros() -> None:
    data = bytes(IP(src=HOST4, dst=PEER4) / UDP(sport=8080, dport=40000) / Raw(load=bytes(5)))
    assert compare(Packet(False, Udp(5)), data, flow()) is None
    assert wrong(Packet(False, Udp(6)), data) == ["length"]
    assert wrong(Packet(False, Udp(5), ports=(1, 2)), data) == ["ports"]
    unsummed = IP(data)
    unsummed[UDP].chksum = 0
    assert compare(Packet(False, Udp(5)), bytes(unsummed), flow()) is None
    unsummed[UDP].chksum = 5
    assert wrong(Packet(False, Udp(5)), bytes(unsummed)) == ["udp checksum"]


def unreachable(code: int = 3) -> bytes:
    quoted = IPerror(src=PEER4, dst=HOST4) / UDPerror(sport=40000, dport=8080) / Raw(load=bytes(12))
    return bytes(IP(src=HOST4, dst=PEER4) / ICMP(type=3, code=code) / quoted)


def test_of_icmp_type_and_code_are_compared() -> None:
    assert compare(Packet(False, Icmp("unreachable", "port_unreachable")), unreachable(), flow()) is None
    assert compare(Packet(False, Icmp(3, 3)), unreachable(), flow()) is None
    assert wrong(Packet(False, Icmp("unreachable", "host_unreachable")), unreachable()) == ["code"]
    assert wrong(Packet(False, Icmp("time_exceeded")), unreachable()) == ["type", "code"]


def test_of_icmp_the_quote_the_mtu_and_the_id_are_compared_where_written() -> None:
    asked = Icmp("unreachable", "port_unreachable", quote=Quote("udp", 0, 12))
    assert compare(Packet(False, asked), unreachable(), flow()) is None
    assert wrong(Packet(False, asked._replace(quote=Quote("udp", 0, 13))), unreachable()) == ["quote"]
    echo = bytes(IPv6(src=HOST6, dst=PEER6) / ICMPv6EchoReply(id=7, data=b"x"))
    assert compare(Packet(False, Icmp("echo_reply")), echo, flow(6)) is None
    assert compare(Packet(False, Icmp("echo_reply", ident=7)), echo, flow(6)) is None
    assert wrong(Packet(False, Icmp("echo_reply", ident=8)), echo, flow(6)) == ["id"]
    assert wrong(Packet(False, Icmp("unreachable", "frag_needed", 800)), unreachable(4)) == ["mtu"]


def test_another_protocol_is_one_row() -> None:
    assert wrong(Packet(False, Udp(0)), sent()) == ["protocol"]
    assert wrong(expect(".", 1, 0, 1), unreachable()) == ["protocol"]
    assert wrong(expect(".", 1, 0, 1), bytes(IP(src=HOST4, dst=PEER4, proto=132) / Raw(load=bytes(9)))) == ["protocol"]


@pytest.mark.parametrize("data", [b"", b"\x45", b"\x00" * 40, bytes(IP(proto=6) / Raw(load=bytes(8)))])
def test_what_cannot_be_read_is_one_row(data: bytes) -> None:
    assert wrong(expect(".", 1, 0, 1), data) == ["packet"]
    assert not belongs(data, expect(".", 1, 0, 1), flow())


# which packets belong to the flow


def test_packets_of_other_addresses_ports_and_protocols_do_not_belong() -> None:
    asked = expect(".", 1, 0, 1)
    assert belongs(sent(), asked, flow())
    assert not belongs(sent(sport=8081), asked, flow())
    assert not belongs(sent(ip={"dst": "192.0.2.9"}), asked, flow())
    assert not belongs(unreachable(), asked, flow())
    assert not belongs(sent(), Packet(False, Udp(0)), flow())
    assert belongs(unreachable(), Packet(False, Icmp("unreachable")), flow())
    assert not belongs(sent(), Packet(False, Icmp("unreachable")), flow())


def test_ports_that_are_written_choose_other_packets() -> None:
    asked = expect("R.", 0, 0, 1)._replace(ports=(8081, 40000))
    assert belongs(sent(sport=8081), asked, flow())
    assert not belongs(sent(), asked, flow())


def test_only_a_syn_may_come_from_an_unknown_port() -> None:
    where = Flow(HOST4, 0, PEER4, 40000)
    assert not belongs(sent(flags=16), expect("S", 0, 0), where)
    assert not belongs(sent(flags=18), expect("S", 0, 0), where)
    assert not belongs(sent(flags=2, dport=9), expect("S", 0, 0), where)


def test_neighbour_discovery_is_no_icmp_of_a_script() -> None:
    data = bytes(IPv6(src=HOST6, dst=PEER6) / ICMPv6ND_NA(tgt="fe80::1"))
    assert not belongs(data, Packet(False, Icmp("echo_reply")), flow(6))


# pieces


def glue(asked: Packet, *packets: bytes, strict: bool = False) -> tuple[list[str], int]:
    """What differs, and how many packets it took to see that."""
    pieces, left = Pieces(asked, flow(), strict), list(packets)
    while pieces.wants and left:
        pieces.take(left.pop(0))
    return [row.name for row in pieces.rows() if row.differs], len(packets) - len(left)


def piece(seq: int, size: int, flags: int = 16, **more: Any) -> bytes:
    return sent(seq=seq, size=size, ack=1, flags=flags, **more)


WHOLE = expect("P.", 1, 3500, 1)
CUT = [piece(1, 1000), piece(1001, 1000), piece(2001, 1000), piece(3001, 500, 24)]


def test_equal_pieces_make_up_what_is_expected() -> None:
    assert glue(WHOLE, *CUT, piece(9, 9)) == ([], 4)


def test_one_packet_of_the_whole_size_will_do_too() -> None:
    assert glue(WHOLE, piece(1, 3500, 24)) == ([], 1)


def test_strict_segments_are_not_glued() -> None:
    assert glue(WHOLE, *CUT, strict=True) == (["flags", "seq"], 1)


def test_too_many_bytes_fail() -> None:
    assert glue(expect("P.", 1, 3400, 1), *CUT) == (["seq"], 4)
    assert glue(expect("P.", 1, 900, 1), *CUT) == (["flags", "seq"], 1)


def test_all_but_the_last_piece_have_one_size() -> None:
    found = glue(WHOLE, piece(1, 1000), piece(1001, 900), piece(1901, 1600, 24))
    assert found == (["length of piece 2"], 3)


def test_the_last_piece_has_the_flags() -> None:
    assert glue(WHOLE, *CUT[:3], piece(3001, 500, 16)) == (["flags"], 4)
    assert glue(expect("FP.", 1, 3500, 1), *CUT[:3], piece(3001, 500, 25)) == ([], 4)
    assert glue(WHOLE, piece(1, 1000, 24), *CUT[1:]) == ([], 4)


def test_the_first_piece_has_the_cwr() -> None:
    """RFC 3168 §6.1.2"""
    assert glue(expect("P.W", 1, 3500, 1), piece(1, 1000, 16 | 128), *CUT[1:]) == ([], 4)
    assert glue(expect("P.W", 1, 3500, 1), *CUT[:3], piece(3001, 500, 24 | 128)) == (["flags"], 4)


@pytest.mark.parametrize(
    ("second", "says"),
    [
        (piece(2001, 1000), "seq of piece 2"),
        (piece(1001, 1000, window=5), "win of piece 2"),
        (piece(1001, 1000, options=(NOP,) * 4), "options of piece 2"),
        (piece(1001, 1000, ip={"ttl": 5}), "ttl of piece 2"),
        (piece(1001, 1000, ip={"tos": 2}), "tos of piece 2"),
        (piece(1001, 1000, 16 | 64), "flags of piece 2"),
        (piece(1001, 1000, urgptr=3), "urg of piece 2"),
        (sent(seq=1001, size=1000, ack=2), "ack of piece 2"),
    ],
)
def test_a_piece_has_the_headers_of_the_one_before_it_and_goes_on_where_that_ended(second: bytes, says: str) -> None:
    found, took = glue(WHOLE, CUT[0], second, *CUT[2:])
    assert says in found
    assert took == 2


def test_a_packet_that_cannot_begin_what_is_expected_is_judged_at_once() -> None:
    assert glue(WHOLE, piece(2, 1000), *CUT[1:])[1] == 1
    assert glue(WHOLE, sent(seq=1, ack=7, size=1000), *CUT[1:])[1] == 1
    assert glue(WHOLE, sent(seq=1, ack=1), *CUT)[1] == 1


def test_pieces_that_wrap_are_glued() -> None:
    where = flow(local_isn=0xFFFFFF00)
    pieces = Pieces(expect("P.", 1, 2000, 1), where)
    pieces.take(piece(0xFFFFFF01, 1000))
    pieces.take(piece(0xFFFFFF01 + 1000 - 2**32, 1000, 24))
    assert not any(row.differs for row in pieces.rows())


def test_a_bad_checksum_of_any_piece_shows() -> None:
    assert glue(WHOLE, CUT[0], piece(1001, 1000, chksum=1), *CUT[2:]) == (["tcp checksum"], 2)


def test_the_rows_of_too_few_pieces_tell_how_much_came() -> None:
    pieces = Pieces(WHOLE, flow())
    pieces.take(CUT[0])
    assert pieces.wants
    assert why(pieces.rows()) == "flags: expected P., got .; seq: expected 1:3501(3500), got 1:1001(1000)"


def test_what_is_wrong_with_the_first_piece_is_told_without_what_is_still_to_come() -> None:
    assert glue(WHOLE, sent(seq=1, ack=7, size=1000), *CUT[1:]) == (["ack"], 1)
    assert glue(WHOLE, sent(seq=1, ack=7), *CUT) == (["flags", "seq", "ack"], 1)


# for people


def test_rows_read_as_the_script_does() -> None:
    syn = (Option("mss", (1460,)), Option("sackOK"), Option("TS", (100, 0)), NOP, Option("wscale", (8,)))
    rows = compare(
        expect("S.", 0, 0, 1, options=(*syn[:4], Option("wscale", (7,)))),
        sent(flags=18, seq=4444, ack=1, options=syn), flow(remote_isn=0),
    )  # fmt: skip
    assert rows is not None
    table = {row.name: (row.expected, row.actual) for row in rows}
    assert table["flags"] == ("S.", "S.")
    assert table["seq"] == ("0:0(0)", "0:0(0)")
    assert table["ports"] == ("8080>40000", "8080>40000")
    assert table["option 1"] == ("mss 1460", "mss 1460")
    assert table["option 5"] == ("wscale 7", "wscale 8")
    assert why(rows) == "option 5: expected wscale 7, got wscale 8"
    assert why(()) == ""
