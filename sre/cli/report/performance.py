"""`sre report performance`: the numbers of this platform, each with its origin, and whether they still hold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sre.cli.options import Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from sre.gameday.measure.report import Surroundings
    from sre.reports.performance.json_file import Recorded
    from sre.reports.performance.model import PerformanceReport, RunOptions
    from sre.reports.performance.verify import Check, Verified

OUT = Path("reports/performance")
STATE_DIR = Path(".sre/performance")


def performance(
    only: Annotated[
        str | None,
        typer.Option("--only", metavar="KEYS", help="Some sections, by comma: knee,routing. --only list shows them."),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Fewer requests, for a try or CI: measured sections say they do not suffice."),
    ] = False,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Nothing is measured and no platform started: a minute or two.")
    ] = False,
    verify: Annotated[
        Path | None,
        typer.Option(
            "--verify", metavar="FILE", help="Make an earlier performance.json again and compare. Exit 1 outside."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder of performance.html, .md, .json. Default: reports/performance."),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Of every load. Default 1.")] = None,
    profile: Annotated[str | None, typer.Option("--profile", help="GPU profile of engine and simulator.")] = None,
    time_scale: Annotated[
        float | None,
        typer.Option(
            "--time-scale", help="Stretch the emulated engine. Default: 4, which suits two cores; 1 with --simulated."
        ),
    ] = None,
    prices: Annotated[Path | None, typer.Option("--prices", help="Your own price book.")] = None,
    state_dir: Annotated[
        Path, typer.Option("--state-dir", help="Of the platforms that are started; nobody else's.")
    ] = STATE_DIR,
    as_json: Json = False,
) -> None:
    """Measure and simulate: attainment by class, knee, routing, knobs, parallelism, policies, cold start, failover.

    Starts the local platform several times, about 20 minutes in all (--quick about 5); it is down again in any case.
    """
    from sre.console import Progress
    from sre.gameday.measure.options import asked_for, sections_table
    from sre.reports.performance.write import require_folder

    if only == "list":
        _list(sections_table(), as_json=as_json)
        return
    given = {"only": only, "seed": seed, "profile": profile, "time_scale": time_scale, "quick": quick or None}
    if verify is not None:
        _verify(
            verify, given, simulated=simulated, out=out, around=_around(state_dir, prices, Progress()), as_json=as_json
        )
        return
    options = asked_for(given, simulated=simulated)
    require_folder(out or OUT)
    report = _made(options, _around(state_dir, prices, Progress()))
    _written(report, out or OUT, as_json=as_json)


def _list(sections: Sequence[tuple[str, str]], *, as_json: bool) -> None:
    from sre.console import print_json

    if as_json:
        print_json({"ok": True, "sections": [{"key": key, "title": title} for key, title in sections]})
        return
    for key, title in sections:
        typer.echo(f"{key:12} {title}")


def _around(state_dir: Path, prices: Path | None, progress: Any) -> Surroundings:
    from sre.cost.prices import load_book, price_of, shipped_prices
    from sre.gameday.measure.report import Surroundings

    book = load_book(prices) if prices is not None else shipped_prices()
    return Surroundings(state_dir, lambda gpu: price_of(gpu, book), progress)


def _made(options: RunOptions, around: Surroundings) -> PerformanceReport:
    from sre.gameday.measure.options import command_of
    from sre.gameday.measure.report import build_report

    return build_report(options, around, command=command_of(options))


def _written(report: PerformanceReport, out: Path, *, as_json: bool) -> None:
    from sre.console import print_json
    from sre.reports.performance.json_file import report_json
    from sre.reports.performance.write import write_performance

    html = write_performance(report, out)
    if as_json:
        print_json({"ok": True, "html": str(html), **report_json(report)})
        return
    for section in report.sections:
        typer.secho(section.title, bold=True)
        for finding in section.findings:
            typer.echo(f"  {finding.text}")
        if not section.is_sufficient and section.sufficiency is not None:
            typer.echo(f"  {section.sufficiency.words}")
        for line in section.absent:
            typer.echo(f"  absent: {line}")
    typer.echo(f"wrote {html}")


def _verify(
    path: Path, given: dict[str, Any], *, simulated: bool, out: Path | None, around: Surroundings, as_json: bool
) -> None:
    from sre.console import print_json
    from sre.gameday.measure.options import again
    from sre.reports.performance.json_file import read_recorded
    from sre.reports.performance.verify import verify as compare
    from sre.reports.performance.write import require_folder, write_performance

    if extra := [f"--{name.replace('_', '-')}" for name, value in given.items() if value is not None]:
        raise typer.BadParameter(f"--verify makes the report again as it was: leave out {', '.join(extra)}")
    if out is not None:
        require_folder(out)
    before: Recorded = again(read_recorded(path), simulated=simulated, where=path)
    report = _made(before.options, around)
    found = compare(before, report)
    if out is not None:
        write_performance(report, out)
    if as_json:
        print_json(_as_json(path, found))
    else:
        _show(path, found)
    raise typer.Exit(0 if found.ok else 1)


def _as_json(path: Path, found: Verified) -> dict[str, Any]:
    from dataclasses import asdict

    checks = [asdict(check) for check in found.checks]
    return {
        "ok": found.ok,
        "file": str(path),
        "same_machine": found.same_machine,
        "counts": found.counts(),
        "checks": checks,
    }


def _show(path: Path, found: Verified) -> None:
    from rich.console import Console
    from rich.markup import escape

    from sre.reports.performance.verify import rules

    console = Console(highlight=False)
    heads = ("section", "origin", "figures", "same", "within", "outside", "missing", "new", "not compared")
    console.print(_grid(heads, [list(map(str, row)) for row in found.by_section()]))
    moved = sorted((check for check in found.checks if check.verdict != "same"), key=lambda one: not one.is_bad)
    if moved:
        rows = [[one.name, one.origin, one.before, one.now, one.tolerance, _verdict_words(one)] for one in moved]
        console.print(_grid(("figure", "origin", "then", "now", "tolerance", "verdict"), rows))
    for name, tolerance in rules({check.origin for check in found.checks}):
        console.print(f"[dim]{name}: {tolerance.words} ({escape(tolerance.reason)})[/dim]", soft_wrap=True)
    counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(found.counts().items()))
    console.print(
        f"[bold]{'holds' if found.ok else 'does not hold'}[/bold]  {escape(str(path))}: {counts}", soft_wrap=True
    )


def _verdict_words(check: Check) -> str:
    return f"{check.verdict} ({check.why})" if check.why else check.verdict


def _grid(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    return table
