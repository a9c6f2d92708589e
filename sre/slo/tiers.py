"""Burn-rate tiers of the SRE workbook (chapter 5, "Multiwindow, Multi-Burn-Rate Alerts"), scaled by budget share.

The workbook's 14.4 holds for a 30-day budget only. What carries over to another period is the share of the budget that
is gone when the long window is full of that burn: factor = share x period / long window. Short windows are a twelfth.
"""

from __future__ import annotations

from dataclasses import dataclass

from sre.slo.model import BurnTier, Severity

_HOUR_S = 3600.0
_DAY_S = 86400.0
_SHORT_DIVISOR = 12


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


def workbook_tiers(period_s: float, *, min_bad_events: int = 2) -> tuple[BurnTier, ...]:
    """The four tiers for a budget period, fastest first. At 30 days the factors are 14.4, 6, 3 and 1."""
    return tuple(
        BurnTier(
            name=row.name,
            severity=row.severity,
            factor=row.budget_share * period_s / row.long_s,
            long_s=row.long_s,
            short_s=row.long_s / _SHORT_DIVISOR,
            budget_share=row.budget_share,
            min_bad_events=min_bad_events,
        )
        for row in _WORKBOOK
    )
