# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmarks of the simulator and of state measure what their rows say, and say it in Rows. No figure is judged."""

import pytest

from labstack.bench import sim, state
from labstack.core.config import MS
from labstack.sim.history import History
from labstack.sim.wire import Delay


def test_a_pumped_connection_delivers_every_byte_once() -> None:
    (bulk,) = sim.connected(Delay(MS))
    before, sent = sim._arrived(bulk.world), bulk.world.flights
    sim.pump(bulk, 100_000, bulk.world)
    received = bulk.world.hosts["h2"].conns[bulk.server].rcv
    assert received.nxt - received.irs - 1 == 100_000
    bulk.world.run()
    assert sim._arrived(bulk.world) - before == bulk.world.flights - sent > 69  # nothing is lost, everything counts


def test_the_busy_connection_has_data_in_flight_and_many_pieces_waiting() -> None:
    conn = state.busy()
    assert conn.snd.nxt - conn.snd.una > 5_000
    assert len(conn.snd.out) > 20_000
    conn.check()


def test_the_quiet_world_is_at_rest_with_its_connections_open() -> None:
    world = state.quiet()
    for host in world.hosts.values():
        assert [conn.state for conn in host.conns.values()] == ["ESTABLISHED"] * state.CONNECTIONS
        assert all(not conn.snd.out for conn in host.conns.values())


def test_a_measured_step_is_a_step_of_the_history() -> None:
    history = History(state.quiet())
    assert state.stepping(history, 12) > 0
    assert 12 <= history.n == len(history.records)


@pytest.mark.parametrize("bench", [sim, state])
def test_rows_have_a_name_a_unit_and_a_ratio_where_there_is_a_reference(
    bench: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sim, "SIZE", 1 << 18)
    rows = bench.run(rounds=1)  # type: ignore[attr-defined]
    assert len({row.row for row in rows}) == len(rows) >= 4
    assert {row.unit for row in rows} == {"frames/s" if bench is sim else "us"}
    assert all(row.value > 0 and (row.reference is None) == (row.ratio is None) for row in rows)
    assert any(row.ratio for row in rows)
