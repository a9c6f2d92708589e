"""Series that an SLI's selectors match, for synthetic tests: one that only the total counts, one of the other side.

Selectors are text with regular expressions, so label values are guessed from them and then checked by matching. A
pattern that defeats the guessing gives no series, and the SLO gets no generated test: said, not hidden.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product

from sre.metrics.model import Selector, SeriesId
from sre.metrics.selector import series_filter

_TARGET = {"job": "sre-test", "instance": "one:9090"}
_OTHER = "sre-other"
_MOST = 4096


@dataclass(frozen=True, slots=True)
class Roles:
    """`side` is counted by the good or bad selectors, `rest` by the total alone. `apart`: no total counts the side."""

    side: SeriesId
    rest: SeriesId
    apart: bool


def roles(total: Sequence[Selector], side: Sequence[Selector]) -> Roles | None:
    """Two series that tell an SLI's whole story, or None when none were found."""
    candidates = [
        one for name in dict.fromkeys(s.name for s in (*total, *side)) for one in _candidates(name, total, side)
    ]
    in_total = [_hits(one, total) for one in candidates]
    in_side = [_hits(one, side) for one in candidates]
    rest = _first(candidates, in_total, in_side, (1, 0))
    both = _first(candidates, in_total, in_side, (1, 1))
    if rest is not None and both is not None:
        return Roles(both, rest, apart=False)
    alone = _first(candidates, in_total, in_side, (0, 1))
    return Roles(alone, rest, apart=True) if rest is not None and alone is not None else None


def one_series(selectors: Sequence[Selector]) -> SeriesId | None:
    """A series that exactly one of the selectors matches."""
    for selector in selectors:
        for one in _candidates(selector.name, selectors, ()):
            if _hits(one, selectors) == 1:
                return one
    return None


def _first(
    candidates: Sequence[SeriesId], in_total: Sequence[int], in_side: Sequence[int], wanted: tuple[int, int]
) -> SeriesId | None:
    found = (one for one, t, s in zip(candidates, in_total, in_side, strict=True) if (t, s) == wanted)
    return next(found, None)


def _hits(series: SeriesId, selectors: Sequence[Selector]) -> int:
    return sum(series_filter(selector)(series) for selector in selectors)


def _candidates(name: str, total: Sequence[Selector], side: Sequence[Selector]) -> Iterator[SeriesId]:
    values: dict[str, list[str]] = {}
    for selector in (*side, *total):
        if selector.name == name:
            for matcher in selector.matchers:
                guessed = [matcher.value] if "~" not in matcher.op else list(_guesses(matcher.value))
                values.setdefault(matcher.label, []).extend(guessed)
    for label, guessed in values.items():
        values[label] = list(dict.fromkeys([*guessed, _OTHER, *([_TARGET[label]] if label in _TARGET else []), ""]))
    for chosen in islice(product(*values.values()), _MOST):
        labels = {**_TARGET, **dict(zip(values, chosen, strict=True))}
        yield SeriesId(name, tuple(sorted((label, value) for label, value in labels.items() if value)))


def _guesses(pattern: str) -> Iterator[str]:
    """Values that a simple pattern matches: alternatives, with dots and classes filled in."""
    for part in re.sub(r"[()^$]|\?:", "", pattern).split("|"):
        filled = re.sub(r"\[([^\]\\])[^\]]*\]", r"\1", part)
        filled = re.sub(r"\\d", "1", filled)
        filled = re.sub(r"(?<!\\)\.[*+]", "x", filled)
        filled = re.sub(r"(?<!\\)\.", "0", filled)
        yield re.sub(r"\\(.)", r"\1", re.sub(r"(?<!\\)[*+?]", "", filled))
