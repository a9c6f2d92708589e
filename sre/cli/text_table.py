"""A table of a report, on the terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from sre.reports.table import Table


def print_aligned(table: Table, *, cut: Callable[[str], str] = str) -> None:
    """Aligned plain text with the notes below; `cut` shortens what is too long for a cell."""
    labels = [column.label for column in table.columns]
    rows = [labels, *([cut(cell) for cell in row.cells] for row in table.rows)]
    widths = [max(len(row[index]) for row in rows) for index in range(len(labels))]
    for row in rows:
        cells = [
            cell.rjust(width) if column.numeric else cell.ljust(width)
            for cell, width, column in zip(row, widths, table.columns, strict=True)
        ]
        typer.echo("  ".join(cells).rstrip())
    for note in table.notes:
        typer.echo(note)
