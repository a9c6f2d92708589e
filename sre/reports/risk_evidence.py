"""Which drills a register may point to: reports that are there, and what runbook pages recorded of those long gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sre.reports.drill_facts import drill_facts
from sre.reports.folders import reports_in
from sre.reports.runbook_pages import Workspace, read_workspace, recorded_drills
from sre.reports.write import JSON
from sre.risks.check import Known
from sre.risks.model import Drilled, Outcome

_OUTCOMES: dict[str, Outcome] = {"passed": "passed", "known": "known", "deviated": "deviated"}
RUNBOOKS = "runbooks"


def known_in(root: Path, workspace: Workspace) -> Known:
    """What there is to link to."""
    return Known(
        experiments=workspace.ids,
        slos=frozenset(slo.name for slo in workspace.slos),
        runbooks=frozenset(page.stem for page in _pages(root)),
    )


def drilled_in(root: Path, reports: Sequence[Path], workspace: Workspace | None = None) -> tuple[Drilled, ...]:
    """Drills that tested something, by runbook pages and by the reports in these folders. Raises BadDocument."""
    experiments = read_workspace(root, tolerant=True) if workspace is None else workspace
    return (*_of_pages(root), *_of_reports(root, reports, experiments))


def _of_pages(root: Path) -> Iterator[Drilled]:
    for page in _pages(root):
        for drill in recorded_drills(page.read_text(encoding="utf-8"), str(page)):
            yield Drilled(drill.experiment, drill.outcome, drill.report_id, drill.at, f"{RUNBOOKS}/{page.name}")


def _of_reports(root: Path, reports: Sequence[Path], experiments: Workspace) -> Iterator[Drilled]:
    for folder, report in reports_in(reports).items():
        experiment, outcome = experiments.id_of(report), _OUTCOMES.get(drill_facts(report).outcome)
        if experiment and outcome is not None:
            yield Drilled(experiment, outcome, report.id, report.started_at, _place(folder / JSON, root))


def _pages(root: Path) -> list[Path]:
    return sorted((root / RUNBOOKS).glob("*.md"))


def _place(path: Path, root: Path) -> str:
    """Relative to the workspace where it lies below it: a register is read on other machines."""
    try:
        return path.resolve().relative_to(root.resolve()).as_posix()
    except ValueError:
        return f"{path.parent.name}/{path.name}"
