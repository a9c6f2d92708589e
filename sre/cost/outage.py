"""What a minute of full outage costs, and what an error budget is worth: availability in money. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sre.cost.finance import Finance
from sre.cost.incident_gpus import GpuUse
from sre.cost.measured import Measure, measured, product, shown, unknown
from sre.cost.provenance import CostLine, CostSum, Input
from sre.slo.model import Slo

MINUTES_A_MONTH = Decimal(30 * 24 * 60)
SECONDS_A_MONTH = MINUTES_A_MONTH * 60


def outage_minute(finance: Finance, use: GpuUse | None) -> CostSum:
    """One minute in which every request fails, all who respond at work. Credits are not in it: they come in steps."""
    return CostSum(
        title="One minute of full outage",
        currency=finance.currency,
        lines=(_requests(finance), _gpus(use), _responders(finance)),
        notes=("Traffic is taken as even over the month; SLA credits come in steps and are not in it.",),
    )


def _requests(finance: Finance) -> CostLine:
    traffic = finance.requests_a_month
    if traffic is None:
        return unknown("lost requests", finance.missing("requests_a_month"), is_billed=False)
    minute = Measure(1 / MINUTES_A_MONTH, "month a minute", "30 days")
    line = product("lost requests", minute, (traffic, finance.good_request), missing=finance.missing("good_request"))
    if line.amount is None or finance.good_request is None:
        return line
    value = finance.good_request
    words = f"{shown(traffic.value)} requests a month / 43,200 min x {shown(value.value)} {value.unit}"
    source = f"{traffic.name}; {value.name}"
    return CostLine(line.name, line.amount, line.basis, False, words, source, "", line.low, line.high)


def _gpus(use: GpuUse | None) -> CostLine:
    name = "GPUs of the fleet"
    replicas = 0 if use is None else (use.history.wanted[0][1] if use.history else len({u.replica for u in use.uses}))
    if use is None or not replicas:
        return unknown(name, "no drill says how many replicas there are", is_billed=True)
    price = use.price
    return CostLine(
        name=name,
        amount=use.per_replica_hour * replicas / 60,
        basis="measured",
        is_billed=True,
        formula=f"{replicas} replicas x {use.cost.gpus_per_replica} GPU x {shown(price.per_gpu_hour)} "
        f"{price.currency} an hour / 60",
        source=f"events.jsonl; price {price.name}",
    )


def _responders(finance: Finance) -> CostLine:
    roles = [role for role in finance.labour if role.response_hours is not None]
    if not roles:
        return unknown("labour of all who respond", finance.missing("labour with response_hours"), is_billed=False)
    amounts = [[rate * role.people / 60 for rate in _rates(role.hourly_rate)] for role in roles]
    low, value, high = (sum(column, Decimal(0)) for column in zip(*amounts, strict=True))
    words = " + ".join(f"{role.people} {role.name} x {shown(role.hourly_rate.value)}" for role in roles)
    formula = f"({words}) {finance.currency} an hour / 60"
    return CostLine(
        "labour of all who respond", value, "assumed", False, formula, f"{finance.path}: labour", "", low, high
    )


def _rates(rate: Input) -> tuple[Decimal, Decimal, Decimal]:
    return rate.bounds[0], rate.value, rate.bounds[1]


@dataclass(frozen=True, slots=True)
class BudgetWorth:
    """An SLO's error budget in money: the whole of a period's, a percent of it, and what `bad` requests spent of it.

    `spent_share` is of the period's whole budget; None, like the amounts, where `whole` cannot be told.
    """

    slo: str
    period_days: Decimal
    whole: CostLine
    percent: Decimal | None
    spent_share: Decimal | None
    spent: Decimal | None


def budget_worth(slo: Slo, finance: Finance, *, bad: Measure) -> BudgetWorth:
    """By the SLO's own `sre/budget-usd`, else by finance.yaml, else the requests it allows to fail x their value.

    `bad` are requests that spent of it; what share that is needs the traffic of a period.
    """
    whole = _whole(slo, finance)
    share = _spent_share(slo, finance, bad)
    spent = None if whole.amount is None or share is None else whole.amount * share
    percent = None if whole.amount is None else whole.amount / 100
    return BudgetWorth(slo.name, Decimal(str(slo.period_s)) / 86400, whole, percent, share, spent)


def _whole(slo: Slo, finance: Finance) -> CostLine:
    name = f"error budget of {slo.name}, {shown(Decimal(str(slo.period_s)) / 86400)} days"
    if slo.budget_usd is not None:
        if finance.currency != "USD":
            return unknown(name, f"the SLO says USD, {finance.path} is in {finance.currency}", is_billed=False)
        return CostLine(name, slo.budget_usd, "assumed", False, "as the SLO says: sre/budget-usd", f"slo: {slo.name}")
    given = dict(finance.error_budgets).get(slo.name)
    if given is not None:
        return CostLine(name, given.value, given.basis, False, "as given", f"{finance.path}: {given.source}")
    allowed = _allowed(slo, finance)
    if allowed is None:
        return unknown(name, finance.missing("requests_a_month"), is_billed=False)
    line = product(name, allowed, (finance.good_request,), missing=finance.missing("good_request"))
    if line.amount is None:
        return line
    return CostLine(name, line.amount, "assumed", False, line.formula, line.source, "", line.low, line.high)


def _allowed(slo: Slo, finance: Finance) -> Measure | None:
    traffic = finance.requests_a_month
    if traffic is None:
        return None
    count = traffic.value * Decimal(str(slo.period_s)) / SECONDS_A_MONTH * Decimal(str(slo.budget))
    return measured(count, "requests the budget allows to fail", traffic.name)


def _spent_share(slo: Slo, finance: Finance, bad: Measure) -> Decimal | None:
    allowed = _allowed(slo, finance)
    if allowed is None or not allowed.value or bad.value is None:
        return None
    return bad.value / allowed.value
