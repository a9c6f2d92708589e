"""Words that look for who is at fault instead of what let it happen, and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from sre.reports.postincident.lint.model import Line

_WORDS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\bshould(?:n't| not)? have\b", re.I), "say what was done, and what made it look right at the time"),
    (re.compile(r"\b(?:human|operator|user|pilot) error\b", re.I), "say what in the system made the error easy"),
    (re.compile(r"\bcareless(?:ness|ly)?\b|\bneglig\w+\b|\bincompet\w+\b|\bsloppy\b", re.I), "describe what happened"),
    (re.compile(r"\bforgot to\b|\bfailed to follow\b|\bdidn't bother\b", re.I), "say what would have reminded anybody"),
    (re.compile(r"\b(?:his|her|their) (?:fault|mistake)\b|\bto blame\b|\bat fault is\b", re.I), "name conditions"),
)
_NAMED = re.compile(
    r"\b(?i:caused by|because|due to|fault of|thanks to)\s+(?:of\s+)?"
    r"(?P<name>[A-Z][a-z]{2,}(?:\s+[A-Z][a-z]+)?)(?:'s)?\s+"
    r"(?:had|has|did|didn't|was|made|pushed|deployed|ran|broke|deleted|misconfigured|mistake|forgot|typed|changed)\b"
)
_THINGS = frozenset(
    {
        *("The", "This", "That", "These", "Those", "Each", "Every", "Some", "One", "Nothing", "Nobody"),
        *("Prometheus", "Alertmanager", "Kubernetes", "Triton", "Chromium", "Linux"),
        *("Gateway", "Traffic", "Requests", "Clients", "Users", "Replica", "Replicas"),
    }
)


def blame(lines: Iterable[Line]) -> Iterator[tuple[Line, str, str]]:
    """(line, the words, what to write instead); each line once a pattern."""
    for line in lines:
        for pattern, mend in _WORDS:
            if found := pattern.search(line.text):
                yield line, found.group(0), mend
        named = _NAMED.search(line.text)
        if named is not None and named["name"].split()[0] not in _THINGS:
            yield line, named.group(0), "a person is no cause: say what in the system let it happen"
