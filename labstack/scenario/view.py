# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets from the wire in a script's terms: bytes to script.Packet, with every field filled in.

For comparison, ladders and recording; the reverse of `segments.build`.
"""

from labstack.packetdrill.script import Packet
from labstack.scenario.flow import Flow


def view(data: bytes, flow: Flow, inbound: bool = False) -> Packet | str:
    """What a script would call an IP packet, or why it cannot be read (a drop reason, or a protocol's number)."""
    raise NotImplementedError
