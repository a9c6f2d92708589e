"""One drill in money: what holding it cost, and what its incident would have cost had it not been one."""

from __future__ import annotations

from pathlib import Path

from sre.cost.drill import drill_cost
from sre.cost.finance import Finance
from sre.cost.incident import incident_cost
from sre.cost.incident_gpus import GpuUse, check_currency
from sre.cost.model import Price
from sre.cost.provenance import CostSum
from sre.incidents.case import Case
from sre.reports.finops_cases import with_response
from sre.reports.finops_facts import answers_of, drill_facts_for_cost, gpu_use, limits_of, recovery_s
from sre.reports.finops_model import DrillMoney
from sre.reports.finops_spent import spent_in
from sre.reports.model import DrillReport


def costs_of_drill(
    report: DrillReport, folder: Path | None, finance: Finance, *, price: Price | None = None, case: Case | None = None
) -> tuple[CostSum, ...]:
    """The incident's sum and the drill's; the drill's alone where no fault was injected. `folder` holds its files,
    `case` is its incident in the store. Raises BadDocument where price and finance are in different currencies.
    """
    use = use_of(report, folder, finance, price)
    told = drill_money(report, use, finance, case=case)
    return (told.drill,) if told.incident is None else (told.incident, told.drill)


def use_of(report: DrillReport, folder: Path | None, finance: Finance, price: Price | None) -> GpuUse:
    """The drill's GPUs at `price`, by default its own, in finance's currency or BadDocument."""
    use = gpu_use(report, folder, price)
    check_currency(use.price, finance.currency, said_by=finance.path)
    return use


def drill_money(
    report: DrillReport, use: GpuUse, finance: Finance, *, href: str = "", case: Case | None = None
) -> DrillMoney:
    """`href` leads to its report. `case` is its incident in the store: who acknowledged it, how long they worked."""
    counted = finance.counts_recovery_capacity
    answers = answers_of(report)
    facts = drill_facts_for_cost(report, use, counts_recovery=counted, answers=answers) if report.faults else None
    facts = facts if facts is None or case is None else with_response(facts, case)
    emulated = report.platform.engine == "emulated"
    return DrillMoney(
        id=report.id,
        name=report.experiment.removesuffix(".yaml") if report.subject is None else report.subject.failure_mode,
        title=report.title,
        verdict=report.verdict,
        started_at=report.started_at,
        href=href,
        spent=spent_in(answers, use, limits_of(report)),
        drill=drill_cost(facts, use, finance, title=report.id, is_emulated=emulated),
        incident=None if facts is None else incident_cost(facts, finance, with_credits=False),
        recovery_s=recovery_s(report),
    )
