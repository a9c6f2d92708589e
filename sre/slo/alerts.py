"""Burn curves to alert episodes, as the shipped Prometheus rules would fire and resolve.

A window without data satisfies no condition: it neither fires an alert nor holds one, exactly as a rule whose
expression returns nothing. Whoever needs "no data is bad" (a guard) must ask for it, not read it out of an alert.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sre.metrics.model import FloatArray
from sre.slo.burn import TierBurn
from sre.slo.low_traffic import binomial_tail
from sre.slo.model import Alert

ROUNDING = 1e-9  # 1 - 0.999 is not 0.001 in binary: a burn of exactly the factor must count as reached


def firing(burn: TierBurn) -> NDArray[np.bool_]:
    """Whether the tier's condition holds at each time: both windows burn at the factor, and enough bad events.

    `for_s` is not in it: that is about how long the condition holds, see `episodes`.
    """
    tier = burn.curve.tier
    threshold = tier.factor * (1 - ROUNDING)
    # NaN compares false, which is what "no data" shall do here
    both = (burn.curve.long_burn >= threshold) & (burn.curve.short_burn >= threshold)
    both &= burn.long_bad >= tier.min_bad_events * (1 - ROUNDING)
    return both if tier.max_p_value is None else both & _is_significant(burn, tier.max_p_value, both)


def episodes(slo: str, burn: TierBurn) -> tuple[Alert, ...]:
    """The tier's episodes: from the evaluation at which the condition has held for `for_s` to the first that fails.

    As with Prometheus's `for`, the time counts from the first evaluation that holds; one that does not begins it anew.
    """
    tier, times = burn.curve.tier, burn.curve.times
    return tuple(
        Alert(slo, tier.name, tier.severity, float(times[fired]), None if end is None else float(times[end]))
        for fired, end in runs(firing(burn), times, burn.for_s)
    )


def runs(condition: NDArray[np.bool_], times: FloatArray, for_s: float) -> list[tuple[int, int | None]]:
    """Where a condition has held for `for_s`, and where it first fails again (None: it still holds), as indices."""
    edges = np.diff(np.concatenate([[0], condition.astype(np.int8), [0]]))
    first, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    fired = np.searchsorted(times, times[first] + for_s * (1 - ROUNDING)) if for_s else first
    size = condition.size
    return [(int(f), int(e) if e < size else None) for f, e in zip(fired, ends, strict=True) if f < e]


def _is_significant(burn: TierBurn, max_p_value: float, where: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether so many bad events in the long window are unlikely at an error ratio of just the budget.

    Computed only `where` the rest of the condition holds, and once for each distinct pair of counts.
    """
    significant = np.zeros(where.size, dtype=np.bool_)
    if burn.long_total is None or burn.budget is None:
        raise ValueError("a tier with max_p_value needs the totals of its long window: use burn_curve")
    if not where.any():
        return significant
    pairs, places = np.unique(np.stack([burn.long_bad[where], burn.long_total[where]]), axis=1, return_inverse=True)
    p_values = binomial_tail(pairs[0], pairs[1], burn.budget)
    significant[where] = (p_values <= max_p_value)[places.ravel()]
    return significant
