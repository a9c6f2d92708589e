"""The error budget of one period: spent, left, and when it is gone, in events, minutes and money.

Two denominators are honest and both are given. *Of what was seen*: bad / (budget x total), which for a rolling window
is the SLO itself. *Of the period*: the same times the observed part of the period, i.e. against the budget of a whole
period with traffic as observed; a calendar period that has just begun has most of its budget still to come. Which is
the headline (`spent_share`): the first for rolling windows, the second for calendar ones. A period that was observed in
part says so (`coverage`, `notes`). Counts are the most that can be bad; bands tell the least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from sre.slo.burn import SliEvents
from sre.slo.corrections import AppliedCorrection, Correction, corrected
from sre.slo.exhaustion import RECENT_S, Exhaustion, exhaustion
from sre.slo.forecast import Forecast, forecast
from sre.slo.model import Slo
from sre.slo.observation import Observation, observation
from sre.slo.periods import period_at

__all__ = ["AppliedCorrection", "BudgetStatus", "Correction", "Exhaustion", "Forecast", "budget_status", "forecast"]

_CENT = Decimal("0.01")
_COMPLETE = 0.995  # coverage from which a period counts as observed in full


@dataclass(frozen=True, slots=True)
class BudgetStatus:
    """The budget of the period (`start`, `end`) of one SLO, as known at `at`.

    `total`, `bad`, `bad_least` are events (requests, samples or slices) after corrections. `coverage` is the share of
    the period up to `at` that has data, `observed_since` where data begin. `error_band` is (least, most); None: exact.
    Without events every ratio and share is None, with `no_data_reason`.
    """

    slo: Slo
    at: float
    start: float
    end: float
    observed: Observation
    total: float
    bad: float
    bad_least: float
    exhaustion: Exhaustion
    corrections: tuple[AppliedCorrection, ...]
    no_data_reason: str | None
    notes: tuple[str, ...]

    @property
    def observed_since(self) -> float | None:
        return self.observed.since

    @property
    def coverage(self) -> float:
        return self.observed.coverage

    @property
    def error_ratio(self) -> float | None:
        return self.bad / self.total if self.total > 0 else None

    @property
    def error_band(self) -> tuple[float, float] | None:
        if self.total <= 0 or self.bad_least >= self.bad:
            return None
        return self.bad_least / self.total, self.bad / self.total

    @property
    def allowed(self) -> float:
        """Bad events allowed among those seen: budget x total."""
        return self.slo.budget * self.total

    @property
    def allowed_in_period(self) -> float | None:
        """Bad events allowed in a whole period with the observed traffic; None while nothing was observed."""
        seconds = self.observed.seconds
        return self.allowed * (self.end - self.start) / seconds if seconds > 0 and self.total > 0 else None

    @property
    def remaining_events(self) -> float | None:
        """Bad events left of `allowed`; below 0 when overspent."""
        return self.allowed - self.bad if self.total > 0 else None

    @property
    def spent_of_seen(self) -> float | None:
        """bad / (budget x total): 1 is all of the budget of the events seen; may exceed 1."""
        return self.bad / self.allowed if self.total > 0 else None

    @property
    def spent_of_period(self) -> float | None:
        """The share of a whole period's budget, had all of it the observed traffic; may exceed 1."""
        seen = self.spent_of_seen
        return None if seen is None else seen * self.observed.seconds / (self.end - self.start)

    @property
    def spent_share(self) -> float | None:
        """The headline: of what was seen for a rolling window, of the whole period for a calendar one."""
        return self.spent_of_seen if self.slo.calendar is None else self.spent_of_period

    @property
    def remaining_share(self) -> float | None:
        """1 - spent; below 0 when overspent."""
        spent = self.spent_share
        return None if spent is None else 1 - spent

    @property
    def allowed_minutes(self) -> float:
        """Minutes of full outage the period allows, with even traffic: budget x period."""
        return self.slo.budget * (self.end - self.start) / 60

    @property
    def spent_minutes(self) -> float | None:
        """The full outage, in minutes, that would have spent as much of the period's budget."""
        spent = self.spent_of_period
        return None if spent is None else spent * self.allowed_minutes

    @property
    def remaining_minutes(self) -> float | None:
        spent = self.spent_minutes
        return None if spent is None else self.allowed_minutes - spent

    @property
    def spent_usd(self) -> Decimal | None:
        """The part of `budget_usd` that is spent, by share of the period; None where the SLO names no sum."""
        spent = self.spent_of_period
        if spent is None or self.slo.budget_usd is None:
            return None
        return (self.slo.budget_usd * Decimal(str(spent))).quantize(_CENT)

    @property
    def remaining_usd(self) -> Decimal | None:
        spent = self.spent_usd
        return None if spent is None or self.slo.budget_usd is None else self.slo.budget_usd.quantize(_CENT) - spent


def budget_status(
    slo: Slo,
    events: SliEvents,
    *,
    at: float,
    corrections: Sequence[Correction] = (),
    recent_s: float = RECENT_S,
) -> BudgetStatus:
    """The budget of the SLO's period at `at`, from its events (`slo_events` over the period, or more).

    `recent_s` is the window whose burn the time to exhaustion goes on with.
    """
    start, end = period_at(slo, at)
    observed = observation(events.total, start=start, end=min(at, end))
    counted, applied = corrected(slo.name, events, corrections, start=start, end=at)
    window = np.array([start]), np.array([at])
    bad, total = (float(count[0]) for count in counted.within(*window))
    return BudgetStatus(
        slo=slo,
        at=at,
        start=start,
        end=end,
        observed=observed,
        total=total,
        bad=bad,
        bad_least=float(counted.least_within(*window)[0]),
        exhaustion=exhaustion(slo, counted, at=at, observed=observed, recent_s=recent_s),
        corrections=applied,
        no_data_reason=None if total > 0 else _no_data(observed, applied),
        notes=_notes(observed, applied),
    )


def _no_data(observed: Observation, applied: Sequence[AppliedCorrection]) -> str:
    if observed.since is None:
        return "no sample in the period"
    if any(one.total for one in applied):
        return "corrections exclude every event of the period"
    return f"no events in the {observed.seconds / 3600:.4g} h observed"


def _notes(observed: Observation, applied: Sequence[AppliedCorrection]) -> tuple[str, ...]:
    notes = []
    if observed.since is not None and observed.coverage < _COMPLETE:
        hours = (observed.end - observed.start) / 3600
        notes.append(f"observed {observed.coverage:.1%} of the {hours:.4g} h so far: the rest is unknown")
    if applied:
        total, bad = sum(one.total for one in applied), sum(one.bad for one in applied)
        what = "1 correction excludes" if len(applied) == 1 else f"{len(applied)} corrections exclude"
        notes.append(f"{what} {total:g} events, {bad:g} of them bad")
    return tuple(notes)
