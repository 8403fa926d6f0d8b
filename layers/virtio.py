# SPDX-License-Identifier: GPL-2.0-or-later
"""`virtio_net_hdr`, the 10 bytes before each frame of a TAP with IFF_VNET_HDR (virtio 1.2 §5.1.6), little-endian.

It carries partial checksums and segmentation across the device; `upper.partial` gives the two numbers it wants.
"""

from struct import Struct

from layers.ether import Ether
from layers.field import FlagValue, u8, u16
from layers.packet import Header, Next

VNET_HDR = Struct("<BBHHHH")  # flags, gso_type, hdr_len, gso_size, csum_start, csum_offset
VNET_HDR_LEN = VNET_HDR.size

F_NEEDS_CSUM = 1  # the checksum at csum_start + csum_offset holds a pseudo-header sum and must be completed
F_DATA_VALID = 2  # the checksum was verified

GSO_NONE = 0
GSO_TCPV4 = 1
GSO_UDP = 3  # UDP fragmentation (deprecated)
GSO_TCPV6 = 4
GSO_UDP_L4 = 5  # UDP segmentation
GSO_ECN = 0x80  # a bit: the segments need CWR on the first only

GSO_TYPES = {GSO_NONE: "none", GSO_TCPV4: "tcpv4", GSO_UDP: "udp", GSO_TCPV6: "tcpv6", GSO_UDP_L4: "udp-l4"}


class virtio_net_hdr(Header):
    """What a device shall do, or has done, about checksum and segmentation of the frame that follows."""

    order = "<"
    short = "vnet-short"
    flags: FlagValue = u8(names=("NEEDS_CSUM", "DATA_VALID"))
    gso_type: int = u8(names=GSO_TYPES)
    hdr_len: int = u16()
    gso_size: int = u16()
    csum_start: int = u16()
    csum_offset: int = u16()

    def _above(self, buf: bytes, at: int, end: int) -> Next:
        return Ether, end
