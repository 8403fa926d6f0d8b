# SPDX-License-Identifier: GPL-2.0-or-later
"""Checksums that cover a pseudo-header: the upper-layer protocols over IPv4 and IPv6, whole or left to a device.

Behind a source route or a routing header the destination is the last address (RFC 8200 §8.1, RFC 1122 §4.2.3.8).
Without an IP header below there is nothing to sum: the field is 0, as in Scapy.
"""

from collections.abc import Callable
from typing import Any

from layers.checksum import ones_sum, pseudo4, pseudo6
from layers.field import IP4S
from layers.ip import IP
from layers.ip6 import IPv6
from layers.ipopt import IPOption_LSRR, IPOption_SSRR
from layers.packet import Header, Padding


def upper_sum(proto: int, zero: int = 0) -> Callable[..., bytes]:
    """Return the checksum function of protocol `proto`, which writes a checksum of 0 as `zero`."""

    def function(head: bytes, tail: bytes, chain: list[Any], index: int) -> bytes:
        seed = pseudo(chain, index, proto, len(head) + len(tail))
        if seed is None:
            return b"\0\0"
        return (0xFFFF - ones_sum(head + tail, seed) or zero).to_bytes(2, "big")

    return function


def pseudo(chain: list[Any], index: int, proto: int, length: int) -> int | None:
    """Return the sum of the pseudo-header for the header at `index` of a chain, None if no IP header is below it."""
    final = b""
    for lower in reversed(chain[:index]):
        if isinstance(lower, IP):
            dst = _source_routed(lower) if lower.options else lower.dst_packed
            return pseudo4(lower.src_packed, dst, proto, length)
        if isinstance(lower, IPv6):
            return pseudo6(lower.src_packed, final or lower.dst_packed, proto, length)
        if not hasattr(lower.__class__, "walked"):
            return None
        final = final or lower.final()
    return None


def _source_routed(header: IP) -> bytes:
    """Return the final destination of an IPv4 header with options."""
    for option in header.options:
        if isinstance(option, (IPOption_LSRR, IPOption_SSRR)) and option.routers:
            return IP4S.write(option.routers[-1:])
    return header.dst_packed


def partial(packet: Header) -> tuple[bytes, tuple[int, int] | None]:
    """Return a packet's bytes with the last computed TCP or UDP checksum left to a device, and where it goes.

    The field then holds the sum of the pseudo-header alone; the pair is (where summing starts, where in that the
    checksum is), as virtio wants it; None if there is no such checksum, and the bytes are then complete.
    """
    packet = packet.copy()
    chain: list[Any] = [layer for layer in packet.layers() if not isinstance(layer, Padding)]
    for index in range(len(chain) - 1, -1, -1):
        layer = chain[index]
        if hasattr(layer.__class__, "offload") and layer.chksum is None:
            proto, offset = layer.offload
            lengths = [len(each._emit(b"", chain, i)) for i, each in enumerate(chain)]
            layer.chksum = pseudo(chain, index, proto, sum(lengths[index:]))
            return bytes(packet), (sum(lengths[:index]), offset)
    return bytes(packet), None
