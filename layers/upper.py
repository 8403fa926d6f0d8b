# SPDX-License-Identifier: GPL-2.0-or-later
"""Checksums that cover a pseudo-header: the upper-layer protocols over IPv4 and IPv6, whole or left to a device.

Behind a source route or a routing header the destination is the last address (RFC 8200 §8.1, RFC 1122 §4.2.3.8).
Without an IP header below there is nothing to sum: the field is 0, as in Scapy.
"""

from collections.abc import Callable
from struct import Struct
from typing import Any

from layers.checksum import ones_sum
from layers.field import IP4S
from layers.ip import IP
from layers.ip6 import IPv6
from layers.ipopt import IPOption_LSRR, IPOption_SSRR
from layers.packet import Header, Padding

_WORD = Struct("!H").pack


def upper_sum(proto: int, zero: int = 0) -> Callable[..., bytes]:
    """Return the checksum function of protocol `proto`, which writes a checksum of 0 as `zero`."""

    def function(head: bytes, tail: bytes, under: Any) -> bytes:
        lower = under[0] if under else None
        if lower.__class__ is IP and not lower.options:
            addresses = lower.src_packed + lower.dst_packed
        else:
            addresses = ends(under)
            if not addresses:
                return b"\0\0"
        data = addresses + head + tail
        return _WORD(0xFFFF - ones_sum(data, proto + len(data) - len(addresses)) or zero)

    return function


def ends(under: Any) -> bytes:
    """Return packed source and final destination of the IP header in `under`, nothing if there is none.

    `under` is (the header below, what is under that), as building passes it upwards.
    """
    final = b""
    while isinstance(under, tuple):
        lower, under = under
        if isinstance(lower, IP):
            return lower.src_packed + (_source_routed(lower) if lower.options else lower.dst_packed)
        if isinstance(lower, IPv6):
            return lower.src_packed + (final or lower.dst_packed)
        if not hasattr(lower.__class__, "walked"):
            return b""
        final = final or lower.final()
    return b""


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
    whole, chain = bytes(packet), list(packet.layers())
    under: Any = ()
    found: Any = None
    layer: Any
    for layer in chain:
        if hasattr(layer.__class__, "offload") and layer.chksum is None and ends(under):
            found = layer, under
        under = (layer, under)
    if found is None:
        return whole, None
    layer, under = found
    proto, offset = layer.offload
    length = len(layer._emit([]))
    layer.chksum = ones_sum(ends(under), proto + length)
    padding = sum(len(pad.load) for pad in chain if isinstance(pad, Padding))
    return bytes(packet), (len(whole) - padding - length, offset)
