"""`sre gameday list`."""

from __future__ import annotations

from pathlib import Path

import typer

from sre.cli.gameday.options import Workspace
from sre.cli.options import Json


def list_(workspace: Workspace = None, as_json: Json = False) -> None:
    """List the experiments of the workspace. Exit 1 when one cannot be run."""
    from dataclasses import asdict

    from sre.console import print_json
    from sre.gameday.listing import list_experiments

    found = list_experiments(workspace or Path())
    if as_json:
        print_json([asdict(e) for e in found])
    else:
        for entry in found:
            length = "" if entry.duration_s is None else f"{entry.duration_s:g} s of load"
            suites = f"  [{', '.join(entry.tags)}]" if entry.tags else ""
            typer.echo(f"{entry.path}  {entry.id}  {entry.title}  {length}{suites}")
            for fault in entry.faults:
                typer.echo(f"  {fault}", err=True)
    raise typer.Exit(1 if any(e.faults for e in found) else 0)
