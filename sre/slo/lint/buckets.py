"""Latency thresholds against the buckets of their histogram: only at a bound can good and bad be told apart."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from math import isinf

from sre.metrics.model import Selector
from sre.slo.lint import rules
from sre.slo.lint.knowledge import Knowledge, le_of
from sre.slo.lint.model import Finding, Side, Subject


def check_buckets(subject: Subject, knowledge: Knowledge) -> Iterator[Finding]:
    """Every `_bucket` selector with one `le`."""
    for side in subject.sides:
        for selector in side.selectors:
            matcher = le_of(selector)
            threshold = _number(matcher.value) if matcher is not None else None
            if selector.name.endswith("_bucket") and matcher is not None and threshold is not None:
                yield from _threshold(subject, side, selector, threshold, knowledge)


def _threshold(
    subject: Subject, side: Side, selector: Selector, threshold: float, knowledge: Knowledge
) -> Iterator[Finding]:
    family = selector.name.removesuffix("_bucket")
    bounds, seen = knowledge.bounds(family)
    if bounds is None or isinf(threshold):
        return
    if threshold not in bounds:
        if not (knowledge.live and knowledge.has_native(family)):
            yield _off_bound(subject, side, selector, threshold, knowledge)
        return
    spellings = knowledge.label_values(selector.name, "le") if seen else None
    written = le_of(selector)
    if spellings and written is not None and written.value not in spellings:
        theirs = next((text for text in sorted(spellings) if _number(text) == threshold), written.value)
        yield rules.BOUND_SPELLING.at(
            side.place,
            subject.name,
            what=f'le="{written.value}" in {side.name}; the source writes le="{theirs}"',
            mend=f'write le="{theirs}"',
        )


def _off_bound(subject: Subject, side: Side, selector: Selector, threshold: float, knowledge: Knowledge) -> Finding:
    family = selector.name.removesuffix("_bucket")
    bounds, seen = knowledge.bounds(family)
    known = bounds or ()
    place = bisect_left(known, threshold)
    below, above = (known[place - 1] if place else None), (known[place] if place < len(known) else None)
    band = _band(knowledge.bucket_shares(selector), below, above)
    whose = "the source's" if seen else "the exporter's default"
    near = " and ".join(f"{bound:g}" for bound in (below, above) if bound is not None)
    if above is None:
        said = f"above {whose} highest bound {below:g}: what exceeds it is not told apart"
    elif below is None:
        said = f"below {whose} lowest bound {above:g}"
    else:
        said = f"between {whose} bounds {near}"
    return rules.OFF_BUCKET.at(
        side.place,
        subject.name,
        what=f"{family}: {threshold:g} in {side.name} lies {said}{band}",
        mend=f"write {_offer(below, above)}, or give the exporter a bucket at {threshold:g}",
    )


def _band(shares: dict[float, float], below: float | None, above: float | None) -> str:
    """The error as measured: the share of all events that lies between the two bounds."""
    if not shares:
        return ""
    upper = shares.get(above, 1.0) if above is not None else 1.0
    lower = shares.get(below, 0.0) if below is not None else 0.0
    return f"; {max(upper - lower, 0.0):.2%} of the last 6 h's events lie there, good or bad unknown"


def _offer(below: float | None, above: float | None) -> str:
    offers = []
    if below is not None:
        offers.append(f'le="{below!r}" (stricter)')
    if above is not None:
        offers.append(f'le="{above!r}" (looser)')
    return " or ".join(offers)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
