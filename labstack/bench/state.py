# SPDX-License-Identifier: GPL-2.0-or-later
"""What it costs to clone, compare and step: the price of going back, of forking and of asking what if.

The busy connection is a real one: in the middle of a transfer over a lossy wire, with 200 pieces waiting to be sent.
"""

import copy
from collections.abc import Callable
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

from labstack.bench.sim import connected
from labstack.bench.table import Row
from labstack.core.config import MS
from labstack.sim.history import History
from labstack.sim.wire import Delay, Loss
from labstack.sim.world import World
from labstack.tcp import sndbuf
from labstack.tcp.conn import Conn

STEP, STEP_GOAL = "step with history and trace", 60.0  # us
PIECES = 200
CONNECTIONS = 4


def busy() -> Conn:
    """A connection in the middle of things."""
    (bulk,) = connected(Loss(Delay(MS), 0.02))
    world, client, server = bulk
    for _ in range(40):
        world.run(world.now + 2 * MS)
        conn = world.hosts["h1"].conns[client]
        while sndbuf.queued(conn.snd) < conn.snd.limit and len(conn.snd.out) < PIECES * 500:
            world.now_call("h1", "send", client, bytes(500))
        if world.now_call("h2", "readable", server):
            world.now_call("h2", "recv", server)
    return world.hosts["h1"].conns[client]


def quiet() -> World:
    """Two idle hosts with a few connections."""
    return connected(Delay(), CONNECTIONS)[0].world


def stepping(history: History, count: int = 200) -> float:
    """Microseconds of a step of small exchanges between two hosts, with every rule traced and every step undoable."""
    client = next(iter(history.world.hosts["h1"].conns))
    began, first = perf_counter(), history.n
    while history.n - first < count:
        history.call("h1", "send", client, b"x" * 100)
        history.run(history.world.now + 100 * MS)
    return (perf_counter() - began) / (history.n - first) * 1e6


def _each(work: Callable[[], Any], times: int) -> float:
    """Microseconds of one `work()`."""
    began = perf_counter()
    for _ in range(times):
        work()
    return (perf_counter() - began) / times * 1e6


def run(rounds: int = 5) -> list[Row]:
    """The median of interleaved rounds, in us; reference: deepcopy of the same, or the goal."""
    conn, world = busy(), quiet()
    twin = conn.clone()
    twin.snd.una += 1
    history = History(quiet())
    history.trace()
    env = world.hosts["h1"].env
    rows: dict[str, Callable[[], float]] = {
        "clone of a busy connection": lambda: _each(conn.clone, 2000),
        "deepcopy of a busy connection": lambda: _each(lambda: copy.deepcopy(conn), 20),
        "diff of a busy connection": lambda: _each(lambda: conn.diff(twin), 2000),
        f"clone of a world, 2 hosts with {CONNECTIONS} connections": lambda: _each(world.clone, 500),
        f"deepcopy of a world, 2 hosts with {CONNECTIONS} connections": lambda: _each(lambda: copy.deepcopy(world), 5),
        STEP: lambda: stepping(history),
        "a rule named, trace off": lambda: _each(partial(env.note, "9293/3.10.7.4/text/accept", 1, 1460), 20_000),
    }
    figures: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(rounds):
        for name, measure in rows.items():
            figures[name].append(measure())
    found = {name: median(values) for name, values in figures.items()}
    references = {name: found[name.replace("clone", "deepcopy")] for name in found if name.startswith("clone")}
    references[STEP] = STEP_GOAL
    return [
        Row("state", name, value, "us", references.get(name), references[name] / value if name in references else None)
        for name, value in found.items()
    ]
