# SPDX-License-Identifier: GPL-2.0-or-later
"""What a host sends beside what a script expects: field by field, in the script's terms.

pieces = Pieces(expected, flow, strict)
while pieces.wants:                        # fewer bytes than the script says, and nothing wrong yet
    packet = target.wait(...)
    if belongs(packet.data, expected, flow):
        pieces.take(packet.data)
rows = pieces.rows(slack_us)               # verdict.Field; row.differs; what was not asked has expected "*"
"""

from collections.abc import Sequence

from labstack.packetdrill.script import Packet
from labstack.scenario.flow import Flow
from labstack.scenario.verdict import Field


def belongs(data: bytes, expected: Packet, flow: Flow) -> bool:
    """Is a packet of the host one of this flow (or of the ports that `expected` names)? Runners ignore others.

    While flow.local_port is 0, a SYN to the remote end from any port belongs, if a TCP packet is expected.
    """
    raise NotImplementedError


class Pieces:
    """The packets that together are the one which is expected; with `strict` or without payload it is just one."""

    def __init__(self, expected: Packet, flow: Flow, strict: bool = False) -> None:
        raise NotImplementedError

    @property
    def wants(self) -> bool:
        """Is another packet needed to judge?"""
        raise NotImplementedError

    def take(self, data: bytes) -> None:
        """Take the next packet of the flow, an IP packet; its time is the joined packet's."""
        raise NotImplementedError

    def rows(self, slack_us: float = 0) -> tuple[Field, ...]:
        """All fields, side by side; `row.differs` marks those that are wrong. The flow learns from the packet.

        slack_us: how far (us) a timestamp may be off where flow.tick_us compares them.
        """
        raise NotImplementedError


def compare(expected: Packet, data: bytes, flow: Flow, slack_us: float = 0) -> tuple[Field, ...] | None:
    """None if one packet is what is expected, else all fields side by side."""
    raise NotImplementedError


def why(rows: Sequence[Field]) -> str:
    """One sentence that names the fields which differ; "" if none does."""
    raise NotImplementedError
