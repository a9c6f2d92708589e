"""`sre simulate`: a fleet under a virtual clock, with faults, SLOs and money."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.options import Duration, Json, Rate, Seats, TokenBudget, Trace
from sre.cli.simulation_options import (
    ColdStartS,
    Count,
    Cv,
    Experiment,
    Faults,
    Generated,
    InterToken,
    PolicyFile,
    Prices,
    ProfileName,
    RoutingWord,
    ScenarioFile,
    SimulationSeed,
    SkipBadRows,
    Spot,
    Ttft,
    Zones,
    book_of,
    print_table,
    request_of,
    slos_of,
    with_experiment,
)

if TYPE_CHECKING:
    from sre.reports.simulation.model import SimulationReport


def simulate(
    scenario: ScenarioFile = None,
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
    experiment: Experiment = None,
    zones: Zones = None,
    spot: Spot = None,
    cold_start: ColdStartS = None,
    seed: SimulationSeed = None,
    ttft: Ttft = None,
    inter_token: InterToken = None,
    skip_bad_rows: SkipBadRows = False,
    slo: Annotated[
        list[Path] | None, typer.Option("--slo", help="OpenSLO files or folders to judge by. Default: slo/, if there.")
    ] = None,
    clock: Annotated[
        float | None,
        typer.Option("--drill-clock", min=1, help="Divide alert windows by this. Default: the scenario's, else 1."),
    ] = None,
    scrape: Annotated[
        float | None,
        typer.Option("--scrape-interval", help="Seconds between scrapes. Default: 5, or 1 with a drill clock."),
    ] = None,
    prices: Prices = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the page, result, requests, samples and scenario.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Simulate a fleet: service, SLO burn and alerts, recovery from faults, cost. Nothing is measured.

    Give a scenario file, or --profile, or --experiment. Exit 2 for a fleet, a fault or a document that cannot be.
    """
    from sre.console import Progress, print_json
    from sre.gameday.simulated import judge_simulation
    from sre.platforms.local.simulate import simulate as run
    from sre.reports.simulation.json_file import report_json

    asked = request_of(
        scenario=scenario,
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
        price_book=prices,
        drill_clock=clock,
        scrape_interval_s=scrape,
    )
    request = with_experiment(asked, experiment)
    slos = slos_of(slo)
    book_of(prices)  # a bad one is told before anything is simulated
    if out is not None:
        _require_room(out)
    progress = Progress()
    progress.step("simulation")
    try:
        simulation = run(request, on_progress=progress.note, on_share=lambda share: progress.detail(f"{share:.0%}"))
        report = judge_simulation(simulation, slos=slos, book=book_of(simulation.price_book))
        files = _written(report, out) if out is not None else ()
    except BaseException:
        progress.fail()
        raise
    progress.done(f"{len(simulation.requests):,} requests over {simulation.duration_s:g} s, simulated")
    if as_json:
        print_json({"ok": True, **report_json(report, curves=False), "files": [str(path) for path in files]})
        return
    _print(report)
    for path in files:
        typer.echo(f"wrote {path}")


def _require_room(folder: Path) -> None:
    from sre.reports.simulation.write import require_room

    require_room(folder)


def _written(report: SimulationReport, folder: Path) -> tuple[Path, ...]:
    from sre.reports.simulation.write import write_report

    return write_report(report, folder)


def _print(report: SimulationReport) -> None:
    from sre.reports.simulation.tables import tables, verdict_of

    _, verdict, meaning = verdict_of(report)
    typer.secho(f"SIMULATED: {verdict}: {meaning}", bold=True)
    for note in report.simulation.notes:
        typer.echo(f"note: {note}")
    for table in tables(report):
        if table.rows or table.key == "cost":
            print_table(table)
