"""Counters to events: resets, births and sums, so that windows become differences of one cumulative curve.

An increment belongs to the sample that shows it, and a window (a, b] holds the increments whose sample lies in it.
Nothing is extrapolated, so windows that touch add up exactly, and counts stay whole. After a gap in the scrapes the
next sample shows all that happened meanwhile: a window inside the gap holds nothing (no data), the first one after it
holds everything, bad and good alike, so that its ratio is right. Samples that are no numbers (Prometheus's stale marker
is a NaN) are left out; a series that comes back higher went on unseen, one that comes back lower began again at 0.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sre.metrics.model import FloatArray, Series

Piece = tuple[FloatArray, FloatArray]
"""(times, amounts): what happened at each time; times ascend."""


@dataclass(frozen=True, slots=True, eq=False)
class EventCurve:
    """Events seen so far: `counts[i]` after the sample at `times[i]`, which ascend; none before the first."""

    times: FloatArray
    counts: FloatArray

    def places(self, at: FloatArray) -> NDArray[np.intp]:
        """How many samples lie at or before each time; what `read` takes."""
        return np.searchsorted(self.times, at, side="right")

    def read(self, places: NDArray[np.intp]) -> FloatArray:
        """Events counted by the first `places[i]` samples. Curves with the same times share their places."""
        if not self.counts.size:
            return np.zeros(places.shape)
        found: FloatArray = self.counts.take(places - 1, mode="clip")
        return np.where(places > 0, found, 0.0)

    def before(self, at: FloatArray) -> FloatArray:
        """Events counted up to and including each time."""
        return self.read(self.places(at))

    def within(self, start: FloatArray, end: FloatArray) -> FloatArray:
        """Events in each window (start, end]."""
        return self.before(end) - self.before(start)

    def between(self, start: float, end: float) -> float:
        """Events in one window (start, end]."""
        return float(self.within(np.array([start]), np.array([end]))[0])

    def minus(self, other: EventCurve) -> EventCurve:
        """The events of this curve that are not in the other."""
        if same_times(self.times, other.times):
            return EventCurve(self.times, self.counts - other.counts)
        times = np.unique(np.concatenate([self.times, other.times]))
        return EventCurve(times, self.before(times) - other.before(times))

    def without(self, ranges: Iterable[tuple[float, float]]) -> EventCurve:
        """The curve without the events of each range (start, end]; ranges may overlap."""
        amounts = np.diff(self.counts, prepend=0.0)
        for start, end in ranges:
            first, last = self.places(np.array([start, end]))
            amounts[first:last] = 0.0
        return EventCurve(self.times, np.cumsum(amounts))


NO_EVENTS = EventCurve(np.empty(0), np.empty(0))


def same_times(one: FloatArray, other: FloatArray) -> bool:
    """Whether two time axes are equal; cheap where they are one array, or differ at an end."""
    if one is other:
        return True
    if one.size != other.size:
        return False
    return one.size == 0 or (one[0] == other[0] and one[-1] == other[-1] and bool(np.array_equal(one, other)))


@dataclass(frozen=True, slots=True)
class Births:
    """What is known of when targets were watched, to tell a new counter from one that nobody looked at before.

    A series that first appears on a target that was watched already is new, with its whole first value.

    `up` are the scrape results of the targets and decide where a target has one. Sources without `up` (files): another
    series of the same target, i.e. with equal labels but for the `kinds` (those the SLI tells its events apart by, as
    `outcome` or `le`), that was sampled earlier shows that the target was watched. Neither: the first value is a base.
    """

    up: Sequence[Series] = ()
    witnesses: Sequence[Series] = ()
    kinds: Collection[str] = ()

    def first_seen(self) -> Callable[[Series], float]:
        """When the target of a series is known to have been watched first; infinity: it is not known to have been."""
        witnessed: dict[tuple[tuple[str, str], ...], float] = {}
        for other in self.witnesses:
            target = self._target(other)
            witnessed[target] = min(_first_sample(other), witnessed.get(target, np.inf))

        def seen(series: Series) -> float:
            labels = set(series.id.labels)
            targets = [target for target in self.up if labels.issuperset(target.id.labels)]
            if targets:
                return min(float(np.min(target.times[target.values == 1], initial=np.inf)) for target in targets)
            return witnessed.get(self._target(series), np.inf)

        return seen

    def _target(self, series: Series) -> tuple[tuple[str, str], ...]:
        return tuple(pair for pair in series.id.labels if pair[0] not in self.kinds)


UNKNOWN_BIRTHS = Births()


def event_curve(
    series: Iterable[Series], *, up: Sequence[Series] = (), after: float = -np.inf, births: Births = UNKNOWN_BIRTHS
) -> EventCurve:
    """The sum of several counters as one curve, without the increments at or before `after`.

    `up` is short for `births=Births(up=...)`. Series with the same times are added up before anything is sorted.
    """
    seen = (Births(up=up) if up else births).first_seen()
    grids: dict[tuple[float, ...], list[Piece]] = {}
    for one in series:
        cleaned = clean(one)
        if not cleaned.times.size:
            continue
        times, amounts = _after(*increments(cleaned, born=seen(cleaned) < cleaned.times[0]), after)
        alike = grids.setdefault((times.size, *times[:1].tolist(), *times[-1:].tolist()), [])
        mate = next((piece for piece in alike if same_times(piece[0], times)), None)
        if mate is None:
            alike.append((times, amounts))
        else:
            np.add(mate[1], amounts, out=mate[1])
    return curve_of([piece for alike in grids.values() for piece in alike])


def increments(series: Series, *, born: bool) -> Piece:
    """(times, amounts) of a counter. A value below its predecessor is a restart from 0, as in PromQL's `increase`."""
    values = np.asarray(series.values, dtype=np.float64)
    amounts = np.empty(values.shape)
    if values.size:
        amounts[0] = values[0] if born else 0.0
        np.subtract(values[1:], values[:-1], out=amounts[1:])
        restarts = amounts[1:] < 0
        if restarts.any():
            amounts[1:][restarts] = values[1:][restarts]
        np.maximum(amounts, 0.0, out=amounts)  # a counter below 0 is none: it adds nothing, and takes nothing away
    return series.times, amounts


