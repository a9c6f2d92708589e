"""A finished drill in the incident store. A store that fails costs the drill nothing but its place there.

What a drill left unresolved is resolved with its platform: a platform that is gone fails nobody, and an incident that
nobody can end any more would keep the gate shut.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sre.errors import SreError
from sre.incidents.case import Case
from sre.incidents.events import Draft, MilestoneMark, StatusSet
from sre.incidents.store import open_store, store_address
from sre.incidents.store.model import Anchor, IncidentStore
from sre.reports.drill_case import ACTOR, drafts_of, record_drill
from sre.reports.model import DrillReport
from sre.reports.rebuild import without_store
from sre.risks.model import Entry
from sre.risks.register import load_register

_OVER = ("resolved", "closed")


@dataclass(frozen=True, slots=True)
class Recorded:
    """The drill's incident and the store's end after it; `problem` says why the store does not have it."""

    case: Case
    anchor: Anchor | None
    problem: str = ""

    @property
    def is_unresolved(self) -> bool:
        return self.anchor is not None and self.case.head.status not in _OVER


def record(report: DrillReport, folder: Path, *, workspace: Path, runbook: str, gone_at: float | None) -> Recorded:
    """Open the drill's incident in the workspace's store; `gone_at` (Unix s) is when its platform was taken down."""
    risks = _risks_of(report, workspace)
    try:
        with closing(open_store(store_address(workspace))) as store:
            case = record_drill(store, report, folder, runbook=runbook, risks=risks)
            if gone_at is not None:
                case = _resolved(store, case, gone_at)
            return Recorded(case, store.anchor())
    except SreError as error:
        told = drafts_of(report, folder, runbook=runbook, risks=risks)
        return Recorded(without_store(told, report.id), None, str(error))


def resolve_with_platform(incident: str, *, workspace: Path, at: float) -> None:
    """Resolve it unless it is: its platform was taken down `at` (Unix s). Raises SreError when the store fails."""
    with closing(open_store(store_address(workspace))) as store:
        _resolved(store, store.case(incident), at)


def _risks_of(report: DrillReport, workspace: Path) -> tuple[Entry, ...]:
    """The risks that the experiment tests; none from a register with faults, which `sre risk check` tells."""
    if report.subject is None:
        return ()
    try:
        return tuple(entry for entry in load_register(workspace) if report.subject.id in entry.experiments)
    except SreError:
        return ()


def _resolved(store: IncidentStore, case: Case, at: float) -> Case:
    if case.head.status in _OVER:
        return case
    reason = "the drill's platform was taken down before it recovered"
    mark = MilestoneMark("resolved", None, reason=reason)
    drafts = (
        Draft(at, mark, f"resolved n/a: {reason}", "events.jsonl", ACTOR),
        Draft(at, StatusSet("resolved", reason), f"resolved: {reason}", "events.jsonl", ACTOR),
    )
    store.append(case.head.id, drafts)
    return store.case(case.head.id)
