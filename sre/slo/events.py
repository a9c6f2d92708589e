"""Reads an SLI's counters from a source of samples and turns them into events.

One decision lives here: what an absent counter means. Exporters create a labelled series at its first event, so a
selector that matches nothing is 0 events *if* its metric exists with other labels; if the metric itself is unknown, the
name may be misspelt, and the answer is NoData.
"""

from __future__ import annotations

import numpy as np

from sre.errors import NoData
from sre.metrics.model import SampleSource, Selector, Series
from sre.metrics.selector import format_selector
from sre.slo.burn import SliEvents
from sre.slo.counters import EventCurve, event_curve
from sre.slo.model import RatioSli

LOOKBACK_S = 60.0  # how far before a window its base samples are looked for: any sane scrape interval fits in twice


def read_events(source: SampleSource, sli: RatioSli, *, start: float, end: float) -> SliEvents:
    """Bad and total events in (start, end]. Raises NoData when the source holds no sample of a counter there."""
    up = source.series(Selector("up"), start=start - LOOKBACK_S, end=end)
    total = _read(source, sli.total, up, start=start, end=end)
    if not any(series.times[-1] > start for series in total[1]):
        raise NoData(f"no sample of {_names(sli.total)} in {end - start:g} s from {source.name}")
    if sli.bad:
        return SliEvents(bad=_read(source, sli.bad, up, start=start, end=end)[0], total=total[0])
    good = _read(source, sli.good, up, start=start, end=end)[0]
    return SliEvents(bad=_difference(total[0], good), total=total[0])


def _read(
    source: SampleSource, selectors: tuple[Selector, ...], up: list[Series], *, start: float, end: float
) -> tuple[EventCurve, list[Series]]:
    found: list[Series] = []
    for selector in selectors:
        matched = source.series(selector, start=start - LOOKBACK_S, end=end)
        if not matched and not source.series(Selector(selector.name), start=start - LOOKBACK_S, end=end):
            raise NoData(f"{source.name} holds no {selector.name}: check its name, and that its target is scraped")
        found += matched
    return event_curve(found, up=up, after=start), found


def _difference(total: EventCurve, good: EventCurve) -> EventCurve:
    """Total minus good. Where a page was read between two increments good may lead for a moment: never below 0."""
    times = np.unique(np.concatenate([total.times, good.times]))
    bad = np.maximum.accumulate(np.maximum(total.before(times) - good.before(times), 0.0))
    return EventCurve(times, bad)


def _names(selectors: tuple[Selector, ...]) -> str:
    return " + ".join(format_selector(selector) for selector in selectors)
