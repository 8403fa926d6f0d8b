# SPDX-License-Identifier: GPL-2.0-or-later
"""The world: one event a step, in virtual time, in an order that is a function of the seed and of the inputs."""

import pytest
from echo_host import EVERYONE, H1, H2, pair, toy

from labstack.core.config import MS, SECOND
from labstack.core.errors import StackError
from labstack.core.event import Call, Note, Rx, Tick, Wake
from labstack.core.frame import Frame
from labstack.sim.history import digest
from labstack.sim.lan import lan
from labstack.sim.wire import Delay, Duplicate, Exactly, Loss
from labstack.sim.world import UnendingError, World


def everything(world: World) -> list[tuple[int, int, str]]:
    found = []
    while (record := world.step()) is not None:
        found.append((record.n, record.at, record.host))
    return found


def test_a_call_its_frame_and_the_answer_are_three_events() -> None:
    world = pair(Delay(10))
    world.call("h1", "say", H2, b"hi")
    called, heard, answered = (world.step() for _ in range(3))
    assert called
    assert heard
    assert answered
    assert (called.n, called.at, called.host, called.result) == (1, 0, "h1", 2)
    assert called.event == Call("say", (H2, b"hi"))
    assert called.sent == ((1, 1, Frame(H2 + H1 + b"hi"), ""),)
    assert (heard.at, heard.host, heard.flight) == (10, "h2", 1)
    assert heard.wakes == (Wake(1, 1),)
    assert [n.rule for n in heard.trace if isinstance(n, Note)] == ["toy/heard", "toy/says"]
    assert (answered.at, answered.host, answered.flight) == (20, "h1", 2)
    assert world.step() is None
    assert world.now == 20


def test_a_super_segment_is_cut_only_for_wires_that_look_at_single_frames() -> None:
    head = H2 + H1 + b"\x08\0" + b"\x45" + bytes(19) + bytes(12) + b"\x50" + bytes(7)
    whole = Frame(head, (b"x" * 30,), gso=10, csum=(34, 16))
    for wire, sizes in ((Delay(1), [84]), (Loss(Delay(1), 0), [64, 64, 64])):
        world = pair(wire)
        world.hosts["h1"].env.send(1, whole)
        world.call("h1", "wait", 5)
        record = world.step()
        assert record is not None
        assert [len(s.frame) for s in record.sent] == sizes
        assert [s.flight for s in record.sent] == list(range(1, len(sizes) + 1))


def test_simultaneous_events_keep_the_order_in_which_they_came() -> None:
    world = pair(Delay(10))
    for host in ("h2", "h1", "h2"):
        world.call(host, "say", EVERYONE, b"re:")
    assert everything(world) == [
        (1, 0, "h2"), (2, 0, "h1"), (3, 0, "h2"), (4, 10, "h1"), (5, 10, "h2"), (6, 10, "h1"),
    ]  # fmt: skip


def test_timers_come_after_what_else_is_due_and_in_the_order_of_the_hosts() -> None:
    world = pair(Delay(10))
    for host in ("h2", "h1"):
        world.now_call(host, "wait", 10)
    world.call("h1", "say", H2, b"re:")
    records = [world.step() for _ in range(4)]
    assert [(r.at, r.host, type(r.event)) for r in records if r] == [
        (0, "h1", Call), (10, "h2", Rx), (10, "h1", Tick), (10, "h2", Tick),
    ]  # fmt: skip


def test_a_call_at_once_overtakes_what_is_queued_and_returns_or_raises() -> None:
    world = pair(Delay(10))
    world.call("h2", "say", H1, b"queued")
    assert world.now_call("h1", "say", H2, b"hello") == 5
    assert world.n == 1
    with pytest.raises(StackError, match="no operation 'sing'"):
        world.now_call("h1", "sing")


def test_the_error_of_a_queued_call_is_a_result() -> None:
    world = pair(Delay(10))
    world.call("h1", "sing")
    record = world.step()
    assert record is not None
    assert isinstance(record.result, StackError)
    assert record.result.errno == 22


def test_an_injected_frame_arrives_now_from_nowhere() -> None:
    world = pair(Delay(10))
    world.inject(H1 + H2 + b"boo", to="h1")
    record = world.step()
    assert record is not None
    assert (record.at, record.host, record.flight) == (0, "h1", 0)
    assert record.event == Rx(1, Frame(H1 + H2 + b"boo"))


