# SPDX-License-Identifier: GPL-2.0-or-later
"""The model of a ladder: rows made from Records alone, for ladder.py to draw.

A row stands for a frame that left a host, or for an event that sent nothing and was not simply the arrival of a frame.
An arrival that was answered with nothing is told on the row of its frame: the receiver's new state and its reason, with
that event's number.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from labstack.core.event import Became, Call, Rx
from labstack.core.record import Record, Sent
from labstack.core.rules import Rule
from labstack.lab import why
from labstack.lab.words import Script, Seen, Told

LOST = "✗ "
KERNEL = "kernel"  # the rail of a host that is not ours, and of which there are no records
OUTSIDE = -1  # the rail of whoever injected a frame


class Row(NamedTuple):
    """One line. `src` and `to` are rails (indices of hosts); `states` maps rails to the state entered on this line."""

    n: int  # the event's number; 0: the same event as the row above
    at: int  # ns
    src: int
    to: tuple[int, ...]  # where the frame arrived; empty: no arrow, or lost
    label: str
    style: str
    states: Mapping[int, str]
    why: tuple[str, ...]  # reasons: the sender's, each receiver's, how it was lost
    mark: str = ""  # "timer", "app", "" for a frame
    fate: str = ""  # how the frame was lost
    late: bool = False  # still on its way
    now: bool = False  # the cursor is here


def rows(
    records: Sequence[Record], hosts: Sequence[str], rules: Mapping[str, Rule], script: Script | None = None
) -> list[Row]:
    """The rows of a ladder, oldest first; the last event's row carries the cursor."""
    story = _Story(records, hosts, rules)
    script = (script or Script()).read(records)
    return [row for record, told in zip(records, script.told, strict=False) for row in story.rows(record, told)]


class _Story:
    """What the records say together: which frame arrived where, what was sent before, where the cursor is."""

    def __init__(self, records: Sequence[Record], hosts: Sequence[str], rules: Mapping[str, Rule]) -> None:
        self.rail = {name: i for i, name in enumerate(hosts)}
        self.outside = self.rail.get(KERNEL, OUTSIDE)
        self.rules = rules
        self.last = records[-1].n if records else 0
        self.arrivals: dict[int, list[Record]] = {sent.flight: [] for record in records for sent in record.sent}
        for record in records:
            if isinstance(record.event, Rx) and record.flight in self.arrivals:
                self.arrivals[record.flight].append(record)

    def rows(self, record: Record, told: Told) -> list[Row]:
        """The rows of one event: one for each frame it sent, and one for itself if no other row tells of it."""
        if not record.sent:
            return [self._alone(record, told)] if not self._drawn(record) else []
        arrows = [self._arrow(record, sent, seen) for sent, seen in zip(record.sent, told.sent, strict=True)]
        if isinstance(record.event, Rx) and not self._drawn(record):
            return [self._alone(record, told)._replace(now=False), *arrows]
        first, *more = arrows
        me, state = self.rail[record.host], entered(record)
        states = {**first.states, **({me: state} if state else {})}
        mine = self._reason(record)
        return [first._replace(n=record.n, states=states, why=((mine,) if mine else ()) + first.why), *more]

    def _arrow(self, record: Record, sent: Sent, seen: Seen) -> Row:
        """The row of one frame, with what its receivers made of it when they answered nothing."""
        came = self.arrivals[sent.flight] if sent.flight else []
        quiet = [r for r in came if not r.sent and r is _first(came, r.host)]
        reasons = [f"#{r.n} {words}" for r in quiet if (words := self._reason(r))]
        me = self.rail[record.host]
        late = bool(sent.flight) and not came and not sent.fate
        return Row(
            n=0,
            at=record.at,
            src=me,
            to=self._ends(sent, came, me),
            label=seen.label,
            style="badtcp" if sent.fate and seen.style in ("tcp", "syn") else seen.style,
            states={self.rail[r.host]: state for r in quiet if (state := entered(r))},
            why=(*reasons, *([LOST + sent.fate] if sent.fate else [])),
            fate=sent.fate,
            late=late,
            now=record.n == self.last or any(r.n == self.last for r in quiet),
        )

    def _ends(self, sent: Sent, came: Sequence[Record], me: int) -> tuple[int, ...]:
        """The rails that a frame reached, or is on its way to."""
        if not sent.flight:  # to a host that is not ours
            return (self.outside,)
        if came or sent.fate:
            return tuple({self.rail[r.host]: 0 for r in came})
        return tuple(i for i in self.rail.values() if i != me)

    def _drawn(self, record: Record) -> bool:
        """Is this the arrival of a frame that has a row already?"""
        came = self.arrivals.get(record.flight, []) if record.flight > 0 else []
        return bool(came) and record is _first(came, record.host)

    def _alone(self, record: Record, told: Told) -> Row:
        """The row of an event itself: an arrival from outside, a call, a timer."""
        event, me = record.event, self.rail[record.host]
        state, reason = entered(record), self._reason(record)
        row = Row(
            n=record.n,
            at=record.at,
            src=me,
            to=(),
            label="",
            style="mark",
            states={me: state} if state else {},
            why=(reason,) if reason else (),
            mark="timer",
            now=record.n == self.last,
        )
        if told.came is not None:
            label, style = told.came
            src = self.outside if record.flight else OUTSIDE
            return row._replace(src=src, to=(me,), label=label, style=style, mark="")
        if isinstance(event, Call):
            return row._replace(label=why.call_words(event, record.result), style="head", mark="app")
        chief = why.choose(record.trace, bool(record.sent))
        return row._replace(label=f"{why.layer(chief.rule)} timer" if chief else "timer")

    def _reason(self, record: Record) -> str:
        words = [why.short(record, self.rules)]
        if isinstance(record.event, Call) and record.sent and record.event.op != "inject":
            words.insert(0, why.call_name(record.event))
        if 0 < self.rail[record.host] < len(self.rail) - 1 and (state := entered(record)):
            words.insert(0, f"{record.host} {state}")  # no room beside the rails between the outer two
        return ": ".join(word for word in words if word)


def _first(came: Sequence[Record], host: str) -> Record:
    """The first arrival of a flight at a host; a later one is a duplicate."""
    return next(r for r in came if r.host == host)


def entered(record: Record) -> str:
    """The TCP state in which the event left its connection, '' when none changed."""
    states = [t.new for t in record.trace if isinstance(t, Became) and t.what == "tcp"]
    return states[-1] if states else ""
