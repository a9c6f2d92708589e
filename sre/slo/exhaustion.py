"""When the budget is gone if errors go on as in the recent past.

The recent error ratio goes on at the period's average traffic (a night's six hours say little about tomorrow noon).
A rolling window knows that old errors leave it: they are taken out of the future window as it moves on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sre.metrics.model import FloatArray
from sre.slo.burn import SliEvents
from sre.slo.model import Slo
from sre.slo.observation import Observation
from sre.slo.periods import period_at

RECENT_S = 6 * 3600.0  # the workbook's second page: long enough to hold traffic, short enough to be about now
_STEPS = 2000
_JUST_BEFORE_S = 1e-3


@dataclass(frozen=True, slots=True)
class Exhaustion:
    """Seconds from now until the budget is gone at the `burn` of the last `window_s`; None for `reason`. 0: it is gone.

    `burn` is None without events in that window.
    """

    window_s: float
    burn: float | None
    after_s: float | None
    reason: str | None


def exhaustion(
    slo: Slo, events: SliEvents, *, at: float, observed: Observation, recent_s: float = RECENT_S
) -> Exhaustion:
    """Time to exhaustion from the events of the period so far (corrected, if corrections count)."""
    start, end = period_at(slo, at)
    recent_bad, recent_total = events.between(at - recent_s, at)
    if recent_total <= 0:
        return Exhaustion(recent_s, None, None, f"no events in the last {recent_s / 3600:.4g} h")
    ratio = recent_bad / recent_total
    burn = ratio / slo.budget
    bad, total = events.between(start, at)
    traffic = total / observed.seconds if observed.seconds > 0 else recent_total / recent_s
    ahead_s = _ahead_s(slo, events, at=at, until=at + slo.period_s if slo.calendar is None else end)
    new_bad, new_total = ratio * traffic * ahead_s, traffic * ahead_s
    if slo.calendar is None:
        spent = rolling_path(slo, events, at=at, ahead_s=ahead_s, bad=new_bad, total=new_total)
    else:
        spent = (bad + new_bad) / (slo.budget * traffic * (end - start))
    after = _first_crossing(ahead_s, spent - 1)
    if after is None:
        reason = "old errors leave the window faster" if slo.calendar is None else "the period ends before"
        return Exhaustion(recent_s, burn, None, reason if ratio > 0 else "no errors in the recent window")
    return Exhaustion(recent_s, burn, after, "the budget is spent" if after == 0 else None)


def _ahead_s(slo: Slo, events: SliEvents, *, at: float, until: float) -> FloatArray:
    """When to look: even steps and, for a rolling window, just before and after old errors leave it."""
    even = np.linspace(0.0, until - at, _STEPS + 1)
    if slo.calendar is not None:
        return even
    leave = events.bad.times[np.diff(events.bad.counts, prepend=0.0) > 0] + slo.period_s - at
    leave = leave[(leave > _JUST_BEFORE_S) & (leave < until - at)]
    points: FloatArray = np.unique(np.concatenate([even, leave - _JUST_BEFORE_S, leave]))
    return points


def rolling_path(
    slo: Slo, events: SliEvents, *, at: float, ahead_s: FloatArray, bad: FloatArray, total: FloatArray
) -> FloatArray:
    """Spent share at each `at + ahead_s` when `bad` and `total` come on top by then; what leaves the window is gone."""
    ends = np.full_like(ahead_s, at)
    kept_bad, kept_total = events.within(np.minimum(ends, at + ahead_s - slo.period_s), ends)
    allowed = slo.budget * (kept_total + total)
    spent: FloatArray = np.divide(kept_bad + bad, allowed, out=np.zeros_like(allowed), where=allowed > 0)
    return spent


def _first_crossing(ahead_s: FloatArray, over: FloatArray) -> float | None:
    """Where a path first reaches 0 from below, between its points in a straight line."""
    reached = np.flatnonzero(over >= -1e-9)
    if not reached.size:
        return None
    i = int(reached[0])
    if i == 0:
        return 0.0
    below, above = -float(over[i - 1]), float(over[i])
    step = float(ahead_s[i] - ahead_s[i - 1])
    return float(ahead_s[i - 1]) + step * (below / (below + above) if below + above > 0 else 1.0)
