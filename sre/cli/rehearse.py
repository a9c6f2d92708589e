"""`sre rehearse`: what a drill would show before it is played, and how far that was right afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sre.cli.gameday.options import Workspace, short, workspace_of
from sre.cli.options import Duration, Json, MaxPromptTokens, Rate, Trace

if TYPE_CHECKING:
    from sre.gameday.model import DrillOptions
    from sre.gameday.rehearsal.several import Task
    from sre.reports.page import Grid, Page

DAY_S = 86_400
TERSE = frozenset({"quantities", "comparison"})
DULL = frozenset({"n/a", "0x", "0 %"})
"""A row of these tables with no other cells is left out of a terminal."""


def rehearse(
    experiment: Annotated[
        Path | None, typer.Argument(help="An experiment file, for example experiments/replica-crash.yaml.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every experiment of the workspace, as a table.")] = False,
    listing: Annotated[
        bool, typer.Option("--list", help="How each experiment of the workspace is rehearsed, without rehearsing it.")
    ] = False,
    drill: Annotated[
        Path | None,
        typer.Option("--compare", help="A drill's report folder: its measurement beside the prediction."),
    ] = None,
    as_planned: Annotated[
        bool,
        typer.Option("--as-planned", help="With --compare: steps begin when the file says, not when the drill's did."),
    ] = False,
    seeds: Annotated[int, typer.Option("--seeds", min=1, max=100, help="So many seeds of the load: ranges.")] = 1,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of the load; with --seeds the first.")] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Rehearsals side by side. Default: one for each core.")
    ] = None,
    trace: Trace = None,
    rate: Rate = None,
    duration: Duration = None,
    max_prompt_tokens: MaxPromptTokens = None,
    replicas: Annotated[int | None, typer.Option("--replicas", min=1, max=16, help="Replicas to run.")] = None,
    profile: Annotated[str | None, typer.Option("--profile", help="GPU profile of the emulated engine.")] = None,
    time_scale: Annotated[float | None, typer.Option("--time-scale", help="Stretch step times.")] = None,
    prices: Annotated[Path | None, typer.Option("--prices", help="Your own price book.")] = None,
    workspace: Workspace = None,
    reports: Annotated[
        Path | None,
        typer.Option("--reports", help="Drills to learn this machine's times from. Default: the workspace's."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for rehearsal.html, rehearsal.md and rehearsal.json.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Predict a drill: SLIs, burn, alerts, detection, recovery, cost. The platform's own code under a virtual clock.

    Exit 0 as the experiment expects, or the comparison is within tolerance; 1 not; 2 wrong use, or a step that
    cannot be rehearsed; 3 something is missing.
    """
    from sre.gameday.model import DrillOptions

    if listing:
        _list(workspace or Path.cwd(), as_json=as_json)
        return
    _require_one(experiment, everything=everything, drill=drill, seeds=seeds)
    own = (rate, duration, seed, max_prompt_tokens, replicas, profile, time_scale)
    _require_heard(drill, reports, as_planned=as_planned, has_own=any(option is not None for option in own))
    root = workspace or (workspace_of(experiment) if experiment is not None else Path.cwd())
    options = DrillOptions(
        experiment=experiment or root / "experiments",
        workspace=root,
        state_dir=root / ".sre",
        reports_dir=reports or root / "reports",
        trace=trace,
        rate_rps=rate,
        duration_s=duration,
        seed=seed,
        max_prompt_tokens=max_prompt_tokens,
        replicas=replicas,
        profile=profile,
        time_scale=time_scale,
        prices=prices,
    )
    if drill is not None:
        _compare(options, drill, as_planned=as_planned, out=out, as_json=as_json)
    elif everything:
        _library(options, jobs=jobs, out=out, as_json=as_json)
    else:
        _one(options, seeds=seeds, jobs=jobs, out=out, as_json=as_json)


def _list(workspace: Path, *, as_json: bool) -> None:
    from sre.console import print_json
    from sre.gameday.rehearsal.several import covered
    from sre.incidents.codec import encode
    from sre.reports.rehearsal.view import coverage_grid

    found = covered(workspace)
    if as_json:
        keys = ("id", "experiment", "faults", "refusals")
        print_json({"ok": True, "experiments": [dict(zip(keys, encode(list(one)), strict=True)) for one in found]})
    else:
        _print(coverage_grid(found))


def _require_one(experiment: Path | None, *, everything: bool, drill: Path | None, seeds: int) -> None:
    from sre.errors import SreError

    asked = [experiment is not None, everything]
    if sum(asked) > 1:
        raise SreError("give an experiment file or --all, not both")
    if drill is not None and (everything or seeds > 1):
        raise SreError("--compare is of one drill and its own seed: leave --all and --seeds out")
    if not any(asked) and drill is None:
        raise SreError("nothing to rehearse: name an experiment file, or give --all, or --compare reports/ID")


def _require_heard(drill: Path | None, reports: Path | None, *, as_planned: bool, has_own: bool) -> None:
    """An option that would change nothing is refused: whoever gave it would take the result for another."""
    from sre.errors import SreError

    if drill is not None and has_own:
        raise SreError("--compare is of the drill's own load and platform: leave the options for those out")
    if drill is None and as_planned:
        raise SreError("--as-planned is of a comparison: give --compare reports/ID, too")
    if reports is not None and not reports.is_dir():
        raise SreError(f"--reports: {reports}: no such folder: give one with drills, or leave it out")


