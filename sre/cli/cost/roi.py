"""`sre cost roi`: what the game-day programme returns in a year, with ranges."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.cost.sums import FinanceFile
from sre.cli.options import Json

if TYPE_CHECKING:
    from sre.cost.finance import Finance
    from sre.cost.roi_model import Roi


def roi(
    reports: Annotated[
        list[Path] | None,
        typer.Argument(help="Report folders of drills, for measured recoveries and GPU bills. Default: assumed ones."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same result to the last digit.")] = 1,
    years: Annotated[int, typer.Option("--years", min=100, max=1_000_000, help="Years to simulate.")] = 20_000,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page with the charts.")] = None,
    finance: FinanceFile = None,
    as_json: Json = False,
) -> None:
    """Net benefit (p10, p50, p90), chance that it pays, break-even incident count, and what moves the result most."""
    from sre.cli.cost.sums import finance_of
    from sre.console import print_json
    from sre.errors import SreError
    from sre.incidents.codec import encode
    from sre.reports.finops_roi import write_roi

    economics = finance_of(finance, "USD")
    found, assumed, reason = _returns(reports or [], economics, seed, years)
    if found is None:
        raise SreError(reason)
    if html is not None:
        write_roi(found, assumed, economics, html)
    if as_json:
        illustrative = {"illustrative": economics.is_illustrative, "assumed_minutes": encode(assumed)}
        print_json({"ok": True, **encode(found), **illustrative})
        return
    _print(found, assumed, economics)
    if html is not None:
        typer.echo(f"wrote {html}")


def _returns(folders: list[Path], finance: Finance, seed: int, years: int) -> tuple[Roi | None, Roi | None, str]:
    from sre.cost.incident_gpus import check_currency
    from sre.reports.finops_facts import gpu_use, recovery_s
    from sre.reports.finops_returns import gpus_of_a_drill, returns
    from sre.reports.folders import reports_in

    drills = reports_in(folders)
    uses = [gpu_use(report, folder) for folder, report in drills.items()]
    for use in uses:
        check_currency(use.price, finance.currency, said_by=finance.path)
    recovered = [seconds for report in drills.values() if (seconds := recovery_s(report)) is not None]
    return returns(finance, recovered, gpus_of_a_drill(uses, finance.currency), seed=seed, years=years)


def _print(found: Roi, assumed: Roi | None, finance: Finance) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from sre.reports.finops_charts import WORDS
    from sre.reports.finops_roi import roi_lines
    from sre.reports.finops_tables import return_table
    from sre.reports.finops_words import simulated

    console = Console(highlight=False)
    if finance.is_illustrative:
        console.print(f"[yellow]{escape(finance.path)} holds illustrative assumptions, not your figures[/yellow]")
    for line in roi_lines(found):
        console.print(escape(line))
    grid = return_table(found, assumed)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in grid.columns:
        table.add_column(column.label, justify="right" if column.numeric else "left")
    for row in grid.rows:
        table.add_row(*(escape(cell.text) for cell in row))
    console.print(table)
    moves = Table(box=None, pad_edge=False, header_style="dim")
    for name, right in (("what moves the mean net benefit", 0), ("at its low", 1), ("at its high", 1), ("basis", 0)):
        moves.add_column(name, justify="right" if right else "left")
    for swing in found.swings:
        ends = (simulated(end, found.currency) for end in (swing.at_low, swing.at_high))
        moves.add_row(WORDS[swing.name], *ends, swing.given.basis)
    console.print(moves)
    for note in found.notes:
        console.print(f"[dim]{escape(note)}[/dim]")
