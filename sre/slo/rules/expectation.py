"""When the generated alerts of a synthetic history are pending, firing and silent, computed without Prometheus.

This is the other side of the promtool tests: what the rules shall do is worked out here from the tiers' definition and
from how PromQL counts in a window (`sre.slo.prometheus_windows`), then the real promtool is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sre.metrics.model import FloatArray, Series
from sre.slo.model import BurnTier, JointSli, RatioSli, RawSli, Slo, ThresholdSli
from sre.slo.prometheus_windows import PROMETHEUS_2, increase
from sre.slo.rules.model import RuleOptions, RuleSet
from sre.slo.rules.scenario import Grid, Synthetic

_LOOKBACK_S = 300.0
_ROUNDING = 1e-9
_Windows = Callable[[float], tuple[FloatArray, FloatArray]]


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """A tier over the evaluation times: `value` is its long window's burn rate, what `$value` is in annotations."""

    tier: BurnTier
    times: FloatArray
    value: FloatArray
    firing: NDArray[np.bool_]

    def first(self, *, after: float = -1.0) -> float | None:
        """The first time later than `after` at which it fires."""
        found = self.times[self.firing & (self.times > after)]
        return float(found[0]) if found.size else None

    def last(self) -> float | None:
        found = self.times[self.firing]
        return float(found[-1]) if found.size else None


def expected(rules: RuleSet, series: Sequence[Synthetic], grid: Grid, options: RuleOptions) -> tuple[Expected, ...]:
    """What every tier does at each evaluation, 0 and every `eval_s`, until the last sample."""
    end = max(float(one.series.times[-1]) for one in series)
    times = grid.eval_s * np.arange(int(end / grid.eval_s + 1e-9) + 1, dtype=np.float64)
    windows = _windows(rules.slo, series, times, options)
    return tuple(_tier(rules.slo, tier, times, windows) for tier in rules.tiers)


def _tier(slo: Slo, tier: BurnTier, times: FloatArray, windows: _Windows) -> Expected:
    long_bad, long_burn = _burn(windows, tier.long_s, slo.budget)
    _, short_burn = _burn(windows, tier.short_s, slo.budget)
    threshold = tier.factor * (1 - _ROUNDING)
    # NaN compares false: a window without data fires nothing
    holds = (long_burn >= threshold) & (short_burn >= threshold) & (long_bad >= tier.min_bad_events)
    return Expected(tier, times, long_burn, _for(holds, times, tier.for_s))


def _for(holds: NDArray[np.bool_], times: FloatArray, for_s: float) -> NDArray[np.bool_]:
    """Firing once the condition has held for `for_s`, counted from the first evaluation that saw it."""
    firing = np.zeros_like(holds)
    since: float | None = None
    for index, held in enumerate(holds):
        since = None if not held else times[index] if since is None else since
        firing[index] = since is not None and times[index] - since >= for_s - 1e-9
    return firing


def _burn(windows: _Windows, window_s: float, budget: float) -> tuple[FloatArray, FloatArray]:
    bad, total = windows(window_s)
    ratio = np.divide(bad, total, out=np.full_like(total, np.nan), where=total > 0)
    return bad, ratio / budget


def _windows(slo: Slo, series: Sequence[Synthetic], times: FloatArray, options: RuleOptions) -> _Windows:
    base = _base(slo, series, times)
    if slo.method == "Occurrences":
        return base
    bad, total = base(options.clock.compress(slo.slice_s or 0.0))
    error = np.divide(bad, total, out=np.full_like(total, np.nan), where=total > 0)
    if slo.method == "Timeslices":
        allowed = 1 - (slo.slice_target if slo.slice_target is not None else slo.target)
        error = np.where(np.isnan(error), np.nan, (error > allowed + _ROUNDING).astype(np.float64))
    if slo.no_data != "ignore":
        blind = 1.0 if slo.no_data == "bad" else 0.0
        error = np.where(np.isnan(error), np.where(np.isnan(total), blind, 0.0), error)
    return lambda window_s: (_summed(times, times, error, window_s), _count(times, times, error, window_s))


