# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes into a stack and what comes out: (state, event, now) -> (state', actions).

Events: a frame arrived (Rx), time passed (Tick), an application called (Call).
Actions: send this frame (Tx), wake this application (Wake), keep this frame as evidence (Quarantine).
While tracing, a stack also notes the rules it followed (Note) and the states it changed (Became).
"""

from typing import Any, NamedTuple

from labstack.core.frame import Frame


class Rx(NamedTuple):
    """A frame arrived on the interface with this index."""

    dev: int
    frame: Frame


class Tick(NamedTuple):
    """Time passed: deadlines up to now are due."""


class Call(NamedTuple):
    """An application called an operation of the in-process API (labstack.stack.calls.OPS)."""

    op: str
    args: tuple[Any, ...] = ()


Event = Rx | Tick | Call

READABLE, WRITABLE, ACCEPTABLE, CONNECTED, CLOSED, FAILED = 1, 2, 4, 8, 16, 32


class Tx(NamedTuple):
    """Send this frame out of the interface with this index."""

    dev: int
    frame: Frame


class Wake(NamedTuple):
    """Something changed for the owner of socket `sock`; `what` is a sum of READABLE, WRITABLE, ...."""

    sock: int
    what: int


class Quarantine(NamedTuple):
    """A handler failed: the event cost itself and nothing else. `why` is the traceback, for a person."""

    event: Event
    why: str


Action = Tx | Wake | Quarantine


class Note(NamedTuple):
    """A rule decided. `sock` is 0 where no socket is concerned; `values` fill the rule's sentence."""

    rule: str
    sock: int
    values: tuple[Any, ...]


class Became(NamedTuple):
    """The state of a record changed: a connection's, or a neighbour's. Names, not numbers."""

    what: str  # "tcp", "neigh", "addr"
    sock: int
    old: str
    new: str


Trace = Note | Became
