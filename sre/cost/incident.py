"""What one incident cost: lost requests, credits, GPUs that served nobody, and people's time. Pure.

Four kinds of money that must not be mixed up: GPUs are on somebody's bill, lost value and credits are not on it, labour
is paid anyway. Each line says which it is and what it rests on, and no request, replica-second or hour is in two lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sre.cost.credits import PeriodAvailability, credit_line
from sre.cost.finance import Finance
from sre.cost.labour import follow_up_lines, response_lines
from sre.cost.measured import Measure, product
from sre.cost.provenance import CostLine, CostSum, Input

LOST = ("failed requests", "rejected requests", "slow requests")
NO_LABOUR = "labour"
"""The line of an incident that called nobody."""
SUNK = "GPU lines are the part of the bill that served nobody; a fleet of fixed size pays them without an incident too."


@dataclass(frozen=True, slots=True)
class IncidentFacts:
    """What evidence says of an incident over (`start`, `end`]. Requests in three disjoint kinds; `response` is
    acknowledged to resolved in hours; `gpu` are lines of the bill; `period` is the contract's month, this incident
    included; `notes` are limits of the evidence. `called_nobody` says why no person would have been called: then there
    is no labour, for the platform mended itself unnoticed; empty where people were, or would have been, called.
    """

    id: str
    title: str
    start: float
    end: float
    failed: Measure
    rejected: Measure
    slow: Measure
    response: Measure
    gpu: tuple[CostLine, ...]
    period: PeriodAvailability | None = None
    notes: tuple[str, ...] = ()
    called_nobody: str = ""

    @property
    def bad(self) -> Decimal | None:
        """Requests that availability counts as bad; None where either kind was not counted."""
        if self.failed.value is None or self.rejected.value is None:
            return None
        return self.failed.value + self.rejected.value


def incident_cost(facts: IncidentFacts, finance: Finance, *, with_credits: bool = True) -> CostSum:
    """`with_credits=False` where credits are counted for a whole period instead."""
    lines = (
        *lost_lines(facts, finance),
        *((credit_line(finance, facts.period, incident_bad=facts.bad),) if with_credits else ()),
        *facts.gpu,
        *_labour(facts, finance),
    )
    return CostSum(
        title=f"{facts.id}: {facts.title}",
        currency=finance.currency,
        lines=lines,
        inputs=inputs_of(finance),
        notes=(*facts.notes, *((SUNK,) if any(line.is_billed for line in lines) else ())),
    )


def _labour(facts: IncidentFacts, finance: Finance) -> tuple[CostLine, ...]:
    if facts.called_nobody:
        words = f"0: {facts.called_nobody}"
        return (CostLine(NO_LABOUR, Decimal(0), "measured", False, words, "requests.jsonl, incident.json"),)
    return (*response_lines(finance, facts.response), *follow_up_lines(finance))


def lost_lines(facts: IncidentFacts, finance: Finance) -> tuple[CostLine, ...]:
    """The value of requests that were not answered well, each lost once. Additive over windows."""
    value, share = finance.good_request, finance.slow_request_share
    missing = finance.missing("good_request")
    slow_missing = missing if value is None else finance.missing("slow_request_share")
    return (
        product(LOST[0], facts.failed, (value,), missing=missing),
        product(LOST[1], facts.rejected, (value,), missing=missing),
        product(LOST[2], facts.slow, (value, share), missing=slow_missing),
    )


def inputs_of(finance: Finance) -> tuple[Input, ...]:
    """Every input an incident's sum may rest on, in the order of the file."""
    single = (finance.good_request, finance.slow_request_share, finance.requests_a_month)
    paid = () if finance.credits is None else (finance.credits.monthly_fee,)
    people = (
        one
        for role in finance.labour
        for one in (role.hourly_rate, role.response_hours, role.follow_up_hours)
        if one is not None
    )
    return (*(one for one in single if one is not None), *paid, *people)
