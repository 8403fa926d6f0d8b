# SPDX-License-Identifier: GPL-2.0-or-later
"""A script's inbound packets as bytes: TCP with its options laid out as written, UDP, ICMP and ICMPv6 with quotes.

Numbers go from the script's space to the wire's by a Flow. Reading packets back is `view`'s affair.
"""

from labstack.packetdrill.script import Packet
from labstack.scenario.flow import Flow


def build(packet: Packet, flow: Flow) -> bytes:
    """The IP packet that an inbound line of a script puts on the wire; a SYN's number becomes flow.remote_isn.

    Raises PacketError with a sentence: an ecr that was never sent, options of a wrong size, a flow label in IPv4...
    """
    raise NotImplementedError
