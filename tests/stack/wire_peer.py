# SPDX-License-Identifier: GPL-2.0-or-later
"""A peer at the other end of a target's wire, for tests that look at the same thing on our stack and on the kernel.

    peer = Peer(target); fd = peer.passive(); peer.rx("A", seq=1, ack=1, data=bytes(100)); peer.quiet(50)

Numbers count from both initial ones. Nothing is expected of what the target sends but its initial number and ports.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from labstack.scenario.calls import Calls
from labstack.scenario.kernel.nursery import NoKernelError
from labstack.scenario.kernel.target import Kernel
from layers import IP, TCP

AF_INET, SOCK_STREAM, SOCK_NONBLOCK = 2, 1, 0o4000
SOL_SOCKET, SOL_TCP, TCP_NODELAY = 1, 6, 1
US, THEM = "192.168.0.1", "192.0.2.1"
PLAIN = {
    "sack": "0", "timestamps": "0", "ecn": "0", "congestion_control": "reno", "early_retrans": "0", "recovery": "0",
    "frto": "0", "syn_linear_timeouts": "0", "fastopen": "0", "moderate_rcvbuf": "0", "rmem": "4096 131072 6291456",
}  # fmt: skip
SYSCTLS = {f"net.ipv4.tcp_{name}": value for name, value in PLAIN.items()}
MS = 1_000_000


def i32(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}i", *values)


class Peer:
    def __init__(self, target: Any) -> None:
        self.target = target
        self.irs, self.iss = 10_000, 0
        self.ports = 4000, 8080  # ours, the target's
        self.last = b""  # the last packet that the target sent
        self.sent: list[tuple[str, int, int]] = []  # what the target sent: flags, sequence number, bytes

    def rx(self, flags: str, seq: int = 0, ack: int = 0, size: int = 0, win: int = 65_535, **options: int) -> None:
        """A segment for the target; options: mss, ws."""
        listed: list[tuple[str, object]] = [("MSS", options["mss"])] if "mss" in options else []
        listed += [("NOP", None), ("WScale", options["ws"])] if "ws" in options else []
        tcp = TCP(
            sport=self.ports[0], dport=self.ports[1], seq=(self.irs + seq) & 0xFFFFFFFF, window=win, options=listed,
            ack=(self.iss + ack) & 0xFFFFFFFF if "A" in flags else 0,
            flags=sum(1 << "FSRPA".index(flag) for flag in flags),
        )  # fmt: skip
        packet = IP(src=THEM, dst=US, ttl=64) / tcp
        self.target.inject(bytes(packet / bytes(size) if size else packet))
        self.quiet(2)

    def quiet(self, ms: float) -> None:
        """Time passes; what the target sends is noted."""
        until = self.target.now + int(ms * MS)
        while (packet := self.target.wait(until)) is not None:
            self.last = packet.data
            self._note(packet.data)

    def _note(self, raw: bytes) -> None:
        if raw[0] >> 4 != 4 or raw[9] != 6:
            return
        sport, dport, seq, _, offset, flags = struct.unpack_from("!HHIIBB", raw, 20)
        if flags & 2:
            self.iss, self.ports = seq, (dport, sport)
        names = "".join(name for bit, name in enumerate("FSRPA") if flags >> bit & 1)
        self.sent.append((names, (seq - self.iss) & 0xFFFFFFFF, len(raw) - 20 - (offset >> 4) * 4))

    def call(self, name: str, *args: Any) -> Any:
        """A system call that must succeed; its result."""
        back = self.target.call(name, *args)
        assert back.errno == 0, f"{name}{args}: {back}"
        return back.result

    def passive(self, win: int = 65_535, ws: int | None = 7, **options: int) -> int:
        """A connection that the peer opens; its descriptor. options: levels and names of options are in OPTIONS."""
        listener = self.call("socket", AF_INET, SOCK_STREAM, 0)
        self.call("bind", listener, (US, 8080))
        self.call("listen", listener, 5)
        self.rx("S", win=win, mss=1460, **({"ws": ws} if ws is not None else {}))
        self.rx("A", seq=1, ack=1, win=win)
        fd = self.call("accept4", listener, SOCK_NONBLOCK)
        self.call("setsockopt", fd, SOL_TCP, TCP_NODELAY, i32(1))
        return int(fd)

    def connecting(self) -> int:
        fd = self.call("socket", AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)
        assert self.target.connect(fd, (THEM, 8080)).errno == 115
        self.quiet(2)
        return int(fd)

    def active(self, win: int = 65_535) -> int:
        """A connection that the target opens."""
        fd = self.connecting()
        self.rx("SA", ack=1, win=win, mss=1460, ws=7)
        self.call("setsockopt", fd, SOL_TCP, TCP_NODELAY, i32(1))
        return fd

    def send(self, fd: int, *sizes: int) -> int:
        """Write so many bytes at a time until there is no room; how many were taken."""
        taken = 0
        for size in sizes:
            back = self.target.send(fd, bytes(size))
            taken += max(back.result, 0)
        self.quiet(2)
        return taken


@contextmanager
def lab(**sysctls: str) -> Iterator[Peer]:
    yield Peer(Calls(sysctls={**SYSCTLS, **sysctls}))


@contextmanager
def kernel(**sysctls: str) -> Iterator[Peer]:
    """Skips where there is no kernel to ask."""
    try:
        target = Kernel(sysctls={**SYSCTLS, **sysctls})
    except NoKernelError as why:
        pytest.skip(f"no kernel to ask: {why}")
    with target:
        yield Peer(target)
