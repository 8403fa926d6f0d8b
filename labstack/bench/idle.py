# SPDX-License-Identifier: GPL-2.0-or-later
"""What a connection costs that does nothing: a thousand of them, opened by the kernel, held, and then closed.

Processor time and turns of the loop while nothing happens; memory by Python's own account and the system's.
"""

import gc
import time
import tracemalloc

from labstack.bench.crowd import Echo, peer, resident, said
from labstack.bench.table import Row
from labstack.live.host import LiveHost, up

COUNT = 1000  # connections
SECONDS = 5  # for which they are held
OURS = "10.0.0.1"
PATIENCE = 20  # s until what was closed is forgotten
BOUND = 10.0  # kB each, that one may cost


def run(rounds: int = 1) -> list[Row]:
    """Figures of one run; more rounds would say the same. Raises NoWireError, RuntimeError."""
    with up("tap") as host:
        Echo(host)
        tracemalloc.start()
        try:
            return measured(host, COUNT, SECONDS)
        finally:
            tracemalloc.stop()


def measured(host: LiveHost, count: int, seconds: float) -> list[Row]:
    """The rows; memory is traced already."""
    before = memory()
    with peer(host, "hold", OURS, count) as process:
        said(process)
        time.sleep(0.5)  # until the last ACK was not delayed any more
        after = memory()
        held, turns, cpu = len(host.stack.conns), host.loop.turns, time.process_time()
        time.sleep(seconds)
        cpu, turns = time.process_time() - cpu, host.loop.turns - turns
        process.communicate("", timeout=60)
    end = time.monotonic() + PATIENCE
    while host.stack.conns and time.monotonic() < end:
        time.sleep(0.1)
    traced, whole = ((b - a) / max(held, 1) / 1e3 for a, b in zip(before, after, strict=True))
    return [
        Row("idle", "connections held", held, "", count, held / count),
        Row("idle", "processor while they are held", cpu / seconds * 100, "%", None, None),
        Row("idle", "turns of the loop meanwhile", turns, "", None, None),
        Row("idle", "memory of each, as Python counts", traced, "kB", BOUND, BOUND / traced),
        Row("idle", "memory of each, resident", whole, "kB", BOUND, BOUND / max(whole, 0.001)),
        Row("idle", "connections left when all was closed", len(host.stack.conns), "", None, None),
    ]


def memory() -> tuple[int, int]:
    """Bytes, by Python's account and the system's."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0], resident()
