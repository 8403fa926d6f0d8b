# SPDX-License-Identifier: GPL-2.0-or-later
"""Between our packets and Scapy's, through the wire bytes. Scapy is imported when a function here is called.

What is left to compute (None, or a default that the layer above replaces) stays so on Scapy's side.
A header that Scapy does not know becomes its Raw. Scapy's traps that this avoids are described in docs and tests:
`/` asking the right operand for `__rdiv__`, and the second Ethernet header that a TUN/TAP interface adds to packets
that are not Scapy's (convert before handing them over).
"""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from layers.field import AUTO
from layers.metaclass import REGISTRY
from layers.packet import Header, Raw

MODULES = ("scapy.layers.l2", "scapy.layers.inet", "scapy.layers.inet6", "scapy.layers.igmp", "scapy.packet")
SCAPY_NAMES = {"IGMPv3mq": "IGMPv3_MQ", "IGMPv3mr": "IGMPv3_MR", "IGMPv3gr": "IGMPv3_MR_Group"}
NOTES = ("time", "sent_time", "wirelen", "direction", "sniffed_on", "comments")
OUR_NAMES = {theirs: ours for ours, theirs in SCAPY_NAMES.items()}


def scapy_class(cls: type[Header]) -> Any:
    """Return Scapy's class of the same header, its Raw if it has none."""
    name = SCAPY_NAMES.get(cls.__name__, cls.__name__)
    modules = [import_module(module) for module in MODULES]  # all of them: importing one binds its layers
    return next((getattr(module, name) for module in modules if hasattr(module, name)), modules[-1].Raw)


def our_class(cls: Any) -> type[Header]:
    """Return our class for a Scapy class (by its name or its nearest ancestor's), Raw if there is none."""
    for base in cls.__mro__:
        found: type[Header] | None = REGISTRY.get(OUR_NAMES.get(base.__name__, base.__name__))
        if found is not None and base.__name__ not in ("Header", "NoPayload"):
            return found
    return Raw


def to_scapy(packet: Header) -> Any:
    """Return `packet` as Scapy objects that have the same bytes."""
    data = bytes(packet)
    twin = _open(scapy_class(packet.__class__)(data), packet)
    if bytes(twin) != data:  # nonsense that Scapy would put right: every field stays as the bytes say
        twin = scapy_class(packet.__class__)(data)
    for note in NOTES:
        if packet._meta and note in packet._meta:
            setattr(twin, note, packet._meta[note])
    return twin


def _open(twin: Any, packet: Header) -> Any:
    """Unset in Scapy's packet what ours leaves to be computed, as far as the headers agree."""
    for ours, theirs in zip(packet.layers(), _layers(twin), strict=False):
        if scapy_class(ours.__class__) is not theirs.__class__:
            break
        for row in ours.table:
            value = getattr(ours, row.slot)
            if (value is None or isinstance(value, AUTO)) and row.name in theirs.fields:
                delattr(theirs, row.name)
    twin.clear_cache()
    return twin


def from_scapy(packet: Any) -> Header:
    """Return a Scapy packet as ours, read from its bytes, with the time and the like that Scapy notes on it."""
    twin = our_class(packet.__class__)(bytes(packet))
    for note in NOTES:
        value = getattr(packet, note, None)
        if value is not None:
            setattr(twin, note, value)
    return twin


def _layers(packet: Any) -> Iterator[Any]:
    while packet.__class__.__name__ != "NoPayload":
        yield packet
        packet = packet.payload


def register_with_scapy(read: bool = False) -> None:
    """Tell Scapy the link types of our headers, so that it writes them in captures without a warning.

    With `read`, `rdpcap` and `sniff` also return our `Ether` instead of Scapy's.
    """
    types = import_module("scapy.config").conf.l2types
    for number, name in ((1, "Ether"), (228, "IP"), (229, "IPv6")):
        types.register_layer2num(number, REGISTRY[name])
    if read:
        types.register(1, REGISTRY["Ether"])
