"""`sre gameday ...`: one module a verb."""

from __future__ import annotations

import typer

from sre.cli.gameday.listing import list_
from sre.cli.gameday.matrix import matrix
from sre.cli.gameday.run import run

app = typer.Typer(help="Drills: platform, traffic, fault, alerts, report.", no_args_is_help=True)
app.command("run")(run)
app.command("list")(list_)
app.command("matrix")(matrix)
