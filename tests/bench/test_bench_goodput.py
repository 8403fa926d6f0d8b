# SPDX-License-Identifier: GPL-2.0-or-later
"""The golden table: what it says is what it measured, and a transfer in virtual time is the same on every machine."""

import pytest

from labstack.bench import goodput
from labstack.bench.goodput import Cell
from labstack.core.config import SECOND

NAME = goodput.controllers()[0]


def test_without_loss_the_buffer_is_what_limits() -> None:
    """A window of 32 KiB each 100 ms, but for the slow start."""
    found = goodput.goodput(Cell(NAME, 100, 32 << 10, 0), 1 << 20)
    assert 200_000 < found < 327_680


def test_more_loss_is_never_faster() -> None:
    found = [goodput.goodput(Cell(NAME, 10, 256 << 10, loss), 1 << 18, 10 * SECOND) for loss in (0, 2, 10, 30)]
    assert found == sorted(found, reverse=True)
    assert found[-1] > 0


def test_the_page_can_be_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(goodput, "goodput", lambda cell: cell.rtt * 1e6 + cell.buffer + cell.loss * 1000)
    rows = goodput.run()
    page = goodput.render(rows)
    found = goodput.stored(page)
    assert found == {cell: goodput.kilo(goodput.goodput(cell)) for cell in goodput.cells()}
    assert page.count("×") >= 3 * len(goodput.controllers())
