"""The PromQL that can be computed from one scrape: a selector, or sum(), avg(), max(), min(), count() of one.

Whatever needs history (rate, ranges, offsets) or joins needs Prometheus; guessing at it would scale a fleet on a number
that the cluster never sees, so it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from serving.autoscale.model import LabelMatcher
from serving.autoscale.signals import Snapshot, Unavailable, matcher_test
from serving.errors import BadInput

_AGGREGATED = re.compile(r"\s*(sum|avg|max|min|count)\s*\((.*)\)\s*", re.DOTALL)
_SELECTOR = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?:\{(.*)\})?\s*", re.DOTALL)
_MATCHER = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)')
_AGGREGATES: Mapping[str, Callable[[Sequence[float]], float]] = MappingProxyType(
    {"sum": sum, "avg": lambda v: sum(v) / len(v), "max": max, "min": min, "count": lambda v: float(len(v))}
)


@dataclass(frozen=True, slots=True)
class SimpleQuery:
    """`aggregate` is None for a bare selector, whose result must then be one series."""

    name: str
    matchers: tuple[LabelMatcher, ...] = ()
    aggregate: str | None = None

    def value(self, snapshot: Snapshot) -> float | Unavailable | None:
        """None for an empty result."""
        tests = [(m.label, matcher_test(m)) for m in self.matchers]
        named = [sample for sample in snapshot.samples if sample.name == self.name]
        found = [sample.value for sample in named if all(test(sample.label(name)) for name, test in tests)]
        if not found:
            return None
        if self.aggregate is not None:
            return _AGGREGATES[self.aggregate](found)
        if len(found) > 1:
            return Unavailable(f"{self.name}: {len(found)} series where one is needed: aggregate with sum() or max()")
        return found[0]


def parse_simple(query: str) -> SimpleQuery:
    """Raises BadInput for a query that one scrape cannot answer."""
    aggregated = _AGGREGATED.fullmatch(query)
    inner = aggregated[2] if aggregated else query
    selector = _SELECTOR.fullmatch(inner)
    matchers = _matchers(selector[2] or "") if selector else None
    if selector is None or matchers is None:
        raise BadInput(
            f"query {query!r} cannot be answered from one scrape: install Prometheus (`sre doctor`), "
            "or write a selector, or sum(), avg(), max(), min() or count() of one"
        )
    return SimpleQuery(selector[1], matchers, aggregated[1] if aggregated else None)


def from_scrape(query: str, snapshot: Snapshot) -> float | Unavailable | None:
    """A query's value in one scrape, as without Prometheus; None for an empty result."""
    try:
        return parse_simple(query).value(snapshot)
    except BadInput as error:
        return Unavailable(str(error))


def _matchers(text: str) -> tuple[LabelMatcher, ...] | None:
    found: list[LabelMatcher] = []
    at = 0
    while at < len(text.rstrip()):
        match = _MATCHER.match(text, at)
        if match is None:
            return None
        value = re.sub(r"\\(.)", r"\1", match[3])
        if match[2] in ("=~", "!~") and not _compiles(value):
            return None
        found.append(LabelMatcher(match[1], match[2], value))
        at = match.end()
    return tuple(found)


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True
