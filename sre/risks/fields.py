"""Fields that both halves of a register entry are made of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date

from sre.slo.documents import Faults, Node


def one_of(names: Iterable[str]) -> str:
    """The mend for a word that is none of these."""
    return f"write one of {', '.join(names)}"


def texts(node: Node | None, faults: Faults) -> list[str]:
    """A list of texts."""
    return [faults.text(item, "write text") for item in faults.list_of(node, "write a list")]


def matching(text: str, pattern: re.Pattern[str], like: str, node: Node, key: str, faults: Faults) -> str:
    """`text`, with a fault when it is not written like `like`."""
    if text and not pattern.fullmatch(text):
        faults.add(node, f"{text!r} is no id: write one like {like}", key=key)
    return text


def day(node: Node | None, faults: Faults) -> date | None:
    """An ISO day; None after a fault."""
    if node is None:
        return None
    try:
        if isinstance(node.scalar, str) and len(node.scalar) == len("2026-01-31"):
            return date.fromisoformat(node.scalar)
    except ValueError:
        pass
    faults.add(node, f"is {node.kind}: write a day like 2026-01-31")
    return None


def step(node: Node | None, faults: Faults) -> int:
    """A whole number from 1 to 5; 0 after a fault."""
    if node is None:
        return 0
    if isinstance(node.scalar, int) and not isinstance(node.scalar, bool) and 1 <= node.scalar <= 5:
        return node.scalar
    faults.add(node, f"is {node.kind}: write a whole number from 1 to 5")
    return 0
