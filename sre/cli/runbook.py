"""`sre runbook ...`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.gameday.options import Workspace, short
from sre.cli.options import DEFAULT_STATE_DIR, Json, StateDir
from sre.cli.runbook_exec import execute

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sre.reports.model import DrillReport
    from sre.reports.runbook_check import CheckedPages
    from sre.reports.runbook_pages import BuiltPage
    from sre.reports.runbook_pages import Workspace as Known
    from sre.runbooks.render import Now
    from sre.slo.model import Slo

app = typer.Typer(
    help="Runbooks: pages for the person on call, rendered from experiments and drills.", no_args_is_help=True
)

app.command("exec")(execute)


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
    live: Annotated[
        bool, typer.Option("--live", help="Put into each page what holds now; needs --out: such pages are not kept.")
    ] = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    workspace: Workspace = None,
    as_json: Json = False,
) -> None:
    """Write the runbooks of these drills and experiments, then those of all alerts, which rest on them.

    A proven page is never replaced by a doubtful one.
    """
    from sre.chaos.experiment import load_drill
    from sre.console import print_json
    from sre.reports.runbook_pages import FOLDER, build_alert_pages, build_page, read_workspace

    root = workspace or Path()
    if live:
        _build_live(root, out, state_dir, as_json=as_json)
        return
    asked = tuple(load_drill(path) for path in experiments or ())
    known = read_workspace(root, also=asked)
    by_page = _by_page(reports or [], known)
    names = [*by_page, *(drill.runbook for drill in asked)] if reports or asked else known.pages
    folder = out or root / FOLDER
    built = [build_page(name, known, by_page.get(name, []), folder) for name in sorted(set(names))]
    built += build_alert_pages(known, folder)
    if as_json:
        print_json({"pages": [_json(page) for page in built]})
        return
    for page in built:
        _print(page)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="A runbook: an alert's name or a failure mode.", metavar="NAME")],
    state_dir: StateDir = DEFAULT_STATE_DIR,
    workspace: Workspace = None,
    as_json: Json = False,
) -> None:
    """Print a runbook with what holds now: topology, capacity, budgets left, open faults. Nothing is written."""
    from sre.console import print_json
    from sre.reports.runbook_pages import FOLDER, live_text, read_workspace

    root = workspace or Path()
    text = live_text(name, read_workspace(root, tolerant=True), root / FOLDER, _now_of(state_dir))
    if as_json:
        print_json({"page": name, "text": text})
    else:
        typer.echo(text)


def _now_of(state_dir: Path) -> Callable[[Sequence[Slo]], Now]:
    import time

    from sre.reports.runbook_now import now_of

    return lambda slos: now_of(state_dir, slos, at=time.time())


def _build_live(root: Path, out: Path | None, state_dir: Path, *, as_json: bool) -> None:
    """Every page as it is now, into a folder of its own. Raises SreError without one."""
    from sre.console import print_json
    from sre.errors import SreError
    from sre.reports.atomic import write_text
    from sre.reports.runbook_pages import FOLDER, live_text, read_workspace

    if out is None or out.resolve() == (root / FOLDER).resolve():
        raise SreError("--live writes what is only true now: give --out with a folder that is not runbooks/")
    known = read_workspace(root, tolerant=True)  # a broken file of somebody else is no reason to have no page
    out.mkdir(parents=True, exist_ok=True)
    names = (*known.pages, *(alert.name for alert in known.alerts))
    for name in names:
        write_text(out / f"{name}.md", live_text(name, known, root / FOLDER, _now_of(state_dir)))
    if as_json:
        print_json({"out": str(out), "pages": list(names)})
    else:
        typer.echo(f"wrote {len(names)} pages into {short(out)}")


@app.command("check")
def check(
    names: Annotated[list[str] | None, typer.Argument(help="Runbooks by name. None: all, and what lacks one.")] = None,
    max_age: Annotated[
        int, typer.Option("--max-age", min=0, help="Days after which a page's newest green drill is too old.")
    ] = 30,
    today: Annotated[
        str | None, typer.Option("--today", help="Judge ages by this day, YYYY-MM-DD. Default: today, UTC.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail it too.")] = False,
    workspace: Workspace = None,
    as_json: Json = False,
) -> None:
    """Can the runbooks be trusted? Stale, unproven, thin, dead links, commands that would not run, alerts without one.

    Exit 1 on errors; a page that no green drill has proven lately is a warning.
    """
    from sre.cli.command_tree import refusal_of
    from sre.console import print_json
    from sre.reports.runbook_check import Today, check_pages
    from sre.reports.runbook_pages import read_workspace

    root = workspace or Path()
    judged = Today(_day(today), max_age)
    checked = check_pages(root, read_workspace(root), today=judged, verbs=refusal_of, only=names or ())
    ok = not (checked.findings if strict else checked.errors)
    if as_json:
        print_json(_checked_json(checked, ok=ok))
    else:
        for finding in checked.findings:
            typer.echo(f"{finding.severity}: {finding.text}", err=finding.severity == "error")
        errors, all_ = len(checked.errors), len(checked.findings)
        typer.echo(f"{len(checked.pages)} runbooks: {errors} errors, {all_ - errors} warnings")
    raise typer.Exit(0 if ok else 1)


def _day(text: str | None) -> dt.date:
    """Raises SreError for what is no day."""
    from sre.errors import SreError

    if text is None:
        return dt.datetime.now(dt.UTC).date()
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise SreError(f"--today: {text!r} is no day: write it as 2026-11-25") from error


def _checked_json(checked: CheckedPages, *, ok: bool) -> dict[str, object]:
    from dataclasses import asdict

    return {
        "ok": ok,
        "pages": list(checked.pages),
        "errors": len(checked.errors),
        "warnings": len(checked.findings) - len(checked.errors),
        "findings": [asdict(finding) for finding in checked.findings],
    }


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
        "kind": page.kind,
        "path": str(page.path),
        "done": page.done,
        "proven": page.is_proven,
        "drills": list(page.drills),
        "kept": list(page.kept),
    }


def _print(page: BuiltPage) -> None:
    from sre.reports.formats import plural

    state = "proven" if page.is_proven else "proven in part" if page.drills else "not proven by a drill yet"
    if page.kind == "alert":
        state = f"fired in {plural(len(page.drills), 'drill')}" if page.drills else "no drill made it fire"
    typer.echo(f"{page.done:9} {short(page.path)}: {state}")
    for reason in page.kept:
        typer.echo(f"          {reason}")
