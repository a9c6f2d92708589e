"""Sentences of running text: a full stop, question or exclamation mark before a space and a new start ends one."""

from __future__ import annotations

import re

_END = re.compile(r"(?<=[.!?])[\])*_\"']*\s+(?=[\"'(\[*_]*[A-Z0-9])")
_ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|etc|vs|approx|no|ca|resp|Dr|Mr|Ms)\.$", re.I)


def sentences(text: str) -> tuple[str, ...]:
    """A stop after a known abbreviation ends nothing."""
    found: list[str] = []
    for part in _END.split(" ".join(text.split())):
        if found and _ABBREVIATION.search(found[-1]):
            found[-1] = f"{found[-1]} {part}"
        elif part.strip():
            found.append(part.strip())
    return tuple(found)
