"""What the rules may ask: the catalogue, and the source of samples when there is one. Every question is asked once.

The source is asked by the names it really has; samples are read through aliases, as an evaluation reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from sre.metrics.catalogue import AliasedSamples, Catalogue, Metric
from sre.metrics.model import HistogramSource, Matcher, SampleSource, Selector, Series, SourceFacts
from sre.slo.counters import event_curve

RECENT_S = 900.0
TRAFFIC_S = 6 * 3600.0
"""Traffic is measured over the last six hours: long enough for a rate, short enough to read raw samples of."""


class Knowledge:
    """`now` is when samples end: the present for a live source."""

    def __init__(self, catalogue: Catalogue, source: SampleSource | None, *, now: float) -> None:
        self.catalogue = catalogue
        self._facts = _facts_of(source) if source is not None else None
        self._samples = AliasedSamples(source, catalogue) if source is not None else None
        self._now = now
        self._names: frozenset[str] | None = None
        self._values: dict[tuple[str, str], frozenset[str]] = {}
        self._bounds: dict[str, tuple[float, ...]] = {}
        self._past: dict[tuple[Selector, float], bool] = {}
        self._recent: dict[Selector, list[Series]] = {}

    @property
    def live(self) -> bool:
        """Whether a source can be asked what it holds."""
        return self._facts is not None

    @property
    def names(self) -> frozenset[str]:
        """The metric names of the source; empty without one."""
        if self._names is None:
            self._names = self._facts.metric_names() if self._facts is not None else frozenset()
        return self._names

    @property
    def retention_s(self) -> float | None:
        """How long a server keeps samples. None for files: what they hold is history, not retention."""
        if self._facts is None or self._facts.version() is None:
            return None
        return self._facts.retention_s()

    def present_as(self, name: str) -> str | None:
        """The name under which the source has the metric: this one, else an alias; None: not at all."""
        return next((one for one in (name, *self.catalogue.aliases(name)) if one in self.names), None)

    def label_values(self, name: str, label: str) -> frozenset[str] | None:
        """The values a label has: in the source, else by the catalogue; None when nobody knows them."""
        present = self.present_as(name)
        if self._facts is not None and present is not None:
            key = (present, label)
            if key not in self._values:
                self._values[key] = self._facts.label_values(*key)
            return self._values[key]
        return self.listed_values(name, label)

    def listed_values(self, name: str, label: str) -> frozenset[str] | None:
        """The values a label can have by the catalogue; None when it does not bound them."""
        metric = self.catalogue.get(name)
        found = metric.label(label) if metric is not None else None
        return frozenset(found.values) if found is not None and found.values is not None else None

    def bounds(self, family: str) -> tuple[tuple[float, ...] | None, bool]:
        """(bucket bounds, whether the source said so). None: unknown."""
        present = self.present_as(f"{family}_bucket")
        if self._facts is not None and present is not None:
            name = present.removesuffix("_bucket")
            if name not in self._bounds:
                self._bounds[name] = self._facts.bucket_bounds(name)
            return self._bounds[name] or None, True
        metric: Metric | None = self.catalogue.get(family)
        return (metric.buckets if metric is not None else None), False

    def type_of(self, name: str) -> str | None:
        """The metric's type: by the catalogue, else as its target declares it to a source that keeps that."""
        known = self.catalogue.get(name)
        if known is not None:
            return known.type
        asked: Callable[[str], str | None] | None = getattr(self._facts, "metric_type", None)
        return asked(name) if asked is not None and name in self.names else None

    def has_native(self, family: str) -> bool:
        """Whether the source has a native histogram of that name: any threshold can be read from one."""
        if not isinstance(self._samples, HistogramSource):
            return False
        return bool(self._samples.histograms(Selector(family), start=self._now - RECENT_S, end=self._now))

    def recent(self, selector: Selector) -> list[Series]:
        """The samples of the last six hours; [] without a source."""
        if self._samples is None:
            return []
        if selector not in self._recent:
            self._recent[selector] = self._samples.series(selector, start=self._now - TRAFFIC_S, end=self._now)
        return self._recent[selector]

    def interval_s(self, selectors: Iterable[Selector]) -> float | None:
        """The scrape interval: the median step of the selectors' samples; None without two samples."""
        steps = [np.diff(one.times) for selector in selectors for one in self.recent(selector)]
        every = np.concatenate([np.empty(0), *steps])
        return float(np.median(every)) if every.size else None

    def rate(self, selectors: Iterable[Selector]) -> float | None:
        """Events a second over what was observed of the last six hours; None when that is less than a minute."""
        found = [series for selector in selectors for series in self.recent(selector)]
        if not found:
            return None
        start = min(float(series.times[0]) for series in found)
        end = max(float(series.times[-1]) for series in found)
        return event_curve(found).between(start, end) / (end - start) if end - start >= 60 else None

    def bucket_shares(self, selector: Selector) -> dict[float, float]:
        """Of a `_bucket` selector's events in the last six hours, the share at or below each bound; {} without any."""
        others = tuple(matcher for matcher in selector.matchers if matcher.label != "le")
        by_bound: dict[float, list[Series]] = {}
        for series in self.recent(Selector(selector.name, others)):
            bound = _number(series.id.label("le"))
            if bound is not None:
                by_bound.setdefault(bound, []).append(series)
        counts = {bound: event_curve(group).between(-np.inf, np.inf) for bound, group in by_bound.items()}
        total = counts.get(np.inf, 0.0)
        return {bound: count / total for bound, count in counts.items()} if total > 0 else {}

    def history_s(self, selectors: Iterable[Selector], period_s: float) -> float | None:
        """How far back samples of the selectors reach, by a few short looks into the past; None without a source.

        Exact to a factor of about 2; a source that has them a whole period ago answers `period_s`.
        """
        if self._samples is None:
            return None
        ages = (period_s * 0.5**halvings for halvings in range(10))
        chosen = tuple(selectors)
        return next((age for age in ages if any(self._had(self._samples, one, age) for one in chosen)), 0.0)

    def _had(self, samples: SampleSource, selector: Selector, age_s: float) -> bool:
        """Whether there were samples so long ago, give or take a hundredth."""
        key = (selector, age_s)
        if key not in self._past:
            width = max(RECENT_S, age_s / 50)
            start = self._now - age_s - width / 2
            self._past[key] = bool(samples.series(selector, start=start, end=start + width))
        return self._past[key]


def _facts_of(source: SampleSource) -> SourceFacts | None:
    return source if isinstance(source, SourceFacts) else None


def le_of(selector: Selector) -> Matcher | None:
    """The matcher that picks one bucket."""
    return next((m for m in selector.matchers if m.label == "le" and m.op == "="), None)


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None
