"""Samples and where they come from. One Protocol, so that a scraper, Prometheus and a file give the same answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Matcher:
    """One label condition; `op` is `=`, `!=`, `=~` or `!~` (regular expressions are anchored, as in PromQL)."""

    label: str
    op: str
    value: str


@dataclass(frozen=True, slots=True)
class Selector:
    """A PromQL instant-vector selector: a metric name and label matchers, nothing else."""

    name: str
    matchers: tuple[Matcher, ...] = ()


@dataclass(frozen=True, slots=True)
class SeriesId:
    """Metric name and sorted label pairs."""

    name: str
    labels: tuple[tuple[str, str], ...]

    def label(self, name: str) -> str | None:
        return dict(self.labels).get(name)


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """`times` (Unix seconds, strictly increasing) and `values`, two float64 arrays of the same length n."""

    id: SeriesId
    times: FloatArray
    values: FloatArray


class SampleSource(Protocol):
    """Where samples come from."""

    @property
    def name(self) -> str:
        """What a report calls this source: `scraper`, `prometheus` ..."""
        ...

    def series(self, selector: Selector, *, start: float, end: float) -> list[Series]:
        """Raw samples with start < t <= end, one entry a series; empty list when no series matches."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class HistogramSeries:
    """A Prometheus native histogram over time: n samples, each with its own buckets.

    `bounds[i]` are the ascending upper bounds of sample i's populated buckets, `lowers[i]` their lower bounds, and
    `counts[i]` what each bucket holds (not cumulative). `totals` is (n,), the count of all observations.
    """

    id: SeriesId
    times: FloatArray
    totals: FloatArray
    lowers: tuple[FloatArray, ...]
    bounds: tuple[FloatArray, ...]
    counts: tuple[FloatArray, ...]


@runtime_checkable
class HistogramSource(Protocol):
    """A source that also knows native histograms (Prometheus 3). Asked for where no classic bucket exists."""

    def histograms(self, selector: Selector, *, start: float, end: float) -> list[HistogramSeries]:
        """Native histograms with start < t <= end; `selector.name` is the family, without `_bucket` or `_count`."""
        ...


@runtime_checkable
class SourceFacts(Protocol):
    """What a source knows about its own samples; `sre slo lint` asks it. Raises EnvironmentLacks when it is silent."""

    def metric_names(self) -> frozenset[str]:
        """Every metric name it holds a series of."""
        ...

    def bucket_bounds(self, family: str) -> tuple[float, ...]:
        """The finite upper bounds of a classic histogram, ascending; empty when it holds no `<family>_bucket`."""
        ...

    def label_values(self, name: str, label: str) -> frozenset[str]:
        """The values of one label over the series of one metric; empty when no series has the label."""
        ...

    def retention_s(self) -> float | None:
        """How far back it can answer, in seconds; None when it does not say. For a file: the span of its samples."""
        ...

    def version(self) -> str | None:
        """Version of the server behind it; None for files, and when it does not say."""
        ...
