"""Builds a FinOps briefing from drills, cases of the store, finance.yaml and a policy comparison. Reads no clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from sre.cost.credits import PeriodAvailability, credit_line
from sre.cost.finance import Finance
from sre.cost.incident import inputs_of
from sre.cost.incident_gpus import GpuUse
from sre.cost.measured import Measure, measured
from sre.cost.model import Price
from sre.cost.outage import BudgetWorth, budget_worth, outage_minute
from sre.cost.policies import PolicyCosts
from sre.cost.provenance import Input
from sre.cost.roi import YEARS
from sre.cost.roi_model import Roi
from sre.errors import SreError
from sre.incidents.case import Case, Item
from sre.reports.facts import availability
from sre.reports.finops_cases import case_money, follow_ups, sign_offs
from sre.reports.finops_drill import drill_money, use_of
from sre.reports.finops_headline import headline
from sre.reports.finops_model import FinopsBriefing
from sre.reports.finops_returns import gpus_of_a_drill, recoveries, returns
from sre.reports.finops_spent import together
from sre.reports.formats import date
from sre.reports.model import DrillReport


@dataclass(frozen=True, slots=True)
class DrillSource:
    """A drill's report, the folder with its files (None: not there), and where a link to it leads."""

    report: DrillReport
    folder: Path | None
    href: str = ""


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """What the incident store knows of the period: cases that no report here tells of, and all follow-ups."""

    cases: tuple[Case, ...] = ()
    signed: tuple[Case, ...] = ()
    items: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class Options:
    """`price` None: the one each drill was priced with. `month` is the contract's, for credits."""

    price: Price | None = None
    policies: PolicyCosts | None = None
    month: PeriodAvailability | None = None
    seed: int = 1
    years: int = YEARS
    start: float | None = None
    end: float | None = None


NOTHING_STORED = StoreFacts()


def briefing(
    drills: Sequence[DrillSource],
    finance: Finance,
    *,
    store: StoreFacts = NOTHING_STORED,
    options: Options | None = None,
) -> FinopsBriefing:
    """Raises BadDocument where prices and finance are in different currencies, SreError when there is nothing."""
    asked = options or Options()
    if not drills and not store.cases:
        raise SreError("nothing to brief on: give report folders, or a store with incidents in the period")
    ordered = sorted(drills, key=lambda source: (source.report.started_at, source.report.id))
    uses = [use_of(source.report, source.folder, finance, asked.price) for source in ordered]
    by_key = {case.head.key: case for case in store.signed}
    told = tuple(
        drill_money(source.report, use, finance, href=source.href, case=by_key.get(source.report.id))
        for source, use in zip(ordered, uses, strict=True)
    )
    cases = tuple(case_money(case, finance) for case in store.cases)
    start, end = _period(ordered, store, asked)
    spent = together([drill.spent for drill in told])
    outage = outage_minute(finance, uses[-1] if uses else None)
    recovered = recoveries(told, store.cases)
    returned, assumed, reason = returns(
        finance, recovered, gpus_of_a_drill(uses, finance.currency), seed=asked.seed, years=asked.years
    )
    return FinopsBriefing(
        title="FinOps briefing" if len(ordered) != 1 else f"FinOps briefing: {ordered[0].report.title}",
        start=start,
        end=end,
        currency=finance.currency,
        finance_path=finance.path,
        finance_sha256=finance.sha256,
        is_illustrative=finance.is_illustrative,
        is_emulated=any(source.report.platform.engine == "emulated" for source in ordered),
        price=_prices(uses),
        headline=headline(spent, told, cases, outage, (returned, assumed), asked.policies, finance.currency),
        spent=spent,
        drills=told,
        cases=cases,
        credits=credit_line(finance, asked.month),
        outage=outage,
        budgets=_budgets(ordered, finance),
        monthly_budgets=finance.monthly_budgets,
        policies=asked.policies,
        roi=returned,
        roi_assumed=assumed,
        roi_reason=reason,
        follow_ups=follow_ups(store.items, today=date(end)),
        sign_offs=sign_offs(store.signed),
        labour=finance.labour,
        drill_team=() if finance.drill is None else finance.drill.team,
        inputs=_inputs(finance, returned, uses),
        limits=_limits(ordered, finance, asked),
    )


def _period(drills: Sequence[DrillSource], store: StoreFacts, asked: Options) -> tuple[float, float]:
    begins = [s.report.started_at for s in drills] + [case.head.opened_at for case in store.cases]
    ends = [s.report.ended_at for s in drills] + [case.head.updated_at for case in store.cases]
    start = min(begins) if asked.start is None else asked.start
    return start, max(ends) if asked.end is None else asked.end


def _prices(uses: Sequence[GpuUse]) -> str:
    named = dict.fromkeys(
        f"{use.price.per_gpu_hour} {use.price.currency} an hour of one {use.price.gpu} ({use.price.name}, "
        f"{use.price.validity}; {use.price.source})"
        for use in uses
    )
    return "; ".join(named) or "no GPU was priced"


def _budgets(drills: Sequence[DrillSource], finance: Finance) -> tuple[BudgetWorth, ...]:
    """Of the availability objective, and of every other that somebody gave a worth."""
    if not drills:
        return ()
    newest = drills[-1].report
    valued = {name for name, _ in finance.error_budgets}
    main = availability(newest)
    found = []
    for result in newest.primary_results():
        if result is main or result.slo.name in valued or result.slo.budget_usd is not None:
            found.append(budget_worth(result.slo, finance, bad=_bad([s.report for s in drills], result.slo.name)))
    return tuple(found)


def _bad(reports: Iterable[DrillReport], slo: str) -> Measure:
    results = [r for report in reports for r in report.primary_results() if r.slo.name == slo]
    counted = sum((Decimal(str(round(r.total - r.good, 6))) for r in results), Decimal(0))
    return measured(counted, "bad events", f"report.json: results, {slo}")


def _inputs(finance: Finance, returned: Roi | None, uses: Sequence[GpuUse]) -> tuple[Input, ...]:
    members = () if finance.drill is None else finance.drill.team
    more = () if returned is None else returned.inputs
    budgets = (given for _, given in (*finance.error_budgets, *finance.monthly_budgets))
    every = (*inputs_of(finance), *(member.hours for member in members), *budgets, *more)
    return tuple({(one.name, one.value, one.source): one for one in (*_priced(uses), *every)}.values())


def _priced(uses: Sequence[GpuUse]) -> tuple[Input, ...]:
    """Prices are published ones of a price book; an invoice may say otherwise."""
    return tuple(
        Input(
            f"price {p.name}",
            p.per_gpu_hour,
            f"{p.currency} a GPU-hour",
            "measured",
            f"published: {p.source}",
        )
        for p in dict.fromkeys(use.price for use in uses)
    )


def _limits(drills: Sequence[DrillSource], finance: Finance, asked: Options) -> tuple[str, ...]:
    said = []
    if finance.is_illustrative:
        said.append(
            f"{finance.path} holds illustrative assumptions: no amount that rests on them is anybody's real cost."
        )
    if any(source.report.platform.engine == "emulated" for source in drills):
        said.append("The GPUs are emulated: their bill is replica time at the named price; nobody sends it.")
    if drills:
        said.append(
            "Incidents of drills are priced as though they had happened outside one: measured requests and GPUs of the "
            "drill's own small load, with the labour of a real response."
        )
        said.append("GPUs that serve nobody are a part of the bill, not an addition to it.")
    if asked.policies is not None:
        said.append("Policy figures are simulated and are in no sum with measured ones.")
    return tuple(said)
