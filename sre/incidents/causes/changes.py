"""Where a series leaves its own past: a two-sided CUSUM over deviations measured in robust units.

At each point the past is the median of up to 60 points before it (leaving out the newest three, which may belong to the
change already), its spread 1.4826 x the median absolute deviation, never below half of what counts as a difference at
all (`least`). Deviations beyond one unit add up; at five units in all something changed, and it began where the sum
left zero. One deviation counts four at most, so a single odd point is no change.

Page, E. S.: Continuous inspection schemes. Biometrika 41 (1954).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from sre.metrics.model import FloatArray

Direction = Literal["up", "down"]
MIN_BASELINE = 8
_BASELINE, _GUARD = 60, 3
_MAD_TO_SIGMA = 1.4826
_SLACK, _ALARM, _MOST = 1.0, 5.0, 4.0
_AFTER = 5


@dataclass(frozen=True, slots=True)
class Change:
    """`index` is where it began. `before` and `after` are medians, `units` how many spreads lie between them."""

    index: int
    before: float
    after: float
    units: float


def first_change(values: FloatArray, *, direction: Direction, least: float) -> Change | None:
    """The first change of `values` (n,), NaN left out, if it is in `direction` and by at least `least`.

    None when there is none, when the first one goes the other way (what follows may only be its end), or with fewer
    than `MIN_BASELINE` points before it.
    """
    known = np.flatnonzero(~np.isnan(values))
    if len(known) <= MIN_BASELINE:
        return None
    x = values[known]
    median, spread = _past(x, least)
    moved = (x - median) / spread
    up, down = _alarm(x, moved, median, least), _alarm(-x, -moved, -median, least)
    began = up if direction == "up" else down
    other = down if direction == "up" else up
    if began is None or (other is not None and other < began):
        return None
    after = float(np.median(x[began : began + _AFTER]))
    before = float(median[began])
    return Change(int(known[began]), before, after, abs(after - before) / float(spread[began]))


def _alarm(x: FloatArray, moved: FloatArray, median: FloatArray, least: float) -> int | None:
    """Where the first rise by `least` began. `moved` are the deviations in spreads."""
    excess = np.clip(moved, -_MOST, _MOST + _SLACK) - _SLACK
    total, began = 0.0, 0
    for i in range(MIN_BASELINE, len(x)):
        if total == 0.0:
            began = i
        total = max(0.0, total + float(excess[i]))
        if total >= _ALARM:
            if float(np.median(x[began : began + _AFTER]) - median[began]) >= least:
                return began
            total = 0.0
    return None


def _past(x: FloatArray, least: float) -> tuple[FloatArray, FloatArray]:
    """Median and spread of the past of each point, (n,) each."""
    n = len(x)
    median, spread = np.full(n, x[0]), np.full(n, least)
    for i in range(min(n, _BASELINE + _GUARD)):
        past = x[: max(i - _GUARD, min(i, MIN_BASELINE), 1)]
        median[i] = np.median(past)
        spread[i] = np.median(np.abs(past - median[i]))
    if n > _BASELINE + _GUARD:
        windows = sliding_window_view(x, _BASELINE)[: n - _BASELINE - _GUARD]
        middle = np.median(windows, axis=1)
        median[_BASELINE + _GUARD :] = middle
        spread[_BASELINE + _GUARD :] = np.median(np.abs(windows - middle[:, None]), axis=1)
    return median, np.maximum(spread * _MAD_TO_SIGMA, least / 2)
