"""`sre cost incident`, `sre cost drill`: what one of them cost, line by line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.cost.sums import FinanceFile, Prices, Store
from sre.cli.options import Json

if TYPE_CHECKING:
    from sre.cost.credits import PeriodAvailability
    from sre.cost.finance import Finance
    from sre.cost.incident import IncidentFacts
    from sre.incidents.case import Case
    from sre.reports.model import DrillReport

_ID = re.compile(r"[A-Z]{2,8}-\d{1,12}")


def incident(
    which: Annotated[str, typer.Argument(help="An incident of the store, INC-0001, or a drill's report folder.")],
    month_requests: Annotated[
        int | None, typer.Option("--month-requests", min=1, help="Requests of the contract's month, for SLA credits.")
    ] = None,
    month_failed: Annotated[
        int | None, typer.Option("--month-failed", min=0, help="Of them failed, this incident's included.")
    ] = None,
    store: Store = None,
    finance: FinanceFile = None,
    prices: Prices = None,
    as_json: Json = False,
) -> None:
    """What an incident cost: lost requests, SLA credits, GPUs that served nobody, labour. Unknown is n/a, never 0."""
    from dataclasses import replace

    from sre.cli.cost.sums import print_sum, sum_json
    from sre.cli.incident.words import incident_id
    from sre.console import print_json
    from sre.cost.incident import incident_cost

    month = _month(month_requests, month_failed)
    named = which if Path(which).is_dir() else incident_id(which)
    if _ID.fullmatch(named):
        facts, economics = _stored(named, store, finance, prices)
    else:
        facts, economics = _reported(Path(which), finance, prices)
    found = incident_cost(replace(facts, period=month), economics)
    if as_json:
        print_json({"ok": True, **sum_json(found, economics)})
    else:
        print_sum(found, economics)


def drill(
    folder: Annotated[Path, typer.Argument(help="A drill's report folder, reports/<id>.")],
    finance: FinanceFile = None,
    prices: Prices = None,
    as_json: Json = False,
) -> None:
    """What holding a drill cost: its GPUs, its people, and lost requests where they were customers'."""
    from sre.cli.cost.sums import finance_of, price_for, print_sum, sum_json
    from sre.console import print_json
    from sre.cost.drill import drill_cost
    from sre.reports.finops_facts import drill_facts_for_cost, gpu_use

    report = _report(folder)
    economics = finance_of(finance, report.cost.price.currency)
    use = gpu_use(report, folder, price_for(report, economics, prices))
    facts = drill_facts_for_cost(report, use) if report.faults else None
    emulated = report.platform.engine == "emulated"
    found = drill_cost(facts, use, economics, title=f"{report.id}: {report.title}", is_emulated=emulated)
    if as_json:
        print_json({"ok": True, **sum_json(found, economics)})
    else:
        print_sum(found, economics)


def _month(requests: int | None, failed: int | None) -> PeriodAvailability | None:
    from decimal import Decimal

    from sre.cost.credits import PeriodAvailability

    if requests is None and failed is None:
        return None
    if requests is None or failed is None or failed > requests:
        raise typer.BadParameter("give both --month-requests and --month-failed, the second not above the first")
    return PeriodAvailability(Decimal(requests), Decimal(failed), "assumed", "--month-requests, --month-failed")


def _reported(folder: Path, finance: Path | None, prices: Path | None) -> tuple[IncidentFacts, Finance]:
    from sre.cli.cost.sums import finance_of, price_for
    from sre.reports.finops_facts import drill_facts_for_cost, gpu_use

    report = _report(folder)
    economics = finance_of(finance, report.cost.price.currency)
    use = gpu_use(report, folder, price_for(report, economics, prices))
    return drill_facts_for_cost(report, use, counts_recovery=economics.counts_recovery_capacity), economics


def _stored(which: str, store: str | None, finance: Path | None, prices: Path | None) -> tuple[IncidentFacts, Finance]:
    """A drill's case is told by its report where that lies in the workspace, and by its people from the store."""
    from sre.cli.cost.sums import finance_of
    from sre.reports.finops_cases import case_facts, with_response

    case = _case(which, store)
    folder = _report_of(case)
    if folder is None:
        return case_facts(case), finance_of(finance, "USD")
    facts, economics = _reported(folder, finance, prices)
    return with_response(facts, case), economics


def _case(which: str, given: str | None) -> Case:
    from sre.cli.cost.sums import store_at
    from sre.errors import SreError

    store = store_at(given)
    if store is None:
        raise SreError(f"{which}: there is no incident store here: give --store FILE or URL, or a report folder")
    try:
        return store.case(which)
    finally:
        store.close()


def _report_of(case: Case) -> Path | None:
    from sre.reports.write import JSON

    for link in case.links:
        folder = Path(link.target)
        safe = not folder.is_absolute() and ".." not in folder.parts
        if link.rel == "report" and safe and (folder / JSON).is_file():
            return folder
    return None


def _report(folder: Path) -> DrillReport:
    from sre.reports.json_report import load_report
    from sre.reports.write import JSON

    return load_report(folder / JSON)
