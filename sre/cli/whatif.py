"""`sre whatif`: spares, zones and spot share against the chance to overspend a month's error budget, in money."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sre.cli.cost.sums import FinanceFile, Prices
from sre.cli.options import Json

if TYPE_CHECKING:
    from rich.console import Console

    from sre.reliability.rates import RateBook
    from sre.reliability.whatif import Answer
    from sre.reports.page import Grid

_PROFILE = "h100-llama3-70b-tp4"


def whatif(
    needed: Annotated[int, typer.Option("--needed", min=1, max=500, help="Replicas that carry the peak load: N.")] = 4,
    spares: Annotated[str, typer.Option("--spares", help="More replicas beside them, options with commas.")] = "0,1,2",
    zones: Annotated[str, typer.Option("--zones", help="Zones they are spread over, options with commas.")] = "1,2,3",
    spot: Annotated[str, typer.Option("--spot", help="Percent on spot machines, with commas.")] = "0,30,60,90",
    profile: Annotated[str, typer.Option("--profile", help="GPU profile: GPU, GPUs a replica, cold start.")] = _PROFILE,
    gpus_per_replica: Annotated[
        int | None, typer.Option("--gpus-per-replica", min=1, max=1024, help="Default: the profile's.")
    ] = None,
    gpus_per_host: Annotated[int, typer.Option("--gpus-per-host", min=1, max=1024, help="GPUs of a machine.")] = 8,
    spread: Annotated[bool, typer.Option("--spread", help="Narrow replicas never share a host.")] = False,
    cold_start: Annotated[
        float | None,
        typer.Option("--cold-start", min=0, help="Seconds until a replica serves. Default: the profile's."),
    ] = None,
    replacement_hours: Annotated[
        float | None,
        typer.Option(
            "--replacement-hours", min=0, max=1000, help="Another machine takes over by then. Default: repair."
        ),
    ] = None,
    load: Annotated[str, typer.Option("--load", help="flat, day, or 24 sizes by hour of day with commas.")] = "flat",
    overload_factor: Annotated[
        float, typer.Option("--overload-factor", min=1, max=100, help="Requests spoilt for each that is too many.")
    ] = 1.0,
    slo: Annotated[str, typer.Option("--slo", help="SLO whose target is the month's error budget.")] = "availability",
    slos: Annotated[Path, typer.Option("--slos", help="OpenSLO file or folder.")] = Path("slo"),
    target: Annotated[float | None, typer.Option("--target", help="A target instead, e.g. 0.999.")] = None,
    risk: Annotated[
        float, typer.Option("--risk", min=0, max=1, help="Accepted chance that a month exceeds its budget.")
    ] = 0.05,
    rates: Annotated[Path | None, typer.Option("--rates", help="Your own rate book (YAML).")] = None,
    drills: Annotated[
        list[Path] | None,
        typer.Option(
            "--drills", help="Report folders whose recoveries are used; repeatable. Default: this workspace's."
        ),
    ] = None,
    no_drills: Annotated[bool, typer.Option("--no-drills", help="Use no recovery that drills measured.")] = False,
    finance: FinanceFile = None,
    prices: Prices = None,
    price: Annotated[
        str | None, typer.Option("--price", help="GPU-hour: the name of a price or an amount. Default: today's.")
    ] = None,
    spot_price: Annotated[str | None, typer.Option("--spot-price", help="The same, of a spot machine.")] = None,
    months: Annotated[int, typer.Option("--months", min=100, max=300_000, help="Months to simulate.")] = 10_000,
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="Length of a month.")] = 30,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same result to the last digit.")] = 1,
    sensitivity: Annotated[
        bool, typer.Option("--sensitivity/--no-sensitivity", help="Also move each input to its ends.")
    ] = True,
    list_rates: Annotated[bool, typer.Option("--list-rates", help="Only show the rates and their sources.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for whatif.html, whatif.md, whatif.json.")] = None,
    as_json: Json = False,
) -> None:
    """Simulate months of failures for each combination and name the cheapest that keeps the risk.

    Exit 1 when none does.
    """
    from sre.cli import whatif_inputs as inputs
    from sre.cli.cost.sums import finance_of
    from sre.console import Progress, print_json
    from sre.reliability.fleet import Fleet
    from sre.reliability.months import World
    from sre.reliability.options import Economics
    from sre.reliability.whatif import Question, answer
    from sre.reports.formats import plural

    if no_drills and drills:
        raise typer.BadParameter("--drills and --no-drills contradict each other: give one")
    if list_rates:
        _list_rates(inputs.rates_of(rates, () if no_drills else inputs.drills_of(drills))[0], as_json=as_json)
        return
    hardware = inputs.hardware_of(profile)
    whose, ratio = inputs.target_of(slo, slos, target)
    question = Question(
        fleet=Fleet(
            needed=needed,
            spares=0,
            gpus_per_replica=gpus_per_replica or hardware.gpus_per_replica,
            gpus_per_host=gpus_per_host,
            packed=not spread,
            cold_start_h=inputs.hours_of(cold_start, hardware.cold_start_s, "--cold-start"),
            replacement_h=replacement_hours,
        ),
        spares=inputs.numbers_of(spares, "--spares", least=0, most=100),
        spot_percents=inputs.numbers_of(spot, "--spot", least=0, most=100),
        zones=inputs.numbers_of(zones, "--zones", least=1, most=20),
        risk=risk,
        months=months,
        days=days,
        seed=seed,
        slo=whose,
        has_sensitivity=sensitivity,
    )
    sizes = inputs.load_of(load)
    book, taken = inputs.rates_of(rates, () if no_drills else inputs.drills_of(drills))
    economics = finance_of(finance, "USD")
    costs = inputs.prices_for(hardware.gpu, book, economics, price=price, spot=spot_price, book=prices)
    if out is not None:
        from sre.reports.room import require_writable

        require_writable(out)
    progress = Progress()
    progress.step(f"{plural(len(question.fleets()), 'option')} x {months:,} months")
    try:
        from sre.reports.reliability.write import whatif_json, write_whatif

        found = answer(
            question,
            World(book, sizes, overload_factor),
            Economics(costs, economics, ratio, question.hours),
            taken=taken,
            on_progress=progress.detail,
        )
        written = () if out is None else write_whatif(found, out)
    except BaseException:
        progress.fail()
        raise
    progress.done(found.chosen.fleet.name)
    if as_json:
        print_json({"ok": found.is_kept, **whatif_json(found), "files": [str(path) for path in written]})
    else:
        _print(found)
        for path in written:
            typer.echo(f"wrote {path}")
    if not found.is_kept:
        raise typer.Exit(1)


def _print(found: Answer) -> None:
    from rich.console import Console
    from rich.markup import escape

    from sre.reports.formats import plural
    from sre.reports.reliability.tables import brief_grid
    from sre.reports.reliability.words import doubts_of, meaning_of, step_words, verdict_of

    console = Console(highlight=False)
    console.print(f"[bold]{escape(verdict_of(found))}[/bold]: {escape(meaning_of(found))}")
    for step in found.steps:
        console.print(f"  [cyan]·[/cyan] {escape(step_words(step, found.currency))}")
    _grid(console, brief_grid(found), wraps=False)
    for taken in found.taken:
        measured = f"{taken.what}: {taken.measured}, measured in {plural(len(taken.drills), 'drill')}"
        console.print(f"[dim]{escape(f'{measured}; {taken.assumed} was assumed')}[/dim]")
    if found.swings:
        widest = ", ".join(swing.name for swing in found.swings[:3])
        console.print(f"What moves {escape(found.chosen.fleet.name)} most: {escape(widest)}.")
    for doubt in doubts_of(found):
        console.print(f"[yellow]{escape(doubt)}[/yellow]")


def _list_rates(book: RateBook, *, as_json: bool) -> None:
    from rich.console import Console

    from sre.console import print_json
    from sre.reports.reliability.tables import recoveries_grid, shown_rates, sources_grid
    from sre.reports.reliability.write import rates_json

    if as_json:
        print_json({"ok": True, **rates_json(book)})
        return
    console = Console(highlight=False)
    for grid in (shown_rates(book), recoveries_grid(book), sources_grid(book)):
        _grid(console, grid)


def _grid(console: Console, grid: Grid, *, wraps: bool = True) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim", title=grid.title, title_justify="left")
    for column in grid.columns:
        justify: Literal["left", "right"] = "right" if column.numeric else "left"
        table.add_column(column.label, justify=justify, overflow="fold", no_wrap=not wraps)
    styles = {"good": "green", "bad": "red", "unsure": "yellow", "muted": "dim"}
    for row in grid.rows:
        table.add_row(*(f"[{styles[c.tone]}]{escape(c.text)}[/]" if c.tone in styles else escape(c.text) for c in row))
    console.print(table)
    for note in grid.notes:
        console.print(f"[dim]{escape(note)}[/dim]")
