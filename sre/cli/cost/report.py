"""`sre cost report`: what a drill, or the platform that runs, cost, in layers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.options import DEFAULT_STATE_DIR, Json, StateDir
from sre.cli.price_options import GpusPerReplica, PriceAsked
from sre.cli.text_table import print_aligned

if TYPE_CHECKING:
    from sre.cost.layers import SharedPrice
    from sre.cost.statement import Statement

SharedPerHour = Annotated[
    str | None,
    typer.Option(
        "--shared-per-hour", help="What an hour of all that is no GPU costs (gateway, monitoring), e.g. 0.40."
    ),
]


def report(
    folder: Annotated[
        Path | None, typer.Argument(help="Report folder of a drill. Default: the platform of --state-dir.")
    ] = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    since: Annotated[
        str | None,
        typer.Option("--since", help="From when: 30m, 2h, 1d ago, RFC 3339 or Unix seconds. Default: its start."),
    ] = None,
    price: PriceAsked = None,
    gpus_per_replica: GpusPerReplica = None,
    prices: Annotated[Path | None, typer.Option("--prices", help="Your own price book.")] = None,
    shared_per_hour: SharedPerHour = None,
    out: Annotated[Path | None, typer.Option("--out", help="HTML file to write: tables and the chart.")] = None,
    as_json: Json = False,
) -> None:
    """What the bill was spent on (used, wasted, idle, shared), and what a million tokens and a request cost.

    Exit 1 when there is nothing to report on, 2 for a price, a file or an option that is wrong.
    """
    from sre.console import print_json
    from sre.errors import SreError
    from sre.reports.cost_page import statement_json, write_statement

    if folder is not None and since is not None:
        raise SreError("--since is for a platform that runs: a drill's report has its own interval")
    found = stated(
        folder,
        state_dir,
        since=since,
        price=price,
        gpus=gpus_per_replica,
        book=prices,
        shared=shared_of(shared_per_hour),
    )
    if out is not None:
        write_statement(found, out)
    if as_json:
        print_json({"ok": True, **statement_json(found), "files": [str(out)] if out else []})
        return
    _show(found)
    if out is not None:
        typer.echo(f"wrote {out}")


def stated(
    folder: Path | None,
    state_dir: Path,
    *,
    since: str | None,
    price: str | None,
    gpus: int | None,
    book: Path | None,
    shared: SharedPrice | None,
) -> Statement:
    """The statement of a drill's report, or of the platform in `state_dir`."""
    from sre.cost.prices import asked_price, load_book, shipped_prices
    from sre.cost.statement import statement_of_drill, statement_of_platform

    known = load_book(book) if book is not None else shipped_prices()
    if folder is not None:
        asked = None if price is None else asked_price(price, "", known)
        return statement_of_drill(folder, price=asked, gpus_per_replica=gpus, shared=shared)
    from sre.cli.cost.platform_price import price_of_platform

    of_platform, gpus_of_platform = price_of_platform(state_dir, price, known)
    now = time.time()
    return statement_of_platform(
        state_dir,
        price=of_platform,
        gpus_per_replica=gpus or gpus_of_platform,
        now=now,
        since=None if since is None else _since(since, now),
        shared=shared,
    )


def shared_of(text: str | None) -> SharedPrice | None:
    """What is shared, as given on the command line."""
    from decimal import Decimal, InvalidOperation

    from sre.cost.layers import SharedPrice
    from sre.cost.price_book import is_hourly
    from sre.errors import SreError

    if text is None:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not is_hourly(amount):
        raise SreError(f"--shared-per-hour {text!r} is no amount: write 0.40")
    return SharedPrice(amount, "given with --shared-per-hour")


def _since(text: str, now: float) -> float:
    from sre.cli.slo.options import moment_of

    unit = {"s": 1, "m": 60, "h": 3600, "d": 86400}.get(text[-1:])
    if unit is not None and text[:-1].replace(".", "", 1).isdecimal():
        return now - float(text[:-1]) * unit
    return moment_of(text, "--since")


def _show(found: Statement) -> None:
    from sre.reports.cost_layers import layers_table, units_table
    from sre.reports.formats import date_time, money, seconds

    price = found.price
    typer.secho(f"{found.title}: {money(found.bill, price.currency)}", bold=True)
    typer.echo(f"{date_time(found.start)} to {date_time(found.end)} ({seconds(found.end - found.start)})")
    typer.echo(
        f"price {price.per_gpu_hour} {price.currency} a GPU-hour x {found.gpus_per_replica} a replica: "
        f"{price.name}, {price.validity}; {price.source}"
    )
    if found.layers is None:
        typer.echo(f"layers n/a: {found.reason}")
        return
    for table in (layers_table(found.layers), units_table(found.layers)):
        typer.echo("")
        print_aligned(table)
