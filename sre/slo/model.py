"""Types of the SLO engine: what an OpenSLO document says, and what an evaluation of it found."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from sre.metrics.model import FloatArray, Selector

Severity = Literal["page", "ticket"]


@dataclass(frozen=True, slots=True)
class RatioSli:
    """Events counted by monotone counters: either `good` or `bad` over `total`. Selectors of one side are summed."""

    total: tuple[Selector, ...]
    good: tuple[Selector, ...] = ()
    bad: tuple[Selector, ...] = ()


@dataclass(frozen=True, slots=True)
class Slo:
    """One objective. `target` is a ratio in (0, 1), `period_s` the budget period (28 or 30 days) in seconds."""

    name: str
    title: str
    description: str
    service: str
    target: float
    period_s: float
    sli: RatioSli
    path: str
    runbook: str | None = None

    @property
    def budget(self) -> float:
        """Allowed error ratio, 1 - target, as written in decimals: in binary 1 - 0.9 is less than 0.1."""
        return float(1 - Decimal(str(self.target)))


@dataclass(frozen=True, slots=True)
class BurnTier:
    """A multiwindow burn-rate condition: fires while long AND short window burn at or above `factor`.

    Windows are in production seconds; a DrillClock divides them.
    `budget_share` is the part of the period's budget gone when the long window burns at `factor`.
    """

    name: str
    severity: Severity
    factor: float
    long_s: float
    short_s: float
    budget_share: float
    min_bad_events: int = 2


@dataclass(frozen=True, slots=True)
class DrillClock:
    """Compresses alert windows by `factor` so that a drill of minutes exercises rules made for a month."""

    factor: float = 60.0

    def compress(self, seconds: float) -> float:
        return seconds / self.factor


@dataclass(frozen=True, slots=True, eq=False)
class BurnCurve:
    """Burn rates of one tier at each evaluation time; NaN means no traffic in that window (no data)."""

    tier: BurnTier
    times: FloatArray
    long_burn: FloatArray
    short_burn: FloatArray


@dataclass(frozen=True, slots=True)
class Alert:
    """One episode of one tier. `reset_at` is None when it was still firing when observation ended."""

    slo: str
    tier: str
    severity: Severity
    fired_at: float
    reset_at: float | None


@dataclass(frozen=True, slots=True, eq=False)
class SloResult:
    """What one SLO did over [start, end), read from `source`.

    `good` and `total` are event counts. `error_ratio` is None, with `no_data_reason`, when there were no events.
    """

    slo: Slo
    source: str
    start: float
    end: float
    good: float
    total: float
    error_ratio: float | None
    no_data_reason: str | None
    curves: tuple[BurnCurve, ...]
    alerts: tuple[Alert, ...]

    @property
    def met(self) -> bool | None:
        """Whether the error ratio over the interval stayed within budget; None without data."""
        return None if self.error_ratio is None else self.error_ratio <= self.slo.budget
