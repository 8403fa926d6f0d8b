# SPDX-License-Identifier: GPL-2.0-or-later
"""The live loop: one thread, one epoll, around `stack.handle`, `stack.drain` and `stack.deadline`.

A turn waits for something to happen, reads the clock once, lets at most BATCH frames in, answers calls, lets time
pass if a deadline is due, and drains the stack once: a batch costs one acknowledgment. Nothing happens while nothing
happens.

Every event, callback and device operation is contained on its own: a failure costs that one thing, is counted, and
the event is kept as evidence. The work of a turn is bounded, so a flood of frames starves neither timers nor calls.
"""

import errno
import os
import select
import sys
import traceback
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from threading import Thread, get_ident
from time import monotonic_ns
from typing import Any, Protocol

from labstack.core.config import SECOND
from labstack.core.errors import StackError
from labstack.core.event import Action, Call, Event, Quarantine, Rx, Tick, Tx, Wake
from labstack.core.frame import Frame
from labstack.live.asking import Ask
from labstack.live.device import Device
from labstack.live.gro import join
from labstack.live.recorder import Recorder

BATCH_FRAMES = 64
BATCH_BYTES = 1 << 20  # a sender must hear from us before its window is used up
BATCH_CALLS = 256
HEAP = 16 << 20  # bytes; see Loop.__init__
ROUNDS = 8  # drains in one turn, while callbacks keep calling
KEPT = 64  # pieces of evidence in memory
FOREVER = -1.0
STARTING = 0  # in place of a thread's identity, while start() has not handed over yet

# The device is still there, but cannot be used now; any other error on reading means that it will not come back.
_PASSING = frozenset({errno.ENETDOWN, errno.EIO, errno.EINTR, errno.ENOBUFS, errno.ENOMEM})


class Machine(Protocol):
    """What the loop needs of a stack."""

    def handle(self, event: Event, now: int) -> Any: ...
    def drain(self, now: int) -> list[Action]: ...
    def deadline(self) -> int | None: ...


