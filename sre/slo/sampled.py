"""Samples that are events themselves: ratios computed elsewhere, gauges with a threshold, counts since the last one.

One sample weighs as one event (a count as many as it says), so ratios and gauges know nothing of traffic: an idle
minute weighs like a busy one, and several series weigh alike. Where requests can be counted, count them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from sre.errors import NoData
from sre.metrics.model import FloatArray, Series
from sre.slo.burn import SliEvents
from sre.slo.counters import EventCurve, clean, curve_of
from sre.slo.model import Op, RawSli, ThresholdSli

_SLACK = 1e-6  # how far outside [0, 1] a computed ratio may lie


def counted_samples(series: Iterable[Series]) -> EventCurve:
    """Series whose samples are the events since the last one, summed. Negative samples count nothing."""
    cleaned = [clean(one) for one in series]
    return curve_of([(one.times, np.maximum(one.values, 0.0)) for one in cleaned if one.times.size])


def raw_events(series: Sequence[Series], sli: RawSli) -> SliEvents:
    """Each sample of a ratio is one event, bad by the part that is not good. Raises NoData for what is no ratio."""
    cleaned = [_ratio(clean(one)) for one in series]
    return _events([(one, np.clip(one.values if sli.failure else 1 - one.values, 0.0, 1.0)) for one in cleaned])


def threshold_events(series: Sequence[Series], sli: ThresholdSli) -> SliEvents:
    """Each sample of a gauge is one event, good when `sample OP value` holds."""
    cleaned = [clean(one) for one in series]
    return _events([(one, 1.0 - _holds(one.values, sli.op, sli.value)) for one in cleaned])


def _events(bad: Sequence[tuple[Series, FloatArray]]) -> SliEvents:
    total = curve_of([(one.times, np.ones_like(amounts)) for one, amounts in bad])
    return SliEvents(bad=curve_of([(one.times, amounts) for one, amounts in bad]), total=total)


def _holds(values: FloatArray, op: Op, threshold: float) -> FloatArray:
    match op:
        case "lte":
            return (values <= threshold).astype(np.float64)
        case "gte":
            return (values >= threshold).astype(np.float64)
        case "lt":
            return (values < threshold).astype(np.float64)
        case "gt":
            return (values > threshold).astype(np.float64)


def _ratio(series: Series) -> Series:
    wrong = (series.values < -_SLACK) | (series.values > 1 + _SLACK)
    if wrong.any():
        value, at = series.values[wrong][0], series.times[wrong][0]
        raise NoData(
            f"{series.id.name} is no ratio: {value:g} at {at:.0f} lies outside 0 to 1: divide a percentage by 100"
        )
    return series
