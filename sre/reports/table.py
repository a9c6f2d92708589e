"""A table of plain text: what every renderer understands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """A heading; `numeric` columns are aligned right."""

    label: str
    numeric: bool


@dataclass(frozen=True, slots=True)
class Row:
    """Cells in the order of the columns; `tone` colours the row and never carries meaning of its own. `href` is where
    its last cell leads, "" for nowhere; `first_href` the same of its first.
    """

    cells: tuple[str, ...]
    tone: str = ""
    href: str = ""
    first_href: str = ""

    def link_of(self, index: int) -> str:
        """Where the cell at `index` leads."""
        if index == 0 and self.first_href:
            return self.first_href
        return self.href if index == len(self.cells) - 1 else ""


@dataclass(frozen=True, slots=True)
class Table:
    """`notes` stand below; `empty` replaces the table when it has no rows."""

    key: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    empty: str

    @property
    def headed(self) -> bool:
        """Whether any column has a heading: lists of facts have none."""
        return any(column.label for column in self.columns)


def table(
    key: str, title: str, head: Sequence[str], rows: Sequence[Row], *, notes: Sequence[str] = (), empty: str = "None."
) -> Table:
    """A heading that starts with `>` is a numeric column."""
    columns = tuple(Column(label.removeprefix(">"), label.startswith(">")) for label in head)
    return Table(key, title, columns, tuple(rows), tuple(notes), empty)
