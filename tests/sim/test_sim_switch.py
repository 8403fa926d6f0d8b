# SPDX-License-Identifier: GPL-2.0-or-later
"""A switch learns where stations are, floods what it does not know, and its table is bounded (IEEE 802.1D §7)."""

import pytest
from echo_host import EVERYONE, H1, H2, H3, toy

from labstack.core.frame import Frame
from labstack.core.rng import Rng
from labstack.sim.switch import Switch
from labstack.sim.wire import Delay, Exactly
from labstack.sim.world import World


def frame(to: bytes, source: bytes) -> Frame:
    return Frame(to + source + b"..")


def lan(hosts: int = 3) -> World:
    world = World(Rng(1))
    world.net.switches["sw"] = Switch()
    for number in range(1, hosts + 1):
        world.add(toy(number))  # type: ignore[arg-type]
        world.net.cable((f"h{number}", 1), ("sw", number), Delay(5))
    return world


def test_unknown_and_group_addresses_are_flooded_to_all_but_the_sender() -> None:
    switch = Switch([1, 2, 3])
    assert switch.forward(frame(H2, H1), 1) == [2, 3]
    assert switch.forward(frame(EVERYONE, H2), 2) == [1, 3]


def test_a_known_address_gets_its_frames_alone_and_moves_with_its_next_frame() -> None:
    switch = Switch([1, 2, 3])
    switch.forward(frame(EVERYONE, H2), 2)
    assert switch.forward(frame(H2, H1), 1) == [2]
    assert switch.forward(frame(H2, H3), 2) == []  # it is on the port the frame came from
    switch.forward(frame(EVERYONE, H2), 3)
    assert switch.forward(frame(H2, H1), 1) == [3]


def test_group_sources_are_not_learnt_and_runts_go_nowhere() -> None:
    switch = Switch([1, 2])
    switch.forward(frame(H1, EVERYONE), 1)
    assert switch.table == {}
    assert switch.forward(Frame(b"\1" * 11), 1) == []


def test_a_full_table_forgets_what_it_learnt_longest_ago() -> None:
    switch = Switch([1, 2], most=2)
    for source in (H1, H2, H3):
        switch.forward(frame(EVERYONE, source), 1)
    assert list(switch.table) == [H2, H3]
    assert switch.evicted == 1


def test_a_broadcast_reaches_every_other_host_as_one_flight_and_the_answer_only_its_asker() -> None:
    world = lan()
    world.call("h1", "say", EVERYONE, b"who?")
    first = world.step()
    assert first is not None
    assert [s.fate for s in first.sent] == [""]
    heard = [world.step() for _ in range(2)]
    assert [(r.host, r.flight, r.at) for r in heard if r] == [("h2", 1, 10), ("h3", 1, 10)]
    world.run()
    assert len(world.hosts["h1"].heard) == 2  # type: ignore[attr-defined]
    assert [len(world.hosts[h].heard) for h in ("h2", "h3")] == [1, 1]  # type: ignore[attr-defined]


def test_the_fate_of_a_flooded_frame_names_the_host_that_misses_it() -> None:
    world = lan()
    world.rewire(("sw", 3), Exactly(Delay(5), (1,)))
    world.call("h1", "say", EVERYONE, b"who?")
    record = world.step()
    assert record is not None
    assert record.sent[0].fate == "loss of frame 1 to h3"
    world.run()
    assert [len(world.hosts[h].heard) for h in ("h2", "h3")] == [1, 0]  # type: ignore[attr-defined]


def test_two_switches_cannot_be_connected_nor_a_port_used_twice() -> None:
    world = lan()
    world.net.switches["other"] = Switch()
    with pytest.raises(ValueError, match="both switches"):
        world.net.cable(("sw", 9), ("other", 1), Delay())
    with pytest.raises(ValueError, match=r"\('h1', 1\) has a cable already"):
        world.net.cable(("h1", 1), ("other", 1), Delay())
