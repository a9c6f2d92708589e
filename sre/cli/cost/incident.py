"""`sre cost incident`, `sre cost drill`: what one of them cost, line by line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.cost.sums import FinanceFile, Prices
from sre.cli.options import Json

if TYPE_CHECKING:
    from sre.reports.model import DrillReport


def incident(
    which: Annotated[str, typer.Argument(help="A drill's report folder, reports/<id>.")],
    finance: FinanceFile = None,
    prices: Prices = None,
    as_json: Json = False,
) -> None:
    """What an incident cost: lost requests, SLA credits, GPUs that served nobody, labour. Unknown is n/a, never 0."""
    from sre.cli.cost.sums import finance_of, price_for, print_sum, sum_json
    from sre.console import print_json
    from sre.cost.incident import incident_cost
    from sre.reports.finops_facts import drill_facts_for_cost, gpu_use

    folder, report = _report(which)
    economics = finance_of(finance, report.cost.price.currency)
    use = gpu_use(report, folder, price_for(report, economics, prices))
    facts = drill_facts_for_cost(report, use, counts_recovery=economics.counts_recovery_capacity)
    found = incident_cost(facts, economics)
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

    folder, report = _report(str(folder))
    economics = finance_of(finance, report.cost.price.currency)
    use = gpu_use(report, folder, price_for(report, economics, prices))
    facts = drill_facts_for_cost(report, use) if report.faults else None
    emulated = report.platform.engine == "emulated"
    found = drill_cost(facts, use, economics, title=f"{report.id}: {report.title}", is_emulated=emulated)
    if as_json:
        print_json({"ok": True, **sum_json(found, economics)})
    else:
        print_sum(found, economics)


def _report(which: str) -> tuple[Path, DrillReport]:
    from sre.reports.json_report import load_report
    from sre.reports.write import JSON

    folder = Path(which)
    return folder, load_report(folder / JSON)
