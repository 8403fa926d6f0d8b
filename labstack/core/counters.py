# SPDX-License-Identifier: GPL-2.0-or-later
"""Counters: named after what happened, with Linux's names where Linux has one (`nstat`).

A drop is counted as `drop.<layer>.<reason>`. Conservation holds for each layer: what came in was delivered or
dropped for a named reason. `LAYERS` says which counters those are.
"""

from collections.abc import Mapping

# layer: (what comes in, where it may go); everything else must be a drop of that layer
LAYERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "link": (("LinkInFrames",), ("LinkInDelivers",)),
    "arp": (("ArpInPackets",), ("ArpInDelivers",)),
    "ip": (("IpInReceives", "Ip6InReceives"), ("IpInDelivers", "Ip6InDelivers")),
    "icmp": (("IcmpInMsgs", "Icmp6InMsgs"), ("IcmpInDelivers", "Icmp6InDelivers")),
    "nd": (("NdInMsgs",), ("NdInDelivers",)),
    "udp": (("UdpInSegs", "Udp6InSegs"), ("UdpInDatagrams", "Udp6InDatagrams")),
    "tcp": (("TcpInSegs",), ("TcpInDelivers",)),
}


def drops(count: Mapping[str, int]) -> dict[str, int]:
    """Every drop reason that occurred, with its count."""
    return {name: n for name, n in sorted(count.items()) if name.startswith("drop.") and n}


def missing(count: Mapping[str, int]) -> dict[str, int]:
    """For each layer whose balance is not even: how many arrivals are neither delivered nor dropped."""
    found = {}
    for layer, (arrived, delivered) in LAYERS.items():
        came = sum(count.get(name, 0) for name in arrived)
        went = sum(count.get(name, 0) for name in delivered)
        lost = sum(n for name, n in count.items() if name.startswith(f"drop.{layer}."))
        if came != went + lost:
            found[layer] = came - went - lost
    return found


def unbalanced(count: Mapping[str, int]) -> list[str]:
    """The layers that lost count, as sentences; empty when all is well."""
    return [f"{layer}: {n} arrivals are neither delivered nor dropped" for layer, n in missing(count).items()]
