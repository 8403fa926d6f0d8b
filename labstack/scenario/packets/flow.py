# SPDX-License-Identifier: GPL-2.0-or-later
"""Flow: what a script's connection is on the wire: addresses, ports, initial numbers, timestamps, flow labels.

In a segment with SYN a script's numbers are absolute, in others they count from the initial number, like tcpdump's.
The remote end's initial number is the one that the script writes; ours is learned from our first SYN or SYN-ACK.
"local" is the host under test. `segments.build` and `match` read the record and write what they learn into it.
"""

from dataclasses import dataclass, field
from typing import Any

MOD = 1 << 32
ACK = 16


class PacketError(ValueError):
    """A packet of a script cannot be put on the wire; str() says why."""


@dataclass(slots=True)
class Flow:
    """One connection, or one pair of UDP sockets.

    local, remote: packed addresses as on the wire (4 bytes, too, for ipv4-mapped-ipv6); ports: 0 while unknown
    local_isn: ours on the wire, and script_isn what the script calls it; remote_isn: theirs; None until a SYN was seen
    again: the number of a later SYN of theirs; if it is answered by a SYN-ACK, a new connection has begun with it
    ecr_scaled, tick_us: the options tcp_ts_ecr_scaled and tcp_ts_tick_usecs (0: our timestamps are not compared)
    stamps: our timestamps, script's to live; first: the first such pair; labels: flow labels, script's to live
    """

    local: bytes
    local_port: int
    remote: bytes
    remote_port: int
    ecr_scaled: bool = False
    tick_us: int = 0
    local_isn: int | None = None
    script_isn: int = 0
    remote_isn: int | None = None
    again: int | None = None
    stamps: dict[int, int] = field(default_factory=dict)
    first: tuple[int, int] | None = None
    labels: dict[int, int] = field(default_factory=dict)

    def local_shift(self, syn: bool) -> int:
        """Wire number minus script number of our own sequence space, in a segment with or without SYN."""
        if self.local_isn is None:
            return 0
        return self.local_isn - self.script_isn if syn else self.local_isn

    def remote_shift(self, syn: bool) -> int:
        """The same of the remote end's sequence space."""
        return 0 if syn or self.remote_isn is None else self.remote_isn

    def live_echo(self, ecr: int) -> int:
        """The timestamp of ours that a script's ecr means. Raises PacketError for one that the script never saw."""
        if ecr in self.stamps:
            return self.stamps[ecr]
        if self.first is None and self.ecr_scaled:
            return ecr
        if self.first is None or not self.ecr_scaled:
            seen = ", ".join(map(str, self.stamps)) or "none yet"
            raise PacketError(
                f"ecr {ecr} echoes no timestamp that the script expected from the stack (they were: {seen})"
            )
        return (self.first[1] + ecr - self.first[0]) % MOD

    def script_stamp(self, live: int) -> int:
        """What a script calls a timestamp of ours, counted from the first pair; as it is before there is one."""
        return live if self.first is None else (live - self.first[1] + self.first[0]) % MOD

    def opened(self, isn: int) -> None:
        """The remote end sent a SYN with this number: its first one, or one that may begin another connection."""
        if self.remote_isn is None:
            self.remote_isn = isn
        elif self.remote_isn != isn:
            self.again = isn

    def answered(self, head: Any, isn: int = 0) -> None:
        """We sent this TCP header with a SYN, whose number a script calls `isn`."""
        if self.again is not None and head.flags & ACK and head.ack == (self.again + 1) % MOD:
            self.local_isn, self.remote_isn, self.again = None, self.again, None
        if self.local_isn is None:
            self.local_isn, self.script_isn = head.seq, isn
            self.local_port = self.local_port or head.sport

    def stamped(self, script: int, live: int) -> None:
        """Remember that what the script calls `script` is `live`."""
        self.stamps[script] = live
        if self.first is None:
            self.first = (script, live)
