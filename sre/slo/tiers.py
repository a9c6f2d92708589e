"""Burn-rate tiers of the SRE workbook (chapter 5, "Multiwindow, Multi-Burn-Rate Alerts"), scaled by budget share.

The workbook's 14.4 holds for a 30-day budget only. What carries over to another period is the share of the budget that
is gone when the long window is full of that burn: factor = share x period / long window. Short windows are a twelfth.
The closed forms below are of an error ratio that is constant from one moment on, after a healthy history with even
traffic; they leave out what evaluation at steps and the low-traffic guard add.
"""

from __future__ import annotations

from dataclasses import dataclass

from sre.slo.model import BurnTier, Severity, Slo

_HOUR_S = 3600.0
_DAY_S = 86400.0
SHORT_DIVISOR = 12
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    severity: Severity
    budget_share: float
    long_s: float


_WORKBOOK = (
    _Row("page-1h", "page", 0.02, _HOUR_S),
    _Row("page-6h", "page", 0.05, 6 * _HOUR_S),
    _Row("ticket-1d", "ticket", 0.10, _DAY_S),
    _Row("ticket-3d", "ticket", 0.10, 3 * _DAY_S),
)


def workbook_tiers(
    period_s: float, *, min_bad_events: int = 2, max_p_value: float | None = None
) -> tuple[BurnTier, ...]:
    """The four tiers for a budget period, fastest first. At 30 days the factors are 14.4, 6, 3 and 1.

    A tier whose long window is longer than the period is left out: it would look at a budget that has begun anew.
    """
    return tuple(
        BurnTier(
            name=row.name,
            severity=row.severity,
            factor=factor_of(row.budget_share, row.long_s, period_s),
            long_s=row.long_s,
            short_s=row.long_s / SHORT_DIVISOR,
            budget_share=row.budget_share,
            min_bad_events=min_bad_events,
            max_p_value=max_p_value,
        )
        for row in _WORKBOOK
        if row.long_s <= period_s
    )


def tiers_of(slo: Slo) -> tuple[BurnTier, ...]:
    """The tiers of the SLO's alert policies; the workbook's, scaled to its period, where the document has none."""
    return slo.tiers or workbook_tiers(slo.period_s)


def factor_of(budget_share: float, long_s: float, period_s: float) -> float:
    """The burn rate that spends `budget_share` of the period's budget within `long_s`."""
    return budget_share * period_s / long_s


def budget_share_of(factor: float, long_s: float, period_s: float) -> float:
    """The share of the period's budget that is gone when the long window was full of burning at `factor`."""
    return factor * long_s / period_s


def can_fire(tier: BurnTier, budget: float) -> bool:
    """Whether less than a full outage is enough: factor < 1 / budget, the burn rate at which everything fails."""
    return tier.factor * budget < 1 - _ROUNDING


def detection_time_s(tier: BurnTier, *, error_ratio: float, budget: float) -> float | None:
    """Seconds from the first error to the alert; None when it never fires. In production seconds.

    A window of length w has the error ratio e x t / w after t < w seconds of errors, so it reaches factor x budget at
    t = factor x budget x w / e; the longer window is the later one. `for_s` comes on top.
    """
    share = _threshold_share(tier, error_ratio, budget)
    return None if share is None else share * max(tier.long_s, tier.short_s) + tier.for_s


def reset_time_s(tier: BurnTier, *, error_ratio: float, budget: float, lasted_s: float | None = None) -> float | None:
    """Seconds from the last error to the alert's end; None when it never fired. In production seconds.

    `lasted_s` is how long the errors went on (None: longer than both windows). The condition ends when the first of the
    windows is below the threshold, which is the shorter one: at (1 - factor x budget / e) x w after the last error.
    """
    share = _threshold_share(tier, error_ratio, budget)
    if share is None:
        return None
    reset = (1 - share) * min(tier.long_s, tier.short_s)
    begins = share * max(tier.long_s, tier.short_s)
    if lasted_s is not None and not (begins <= lasted_s and begins + tier.for_s <= lasted_s + reset):
        return None
    return reset


def _threshold_share(tier: BurnTier, error_ratio: float, budget: float) -> float | None:
    """Which part of a window must be full of these errors for it to burn at the factor; None: all would not do."""
    if error_ratio <= 0:
        return None
    share = tier.factor * budget / error_ratio
    return None if share > 1 + _ROUNDING else min(share, 1.0)
