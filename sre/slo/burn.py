"""Burn rates: how many times faster than allowed the error budget is spent, over a long and a short window.

burn = (bad / total) / (1 - target), over the window (t - w, t]; both sums run over all series first (a mean of ratios
would let an idle replica hide a broken one). A window in which nothing happened has no ratio: NaN, never 0.
Windows that reach back before the first increment are in effect shorter: the curve starts with what was observed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sre.metrics.model import FloatArray
from sre.slo.counters import EventCurve
from sre.slo.model import BurnCurve, BurnTier, DrillClock


@dataclass(frozen=True, slots=True, eq=False)
class SliEvents:
    """The two sides of an SLI as event curves.

    `bad` is total minus good where good events are counted; it may dip for a moment where good was read ahead of total.
    """

    bad: EventCurve
    total: EventCurve

    def within(self, start: FloatArray, end: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(bad, total) in each window (start, end], never below 0."""
        return np.maximum(self.bad.within(start, end), 0.0), self.total.within(start, end)

    def between(self, start: float, end: float) -> tuple[float, float]:
        """(bad, total) in one window (start, end]."""
        bad, total = self.within(np.array([start]), np.array([end]))
        return float(bad[0]), float(total[0])


@dataclass(frozen=True, slots=True, eq=False)
class TierBurn:
    """A tier's burn rates and, at the same times, the bad events in its long window (for the low-traffic guard)."""

    curve: BurnCurve
    long_bad: FloatArray


def burn_curve(events: SliEvents, tier: BurnTier, times: FloatArray, *, budget: float, clock: DrillClock) -> TierBurn:
    """Burn of one tier at each time; windows are the tier's, compressed by the clock."""
    long_bad, long_burn = _window(events, times, clock.compress(tier.long_s), budget)
    _, short_burn = _window(events, times, clock.compress(tier.short_s), budget)
    return TierBurn(BurnCurve(tier, times, long_burn, short_burn), long_bad)


def _window(events: SliEvents, times: FloatArray, window_s: float, budget: float) -> tuple[FloatArray, FloatArray]:
    """(bad events, burn rate) over (t - window_s, t] for each t."""
    bad, total = events.within(times - window_s, times)
    ratio = np.divide(bad, total, out=np.full_like(total, np.nan), where=total > 0)
    return bad, ratio / budget
