# SPDX-License-Identifier: GPL-2.0-or-later
"""virtio_net_hdr both ways."""

import struct

import pytest

from labstack.core.frame import Frame
from labstack.live import vnet
from layers.virtio import F_DATA_VALID, F_NEEDS_CSUM, GSO_ECN, GSO_TCPV4, GSO_TCPV6

ETHER4 = bytes(12) + b"\x08\x00"
ETHER6 = bytes(12) + b"\x86\xdd"


def tcp_frame(v6: bool, flags: int = 0x10, gso: int | None = 1000, payload: int = 3000) -> Frame:
    network = (b"\x60" + bytes(39)) if v6 else (b"\x45" + bytes(19))
    tcp = struct.pack("!HHIIBBHHH", 1, 2, 3, 4, 8 << 4, flags, 0, 0, 0) + bytes(12)
    head = (ETHER6 if v6 else ETHER4) + network + tcp
    return Frame(head, (bytes(payload),), gso, (14 + len(network), 16))


@pytest.mark.parametrize("v6", [False, True])
@pytest.mark.parametrize("flags", [0x10, 0x90])
def test_a_tcp_super_segment_says_family_headers_and_size(v6: bool, flags: int) -> None:
    """virtio 1.2 §5.1.6.2: gso_type by IP version, ECN beside it with CWR; hdr_len covers the TCP options."""
    frame = tcp_frame(v6, flags)
    kind = (GSO_TCPV6 if v6 else GSO_TCPV4) | (GSO_ECN if flags & 0x80 else 0)
    at = 54 if v6 else 34
    assert vnet.header(frame) == struct.pack("=BBHHHH", 1, kind, at + 32, 1000, at, 16)


def test_the_headers_of_a_forwarded_frame_begin_at_its_start() -> None:
    """Frame.start: what a device put before the link header does not count."""
    frame = tcp_frame(False)
    moved = Frame(b"\xff" * 10 + frame.head, frame.body, frame.gso, frame.csum, start=10)
    assert vnet.header(moved) == vnet.header(frame)


def test_a_udp_super_datagram_is_segmented_as_udp() -> None:
    """virtio 1.2 §5.1.6.2: VIRTIO_NET_HDR_GSO_UDP_L4."""
    frame = Frame(ETHER4 + b"\x45" + bytes(19 + 8), (bytes(3000),), 1000, (34, 6))
    assert vnet.header(frame) == struct.pack("=BBHHHH", 1, 5, 42, 1000, 34, 6)


def test_a_partial_checksum_alone_needs_only_its_place() -> None:
    assert vnet.header(Frame(ETHER4 + bytes(28), (), None, (34, 6))) == struct.pack("=BBHHHH", 1, 0, 0, 0, 34, 6)


def test_a_complete_frame_has_an_empty_header() -> None:
    assert vnet.header(Frame(ETHER4)) == bytes(10)


@pytest.mark.parametrize(
    ("flags", "sure", "csum"), [(0, False, None), (F_DATA_VALID, True, None), (F_NEEDS_CSUM, True, (34, 16))]
)
def test_what_the_kernel_vouches_for_or_left_unfinished_is_sure(
    flags: int, sure: bool, csum: tuple[int, int] | None
) -> None:
    """virtio 1.2 §5.1.6.4: NEEDS_CSUM and DATA_VALID frames need no verification."""
    frame = vnet.parse(struct.pack("=BBHHHH", flags, 0, 0, 0, 34, 16) + ETHER4)
    assert (frame.sure, frame.csum, frame.gso, frame.start, bytes(frame.head[10:])) == (sure, csum, None, 10, ETHER4)


@pytest.mark.parametrize("v6", [False, True])
def test_what_was_written_is_what_is_read(v6: bool) -> None:
    frame = tcp_frame(v6)
    again = vnet.parse(b"".join((vnet.header(frame), frame.head, *frame.body)))
    assert (again.gso, again.csum) == (frame.gso, frame.csum)
    assert again.cuts() == frame.cuts()
    assert len(again.cuts()) == 3
