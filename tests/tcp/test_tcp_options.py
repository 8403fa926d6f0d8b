# SPDX-License-Identifier: GPL-2.0-or-later
"""Options, headers and checksums: what we say, what we understand, and what may come instead."""

import errno
from collections.abc import Callable

import pytest
from tcp_script import Script, pattern

from labstack.core.counters import drops
from layers import IP, TCP, IPOption_NOP

Tcp = Callable[..., Script]


@pytest.mark.parametrize(("family", "default"), [(4, 536), (6, 1220)])
def test_without_an_mss_option_the_default_holds(tcp: Tcp, family: int, default: int) -> None:
    """RFC 9293 §3.7.1, MUST-15."""
    s = tcp(family=family).passive(mss=None)
    s.call("send", s.sock, bytes(default))
    assert s.tx().size == default
    assert s.call("status", s.sock)["mss"] == default


@pytest.mark.parametrize(
    ("theirs", "mtu", "expected"),
    [
        (1460, 1500, 1460),
        (9000, 1500, 1460),
        (65535, 9000, 8960),
        (100, 1500, 100),
        (47, 1500, 48),
        (1, 1500, 48),
        (1460, 576, 536),
        (1460, 68, 28),
        (10, 68, 28),
    ],
)
def test_segments_fit_the_peer_and_our_link(tcp: Tcp, theirs: int, mtu: int, expected: int) -> None:
    """RFC 9293 §3.7.1, MUST-16; tcp_min_snd_mss: CVE-2019-11479 has a floor, but never above the link."""
    s = tcp(mtu=mtu).passive(mss=theirs)
    s.call("send", s.sock, pattern(0, 3 * expected))
    assert [seg.size for seg in s.burst()] == [expected] * 3


def test_our_mss_is_on_syns_alone_and_fits_the_link(tcp: Tcp) -> None:
    """RFC 9293 §3.7.1, MUST-14, MUST-65, MUST-67, SHLD-5."""
    s = tcp(mtu=1280)
    s.connect()
    assert s.tx("S").mss == 1240
    s.rx("SA", mss=1460)
    assert s.tx("A").options == []


@pytest.mark.parametrize(
    "raw",
    [
        bytes((1, 1, 1, 8)),  # kills a well-known stack
        bytes((2,)) + bytes(3),
        bytes((2, 0, 1, 1)),
        bytes((2, 1, 1, 1)),
        bytes((2, 255, 5, 180)),
        bytes((2, 3, 5, 0)),
        bytes((3, 2, 1, 1)),
        bytes((3, 4, 1, 1)),
        bytes((3, 3, 255, 0)),
        bytes((8, 10, 0, 0)),
        bytes((253, 4, 1, 2)),
        bytes((253, 0, 1, 2)),
        bytes((4, 2, 4, 2)),
        bytes((5, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1)),
        bytes((30, 40)) + bytes(38),
        b"\xff" * 40,
        b"\x01" * 40,
        bytes(40),
        bytes(range(40)),
    ],
)
@pytest.mark.parametrize("family", [4, 6])
def test_a_syn_with_odd_options_is_answered(tcp: Tcp, family: int, raw: bytes) -> None:
    """RFC 9293 §3.1, MUST-4, MUST-6, MUST-7; hostile-inputs row 35."""
    s = tcp(family=family)
    s.listen()
    s.rx("S", options=[("Rest", raw)])
    s.tx("SA", ack=1)
    s.rx("PA", data=b"fine", options=[("Rest", raw)])
    s.accept()
    assert s.call("recv", s.sock) == b"fine"
    assert s.soon().ack == 5


def test_options_are_read_at_any_place_and_the_last_mss_counts(tcp: Tcp) -> None:
    """RFC 9293 §3.1, MUST-5, MUST-64."""
    s = tcp()
    s.listen()
    s.rx("S", options=[("NOP", None), ("MSS", 900), ("NOP", None), ("NOP", None), ("MSS", 800)])
    s.tx("SA")
    assert s.stack.conns[2].snd.mss == 800


def test_options_behind_the_end_are_not_options(tcp: Tcp) -> None:
    """RFC 9293 §3.1: End of Option List."""
    s = tcp()
    s.listen()
    s.rx("S", options=[("Rest", bytes((0, 2, 4, 1, 0, 0, 0, 0)))])
    s.tx("SA")
    assert s.stack.conns[2].snd.mss == 536


