"""Sums for a terminal and as JSON, and the options that the verbs about money share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sre.cost.finance import Finance
    from sre.cost.model import Price
    from sre.cost.provenance import CostSum
    from sre.incidents.store.model import IncidentStore
    from sre.reports.model import DrillReport

FinanceFile = Annotated[
    Path | None,
    typer.Option("--finance", help="What failure is worth: values, credits, rates. Default: ./finance.yaml, if there."),
]
Prices = Annotated[Path | None, typer.Option("--prices", help="Your own price book. Default: the shipped ones.")]


Store = Annotated[
    str | None,
    typer.Option("--store", help="Incident store, file or URL. Default: $SRE_INCIDENTS_URL, else ./incidents.sqlite."),
]


def store_at(given: str | None, workspace: Path = Path()) -> IncidentStore | None:
    """The store, opened to read; None when none was named and the workspace has none. Close it."""
    import os

    from sre.incidents.store import STORE_FILE, STORE_VARIABLE, open_store, store_address

    if given is None and STORE_VARIABLE not in os.environ and not (workspace / STORE_FILE).is_file():
        return None
    return open_store(store_address(workspace, given), read_only=True)


def finance_of(path: Path | None, currency: str) -> Finance:
    """The economics asked for, the workspace's, or none: then only what is on the bill can be told."""
    from sre.cost.finance_reader import finance_in, read_finance

    return read_finance(path) if path is not None else finance_in(Path(), currency)


def named_price(finance: Finance, book: Path | None) -> Price | None:
    """The price that finance.yaml names; None when it names none. Raises BadDocument when no book has it."""
    from sre.cost.prices import load_book, shipped_prices
    from sre.errors import BadDocument

    if finance.gpu_price is None:
        return None
    known = load_book(book) if book is not None else shipped_prices()
    for price in known:
        if price.name == finance.gpu_price:
            return price
    names = ", ".join(price.name for price in known)
    raise BadDocument([f"{finance.path}: gpu_price: no price is called {finance.gpu_price!r}: there are {names}"])


def price_for(report: DrillReport, finance: Finance, book: Path | None) -> Price:
    """The price finance.yaml names, else the one the drill was priced with; in finance's currency or BadDocument."""
    from sre.cost.incident_gpus import check_currency

    price = named_price(finance, book) or report.cost.price
    check_currency(price, finance.currency, said_by=finance.path)
    return price


def sum_json(found: CostSum, finance: Finance) -> dict[str, Any]:
    """The sum, its lines and inputs as JSON values; amounts are text, None where they cannot be told."""
    from sre.incidents.codec import encode

    bounds = found.bounds
    return {
        **encode(found),
        "total": encode(found.total),
        "low": None if bounds is None else encode(bounds[0]),
        "high": None if bounds is None else encode(bounds[1]),
        "billed": encode(found.part(is_billed=True)),
        "not_billed": encode(found.part(is_billed=False)),
        "finance": {"path": finance.path, "sha256": finance.sha256, "illustrative": finance.is_illustrative},
    }


def print_sum(found: CostSum, finance: Finance) -> None:
    """A table: each line with its formula, what it rests on, and whether anybody sends a bill for it."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from sre.reports.formats import money

    console = Console(highlight=False)
    console.print(f"[bold]{escape(found.title)}[/bold]")
    if finance.is_illustrative:
        console.print(f"[yellow]{finance.path} holds illustrative assumptions, not your figures[/yellow]")
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name, justify in (("what", "left"), ("amount", "right"), ("basis", "left"), ("bill", "left"), ("how", "left")):
        table.add_column(name, justify="right" if justify == "right" else "left", overflow="fold")
    for line in found.lines:
        amount = money(line.amount, found.currency)
        how = line.formula if line.amount is not None else f"n/a: {line.reason}"
        basis = line.basis if line.amount is not None else "n/a"
        table.add_row(escape(line.name), amount, basis, "yes" if line.is_billed else "no", escape(how))
    table.add_row("[bold]total of the known lines[/bold]", f"[bold]{money(found.total, found.currency)}[/bold]")
    console.print(table)
    console.print(totals(found))
    for note in found.notes:
        console.print(f"[dim]{escape(note)}[/dim]")


def totals(found: CostSum) -> str:
    """The total's parts in a sentence."""
    from sre.reports.formats import money

    currency, bounds = found.currency, found.bounds
    if bounds is None:
        return "No line can be told."
    between = f"Between {money(bounds[0], currency)} and {money(bounds[1], currency)}; on"
    said = (
        f"{between if bounds[0] < bounds[1] else 'On'} a bill {money(found.part(is_billed=True), currency)}, on none "
        f"{money(found.part(is_billed=False), currency)}"
    )
    unknown = ", ".join(line.name for line in found.unknown)
    return f"{said}; not in it, n/a: {unknown}." if unknown else f"{said}."
