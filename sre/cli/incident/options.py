"""What the verbs of `sre incident` share: where the store lies, who speaks, which incident."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def complete(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Ids with their titles for the shell, newest first. Never fails: a shell that completes shows no errors."""
    from sre.cli.incident.completing import ids_like

    return ids_like(ctx.params.get("workspace"), ctx.params.get("store"), incomplete)


Id = Annotated[
    str, typer.Argument(metavar="ID", help="INC-0007, or 7; TTX-0002 for an exercise.", autocompletion=complete)
]
Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        envvar="SRE_INCIDENTS_URL",
        help="A file, sqlite:///file or postgresql://user@host/name (password: PGPASSWORD, ~/.pgpass). "
        "Default: incidents.sqlite in the workspace.",
    ),
]
Workspace = Annotated[Path, typer.Option("--workspace", help="Folder with incidents.sqlite, runbooks/ and reports/.")]
Actor = Annotated[
    str | None, typer.Option("--actor", help="Who says so; default: your login name.", show_default=False)
]
At = Annotated[str, typer.Option("--at", help="When: now, -5m (also s, h, d), 2026-03-01T10:00:00Z, or Unix seconds.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, in a sentence; it is kept with the event.")]
