"""`sre incident export`: the events as JSON Lines, enough to compute the chain again without this package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sre.cli.incident.options import Store, Workspace, complete
from sre.cli.options import Json


def export(
    incident: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One incident; default: all.", autocompletion=complete)
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="A file; default: stdout.")] = None,
    store: Store = None,
    workspace: Workspace = Path(),
    as_json: Json = False,
) -> None:
    """Write events as JSON Lines in the order of the chain. With --out and --json: one object that says how many."""
    import json
    import sys

    from sre.cli.incident.opened import store_there
    from sre.cli.incident.words import incident_id
    from sre.console import print_json
    from sre.errors import SreError
    from sre.incidents.event_json import event_object
    from sre.reports.formats import plural

    if as_json and out is None:
        raise SreError("export writes JSON Lines to stdout already: give --out with --json, or leave --json out")
    with store_there(workspace, store) as opened:
        events = opened.log() if incident is None else iter(opened.case(incident_id(incident)).events)
        lines = (json.dumps(event_object(event), sort_keys=True) + "\n" for event in events)
        if out is None:
            sys.stdout.writelines(lines)
            return
        try:
            with out.open("w", encoding="utf-8") as file:
                count = sum(1 for line in lines if file.write(line))
        except OSError as error:
            raise SreError(f"{out}: cannot be written ({error.strerror})") from error
    if as_json:
        print_json({"ok": True, "events": count, "file": str(out)})
    else:
        typer.echo(f"{plural(count, 'event')} in {out}")
