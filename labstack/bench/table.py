# SPDX-License-Identifier: GPL-2.0-or-later
"""What every benchmark returns, rows of figures, and their two forms: JSON to keep and a table to read."""

import json
from collections.abc import Iterable
from typing import NamedTuple


class Row(NamedTuple):
    """One figure; `ratio` is ours to the reference's, greater being better for us, None without a reference."""

    bench: str
    row: str
    value: float
    unit: str
    reference: float | None
    ratio: float | None


def to_json(rows: Iterable[Row]) -> str:
    """Return `rows` as a JSON list of objects with the names of Row's fields."""
    return json.dumps([row._asdict() for row in rows], indent=2)


def render(rows: Iterable[Row]) -> str:
    """Return `rows` as a table for the terminal."""
    from rich.console import Console
    from rich.table import Table

    table = Table("bench", "row", title=None)
    for head in ("value", "unit", "reference", "ratio"):
        table.add_column(head, justify="left" if head == "unit" else "right")
    for row in rows:
        reference = "" if row.reference is None else f"{row.reference:.4g}"
        ratio = "" if row.ratio is None else f"{row.ratio:.3g}×"
        table.add_row(row.bench, row.row, f"{row.value:.4g}", row.unit, reference, ratio)
    console = Console()
    with console.capture() as capture:
        console.print(table)
    return capture.get().rstrip("\n")
