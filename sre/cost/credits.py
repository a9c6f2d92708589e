"""Service credits: what the contract gives back for a month's availability, and how much of it one incident caused.

An incident is charged the difference between the credit with it and the credit without it, so that a month that was
lost already costs nothing more. Over a whole period credits are counted once, never summed over its incidents.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sre.cost.finance import CreditStep, Finance, ServiceCredits
from sre.cost.measured import shown, unknown
from sre.cost.provenance import Basis, CostLine, weakest

COMPLETE = Decimal("0.995")
NAME = "SLA credits"


@dataclass(frozen=True, slots=True)
class PeriodAvailability:
    """Requests of the contract's month, the incident's included. `coverage` is the observed share of it."""

    total: Decimal
    bad: Decimal
    basis: Basis
    source: str
    coverage: Decimal = Decimal(1)

    @property
    def ratio(self) -> Decimal | None:
        """None while there was no request."""
        return 1 - self.bad / self.total if self.total > 0 else None


def step_of(credits: ServiceCredits, availability: Decimal) -> CreditStep | None:
    """The lowest step the availability fell below; None above all of them."""
    hit = [step for step in credits.steps if availability < step.below]
    return min(hit, key=lambda step: step.below) if hit else None


def percent_of(credits: ServiceCredits, availability: Decimal) -> Decimal:
    """The percent of the monthly fee given back."""
    step = step_of(credits, availability)
    return Decimal(0) if step is None else step.percent


def credit_line(
    finance: Finance, period: PeriodAvailability | None, *, incident_bad: Decimal | None = None
) -> CostLine:
    """What a period costs in credits, or with `incident_bad` what one incident of it added. 0 only where the
    availability of the period was measured, or assumed with a source, above the thresholds.
    """
    reason = _reason(finance, period, incident_bad)
    if reason or finance.credits is None or period is None or period.ratio is None:
        return unknown(NAME, reason, is_billed=False, source="" if period is None else period.source)
    credits, ratio = finance.credits, period.ratio
    percent = percent_of(credits, ratio)
    said = f"availability {ratio * 100:.6f} % in the period: {shown(percent)} %"
    if incident_bad is not None:
        before = percent_of(credits, ratio + incident_bad / period.total)
        said += f", {shown(before)} % without the incident"
        percent -= before
    fee = credits.monthly_fee
    low, high = (bound * percent / 100 for bound in fee.bounds)
    return CostLine(
        name=NAME,
        amount=fee.value * percent / 100,
        basis="measured" if period.basis == "measured" and weakest([fee]) == "measured" else "assumed",
        is_billed=False,
        formula=f"{said}; x {shown(fee.value)} {fee.unit}",
        source=f"{period.source}; {fee.name}; {credits.source}",
        low=low if fee.low is not None else None,
        high=high if fee.high is not None else None,
    )


def _reason(finance: Finance, period: PeriodAvailability | None, incident_bad: Decimal | None) -> str:
    if finance.credits is None:
        return finance.missing("sla")
    if period is None:
        return "the availability of the contract's month was not measured"
    if period.ratio is None:
        return "no request was counted in the period"
    if incident_bad is not None and incident_bad > period.bad:
        return f"the month counts {shown(period.bad)} failures, the incident alone {shown(incident_bad)}"
    if period.basis == "measured" and period.coverage < COMPLETE:
        return f"only {period.coverage:.2%} of the period was observed: the availability of the rest is unknown"
    return ""
