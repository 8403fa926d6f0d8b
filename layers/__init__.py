# SPDX-License-Identifier: GPL-2.0-or-later
"""labstack's packet layers: headers only, bytes to values and back, under Scapy's class and field names.

    >>> from layers import Ether, IP, TCP
    >>> frame = bytes(Ether() / IP(dst="192.0.2.1") / TCP(dport=80, flags="S", options=[("MSS", 1460)]))
    >>> Ether(frame)[TCP].options
    [('MSS', 1460)]

`Cls(data)` reads a chain, `Cls.parse(buf, at, end)` one header or a drop reason; neither raises on what bytes say.
Importing this imports nothing of labstack, nor Scapy; `to_scapy()`, `from_scapy()` and `/` do when they are used.
Also here: `layers.checksum`, `layers.pcapng`, and the walkers `ip6.walk`, `ip6opt.options`, `ndopt.walk`.
"""

from layers.arp import ARP
from layers.bridge import from_scapy, register_with_scapy, to_scapy
from layers.checksum import ones_sum, pseudo4, pseudo6, sum_pieces
from layers.ether import LLC, SNAP, Dot1Q, Dot3, Ether
from layers.icmp import ICMP, ICMPerror
from layers.icmp6 import (
    ICMPv6,
    ICMPv6DestUnreach,
    ICMPv6EchoReply,
    ICMPv6EchoRequest,
    ICMPv6PacketTooBig,
    ICMPv6ParamProblem,
    ICMPv6TimeExceeded,
    ICMPv6Unknown,
)
from layers.igmp import IGMP, IGMPv3, IGMPv3gr, IGMPv3mq, IGMPv3mr
from layers.ip import IP, IPerror
from layers.ip6 import (
    IPerror6,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    walk,
)
from layers.ip6opt import HAO, HBHOptUnknown, Jumbo, Pad1, PadN, RouterAlert
from layers.ipopt import (
    IPOption,
    IPOption_EOL,
    IPOption_LSRR,
    IPOption_NOP,
    IPOption_Router_Alert,
    IPOption_RR,
    IPOption_Security,
    IPOption_SSRR,
    IPOption_Stream_Id,
    IPOption_Timestamp,
)
from layers.mld import (
    ICMPv6MLDMultAddrRec,
    ICMPv6MLDone,
    ICMPv6MLQuery,
    ICMPv6MLQuery2,
    ICMPv6MLReport,
    ICMPv6MLReport2,
)
from layers.nd import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6ND_Redirect, ICMPv6ND_RS
from layers.ndopt import (
    ICMPv6NDOptDNSSL,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptEFA,
    ICMPv6NDOptMTU,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptRDNSS,
    ICMPv6NDOptRedirectedHdr,
    ICMPv6NDOptRouteInfo,
    ICMPv6NDOptSrcLLAddr,
    ICMPv6NDOptUnknown,
)
from layers.packet import NOTHING, Header, NoPayload, Padding, Raw, bind
from layers.tcp import TCP, TCPerror, build_options, parse_options
from layers.udp import UDP, UDPerror
from layers.upper import partial
from layers.view import ls
from layers.virtio import virtio_net_hdr

__all__ = [
    "ARP",
    "HAO",
    "ICMP",
    "IGMP",
    "IP",
    "LLC",
    "NOTHING",
    "SNAP",
    "TCP",
    "UDP",
    "Dot1Q",
    "Dot3",
    "Ether",
    "HBHOptUnknown",
    "Header",
    "ICMPerror",
    "ICMPv6",
    "ICMPv6DestUnreach",
    "ICMPv6EchoReply",
    "ICMPv6EchoRequest",
    "ICMPv6MLDMultAddrRec",
    "ICMPv6MLDone",
    "ICMPv6MLQuery",
    "ICMPv6MLQuery2",
    "ICMPv6MLReport",
    "ICMPv6MLReport2",
    "ICMPv6NDOptDNSSL",
    "ICMPv6NDOptDstLLAddr",
    "ICMPv6NDOptEFA",
    "ICMPv6NDOptMTU",
    "ICMPv6NDOptPrefixInfo",
    "ICMPv6NDOptRDNSS",
    "ICMPv6NDOptRedirectedHdr",
    "ICMPv6NDOptRouteInfo",
    "ICMPv6NDOptSrcLLAddr",
    "ICMPv6NDOptUnknown",
    "ICMPv6ND_NA",
    "ICMPv6ND_NS",
    "ICMPv6ND_RA",
    "ICMPv6ND_RS",
    "ICMPv6ND_Redirect",
    "ICMPv6PacketTooBig",
    "ICMPv6ParamProblem",
    "ICMPv6TimeExceeded",
    "ICMPv6Unknown",
    "IGMPv3",
    "IGMPv3gr",
    "IGMPv3mq",
    "IGMPv3mr",
    "IPOption",
    "IPOption_EOL",
    "IPOption_LSRR",
    "IPOption_NOP",
    "IPOption_RR",
    "IPOption_Router_Alert",
    "IPOption_SSRR",
    "IPOption_Security",
    "IPOption_Stream_Id",
    "IPOption_Timestamp",
    "IPerror",
    "IPerror6",
    "IPv6",
    "IPv6ExtHdrDestOpt",
    "IPv6ExtHdrFragment",
    "IPv6ExtHdrHopByHop",
    "IPv6ExtHdrRouting",
    "Jumbo",
    "NoPayload",
    "Pad1",
    "PadN",
    "Padding",
    "Raw",
    "RouterAlert",
    "TCPerror",
    "UDPerror",
    "bind",
    "build_options",
    "from_scapy",
    "ls",
    "ones_sum",
    "parse_options",
    "partial",
    "pseudo4",
    "pseudo6",
    "register_with_scapy",
    "sum_pieces",
    "to_scapy",
    "virtio_net_hdr",
    "walk",
]
