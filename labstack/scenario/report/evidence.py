# SPDX-License-Identifier: GPL-2.0-or-later
"""Evidence of a failure: the ladder up to that instant, the connections' variables and timers, and a capture.

From our own stack it is made of its history, with the rules behind each packet; from any other target, of what
passed between it and the runner (watch.Watch).
"""

from collections.abc import Iterable, Mapping, Sequence
from shutil import get_terminal_size
from typing import Any

from labstack.core.record import Record
from labstack.core.rules import Rule
from labstack.lab.capture import packets, pcap
from labstack.lab.lab import Lab
from labstack.lab.ladder import Ladder
from labstack.lab.tcb import variables
from labstack.lab.view import Line, Span
from labstack.scenario.report.watch import Watch
from labstack.scenario.verdict import Evidence
from labstack.stack.rules import RULES

ROWS = 24  # of a ladder
LINES = 60  # of sockets, of variables, of timers
NARROWEST, USUAL, WIDEST = 110, 150, 170  # columns


def of_history(history: Any, at: int) -> Evidence:
    """As it was at the time `at` (ns) of a sim.History, which is left there."""
    n = history.when(at)
    history.goto(n)
    lab = Lab.of(history)
    parts = _titled("sockets", lab.ss()), variables(lab.hosts).rows, _titled("timers", lab.timers())
    return _evidence(lab.records, lab.names, RULES, [line for part in parts for line in _first(list(part))], n)


def of_watch(watch: Watch) -> Evidence:
    """What passed, and what the host says of its sockets now."""
    return _evidence(watch.records(), watch.names, {}, _infos(watch.infos()))


def _evidence(
    records: Sequence[Record], names: Sequence[str], rules: Mapping[str, Rule], state: Iterable[Line], n: int = 0
) -> Evidence:
    ladder = tuple(Ladder(records, names, rules, ROWS).lines(width()))
    return Evidence(ladder, tuple(state), pcap(records, names, packets(records, names, rules)), n)


def width() -> int:
    """Columns of what is to be shown: the terminal's, if there is one."""
    return max(NARROWEST, min(get_terminal_size((USUAL, 0)).columns, WIDEST))


def _first(lines: list[Line]) -> Iterable[Line]:
    yield from lines[:LINES]
    if len(lines) > LINES:
        yield [Span(f"  … {len(lines) - LINES} lines more", "dim")]


def _titled(title: str, lines: Any) -> Iterable[Line]:
    yield [Span(title, "head")]
    for line in lines.lines(width()):
        yield [Span("  "), *line]


def _infos(infos: Mapping[int, Mapping[str, int]]) -> Iterable[Line]:
    """TCP_INFO of each socket, what is 0 left out."""
    for fd, info in infos.items():
        yield [Span(f"tcp_info of descriptor {fd}", "head")]
        words = [f"{name} {value}" for name, value in info.items() if value]
        for i in range(0, len(words), 8):
            yield [Span("  " + "  ".join(words[i : i + 8]))]
