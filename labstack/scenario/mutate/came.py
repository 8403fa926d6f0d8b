# SPDX-License-Identifier: GPL-2.0-or-later
"""Came: the segments that came, by connection: the oracle for what a host may read and acknowledge.

It holds all that came, whether it was acceptable or not, and so never accuses without ground.
"""

from labstack.scenario.packets.flow import MOD
from labstack.scenario.packets.wire import FIN, SYN, URG, Wire

Key = tuple[int, int]  # local, remote port


class Came:
    """sure: no fragments and no urgent data came, which make it harder to say what belongs where."""

    def __init__(self) -> None:
        self.sure = True
        self._sizes: dict[Key, int] = {}
        self._segments: dict[Key, list[tuple[int, bytes, int]]] = {}  # where its text begins, text, end with SYN, FIN

    def take(self, wire: Wire) -> None:
        """A packet came."""
        if wire.fragment:
            self.sure = False
        head = wire.tcp
        if head is None:
            return
        if head.flags & URG:
            self.sure = False
        for name, value in head.options if head.flags & SYN else ():
            if name == "MSS" and isinstance(value, int):
                self._sizes[head.dport, head.sport] = max(self._sizes.get((head.dport, head.sport), 0), value)
        syn, fin = bool(head.flags & SYN), bool(head.flags & FIN)
        start = head.seq + syn
        key = head.dport, head.sport
        self._segments.setdefault(key, []).append((start, wire.payload, start + len(wire.payload) + fin))

    def largest(self, key: Key, version: int) -> int:
        """The largest segment that the other end of a connection says to take, or any end does (RFC 9293 §3.7.1)."""
        return max(self._sizes.get(key, 0), 536 if version == 4 else 1220)

    def has(self, key: Key, at: int, data: bytes) -> bool:
        """Did these bytes come for this place (an absolute sequence number) of a connection, in whatever pieces?"""
        segments = self._segments.get(key, []) if self.sure else []
        while data and self.sure:
            run = max((_run(at, data, start, text) for start, text, _ in segments), default=0)
            if not run:
                return False
            at, data = at + run, data[run:]
        return True

    def acknowledges(self, key: Key, ack: int) -> bool:
        """Could this acknowledge something that came on a connection?"""
        if not self.sure:
            return True
        return any((ack - start + 1) % MOD <= end - start + 1 for start, _, end in self._segments.get(key, ()))


def _run(at: int, data: bytes, start: int, text: bytes) -> int:
    """How many bytes of `data` at `at` a segment agrees with."""
    skip = (at - start) % MOD
    if skip >= len(text):
        return 0
    text = text[skip : skip + len(data)]
    if data.startswith(text):
        return len(text)
    return next(i for i, (a, b) in enumerate(zip(data, text, strict=False)) if a != b)
