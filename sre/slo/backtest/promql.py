"""A tier's burn as the recording rules of a Prometheus would compute it, from its `increase` windows.

sum(increase(bad[w])) / sum(increase(total[w])), or 1 - sum(increase(good[w])) / sum(increase(total[w])) where good
events are counted. All selectors of a side are one sum: it has no element only where none of its series has one.
"""

from __future__ import annotations

from collections.abc import Sequence

from sre.metrics.model import FloatArray
from sre.slo.burn import TierBurn
from sre.slo.model import BurnCurve, BurnTier, DrillClock, RatioSli, Slo
from sre.slo.prometheus_windows import CounterWindows, error_ratio


def promql_burns(
    counters: CounterWindows, slo: Slo, times: FloatArray, clock: DrillClock, tiers: Sequence[BurnTier]
) -> tuple[TierBurn, ...]:
    """The burns of `tiers` at `times`; windows of one length are computed once. `counters` are (bad or good, total)."""
    bad_counted = isinstance(slo.sli, RatioSli) and bool(slo.sli.bad)
    known: dict[float, tuple[FloatArray, FloatArray, FloatArray]] = {}

    def window(seconds: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        if seconds not in known:
            side, total = counters.increase(seconds)
            bad = side if bad_counted else total - side
            ratio = error_ratio(side, total)
            known[seconds] = (bad, total, (ratio if bad_counted else 1 - ratio) / slo.budget)
        return known[seconds]

    found = []
    for tier in tiers:
        long_bad, long_total, long_burn = window(clock.compress(tier.long_s))
        curve = BurnCurve(tier, times, long_burn, window(clock.compress(tier.short_s))[2])
        found.append(TierBurn(curve, long_bad, long_total, slo.budget, clock.compress(tier.for_s)))
    return tuple(found)
