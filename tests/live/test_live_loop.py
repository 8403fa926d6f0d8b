# SPDX-License-Identifier: GPL-2.0-or-later
"""The live loop with a stand-in for the stack: batches, calls, timers, containment, and rest when nothing happens."""

import errno
import os
import select
import sys
from collections import deque
from collections.abc import Iterator
from threading import Thread, get_ident

import pytest
from live_toy import Toy

from labstack.core.errors import StackError
from labstack.core.event import READABLE, Call, Quarantine, Rx, Tick
from labstack.core.frame import Frame
from labstack.live.device import Device
from labstack.live.loop import BATCH_BYTES, BATCH_CALLS, BATCH_FRAMES, FOREVER, Loop


class Fake(Device):
    """Ready as long as `bell` is not read; hands out what is in `frames`, and raises what is an error there."""

    __slots__ = ("bell", "frames", "full", "sent")

    def __init__(self, *frames: Frame | Exception) -> None:
        self.bell, other = os.pipe()
        os.write(other, b"x")
        os.close(other)
        super().__init__(self.bell, "fake0", "ether", bytes(6), 1500, 0)
        self.frames = deque(frames)
        self.sent: list[Frame] = []
        self.full: Exception | None = None

    def read(self) -> Frame | None:
        if not self.frames:
            return None
        first = self.frames.popleft()
        if isinstance(first, Exception):
            raise first
        return first

    def write(self, frame: Frame) -> None:
        if self.full:
            raise self.full
        self.sent.append(frame)


@pytest.fixture
def toy() -> Toy:
    return Toy()


@pytest.fixture
def loop(toy: Toy) -> Iterator[Loop]:
    it = Loop(toy)
    yield it
    for device in list(it.devices.values()):
        device.close()
    it.close()


def seen(toy: Toy, kind: type) -> int:
    return sum(type(event) is kind for event in toy.seen)


# --- rest ----------------------------------------------------------------------------------------------------------


def test_nothing_to_do_waits_for_ever(loop: Loop) -> None:
    assert loop._patience(None, None) == FOREVER


def test_an_idle_loop_does_not_turn(loop: Loop, toy: Toy) -> None:
    loop.run(seconds=0.3)
    assert loop.turns <= 2
    assert toy.seen == []


def test_a_call_from_another_thread_costs_one_turn(loop: Loop) -> None:
    loop.start()
    loop.call("x")
    before = loop.turns
    for _ in range(10):
        loop.call("x")
    assert loop.turns - before <= 10


# --- frames --------------------------------------------------------------------------------------------------------


def test_a_turn_takes_a_bounded_number_of_frames(loop: Loop, toy: Toy) -> None:
    loop.attach(1, Fake(*[Frame(bytes(60))] * (BATCH_FRAMES + 1)))
    loop.turn()
    assert seen(toy, Rx) == BATCH_FRAMES
    loop.turn()
    assert seen(toy, Rx) == BATCH_FRAMES + 1


def test_a_turn_takes_a_bounded_number_of_bytes(loop: Loop, toy: Toy) -> None:
    """A sender must hear from us before its window is used up."""
    loop.attach(1, Fake(*[Frame(bytes(65_536))] * BATCH_FRAMES))
    loop.turn()
    assert seen(toy, Rx) == BATCH_BYTES // 65_536


def test_a_flood_starves_neither_timers_nor_calls(loop: Loop, toy: Toy) -> None:
    loop.attach(1, Fake(*[Frame(bytes(60))] * 10_000))
    toy.due = loop.now
    answers: list[object] = []
    thread = Thread(target=lambda: answers.append(loop.call("hello")))
    loop._runner = get_ident()
    thread.start()
    while not loop._asked:
        pass
    loop.turn()
    loop._runner = None
    thread.join()
    assert answers == [()]
    assert (seen(toy, Tick), seen(toy, Rx)) == (1, BATCH_FRAMES)


def test_frames_for_an_unknown_interface_are_dropped_and_counted(loop: Loop) -> None:
    loop.call("send", 9, Frame(bytes(60)))
    loop.turn()
    assert loop.count == {"drop.device.ENETDOWN": 1}


# --- calls ---------------------------------------------------------------------------------------------------------


def test_a_call_returns_the_stacks_answer_to_another_thread(loop: Loop) -> None:
    loop.start()
    assert loop.call("echo", 1, b"two") == (1, b"two")


