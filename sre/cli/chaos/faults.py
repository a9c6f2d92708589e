"""`sre chaos faults`: what is broken, since when, until when, and who watches over it."""

from __future__ import annotations

from typing import Annotated

import typer

from sre.cli.options import DEFAULT_STATE_DIR, Json, StateDir


def faults(
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: Json = False,
) -> None:
    """List the faults that are open: what is hit, who asked for it, when it is undone at the latest.

    Exit 1 when a line of the ledger cannot be read: a fault may be open that nobody knows of.
    """
    from dataclasses import asdict

    from sre.chaos.leases.overview import overview
    from sre.console import print_json

    seen = overview(state_dir.resolve(), everything=everything)
    if as_json:
        print_json({"ok": not seen.damage, **asdict(seen)})
    else:
        for line in seen.lines():
            typer.echo(line)
        for line in seen.damage:
            typer.echo(line, err=True)
    raise typer.Exit(1 if seen.damage else 0)
