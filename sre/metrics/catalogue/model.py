"""What is known about an exporter's metrics without asking it.

One entry is a *family*: `x_seconds` of type histogram stands for the series `x_seconds_bucket`, `_count` and `_sum`;
a counter's entry carries the name its series has (with `_total`, where the exporter adds it).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MetricType = Literal["counter", "gauge", "histogram", "summary"]
Failures = Literal["all", "some", "none"]
"""How many of the failed requests a metric of requests can show."""

PARTS: dict[MetricType, tuple[str, ...]] = {
    "counter": ("",),
    "gauge": ("",),
    "histogram": ("_bucket", "_count", "_sum"),
    "summary": ("", "_count", "_sum"),
}
"""The suffixes under which the series of a family are exposed."""


@dataclass(frozen=True, slots=True)
class Label:
    """A label the exporter sets itself. `values` None: unbounded (a model's name, a replica's)."""

    name: str
    values: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric family. `since` and `until` are exporter versions: the first that has it, the first that has it not.

    `failures` is None for a metric that does not count requests. `why` says why a metric cannot count failures, or
    what became of a retired one. `buckets` are a histogram's default upper bounds, without +Inf; None: not known.
    `source` is where the entry's facts were read.
    """

    name: str
    type: MetricType
    unit: str
    exporter: str
    source: str
    labels: tuple[Label, ...] = ()
    buckets: tuple[float, ...] | None = None
    failures: Failures | None = None
    why: str = ""
    since: str | None = None
    until: str | None = None
    renamed_to: str | None = None

    @property
    def counts_failures(self) -> bool:
        """Whether every failed request shows in it: what an availability SLI needs."""
        return self.failures == "all"

    @property
    def series_names(self) -> tuple[str, ...]:
        """The names of the family's series."""
        return tuple(self.name + part for part in PARTS[self.type])

    def label(self, name: str) -> Label | None:
        return next((label for label in self.labels if label.name == name), None)