def curve_of(pieces: Sequence[Piece]) -> EventCurve:
    """One curve of everything that happened in the pieces."""
    if not pieces:
        return NO_EVENTS
    if len(pieces) == 1:
        times, amounts = pieces[0]
        return EventCurve(times, np.cumsum(amounts))
    times = np.concatenate([times for times, _ in pieces])
    order = np.argsort(times, kind="stable")  # merges runs that are sorted already
    return EventCurve(times[order], np.cumsum(np.concatenate([amounts for _, amounts in pieces])[order]))


def sum_of(curves: Iterable[EventCurve]) -> EventCurve:
    """The events of all curves together."""
    present = [curve for curve in curves if curve.times.size]
    if len(present) == 1:
        return present[0]
    if present and all(same_times(present[0].times, curve.times) for curve in present):
        return EventCurve(present[0].times, np.sum([curve.counts for curve in present], axis=0))
    return curve_of([(curve.times, np.diff(curve.counts, prepend=0.0)) for curve in present])


def clean(series: Series) -> Series:
    """The series with finite samples only, in order of time; of several at one time the first given counts.

    Prometheus too refuses a second sample of one time. A series that needs nothing of this is returned itself.
    """
    times, values = series.times, series.values
    finite = np.isfinite(values)
    if not finite.all():
        times, values = times[finite], values[finite]
    if times.size > 1 and not (times[1:] > times[:-1]).all():
        order = np.argsort(times, kind="stable")
        times, values = times[order], values[order]
        first = np.concatenate([[True], times[1:] > times[:-1]])
        times, values = times[first], values[first]
    return series if times is series.times else Series(series.id, times, values)


def _first_sample(series: Series) -> float:
    finite = np.isfinite(series.values)
    return float(np.min(series.times[finite], initial=np.inf))


def _after(times: FloatArray, amounts: FloatArray, after: float) -> Piece:
    if not times.size or times[0] > after:
        return times, amounts
    first = int(np.searchsorted(times, after, side="right"))
    return times[first:], amounts[first:]
