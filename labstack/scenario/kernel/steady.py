# SPDX-License-Identifier: GPL-2.0-or-later
"""Steady: be on time. While a kernel target lives, what runs it goes before other programs, where that is permitted.

The thread that made the target is scheduled round robin, in real time (root; sched(7)); the collector of garbage
leaves alone what is there already. Both are as before when the last target is closed.
"""

import contextlib
import gc
import os
import threading

_lock = threading.Lock()
_held: dict[int, tuple[int, tuple[int, os.sched_param]]] = {}  # thread: how many targets, and how it was before


def prefer(pid: int) -> None:
    """Let a process, and what it starts, go before others, if we may."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(pid, os.SCHED_RR, os.sched_param(1))


def hold() -> int:
    """For the calling thread, which is returned: be on time until release()."""
    thread = threading.get_native_id()
    with _lock:
        if not _held:
            gc.freeze()
        count, before = _held.get(thread) or (0, (os.sched_getscheduler(thread), os.sched_getparam(thread)))
        _held[thread] = count + 1, before
        with contextlib.suppress(OSError):
            policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK  # programs that are started from here are as any other
            os.sched_setscheduler(thread, policy, os.sched_param(1))
    return thread


def release(thread: int) -> None:
    """The counterpart of hold(); from any thread."""
    with _lock:
        count, before = _held.pop(thread)
        if count > 1:
            _held[thread] = count - 1, before
            return
        with contextlib.suppress(OSError):
            os.sched_setscheduler(thread, *before)
        if not _held:
            gc.unfreeze()
