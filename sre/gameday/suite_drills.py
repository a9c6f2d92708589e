"""A suite from the command line to its summary page."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sre.chaos.exit_codes import ExitCode
from sre.errors import BadDocument, SreError
from sre.gameday.model import DrillOptions
from sre.gameday.prepare import Prepared, prepare, stamped
from sre.gameday.progress import Progress
from sre.gameday.stage import LocalStage
from sre.gameday.suite import Suite, batches, cannot_play
from sre.gameday.suite_run import SuiteRun, entry_of
from sre.platforms.interrupts import interrupts_held
from sre.reports.drill_facts import Outcome
from sre.reports.suite import write_suite
from sre.reports.suite_model import Entry, SuiteReport
from sre.risks.register import load_risks

TAIL_S = 3.0
"""How long load goes on after an experiment: alerts have had the experiment's own pauses to reset."""


@dataclass(frozen=True, slots=True)
class SuiteOutcome:
    """A suite that is over, and the path of its summary page."""

    report: SuiteReport
    html: Path


def run_suite(
    suite: Suite,
    options: DrillOptions,
    *,
    runbooks: bool = False,
    progress: Progress,
    now: Callable[[], float] = time.time,
) -> SuiteOutcome:
    """Check everything, play everything, write the summary. `options` are those of every drill but its experiment.

    Raises SreError, every fault of every file at once, before anything is started; and when the summary cannot be
    written. No process is left running in any case.
    """
    began = now()
    prepared = prepare_all(suite.experiments, options, now=began)
    folder = options.reports_dir / stamped(f"suite-{suite.name}", began)
    if folder.exists():
        raise SreError(f"{folder}: exists already: wait a second, or choose another --reports")
    skipped, planned = _sorted_out(prepared)
    run = SuiteRun(LocalStage(options.state_dir, progress, runbooks, now), progress, now)
    run.play(batches(planned))
    report = SuiteReport(
        id=folder.name,
        name=suite.name,
        started_at=began,
        ended_at=now(),
        entries=(*run.entries, *skipped),
        starts=run.starts,
        is_interrupted=run.is_interrupted,
        notes=tuple(run.notes),
        risks=load_risks(options.workspace),
    )
    with interrupts_held():
        html = write_suite(report, folder)
    return SuiteOutcome(report, html)


def prepare_all(experiments: Sequence[Path], options: DrillOptions, *, now: float) -> tuple[Prepared, ...]:
    """Every drill checked. Raises BadDocument with the faults of all of them."""
    found, faults = [], []
    for path in experiments:
        try:
            found.append(prepare(replace(options, experiment=path, tail_s=TAIL_S), now=now))
        except BadDocument as error:
            faults += error.faults
        except SreError as error:
            faults.append(f"{path}: {error}")
    if faults:
        raise BadDocument(list(dict.fromkeys(faults)))
    return tuple(found)


def _sorted_out(prepared: Sequence[Prepared]) -> tuple[tuple[Entry, ...], tuple[Prepared, ...]]:
    reasons = {id(drill): cannot_play(drill.drill) for drill in prepared}
    skipped = [(drill, reason) for drill in prepared if (reason := reasons[id(drill)]) is not None]
    planned = tuple(drill for drill in prepared if reasons[id(drill)] is None)
    return tuple(entry_of(drill, "skipped", reason) for drill, reason in skipped), planned


_CODES: dict[Outcome, ExitCode] = {
    "error": ExitCode.ERROR,
    "interrupted": ExitCode.INTERRUPTED,
    "aborted": ExitCode.ABORTED,
    "void": ExitCode.VOID,
    "deviated": ExitCode.DEVIATED,
    "not run": ExitCode.INTERRUPTED,
    "known": ExitCode.PASSED,
    "skipped": ExitCode.PASSED,
    "passed": ExitCode.PASSED,
}


def suite_exit_code(report: SuiteReport, *, strict: bool) -> ExitCode:
    """That of the weightiest outcome. A known weakness is no surprise, unless `strict`; a suite in which nothing was
    tested is void.
    """
    if not any(entry.outcome in ("passed", "known", "deviated") for entry in report.entries):
        return max(ExitCode.VOID, _CODES[report.worst])
    if strict and report.worst == "known":
        return ExitCode.DEVIATED
    return _CODES[report.worst]
