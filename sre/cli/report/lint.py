"""`sre report lint`: how good a post-incident report is, and what would make it better."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.options import Json

if TYPE_CHECKING:
    from sre.reports.postincident.lint import Linted


def lint(
    report: Annotated[
        Path, typer.Argument(help="A post-incident.json, a report folder, or any post-mortem in Markdown.")
    ],
    min_score: Annotated[
        int, typer.Option("--min-score", min=0, max=100, help="Exit 1 when the score is below this.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Score a post-incident report from 0 to 100, with each weakness, its weight and how to mend it."""
    from sre.console import print_json
    from sre.incidents.codec import encode
    from sre.reports.postincident.lint import lint_file

    found = lint_file(report)
    good = found.score >= min_score
    if as_json:
        print_json({"ok": good, "report": str(report), "min_score": min_score, **encode(found)})
    else:
        _show(found, report)
    raise typer.Exit(0 if good else 1)


def _show(found: Linted, report: Path) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from sre.incidents.visible import visible

    console = Console(highlight=False)
    console.print(f"[bold]{found.score} of 100[/bold]  {escape(visible(str(report)))}", soft_wrap=True)
    if not found.findings:
        console.print("nothing is missing")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("lost", "rule", "what", "mend"):
        table.add_column(name, justify="right" if name == "lost" else "left", overflow="fold")
    for one in found.findings:
        table.add_row(f"-{one.lost:g}", one.rule, escape(visible(one.text)), escape(visible(one.mend)))
    console.print(table)
