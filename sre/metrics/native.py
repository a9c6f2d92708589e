"""Prometheus 3's native histograms, from the JSON of its API to arrays.

A sample is `[time, {"count", "sum", "buckets": [[rule, lower, upper, count], ...]}]`; only populated buckets are
listed, and counts are not cumulative. The rule (which edge belongs to the bucket) is left out: values on an edge are
few, and the thresholds of an SLO rarely are edges.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sre.metrics.model import FloatArray, HistogramSeries, SeriesId


@dataclass(frozen=True, slots=True, eq=False)
class HistogramSample:
    """One native histogram: (m,) arrays of its populated buckets, ascending."""

    at: float
    total: float
    lowers: FloatArray
    bounds: FloatArray
    counts: FloatArray


def read_histogram(raw: Sequence[Any]) -> HistogramSample | None:
    """One sample of the API; None for one without a finite count. Raises ValueError, TypeError or LookupError."""
    at, histogram = float(raw[0]), raw[1]
    total = float(histogram["count"])
    if not np.isfinite(total):
        return None
    rows = [[float(cell) for cell in bucket[1:4]] for bucket in histogram.get("buckets") or ()]
    buckets = np.array(sorted(rows), dtype=np.float64).reshape(-1, 3)
    return HistogramSample(at, total, buckets[:, 0], buckets[:, 1], buckets[:, 2])


def histogram_series(series: SeriesId, samples: Iterable[HistogramSample]) -> HistogramSeries:
    """The samples of one series in time's order, each time once."""
    ordered = list({one.at: one for one in sorted(samples, key=lambda one: one.at)}.values())
    return HistogramSeries(
        series,
        np.array([one.at for one in ordered]),
        np.array([one.total for one in ordered]),
        tuple(one.lowers for one in ordered),
        tuple(one.bounds for one in ordered),
        tuple(one.counts for one in ordered),
    )