def test_an_mss_on_a_later_segment_changes_nothing(tcp: Tcp) -> None:
    """RFC 9293 §3.7.1: MSS belongs to SYNs."""
    s = tcp().passive(mss=1000)
    s.rx("A", mss=200)
    assert s.conn.snd.mss == 1000


# ---- window scale ---------------------------------------------------------------------------------------------------


def test_scaling_when_both_offer_it(tcp: Tcp) -> None:
    """RFC 7323 §2.2, §2.3: the windows in SYNs themselves are not scaled."""
    s = tcp()
    s.listen(options={"rcvbuf": 1_000_000})
    s.rx("S", win=1000, mss=1460, ws=7)
    s.tx("SA", ws=4, win=65535)
    assert s.stack.conns[2].snd.wnd == 1000
    s.rx("A", win=1000)
    s.accept()
    assert s.conn.snd.wnd == 128_000
    s.call("send", s.sock, b"x")
    assert s.tx("PA").win == 998_640 >> 4


def test_no_scaling_when_the_peer_does_not_offer_it(tcp: Tcp) -> None:
    """RFC 7323 §2.2: then neither side scales."""
    s = tcp()
    s.listen(options={"rcvbuf": 1_000_000})
    s.rx("S", mss=1460)
    assert s.tx("SA").ws is None
    s.rx("A", win=1000)
    s.accept()
    s.call("send", s.sock, b"x")
    assert s.tx("PA").win == 65535
    assert s.call("status", s.sock)["wscale"] == (0, 0)


def test_we_do_not_scale_when_told_so(tcp: Tcp) -> None:
    """tcp_window_scaling = 0."""
    s = tcp(sysctl={"net.ipv4.tcp_window_scaling": 0})
    s.connect()
    assert s.tx("S").ws is None
    s.rx("SA", ws=5, win=100)
    s.tx("A")
    s.pshift = 0
    s.rx("A", win=100)
    assert s.conn.snd.wnd == 100


def test_a_scale_above_14_is_14(tcp: Tcp) -> None:
    """RFC 7323 §2.3."""
    s = tcp().passive(ws=15, win=2)
    s.rx("A", win=2)
    assert s.conn.snd.wnd == 2 << 14


def test_a_retransmitted_syn_still_offers_the_same(tcp: Tcp) -> None:
    """RFC 7323 §2.2."""
    s = tcp()
    s.connect()
    first = s.tx("S")
    again = s.tx("S", after=1000)
    assert (again.seq, again.mss, again.ws, again.win) == (first.seq, first.mss, first.ws, first.win)


@pytest.mark.parametrize(
    ("rcvbuf", "shift"), [(1152, 0), (65_535, 0), (65_536, 1), (131_072, 2), (1 << 20, 5), (1 << 30, 14)]
)
def test_the_scale_is_the_smallest_that_covers_the_buffer(tcp: Tcp, rcvbuf: int, shift: int) -> None:
    """RFC 7323 §2.3; REC-1."""
    s = tcp()
    s.connect(rcvbuf=rcvbuf)
    assert s.tx("S").ws == shift


@pytest.mark.parametrize(("most", "shift"), [(6_291_456, 7), (15_728_640, 8), (33_554_432, 10), (4096, 7)])
def test_the_scale_of_a_buffer_that_nobody_chose_is_for_the_greatest_there_may_be(
    tcp: Tcp, most: int, shift: int
) -> None:
    """RFC 7323 §2.3; Linux's tcp_select_initial_window: of tcp_rmem's maximum and rmem_max, which is 4 MiB."""
    s = tcp(sysctl={"net.ipv4.tcp_rmem.max": most})
    s.connect()
    assert s.tx("S").ws == shift


def test_a_buffer_set_later_leaves_the_scale_alone_even_if_the_peers_isn_is_zero(tcp: Tcp) -> None:
    """RFC 7323 §2.2: the scale is settled by the SYNs."""
    s = tcp(irs=0).passive(ws=2)
    s.call("setopt", s.sock, "rcvbuf", 1 << 20)
    assert s.call("status", s.sock)["wscale"] == (2, 7)
    s.call("send", s.sock, b"x")
    assert s.tx().win << 7 == 64_256  # nor does the window leap


