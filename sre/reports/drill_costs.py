"""What a drill's incident cost by the workspace's economics: the sums that its post-incident report shows."""

from __future__ import annotations

from pathlib import Path

from sre.cost.finance import Finance
from sre.cost.incident import incident_cost
from sre.cost.model import Price
from sre.cost.provenance import CostSum
from sre.reports.finops_facts import drill_facts_for_cost, gpu_use
from sre.reports.model import DrillReport


def drill_costs(
    report: DrillReport, folder: Path, finance: Finance, *, price: Price | None = None
) -> tuple[CostSum, ...]:
    """The incident's sum; `price` None: the one the drill was priced with. Raises NoData when there was no fault."""
    use = gpu_use(report, folder, price)
    facts = drill_facts_for_cost(report, use, counts_recovery=finance.counts_recovery_capacity)
    return (incident_cost(facts, finance),)
