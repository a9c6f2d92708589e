"""`sre cost focus`: drills as billing rows of FOCUS 1.2, for the tools of finance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.cost.report import SharedPerHour
from sre.cli.options import Json
from sre.cli.price_options import GpusPerReplica, PriceAsked

if TYPE_CHECKING:
    from sre.cost.statement import Statement


def focus(
    folders: Annotated[list[Path], typer.Argument(help="Report folders of drills, or folders of them.")],
    out: Annotated[Path, typer.Option("--out", help="File to write.")],
    file_format: Annotated[
        str | None, typer.Option("--format", help="csv or parquet. Default: by the ending of --out, else csv.")
    ] = None,
    price: PriceAsked = None,
    gpus_per_replica: GpusPerReplica = None,
    prices: Annotated[Path | None, typer.Option("--prices", help="Your own price book.")] = None,
    shared_per_hour: SharedPerHour = None,
    account: Annotated[str, typer.Option("--billing-account", help="BillingAccountId.")] = "llm-gameday",
    account_name: Annotated[str, typer.Option("--billing-account-name", help="BillingAccountName.")] = "LLM serving",
    as_json: Json = False,
) -> None:
    """Write a row for each replica's life and clock hour. Only what is on a bill: no lost revenue, credits or labour.

    BilledCost adds up to the drills' bills exactly. Exit 2 for a report that is incomplete, 3 without pyarrow.
    """
    from sre.cli.cost.report import shared_of, stated
    from sre.console import print_json
    from sre.cost.focus import Account, focus_rows
    from sre.cost.focus_write import write_csv, write_parquet

    shared = shared_of(shared_per_hour)
    statements = [
        stated(folder, Path(), since=None, price=price, gpus=gpus_per_replica, book=prices, shared=shared)
        for folder in _drills(folders)
    ]
    rows = list(focus_rows(statements, Account(account, account_name)))
    kind = _format(file_format, out)
    (write_parquet if kind == "parquet" else write_csv)(rows, out)
    bills = _bills(statements)
    if as_json:
        print_json({"ok": True, "file": str(out), "format": kind, "rows": len(rows), "bills": bills})
        return
    told = ", ".join(f"{amount} {currency}" for currency, amount in bills.items()) or "nothing"
    typer.echo(f"wrote {out}: {len(rows)} rows of {len(statements)} drills, BilledCost {told}")


def _drills(folders: list[Path]) -> list[Path]:
    """The folders with a report: those named, or those inside one that has none itself."""
    from sre.errors import BadDocument

    found = []
    for folder in folders:
        inside = [path.parent for path in sorted(folder.glob("*/report.json"))]
        if (folder / "report.json").exists() or not inside:
            inside = [folder]  # one without a report is refused by its reader
        found += inside
    if not found:
        raise BadDocument(["no report folder is given"])
    return found


def _format(asked: str | None, out: Path) -> str:
    from sre.errors import SreError

    kind = asked or ("parquet" if out.suffix == ".parquet" else "csv")
    if kind not in {"csv", "parquet"}:
        raise SreError(f"--format {kind!r} is unknown: use csv or parquet")
    return kind


def _bills(statements: list[Statement]) -> dict[str, str]:
    """The bills by currency: nothing is converted."""
    from sre.cost.rounding import total

    currencies = sorted({one.price.currency for one in statements})
    return {
        currency: f"{total(one.bill for one in statements if one.price.currency == currency):f}"
        for currency in currencies
    }
