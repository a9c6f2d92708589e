"""Counters of one source over one range, as event curves. What reaches the source for an SLI over counters is here.

Fetches are narrow: the buckets of one bound first, however it is written; all bounds only where that one is missing,
and then of the last minutes, to learn which there are. Native histograms are asked for where no classic series exists.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from sre.errors import NoData
from sre.metrics.model import HistogramSeries, HistogramSource, Matcher, SampleSource, Selector, Series
from sre.metrics.selector import format_selector
from sre.slo.counters import Births, EventCurve, event_curve
from sre.slo.histograms import (
    COUNT,
    Labels,
    Side,
    bound_asked,
    bound_of,
    exact,
    family_of,
    native_side,
    native_total,
    neighbours,
    one_spelling,
    sum_of_sides,
    target_of,
    with_bounds,
    without_bound,
)

LOOKBACK_S = 60.0  # how far before a range the base of its counters is looked for
_PROBE_S = 900.0  # the stretch at a range's end in which a histogram's bounds are looked for first
_INF = float("inf")


@dataclass(slots=True)
class CounterReader:
    """Counters of one source over (start, end].

    `kinds` are the labels by which the SLI tells its events apart; the series read for a total are kept as witnesses of
    when their targets were watched (`counters.Births`).
    """

    source: SampleSource
    start: float
    end: float
    lookback_s: float = LOOKBACK_S
    kinds: Collection[str] = ()
    _witnesses: list[Series] = field(default_factory=list, repr=False)

    def curve(self, selectors: Sequence[Selector], *, must_be_observed: bool = False) -> EventCurve:
        """The summed increments of every series the selectors match."""
        found = [series for selector in selectors for series in self.series(selector)]
        if must_be_observed:
            self.demand(found, selectors)
        return self._events(found)

    def total(self, selectors: Sequence[Selector]) -> EventCurve:
        """All events of an SLI. Raises NoData when no sample of them lies in the range."""
        found: list[Series] = []
        native: list[HistogramSeries] = []
        for selector in selectors:
            counts_all = selector.name.endswith(COUNT) or bound_asked(selector) == _INF
            histograms = self._native(selector) if counts_all else []
            native += histograms
            found += [] if histograms else self._asked(selector)
        if not any(one.times.size and one.times[-1] > self.start for one in native):
            self.demand(found, selectors)
        self._witnesses += found
        curves = [exact(self._events(found)), exact(native_total(native, after=self.start))]
        return sum_of_sides(curves).least

    def side(self, selectors: Sequence[Selector]) -> Side:
        """Good or bad events; a bucket whose bound the source does not have is known within two others."""
        plain = [selector for selector in selectors if bound_asked(selector) is None]
        sides = [exact(self.curve(plain))] if plain else []
        for selector in selectors:
            bound = bound_asked(selector)
            if bound is not None:
                sides.append(self._bucket(selector, bound))
        return sum_of_sides(sides)

    def series(self, selector: Selector) -> list[Series]:
        """The matching series with some samples before `start`; [] only if the metric exists under other labels."""
        found = self._fetch(selector)
        if not found and not (selector.matchers and self._fetch(Selector(selector.name))):
            raise NoData(f"{self.source.name} holds no {selector.name}: check its name, and that its target is scraped")
        return found

    def demand(self, found: Sequence[Series], selectors: Sequence[Selector]) -> None:
        """Raises NoData when no sample of the series lies in the range."""
        if not any(series.times.size and series.times[-1] > self.start for series in found):
            names = " + ".join(format_selector(selector) for selector in selectors)
            raise NoData(f"{self.source.name} holds no sample of {names} in the {self.end - self.start:g} s asked for")

    def up(self, found: Sequence[Series]) -> list[Series]:
        """The scrape results of the jobs these series come from."""
        jobs = sorted({job for series in found if (job := series.id.label("job"))})
        if not jobs:
            return []
        return self._fetch(Selector("up", (Matcher("job", "=~", "|".join(re.escape(job) for job in jobs)),)))

    def _events(self, found: Sequence[Series]) -> EventCurve:
        births = Births(self.up(found), [*self._witnesses, *found], {*self.kinds, "le"})
        return event_curve(found, after=self.start, births=births)

    def _asked(self, selector: Selector) -> list[Series]:
        """The series of a total's selector; a bucket (`le="+Inf"`) however its bound is written."""
        bound = bound_asked(selector)
        return self.series(selector) if bound is None else self._at_bounds(selector, [bound]) or self.series(selector)

    def _bucket(self, selector: Selector, bound: float) -> Side:
        """Observations at most `bound`, target by target: exact where its histogram has the bound."""
        found = self._at_bounds(selector, [bound])
        missing = self._without(selector, found)
        if found and not missing:
            return exact(self._events(found))
        bounds = self._bounds_of_targets(selector)
        if not bounds and not found:
            return self._native_bucket(selector, bound)
        around = {target: neighbours(known, bound) for target, known in bounds.items() if bound not in known}
        if not around:
            return exact(self._events(found))
        between = self._at_bounds(selector, {edge for pair in around.values() for edge in pair if edge is not None})
        lower = [one for one in between if around.get(target_of(one), (None, None))[0] == bound_of(one)]
        upper = [one for one in between if around.get(target_of(one), (None, None))[1] == bound_of(one)]
        return Side(least=self._events(found + lower), most=self._events(found + upper))

    def _at_bounds(self, selector: Selector, bounds: Collection[float]) -> list[Series]:
        found = self._fetch(with_bounds(selector, bounds))
        return one_spelling(one for one in found if bound_of(one) in bounds)

    def _without(self, selector: Selector, found: Sequence[Series]) -> bool:
        """Whether some target counts observations and has no bucket of the bound asked for."""
        count = selector.name.removesuffix("_bucket") + COUNT
        counted = {target_of(one) for one in self._witnesses if one.id.name == count}
        return not counted <= {target_of(one) for one in found}

    def _bounds_of_targets(self, selector: Selector) -> dict[Labels, set[float]]:
        every = without_bound(selector)
        recent = max(self.end - _PROBE_S, self.start - self.lookback_s)
        found = self.source.series(every, start=recent, end=self.end) or self._fetch(every)
        bounds: defaultdict[Labels, set[float]] = defaultdict(set)
        for one in found:
            bound = bound_of(one)
            if bound is not None:
                bounds[target_of(one)].add(bound)
        return dict(bounds)

    def _native_bucket(self, selector: Selector, bound: float) -> Side:
        histograms = self._histograms(family_of(selector))
        if histograms:
            return native_side(histograms, bound, after=self.start)
        return exact(self._events(self.series(without_bound(selector))))

    def _native(self, selector: Selector) -> list[HistogramSeries]:
        """Native histograms behind a `_count` that no classic series has."""
        if not isinstance(self.source, HistogramSource) or self._fetch(Selector(selector.name)):
            return []
        return self._histograms(family_of(selector))

    def _histograms(self, selector: Selector) -> list[HistogramSeries]:
        if not isinstance(self.source, HistogramSource):
            return []
        return self.source.histograms(selector, start=self.start - self.lookback_s, end=self.end)

    def _fetch(self, selector: Selector) -> list[Series]:
        return self.source.series(selector, start=self.start - self.lookback_s, end=self.end)
