"""Counters to events: resets, births and sums, so that windows become differences of one cumulative curve.

An increment belongs to the sample that shows it, and a window (a, b] holds the increments whose sample lies in it.
Nothing is extrapolated, so windows that touch add up exactly, and counts stay whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sre.metrics.model import FloatArray, Series


@dataclass(frozen=True, slots=True, eq=False)
class EventCurve:
    """Events seen so far: `counts[i]` after the sample at `times[i]`, which ascend; none before the first."""

    times: FloatArray
    counts: FloatArray

    def before(self, at: FloatArray) -> FloatArray:
        """Events counted up to and including each time."""
        padded: FloatArray = np.concatenate([[0.0], self.counts])
        return padded[np.searchsorted(self.times, at, side="right")]

    def within(self, start: FloatArray, end: FloatArray) -> FloatArray:
        """Events in each window (start, end]."""
        return self.before(end) - self.before(start)

    def minus(self, other: EventCurve) -> EventCurve:
        """The events of this curve that are not in the other."""
        times = np.unique(np.concatenate([self.times, other.times]))
        return EventCurve(times, self.before(times) - other.before(times))

    def between(self, start: float, end: float) -> float:
        """Events in one window (start, end]."""
        return float(self.within(np.array([start]), np.array([end]))[0])


def event_curve(series: Iterable[Series], *, up: Sequence[Series] = (), after: float = -np.inf) -> EventCurve:
    """The sum of several counters as one curve, without the increments at or before `after`.

    `up` are the scrape results of the targets: they tell a series born while its target was watched (its whole first
    value is new) from one that was there before observation began (its first value is the base).
    """
    pieces = [increments(one, born=_was_born(one, up)) for one in series]
    times = np.concatenate([np.empty(0), *(times for times, _ in pieces)])
    amounts = np.concatenate([np.empty(0), *(amounts for _, amounts in pieces)])
    kept = times > after
    order = np.argsort(times[kept], kind="stable")
    return EventCurve(times[kept][order], np.cumsum(amounts[kept][order]))


def increments(series: Series, *, born: bool) -> tuple[FloatArray, FloatArray]:
    """(times, amounts) of a counter. A value below its predecessor is a restart from 0, as in PromQL's `increase`."""
    values = series.values
    if values.size == 0:
        return series.times, values
    steps = np.diff(values)
    amounts = np.where(steps < 0, values[1:], steps)
    first = values[0] if born else 0.0
    return series.times, np.concatenate([[first], amounts])


def _was_born(series: Series, up: Sequence[Series]) -> bool:
    """Whether the series' target was scraped with success before the series first appeared."""
    labels = set(series.id.labels)
    for target in up:
        if labels.issuperset(target.id.labels):
            seen = target.times[target.values == 1]
            if seen.size and series.times.size and seen[0] < series.times[0]:
                return True
    return False
