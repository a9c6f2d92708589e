"""What the drills of a workspace say about short outages: from report folders, and from the incident store.

A report tells recovery and lost requests; the store, of drills whose report is gone, the recovery alone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path, PurePath

from sre.cost.lost_requests import lost_requests
from sre.incidents.case import CaseHead
from sre.reliability.measured import Drill
from sre.reports.drill_facts import drill_facts
from sre.reports.facts import first_fault
from sre.reports.finops_facts import answers_of, incident_window, limits_of
from sre.reports.folders import reports_in
from sre.reports.model import DrillReport

_USABLE = ("passed", "deviated")


def drills_in(folders: Sequence[Path]) -> tuple[Drill, ...]:
    """Drills whose fault was proven and whose verdict says that it was a test. Raises BadDocument."""
    found = (drill_of(report) for report in reports_in(folders).values())
    return tuple(drill for drill in found if drill is not None)


def drill_of(report: DrillReport) -> Drill | None:
    """None where it broke nothing, or was void or aborted: then it measured nothing."""
    facts, fault = drill_facts(report), first_fault(report)
    if fault is None or not facts.is_proven or report.verdict not in _USABLE:
        return None
    start, end = incident_window(report, fault)
    lost = lost_requests(answers_of(report), limits_of(report), start=start, end=end)
    return Drill(
        report=report.id,
        faults=facts.faults,
        recovery_s=facts.recovered.seconds,
        bad=lost.failed + lost.rejected,
        requests=lost.total,
        rate_rps=report.workload.rate_rps,
        replicas=len(report.platform.replicas),
    )


def drills_stored(heads: Sequence[CaseHead], known: Collection[str]) -> tuple[Drill, ...]:
    """Drills of the store that are not among the `known` reports, called after their experiment's file."""
    found = []
    for head in heads:
        begin, end = head.milestones.get("fault_injected"), head.milestones.get("recovered")
        if head.origin == "drill" and head.key not in known and begin is not None and end is not None and end > begin:
            fault = PurePath(head.experiment).name.removesuffix(".yaml")
            found.append(Drill(head.key or head.id, (fault,), end - begin, 0, 0, 0.0, 0))
    return tuple(found)
