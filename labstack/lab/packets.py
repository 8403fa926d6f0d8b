# SPDX-License-Identifier: GPL-2.0-or-later
"""What people hand over as a packet: Scapy's objects, ours, or bytes; with or without an Ethernet header.

On a wire that carries bare IP, as a TUN does, hosts have no MAC, and packets no Ethernet header.
"""

from collections.abc import Sequence
from typing import Any

from labstack.core.frame import ETHER_HLEN
from labstack.lab.errors import LabError
from labstack.lab.host import Host

BARE = {"IP": 0x0800, "IPv6": 0x86DD, "ARP": 0x0806}  # network packets that people give without an Ethernet header


def raw_frame(packet: Any, hosts: Sequence[Host]) -> bytes:
    """The bytes of a frame; an Ethernet header to its destination is put before a bare IP, IPv6 or ARP packet.

    Where the wire carries bare IP, one that there is goes.
    """
    if isinstance(packet, (bytes, bytearray, memoryview)):
        return bytes(packet)
    kind = type(packet).__name__
    try:
        raw = bytes(packet)
    except TypeError:
        raise LabError(f"{packet!r} is no packet: expected one of Scapy's, one of ours, or bytes") from None
    if isinstance(packet, (str, int, list, tuple, dict)):
        raise LabError(f"{packet!r} is no packet: expected one of Scapy's, one of ours, or bytes")
    if not any(host.mac for host in hosts):
        return raw[ETHER_HLEN:] if kind == "Ether" else raw
    if kind not in BARE:
        return raw
    wanted = getattr(packet, "dst", None) or getattr(packet, "pdst", None)
    dst = next((h.mac for h in hosts if wanted in (h.ip, h.ip6)), "ff:ff:ff:ff:ff:ff")
    return bytes.fromhex(dst.replace(":", "")) + bytes.fromhex("0200000000ff") + BARE[kind].to_bytes(2, "big") + raw


def aim(raw: bytes, hosts: Sequence[Host]) -> list[Host]:
    """The hosts to which a frame is addressed. Raises LabError when it names none."""
    if not any(host.mac for host in hosts) or (raw[:1] and raw[0] & 1):
        return list(hosts)
    found = [h for h in hosts if bytes.fromhex(h.mac.replace(":", "")) == raw[:6]]
    if not found:
        raise LabError(f"no host has the address {raw[:6].hex(':') or '(none)'}; say to whom: inject PACKET to h2")
    return found
