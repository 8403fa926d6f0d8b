# SPDX-License-Identifier: GPL-2.0-or-later
"""The same addresses and ports again: a connection begins where another has just ended, and TIME-WAIT makes way for it.

Old duplicates of the earlier ones still arrive, within their lifetime. No byte of them may get into the new one (RFC
9293 §3.6.1, RFC 6191, RFC 7323 §5): sequence numbers or timestamps tell them apart. Where neither do, because nobody
was in TIME-WAIT, no host can know better (RFC 1337), and they are left out.
"""

from collections import Counter, deque
from typing import NamedTuple

from labstack.core.config import MS, SECOND
from labstack.core.frame import Frame
from labstack.core.record import Record
from labstack.core.rng import Rng
from labstack.fuzz.broken import BrokenError
from labstack.fuzz.stranger import Attack
from labstack.stack.stack import Stack
from labstack.tcp.conn import Conn
from labstack.tcp.seq import unwrap
from labstack.tcp.states import CLOSED, SYN_SENT, TIME_WAIT
from labstack.tcp.tstamp import older

OLD = "old duplicate"
LIFETIME = 30 * SECOND  # ns of a segment: half of TIME-WAIT
TICKS = 3 * MS  # ns by which a timestamp must be older than another to be told from it for certain
MOST = 100  # duplicates of each connection, the last ones of many
RST = 4

Key = bytes  # addresses and ports as host.flows has them


def draw(rng: Rng, doubts: tuple[Attack, ...]) -> tuple[Attack, ...]:
    """What disturbs the next connection: what would anyhow, and old duplicates."""
    drawn = [(rng.below(1 << 10 + rng.below(22)), ("h1", "h2")[rng.below(2)]) for _ in range(rng.below(30))]
    return doubts + tuple(Attack(at, host, OLD, rng.bits64()) for at, host in drawn)


class Copy(NamedTuple):
    """A frame that a host has sent. seq, size: of its text."""

    at: int
    to: str
    frame: Frame
    seq: int
    size: int


class Past(NamedTuple):
    """What a host knew of the connection that it last had: state and numbers as of its last event."""

    conn: Conn
    state: str
    nxt: int
    received: int
    recent: int


class Again:
    """A series of connections of the same addresses and ports. keys: of both hosts; old: copies of the earlier ones,
    copies: of the present one; known: somebody was in TIME-WAIT and has made way; stamped: it has timestamps."""

    def __init__(self, keys: dict[str, Key], seen: Counter[str]) -> None:
        self.keys, self.seen = keys, seen
        self.past: dict[str, Past] = {}
        self.old: list[Copy] = []
        self.copies: deque[Copy] = deque(maxlen=MOST)
        self.last = 0  # ns: when something was sent
        self.known = self.stamped = False

    def ready(self) -> int:
        """When (ns) the next connection may begin, if its segments are to be told from those of the last one. A host
        that knows nothing of that keeps quiet for some time (RFC 9293 §3.4.3)."""
        known = self.stamped or any(it.state == TIME_WAIT for it in self.past.values())
        return self.last + (TICKS if known else LIFETIME)

    def begin(self) -> None:
        """The next connection begins. What makes it differ from the last one says nothing of those before, perhaps."""
        self.old = [*(self.old if self.known else ()), *self.copies]
        self.copies.clear()
        self.known = False

    def watch(self, host: Stack, to: str, record: Record) -> None:
        """An event has happened at a host, and what it sent goes to another."""
        self._look(host)
        for sent in record.sent:
            for raw in sent.frame.cuts():
                it = _copy(raw, sent.frame.net, record.at, to, self.keys[to])
                if it is not None:
                    self.last = record.at
                    self.copies.append(it)

    def _look(self, host: Stack) -> None:
        key, before = self.keys[host.name], self.past.get(host.name)
        conn = host.conns.get(host.flows.get(key, 0))
        if conn is None:
            self.past.pop(host.name, None)
            return
        if before is not None and before.conn is not conn and before.state != CLOSED:
            self._made_way(host, before, conn)
        self.stamped = conn.tstamp is not None and conn.state != SYN_SENT
        recent = conn.tstamp.recent if conn.tstamp is not None else 0
        self.past[host.name] = Past(conn, conn.state, conn.snd.nxt, conn.rcv.nxt, recent)

    def _made_way(self, host: Stack, old: Past, conn: Conn) -> None:
        """RFC 9293 §3.6.1: our numbers begin beyond all that were used; the peer's, too, or RFC 6191: his clock has
        moved on."""
        if old.state != TIME_WAIT:
            raise BrokenError(f"{host.name} has begun another connection of the same addresses in {old.state}")
        self.known = True
        self.seen[f"turn: TIME-WAIT made way, {'passive' if conn.passive else 'active'}"] += 1
        stamps = conn.tstamp if old.conn.tstamp is not None else None
        if unwrap(conn.snd.iss, old.nxt) <= old.nxt:
            raise BrokenError(f"{host.name} begins at {conn.snd.iss} again, and had sent up to {old.nxt}")
        if conn.passive and unwrap(conn.rcv.irs, old.received) <= old.received:
            if stamps is None or not older(old.recent, stamps.recent):
                raise BrokenError(f"{host.name} was in TIME-WAIT and takes an old SYN for a new one")
            self.seen["turn: TIME-WAIT made way, by its timestamp only"] += 1
        if not conn.passive and (stamps is None or stamps.recent != old.recent):
            raise BrokenError(f"{host.name} has left TIME-WAIT, and does not know the peer's clock any more")

    def duplicates(self, rng: Rng, host: Stack, now: int) -> list[Frame]:
        """An old duplicate that arrives now, rather one whose numbers fit; [] if there is none, or nothing tells it
        from a new segment."""
        alive = [it for it in self.old if it.to == host.name and now - it.at < LIFETIME]
        conn = host.conns.get(host.flows.get(self.keys[host.name], 0))
        if conn is not None and conn.state not in (CLOSED, SYN_SENT, TIME_WAIT):
            fit = [it for it in alive if _fits(conn, it)]
            if not self.known and conn.tstamp is None:
                alive = [it for it in alive if it not in fit]
            elif fit and rng.chance(0.8):
                alive = fit
        return [alive[rng.below(len(alive))].frame] if alive else []


def _fits(conn: Conn, it: Copy) -> bool:
    """Would it be in the window?"""
    seq = unwrap(it.seq, conn.rcv.nxt)
    return seq + it.size >= conn.rcv.nxt and seq <= conn.rcv.edge


def _copy(raw: bytes, net: int, now: int, to: str, key: Key) -> Copy | None:
    """A segment on its way to whom the key is of; None if it is anything else, or a RST."""
    version = raw[net] >> 4 if len(raw) > net + 39 else 0
    at, where = (net + 20, net + 12) if version == 4 else (net + 40, net + 8)
    if version not in (4, 6) or raw[where:at] + raw[at : at + 4] != key or len(raw) < at + 20 or raw[at + 13] & RST:
        return None
    size = len(raw) - at - (raw[at + 12] >> 4) * 4
    return Copy(now, to, Frame(raw, net=net), int.from_bytes(raw[at + 4 : at + 8], "big"), size)
