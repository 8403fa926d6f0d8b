# SPDX-License-Identifier: GPL-2.0-or-later
"""What must hold after every event, and what must be left when everything is over. Raises BrokenError."""

from collections import Counter
from typing import Any

from labstack.core import kinds
from labstack.core.counters import unbalanced
from labstack.core.event import Became, Note, Rx
from labstack.core.record import Record
from labstack.fuzz.broken import BrokenError
from labstack.fuzz.intact import intact
from labstack.sim.world import World
from labstack.stack.stack import Stack
from labstack.tcp.conn import Conn
from labstack.tcp.states import CLOSED, SYN_SENT

ROOM = 4096  # bytes and pieces by which a bound may be passed: rounding, tiny buffers
HEAP = 2000  # entries of the timers' heap

Mark = tuple[int, int, int, int, str]  # SND.UNA, RCV.NXT, the window's edge, the largest buffer so far, the state


class Judge:
    """seen: what was covered and how often, for the summary; strict: look at every counter and every frame, too."""

    def __init__(self, strict: bool = False) -> None:
        self.strict = strict
        self.seen: Counter[str] = Counter()
        self.states: set[str] = set()
        self.rules: set[str] = set()
        self.marks: dict[str, dict[int, Mark]] = {"h1": {}, "h2": {}}
        self.flight = {"h1": 0, "h2": 0}

    def after(self, world: World, record: Record) -> None:
        """An event has happened at a host."""
        if record.fault:
            raise BrokenError("a fault was contained:\n" + record.fault)
        host = world.hosts[record.host]
        host.check()
        self._conns(host)
        if len(host.env.timers.heap) > HEAP:
            raise BrokenError(f"{record.host}: {len(host.env.timers.heap)} entries in the heap of timers")
        self._count(record)
        if self.strict:
            balanced(host)
            for sent in record.sent:
                for raw in sent.frame.cuts():
                    intact(raw, sent.frame.net)

    def _conns(self, host: Stack) -> None:
        """Nothing goes back, and nothing is held beyond the buffers."""
        marks = self.marks[host.name]
        for conn in host.conns.values():
            if conn.state == CLOSED:
                continue
            rcv, before = conn.rcv, marks.get(conn.sock)
            mark = (conn.snd.una, rcv.nxt, rcv.edge, rcv.limit, conn.state)
            if mark != before:
                mark = marks[conn.sock] = self._moved(host, conn, mark, before or mark)
            if rcv.edge - rcv.nxt + rcv.queued > mark[3] + ROOM + (1 << rcv.shift):
                raise BrokenError(
                    f"{host.name} socket {conn.sock}: {rcv.queued} bytes wait and {rcv.edge - rcv.nxt} are allowed"
                )
            if len(rcv.ready) > ROOM + rcv.queued // 256 or len(rcv.islands) > ROOM:
                raise BrokenError(
                    f"{host.name} socket {conn.sock}: {len(rcv.ready)} pieces, {len(rcv.islands)} islands"
                )

    def _moved(self, host: Stack, conn: Conn, mark: Mark, before: Mark) -> Mark:
        """The new mark, if nothing of it went back."""
        una, nxt, edge, limit, state = mark
        shrinks = host.env.config["net.ipv4.tcp_shrink_window"]
        # the edge may go back to RCV.NXT, but no further: so the window closes when there is no memory, as on Linux
        back = una < before[0] or nxt < before[1] or (nxt < edge < before[2] and not shrinks)
        if back and state != SYN_SENT:
            raise BrokenError(
                f"{host.name} socket {conn.sock}: (una, rcv.nxt, rcv.edge) went from {before[:3]} to {mark[:3]}"
            )
        self.states.add(state)
        return una, nxt, edge, max(limit, before[3]), state

    def _count(self, record: Record) -> None:
        if type(record.event) is Rx:
            last = self.flight[record.host]
            if record.flight > last:
                self.flight[record.host] = record.flight
            else:
                self.seen["duplicated" if record.flight == last else "overtaken"] += 1
        for sent in record.sent:
            if sent.fate:
                self.seen[sent.fate.split()[0]] += 1
        for it in record.trace:
            if type(it) is Note:
                self.rules.add(it.rule)
            elif type(it) is Became and it.what == "tcp":
                self.states.add(it.new)

    def end(self, world: World) -> None:
        """Everything is over: nothing is left of it, and every counter is even."""
        for host in world.hosts.values():
            left = {"conns": host.conns, "flows": host.flows, "ports": host.bound, "lingering": host.lingering}
            for what, table in left.items():
                if table:
                    raise BrokenError(f"{host.name}: {what} are left at the end: {_short(table)}")
            timers = [key for key in host.env.timers.at if key[0] >= kinds.TCP_RETRANSMIT]
            if timers:
                raise BrokenError(f"{host.name}: timers are left at the end: {timers}")
            balanced(host)
            for name in COUNTED:
                self.seen[name] += host.env.count.get(name, 0)
            for name, n in host.env.count.items():
                if name.startswith("drop."):
                    self.seen[name] += n


COUNTED = ("TcpInSegs", "TcpOutSegs", "TcpRetransSegs", "TcpExtTCPTimeouts", "TcpActiveOpens", "TcpPassiveOpens")


def balanced(host: Stack) -> None:
    """What came in was delivered or dropped for a reason."""
    wrong = unbalanced(host.env.count)
    if wrong:
        raise BrokenError(f"{host.name}: {'; '.join(wrong)}")


def _short(table: Any) -> str:
    text = str(table)
    return text if len(text) < 300 else text[:300] + " ..."
