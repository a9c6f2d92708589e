"""`sre gameday matrix`: faults x what should protect the service x what the latest drills measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.gameday.options import Workspace, short
from sre.cli.options import Json

if TYPE_CHECKING:
    from sre.reports.matrix import Matrix


def matrix(
    reports: Annotated[
        list[Path] | None,
        typer.Argument(help="Report folders, or folders of them; default: reports/."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for matrix.html, .md and .json.")] = None,
    workspace: Workspace = None,
    as_json: Json = False,
) -> None:
    """Show the fault matrix of the latest drill of each experiment, a score for each area, and what to mend next."""
    from sre.console import print_json
    from sre.incidents.codec import encode
    from sre.reports.matrix import matrix as matrix_of
    from sre.reports.suite import played_in, write_matrix
    from sre.risks.register import load_risks

    root = workspace or Path()
    played, places = played_in(reports or [root / "reports"])
    found = matrix_of(played, risks=load_risks(root))
    page = None if out is None else write_matrix(found, out, places=places)
    if as_json:
        print_json({"page": None if page is None else str(page), **encode(found)})
        return
    _print(found)
    if page is not None:
        typer.echo(f"report  {short(page)}")


def _print(found: Matrix) -> None:
    from sre.reports.formats import NOT_AVAILABLE, seconds
    from sre.reports.matrix_view import OUTCOME_WORDS, alert_words, score_words

    for line in found.lines:
        if line.played is None:
            typer.echo(f"  {line.family:14} {line.fault:20} not drilled")
            continue
        facts = line.played.facts
        typer.echo(
            f"  {line.family:14} {line.fault:20} {line.played.key:8} {OUTCOME_WORDS[facts.outcome][0]:15} "
            f"alert {alert_words(facts)}, recovered {seconds(facts.recovered.seconds)}, {facts.failed} failed, "
            f"score {score_words(line.score)}"
        )
    for area in found.areas:
        typer.echo(f"{area.family:16} {score_words(area.score):>5}  {area.drilled} of {area.faults} faults drilled")
    for number, step in enumerate(found.steps, 1):
        checks = ", ".join(check.name for check in step.played.facts.failed_checks) or NOT_AVAILABLE
        typer.echo(f"mend {number}: {step.played.key} {step.risk_id or 'not on the risk list'}: {checks}")
