# SPDX-License-Identifier: GPL-2.0-or-later
"""How fast a transfer is in virtual time, by loss, round-trip time, buffers and congestion control: a golden table.

One connection sends as much as it can; frames are lost at random in both directions; the wire has no other limit. A
cell is what arrived at the application, in kB/s, from the SYN to the last byte or to the end of MOST. Nothing here
depends on the machine: a cell that changes is a change of TCP. `labstack bench goodput > docs/goodput.md`.
"""

from collections.abc import Iterable, Iterator
from itertools import product
from random import Random
from typing import NamedTuple

from labstack.bench.table import Row
from labstack.core.config import MS, SECOND, SYSCTLS, Config
from labstack.core.errors import StackError
from labstack.core.event import ACCEPTABLE, READABLE, WRITABLE
from labstack.sim.lan import lan
from labstack.sim.wire import Delay, Loss, Wire
from labstack.sim.world import World

SIZE = 10 << 20  # bytes
MOST = 60 * SECOND  # of virtual time
CHUNK = bytes(1 << 16)
LOSSES = (0, 1, 2, 5, 10, 20, 30)  # %
RTTS = (10, 100)  # ms
BUFFERS = (32 << 10, 256 << 10, 4 << 20)  # bytes, on both sides
CONTROL = "net.ipv4.tcp_congestion_control"
ROUGH, SEEDS = 10, 3  # from so much loss on a cell is the mean of so many seeds, because one is too much by chance
SMOLTCP = {10: 37_775, 20: 6_079, 30: 1_156}  # B/s that it publishes, by loss, for these:
SMALL, FAR = BUFFERS[0], RTTS[1]
WINDOW, MSS = 26, 1448  # segments that are under way with SMALL buffers, and their bytes


class Cell(NamedTuple):
    controller: str
    rtt: int  # ms
    buffer: int  # bytes
    loss: int  # %


def controllers() -> tuple[str, ...]:
    return SYSCTLS[CONTROL].words


def cells() -> Iterator[Cell]:
    """The whole table."""
    return (Cell(*it) for it in product(controllers(), RTTS, BUFFERS, LOSSES))


def goodput(cell: Cell, amount: int = SIZE, most: int = MOST) -> float:
    """Bytes a second that arrive at the application."""
    seeds = SEEDS if cell.loss >= ROUGH else 1
    return sum(transfer(cell, amount, most, seed) for seed in range(1, seeds + 1)) / seeds


