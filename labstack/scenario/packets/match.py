# SPDX-License-Identifier: GPL-2.0-or-later
"""What a host sends beside what a script expects: which packets belong to it, and which of them make up one.

    pieces = Pieces(expected, flow, strict)
    while pieces.wants:  # fewer bytes than the script says, and nothing wrong yet
        packet = target.wait(...)
        if belongs(packet.data, expected, flow):
            pieces.take(packet.data)
    rows = pieces.rows(slack_us)  # verdict.Field; row.differs; what was not asked has expected "*"

The fields themselves are the affair of `fields`.
"""

from collections.abc import Sequence
from math import inf

from labstack.packetdrill.script import Icmp, Packet, Tcp
from labstack.scenario.packets import fields, icmpnames, tcpopt
from labstack.scenario.packets.flow import MOD, Flow
from labstack.scenario.packets.wire import ACK, CWR, FIN, PSH, SYN, Wire, take_apart
from labstack.scenario.verdict import Field

MAY_CHANGE = FIN | PSH | CWR  # in which the pieces of one segment may differ


def belongs(data: bytes, expected: Packet, flow: Flow) -> bool:
    """Is a packet of the host one of this flow (or of the ports that `expected` names)? Runners ignore others.

    While flow.local_port is 0, a SYN to the remote end from any port belongs, if a TCP packet is expected.
    """
    wire = take_apart(data)
    if isinstance(wire, str) or (wire.src, wire.dst) != (flow.local, flow.remote):
        return False
    if isinstance(expected.body, Icmp):
        icmp = wire.proto == (1 if wire.version == 4 else 58)
        return icmp and not (wire.version == 6 and wire.payload[:1] and wire.payload[0] in icmpnames.NEIGHBOURS)
    if wire.proto != (6 if isinstance(expected.body, Tcp) else 17) or wire.head is None:
        return False
    sport, dport = expected.ports or (flow.local_port, flow.remote_port)
    if not sport and wire.proto == 6:
        return bool(wire.head.flags & (SYN | ACK) == SYN and wire.head.dport == dport)
    return (wire.head.sport, wire.head.dport) == (sport, dport)


class Pieces:
    """The packets that together are the one which is expected; with `strict` or without payload it is just one.

    So a host that cuts its segments satisfies a script which was written on one that does not. Each piece has the
    headers of the one before it apart from FIN, PSH and CWR, and goes on where that ended; all but the last have one
    size. Together they have the number and CWR of the first, and all else of the last.
    """

    def __init__(self, expected: Packet, flow: Flow, strict: bool = False) -> None:
        self.expected, self.flow = expected, flow
        self.size = expected.body.size if isinstance(expected.body, Tcp) and not strict else 0
        self.found: list[Wire] = []
        self.wrong: list[Field] = []
        self.wants = True  # is another packet needed to judge?

    def take(self, data: bytes) -> None:
        """Take the next packet of the flow, an IP packet; its time is the joined packet's."""
        wire = take_apart(data)
        if isinstance(wire, str):
            self.wrong.append(Field("packet", "one that can be read", wire))
            self.wants = False
            return
        _meet(wire, self.expected, self.flow)
        self.wrong += _seam(self.found, wire)
        self.found.append(wire)
        some = sum(len(piece.payload) for piece in self.found)
        # what fits the first one fits all that go on like it
        fits = wire.good and wire.ip_good and not wire.payload.strip(b"\0") if len(self.found) > 1 else self._fits()
        self.wants = bool(wire.payload) and some < self.size and not self.wrong and fits

    def _fits(self) -> bool:
        """Can what came so far still become what is expected? Flags are judged when the last one is there."""
        table = fields.rows(self.expected, _join(self.found), self.flow, inf)
        return not any(row.differs and row.name != "flags" and not _to_come(row) for row in table)

    def rows(self, slack_us: float = 0) -> tuple[Field, ...]:
        """All fields, side by side; `row.differs` marks those that are wrong; () if nothing was taken.

        slack_us: how far (us) a timestamp may be off where flow.tick_us compares them. The flow learns from the
        packet. Raises PacketError if the script expects what this family does not have.
        """
        if not self.found:
            return tuple(self.wrong)
        joined = _join(self.found)
        table = fields.rows(self.expected, joined, self.flow, slack_us)
        if joined.version == 6 and self.expected.ip.flowlabel is not None:
            self.flow.labels.setdefault(self.expected.ip.flowlabel, joined.label)
        if (
            joined.payload and len(joined.payload) < self.size and not self.wants
        ):  # judged early: something else is wrong
            table = tuple([row._replace(enough=row.enough or _to_come(row)) for row in table])
        return (*self.wrong, *table)


def _to_come(row: Field) -> bool:
    """Does this field of the first pieces show only when the last one is there? Its flags, and where it ends."""
    if row.name == "flags":
        return set(row.expected) ^ set(row.actual) <= set("FPW")
    return row.name == "seq" and row.expected.split(":")[0] == row.actual.split(":")[0]


def why(rows: Sequence[Field]) -> str:
    """One sentence that names the fields which differ; "" if none does."""
    return "; ".join(
        [f"{row.name}: expected {row.expected or 'none'}, got {row.actual or 'none'}" for row in rows if row.differs]
    )


def _meet(wire: Wire, expected: Packet, flow: Flow) -> None:
    """Learn what a segment is counted by: the initial number and port of the host's first SYN, its timestamp."""
    body = expected.body
    if not isinstance(body, Tcp) or wire.tcp is None:
        return
    if "S" in body.flags and wire.head.flags & SYN:
        flow.answered(wire.head, body.seq)
    said = tcpopt.stamp(body.options)
    if said is not None and wire.stamp is not None:
        flow.stamped(said, wire.stamp[0])


def _seam(before: list[Wire], wire: Wire) -> list[Field]:
    """What is wrong with a piece behind those before it."""
    if not before:
        return []
    last, number = before[-1], len(before) + 1
    found = [
        Field(f"{name} of piece {number}", str(one), str(two))
        for (name, one), (_, two) in zip(_same(last), _same(wire), strict=True)
        if one != two
    ]
    end = (last.head.seq + len(last.payload)) % MOD
    if wire.head.seq != end:
        found.append(
            Field(f"seq of piece {number}", f"+{len(last.payload)}", f"+{(wire.head.seq - last.head.seq) % MOD}")
        )
    if len(before) > 1 and len(last.payload) != len(before[-2].payload):
        found.append(Field(f"length of piece {number - 1}", f"({len(before[-2].payload)})", f"({len(last.payload)})"))
    return found


def _same(wire: Wire) -> list[tuple[str, object]]:
    """What all pieces of one segment have in common."""
    head = wire.head
    return [
        ("tos", wire.tos),
        ("ttl", wire.ttl),
        ("flow label", wire.label),
        ("flags", head.flags & ~MAY_CHANGE),
        ("ack", head.ack),
        ("win", head.window),
        ("urg", head.urgptr),
        ("reserved bits", head.reserved),
        ("options", wire.options.hex()),
    ]


def _join(pieces: list[Wire]) -> Wire:
    """One packet of several."""
    first, last = pieces[0], pieces[-1]
    if first is last:
        return last
    head = last.head.copy()
    head.seq = first.head.seq
    head.flags = (head.flags & ~CWR) | (first.head.flags & CWR)
    return last._replace(
        head=head,
        payload=b"".join([piece.payload for piece in pieces]),
        good=all(piece.good for piece in pieces),
        ip_good=all(piece.ip_good for piece in pieces),
    )
