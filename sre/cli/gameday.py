"""`sre gameday ...`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sre.cli.options import Duration, Json, MaxPromptTokens, Prometheus, Rate, Seed, Trace

if TYPE_CHECKING:
    from sre.gameday.run import DrillOutcome

app = typer.Typer(help="Drills: platform, traffic, fault, alerts, report.", no_args_is_help=True)

Workspace = Annotated[
    Path | None, typer.Option("--workspace", help="Folder with experiments/, slo/, runbooks/ and reports/.")
]


@app.command("run")
def run(
    experiment: Annotated[Path, typer.Argument(help="An experiment file, for example experiments/replica-crash.yaml.")],
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
    reports: Annotated[Path | None, typer.Option("--reports", help="Where the report folder goes.")] = None,
    state_dir: Annotated[
        Path | None, typer.Option("--state-dir", envvar="SRE_STATE_DIR", help="Default: .sre in the workspace.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run one drill from an empty machine to a report. Exit 0 when it passed, 1 when it did not."""
    from sre.console import Progress, print_json
    from sre.gameday.model import DrillOptions
    from sre.gameday.run import run_drill

    root = workspace or workspace_of(experiment)
    options = DrillOptions(
        experiment=experiment,
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
    raise typer.Exit(0 if outcome.report.verdict == "passed" else 1)


@app.command("list")
def list_(workspace: Workspace = None, as_json: Json = False) -> None:
    """List the experiments of the workspace. Exit 1 when one cannot be run."""
    from dataclasses import asdict

    from sre.console import print_json
    from sre.gameday.listing import list_experiments

    found = list_experiments(workspace or Path())
    if as_json:
        print_json([asdict(e) for e in found])
    else:
        for entry in found:
            length = "" if entry.duration_s is None else f"{entry.duration_s:g} s of load"
            typer.echo(f"{entry.path}  {entry.title}  {length}")
            for fault in entry.faults:
                typer.echo(f"  {fault}", err=True)
    raise typer.Exit(1 if any(e.faults for e in found) else 0)


def workspace_of(experiment: Path) -> Path:
    """The folder above `experiments/` when the file lies in one, else the current folder."""
    parent = experiment.resolve().parent
    return parent.parent if parent.name == "experiments" else Path.cwd()


def _summary(outcome: DrillOutcome) -> dict[str, Any]:
    from collections import Counter

    report = outcome.report
    return {
        "id": report.id,
        "verdict": report.verdict,
        "reasons": report.verdict_reasons,
        "report": str(outcome.html),
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
    from sre.reports.formats import seconds

    report = outcome.report
    typer.echo("")
    typer.secho(f"{report.verdict.upper()}  {report.title}", bold=True)
    for reason in report.verdict_reasons:
        typer.echo(f"  because {reason}")
    for duration in report.incident.durations:
        value = seconds(duration.seconds) if duration.seconds is not None else f"n/a ({duration.reason})"
        typer.echo(f"  {duration.name.replace('_', ' '):18} {value}")
    typer.echo(f"  report             {_short(outcome.html)}")
    runbook = "unchanged: only a passed drill rewrites it" if outcome.runbook is None else _short(outcome.runbook)
    typer.echo(f"  runbook            {runbook}")


def _short(path: Path) -> str:
    """Relative to the current folder when below it: what a person would type."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