def _base(slo: Slo, series: Sequence[Synthetic], times: FloatArray) -> _Windows:
    match slo.sli:
        case RatioSli() as sli:
            return _ratio_windows(sli, series, times)
        case JointSli(slis=slis):
            return _joint_windows(slis, series, times)
        case RawSli() as sli:
            chosen = [_at(one.series, times) for one in series]
            bad = np.sum([v if sli.failure else 1 - v for v in chosen], axis=0)
        case ThresholdSli() as sli:
            chosen = [_at(one.series, times) for one in series]
            bad = np.sum([_failing(v, sli) for v in chosen], axis=0)
    total = np.full_like(times, float(len(chosen)))
    return lambda window_s: (_summed(times, times, bad, window_s), _summed(times, times, total, window_s))


def _ratio_windows(sli: RatioSli, series: Sequence[Synthetic], times: FloatArray) -> _Windows:
    counts = _counted if sli.counter else _reported
    return lambda window_s: _sides(sli, series, lambda one: counts(one, times, window_s))


def _joint_windows(slis: Sequence[RatioSli], series: Sequence[Synthetic], times: FloatArray) -> _Windows:
    """The most that can be bad of all criteria, window by window (`sre.slo.goodput`)."""
    parts = [_ratio_windows(sli, [s for s in series if s.criterion == i], times) for i, sli in enumerate(slis)]

    def windows(window_s: float) -> tuple[FloatArray, FloatArray]:
        found = [part(window_s) for part in parts]
        total = found[0][1]
        most = np.sum([bad + np.maximum(total - seen, 0.0) for bad, seen in found], axis=0)
        return np.minimum(most, total), total

    return windows


def _sides(
    sli: RatioSli, series: Sequence[Synthetic], counts: Callable[[Synthetic], FloatArray]
) -> tuple[FloatArray, FloatArray]:
    total = _sum_known([counts(one) for one in series if one.in_total])
    side = np.nan_to_num(_sum_known([counts(one) for one in series if one.in_side]))
    bad = side if sli.bad else np.maximum(total - side, 0.0)
    return np.where(np.isnan(total), np.nan, bad), total


def _sum_known(parts: Sequence[FloatArray]) -> FloatArray:
    stacked = np.stack(parts)
    summed: FloatArray = np.where(np.isnan(stacked).all(axis=0), np.nan, np.nansum(stacked, axis=0))
    return summed


def _counted(one: Synthetic, times: FloatArray, window_s: float) -> FloatArray:
    """`increase`, or the value that a series born in the window, while its target was scraped, has reached."""
    grown = increase(one.series, times, window_s, PROMETHEUS_2)
    if one.start == 0:
        return grown
    begins = times - window_s
    step = float(one.series.times[1] - one.series.times[0])
    watched = (begins >= 0) & (begins % step < _LOOKBACK_S)
    born = watched & (begins < one.series.times[0]) & (times >= one.series.times[0])
    reached = one.series.values[np.maximum(np.searchsorted(one.series.times, times + 1e-6, side="right") - 1, 0)]
    return np.where(born, np.maximum(np.nan_to_num(grown), reached), grown)


def _reported(one: Synthetic, times: FloatArray, window_s: float) -> FloatArray:
    return _summed(times, one.series.times, one.series.values, window_s)


def _at(series: Series, times: FloatArray) -> FloatArray:
    values: FloatArray = series.values[np.searchsorted(series.times, times + 1e-9, side="right") - 1]
    return values


def _failing(values: FloatArray, sli: ThresholdSli) -> FloatArray:
    failing = {
        "lte": values > sli.value,
        "lt": values >= sli.value,
        "gte": values < sli.value,
        "gt": values <= sli.value,
    }
    return failing[sli.op].astype(np.float64)


def _summed(times: FloatArray, sampled: FloatArray, values: FloatArray, window_s: float) -> FloatArray:
    """Sum of the samples in each window, NaN where it holds none."""
    counted = _count(times, sampled, values, window_s)
    sums = np.concatenate([[0.0], np.cumsum(np.nan_to_num(values))])
    low, high = _edges(times, sampled, window_s)
    return np.where(counted > 0, sums[high] - sums[low], np.nan)


def _count(times: FloatArray, sampled: FloatArray, values: FloatArray, window_s: float) -> FloatArray:
    known = np.concatenate([[0.0], np.cumsum(~np.isnan(values))])
    low, high = _edges(times, sampled, window_s)
    counted: FloatArray = known[high] - known[low]
    return np.where(counted > 0, counted, np.nan)


def _edges(times: FloatArray, sampled: FloatArray, window_s: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    low = np.searchsorted(sampled, times - window_s - 1e-6, side="left")
    return low, np.searchsorted(sampled, times + 1e-6, side="right")
