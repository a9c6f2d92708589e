"""`sre chaos run`: one experiment on the platform that is up, with a verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from sre.cli.chaos.judged import Junit
from sre.cli.options import DEFAULT_STATE_DIR, Json, StateDir


def run(
    experiment: Annotated[Path, typer.Argument(help="An experiment file.")],
    journal: Annotated[
        Path, typer.Option("--journal", help="Where Chaos Toolkit's journal goes; replaced when it is there.")
    ] = Path("journal.json"),
    junit: Junit = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what each fault would hit on the platform that is up.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check an experiment, play it with `chaos run` on the platform that is up, and judge it.

    It brings neither platform nor load: `sre up` and `sre load` do, or `sre gameday run` does all of it. Ctrl-C plays
    the rollbacks and leaves. Exit 0 passed, 1 deviated, 2 wrong use, 3 no platform, 4 void, 5 aborted, 6 interrupted,
    7 error.
    """
    from dataclasses import asdict

    if dry_run:
        _rehearse(experiment, state_dir, as_json=as_json)
    from sre.chaos.runs.play import files_of, play
    from sre.cli.chaos.judged import check_junit, tell
    from sre.console import Progress

    check_junit(junit)
    files = files_of(state_dir.resolve(), journal)
    progress = Progress()
    progress.step(f"chaos run {experiment}")
    try:
        examination = play(experiment, state_dir=state_dir.resolve(), files=files, progress=progress)
    except BaseException:
        progress.fail()
        raise
    progress.done()
    tell(examination, files=asdict(files), junit=junit, as_json=as_json)


def _rehearse(experiment: Path, state_dir: Path, *, as_json: bool) -> NoReturn:
    """Exit 0 when every fault would be injected, 1 when one would be refused."""
    from dataclasses import asdict

    from sre.chaos.runs.rehearsal import rehearse
    from sre.console import print_json

    steps = rehearse(experiment, state_dir=state_dir.resolve())
    if as_json:
        print_json([asdict(step) for step in steps])
    else:
        for step in steps:
            typer.secho(f"{step.fault}  {step.step}", bold=True)
            typer.echo(f"  does    {step.summary}")
            typer.echo(f"  hits    {', '.join(step.hits) or 'nothing'}")
            for name, value in (step.handles or {}).items():
                typer.echo(f"  with    {name} = {value}")
            if step.refused is not None:
                typer.echo(f"  refused {step.refused}")
        typer.echo("nothing was touched")
    raise typer.Exit(1 if any(step.refused for step in steps) else 0)
