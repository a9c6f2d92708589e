"""What is printed of an incident: its words come from alerts and commands, so they never reach the terminal raw."""

from __future__ import annotations

import re

from rich.console import Console
from rich.text import Text

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_WIDTH = 160


def console() -> Console:
    """As wide as the terminal; wide enough for `grep` where there is none."""
    made = Console(highlight=False)
    return made if made.is_terminal else Console(highlight=False, width=_WIDTH)


def words(text: str, style: str = "") -> Text:
    """`text` without the characters by which it could move the cursor, recolour or reorder what others wrote."""
    return Text(plain(text), style=style)


def plain(text: str) -> str:
    return _CONTROL.sub("\ufffd", text)
