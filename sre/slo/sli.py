"""Current values of service level indicators, for probes and guards. Unknown is NoData, never 0."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from sre.errors import NoData
from sre.metrics.model import Matcher, SampleSource, Selector, Series
from sre.slo.counters import event_curve
from sre.slo.events import sli_events
from sre.slo.histograms import one_spelling
from sre.slo.model import Sli
from sre.slo.reader import CounterReader


def ratio_over(source: SampleSource, sli: Sli, *, end: float, window_s: float) -> tuple[float, float]:
    """(good, total) events in (end - window_s, end]; (0, 0) means watched but idle. Raises NoData when not watched."""
    start = end - window_s
    bad, total = sli_events(source, sli, start=start, end=end).between(start, end)
    return max(total - bad, 0.0), total


def quantile_over(
    source: SampleSource,
    histogram_name: str,
    q: float,
    *,
    end: float,
    window_s: float,
    matchers: tuple[Matcher, ...] = (),
) -> float:
    """The q-quantile of what a classic histogram observed in (end - window_s, end], summed over its series.

    `histogram_name` is the family's name, without `_bucket`. Raises NoData when nothing was observed.
    """
    reader = CounterReader(source, end - window_s, end)
    by_bound: defaultdict[float, list[Series]] = defaultdict(list)
    series = reader.series(Selector(f"{histogram_name}_bucket", matchers))
    for one in one_spelling(series):
        by_bound[_bound(one)].append(one)
    up = reader.up(series)
    counts = {
        bound: event_curve(group, up=up, after=reader.start).between(reader.start, end)
        for bound, group in by_bound.items()
    }
    quantile = histogram_quantile(q, counts)
    if quantile is None:
        raise NoData(f"{source.name}: {histogram_name} observed nothing in the last {window_s:g} s")
    return quantile


def histogram_quantile(q: float, cumulative: Mapping[float, float]) -> float | None:
    """PromQL's `histogram_quantile` (linear within a bucket) over {upper bound: cumulative count}; None without data.

    A quantile in the +Inf bucket is the highest finite bound: the histogram knows no more, the truth is at least that.
    """
    if not 0 <= q <= 1:
        raise ValueError(f"a quantile lies between 0 and 1, not {q}")
    bounds = sorted(cumulative)
    if len(bounds) < 2 or not np.isinf(bounds[-1]):
        return None
    counts = np.maximum.accumulate([cumulative[bound] for bound in bounds])  # buckets may be read a moment apart
    if counts[-1] <= 0:
        return None
    rank = q * counts[-1]
    index = int(np.searchsorted(counts, rank, side="left"))
    if index == len(bounds) - 1:
        return bounds[-2]
    if index == 0 and bounds[0] <= 0:
        return bounds[0]
    lower, below = (bounds[index - 1], counts[index - 1]) if index else (0.0, 0.0)
    inside = counts[index] - below
    return float(lower + (bounds[index] - lower) * (rank - below) / inside) if inside else float(lower)


def _bound(series: Series) -> float:
    text = series.id.label("le")
    try:
        return float(text or "")
    except ValueError as error:
        raise NoData(f"{series.id.name} has no numeric `le` label: it is not a classic histogram") from error
