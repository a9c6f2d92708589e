"""Burn rates: how many times faster than allowed the error budget is spent, over a long and a short window.

burn = (bad / total) / (1 - target), over the window (t - w, t]; both sums run over all series first (a mean of ratios
would let an idle replica hide a broken one). A window in which nothing happened has no ratio: NaN, never 0.
Windows that reach back before the first increment are in effect shorter: the curve starts with what was observed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sre.metrics.model import FloatArray
from sre.slo.counters import NO_EVENTS, EventCurve, same_times
from sre.slo.model import BurnCurve, BurnTier, DrillClock

Counts = tuple[FloatArray, FloatArray]
"""(bad, total) of each window."""


@dataclass(frozen=True, slots=True, eq=False)
class SliEvents:
    """The two sides of an SLI as event curves.

    `bad` is total minus good where good events are counted; it may dip for a moment where good was read ahead of total.
    Where the source cannot tell exactly, `bad` is the most it can be and `bad_least` the least; None: exact.
    """

    bad: EventCurve
    total: EventCurve
    bad_least: EventCurve | None = None

    def __post_init__(self) -> None:
        """Curves with equal times share one array, so that one search serves all of them."""
        for name in ("bad", "bad_least"):
            curve = getattr(self, name)
            if curve is not None and curve.times is not self.total.times and same_times(curve.times, self.total.times):
                object.__setattr__(self, name, EventCurve(self.total.times, curve.counts))

    @property
    def is_exact(self) -> bool:
        return self.bad_least is None

    def within(self, start: FloatArray, end: FloatArray) -> Counts:
        """(bad, total) in each window (start, end], never below 0."""
        return self.counts(self.at(start), self.at(end))

    def least_within(self, start: FloatArray, end: FloatArray) -> FloatArray:
        """The least bad events there can have been in each window (start, end]; `bad` where the source is exact."""
        least = self.bad if self.bad_least is None else self.bad_least
        return np.maximum(least.within(start, end), 0.0)

    def between(self, start: float, end: float) -> tuple[float, float]:
        """(bad, total) in one window (start, end]."""
        bad, total = self.within(np.array([start]), np.array([end]))
        return float(bad[0]), float(total[0])

    def least_between(self, start: float, end: float) -> float:
        """The least bad events in one window (start, end]."""
        return float(self.least_within(np.array([start]), np.array([end]))[0])

    def without(self, ranges: Sequence[tuple[float, float]]) -> SliEvents:
        """The same without the events of some ranges (start, end]."""
        least = self.bad_least
        return SliEvents(
            bad=self.bad.without(ranges),
            total=self.total.without(ranges),
            bad_least=None if least is None else least.without(ranges),
        )

    def at(self, times: FloatArray) -> Lookup:
        """What the curves say at some times: windows that share an end need to look there once."""
        places = self.total.places(times)
        bad_places = places if self.bad.times is self.total.times else self.bad.places(times)
        return Lookup(bad=self.bad.read(bad_places), total=self.total.read(places))

    def counts(self, start: Lookup, end: Lookup) -> Counts:
        """(bad, total) of each window between two look-ups, never below 0."""
        return np.maximum(end.bad - start.bad, 0.0), end.total - start.total


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """Cumulative events at some times; `parts` are further curves of SLIs that combine several (`sre.slo.goodput`)."""

    bad: FloatArray
    total: FloatArray
    parts: tuple[FloatArray, ...] = ()

    def first(self, size: int) -> Lookup:
        """The first `size` times of it."""
        return Lookup(self.bad[:size], self.total[:size], tuple(part[:size] for part in self.parts))

    def then(self, other: Lookup) -> Lookup:
        """This one's times and then the other's."""
        parts = tuple(np.concatenate(pair) for pair in zip(self.parts, other.parts, strict=True))
        return Lookup(np.concatenate([self.bad, other.bad]), np.concatenate([self.total, other.total]), parts)


NOTHING = SliEvents(bad=NO_EVENTS, total=NO_EVENTS)


@dataclass(frozen=True, slots=True, eq=False)
class TierBurn:
    """A tier's burn rates and, at the same times, what its low-traffic guard needs of the long window.

    `long_total` and `budget` are for the binomial test; `for_s` is the tier's, compressed by the drill clock.
    """

    curve: BurnCurve
    long_bad: FloatArray
    long_total: FloatArray | None = None
    budget: float | None = None
    for_s: float = 0.0


def burn_curve(events: SliEvents, tier: BurnTier, times: FloatArray, *, budget: float, clock: DrillClock) -> TierBurn:
    """Burn of one tier at each time; windows are the tier's, compressed by the clock."""
    return burn_curves(events, (tier,), times, budget=budget, clock=clock)[0]


def burn_curves(
    events: SliEvents, tiers: Sequence[BurnTier], times: FloatArray, *, budget: float, clock: DrillClock
) -> tuple[TierBurn, ...]:
    """Burn of several tiers at the same times; windows of one length are looked up once."""
    windows = _Windows(events, times, budget)
    found = []
    for tier in tiers:
        long_bad, long_total, long_burn = windows.burn(clock.compress(tier.long_s))
        short_burn = windows.burn(clock.compress(tier.short_s))[2]
        curve = BurnCurve(tier, times, long_burn, short_burn)
        found.append(TierBurn(curve, long_bad, long_total, budget, clock.compress(tier.for_s)))
    return tuple(found)


def error_ratio(bad: FloatArray, total: FloatArray) -> FloatArray:
    """bad / total; NaN where there were no events."""
    return np.divide(bad, total, out=np.full_like(total, np.nan), where=total > 0)


class _Windows:
    """Windows that end at the same times, each length computed once."""

    def __init__(self, events: SliEvents, times: FloatArray, budget: float) -> None:
        self._events, self._times, self._budget = events, times, budget
        self._end = events.at(times)
        self._known: dict[float, tuple[FloatArray, FloatArray, FloatArray]] = {}

    def burn(self, window_s: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(bad, total, burn rate) over (t - window_s, t] for each t."""
        if window_s not in self._known:
            bad, total = self._events.counts(self._starts(window_s), self._end)
            self._known[window_s] = (bad, total, error_ratio(bad, total) / self._budget)
        return self._known[window_s]

    def _starts(self, window_s: float) -> Lookup:
        """The look-up at the windows' starts: the one at the ends, moved, where the times are so evenly spaced."""
        starts = self._times - window_s
        moved = int(np.searchsorted(self._times, starts[-1])) if starts.size else 0
        apart = self._times.size - 1 - moved
        if not 0 < apart < self._times.size or not np.array_equal(starts[apart:], self._times[:-apart]):
            return self._events.at(starts)
        return self._events.at(starts[:apart]).then(self._end.first(self._times.size - apart))
