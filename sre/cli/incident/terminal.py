"""What is printed of an incident: its words come from alerts and commands, so they never reach the terminal raw."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from sre.incidents.visible import visible

_WIDTH = 160


def console() -> Console:
    """As wide as the terminal; wide enough for `grep` where there is none."""
    made = Console(highlight=False)
    return made if made.is_terminal else Console(highlight=False, width=_WIDTH)


def words(text: str, style: str = "") -> Text:
    """`text` with the characters shown by which it could move the cursor, recolour or reorder what others wrote."""
    return Text(plain(text), style=style)


def plain(text: str) -> str:
    """The same for what rich does not print."""
    return visible(text)
