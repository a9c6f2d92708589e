"""`sre report ...`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sre.cli.options import Json

app = typer.Typer(help="Reports a drill produced.", no_args_is_help=True)


@app.command("verify")
def verify(
    directory: Annotated[Path, typer.Argument(help="A report folder, reports/<id>.")],
    as_json: Json = False,
) -> None:
    """Compare every file with the manifest's sha256. Exit 1 when one was changed, lost or added."""
    from sre.errors import SreError
    from sre.reports.manifest import verify as verify_manifest

    if not directory.is_dir():
        raise SreError(f"{directory}: no such folder: give a report folder, reports/<id>")
    problems = verify_manifest(directory)
    if as_json:
        from sre.console import print_json

        print_json({"directory": str(directory), "ok": not problems, "problems": [str(p) for p in problems]})
    elif problems:
        for problem in problems:
            typer.echo(f"{directory}: {problem}", err=True)
    else:
        typer.echo(f"{directory}: every file is as the manifest says")
    raise typer.Exit(1 if problems else 0)
