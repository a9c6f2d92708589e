"""The return of drills from what was measured: recoveries of drills and incidents, and the GPU bill of a drill."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from sre.cost.drill import gpus_of_drill
from sre.cost.finance import Finance
from sre.cost.incident_gpus import GpuUse
from sre.cost.provenance import Input
from sre.cost.roi import DRILL_RECOVERY, FEWEST_MEASURED, roi, roi_inputs
from sre.cost.roi_model import Roi
from sre.errors import SreError
from sre.incidents.case import Case
from sre.reports.finops_cases import case_facts
from sre.reports.finops_model import DrillMoney

MEASURED_IN = "drills and incidents"


def recoveries(drills: Sequence[DrillMoney], cases: Sequence[Case] = ()) -> tuple[float, ...]:
    """Seconds from the fault, or the impact's start, until it was served again: drills first, then cases that ended."""
    drilled = [drill.recovery_s for drill in drills if drill.recovery_s is not None]
    facts = [case_facts(case) for case in cases]
    return (*drilled, *(fact.end - fact.start for fact in facts if fact.end > fact.start))


def returns(
    finance: Finance, recovered: Sequence[float], gpus: Input | None, *, seed: int, years: int
) -> tuple[Roi | None, Roi | None, str]:
    """With measured recoveries where there are enough, and the one with assumed minutes; or the reason of none."""
    try:
        assumed = roi(roi_inputs(finance, gpus_of_a_drill=gpus), seed=seed, years=years)
    except SreError as error:
        return None, None, str(error)
    if len(recovered) < FEWEST_MEASURED:
        return assumed, None, ""
    seen = roi_inputs(finance, recoveries_s=recovered, measured_in=MEASURED_IN, gpus_of_a_drill=gpus)
    return roi(seen, seed=seed, years=years, notes=(DRILL_RECOVERY,)), assumed, ""


def gpus_of_a_drill(uses: Sequence[GpuUse], currency: str) -> Input | None:
    """The GPU bill of one drill: least, mean and most of those held; None when none was."""
    bills = [line.amount for use in uses if (line := gpus_of_drill(use)).amount is not None]
    if not bills:
        return None
    mean = sum(bills, Decimal(0)) / len(bills)
    held = "1 drill" if len(bills) == 1 else f"{len(bills)} drills"
    return Input("GPUs of a drill", mean, currency, "measured", f"cost.json of {held}", min(bills), max(bills))
