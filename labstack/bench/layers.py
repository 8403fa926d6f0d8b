# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading and building packets, ours against Scapy's in the same run.

The packet is Ethernet/IPv4/TCP with NOP, NOP, Timestamp and 100 bytes of data. First both sides must build the same
bytes and read the same values; then rounds alternate, and each figure is the median of its rounds.
"""

from collections.abc import Callable
from importlib import import_module
from statistics import median
from time import perf_counter_ns
from typing import Any

import layers
from labstack.bench.table import Row

_OPTIONS = [("NOP", None), ("NOP", None), ("Timestamp", (123456789, 987654321))]
_DATA = bytes(range(100))


class _Side:
    """One library's four classes and the jobs done with them."""

    def __init__(self, ether: Any, ip: Any, tcp: Any, raw: Any) -> None:
        self.ether, self.ip, self.tcp, self.raw = ether, ip, tcp, raw
        self.frame = self.build()

    def build(self) -> bytes:
        """Create the objects from text and numbers, stack them, and return the bytes with both checksums."""
        return bytes(
            self.ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01")
            / self.ip(src="192.0.2.1", dst="198.51.100.2", ttl=63, id=4711)
            / self.tcp(sport=40000, dport=80, seq=1000, ack=2000, flags="PA", window=501, options=_OPTIONS)
            / self.raw(load=_DATA)
        )

    def dissect(self) -> Any:
        """Read the whole frame."""
        return self.ether(self.frame)

    def read(self) -> tuple[Any, ...]:
        """Read the frame and nine of its fields."""
        ip = self.ether(self.frame).payload
        tcp = ip.payload
        return ip.src, ip.dst, ip.ttl, ip.proto, tcp.sport, tcp.dport, tcp.seq, tcp.ack, tcp.flags

    def route(self) -> bytes:
        """Read the frame, count down the TTL, and build it again with new checksums."""
        frame = self.ether(self.frame)
        ip = frame.payload
        ip.ttl -= 1
        ip.chksum = None
        ip.payload.chksum = None
        return bytes(frame)


_JOBS = {
    "dissect": _Side.dissect,
    "dissect + read 9 fields": _Side.read,
    "build": _Side.build,
    "dissect, change TTL, rebuild": _Side.route,
}


def _microseconds(job: Callable[[_Side], object], side: _Side, loops: int) -> float:
    start = perf_counter_ns()
    for _ in range(loops):
        job(side)
    return (perf_counter_ns() - start) / loops / 1000


def _check(ours: _Side, theirs: _Side) -> None:
    """Fail unless both sides build the same bytes and read the same values."""
    if ours.frame != theirs.frame:
        raise RuntimeError(f"built bytes differ:\n{ours.frame.hex()}\n{theirs.frame.hex()}")
    for name in ("read", "route"):
        mine, other = getattr(ours, name)(), getattr(theirs, name)()
        if mine != other:
            raise RuntimeError(f"{name}: ours {mine!r} differs from Scapy's {other!r}")
    if ours.dissect()[ours.tcp].options != theirs.dissect()[theirs.tcp].options:
        raise RuntimeError("options differ")


def run(rounds: int = 5) -> list[Row]:
    """Return a row for each job: microseconds a packet, Scapy's as the reference."""
    inet, l2, packet = (import_module(f"scapy.{name}") for name in ("layers.inet", "layers.l2", "packet"))
    ours = _Side(layers.Ether, layers.IP, layers.TCP, layers.Raw)
    theirs = _Side(l2.Ether, inet.IP, inet.TCP, packet.Raw)
    _check(ours, theirs)
    rows = []
    for name, job in _JOBS.items():
        pairs = [(_microseconds(job, ours, 4000), _microseconds(job, theirs, 150)) for _ in range(rounds)]
        value, reference = median(mine for mine, _ in pairs), median(other for _, other in pairs)
        rows.append(Row("layers", name, value, "us/packet", reference, median(b / a for a, b in pairs)))
    return rows