# ---- the header -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [4, 6])
def test_a_wrong_checksum_is_no_segment(tcp: Tcp, family: int) -> None:
    """RFC 9293 §3.1, MUST-3: dropped, no answer, counted, in every state."""
    s = tcp(family=family).passive()
    for at in range(20 if family == 4 else 40, 70, 3):
        raw = bytearray(s.packet("PA", data=bytes(30)))
        raw[at + (at in (32, 52))] ^= 0x10  # not the data offset, which is judged before
        s.frame(bytes(raw))
    n = s.count("TcpInCsumErrors")
    assert drops(s.stack.env.count) == {"drop.tcp.csum": n}
    assert n == s.count("TcpInErrs") > 9
    assert s.conn.rcv.queued == 0


@pytest.mark.parametrize(
    ("size", "offset", "reason"),
    [(0, 5, "short"), (1, 5, "short"), (19, 5, "short"), (20, 4, "dataofs"), (20, 0, "dataofs"), (20, 15, "dataofs")],
)
def test_a_header_that_cannot_be_is_dropped(tcp: Tcp, size: int, offset: int, reason: str) -> None:
    """RFC 9293 §3.1; hostile-inputs row 36."""
    s = tcp()
    body = (bytes(12) + bytes((offset << 4, 2)) + bytes(6))[:size]
    s.frame(bytes(IP(src=s.peer, dst=s.us, proto=6) / body))
    assert drops(s.stack.env.count) == {f"drop.tcp.{reason}": 1}
    assert s.count("TcpInErrs") == 1


def test_reserved_bits_change_nothing_nor_do_ecn_flags_where_it_is_off(tcp: Tcp) -> None:
    """RFC 9293 §3.1: must be ignored by those that do not implement them."""
    s = tcp(sysctl={"net.ipv4.tcp_ecn": 0})
    s.listen()
    tcp_header = TCP(sport=4000, dport=80, seq=s.irs, flags=2 | 0x1C0, reserved=7, window=5000, options=[("MSS", 700)])
    s.frame(bytes(s.ip() / tcp_header))
    seg = s.tx("SA", ack=1)
    assert seg.raw[32] & 0x0F == 0


def test_ip_options_are_ignored(tcp: Tcp) -> None:
    """RFC 9293 §3.9.2, MUST-50."""
    s = tcp()
    s.listen()
    head = TCP(sport=4000, dport=80, seq=s.irs, flags=2, window=5000)
    s.frame(bytes(IP(src=s.peer, dst=s.us, proto=6, options=[IPOption_NOP()] * 4) / head))
    s.tx("SA", ack=1)


@pytest.mark.parametrize(("ttl", "tos"), [(1, 0), (255, 0xB8), (33, 4)])
def test_ttl_and_dscp_of_a_connection(tcp: Tcp, ttl: int, tos: int) -> None:
    """RFC 9293 §3.9.1.9, §3.9.2: MUST-48, MUST-49, SHLD-21, SHLD-22."""
    for family in (4, 6):
        s = tcp(family=family)
        s.connect(ttl=ttl, tos=tos)
        raw = s.tx("S").raw
        assert (
            (raw[8], raw[1]) == (ttl, tos)
            if family == 4
            else (raw[7], raw[0] << 8 | raw[1]) == (ttl, 0x6000 | tos << 4)
        )
        s.rx("SA")
        s.tx("A")
        s.call("setopt", s.sock, "ttl", 9)
        s.call("send", s.sock, b"x")
        raw = s.tx("PA").raw
        assert raw[8 if family == 4 else 7] == 9


def test_setopt_says_what_is_possible(tcp: Tcp) -> None:
    """The error names the options, or the range."""
    s = tcp().passive()
    assert "nodelay" in str(s.fails(errno.ENOPROTOOPT, "setopt", s.sock, "colour", 1))
    assert "1..255" in str(s.fails(errno.EINVAL, "setopt", s.sock, "ttl", 0))
    s.fails(errno.EINVAL, "setopt", s.sock, "ttl", "5")
    s.fails(errno.EBADF, "setopt", 99, "ttl", 5)


def test_a_syn_ack_again_after_a_scaled_ack_says_what_16_bits_can(tcp: Tcp) -> None:
    """RFC 7323 §2.2: found by mutated frames."""
    s = tcp()
    s.listen()
    s.rx("S", ws=7)
    s.tx("SA", win=64240)
    s.rx("A", seq=-5)
    assert s.tx("A").win << 7 == 64_256
    s.tx("SA", after=1000, win=64256)
