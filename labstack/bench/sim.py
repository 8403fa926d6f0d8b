# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast the simulator is: bulk transfers between two hosts with the whole of TCP, in frames a second of CPU time.

Every frame that arrives at a host counts, acknowledgments too. MTU 1500, one frame an event, both hosts and the
applications in the same process.
"""

from collections.abc import Callable
from statistics import median
from time import process_time
from typing import NamedTuple

from labstack.bench.table import Row
from labstack.core.config import MS, SECOND
from labstack.sim.history import History
from labstack.sim.lan import lan
from labstack.sim.wire import Delay, Loss, Wire
from labstack.sim.world import World
from labstack.tcp import sndbuf

GOAL = 50_000  # frames a second
SIZE = 4 << 20  # bytes of a transfer
TURN = MS // 2  # ns of virtual time between two looks of the applications
CHUNK = bytes(1 << 18)


class Bulk(NamedTuple):
    """A world with a connection from h1 to h2, and its socket on each side."""

    world: World
    client: int
    server: int


def connected(wire: Wire, connections: int = 1, gso: int = 0, addr: str = "10.0.0.2") -> list[Bulk]:
    """Connections between two hosts that are otherwise idle, all in one world."""
    world = lan(2, wire=wire, gso=gso)
    listener = world.now_call("h2", "listen", 80)
    made = []
    for _ in range(connections):
        client = world.now_call("h1", "connect", addr, 80)
        world.run(lambda world: bool(world.hosts["h2"].listeners[listener].ready))
        made.append(Bulk(world, client, world.now_call("h2", "accept", listener)[0]))
    world.run(world.now + SECOND)
    return made


def pump(bulk: Bulk, size: int, through: World | History) -> None:
    """Send `size` bytes from h1 to h2, in virtual time, by calls and runs of `through` (the world or its history)."""
    world, client, server = bulk
    sender, receiver = world.hosts["h1"].conns[client].snd, world.hosts["h2"].conns[server].rcv
    left, got = size, 0
    while got < size:
        if left and sndbuf.queued(sender) < sender.limit:
            left -= through.now_call("h1", "send", client, CHUNK[:left])
        through.run(world.now + TURN)
        if receiver.queued:
            got += sum(map(len, through.now_call("h2", "take", server)))


def _frames_a_second(wire: Wire, size: int, gso: int = 0, history: bool = False) -> float:
    (bulk,) = connected(wire, gso=gso)
    through: World | History = History(bulk.world) if history else bulk.world
    if history:
        through.trace()
    before, began = _arrived(bulk.world), process_time()
    pump(bulk, size, through)
    return (_arrived(bulk.world) - before) / (process_time() - began)


def _arrived(world: World) -> int:
    return sum(host.env.count["LinkInFrames"] for host in world.hosts.values())


def run(rounds: int = 5) -> list[Row]:
    """The median of interleaved rounds of each row; ratio: to the goal for full TCP, where one is set."""
    near = Delay(MS // 10)
    rows: dict[str, Callable[[], float]] = {
        "TCP bulk": lambda: _frames_a_second(near, SIZE),
        "TCP bulk, super-segments": lambda: _frames_a_second(near, 8 * SIZE, gso=65_535),
        "TCP bulk, loss 1 %": lambda: _frames_a_second(Loss(near, 0.01), SIZE),
        "TCP bulk, history and trace": lambda: _frames_a_second(near, SIZE // 4, history=True),
    }
    figures: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(rounds):
        for name, measure in rows.items():
            figures[name].append(measure())
    found = {name: median(values) for name, values in figures.items()}
    goals: dict[str, float] = {"TCP bulk": GOAL}
    return [
        Row("sim", name, value, "frames/s", goals.get(name), value / goals[name] if name in goals else None)
        for name, value in found.items()
    ]
