"""Samples on one grid of ticks: gauges as they stand, counters as what they grew by, summed per replica.

A tick holds a series' newest sample that is not older than one and a half scrapes, else it is unknown (NaN). A counter
that fell began anew: what it shows then is what it grew by. One that appears later than the first tick appears from 0,
because a labelled counter exists from its first increment on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sre.metrics.model import FloatArray, SampleSource, Selector, Series

FLEET = ""
"""The subject of what no replica is named for."""
REPLICA = "replica"
_FRESH = 1.5
_MOST_TICKS = 20_000


@dataclass(frozen=True, slots=True)
class Ticks:
    """`times` (n,) Unix seconds, about `step_s` apart."""

    times: FloatArray
    step_s: float

    def seen(self, series: Series) -> FloatArray:
        """The series at each tick, (n,), NaN where it has no fresh sample."""
        found = np.searchsorted(series.times, self.times + 1e-6, side="right") - 1
        at = np.maximum(found, 0)
        fresh = (found >= 0) & (self.times - series.times[at] <= _FRESH * self.step_s)
        return np.where(fresh, series.values[at], np.nan)


def ticks_of(samples: SampleSource, *, start: float, end: float) -> Ticks | None:
    """The scrapes of the target that was scraped most in [start, end], gaps filled with those of others, then evenly.

    None when nothing was scraped there. Beyond `_MOST_TICKS` the rest is left out.
    """
    scrapes = sorted(samples.series(Selector("up"), start=start, end=end), key=lambda one: -len(one.times))
    if not scrapes or len(scrapes[0].times) < 2:
        return None
    step = float(np.median(np.diff(scrapes[0].times)))
    times = scrapes[0].times
    for other in scrapes[1:]:
        near = np.searchsorted(times, other.times)
        before = other.times - times[np.maximum(near - 1, 0)]
        after = times[np.minimum(near, len(times) - 1)] - other.times
        lonely = (np.abs(before) > _FRESH / 2 * step) & (np.abs(after) > _FRESH / 2 * step)
        times = np.union1d(times, other.times[lonely])
    return Ticks(_filled(times, step)[:_MOST_TICKS], step)


def _filled(times: FloatArray, step: float) -> FloatArray:
    """The times with even ones put where more than one and a half steps are missing."""
    missing = np.maximum(np.round(np.diff(times) / step).astype(int) - 1, 0)
    missing = np.minimum(missing, _MOST_TICKS)
    extra = [low + step * np.arange(1, count + 1) for low, count in zip(times[:-1], missing, strict=True) if count]
    return np.sort(np.concatenate([times, *extra]))


class Readings:
    """What metrics say on the grid, each asked of the source once. Answers are by replica, or `FLEET`."""

    def __init__(self, samples: SampleSource, ticks: Ticks, *, start: float, end: float) -> None:
        self.ticks = ticks
        self._samples = samples
        self._start, self._end = start, end
        self._series: dict[Selector, list[Series]] = {}

    def levels(self, selectors: Sequence[Selector], *, by_replica: bool) -> dict[str, FloatArray]:
        """Gauges, summed per subject."""
        return self._summed(selectors, by_replica, self.ticks.seen)

    def increases(self, selectors: Sequence[Selector], *, by_replica: bool) -> dict[str, FloatArray]:
        """What counters grew by since the tick before, summed per subject; after a gap since the last one seen."""
        return self._summed(selectors, by_replica, self._grown)

    def _summed(
        self, selectors: Sequence[Selector], by_replica: bool, read: Callable[[Series], FloatArray]
    ) -> dict[str, FloatArray]:
        found: dict[str, list[FloatArray]] = {}
        for selector in selectors:
            for series in self._of(selector):
                subject = series.id.label(REPLICA) if by_replica else FLEET
                if subject is not None:
                    found.setdefault(subject, []).append(read(series))
        return {subject: _sum(parts) for subject, parts in sorted(found.items())}

    def _of(self, selector: Selector) -> list[Series]:
        if selector not in self._series:
            self._series[selector] = self._samples.series(selector, start=self._start, end=self._end)
        return self._series[selector]

    def _grown(self, series: Series) -> FloatArray:
        values = self.ticks.seen(series)
        known = np.flatnonzero(~np.isnan(values))
        grown = np.full(len(values), np.nan)
        if not len(known):
            return grown
        steps = np.diff(values[known], prepend=0.0)
        grown[known] = np.where(steps < 0, values[known], steps)
        if known[0] <= 1:
            grown[known[0]] = np.nan
        return grown


def _sum(parts: Sequence[FloatArray]) -> FloatArray:
    """The sum of what is known at each tick, NaN where nothing is."""
    stacked = np.stack(parts)
    known = ~np.isnan(stacked)
    return np.where(known.any(axis=0), np.where(known, stacked, 0.0).sum(axis=0), np.nan)