def transfer(cell: Cell, amount: int, most: int, seed: int) -> float:
    """The same for one seed; no longer than `most` ns."""
    config = Config().replace({CONTROL: controllers().index(cell.controller)})
    wire: Wire = Delay(cell.rtt * MS // 2)
    world = lan(2, seed, Loss(wire, cell.loss / 100) if cell.loss else wire, config)
    options = {"rcvbuf": cell.buffer, "sndbuf": cell.buffer}
    listener = world.now_call("h2", "listen", 80, b"", 1, 0, options)
    client, server = world.now_call("h1", "connect", "10.0.0.2", 80, 0, b"", 0, 0, options), 0
    left, got = amount - _fill(world, client, amount), 0
    while got < amount and (record := world.step(most)) is not None:
        for sock, what in record.wakes:
            if record.host == "h1":
                if what & WRITABLE:
                    left -= _fill(world, client, left)
            elif what & ACCEPTABLE:
                server = world.now_call("h2", "accept", listener)[0]
            elif sock == server and what & READABLE:
                got += sum(map(len, world.now_call("h2", "take", server)))
    return got * SECOND / (world.now if got >= amount else most)


def _fill(world: World, sock: int, left: int) -> int:
    """Write until there is no more room; returns how much that was."""
    done = 0
    while done < left:
        asked = min(left - done, len(CHUNK))
        try:
            sent: int = world.now_call("h1", "send", sock, CHUNK[:asked])
        except StackError:
            return done
        done += sent
        if sent < asked:
            return done
    return done


def ideal(loss: int, timer: bool, segments: int = 100_000) -> float:
    """Bytes a second, for SMALL and FAR, of a sender that repeats what was lost one round trip after it sent it, and
    whose ACKs are never lost; `timer`: it waits for the retransmission timer when a retransmission is lost (Linux's,
    3 round trips here, doubled each time)."""
    chance, covered, latest = Random(1), [0.0] * segments, 0.0  # when all up to a segment has come, in round trips
    for n in range(segments):
        came, wait, sent = covered[n - WINDOW] + 1 if n >= WINDOW else 1.0, 3, 1
        while chance.random() < loss / 100:
            sent += 1
            came += wait if timer and sent > 2 else 1
            wait *= 2 if sent > 2 else 1
        covered[n] = latest = max(latest, came)
    return segments / latest * MSS / (FAR / 1e3)


def run(rounds: int = 1) -> list[Row]:
    """Every cell, in kB/s; compared with smoltcp where that says how fast it is. One round is as good as many."""
    return [_row(cell, goodput(cell)) for cell in cells()]


def _row(cell: Cell, value: float) -> Row:
    name = f"{cell.controller}, {cell.rtt} ms, {size(cell.buffer)}, loss {cell.loss} %"
    theirs = SMOLTCP.get(cell.loss) if (cell.buffer, cell.rtt) == (SMALL, FAR) else None
    return Row("goodput", name, kilo(value), "kB/s", theirs and theirs / 1e3, theirs and value / theirs)


def kilo(value: float) -> float:
    """kB/s with three figures, as the table has it."""
    return float(f"{value / 1e3:.3g}")


def size(buffer: int) -> str:
    return f"{buffer >> 10} KiB" if buffer < 1 << 20 else f"{buffer >> 20} MiB"


def render(rows: Iterable[Row]) -> str:
    """The page docs/goodput.md: a table for each round-trip time and buffer, and how we compare with smoltcp."""
    values = {row.row: row for row in rows}
    lines = [HEAD]
    for rtt, buffer in product(RTTS, BUFFERS):
        lines += [f"\n## RTT {rtt} ms, buffers of {size(buffer)}\n"]
        lines += ["| kB/s | " + " | ".join(f"{loss} %" for loss in LOSSES) + " |", "|---|" + "---|" * len(LOSSES)]
        for name in controllers():
            found = [values[_row(Cell(name, rtt, buffer, loss), 0).row] for loss in LOSSES]
            lines.append(f"| {name} | " + " | ".join(_told(row) for row in found) + " |")
    lines += [
        BOUND,
        "\n| kB/s | " + " | ".join(f"{loss} %" for loss in SMOLTCP) + " |",
        "|---|" + "---|" * len(SMOLTCP),
    ]
    for name, timer in (("knows each loss", False), ("has Linux's timer", True)):
        found = [_row(Cell(name, FAR, SMALL, loss), ideal(loss, timer)) for loss in SMOLTCP]
        lines.append(f"| {name} | " + " | ".join(_told(row) for row in found) + " |")
    return "\n".join(lines)


def _told(row: Row) -> str:
    return f"{row.value:g}" + (f" ({row.ratio:.1f}×)" if row.ratio else "")


def stored(page: str) -> dict[Cell, float]:
    """What a page made by render() says, in kB/s."""
    found: dict[Cell, float] = {}
    rtt = buffer = 0
    for line in page.splitlines():
        words = line.replace("|", " ").split()
        if line.startswith("## RTT"):
            rtt = int(words[2])
            buffer = int(words[6]) << (10 if words[7] == "KiB" else 20)
        elif rtt and words and words[0] in controllers():
            figures = [float(word) for word in words[1:] if not word.startswith("(")]
            found |= {Cell(words[0], rtt, buffer, loss): it for loss, it in zip(LOSSES, figures, strict=True)}
    return found


HEAD = """# Goodput in virtual time

Made by `labstack bench goodput > docs/goodput.md`, which takes ten minutes. One connection sends 10 MiB, or for 60 s
of virtual time; frames are lost at random in both directions, and the wire has no other limit; buffers are those of
both sides. A cell is what arrived at the application, in kB/s from the SYN to the last byte. From 10 % loss on a cell
is the mean of three seeds. Nothing here depends on the machine, so a cell that changes is a change of TCP: tests/bench
computes some of them again and compares. In parentheses: how much faster than what smoltcp publishes for these
conditions (37.8, 6.08 and 1.16 kB/s)."""
BOUND = """
## What could be, at RTT 100 ms with buffers of 32 KiB

A sender that knows of every loss one round trip later, and whose ACKs all arrive, is as fast as the window allows. One
that sees a retransmission lost only by its retransmission timer, as RFC 6298 and RFC 8985 §7.2 have it when the window
is full and nothing else can be acknowledged, is slower: this is what a controller without a limit of its own comes
near to. Reno and CUBIC keep to what their equation gives them (MSS / RTT × 1.22 / √loss is 56 kB/s at 10 %)."""
