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
from labstack.lab.view import Line, Span
from labstack.scenario.report.watch import Watch
from labstack.scenario.verdict import Evidence
from labstack.stack.rules import RULES
from labstack.tcp import castate
from labstack.tcp.cc.controller import INFINITE
from labstack.tcp.conn import Conn

ROWS = 24  # of a ladder
LINES = 60  # of sockets, of variables, of timers
NARROWEST, USUAL, WIDEST = 110, 150, 170  # columns


def of_history(history: Any, at: int) -> Evidence:
    """As it was at the time `at` (ns) of a sim.History, which is left there."""
    n = history.when(at)
    history.goto(n)
    lab = Lab.of(history)
    parts = _titled("sockets", lab.ss()), _variables(lab), _titled("timers", lab.timers())
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


def _variables(lab: Lab) -> Iterable[Line]:
    """RFC 9293 §3.3.1's variables of every connection; sequence numbers count from the initial ones."""
    for host in lab.hosts:
        for conn in host.stack.conns.values():
            yield [Span(f"variables of {host.name}'s socket {conn.sock}", "head"), Span(f" {conn.state}", "state")]
            for words in _block(conn):
                yield [Span(f"  {words}")]


def _block(conn: Conn) -> Iterable[str]:
    snd, rcv = conn.snd, conn.rcv
    ssthresh = snd.cc.ssthresh if snd.cc.ssthresh < INFINITE else "-"
    una = snd.una if conn.half is None else snd.iss  # our SYN waits for its ACK (RFC 9293 §3.10.7.2): see tcp/half.py
    yield (
        f"SND.UNA {una - snd.iss}  SND.NXT {snd.nxt - snd.iss}  SND.WND {snd.wnd}  "
        f"queued {snd.out.end - snd.out.start}  mss {snd.mss}"
    )
    yield (
        f"cwnd {snd.cc.cwnd}  ssthresh {ssthresh}  rto {snd.rtt.rto / 1e6:g} ms  "
        f"timeouts {snd.retries}  {castate.NAMES[snd.loss.state]}"
    )
    it = snd.flight
    yield f"in flight: {it.out} segments, {it.sacked} arrived, {it.lost} lost, {it.retrans} sent again"
    islands = " ".join(f"{start - rcv.irs}:{end - rcv.irs}" for start, end, _ in rcv.islands)
    yield (
        f"RCV.NXT {rcv.nxt - rcv.irs}  RCV.WND {rcv.edge - rcv.nxt}  to read {rcv.queued}"
        + (f"  beyond a gap {islands}" if islands else "")
        + (f"  FIN at {rcv.fin - rcv.irs}" if rcv.fin is not None else "")
    )


def _infos(infos: Mapping[int, Mapping[str, int]]) -> Iterable[Line]:
    """TCP_INFO of each socket, what is 0 left out."""
    for fd, info in infos.items():
        yield [Span(f"tcp_info of descriptor {fd}", "head")]
        words = [f"{name} {value}" for name, value in info.items() if value]
        for i in range(0, len(words), 8):
            yield [Span("  " + "  ".join(words[i : i + 8]))]