class Loop:
    """count: what happened to the loop itself; gro: what it joined; quarantined: the last faults; turns: wake-ups."""

    def __init__(self, stack: Machine, recorder: Recorder | None = None) -> None:
        # Having freed one block so large, glibc keeps the memory of a batch for the next instead of returning it to the
        # kernel, whose page faults could cost twice what the stack does (16 a frame, 48 us instead of 17).
        bytes(HEAP)
        self.stack = stack
        self.recorder = recorder
        self.count: Counter[str] = Counter()
        self.gro: Counter[str] = Counter()
        self.quarantined: deque[Quarantine] = deque(maxlen=KEPT)
        self.evidence: Callable[[Quarantine, int], None] | None = None
        self.devices: dict[int, Device] = {}
        self.down: set[int] = set()
        self.turns = 0
        self.now = monotonic_ns()
        self._poller = select.epoll()
        self._watched: dict[int, Callable[[int], None]] = {}
        self._listeners: dict[int, Callable[[int, int], None]] = {}
        self._asked: deque[Ask] = deque()
        self._more = False  # something is left to do that no descriptor will tell us of
        self._called = False  # the stack was called since it was last drained
        self._stopping = False
        self._runner: int | None = None
        self._thread: Thread | None = None
        self._interval = 0.0  # seconds between thread switches that the application had
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.watch(self._bell, select.EPOLLIN, self._rung)

    # --- what to listen to ---------------------------------------------------------------------------------------

    def attach(self, index: int, device: Device, gro: bool = False) -> None:
        """Serve device as the stack's interface `index`; gro: join what belongs together, see live/gro.py."""
        self.devices[index] = device
        self.watch(device.fd, select.EPOLLIN, partial(self._receive, index, device, gro))

    def detach(self, index: int) -> None:
        """Serve the device no more; frames for it are dropped and counted from now on."""
        self.unwatch(self.devices.pop(index).fd)

    def watch(self, fd: int, events: int, fn: Callable[[int], None]) -> None:
        """Call fn(events) in the loop when fd is ready for any of events (select.EPOLLIN, ...)."""
        self._watched[fd] = fn
        self._poller.register(fd, events)

    def unwatch(self, fd: int) -> None:
        if self._watched.pop(fd, None):
            self._poller.unregister(fd)

    def on(self, sock: int, fn: Callable[[int, int], None] | None) -> None:
        """Call fn(sock, what) in the loop when something changed for a socket; None: no more."""
        if fn is None:
            self._listeners.pop(sock, None)
        else:
            self._listeners[sock] = fn

    # --- calls ---------------------------------------------------------------------------------------------------

    def call(self, op: str, *args: Any) -> Any:
        """Call an operation of the stack from any thread: its result. Raises what it raises, mostly StackError."""
        return self.ask(self._call, op, args)

    def open(self, fn: Callable[[int, int], None], op: str, *args: Any) -> int:
        """Call an operation that makes a socket, and listen to it from its first moment: the socket's number."""
        return int(self.ask(self._open, fn, op, args))

    def _open(self, fn: Callable[[int, int], None], op: str, args: tuple[Any, ...]) -> int:
        sock = int(self._call(op, args))
        self.on(sock, fn)
        return sock

    def ask(self, fn: Callable[..., Any], *args: Any) -> Any:
        """Run fn(*args) in the loop and wait for its result; at once where nobody else runs the loop."""
        if self._runner in (None, get_ident()):
            return fn(*args)
        ask = Ask(fn, args)
        self._asked.append(ask)
        if self._runner is None:
            self._refuse()
        self._ring()
        return ask.wait()

    def _call(self, op: str, args: tuple[Any, ...]) -> Any:
        self._called = self._more = True
        self.now = now = monotonic_ns()
        event = Call(op, args)
        try:
            result = self.stack.handle(event, now)
        except OSError as error:
            self._record(event, error)
            raise
        except Exception:
            self._fault(event, "call")
            raise
        self._record(event, result)
        return result

    # --- running -------------------------------------------------------------------------------------------------

    def run(self, until: Callable[[], bool] | None = None, seconds: float | None = None) -> None:
        """Run in this thread until until() is true after a turn, the time is over, or stop()."""
        if self._runner:
            raise RuntimeError("the loop runs already; stop() it first, or use call() and on() from here")
        end = None if seconds is None else monotonic_ns() + int(seconds * 1e9)
        if self._runner is None:
            self._stopping = False
        self._runner = get_ident()
        try:
            while not self._stopping and not (until and until()):
                if end is not None and self.now >= end:
                    break
                self.turn(end)
        finally:
            self._runner = None
            self._refuse()

    def start(self) -> None:
        """Run in a thread of its own, which shares the interpreter with the application's."""
        self._interval = sys.getswitchinterval()
        sys.setswitchinterval(0.0005)  # at the default of 5 ms a busy application thread costs a factor of ten
        self._runner, self._stopping = STARTING, False
        self._thread = Thread(target=self.run, name="labstack-loop", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop after the current turn; from another thread, wait for it."""
        self._stopping = True
        if self._bell >= 0:
            self._ring()
        if self._thread and self._thread.ident != get_ident():
            self._thread.join()
            self._thread = None
            sys.setswitchinterval(self._interval)

    def close(self) -> None:
        """Stop, and give back the loop's own descriptors; devices belong to whoever opened them."""
        self.stop()
        if self._bell >= 0:
            self._poller.close()
            os.close(self._bell)
            self._bell = -1

    def turn(self, end: int | None = None) -> None:
        """Wait until something is to be done (or until `end`, ns), and do it."""
        due = self._due()
        ready = self._poller.poll(self._patience(due, end))
        self.turns += 1
        self.now = monotonic_ns()
        for fd, events in ready:
            fn = self._watched.get(fd)
            if fn:
                try:
                    fn(events)
                except Exception:
                    self._fault(Tick(), "watch")
        if self._asked:
            self._answer()
        if due is not None and due <= self.now:
            self._handle(Tick(), "tick")
        self._flush()
        self._more = self._called or bool(self._asked)

    def _due(self) -> int | None:
        try:
            return self.stack.deadline()
        except Exception:
            self._fault(Tick(), "deadline")
            return monotonic_ns() + SECOND  # look again then

    def _patience(self, due: int | None, end: int | None) -> float:
        """Seconds to wait. epoll counts whole ms and rounds up, so a deadline is never early and under 1 ms late."""
        if self._more:
            return 0.0
        if end is not None and (due is None or end < due):
            due = end
        return FOREVER if due is None else max(0, due - monotonic_ns()) / 1e9

    # --- events --------------------------------------------------------------------------------------------------

    def _receive(self, index: int, device: Device, gro: bool, events: int) -> None:
        """Read a batch, then handle it: each of the two loops stays in the processor's caches."""
        frames: list[Frame] = []
        read, size = device.read, 0
        try:
            while len(frames) < BATCH_FRAMES and size < BATCH_BYTES and (frame := read()) is not None:
                frames.append(frame)
                size += len(frame.head)
        except OSError as error:
            self._failed(index, error, reading=True)
        else:
            self.down.discard(index)
        for frame in join(frames, self.gro) if gro and len(frames) > 1 else frames:
            self._handle(Rx(index, frame), "rx")

    def _handle(self, event: Event, kind: str) -> None:
        try:
            self.stack.handle(event, self.now)
        except Exception:
            self._fault(event, kind)
        else:
            self._record(event, None)

    def _flush(self) -> None:
        """Do what the stack wants done; again if callbacks called it meanwhile."""
        for _ in range(ROUNDS):
            self._called = False
            try:
                actions = self.stack.drain(self.now)
            except Exception:
                return self._fault(Tick(), "drain")
            if self.recorder is not None:
                self._contained(self.recorder.output, self.now, actions)
            for action in actions:
                self._do(action)
            if not self._called:
                return None
        return None

    def _do(self, action: Action) -> None:
        if type(action) is Tx:
            device = self.devices.get(action.dev)
            if device is None:
                self.count["drop.device.ENETDOWN"] += 1
                return
            try:
                device.write(action.frame)
            except OSError as error:
                self._failed(action.dev, error)
            except Exception:
                self._fault(Tick(), "tx")
        elif type(action) is Wake:
            fn = self._listeners.get(action.sock)
            if fn:
                self._contained(fn, action.sock, action.what)
        elif type(action) is Quarantine:
            self._keep(action)

    # --- containment ---------------------------------------------------------------------------------------------

    def _contained(self, fn: Callable[..., object], *args: Any) -> None:
        try:
            fn(*args)
        except Exception:
            self._fault(Tick(), "callback")

    def _fault(self, event: Event, kind: str) -> None:
        """A handler failed (call inside `except`): count it and keep the event."""
        self.count["fault." + kind] += 1
        why = traceback.format_exc()
        self._record(event, None, why)
        self._keep(Quarantine(event, why))

    def _keep(self, piece: Quarantine) -> None:
        self.count["quarantined"] += 1
        self.quarantined.append(piece)
        if self.evidence is not None:
            try:
                self.evidence(piece, self.now)
            except Exception:
                self.count["fault.evidence"] += 1

    def _failed(self, index: int, error: OSError, reading: bool = False) -> None:
        """A device refused a read or write: count it; forget a device that will not come back."""
        name = errno.errorcode.get(error.errno or 0, "EIO")
        self.count[f"{'read' if reading else 'drop'}.device.{name}"] += 1
        self.down.add(index)
        if error.errno not in _PASSING and index in self.devices:
            self.detach(index)
            self._handle(Call("link_set", (index, False)), "call")

    def _record(self, event: Event, result: Any, fault: str = "") -> None:
        if self.recorder is not None:
            try:
                self.recorder.event(event, self.now, result, fault)
            except Exception:
                self.count["fault.record"] += 1

    # --- other threads -------------------------------------------------------------------------------------------

    def _ring(self) -> None:
        os.eventfd_write(self._bell, 1)

    def _rung(self, events: int) -> None:
        os.eventfd_read(self._bell)

    def _answer(self) -> None:
        for _ in range(min(BATCH_CALLS, len(self._asked))):
            self._asked.popleft().answer()

    def _refuse(self) -> None:
        """Nobody will answer any more: say so to those who wait."""
        while self._asked:
            self._asked.popleft().refuse(StackError(errno.ECONNABORTED, "the live loop was stopped"))
