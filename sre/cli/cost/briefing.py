"""`sre cost briefing`: a period's money on two pages, as HTML, Markdown and JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.cost.sums import FinanceFile, Prices, Store
from sre.cli.options import Json

if TYPE_CHECKING:
    from sre.cost.finance import Finance
    from sre.cost.policies import PolicyCosts
    from sre.reports.finops_build import DrillSource, StoreFacts


def briefing(
    reports: Annotated[
        list[Path] | None, typer.Argument(help="Report folders of drills, or folders of them. Default: reports.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for finops.html, finops.md, finops.json.")] = Path(
        "briefing"
    ),
    since: Annotated[str | None, typer.Option("--from", help="First day, 2026-11-01, UTC.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Last day, inclusive.")] = None,
    policies: Annotated[
        Path | None, typer.Option("--policies", help="compare.json of `sre autoscale compare --out DIR`.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option("--baseline", help="Policy that savings are against. Default: the fleet for the peak.")
    ] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Also print it: needs the extra pdf and Chromium.")] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the simulated years.")] = 1,
    store: Store = None,
    finance: FinanceFile = None,
    prices: Prices = None,
    as_json: Json = False,
) -> None:
    """Unit cost, incidents and drills, budgets, scaling policies, return of drills, follow-ups and approvals."""
    from sre.cli.cost.sums import finance_of, named_price
    from sre.console import Progress, print_json
    from sre.reports.finops_build import Options
    from sre.reports.finops_build import briefing as build
    from sre.reports.finops_write import briefing_json, write_briefing
    from sre.reports.formats import plural

    start, end = _day(since), _day(until, after=True)
    sources = _sources(reports or [Path("reports")], out, start, end)
    economics = finance_of(finance, sources[0].report.cost.price.currency if sources else "USD")
    options = Options(
        price=named_price(economics, prices),
        policies=_policies(policies, economics, baseline),
        seed=seed,
        start=start,
        end=end,
    )
    progress = Progress()
    progress.step(f"briefing on {plural(len(sources), 'drill')}")
    try:
        found = build(sources, economics, store=_stored(store, sources, start, end), options=options)
        html = write_briefing(found, out)
        printed = _printed(html, found.end) if pdf else None
    except BaseException:
        progress.fail()
        raise
    progress.done()
    if as_json:
        print_json({"ok": True, "html": str(html), "pdf": printed and str(printed), **briefing_json(found)})
        return
    for sentence in found.headline:
        typer.echo(sentence)
    for path in filter(None, (html, printed)):
        typer.echo(f"wrote {path}")


def _printed(html: Path, at: float) -> Path:
    from sre.reports.pdf import print_pdf

    target = html.with_suffix(".pdf")
    print_pdf(html, target, at=at)
    return target


def _sources(folders: list[Path], out: Path, start: float | None, end: float | None) -> list[DrillSource]:
    import os

    from sre.reports.finops_build import DrillSource
    from sre.reports.folders import reports_in
    from sre.reports.write import HTML

    return [
        DrillSource(report, folder, Path(os.path.relpath(folder.resolve() / HTML, out.resolve())).as_posix())
        for folder, report in reports_in(folders).items()
        if (start is None or report.started_at >= start) and (end is None or report.started_at < end)
    ]


def _stored(given: str | None, sources: list[DrillSource], start: float | None, end: float | None) -> StoreFacts:
    from sre.cli.cost.sums import store_at
    from sre.reports.finops_build import NOTHING_STORED
    from sre.reports.finops_store import store_facts

    store = store_at(given)
    if store is None:
        return NOTHING_STORED
    try:
        return store_facts(store, reports=[source.report.id for source in sources], since=start, until=end)
    finally:
        store.close()


def _policies(path: Path | None, finance: Finance, baseline: str | None) -> PolicyCosts | None:
    from sre.cost.policies import read_policies

    return None if path is None else read_policies(path, finance.currency, baseline=baseline)


def _day(text: str | None, *, after: bool = False) -> float | None:
    """The day's begin, or the next one's, in Unix seconds."""
    from datetime import UTC, datetime, timedelta

    if text is None:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no day: write it as 2026-11-30") from error
    return (day + timedelta(days=1) if after else day).timestamp()
