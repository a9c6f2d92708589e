"""`sre tabletop new`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.gameday.options import Workspace, short
from sre.cli.options import Json
from sre.cli.tabletop.options import FOLDER

if TYPE_CHECKING:
    from sre.chaos.model import Drill
    from sre.tabletop.model import Exercise, RoleId


def new(
    experiment: Annotated[str, typer.Argument(help="EXP-001, or the path of an experiment file.")],
    report: Annotated[
        Path | None,
        typer.Option("--report", help="Folder of the drill to build it from; default: the newest of this experiment."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help=f"Folder of the package; default: {FOLDER}/<id> in the workspace.")
    ] = None,
    minutes: Annotated[int, typer.Option("--minutes", help="Length of the session with briefing and hot wash.")] = 60,
    roles: Annotated[
        str | None,
        typer.Option(
            "--roles",
            help="Who plays, by comma: sre-lead, on-call (both needed), security-grc, finance, communications.",
        ),
    ] = None,
    workspace: Workspace = None,
    as_json: Json = False,
) -> None:
    """Build a tabletop exercise: player manual, handbook, injects, evaluation guide, forms; Markdown and HTML each.

    Charts, logs and alerts in it come from a real drill. Without one it says so, and artefacts are n/a.
    """
    from sre.console import print_json
    from sre.runbooks.render import page_of
    from sre.slo.openslo import load_slos
    from sre.tabletop.choosing import Wanted
    from sre.tabletop.drills import find_drill
    from sre.tabletop.package import write_package
    from sre.tabletop.plan import plan
    from sre.tabletop.scenario_reader import shipped_scenario

    root = workspace or Path()
    drill = _drill(experiment, root)
    wanted = Wanted(minutes, _roles(roles))
    wanted.check()
    slos = tuple(load_slos(root / "slo")) if (root / "slo").is_dir() else ()
    found = find_drill(drill, root, report)
    scenario = shipped_scenario()
    exercise = plan(drill, page_of(drill.runbook), slos, found, scenario=scenario, wanted=wanted)
    folder = out or root / FOLDER / drill.id
    write_package(exercise, folder)
    if as_json:
        print_json({**_json(exercise, folder), "passed_over": list(found.passed_over)})
        return
    for reason in found.passed_over:
        typer.echo(f"not used: {reason}", err=True)
    _print(exercise, folder)


def _drill(experiment: str, root: Path) -> Drill:
    """Raises SreError, naming the nearest ids, for an unknown one."""
    from difflib import get_close_matches

    from sre.chaos.experiment import load_drill
    from sre.errors import SreError
    from sre.reports.runbook_pages import read_workspace

    if Path(experiment).suffix in (".yaml", ".yml"):
        return load_drill(Path(experiment))
    known = {drill.id: drill for drill in read_workspace(root, tolerant=True).drills}
    found = known.get(experiment.upper())
    if found is None:
        near = get_close_matches(experiment.upper(), known, n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(near)}?" if near else "give --workspace, or the path of an experiment file"
        raise SreError(f"{experiment}: no experiment in {root / 'experiments'} has this id: {hint}")
    return found


def _roles(given: str | None) -> tuple[RoleId, ...]:
    from sre.errors import SreError
    from sre.tabletop.model import ROLE_IDS

    if given is None:
        return ROLE_IDS
    asked = [role.strip() for role in given.split(",") if role.strip()]
    unknown = [role for role in asked if role not in ROLE_IDS]
    if unknown:
        raise SreError(f"--roles {unknown[0]}: no such role: use {', '.join(ROLE_IDS)}")
    return tuple(role for role in ROLE_IDS if role in asked)


def _json(exercise: Exercise, folder: Path) -> dict[str, object]:
    return {
        "package": str(folder),
        "name": exercise.name,
        "experiment": exercise.experiment,
        "minutes": exercise.minutes,
        "roles": [role.id for role in exercise.roles],
        "injects": len(exercise.injects),
        "drill": exercise.evidence.report or None,
        "reason": exercise.evidence.reason or None,
    }


def _print(exercise: Exercise, folder: Path) -> None:
    evidence = exercise.evidence
    typer.echo(f"{short(folder)}: {exercise.name}, {exercise.minutes} minutes, {len(exercise.injects)} injects")
    typer.echo(f"  from {evidence.report} ({evidence.verdict})" if evidence.report else f"  {evidence.reason}")
    typer.echo("  players/   player manual, feedback form")
    typer.echo("  handouts/  a page for each inject, handed out when it comes")
    typer.echo("  control/   handbook, inject list, evaluation guide, sign-off sheet: not for players")
    typer.echo(f"Next: sre tabletop run {short(folder)}")
