"""`sre sweep`: many configurations of one simulation, and which of them is worth its money."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.options import Duration, Json, Rate, Seats, TokenBudget, Trace
from sre.cli.simulation_options import (
    ColdStartS,
    Count,
    Cv,
    Faults,
    Generated,
    InterToken,
    PolicyFile,
    Prices,
    ProfileName,
    RoutingWord,
    SimulationSeed,
    SkipBadRows,
    Spot,
    Ttft,
    Zones,
    book_of,
    print_table,
    request_of,
)

if TYPE_CHECKING:
    from sre.platforms.simulation import SimulationRequest, SweepRequest
    from sre.reports.simulation.pareto import SweepReport

NONE_MEETS = 2


def sweep(
    document: Annotated[
        Path | None,
        typer.Argument(help="A scenario or sweep file, or a shipped one by name: sizing-sweep.", show_default=False),
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            "--vary", help="NAME=A,B of replicas, profile, tp, pp, max_num_seqs, routing, policy ...; repeatable."
        ),
    ] = None,
    search: Annotated[
        str | None,
        typer.Option("--search", help="grid (all, the default), random, or halving; the last two: --trials."),
    ] = None,
    trials: Annotated[
        int | None, typer.Option("--trials", min=1, help="How many configurations a search tries.")
    ] = None,
    target: Annotated[
        float | None, typer.Option("--target", help="Share of good requests to be met. Default: 0.99.")
    ] = None,
    jobs: Annotated[int | None, typer.Option("--jobs", min=1, help="Processes. Default: one a core.")] = None,
    executor: Annotated[
        str, typer.Option("--executor", help="processes, or ray: a cluster (the extra `ray`).")
    ] = "processes",
    profile: ProfileName = None,
    replicas: Count = None,
    trace: Trace = None,
    workload: Generated = None,
    rate: Rate = None,
    duration: Duration = None,
    cv: Cv = None,
    routing: RoutingWord = None,
    max_num_seqs: Seats = None,
    max_num_batched_tokens: TokenBudget = None,
    policy: PolicyFile = None,
    fault: Faults = None,
    zones: Zones = None,
    spot: Spot = None,
    cold_start: ColdStartS = None,
    seed: SimulationSeed = None,
    ttft: Ttft = None,
    inter_token: InterToken = None,
    skip_bad_rows: SkipBadRows = False,
    prices: Prices = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for page and points; the same one again goes on where it was.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Simulate many configurations: cost of a good token against share of good requests, and the front of the best.

    Exit 0 when one meets the target, 2 when none does (or the sweep cannot be). What fails is kept, with its reason.
    """
    from sre.console import Progress, print_json
    from sre.platforms.local.sweep import sweep as run
    from sre.reports.simulation.pareto import judge_sweep, price_in
    from sre.reports.simulation.sweep_tables import sweep_json

    base = request_of(
        profile=profile,
        replicas=replicas,
        trace=trace,
        workload=workload,
        rate_rps=rate,
        duration_s=duration,
        burstiness_cv=cv,
        routing=routing,
        max_num_seqs=max_num_seqs,
        max_num_batched_tokens=max_num_batched_tokens,
        policy=policy,
        faults=fault,
        zones=zones,
        spot=spot,
        cold_start_s=cold_start,
        seed=seed,
        ttft_s=ttft,
        tpot_s=inter_token,
        skip_bad_rows=skip_bad_rows,
    )
    request = _asked(base, document, vary, search, trials, target, jobs, executor, out)
    book = book_of(prices or _stated_book(request.base))
    progress = Progress()
    progress.step("sweep")
    try:
        report = judge_sweep(run(request, price=lambda s: price_in(book, s), on_progress=progress.note), book)
        files = _written(report, out) if out is not None else ()
    except BaseException:
        progress.fail()
        raise
    progress.done(f"{len(report.points)} configurations, simulated")
    if as_json:
        met = report.cheapest is not None
        print_json({"ok": met, **sweep_json(report), "files": [str(path) for path in files]})
    else:
        _print(report)
        for path in files:
            typer.echo(f"wrote {path}")
    if report.cheapest is None:
        raise typer.Exit(NONE_MEETS)


def _asked(
    base: SimulationRequest,
    document: Path | None,
    vary: list[str] | None,
    search: str | None,
    trials: int | None,
    target: float | None,
    jobs: int | None,
    executor: str,
    out: Path | None,
) -> SweepRequest:
    """What the command line and the sweep file say together; the command line wins. Raises SreError."""
    import os

    from sre.errors import SreError
    from sre.platforms.local.simulate import scenario_path
    from sre.platforms.simulation import SweepRequest
    from sre.reports.simulation.sweep_file import SweepFile, is_sweep_file, knob_of, read_sweep

    if target is not None and not 0 < target <= 1:
        raise SreError(f"--target is {target:g}: give a share above 0, at most 1")
    document = None if document is None else scenario_path(document)
    told = SweepFile(document, (), None, None, None)
    if document is not None and is_sweep_file(document):
        told = read_sweep(document)
    given = tuple(knob_of(text) for text in vary or ())
    names = {knob.name for knob in given}
    method = search or told.search or "grid"
    if method not in ("grid", "random", "halving"):
        raise SreError(f"--search is {method!r}: use one of grid, random, halving")
    if executor not in ("processes", "ray"):
        raise SreError(f"--executor is {executor!r}: use processes or ray")
    return SweepRequest(
        base=replace(base, scenario=told.scenario),
        knobs=(*(knob for knob in told.knobs if knob.name not in names), *given),
        search="grid" if method == "grid" else "random" if method == "random" else "halving",
        trials=trials or told.trials or 0,
        target=0.99 if (target or told.target) is None else float(target or told.target or 0.99),
        jobs=jobs or os.cpu_count() or 1,
        executor="ray" if executor == "ray" else "processes",
        folder=out,
    )


def _stated_book(base: SimulationRequest) -> Path | None:
    """The price book that the scenario names."""
    from sre.platforms.local.simulate import price_book_of

    return None if base.scenario is None else price_book_of(base.scenario)


def _written(report: SweepReport, folder: Path) -> tuple[Path, ...]:
    from sre.reports.simulation.sweep_page import write_sweep

    return write_sweep(report, folder)


def _print(report: SweepReport) -> None:
    from sre.reports.simulation.sweep_tables import missing_table, points_table, verdict_of

    typer.secho(f"SIMULATED: {verdict_of(report)}", bold=True)
    print_table(points_table(report))
    if report.missing:
        print_table(missing_table(report))
