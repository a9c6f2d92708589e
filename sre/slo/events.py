"""Reads an SLI's counters from a source of samples and turns them into events.

One decision lives here: what an absent counter means. Exporters create a labelled series at its first event, so a
selector that matches nothing is 0 events *if* its metric exists with other labels; if the metric itself is unknown, the
name may be misspelt, and the answer is NoData.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sre.errors import NoData
from sre.metrics.model import Matcher, SampleSource, Selector, Series
from sre.metrics.selector import format_selector
from sre.slo.burn import SliEvents
from sre.slo.counters import EventCurve, event_curve
from sre.slo.model import RatioSli

LOOKBACK_S = 60.0  # how far before a range the base of its counters is looked for


def read_events(source: SampleSource, sli: RatioSli, *, start: float, end: float) -> SliEvents:
    """Bad and total events in (start, end]. Raises NoData when the source holds no sample of the total there."""
    reader = CounterReader(source, start, end)
    total = reader.curve(sli.total, must_be_observed=True)
    bad = reader.curve(sli.bad) if sli.bad else total.minus(reader.curve(sli.good))
    return SliEvents(bad=bad, total=total)


@dataclass(frozen=True, slots=True)
class CounterReader:
    """Counters of one source over (start, end]."""

    source: SampleSource
    start: float
    end: float

    def curve(self, selectors: tuple[Selector, ...], *, must_be_observed: bool = False) -> EventCurve:
        """The summed increments of every series the selectors match."""
        found = [series for selector in selectors for series in self.series(selector)]
        if must_be_observed and not any(series.times[-1] > self.start for series in found):
            names = " + ".join(format_selector(selector) for selector in selectors)
            raise NoData(f"{self.source.name} holds no sample of {names} in the {self.end - self.start:g} s asked for")
        return event_curve(found, up=self.up(found), after=self.start)

    def series(self, selector: Selector) -> list[Series]:
        """The matching series with some samples before `start`; [] only if the metric exists under other labels."""
        found = self._fetch(selector)
        if not found and not (selector.matchers and self._fetch(Selector(selector.name))):
            raise NoData(f"{self.source.name} holds no {selector.name}: check its name, and that its target is scraped")
        return found

    def up(self, found: list[Series]) -> list[Series]:
        """The scrape results of the jobs these series come from."""
        jobs = sorted({job for series in found if (job := series.id.label("job"))})
        if not jobs:
            return []
        return self._fetch(Selector("up", (Matcher("job", "=~", "|".join(re.escape(job) for job in jobs)),)))

    def _fetch(self, selector: Selector) -> list[Series]:
        return self.source.series(selector, start=self.start - LOOKBACK_S, end=self.end)
