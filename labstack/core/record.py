# SPDX-License-Identifier: GPL-2.0-or-later
"""Record: one event of one host as it happened, with everything needed to show and explain it afterwards.

The simulator makes one per step and the live loop one per event it traces; the ladder, `why`, captures and tests
read nothing else. A record is never changed after it was made, so histories and forks share records.
"""

from typing import Any, NamedTuple

from labstack.core.event import Event, Trace, Wake
from labstack.core.frame import Frame


class Sent(NamedTuple):
    """A frame that left a host. `flight` numbers it, so that its arrival can be found; `fate` says why it was lost."""

    flight: int
    dev: int
    frame: Frame
    fate: str = ""  # "" while it is on its way or arrived, else e.g. "loss 10 %", "queue full"


class Record(NamedTuple):
    n: int  # 1, 2, 3, ...
    at: int  # ns
    host: str
    event: Event
    flight: int = 0  # which frame arrived; 0: not an arrival, or injected by hand
    result: Any = None  # what a Call returned, or the StackError it raised
    trace: tuple[Trace, ...] = ()  # the rules followed and the states changed, in order
    sent: tuple[Sent, ...] = ()
    wakes: tuple[Wake, ...] = ()
    fault: str = ""  # the traceback, if a handler failed and was contained
