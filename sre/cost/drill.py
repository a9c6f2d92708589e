"""What a drill cost to hold: its GPUs, its people, and the requests it lost where they were customers'. Pure."""

from __future__ import annotations

from decimal import Decimal

from sre.cost.finance import Finance
from sre.cost.incident import LOST, IncidentFacts, inputs_of, lost_lines
from sre.cost.incident_gpus import GpuUse
from sre.cost.labour import drill_lines
from sre.cost.measured import shown, unknown
from sre.cost.provenance import CostLine, CostSum

_EMULATED = (
    "The GPUs are emulated: nobody sends this bill. It is what the same replica time costs at the price named above."
)


def drill_cost(facts: IncidentFacts | None, use: GpuUse, finance: Finance, *, title: str, is_emulated: bool) -> CostSum:
    """`facts` are None for a drill without a fault: no request was lost to one."""
    members = () if finance.drill is None else finance.drill.team
    return CostSum(
        title=title,
        currency=finance.currency,
        lines=(gpus_of_drill(use), *drill_lines(finance), *_lost(facts, finance)),
        inputs=(*inputs_of(finance), *(member.hours for member in members)),
        notes=(_EMULATED,) if is_emulated else (),
    )


def gpus_of_drill(use: GpuUse) -> CostLine:
    """The whole bill of the drill: every replica-second of it, useful or not."""
    seconds = Decimal(str(use.cost.billed_s))
    price = use.price
    return CostLine(
        name="GPUs of the drill",
        amount=use.per_replica_hour * seconds / 3600,
        basis="measured",
        is_billed=True,
        formula=f"{shown(seconds)} replica-s / 3600 x {use.cost.gpus_per_replica} GPU x "
        f"{shown(price.per_gpu_hour)} {price.currency}/h",
        source=f"cost.json: billed_s; price {price.name}",
    )


def _lost(facts: IncidentFacts | None, finance: Finance) -> tuple[CostLine, ...]:
    name = "lost requests of customers"
    if finance.drill is None:
        return (unknown(name, finance.missing("drill.traffic"), is_billed=False),)
    if finance.drill.traffic == "generated" or facts is None:
        why = "requests were the load generator's" if facts is not None else "no fault was injected"
        return (
            CostLine(name, Decimal(0), "measured", False, f"0: {why}", "workload.json, finance.yaml: drill.traffic"),
        )
    return tuple(line for line in lost_lines(facts, finance) if line.name in LOST)
