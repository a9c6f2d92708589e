"""`sre autoscale ...`: scaling policies, read and compared without a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.options import DEFAULT_PROFILE, Duration, Json, Profile, Rate, Seed, Trace
from sre.cli.simulation_options import SkipBadRows
from sre.cli.text_table import print_aligned

if TYPE_CHECKING:
    pass

app = typer.Typer(help="Scaling policies: check a document, compare several on the same traffic.", no_args_is_help=True)


@app.command("check")
def check(
    policies: Annotated[
        list[Path], typer.Argument(help="HorizontalPodAutoscaler (autoscaling/v2) or KEDA ScaledObject files.")
    ],
    as_json: Json = False,
) -> None:
    """Validate policy documents and say what they will do. Exit 2 with every fault, file:line, when one is bad."""
    from dataclasses import asdict

    from sre.console import print_json
    from sre.errors import BadDocument
    from sre.platforms.local.autoscale import read_policy

    readings, faults = [], []
    for path in policies:
        try:
            readings.append(read_policy(path))
        except BadDocument as error:
            faults += error.faults
    if faults:
        raise BadDocument(faults)
    if as_json:
        print_json({"ok": True, "policies": [asdict(reading) for reading in readings]})
        return
    for reading in readings:
        typer.secho(f"{reading.where}: {reading.kind} {reading.name}", bold=True)
        for label, text in reading.lines:
            typer.echo(f"  {label:10} {text}")
        for warning in reading.warnings:
            typer.echo(f"  note       {warning}")


@app.command("compare")
def compare(
    policy: Annotated[
        list[Path] | None,
        typer.Option("--policy", help="A policy file; repeat for several. Default: the shipped ones."),
    ] = None,
    baselines: Annotated[
        bool,
        typer.Option("--baselines/--no-baselines", help="Also two fixed fleets: the minimum, and enough for the peak."),
    ] = True,
    generate: Annotated[
        bool, typer.Option("--generate", help="A generated day with bursts (the default without --trace).")
    ] = False,
    trace: Trace = None,
    skip_bad_rows: SkipBadRows = False,
    rate: Rate = None,
    duration: Duration = None,
    seed: Seed = 1,
    profile: Profile = DEFAULT_PROFILE,
    cold_start: Annotated[
        float | None, typer.Option("--cold-start", min=0, help="Seconds until a new replica serves.")
    ] = None,
    start: Annotated[int | None, typer.Option("--start", min=1, help="Warm replicas at the start.")] = None,
    ttft: Annotated[float, typer.Option("--ttft", help="Threshold of the first token, seconds.")] = 1.0,
    inter_token: Annotated[float, typer.Option("--inter-token", help="Threshold of the mean gap, seconds.")] = 0.05,
    prices: Annotated[Path | None, typer.Option("--prices", help="Your own price book.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for compare.html, compare.json and PNG charts.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Simulate policies on the same traffic: share of good requests, cost, cost of a million good tokens."""
    from sre.console import Progress, print_json
    from sre.cost.prices import load_book, price_of, shipped_prices
    from sre.platforms.local.autoscale import CompareOptions, compare_policies
    from sre.reports.autoscale import comparison_json, comparison_table, write_comparison

    if generate and trace is not None:
        raise typer.BadParameter("--generate and --trace are two sources: give one")
    for name, value in (("--rate", rate), ("--duration", duration), ("--ttft", ttft), ("--inter-token", inter_token)):
        if value is not None and not 0 < value < float("inf"):
            raise typer.BadParameter(f"{name} is {value:g}: give a number above 0")
    book = load_book(prices) if prices is not None else shipped_prices()
    options = CompareOptions(
        profile=profile,
        policies=tuple(policy or ()),
        baselines=baselines,
        trace=trace,
        skip_bad_rows=skip_bad_rows,
        rate_rps=rate,
        duration_s=duration,
        seed=1 if seed is None else seed,
        cold_start_s=cold_start,
        start_replicas=start,
        ttft_s=ttft,
        inter_token_s=inter_token,
    )
    progress = Progress()
    progress.step("policies on the same traffic")
    try:
        comparison = compare_policies(options, on_progress=progress.note)
        price = price_of(comparison.gpu, book)
        written = write_comparison(comparison, price, out) if out is not None else ()
    except BaseException:
        progress.fail()
        raise
    progress.done(f"{len(comparison.runs)} runs")
    if as_json:
        print_json({"ok": True, **comparison_json(comparison, price, curves=False), "files": [str(p) for p in written]})
        return
    print_aligned(comparison_table(comparison, price))
    for path in written:
        typer.echo(f"wrote {path}")
