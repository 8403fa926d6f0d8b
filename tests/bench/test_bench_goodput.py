# SPDX-License-Identifier: GPL-2.0-or-later
"""The golden table: what it says is what it measured, and a transfer in virtual time is the same on every machine."""

from pathlib import Path

import pytest

from labstack.bench import goodput
from labstack.bench.goodput import Cell
from labstack.core.config import SECOND

NAME = goodput.controllers()[0]


def test_without_loss_the_buffer_is_what_limits() -> None:
    """A window of some 38 kB (the buffer is doubled, as on Linux) each 100 ms, but for the slow start."""
    found = goodput.goodput(Cell(NAME, 100, 32 << 10, 0), 1 << 20)
    assert 200_000 < found < 400_000


def test_more_loss_is_never_faster() -> None:
    found = [goodput.goodput(Cell(NAME, 10, 256 << 10, loss), 1 << 18, 10 * SECOND) for loss in (0, 2, 10, 30)]
    assert found == sorted(found, reverse=True)
    assert found[-1] > 0


def test_nothing_is_faster_than_who_knows_each_loss_and_the_timer_costs_what_it_does() -> None:
    """Without loss it fills the window that `none` fills on the page."""
    filled = STORED[Cell("none", goodput.FAR, goodput.SMALL, 0)] * 1e3
    assert goodput.ideal(0, False, 10_000) == pytest.approx(filled, rel=0.03)
    for loss in goodput.SMOLTCP:
        best, patient = goodput.ideal(loss, False, 20_000), goodput.ideal(loss, True, 20_000)
        stored = [STORED[Cell(name, goodput.FAR, goodput.SMALL, loss)] * 1e3 for name in goodput.controllers()]
        assert max(stored) < best
        assert patient < best


def test_the_page_can_be_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(goodput, "goodput", lambda cell: cell.rtt * 1e6 + cell.buffer + cell.loss * 1000)
    rows = goodput.run()
    page = goodput.render(rows)
    found = goodput.stored(page)
    assert found == {cell: goodput.kilo(goodput.goodput(cell)) for cell in goodput.cells()}
    assert page.count("×") >= 3 * len(goodput.controllers())


PAGE = Path(__file__).resolve().parents[2] / "docs" / "goodput.md"
STORED = goodput.stored(PAGE.read_text())
AGAIN = [Cell(name, goodput.FAR, goodput.SMALL, loss) for name in goodput.controllers() for loss in (20, 30)]
AGAIN.append(Cell("cubic", 10, 256 << 10, 5))
MARGIN = 1.5  # by chance a loss that falls elsewhere changes a cell, and any change of TCP moves losses


def test_the_page_has_every_cell() -> None:
    assert STORED.keys() == set(goodput.cells())


@pytest.mark.parametrize("cell", AGAIN, ids=str)
def test_a_cell_is_what_the_page_says(cell: Cell) -> None:
    """If it is not, and should not be: `labstack bench goodput > docs/goodput.md`."""
    found = goodput.goodput(cell) / 1e3
    assert STORED[cell] / MARGIN < found < STORED[cell] * MARGIN


@pytest.mark.parametrize("loss", [20, 30])
def test_heavy_loss_is_five_times_what_smoltcp_publishes(loss: int) -> None:
    best = max(STORED[Cell(name, goodput.FAR, goodput.SMALL, loss)] for name in goodput.controllers())
    assert best * 1e3 > 5 * goodput.SMOLTCP[loss]
