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
SIDES = {
    name: (layer, sign)
    for layer, sides in LAYERS.items()
    for sign, names in zip((1, -1), sides, strict=True)
    for name in names
}  # of a counter: whose it is, and whether it counts what comes in


def drops(count: Mapping[str, int]) -> dict[str, int]:
    """Every drop reason that occurred, with its count."""
    return {name: n for name, n in sorted(count.items()) if name.startswith("drop.") and n}


def missing(count: Mapping[str, int]) -> dict[str, int]:
    """For each layer whose balance is not even: how many arrivals are neither delivered nor dropped."""
    found = dict.fromkeys(LAYERS, 0)
    for name, n in count.items():
        if name in SIDES:
            layer, sign = SIDES[name]
            found[layer] += sign * n
        elif name.startswith("drop."):
            layer = name.split(".", 2)[1]
            if layer in found:
                found[layer] -= n
    return {layer: n for layer, n in found.items() if n}


def unbalanced(count: Mapping[str, int]) -> list[str]:
    """The layers that lost count, as sentences; empty when all is well."""
    return [f"{layer}: {n} arrivals are neither delivered nor dropped" for layer, n in missing(count).items()]
