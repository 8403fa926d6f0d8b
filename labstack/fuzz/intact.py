# SPDX-License-Identifier: GPL-2.0-or-later
"""Is a frame that a host sends in order: its lengths, its checksums?"""

from labstack.fuzz.broken import BrokenError
from labstack.ip.family import TCP
from layers.checksum import checksum, ones_sum

ETHERTYPES = {b"\x08\x00": 4, b"\x86\xdd": 6}


def intact(raw: bytes, net: int) -> None:
    """Raise BrokenError if a length or a checksum of this frame, whose link header has `net` bytes, is wrong."""
    version = ETHERTYPES.get(raw[12:14], 0) if net else raw[0] >> 4
    if version == 4:
        at, proto, length = net + 20, raw[net + 9], int.from_bytes(raw[net + 2 : net + 4], "big")
        addresses = raw[net + 12 : net + 20]
        if checksum(raw[net:at]):
            raise BrokenError(f"a wrong IPv4 header checksum was sent: {raw[net:at].hex()}")
    elif version == 6:
        at, proto, length = net + 40, raw[net + 6], int.from_bytes(raw[net + 4 : net + 6], "big") + 40
        addresses = raw[net + 8 : net + 40]
    else:
        return
    if length != len(raw) - net:
        raise BrokenError(f"the length {length} was sent in a packet of {len(raw) - net} bytes")
    if proto == TCP and checksum(raw[at:], ones_sum(addresses, TCP + len(raw) - at)):
        raise BrokenError(f"a wrong TCP checksum was sent: {raw[at : at + 20].hex()} ...")
