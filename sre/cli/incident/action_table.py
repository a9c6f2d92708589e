"""Follow-up actions as a table: what is overdue stands first, in red."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from rich.table import Table

from sre.cli.incident.terminal import console, words
from sre.incidents.case import Item


def in_order(items: Sequence[Item], today: str) -> list[Item]:
    """Overdue first, the longest first; then by due day as they came."""
    return sorted(items, key=lambda item: not item.is_overdue(today))


def action_table(items: Sequence[Item], today: str) -> None:
    """Print it."""
    table = Table("due", "", "owner", "status", "of", "action", box=None)
    for item in items:
        late = item.is_overdue(today)
        late_by = f"{_days(item.due, today)} d late" if late and item.due else ""
        cells = (item.due or "no day", late_by, item.owner, item.status, f"{item.incident} {item.item}", item.title)
        table.add_row(*(words(cell) for cell in cells), style="bold red" if late else "")
        if item.note:
            table.add_row("", "", "", "", "", words(item.note), style="dim")
    console().print(table)


def _days(due: str, today: str) -> int:
    try:
        return (date.fromisoformat(today) - date.fromisoformat(due)).days
    except ValueError:  # an older writer's day
        return 0
