# SPDX-License-Identifier: GPL-2.0-or-later
"""Recorder: what happened in a live host, as core.record.Record, in a bounded ring, and in a capture file if wanted.

The stack answers a whole batch at once, so what a batch sent and woke belongs to the record of its last event. Long
frames are kept as a snapshot of their first bytes: a ring of whole super-segments would cost more than the traffic
itself.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any

from labstack.core.event import Action, Event, Rx, Tick, Tx, Wake
from labstack.core.frame import Frame
from labstack.core.record import Record, Sent
from labstack.live.capture import INBOUND, OUTBOUND, Capture, comment
from labstack.stack import Stack

SNAP = 128  # bytes of a frame that are kept


class Recorder:
    """records: the last `size` of them, oldest first. Switches the stack's trace on."""

    def __init__(self, stack: Stack, size: int = 2048, capture: Capture | None = None) -> None:
        self.stack = stack
        self.records: deque[Record] = deque(maxlen=size)
        self.capture = capture
        self._n = 0
        stack.env.tracing = True

    def event(self, event: Event, now: int, result: Any, fault: str = "") -> None:
        """An event was handled at now (ns)."""
        trace = self.stack.take_trace()
        if isinstance(event, Rx):
            if self.capture:
                self.capture.frame(event.dev, INBOUND, now, event.frame, comment(trace))
            event = Rx(event.dev, snapshot(event.frame))
        self._n += 1
        self.records.append(Record(self._n, now, self.stack.name, event, 0, result, trace, (), (), fault))

    def output(self, now: int, actions: Sequence[Action]) -> None:
        """The stack was drained at now (ns)."""
        trace = self.stack.take_trace()
        sent = tuple([Sent(0, a.dev, snapshot(a.frame)) for a in actions if type(a) is Tx])
        wakes = tuple([a for a in actions if type(a) is Wake])
        if sent or wakes or trace:
            if not self.records:
                self.event(Tick(), now, None)
            last = self.records[-1]
            self.records[-1] = last._replace(trace=last.trace + trace, sent=last.sent + sent, wakes=last.wakes + wakes)
        if self.capture:
            for action in actions:
                if type(action) is Tx:
                    self.capture.frame(action.dev, OUTBOUND, now, action.frame, comment(trace))
            self.capture.flush()


def snapshot(frame: Frame) -> Frame:
    """The frame itself if it is short, else one that holds its first bytes."""
    if len(frame) <= SNAP:
        return frame
    head = bytes(frame.head[frame.start : frame.start + SNAP])
    for piece in frame.body:
        if len(head) >= SNAP:
            break
        head += bytes(piece[: SNAP - len(head)])
    return Frame(head, (), None, None, 0, frame.net, frame.sure)