def test_a_callers_mistake_is_raised_where_it_was_made(loop: Loop, toy: Toy) -> None:
    def refuse(event: Call, now: int) -> None:
        raise StackError(errno.EINVAL, "no such thing")

    toy.call = refuse  # type: ignore[method-assign]
    loop.start()
    with pytest.raises(StackError, match="no such thing"):
        loop.call("x")
    assert loop.count == {}


def test_calls_are_bounded_in_a_turn_and_none_is_forgotten(loop: Loop) -> None:
    loop._runner = get_ident()
    threads = [Thread(target=loop.call, args=("x", n)) for n in range(BATCH_CALLS + 3)]
    for thread in threads:
        thread.start()
    while len(loop._asked) < len(threads):
        pass
    loop.turn()
    assert len(loop._asked) == 3
    assert loop._patience(None, None) == 0
    loop.turn()
    loop._runner = None
    for thread in threads:
        thread.join()
    assert not loop._asked


def test_a_stopped_loop_answers_directly(loop: Loop) -> None:
    loop.start()
    loop.stop()
    assert loop.call("x", 1) == (1,)


def test_stop_right_after_start_stops(loop: Loop) -> None:
    """The thread may not have begun yet."""
    for _ in range(50):
        loop.start()
        loop.stop()
        assert loop._runner is None


def test_the_applications_switch_interval_comes_back(loop: Loop) -> None:
    before = sys.getswitchinterval()
    loop.start()
    assert sys.getswitchinterval() < before
    loop.stop()
    assert sys.getswitchinterval() == before


def test_who_waits_when_the_loop_ends_is_told(loop: Loop) -> None:
    errors: list[Exception] = []

    def ask() -> None:
        try:
            loop.call("x")
        except StackError as error:
            errors.append(error)

    loop._runner = get_ident()
    thread = Thread(target=ask)
    thread.start()
    while not loop._asked:
        pass
    loop._runner = None
    loop.run(until=lambda: True)
    thread.join()
    assert [error.errno for error in errors] == [errno.ECONNABORTED]  # type: ignore[attr-defined]


def test_a_loop_runs_once_at_a_time(loop: Loop) -> None:
    loop.start()
    loop.call("x")
    with pytest.raises(RuntimeError, match="runs already"):
        loop.run()


# --- wakes ---------------------------------------------------------------------------------------------------------


def test_a_wake_reaches_the_sockets_listener_and_no_other(loop: Loop) -> None:
    woken: list[tuple[int, int]] = []
    loop.on(7, lambda sock, what: woken.append((sock, what)))
    loop.call("wake", 7, READABLE)
    loop.call("wake", 8, READABLE)
    loop.turn()
    loop.on(7, None)
    loop.call("wake", 7, READABLE)
    loop.turn()
    assert woken == [(7, READABLE)]


def test_what_a_callback_sends_leaves_in_the_same_turn(loop: Loop) -> None:
    device = Fake()
    loop.attach(1, device)
    loop.on(7, lambda sock, what: loop.call("send", 1, Frame(bytes(60))))
    loop.call("wake", 7, READABLE)
    loop.turn()
    assert len(device.sent) == 1


def test_callbacks_that_wake_each_other_do_not_hold_the_loop(loop: Loop) -> None:
    loop.on(7, lambda sock, what: loop.call("wake", 7, READABLE))
    loop.call("wake", 7, READABLE)
    loop.turn()
    assert loop._patience(None, None) == 0  # it goes on in the next turn


# --- time ----------------------------------------------------------------------------------------------------------


def test_a_deadline_ticks_once_it_is_due(loop: Loop, toy: Toy) -> None:
    loop.call("timer", 2_000_000)
    loop.run(until=lambda: seen(toy, Tick) > 0)
    assert seen(toy, Tick) == 1
    assert loop.turns <= 4


def test_a_deadline_is_never_early(loop: Loop, toy: Toy) -> None:
    loop.call("timer", 1_500_000)
    due = toy.due or 0
    loop.run(until=lambda: seen(toy, Tick) > 0)
    assert loop.now >= due


# --- containment ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Rx, Tick, Call])
def test_a_failing_handler_costs_that_event_only(loop: Loop, toy: Toy, kind: type) -> None:
    """Each event is contained on its own, counted, and kept as evidence with its traceback."""
    toy.fails = {kind}
    loop.attach(1, Fake(Frame(b"a" * 60), Frame(b"b" * 60)))
    toy.due = loop.now
    if kind is Call:
        with pytest.raises(RuntimeError, match="injected"):
            loop.call("x")
    loop.turn()
    times = 2 if kind is Rx else 1
    assert loop.count == {f"fault.{kind.__name__.lower()}": times, "quarantined": times}
    assert [type(piece.event) for piece in loop.quarantined] == [kind] * times
    assert "injected into" in loop.quarantined[0].why
    toy.fails = set()
    assert loop.call("still", "alive") == ("alive",)