def test_a_contained_fault_is_in_the_record() -> None:
    world = pair(Delay(10))
    world.inject(b"trap", to="h1")
    record = world.step()
    assert record is not None
    assert record.fault == "Traceback: a trap"


def test_losses_have_their_fate_and_copies_arrive_under_one_flight() -> None:
    world = pair(Exactly(Delay(10), (1,)), Duplicate(Delay(10), 1))
    lost = world.now_call("h1", "say", H2, b"re:")
    assert lost == 3
    world.call("h1", "say", H2, b"hi")
    records = []
    world.run(lambda w: records.append(w.n) or False)  # type: ignore[func-returns-value]
    assert len(records) == 4  # the call, its arrival, and the answer twice
    assert world.flights == 3
    assert world.hosts["h1"].heard == [b"re:14", b"re:14"]  # type: ignore[attr-defined]


def test_a_frame_out_of_a_port_without_a_cable_is_lost_and_says_so() -> None:
    world = pair(Delay(10))
    world.hosts["h1"].env.send(7, Frame(b"x" * 14))
    world.call("h1", "wait", 1)
    record = world.step()
    assert record is not None
    assert record.sent[0].fate == "no cable"


def test_running_up_to_a_time_ends_at_that_time() -> None:
    world = pair(Delay(10))
    world.call("h1", "say", H2, b"hi")
    assert world.run(until=15) == 2
    assert (world.now, world.n) == (15, 2)
    assert world.run(until=20) == 1
    assert world.run(until=1000) == 0
    assert world.now == 1000
    world.now_call("h1", "wait", 10)
    with pytest.raises(ValueError, match="cannot advance to 1011 ns: h1 has something to do at 1010 ns"):
        world.advance(1011)


def test_running_until_a_condition_stops_after_the_event_that_made_it_true() -> None:
    world = pair(Delay(10))
    world.call("h1", "say", H2, b"hi")
    world.run(lambda w: bool(w.hosts["h2"].heard))  # type: ignore[attr-defined]
    assert (world.n, world.now) == (2, 10)


def test_a_run_without_end_is_stopped_and_says_where_it_was() -> None:
    world = pair(Delay(10))
    world.call("h1", "say", H2, b"hi")
    with pytest.raises(UnendingError, match="2 events and no end: it is 10 ns and h1 is next"):
        world.run(limit=2)
    assert world.run(limit=1) == 1  # exactly as many as there are


def test_hosts_and_ports_that_do_not_exist_are_named() -> None:
    world = pair(Delay(10))
    for wrong in (
        lambda: world.call("h9", "say"),
        lambda: world.now_call("h9", "say"),
        lambda: world.inject(b"", to="h9"),
    ):
        with pytest.raises(ValueError, match="no host 'h9'; there are h1, h2"):
            wrong()
    with pytest.raises(ValueError, match="no wire leaves"):
        world.rewire(("h9", 1), Delay())
    with pytest.raises(ValueError, match="there is a 'h1' already"):
        world.add(toy(1))  # type: ignore[arg-type]


def test_a_cloned_world_goes_the_same_way_and_touches_nothing_of_its_original() -> None:
    world = pair(Loss(Delay(10, jitter=7), 0.3))
    for _ in range(20):
        world.call("h1", "say", H2, b"hi")
    world.run(until=5)
    twin = world.clone()
    assert twin == world
    frozen = world.as_dict()
    theirs = [twin.step() for _ in range(15)]
    assert world.as_dict() == frozen
    assert digest([world.step() for _ in range(15)]) == digest(theirs)  # type: ignore[misc]
    assert twin == world


def test_a_suspended_host_wakes_up_with_everything_at_once() -> None:
    """Frames, timers and calls wait; nobody else does."""
    world = lan(wire=Delay(MS))
    world.now_call("h1", "ping", "10.0.0.2")
    world.suspend("h2", 500 * MS)
    world.call("h2", "listen", 80)
    world.now_call("h1", "ping", "10.0.0.2")
    times: dict[str, list[int]] = {}
    while (record := world.step(SECOND)) is not None:
        times.setdefault(record.host, []).append(record.at)
    assert min(times["h2"]) == 500 * MS
    assert min(times["h1"]) > 500 * MS
    assert world.hosts["h2"].listeners
    assert world.hosts["h1"].call("readable", 1) == 1
