# SPDX-License-Identifier: GPL-2.0-or-later
"""Family: everything in which IPv4 and IPv6 differ for those above, as data. Above ip/ nobody asks "is this v6?".

Also addresses as people write them. Inside, an address is packed bytes: 4 or 16.
"""

import errno
from typing import NamedTuple

from labstack.core.errors import StackError
from layers import address

TCP, UDP, ICMP, ICMPV6, IGMP = 6, 17, 1, 58, 2


class Family(NamedTuple):
    """One of V4 and V6."""

    version: int
    name: str  # "ipv4"
    size: int  # bytes of an address
    header: int  # bytes of the header without options
    ethertype: int
    icmp: int  # protocol number of its ICMP
    counters: str  # prefix of its counters
    icmp_counters: str
    out_requests: str
    udp_counters: str
    udp_sum: bool  # a UDP checksum is compulsory (RFC 8200 §8.1)
    hop_limit: str  # sysctl
    min_mtu: int  # no link or path has less (RFC 791 §3.2; RFC 8200 §5)
    min_pmtu: str  # sysctl: no path is believed to have less; "": as min_mtu
    min_advmss: str  # sysctl
    mtu_expires: str  # sysctl
    no_pmtu: str  # sysctl: whether routers are believed at all; "": they are
    mss: int  # send MSS when the peer named none (RFC 9293 §3.7.1)
    any: bytes  # the unspecified address
    loopback: bytes
    quote: int  # largest ICMP error as an IP packet (RFC 1812 §4.3.2.3; RFC 4443 §2.4 (c))
    echo_request: int  # ICMP types and codes
    echo_reply: int
    unreachable: int
    host: int
    port: int
    ignore_echo: str  # sysctls
    ignore_group_echo: str

    def __repr__(self) -> str:
        return self.name


V4 = Family(
    version=4,
    name="ipv4",
    size=4,
    header=20,
    ethertype=0x0800,
    icmp=ICMP,
    counters="Ip",
    icmp_counters="Icmp",
    out_requests="IpOutRequests",
    udp_counters="Udp",
    udp_sum=False,
    hop_limit="net.ipv4.ip_default_ttl",
    min_mtu=68,
    min_pmtu="net.ipv4.route.min_pmtu",
    min_advmss="net.ipv4.route.min_adv_mss",
    mtu_expires="net.ipv4.route.mtu_expires",
    no_pmtu="net.ipv4.ip_no_pmtu_disc",
    mss=536,
    any=bytes(4),
    loopback=b"\x7f\0\0\1",
    quote=576,
    echo_request=8,
    echo_reply=0,
    unreachable=3,
    host=1,
    port=3,
    ignore_echo="net.ipv4.icmp_echo_ignore_all",
    ignore_group_echo="net.ipv4.icmp_echo_ignore_broadcasts",
)

V6 = Family(
    version=6,
    name="ipv6",
    size=16,
    header=40,
    ethertype=0x86DD,
    icmp=ICMPV6,
    counters="Ip6",
    icmp_counters="Icmp6",
    out_requests="Ip6OutRequests",
    udp_counters="Udp6",
    udp_sum=True,
    hop_limit="net.ipv6.conf.all.hop_limit",
    min_mtu=1280,
    min_pmtu="",
    min_advmss="net.ipv6.route.min_adv_mss",
    mtu_expires="net.ipv6.route.mtu_expires",
    no_pmtu="",
    mss=1220,
    any=bytes(16),
    loopback=bytes(15) + b"\1",
    quote=1280,
    echo_request=128,
    echo_reply=129,
    unreachable=1,
    host=3,
    port=4,
    ignore_echo="net.ipv6.icmp.echo_ignore_all",
    ignore_group_echo="net.ipv6.icmp.echo_ignore_multicast",
)

_BY_SIZE = {4: V4, 16: V6}


def of(packed: bytes) -> Family:
    """The family of a packed address."""
    return _BY_SIZE[len(packed)]


def text(packed: bytes) -> str:
    """A packed address as people write it."""
    return address.any_text(packed)


def parse_addr(value: str | bytes) -> bytes:
    """Packed bytes of '10.0.0.1' or 'fd00::1' (packed bytes pass). Raises StackError EINVAL for anything else."""
    if isinstance(value, bytes):
        if len(value) in _BY_SIZE:
            return value
        raise StackError(errno.EINVAL, f"{value!r} has {len(value)} bytes: a packed address has 4 or 16")
    try:
        return address.ip6(value) if ":" in value else address.ip4(value)
    except (ValueError, TypeError, AttributeError):
        what = f"{value!r} is not an address: write '10.0.0.1' or 'fd00::1'"
        raise StackError(errno.EINVAL, what) from None


def parse_prefix(value: str) -> tuple[bytes, int]:
    """(packed, prefix length) of '10.0.0.1/24'; without a length all bits count. Raises StackError EINVAL."""
    ip, slash, bits = value.partition("/")
    packed = parse_addr(ip)
    most = len(packed) * 8
    if slash and not (bits.isascii() and bits.isdigit() and int(bits) <= most):
        raise StackError(errno.EINVAL, f"{value!r}: the prefix length after '/' must be a number in 0..{most}")
    return packed, int(bits) if slash else most


def masked(packed: bytes, plen: int) -> bytes:
    """The address with all bits behind the prefix cleared."""
    spare = len(packed) * 8 - plen
    return (int.from_bytes(packed, "big") >> spare << spare).to_bytes(len(packed), "big")


def is_group(packed: bytes) -> bool:
    """True for a multicast address (subnet broadcasts are known to net.is_group)."""
    return packed[0] == 0xFF if len(packed) == 16 else packed[0] >> 4 == 14


def is_link_local(packed: bytes) -> bool:
    """True for 169.254/16 and fe80::/10."""
    if len(packed) == 16:
        return packed[0] == 0xFE and packed[1] & 0xC0 == 0x80
    return packed[:2] == b"\xa9\xfe"
