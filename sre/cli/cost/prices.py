"""`sre cost prices`: the prices that are known, and which of them is in force."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sre.cli.options import Json


def prices(
    book: Annotated[
        Path | None, typer.Option("--prices", help="Your own price book. Default: the shipped ones.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the prices of a GPU hour, each with its dates and its source."""
    from sre.console import print_json
    from sre.cost.prices import load_book, shipped_prices

    known = load_book(book) if book is not None else shipped_prices()
    if as_json:
        print_json({"ok": True, "prices": [{"name": price.name, "gpu": price.gpu} for price in known]})
        return
    for price in known:
        typer.echo(f"{price.name}  {price.gpu}  {price.per_gpu_hour} {price.currency}  {price.validity}")