def _one(options: DrillOptions, *, seeds: int, jobs: int | None, out: Path | None, as_json: bool) -> None:
    from sre.console import Progress
    from sre.gameday.rehearsal.several import cores, rehearse_seeds
    from sre.reports.rehearsal.view import rehearsal_page
    from sre.reports.rehearsal.write import rehearsal_json

    progress, first = Progress(), _first_seed(options)
    found = []
    progress.step(f"rehearse {options.experiment.name}")
    try:
        wanted = range(first, first + seeds)
        for one in rehearse_seeds(_task(options), wanted, jobs=jobs or cores()):
            found.append(one)
            progress.detail(f"seed {one.seed}, {len(found)} of {seeds}")
    except BaseException:
        progress.fail()
        raise
    met = sum(one.is_met for one in found)
    progress.done("as expected" if met == len(found) else f"as expected in {met} of {len(found)} seeds")
    _tell(rehearsal_page(found), rehearsal_json(found), ("checks", "quantities"), out=out, as_json=as_json)
    raise typer.Exit(0 if met == len(found) else 1)


def _compare(options: DrillOptions, drill: Path, *, as_planned: bool, out: Path | None, as_json: bool) -> None:
    from sre.console import Progress
    from sre.gameday.rehearsal.calibration import calibrate
    from sre.gameday.rehearsal.compare import compare, experiment_of
    from sre.reports.rehearsal.view import comparison_page
    from sre.reports.rehearsal.write import comparison_json

    named = options.experiment != options.workspace / "experiments"
    experiment = options.experiment if named else experiment_of(drill, options.workspace)
    progress = Progress()
    progress.step(f"rehearse {experiment.name} as {drill.name} was played")
    try:
        calibration = calibrate(options.reports_dir, without=(drill,))
        found = compare(
            drill,
            experiment,
            options.workspace,
            calibration=calibration,
            as_planned=as_planned,
            trace=options.trace,
            prices=options.prices,
        )
    except BaseException:
        progress.fail()
        raise
    progress.done("within tolerance" if found.ok else "outside tolerance")
    _tell(comparison_page(found), comparison_json(found), ("comparison",), out=out, as_json=as_json)
    raise typer.Exit(0 if found.ok else 1)


def _library(options: DrillOptions, *, jobs: int | None, out: Path | None, as_json: bool) -> None:
    from sre.console import Progress
    from sre.gameday.rehearsal.several import cores, experiments_in, rehearse_library
    from sre.reports.formats import seconds
    from sre.reports.rehearsal.view import Entry, library_page
    from sre.reports.rehearsal.words import verdict
    from sre.reports.rehearsal.write import library_json

    progress, names = Progress(), experiments_in(options.workspace)
    entries: list[Entry] = []
    progress.step(f"rehearse {len(names)} experiments")
    try:
        for entry in rehearse_library(_task(options), jobs=jobs or cores()):
            entries.append(entry)
            said = "not rehearsed" if entry.rehearsal is None else verdict(entry.rehearsal)
            progress.note(f"{len(entries)} of {len(names)}: {entry.name} {said}, {seconds(entry.took_s)}")
    except BaseException:
        progress.fail()
        raise
    played = [entry.rehearsal for entry in entries if entry.rehearsal is not None]
    progress.done(f"{len(played)} of {len(entries)} rehearsed")
    _tell(library_page(entries), library_json(entries), ("library",), out=out, as_json=as_json)
    raise typer.Exit(1 if any(not one.is_met and not one.report.is_known for one in played) else 0)


def _task(options: DrillOptions) -> Task:
    """Prices are today's; the virtual clock starts at midnight, so a rehearsal is the same to the byte all day."""
    import time

    from sre.gameday.rehearsal.calibration import calibrate
    from sre.gameday.rehearsal.several import Task

    now = time.time()
    return Task(options, calibrate(options.reports_dir), now=now, epoch=float(int(now) // DAY_S * DAY_S))


def _first_seed(options: DrillOptions) -> int:
    from sre.chaos.experiment import load_drill

    return load_drill(options.experiment).workload.seed if options.seed is None else options.seed


def _tell(page: Page, document: dict[str, Any], grids: tuple[str, ...], *, out: Path | None, as_json: bool) -> None:
    from sre.console import print_json
    from sre.reports.rehearsal.write import write_page

    written = write_page(page, document, out) if out is not None else ()
    if as_json:
        print_json({**document, "files": [str(path) for path in written]})
        return
    typer.secho(f"{page.verdict}: {page.title}", bold=True)
    typer.echo(f"  {page.meaning}")
    for reason in page.reasons:
        typer.echo(f"  because {reason}")
    for grid in page.grids:
        if grid.key in grids:
            _print(grid)
    for path in written:
        typer.echo(f"wrote {short(path)}")


def _print(grid: Grid) -> None:
    typer.echo("")
    shown = [[cell.text for cell in row] for row in grid.rows]
    numeric = [index for index, column in enumerate(grid.columns) if column.numeric]
    told = [row for row in shown if grid.key not in TERSE or {row[index] for index in numeric} - DULL]
    rows = [[column.label for column in grid.columns], *told]
    widths = [max(len(row[index]) for row in rows) for index in range(len(grid.columns))]
    for row in rows:
        cells = [
            cell.rjust(width) if column.numeric else cell.ljust(width)
            for cell, width, column in zip(row, widths, grid.columns, strict=True)
        ]
        typer.echo("  " + "  ".join(cells).rstrip())
    if len(told) < len(shown):
        typer.echo(f"  {len(shown) - len(told)} more are 0 or n/a: --out and --json have them")
    for note in grid.notes:
        typer.echo(f"  {note}")
