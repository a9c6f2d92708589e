"""What a set of series says about its source: the answers of SourceFacts for sources that know all their series."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from sre.metrics.identity import BOUND_LABEL, bound_value
from sre.metrics.model import Series, SeriesId


def finite_bounds(values: Iterable[str]) -> tuple[float, ...]:
    """The finite bucket bounds among values of `le`, ascending, each once however it is spelt."""
    bounds = {bound for text in values if (bound := bound_value(text)) is not None and math.isfinite(bound)}
    return tuple(sorted(bounds))


def bucket_bounds(ids: Iterable[SeriesId], family: str) -> tuple[float, ...]:
    """The finite upper bounds of `<family>_bucket` among these series."""
    return finite_bounds(label_values(ids, f"{family}_bucket", BOUND_LABEL))


def label_values(ids: Iterable[SeriesId], name: str, label: str) -> frozenset[str]:
    """The values of one label over the series of one metric."""
    return frozenset(value for one in ids if one.name == name and (value := one.label(label)) is not None)


def observed_interval_s(series: Sequence[Series]) -> float | None:
    """The scrape interval that shows in samples: the median distance of neighbours; None below two samples a series."""
    gaps = [np.diff(one.times) for one in series if one.times.size > 1]
    return float(np.median(np.concatenate(gaps))) if gaps else None
