# SPDX-License-Identifier: GPL-2.0-or-later
"""An IP packet of the wire taken apart, with its sums verified: what `view` names and `match` compares.

Lengths that the headers claim are believed as far as there are bytes; behind them is padding. Extension headers are
not followed: their number is then the protocol.
"""

from typing import Any, NamedTuple

from layers import IP, TCP, UDP, IPv6
from layers.checksum import ones_sum, pseudo4, pseudo6

FIN, SYN, RST, PSH, ACK, URG, CWR = 1, 2, 4, 8, 16, 32, 128
FULL = 0xFFFF
PROTOCOLS = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 58: "icmpv6"}


class Wire(NamedTuple):
    """hlen, length: bytes of the IP header and of the packet as it says; size: bytes that there are
    fragment: it is one; ip_good, good: the IP header's sum and the other one verify
    head: TCP or UDP header; options: TCP's, as bytes; payload: what is behind the header (of ICMP: the message)
    """

    version: int
    src: bytes
    dst: bytes
    proto: int
    hlen: int
    length: int
    size: int
    tos: int
    ttl: int
    label: int
    fragment: bool
    ip_good: bool
    head: Any
    options: bytes
    payload: bytes
    good: bool

    @property
    def tcp(self) -> Any:
        """The header, if it is TCP's and there."""
        return self.head if self.proto == 6 else None

    @property
    def stamp(self) -> tuple[int, int] | None:
        """Value and echo of a segment's timestamp, if it has one."""
        options = self.tcp.options if self.tcp is not None else ()
        return next((value for name, value in options if name == "Timestamp" and isinstance(value, tuple)), None)


def segment(data: bytes) -> Wire | None:
    """The parts of a TCP segment; None for anything else."""
    wire = take_apart(data)
    return None if isinstance(wire, str) or wire.tcp is None else wire


def take_apart(data: bytes) -> Wire | str:
    """The parts of an IP packet, or why it cannot be read."""
    version = data[0] >> 4 if data else 0
    ip: Any
    if version == 4:
        ip = IP.parse(data)
        if isinstance(ip, str):
            return ip
        middle = ip.tos, ip.ttl, 0, bool(ip.frag or ip.flags & 1)
        return _upper(data, 4, ip, ip.proto, ip.len, middle, ip.frag)
    if version == 6:
        ip = IPv6.parse(data)
        if isinstance(ip, str):
            return ip
        return _upper(data, 6, ip, ip.nh, 40 + ip.plen, (ip.tc, ip.hlim, ip.fl, ip.nh == 44), 0)
    return f"no IP packet: its version is {version}" if data else "an empty packet"


def _upper(
    data: bytes, version: int, ip: Any, proto: int, length: int, middle: tuple[int, int, int, bool], later: int
) -> Wire | str:
    at, end = ip.size, min(length, len(data))
    head: Any = None
    options = b""
    if proto in (6, 17) and not later:
        head = (TCP if proto == 6 else UDP).parse(data, at, end)
        if isinstance(head, str):
            return head
        options = data[at + 20 : at + head.size] if proto == 6 else b""
    payload = data[at + head.size if head else at : end]
    ip_good = version == 6 or ones_sum(data[: ip.size]) == FULL
    good = middle[3] or _sums(version, ip, proto, data[at:end], head)
    return Wire(
        version, ip.src_packed, ip.dst_packed, proto, ip.size, length, len(data), *middle, ip_good, head, options,
        payload, good,
    )  # fmt: skip


def _sums(version: int, ip: Any, proto: int, upper: bytes, head: Any) -> bool:
    """Does the sum behind the IP header verify? UDP over IPv4 may have none; of other protocols we know nothing."""
    if proto not in (1, 6, 17, 58) or (proto == 17 and version == 4 and head is not None and not head.chksum):
        return True
    if proto == 1:
        return ones_sum(upper) == FULL
    pseudo = pseudo4 if version == 4 else pseudo6
    return ones_sum(upper, pseudo(ip.src_packed, ip.dst_packed, proto, len(upper))) == FULL
