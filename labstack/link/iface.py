# SPDX-License-Identifier: GPL-2.0-or-later
"""Iface: one network interface and what belongs to it: addresses, groups, the neighbour table.

Records only, and the questions that can be asked of one interface alone. What changes them lives in
`groups.py`, `neighbour.py`, `nd.py` and, for addresses, in `ip/addrs.py`.
"""

from collections import deque

from labstack.core.frame import ETHER_HLEN, Frame
from labstack.core.state import State, field, state

BROADCAST = b"\xff" * 6

# states of an address (RFC 4862 §2)
TENTATIVE, PREFERRED, DEPRECATED, DUPLICATED = "tentative", "preferred", "deprecated", "duplicated"

# states of a neighbour (RFC 4861 §7.3.2; FAILED and PERMANENT as Linux)
INCOMPLETE, REACHABLE, STALE, DELAY, PROBE = "INCOMPLETE", "REACHABLE", "STALE", "DELAY", "PROBE"
FAILED, PERMANENT = "FAILED", "PERMANENT"


@state
class Addr(State):
    """An address of ours: `ip` packed, `plen` bits of its subnet."""

    ip: bytes
    plen: int
    state: str = PREFERRED
    probes: int = 0  # duplicate address probes already sent
    nonce: bytes = b""  # of our latest probe: how we know our own voice (RFC 7527)
    defended: int = -1  # ns, when we last defended it against another claimant; -1: never


@state
class Neighbour(State):
    """What we know about one neighbour. Only neighbour.become() writes `state`."""

    address: bytes
    state: str = ""
    mac: bytes = b""
    header: bytes = b""  # the link header of packets to it, ready made; b"" while unresolved
    source: bytes = b""  # our address in the packet that first wanted it
    probes: int = 0
    confirmed: int = 0  # ns, latest proof of reachability
    reachable: int = 0  # ns, how long that proof is believed
    used: int = 0  # ns, latest packet sent to it
    router: bool = False
    pending: deque[Frame] = field(default_factory=deque)  # packets that wait, the first six bytes still to be filled


@state
class Neighbours(State):
    """One table for both families. `idle` and `incomplete` are its evictable entries, oldest first."""

    table: dict[bytes, Neighbour] = field(default_factory=dict)
    idle: dict[bytes, None] = field(default_factory=dict)  # STALE and FAILED
    incomplete: dict[bytes, None] = field(default_factory=dict)
    failed: list[Frame] = field(default_factory=list)  # undeliverable packets, for the IP floor to report


@state
class Iface(State):
    """An interface; `mac` is b"" on a link that carries bare IP (TUN, loopback)."""

    index: int
    name: str
    mac: bytes
    mtu: int = 1500  # bytes of an IP packet
    gso: int = 0  # bytes of the largest IP packet that the device cuts itself; 0: none
    up: bool = True
    qdisc: str = "pfifo_fast"  # how it queues; "fq" paces every flow that goes through it
    addrs: list[Addr] = field(default_factory=list)
    groups: dict[bytes, int] = field(default_factory=dict)  # joined groups, and how often
    accept: dict[bytes, int] = field(default_factory=dict)  # destination MACs that are for us, and how often
    neigh: Neighbours = field(default_factory=Neighbours)

    @property
    def hlen(self) -> int:
        """Bytes of the link header."""
        return ETHER_HLEN if self.mac else 0

    def find(self, ip: bytes) -> Addr | None:
        """The address record with this packed address, whatever its state, or None."""
        for addr in self.addrs:
            if addr.ip == ip:
                return addr
        return None

    def owns(self, ip: bytes) -> bool:
        """True if ip is assigned here and may be used (neither tentative nor duplicated)."""
        addr = self.find(ip)
        return addr is not None and addr.state in (PREFERRED, DEPRECATED)

    def source(self, wanted: bytes, target: bytes) -> bytes:
        """Our address to ask for target with: `wanted` if we own it, else a usable one of its family, else b""."""
        if wanted and self.owns(wanted):
            return wanted
        usable = [a for a in self.addrs if len(a.ip) == len(target) and a.state in (PREFERRED, DEPRECATED)]
        near = [a for a in usable if shares(a.ip, target, a.plen)]
        return (near or usable)[0].ip if usable else b""


def shares(a: bytes, b: bytes, plen: int) -> bool:
    """True if the first plen bits of two packed addresses of one family are equal."""
    shift = len(a) * 8 - plen
    return int.from_bytes(a, "big") >> shift == int.from_bytes(b, "big") >> shift