def test_a_failing_drain_is_contained(loop: Loop, toy: Toy) -> None:
    def fail(now: int) -> list[object]:
        raise RuntimeError("injected into drain")

    toy.drain = fail  # type: ignore[assignment,method-assign]
    loop.call("x")
    loop.turn()
    assert loop.count == {"fault.drain": 1, "quarantined": 1}


def test_a_failing_deadline_is_contained_and_asked_again_later(loop: Loop, toy: Toy) -> None:
    def fail() -> int:
        raise RuntimeError("injected into deadline")

    toy.deadline = fail  # type: ignore[method-assign]
    loop.call("x")
    loop.turn()
    assert loop.count == {"fault.deadline": 1, "quarantined": 1}
    due = loop._due()
    assert due is not None
    assert due > loop.now


def test_a_failing_callback_costs_itself(loop: Loop) -> None:
    woken: list[int] = []
    loop.on(7, lambda sock, what: woken.append(1 // 0))
    loop.on(8, lambda sock, what: woken.append(sock))
    loop.call("wake", 7, READABLE)
    loop.call("wake", 8, READABLE)
    loop.turn()
    assert woken == [8]
    assert loop.count == {"fault.callback": 1, "quarantined": 1}


def test_a_failing_watcher_costs_itself(loop: Loop) -> None:
    reader, writer = os.pipe()
    loop.watch(writer, select.EPOLLOUT, lambda events: 1 // 0)
    loop.turn()
    loop.unwatch(writer)
    assert loop.count == {"fault.watch": 1, "quarantined": 1}
    os.close(reader)
    os.close(writer)


def test_what_the_stack_quarantined_is_kept_and_handed_on(loop: Loop, toy: Toy) -> None:
    kept: list[Quarantine] = []
    loop.evidence = lambda piece, now: kept.append(piece)
    toy.actions.append(Quarantine(Rx(1, Frame(bytes(60))), "why"))
    loop.call("x")
    loop.turn()
    assert kept == list(loop.quarantined)
    assert kept[0].why == "why"


def test_evidence_that_cannot_be_written_is_counted(loop: Loop, toy: Toy) -> None:
    def full(piece: Quarantine, now: int) -> None:
        raise OSError(errno.ENOSPC, "disk full")

    loop.evidence = full
    toy.actions.append(Quarantine(Tick(), "why"))
    loop.call("x")
    loop.turn()
    assert loop.count == {"quarantined": 1, "fault.evidence": 1}


# --- devices -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [errno.ENETDOWN, errno.EIO])
def test_a_device_that_is_down_stays_attached(loop: Loop, toy: Toy, code: int) -> None:
    loop.attach(1, Fake(OSError(code, ""), Frame(bytes(60))))
    loop.turn()
    assert (1 in loop.down, loop.count) == (True, {"read.device." + errno.errorcode[code]: 1})
    loop.turn()
    assert (1 in loop.down, seen(toy, Rx)) == (False, 1)


def test_a_device_that_vanished_is_not_asked_again(loop: Loop) -> None:
    """tuntap.rst: EBADFD once the interface is deleted; asking again for ever would be a busy loop."""
    device = Fake(OSError(errno.EBADFD, ""))
    loop.attach(1, device)
    loop.turn()
    assert 1 not in loop.devices
    loop.call("send", 1, Frame(bytes(60)))
    loop.turn()
    assert loop.count == {"read.device.EBADFD": 1, "drop.device.ENETDOWN": 1}
    assert loop._patience(None, None) == FOREVER
    device.close()


def test_a_write_that_fails_costs_the_frame(loop: Loop) -> None:
    device = Fake()
    device.full = OSError(errno.EIO, "")
    loop.attach(1, device)
    loop.call("send", 1, Frame(bytes(60)))
    loop.turn()
    assert loop.count == {"drop.device.EIO": 1}
    device.full = None
    loop.call("send", 1, Frame(bytes(60)))
    loop.turn()
    assert len(device.sent) == 1


def test_a_frame_that_cannot_be_written_at_all_is_evidence(loop: Loop) -> None:
    device = Fake()
    device.full = ValueError("no such header")
    loop.attach(1, device)
    loop.call("send", 1, Frame(bytes(60)))
    loop.turn()
    assert loop.count == {"fault.tx": 1, "quarantined": 1}
