"""Samples held in memory, read whole from a file: what OpenMetrics text, CSV and Parquet become."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import numpy as np

from sre.metrics import facts
from sre.metrics.columns import by_identity
from sre.metrics.model import Selector, Series, SeriesId
from sre.metrics.selector import series_filter


class LoadedSamples:
    """A SampleSource over series of strictly increasing times. Answers are views, nothing is copied."""

    def __init__(self, name: str, series: Iterable[Series]) -> None:
        self._name = name
        self._by_name: defaultdict[str, list[Series]] = defaultdict(list)
        for one in sorted(series, key=by_identity):
            self._by_name[one.id.name].append(one)

    @property
    def name(self) -> str:
        return self._name

    def series(self, selector: Selector, *, start: float, end: float) -> list[Series]:
        """Raw samples with start < t <= end."""
        wanted = series_filter(selector)
        cut = (_cut(one, start, end) for one in self._by_name.get(selector.name, ()) if wanted(one.id))
        return [one for one in cut if one.times.size]

    def everything(self) -> tuple[Series, ...]:
        """Every series, whole."""
        return tuple(one for group in self._by_name.values() for one in group)

    def span(self) -> tuple[float, float] | None:
        """First and last sample's time; None without samples."""
        times = [one.times for one in self.everything() if one.times.size]
        return (min(float(t[0]) for t in times), max(float(t[-1]) for t in times)) if times else None

    def metric_names(self) -> frozenset[str]:
        return frozenset(self._by_name)

    def bucket_bounds(self, family: str) -> tuple[float, ...]:
        return facts.bucket_bounds(self._ids(f"{family}_bucket"), family)

    def label_values(self, name: str, label: str) -> frozenset[str]:
        return facts.label_values(self._ids(name), name, label)

    def retention_s(self) -> float | None:
        span = self.span()
        return span[1] - span[0] if span else None

    def version(self) -> str | None:
        return None

    def close(self) -> None:
        """Nothing to release; there so that every source is closed alike."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _ids(self, name: str) -> list[SeriesId]:
        return [one.id for one in self._by_name.get(name, ())]


def _cut(series: Series, start: float, end: float) -> Series:
    first, last = np.searchsorted(series.times, [start, end], side="right")
    return Series(series.id, series.times[first:last], series.values[first:last])
