"""`sre runbook ...`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.gameday.options import Workspace, short
from sre.cli.options import Json

if TYPE_CHECKING:
    from sre.reports.model import DrillReport
    from sre.reports.runbook_pages import BuiltPage
    from sre.reports.runbook_pages import Workspace as Known

app = typer.Typer(
    help="Runbooks: pages for the person on call, rendered from experiments and drills.", no_args_is_help=True
)


@app.callback()
def _group() -> None:
    """Keeps `build` a verb: with one command alone typer would run it without its name."""


@app.command("build")
def build(
    reports: Annotated[
        list[Path] | None,
        typer.Argument(help="Report folders, or folders of them. None: every page from what it holds already."),
    ] = None,
    experiments: Annotated[
        list[Path] | None,
        typer.Option("--experiment", help="Also the page of this experiment, with or without a drill; repeatable."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where pages go; default: runbooks/ in the workspace.")
    ] = None,
    workspace: Workspace = None,
    as_json: Json = False,
) -> None:
    """Write the runbooks of these drills and experiments. A proven page is never replaced by a doubtful one."""
    from sre.chaos.experiment import load_drill
    from sre.console import print_json
    from sre.reports.runbook_pages import FOLDER, build_page, read_workspace

    root = workspace or Path()
    asked = tuple(load_drill(path) for path in experiments or ())
    known = read_workspace(root, also=asked)
    by_page = _by_page(reports or [], known)
    names = [*by_page, *(drill.runbook for drill in asked)] if reports or asked else known.pages
    folder = out or root / FOLDER
    built = [build_page(name, known, by_page.get(name, []), folder) for name in sorted(set(names))]
    if as_json:
        print_json({"pages": [_json(page) for page in built]})
        return
    for page in built:
        _print(page)


def _by_page(folders: list[Path], known: Known) -> dict[str, list[DrillReport]]:
    """The reports of each page. Raises BadDocument for one whose experiment is not here."""
    from sre.errors import BadDocument
    from sre.reports.folders import reports_in

    found: dict[str, list[DrillReport]] = {}
    strangers = []
    for folder, report in reports_in(folders).items():
        experiment = known.experiment_of(report)
        if experiment is None:
            strangers.append(f"{folder}: its experiment {report.experiment} is not in experiments/: give --workspace")
        else:
            found.setdefault(experiment.runbook, []).append(report)
    if strangers:
        raise BadDocument(strangers)
    return found


def _json(page: BuiltPage) -> dict[str, object]:
    return {
        "page": page.page,
        "path": str(page.path),
        "done": page.done,
        "proven": page.is_proven,
        "drills": list(page.drills),
        "kept": list(page.kept),
    }


def _print(page: BuiltPage) -> None:
    state = "proven" if page.is_proven else "proven in part" if page.drills else "not proven by a drill yet"
    typer.echo(f"{page.done:9} {short(page.path)}: {state}")
    for reason in page.kept:
        typer.echo(f"          {reason}")
