# SPDX-License-Identifier: GPL-2.0-or-later
"""Checksums with pseudo-headers: over whatever is below, and left to a device (virtio 1.2 §5.1.6.2)."""

import pytest

from layers import IP, TCP, UDP, Ether, IPOption_LSRR, IPv6, IPv6ExtHdrDestOpt, Padding, Raw, partial
from layers.checksum import checksum, ones_sum, pseudo4, pseudo6
from layers.packet import Header


@pytest.mark.parametrize("size", [0, 1, 2, 99, 1400])
@pytest.mark.parametrize("upper", [UDP(), TCP()])
def test_packets_verify(upper: Header, size: int) -> None:
    data = bytes(IP(src="10.0.0.1", dst="10.0.0.2") / upper / Raw(load=b"\xa5" * size))
    proto = data[9]
    assert checksum(data[:20]) == 0
    assert checksum(data[20:], pseudo4(data[12:16], data[16:20], proto, len(data) - 20)) == 0
    data = bytes(IPv6(src="::1", dst="::2") / upper / Raw(load=b"\xa5" * size))
    assert checksum(data[40:], pseudo6(data[8:24], data[24:40], proto, len(data) - 40)) == 0


def test_udp_never_sends_a_checksum_of_zero() -> None:
    packet = IP(src="0.0.0.0", dst="0.0.0.0") / UDP(sport=0, dport=0)
    seed = ones_sum(bytes(packet)[20:26], 17 + 8)
    packet[UDP].sport = 0xFFFF - seed
    assert UDP(bytes(packet)[20:]).chksum == 0xFFFF


def test_without_ip_below_the_checksum_is_zero() -> None:
    assert UDP(bytes(UDP())).chksum == 0
    assert TCP(bytes(Ether() / TCP())[14:]).chksum == 0


def test_source_route_decides_the_destination() -> None:
    direct = IP(src="10.0.0.1", dst="10.0.0.9") / UDP()
    routed = IP(src="10.0.0.1", dst="10.0.0.2", options=[IPOption_LSRR(routers=["10.0.0.5", "10.0.0.9"])]) / UDP()
    assert IP(bytes(direct))[UDP].chksum == IP(bytes(routed))[UDP].chksum


@pytest.mark.parametrize(
    ("packet", "where"),
    [
        (Ether() / IP() / TCP() / b"odd", (34, 16)),
        (IP() / UDP() / b"data", (20, 6)),
        (Ether() / IPv6() / IPv6ExtHdrDestOpt() / TCP() / b"x", (62, 16)),
        (Ether() / IP() / UDP() / b"data" / Padding(load=b"pads"), (34, 6)),
    ],
)
def test_a_device_completes_a_partial_checksum(packet: Header, where: tuple[int, int]) -> None:
    data, found = partial(packet)
    assert found == where
    start, offset = where
    padding = 4 if Padding in packet else 0
    full = 0xFFFF - ones_sum(data[start : len(data) - padding])
    done = data[: start + offset] + full.to_bytes(2, "big") + data[start + offset + 2 :]
    assert done == bytes(packet)


def test_nothing_is_left_where_nothing_is_to_be_summed() -> None:
    packet = IP() / UDP(chksum=7)
    assert partial(packet) == (bytes(packet), None)
