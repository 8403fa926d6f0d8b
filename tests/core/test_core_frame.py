# SPDX-License-Identifier: GPL-2.0-or-later
"""A super-segment's cuts are the frames that Scapy builds for each segment by itself, byte for byte."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw
from scapy.utils import checksum as scapy_checksum

from labstack.core.frame import Frame
from layers.checksum import checksum, ones_sum

LINK = bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02", type=0x800))
ADDRESSES: dict[Any, dict[str, str]] = {
    IP: {"src": "10.0.0.1", "dst": "10.0.0.2"},
    IPv6: {"src": "fd00::1", "dst": "fd00::2"},
}


def packet(network: Any, transport: Any, payload: bytes, ident: int = 0) -> bytes:
    extra = {"id": ident} if network is IP else {}
    return bytes(network(**ADDRESSES[network], **extra) / transport / Raw(payload))


def pseudo(raw: bytes, at: int, protocol: int, start: int = 0) -> int:
    """The sum of the pseudo-header, which a partial checksum field holds."""
    addresses = raw[start + 12 : start + 20] if at == 20 else raw[start + 8 : start + 40]
    return ones_sum(addresses + protocol.to_bytes(2, "big") + (len(raw) - start - at).to_bytes(2, "big"))


def partial(raw: bytes, at: int, offset: int, gso: int | None, hlen: int, link: bytes = LINK, cut: int = 0) -> Frame:
    """raw (from the IP header on) as a sender with offload leaves it, its payload in pieces split at `cut`."""
    total = pseudo(raw, at, 6 if offset == 16 else 17)
    head = bytearray(link + raw[: at + hlen])
    head[len(link) + at + offset : len(link) + at + offset + 2] = total.to_bytes(2, "big")
    body = raw[at + hlen :]
    pieces = (memoryview(body)[:cut], body[cut:])
    return Frame(bytes(head), pieces, gso, (len(link) + at, offset), net=len(link))


@pytest.mark.parametrize("network", [IP, IPv6])
@settings(max_examples=60, deadline=None)
@given(
    payload=st.binary(min_size=1, max_size=700),
    size=st.integers(1, 300),
    seq=st.integers(0, 2**32 - 1),
    ident=st.integers(0, 0xFFFF),
    flags=st.sampled_from(["A", "PA", "FPA", "FA", "CA", "CEPA", "EFA"]),
    options=st.sampled_from([[], [("Timestamp", (1, 2)), ("NOP", None), ("NOP", None)]]),
    cut=st.integers(0, 700),
)
def test_tcp_cuts_are_the_segments_scapy_builds(
    network: Any, payload: bytes, size: int, seq: int, ident: int, flags: str, options: Any, cut: int
) -> None:
    """RFC 9293 §3.7.1: cwr on the first only (RFC 3168 §6.1.2), fin and psh on the last only."""

    def segment(pos: int, first: bool, last: bool) -> Any:
        keep = {f for f in flags if (f != "C" or first) and (f not in "FP" or last)}
        return TCP(sport=1, dport=2, seq=(seq + pos) % 2**32, ack=9, flags="".join(keep), window=77, options=options)

    whole = packet(network, segment(0, True, True), payload, ident)
    at, hlen = (20 if network is IP else 40), 20 + (12 if options else 0)
    starts = range(0, len(payload), size)
    headers = [segment(pos, pos == 0, pos + size >= len(payload)) for pos in starts]
    expected = [
        LINK + packet(network, header, payload[pos : pos + size], (ident + i) & 0xFFFF)
        for i, (pos, header) in enumerate(zip(starts, headers, strict=True))
    ]
    assert equal(partial(whole, at, 16, size, hlen, cut=cut).cuts(), expected, 14 + at + 16)


@pytest.mark.parametrize("network", [IP, IPv6])
@settings(max_examples=40, deadline=None)
@given(payload=st.binary(min_size=1, max_size=700), size=st.integers(1, 300), ident=st.integers(0, 0xFFFF))
def test_udp_cuts_are_the_datagrams_scapy_builds(network: Any, payload: bytes, size: int, ident: int) -> None:
    whole = packet(network, UDP(sport=1, dport=2), payload, ident)
    expected = [
        LINK + packet(network, UDP(sport=1, dport=2), payload[p : p + size], (ident + i) & 0xFFFF)
        for i, p in enumerate(range(0, len(payload), size))
    ]
    assert equal(partial(whole, 20 if network is IP else 40, 6, size, 8).cuts(), expected, 0)


def equal(ours: list[bytes], theirs: list[bytes], field: int) -> bool:
    """Byte for byte; but a TCP checksum of 0 is written 0xffff, as Linux does (skb_checksum_help)."""
    end = field + 2
    assert ours == [t[:field] + b"\xff\xff" + t[end:] if field and t[field:end] == b"\0\0" else t for t in theirs]
    return True


@pytest.mark.parametrize("network", [IP, IPv6])
@pytest.mark.parametrize("size", [0, 1, 2, 99, 100, 1459, 65_000])
def test_a_partial_checksum_is_completed_for_every_length(network: Any, size: int) -> None:
    """RFC 1071: odd lengths count with a zero byte behind them."""
    payload = bytes(i * 7 & 0xFF for i in range(size))
    at = 20 if network is IP else 40
    for transport, offset, hlen in ((TCP(sport=1, dport=2), 16, 20), (UDP(sport=1, dport=2), 6, 8)):
        raw = packet(network, transport, payload)
        assert partial(raw, at, offset, None, hlen).cuts() == [LINK + raw]
        assert partial(raw, at, offset, None, hlen, link=b"").cuts() == [raw]


def test_a_udp_checksum_that_comes_to_zero_is_sent_as_ones() -> None:
    """RFC 768: an all zero checksum means that none was computed."""
    raw = bytearray(packet(IP, UDP(sport=0, dport=0), b"\0\0"))
    rest = 0xFFFF - ones_sum(raw[20:26] + raw[28:], pseudo(bytes(raw), 20, 17))
    raw[28:30] = rest.to_bytes(2, "big")
    assert partial(bytes(raw), 20, 6, None, 8).cuts()[0][14 + 26 : 14 + 28] == b"\xff\xff"


def test_every_cut_has_a_right_ip_checksum() -> None:
    whole = packet(IP, TCP(sport=1, dport=2), b"x" * 5000, ident=0xFFFE)
    cuts = partial(whole, 20, 16, 1448, 20).cuts()
    assert [len(c) - 54 for c in cuts] == [1448, 1448, 1448, 656]
    assert [int.from_bytes(c[18:20], "big") for c in cuts] == [0xFFFE, 0xFFFF, 0, 1]
    assert all(checksum(c[14:34]) == scapy_checksum(c[14:34]) == 0 for c in cuts)


def test_what_stands_before_the_link_header_is_not_part_of_the_frame() -> None:
    raw = packet(IP, TCP(sport=1, dport=2), b"abc")
    frame = Frame(b"vnet header!" + LINK + raw, start=12)
    assert frame.cuts() == [LINK + raw]
    assert len(frame) == len(LINK + raw)
    assert frame == Frame(LINK + raw)


def test_frames_are_equal_if_the_same_bytes_arrive() -> None:
    raw = packet(IP, TCP(sport=1, dport=2), b"abc")
    offloaded = partial(raw, 20, 16, None, 20, cut=1)
    assert offloaded == Frame(LINK + raw)
    assert offloaded.flat() == offloaded
    assert offloaded.flat().body == ()
    assert offloaded != Frame(LINK + raw + b"!")
    assert hash(Frame(b"a")) == hash(Frame(b"a"))
    assert repr(offloaded) == f"<Frame {len(LINK + raw)} bytes csum=partial>"


@given(raw=st.binary(max_size=60), at=st.integers(0, 70), offset=st.integers(0, 70))
def test_a_checksum_outside_of_the_frame_changes_nothing(raw: bytes, at: int, offset: int) -> None:
    (out,) = Frame(raw, csum=(at, offset)).cuts()
    assert len(out) == len(raw)
    if at + offset + 2 > len(raw):
        assert out == raw
