"""`sre gameday run`: one drill, or a suite of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sre.cli.gameday.options import Workspace, short, workspace_of
from sre.cli.options import Duration, Json, MaxPromptTokens, Prometheus, Rate, Seed, Trace

if TYPE_CHECKING:
    from sre.gameday.model import DrillOptions
    from sre.gameday.recording import Recorded
    from sre.gameday.run import DrillOutcome


def run(
    experiments: Annotated[
        list[Path] | None,
        typer.Argument(help="An experiment file, for example experiments/replica-crash.yaml; several are a suite."),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option("--suite", help="`full`, a tag of experiments (`smoke`), or a file with name and experiments."),
    ] = None,
    trace: Trace = None,
    rate: Rate = None,
    duration: Duration = None,
    seed: Seed = None,
    max_prompt_tokens: MaxPromptTokens = None,
    replicas: Annotated[int | None, typer.Option("--replicas", min=1, max=16, help="Triton replicas to run.")] = None,
    profile: Annotated[str | None, typer.Option("--profile", help="GPU profile of the emulated engine.")] = None,
    time_scale: Annotated[float | None, typer.Option("--time-scale", help="Stretch step times.")] = None,
    port: Annotated[int, typer.Option("--port", help="Gateway port; 0 picks a free one.")] = 0,
    prometheus: Prometheus = True,
    prices: Annotated[
        Path | None,
        typer.Option("--prices", help="Your own price book, in the form of sre/cost/price_books/."),
    ] = None,
    workspace: Workspace = None,
    reports: Annotated[Path | None, typer.Option("--reports", help="Where report folders go.")] = None,
    state_dir: Annotated[
        Path | None, typer.Option("--state-dir", envvar="SRE_STATE_DIR", help="Default: .sre in the workspace.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="In a suite: a known weakness counts as deviated in the exit code.")
    ] = False,
    runbooks: Annotated[
        bool, typer.Option("--runbooks", help="In a suite: drills that go as was said rewrite their runbooks.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run one drill, or a suite, from an empty machine to a report.

    Exit 0 passed, 1 deviated, 2 wrong use, 3 something is missing, 4 void, 5 aborted, 7 error; a suite: its weightiest.
    """
    from sre.gameday.model import DrillOptions

    files = list(experiments or ())
    _require_one(files, suite)
    root = workspace or (workspace_of(files[0]) if files else Path.cwd())
    options = DrillOptions(
        experiment=files[0] if files else root / "experiments",
        workspace=root,
        state_dir=state_dir or root / ".sre",
        reports_dir=reports or root / "reports",
        trace=trace,
        rate_rps=rate,
        duration_s=duration,
        max_prompt_tokens=max_prompt_tokens,
        seed=seed,
        replicas=replicas,
        profile=profile,
        time_scale=time_scale,
        port=port,
        prometheus=prometheus,
        prices=prices,
    )
    if suite is None and len(files) == 1:
        _one(options, as_json=as_json)
    else:
        from sre.cli.gameday.suite import play_suite

        play_suite(suite, files, options, strict=strict, runbooks=runbooks, as_json=as_json)


def _require_one(files: list[Path], suite: str | None) -> None:
    from sre.errors import SreError

    if not files and suite is None:
        raise SreError("nothing to run: name an experiment file, or a suite with --suite smoke or --suite full")
    if files and suite is not None:
        raise SreError("give experiment files or --suite, not both: a file with --suite can list experiments")


def _one(options: DrillOptions, *, as_json: bool) -> None:
    from sre.chaos.exit_codes import exit_code
    from sre.console import Progress, print_json
    from sre.gameday.run import run_drill

    progress = Progress()
    try:
        outcome = run_drill(options, progress=progress)
    except BaseException:
        progress.fail()
        raise
    if as_json:
        print_json(_summary(outcome))
    else:
        _print(outcome)
    raise typer.Exit(int(exit_code(outcome.report.verdict)))


def _summary(outcome: DrillOutcome) -> dict[str, Any]:
    from collections import Counter

    report = outcome.report
    return {
        "id": report.id,
        "verdict": report.verdict,
        "reasons": report.verdict_reasons,
        "known_weakness": report.subject.risk if report.is_known and report.subject is not None else None,
        "report": str(outcome.html),
        "incident": None if outcome.recorded is None else _incident(outcome.recorded),
        "runbook": None if outcome.runbook is None else str(outcome.runbook),
        "durations_s": {d.name: d.seconds for d in report.incident.durations},
        "outcomes": dict(sorted(Counter(point.outcome for point in report.requests).items())),
        "in_flight_during_fault": report.incident.impact.requests,
        "failed_during_fault": report.incident.impact.failed,
        "cost": {
            "currency": report.cost.price.currency,
            "total": report.cost.total,
            "per_million_tokens": report.cost.per_million_tokens,
            "per_million_good_tokens": report.cost.per_million_good_tokens,
            "incident": report.cost.incident_total,
        },
    }


def _print(outcome: DrillOutcome) -> None:
    from sre.incidents.milestones import UNATTENDED
    from sre.reports.formats import seconds
    from sre.reports.postincident.write import HTML as POST_INCIDENT

    report = outcome.report
    typer.echo("")
    typer.secho(f"{report.verdict.upper()}  {report.title}", bold=True)
    for reason in report.verdict_reasons:
        typer.echo(f"  because {reason}")
    if report.is_known and report.subject is not None:
        typer.echo(f"  known              {report.subject.risk}: {report.subject.weakness}")
    for duration in (d for d in report.incident.durations if d.reason != UNATTENDED):
        value = seconds(duration.seconds) if duration.seconds is not None else f"n/a ({duration.reason})"
        typer.echo(f"  {duration.name.replace('_', ' '):18} {value}")
    typer.echo(f"  report             {short(outcome.html)}")
    if outcome.recorded is not None:
        head, page = outcome.recorded.case.head, outcome.html.with_name(POST_INCIDENT)
        typer.echo(f"  incident           {head.id}, {head.severity}, {head.status}: {short(page)}")
    typer.echo(f"  runbook            {_runbook(outcome)}")


def _incident(recorded: Recorded) -> dict[str, Any]:
    head = recorded.case.head
    anchor = recorded.anchor
    return {
        "id": head.id,
        "severity": head.severity,
        "status": head.status,
        "anchor": None if anchor is None else f"{anchor.position}:{anchor.hash}",
        "problem": recorded.problem or None,
    }


def _runbook(outcome: DrillOutcome) -> str:
    if outcome.runbook is not None:
        return short(outcome.runbook)
    return "unchanged: only a drill that goes as was said rewrites it"
