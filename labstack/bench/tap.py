# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast the live stack is, with offload and without, as a ratio to the kernel's own stack across a veth pair.

The same socket programs (tap_peer.py) talk to our stack and to the kernel in another namespace, in turn within each
round, so only ratios of one round are compared. Without offload the kernel segments in software too. Cubic and pinned
on both sides: bulk with a CPU for each end, round trips with both ends on one. Content is checked once by hash, and the
kernel's counters of trouble (retransmissions, PAWS, drops) are rows of the result.
"""

import json
import os
import platform
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from statistics import median
from typing import Any, NamedTuple

from labstack.bench import tap_peer
from labstack.bench.table import Row
from labstack.bench.tap_apps import Server
from labstack.core.config import Config
from labstack.live.host import LiveHost, up
from labstack.live.namespace import Namespace, StepError
from labstack.live.wire import TXQUEUELEN, Plan

WINDOW = 4 << 20  # bytes, of our socket buffers; the kernel's grow to 6 MiB
CHECKED = 8 << 20  # bytes of the transfers whose content is checked
PAIR = ("10.1.0.1", "10.1.0.2")
OURS = "10.0.0.1"


class Task(NamedTuple):
    """What to measure. amount: with offload, and without; together: both ends on one CPU; less: smaller is better."""

    name: str
    role: str
    unit: str
    amount: tuple[int, int]
    together: bool = False
    less: bool = False


TASKS = (
    Task("bulk receive", "send", "Gbit/s", (256 << 20, 24 << 20)),
    Task("bulk send", "fetch", "Gbit/s", (256 << 20, 24 << 20)),
    Task("1-byte ping-pong", "pingpong", "k/s", (3000, 3000), together=True),
    Task("ICMP echo p50", "icmp", "us", (3000, 3000), together=True, less=True),
    Task("UDP echo", "udp", "k/s", (10_000, 10_000)),
    Task("connect/close", "connect", "k/s", (500, 500), together=True),
)


class Kernel:
    """Two namespaces joined by a veth pair, and a server in the second."""

    def __init__(self, offload: bool, cpu: int, stack: ExitStack) -> None:
        self.near = stack.enter_context(_closing(_namespace()))
        self.far = stack.enter_context(_closing(Namespace(False, within=self.near)))
        self.near.ask("pair", "veth0", "veth1")
        self.near.ask("move", "veth1", self.far.pid)
        for space, name, address in ((self.near, "veth0", PAIR[0]), (self.far, "veth1", PAIR[1])):
            for feature in () if offload else ("tso", "gso", "gro"):
                space.ask("switch", name, feature, False)
            space.ask("shape", name, b"", 1500, TXQUEUELEN)
            space.ask("address", name, address + "/24")
            space.ask("up", name, True)
        argv = [sys.executable, tap_peer.__file__, str(cpu), "serve", PAIR[1]]
        server = stack.enter_context(self.far.popen(argv, stdout=subprocess.PIPE, text=True))
        stack.callback(server.kill)
        assert server.stdout
        server.stdout.readline()


class _closing:
    def __init__(self, space: Namespace) -> None:
        self.space = space

    def __enter__(self) -> Namespace:
        return self.space

    def __exit__(self, *_: object) -> None:
        self.space.close()


def _namespace() -> Namespace:
    try:
        return Namespace(False)
    except StepError:
        return Namespace(True)


class Mode:
    """One offload mode: our stack and the kernel's, each with its server, and what the kernel counted meanwhile."""

    def __init__(self, offload: bool, cpus: tuple[int, int], stack: ExitStack) -> None:
        self.offload = offload
        self.cpus = cpus
        config = Config().replace(dict.fromkeys(("net.ipv4.tcp_rmem.default", "net.ipv4.tcp_wmem.default"), WINDOW))
        self.ours: LiveHost = stack.enter_context(up("tap", plan=Plan(offload=offload), config=config))
        self.server = Server(self.ours)
        self.kernel = Kernel(offload, cpus[0], stack)
        self.trouble: Counter[str] = Counter()

    def measure(self, task: Task) -> tuple[float, float]:
        """Ours and the kernel's."""
        amount = task.amount[0 if self.offload else 1]
        cpu = self.cpus[0 if task.together else 1]
        ours = play(self.ours.wire.popen, cpu, task.role, OURS, amount)
        self.trouble.update(ours["kernel"])
        theirs = play(self.kernel.near.popen, cpu, task.role, PAIR[1], amount)
        return ours["value"], theirs["value"]

    def check(self) -> int:
        """How many of the two directions carried exactly the bytes that were sent."""
        self.server.check = True
        play(self.ours.wire.popen, self.cpus[1], "send", OURS, CHECKED)
        self.server.check = False
        received = self.ours.loop.ask(self.server.digest.hexdigest) == tap_peer.stream(CHECKED)
        sent = play(self.ours.wire.popen, self.cpus[1], "check", OURS, CHECKED)["value"]
        return int(received) + int(sent)


