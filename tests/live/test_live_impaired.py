# SPDX-License-Identifier: GPL-2.0-or-later
"""Wires with faults in real time: before a stack, and between two kernels; and what many connections cost."""

import pytest
from live_toy import ADDRESS, MAC, Toy

from labstack.bench import churn, idle, lossy
from labstack.bench.crowd import Echo
from labstack.bench.table import Row
from labstack.core.config import MS, SECOND
from labstack.core.event import Call, Rx, Tx
from labstack.core.frame import Frame
from labstack.live.host import up
from labstack.live.impaired import Impaired, Repeater
from labstack.live.wire import NoWireError
from labstack.sim.wire import Delay, Duplicate, Exactly

PEER = bytes.fromhex("0200000000fe")


def request(number: int = 0) -> Frame:
    """Who has 10.0.0.1? tell 10.0.0.<number>"""
    who = PEER + bytes([10, 0, 0, number])
    return Frame(b"\xff" * 6 + PEER + bytes.fromhex("08060001080006040001") + who + bytes(6) + ADDRESS)


def test_frames_come_and_go_later() -> None:
    machine = Impaired(Toy(), {1: Delay(3 * MS)}, {1: Delay(5 * MS)})
    machine.handle(Rx(1, request()), SECOND)
    assert machine.drain(SECOND) == []
    assert machine.deadline() == SECOND + 5 * MS
    assert machine.drain(SECOND + 5 * MS) == []
    assert machine.deadline() == SECOND + 8 * MS
    (sent,) = machine.drain(SECOND + 8 * MS)
    assert isinstance(sent, Tx)
    assert sent.frame.head[6:12] == MAC
    assert machine.deadline() is None


def test_what_a_wire_loses_is_counted_and_what_it_doubles_comes_twice() -> None:
    machine = Impaired(Toy(), {1: Exactly(Delay(0), (2,))}, {1: Duplicate(Delay(0), 1.0)})
    machine.handle(Rx(1, request()), 0)
    assert machine.drain(0) == []  # both have arrived now, the answers are under way
    assert len(machine.drain(0)) == 1
    assert machine.lost == 1


def test_calls_timers_and_other_interfaces_are_not_impaired() -> None:
    toy = Toy()
    machine = Impaired(toy, {1: Delay(SECOND)}, {1: Delay(SECOND)})
    machine.handle(Rx(2, request()), 0)
    assert [type(action) for action in machine.drain(0)] == [Tx]
    machine.handle(Call("timer", (7,)), 0)
    assert machine.deadline() == 7
    machine.handle(Rx(1, request()), 0)
    assert machine.deadline() == 7


def test_a_repeater_joins_two_interfaces() -> None:
    machine = Impaired(Repeater({1: 2, 2: 1}), {1: Delay(MS)}, {})
    for dev in (1, 2):
        machine.handle(Rx(dev, request(dev)), 0)
    (there,) = machine.drain(0)
    (back,) = machine.drain(MS)
    assert (there, back) == (Tx(2, request(1)), Tx(1, request(2)))


@pytest.mark.live
@pytest.mark.parametrize("v6", [False, True], ids=["IPv4", "IPv6"])
def test_through_loss_and_delay_both_streams_arrive_whole(v6: bool) -> None:
    """RFC 9293 §3.8: 2 % loss and 5 ms each way, the kernel at the other end, equal by SHA-256."""
    try:
        assert lossy.ours(lossy.controllers()[0], v6, 300_000) > 0.01
    except NoWireError as error:
        pytest.skip(str(error))


@pytest.mark.live
def test_two_kernels_talk_through_a_wire_of_ours() -> None:
    try:
        assert lossy.kernels(False, 300_000) > 0.01
    except NoWireError as error:
        pytest.skip(str(error))


def by_name(rows: list[Row]) -> dict[str, float]:
    return {row.row.rpartition(": ")[2]: row.value for row in rows}


@pytest.mark.live
def test_a_connection_that_does_nothing_costs_no_time_and_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle, "COUNT", 200)
    monkeypatch.setattr(idle, "SECONDS", 0.5)
    try:
        found = by_name(idle.run())
    except NoWireError as error:
        pytest.skip(str(error))
    assert found["connections held"] == 200
    assert found["turns of the loop meanwhile"] <= 2  # the kernel may have a word with its neighbour
    assert found["memory of each, as Python counts"] < 10
    assert found["connections left when all was closed"] == 0


@pytest.mark.live
def test_connections_that_come_and_go_leave_nothing_behind() -> None:
    """RFC 9293 §3.6: whoever closes first; only TIME-WAIT stays, and only where we do."""
    try:
        host = up("tap")
    except NoWireError as error:
        pytest.skip(str(error))
    with host:
        Echo(host)
        theirs = by_name(churn.churn(host, "kernel", 100, 1))
        ours = by_name(churn.churn(host, "ours", 100, 1))
        assert theirs["left in TIME-WAIT"] == theirs["left otherwise"] == ours["left otherwise"] == 0
        assert 0 < ours["left in TIME-WAIT"] == len(host.stack.lingering)
        host.stack.check()
