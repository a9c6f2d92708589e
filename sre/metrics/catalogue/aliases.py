"""A source asked by one name answers with whatever name its exporters use.

A rename reaches a fleet instance by instance. While both names are about, each instance counts once: where an instance
has the newer name, its older one is left out for as long as the newer one is there. Series come back under the name
that was asked for, so nothing downstream sees the difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sre.metrics.catalogue.lookup import Catalogue
from sre.metrics.model import (
    FloatArray,
    HistogramSeries,
    HistogramSource,
    SampleSource,
    Selector,
    Series,
    SeriesId,
    SourceFacts,
)

_Key = tuple[tuple[str, str], ...]


class AliasedSamples:
    """A SampleSource and HistogramSource over `source`, and SourceFacts when `source` knows them.

    A source without native histograms answers [] for them.
    """

    def __new__(cls, source: SampleSource, catalogue: Catalogue) -> AliasedSamples:
        """With facts where the inner source has them: `isinstance(x, SourceFacts)` must tell the truth."""
        wanted = AliasedFacts if cls is AliasedSamples and isinstance(source, SourceFacts) else cls
        return object.__new__(wanted)

    def __init__(self, source: SampleSource, catalogue: Catalogue) -> None:
        self._source = source
        self._catalogue = catalogue

    @property
    def name(self) -> str:
        return self._source.name

    def series(self, selector: Selector, *, start: float, end: float) -> list[Series]:
        """As the source's own, with the samples of every alias under the asked name."""
        found = [self._source.series(one, start=start, end=end) for one in self._selectors(selector)]
        if sum(1 for series in found if series) < 2:
            return [_renamed(series, selector.name) for group in found for series in group]
        return _union(found, selector.name)

    def histograms(self, selector: Selector, *, start: float, end: float) -> list[HistogramSeries]:
        """As the source's own, for every alias; an instance that has the newest name answers with that one only."""
        if not isinstance(self._source, HistogramSource):
            return []
        taken: set[_Key] = set()
        answer: list[HistogramSeries] = []
        for one in self._selectors(selector):
            found = self._source.histograms(one, start=start, end=end)
            fresh = [series for series in found if _instance(series.id) not in taken]
            taken |= {_instance(series.id) for series in found}
            answer += [_renamed_histogram(series, selector.name) for series in fresh]
        return sorted(answer, key=lambda series: series.id.labels)

    def close(self) -> None:
        """Close the inner source, when it can be closed."""
        close: Any = getattr(self._source, "close", None)
        if close is not None:
            close()

    def _selectors(self, selector: Selector) -> list[Selector]:
        """The selector under each of its names, newest first."""
        newest = self._catalogue.newest(selector.name)
        return [Selector(name, selector.matchers) for name in (newest, *self._catalogue.aliases(newest))]


class AliasedFacts(AliasedSamples):
    """AliasedSamples over a source that also tells what it holds."""

    def metric_names(self) -> frozenset[str]:
        """The names it has, and every name under which they can be asked for here."""
        names = self._facts.metric_names()
        return names.union(*(self._catalogue.aliases(name) for name in names))

    def bucket_bounds(self, family: str) -> tuple[float, ...]:
        """The bounds that some name of the family has, ascending."""
        return tuple(sorted({bound for name in self._names(family) for bound in self._facts.bucket_bounds(name)}))

    def label_values(self, name: str, label: str) -> frozenset[str]:
        """The values under any of the names."""
        return frozenset().union(*(self._facts.label_values(one, label) for one in self._names(name)))

    def retention_s(self) -> float | None:
        return self._facts.retention_s()

    def version(self) -> str | None:
        return self._facts.version()

    @property
    def _facts(self) -> SourceFacts:
        assert isinstance(self._source, SourceFacts)  # noqa: S101  (what __new__ looked at)
        return self._source

    def _names(self, name: str) -> tuple[str, ...]:
        return (name, *self._catalogue.aliases(name))


def _instance(series: SeriesId) -> _Key:
    """Who exposes a series: its job and instance; without an instance label, the labels are all there is."""
    key = tuple((name, value) for name, value in series.labels if name in ("job", "instance"))
    return key if any(name == "instance" for name, _ in key) else series.labels


def _union(by_name: Sequence[Sequence[Series]], name: str) -> list[Series]:
    """The series of each name, newest name first, with every instance counted once at any time."""
    covered: dict[_Key, list[tuple[float, float]]] = {}
    pieces: dict[SeriesId, list[Series]] = {}
    for group in by_name:
        spans: dict[_Key, tuple[float, float]] = {}
        for series in group:
            key = _instance(series.id)
            kept = _outside(series, covered.get(key, ()))
            if kept.times.size:
                pieces.setdefault(SeriesId(name, series.id.labels), []).append(kept)
            first, last = spans.get(key, (np.inf, -np.inf))
            spans[key] = (min(first, float(series.times[0])), max(last, float(series.times[-1])))
        for key, span in spans.items():
            covered.setdefault(key, []).append(span)
    return [_joined(one, pieces[one]) for one in sorted(pieces, key=lambda s: s.labels)]


def _outside(series: Series, spans: Sequence[tuple[float, float]]) -> Series:
    """The samples that lie in none of the closed spans."""
    kept = np.ones(series.times.shape, dtype=np.bool_)
    for first, last in spans:
        kept &= (series.times < first) | (series.times > last)
    return Series(series.id, series.times[kept], series.values[kept])


def _joined(series: SeriesId, pieces: Sequence[Series]) -> Series:
    times: FloatArray = np.concatenate([piece.times for piece in pieces])
    values: FloatArray = np.concatenate([piece.values for piece in pieces])
    order = np.argsort(times, kind="stable")
    return Series(series, times[order], values[order])


def _renamed(series: Series, name: str) -> Series:
    return Series(SeriesId(name, series.id.labels), series.times, series.values)


def _renamed_histogram(series: HistogramSeries, name: str) -> HistogramSeries:
    renamed = SeriesId(name, series.id.labels)
    return HistogramSeries(renamed, series.times, series.totals, series.lowers, series.bounds, series.counts)