def play(popen: Callable[..., Any], cpu: int, role: str, address: str, amount: int) -> dict[str, Any]:
    """Have a peer play a role: its result. Raises RuntimeError with the peer's last words if it fails."""
    pipe = subprocess.PIPE
    argv = [sys.executable, tap_peer.__file__, str(cpu), role, address, str(amount)]
    with popen(argv, stdout=pipe, stderr=pipe, text=True) as process:
        out, err = process.communicate(timeout=120)
    if process.returncode:
        raise RuntimeError(f"{role} against {address} failed: {err.strip().rpartition(chr(10))[2]}")
    result: dict[str, Any] = json.loads(out)
    return result


def run(rounds: int = 5) -> list[Row]:
    """Medians of interleaved rounds; ratio: the median of each round's, ours to the kernel's, greater being better.

    Raises NoWireError when there is no wire to the kernel.
    """
    allowed = os.sched_getaffinity(0)
    cpus = min(allowed), max(allowed)
    figures: dict[tuple[bool, Task], list[tuple[float, float]]] = {}
    with ExitStack() as stack:
        stack.callback(os.sched_setaffinity, 0, allowed)
        os.sched_setaffinity(0, {cpus[0]})
        modes = [Mode(offload, cpus, stack) for offload in (True, False)]
        _say(modes[0].ours, cpus)
        equal = [mode.check() for mode in modes]
        for _ in range(rounds):
            for task in TASKS:
                for mode in modes:
                    figures.setdefault((mode.offload, task), []).append(mode.measure(task))
        rows = [_row(offload, task, pairs) for (offload, task), pairs in figures.items()]
        return sorted(rows, key=lambda row: "plain" in row.row) + _evidence(modes, equal)


def _row(offload: bool, task: Task, pairs: list[tuple[float, float]]) -> Row:
    ratio = median(theirs / ours if task.less else ours / theirs for ours, theirs in pairs)
    name = f"{task.name}, {'offload' if offload else 'plain'}"
    return Row("tap", name, median(p[0] for p in pairs), task.unit, median(p[1] for p in pairs), ratio)


def _evidence(modes: list[Mode], equal: list[int]) -> list[Row]:
    """What shows that the run was right: equal hashes, and whatever went wrong on the way, in both kernels' words."""
    rows = [Row("tap", "streams equal by SHA-256", sum(equal), "of 4", 4, sum(equal) / 4)]
    trouble: Counter[str] = Counter()
    for mode in modes:
        trouble += mode.trouble + Counter(mode.ours.drops)
    return rows + [Row("tap", f"trouble: {name}", count, "times", None, None) for name, count in trouble.items()]


def _say(ours: LiveHost, cpus: tuple[int, int]) -> None:
    """The conditions, to standard error."""
    sys.stderr.write(
        f"Python {platform.python_version()} ({platform.python_compiler()}), {ours.wire.how}, MTU 1500, "
        f"offload {ours.wire.device.offload:#x}, window {WINDOW >> 20} MiB, cubic, no trace, "
        f"CPUs {cpus[0]} and {cpus[1]}\n"
    )
