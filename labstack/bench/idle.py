# SPDX-License-Identifier: GPL-2.0-or-later
"""What a connection costs that does nothing: a thousand of them, opened by the kernel, held, and then closed.

Processor time and turns of the loop while nothing happens; memory by Python's own account and the system's.
"""

import gc
import time
import tracemalloc
from collections.abc import Callable

from labstack.bench.crowd import Echo, peer, resident, said
from labstack.bench.table import Row
from labstack.live.host import LiveHost, up

COUNT = 1000  # connections
SECONDS = 5  # for which they are held
OURS = "10.0.0.1"
PATIENCE = 60  # s until what was closed is forgotten
BOUND = 10.0  # kB each, that one may cost


def run(rounds: int = 1) -> list[Row]:
    """Figures of one run; more rounds would say the same. Raises NoWireError, RuntimeError."""
    with up("tap") as host:
        Echo(host)
        held, took, whole = hold(host, COUNT, SECONDS, resident)
        tracemalloc.start()  # costs memory of its own, so once more
        try:
            traced = hold(host, COUNT, 0, lambda: tracemalloc.get_traced_memory()[0])[2]
        finally:
            tracemalloc.stop()
        cpu, turns = took
        return [
            Row("idle", "connections held", held, "", COUNT, held / COUNT),
            Row("idle", "processor while they are held", cpu * 100, "%", None, None),
            Row("idle", "turns of the loop meanwhile", turns, "", None, None),
            Row("idle", "memory of each, as Python counts", traced, "kB", BOUND, BOUND / traced),
            Row("idle", "memory of each, resident", whole, "kB", BOUND, BOUND / max(whole, 0.001)),
            Row("idle", "connections left when all was closed", len(host.stack.conns), "", None, None),
        ]


def hold(host: LiveHost, count: int, seconds: float, memory: Callable[[], int]) -> tuple[int, tuple[float, int], float]:
    """Have the kernel hold so many connections: how many there are; processor time (s a second) and turns of the loop
    meanwhile; kB each, by this measure of memory (bytes)."""
    gc.collect()
    before = memory()
    with peer(host, "hold", OURS, count) as process:
        said(process)
        time.sleep(0.5)  # until the last ACK was not delayed any more
        gc.collect()
        held, each = len(host.stack.conns), memory() - before
        turns, cpu = host.loop.turns, time.process_time()
        time.sleep(seconds)
        took = (time.process_time() - cpu) / max(seconds, 1), host.loop.turns - turns
        process.communicate("", timeout=60)
    end = time.monotonic() + PATIENCE
    while host.stack.conns and time.monotonic() < end:
        time.sleep(0.1)
    return held, took, each / max(held, 1) / 1e3
