"""`sre gameday run --suite`: many drills, one summary."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from sre.cli.gameday.options import short

if TYPE_CHECKING:
    from sre.gameday.model import DrillOptions
    from sre.gameday.suite_drills import SuiteOutcome
    from sre.reports.suite_model import Entry


def play_suite(
    name: str | None, files: list[Path], options: DrillOptions, *, strict: bool, runbooks: bool, as_json: bool
) -> None:
    """The suite of that name, or of these files. Raises KeyboardInterrupt once the summary of a cut one is told."""
    from sre.console import Progress, print_json
    from sre.gameday.suite import FILES, Suite, suite_of
    from sre.gameday.suite_drills import run_suite, suite_exit_code

    suite = suite_of(name, options.workspace) if name is not None else Suite(FILES, tuple(files))
    progress = Progress()
    try:
        outcome = run_suite(suite, options, runbooks=runbooks, progress=progress)
    except BaseException:
        progress.fail()
        raise
    code = suite_exit_code(outcome.report, strict=strict)
    if as_json:
        print_json(_summary(outcome, int(code)))
    else:
        _print(outcome)
    if outcome.report.is_interrupted:
        raise KeyboardInterrupt
    raise typer.Exit(int(code))


def _summary(outcome: SuiteOutcome, code: int) -> dict[str, Any]:
    report = outcome.report
    return {
        "id": report.id,
        "suite": report.name,
        "exit_code": code,
        "interrupted": report.is_interrupted,
        "report": str(outcome.html),
        "took_s": report.ended_at - report.started_at,
        "platform_starts": report.starts,
        "notes": report.notes,
        "drills": [_drill(entry) for entry in report.entries],
        "areas": {area.family: area.score for area in report.matrix().areas},
    }


def _drill(entry: Entry) -> dict[str, Any]:
    facts = entry.facts
    measured = {
        "report": None if facts is None else facts.report,
        "detected_s": None if facts is None else facts.detected.seconds,
        "alerted_s": None if facts is None else facts.alerted.seconds,
        "recovered_s": None if facts is None else facts.recovered.seconds,
        "failed": None if facts is None else facts.failed,
        "requests": None if facts is None else facts.requests,
        "budget_burnt": None if facts is None else facts.burnt,
        "cost": None if facts is None else facts.cost,
        "incident_cost": None if facts is None else facts.incident_cost,
    }
    return {
        "experiment": entry.experiment,
        "id": entry.subject.id,
        "outcome": entry.outcome,
        "known_weakness": entry.subject.risk if entry.outcome == "known" else None,
        "reasons": entry.reasons,
        "took_s": entry.took_s,
        **measured,
    }


def _print(outcome: SuiteOutcome) -> None:
    from sre.reports.formats import seconds
    from sre.reports.matrix_view import OUTCOME_WORDS, score_words
    from sre.reports.suite_view import tally

    report = outcome.report
    typer.echo("")
    typer.secho(f"{tally(report)}  (suite {report.name}, {seconds(report.ended_at - report.started_at)})", bold=True)
    for entry in report.entries:
        why = "" if entry.outcome == "passed" or not entry.reasons else f"  {entry.reasons[0]}"
        typer.echo(f"  {OUTCOME_WORDS[entry.outcome][0]:15} {entry.subject.id:8} {entry.experiment}{why}")
    for note in report.notes:
        typer.echo(f"  {note}")
    scored = [f"{a.family} {score_words(a.score)}" for a in report.matrix().areas if a.score is not None]
    if scored:
        typer.echo(f"  resiliency         {', '.join(scored)}")
    typer.echo(f"  report             {short(outcome.html)}")
