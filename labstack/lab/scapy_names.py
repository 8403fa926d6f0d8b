# SPDX-License-Identifier: GPL-2.0-or-later
"""Scapy's names for the prompt: the layers and verbs that a lab needs, without the cost of scapy.all (0.5 to 1 s).

Whatever else is wanted is one line away: `from scapy.all import *`.
"""

from importlib import import_module
from typing import Any

MODULES = (
    "scapy.config", "scapy.compat", "scapy.fields", "scapy.volatile", "scapy.packet", "scapy.plist", "scapy.utils",
    "scapy.utils6", "scapy.interfaces", "scapy.route", "scapy.route6", "scapy.sendrecv", "scapy.ansmachine",
    "scapy.automaton", "scapy.layers.l2", "scapy.layers.inet", "scapy.layers.inet6", "scapy.base_classes",
)  # fmt: skip


def names() -> dict[str, Any]:
    """Name to object, as `from module import *` would give them."""
    found: dict[str, Any] = {}
    for module in MODULES:
        there = import_module(module)
        public = getattr(there, "__all__", None) or [n for n in vars(there) if not n.startswith("_")]
        for name in public:
            value = getattr(there, name)
            home = getattr(value, "__module__", module)
            if isinstance(home, str) and home.startswith("scapy"):
                found[name] = value
    return found
