"""What a finished drill leaves behind: record files, its incident in the store, and the pages that people read.

The order matters: report.json first, whose hash the incident keeps; then the incident, whose place in the store's chain
the manifest keeps; then the pages, which show both; the manifest last.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sre.cost.provenance import CostSum
from sre.errors import SreError
from sre.gameday.model import DrillFolder
from sre.gameday.prepare import Prepared
from sre.gameday.progress import Progress
from sre.gameday.recording import Recorded, record
from sre.incidents.build import incident_to_json
from sre.incidents.causes.folder import rank_folder
from sre.incidents.causes.model import CauseRanking
from sre.incidents.codec import encode
from sre.reports.atomic import write_text
from sre.reports.drill_documents import write_drill_documents
from sre.reports.finops_drill import costs_of_drill
from sre.reports.finops_write import write_finops
from sre.reports.json_report import to_json
from sre.reports.model import DrillReport
from sre.reports.write import JSON, write_report


@dataclass(frozen=True, slots=True)
class Left:
    """The drill's page, and its incident: None where no fault was injected, so that nothing was to be recorded."""

    html: Path
    recorded: Recorded | None


def leave(
    prepared: Prepared, report: DrillReport, *, runbook: Path | None, gone_at: float | None, progress: Progress
) -> Left:
    """Write everything into the drill's folder. `gone_at`: when its platform was taken down, None while it runs.

    Raises SreError when the report itself cannot be written; what else fails is told and left out.
    """
    folder = DrillFolder(prepared.folder)
    write_text(folder.incident, incident_to_json(report.incident))
    write_text(folder.cost, json.dumps(encode(report.cost), indent=1, allow_nan=False) + "\n")
    if not report.faults:
        return Left(write_report(report, folder.root), None)
    write_text(folder.root / JSON, to_json(report))
    page = "" if runbook is None else f"{runbook.parent.name}/{runbook.name}"
    recorded = record(report, folder.root, workspace=prepared.options.workspace, runbook=page, gone_at=gone_at)
    if recorded.problem:
        progress.note(f"the incident store does not have this drill: {recorded.problem}")
    return Left(_documents(prepared, report, recorded, progress), recorded)


def _documents(prepared: Prepared, report: DrillReport, recorded: Recorded, progress: Progress) -> Path:
    folder = prepared.folder
    with _told("no FinOps briefing", progress):
        write_finops(folder, report=report, finance=prepared.finance, case=recorded.case)
    causes: CauseRanking | None = None
    with _told("causes were not ranked", progress):
        causes = rank_folder(folder, since=report.started_at, until=report.ended_at)
    costs: tuple[CostSum, ...] = ()
    with _told("no cost of the incident", progress):
        costs = costs_of_drill(report, folder, prepared.finance, case=recorded.case)
    with _told("no post-incident report", progress):
        return write_drill_documents(
            report, folder, case=recorded.case, causes=causes, costs=costs, anchor=recorded.anchor
        )
    return write_report(report, folder, anchors=() if recorded.anchor is None else (recorded.anchor,))


@contextmanager
def _told(what: str, progress: Progress) -> Iterator[None]:
    """One page that cannot be made costs no other: it is told and left out."""
    try:
        yield
    except SreError as error:
        progress.note(f"{what}: {error}")
