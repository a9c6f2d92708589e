"""`sre cost prices`: the prices that are known, and which of them holds on a day."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.options import Json

if TYPE_CHECKING:
    from datetime import date


def prices(
    gpu: Annotated[str | None, typer.Option("--gpu", help="Only this GPU, e.g. H100-80GB.")] = None,
    on: Annotated[str | None, typer.Option("--on", help="The day, 2026-11-25. Default: today, UTC.")] = None,
    book: Annotated[
        Path | None, typer.Option("--prices", help="Your own price book. Default: the shipped ones.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List prices of a GPU-hour with dates and source. `*`: what a drill on that day is priced with.

    Exit 2 when --gpu has no price.
    """
    from sre.cli.text_table import print_aligned
    from sre.console import print_json
    from sre.cost.prices import in_force, load_book, price_of, shipped_prices
    from sre.errors import BadDocument
    from sre.incidents.codec import encode
    from sre.reports.table import Row, table

    day = _day(on)
    known = load_book(book) if book is not None else shipped_prices()
    found = [price for price in known if gpu is None or price.gpu == gpu]
    if gpu is not None and not found:
        price_of(gpu, known)  # says which there are
    taken = set()
    for model in {price.gpu for price in found}:
        try:
            taken.add(price_of(model, known, on=day).name)
        except BadDocument:
            continue  # none holds that day: nothing is marked
    ordered = sorted(
        found, key=lambda price: (price.gpu, not in_force(price, day), price.name not in taken, price.name)
    )
    if as_json:
        listed = [{**encode(p), "holds": in_force(p, day), "taken": p.name in taken} for p in ordered]
        print_json({"ok": True, "on": day.isoformat(), "prices": listed})
        return
    rows = [
        Row(
            (
                "*" if price.name in taken else "",
                price.gpu,
                f"{price.per_gpu_hour:f}",
                price.currency,
                price.purchase or "",
                price.region or "",
                price.name,
                "holds" if in_force(price, day) else "does not hold",
                price.validity,
                price.source,
            )
        )
        for price in ordered
    ]
    head = ("", "GPU", ">a GPU-hour", "", "bought", "region", "name", day.isoformat(), "dates", "source")
    print_aligned(table("prices", "Prices", head, rows))


def _day(text: str | None) -> date:
    from datetime import UTC, date, datetime

    from sre.errors import SreError

    if text is None:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise SreError(f"--on {text!r} is no day: write 2026-11-25") from error
