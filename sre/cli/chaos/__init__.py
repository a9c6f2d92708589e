"""`sre chaos ...`: what is broken now, and undoing it, whoever broke it."""

from __future__ import annotations

import typer

from sre.cli.chaos.faults import faults
from sre.cli.chaos.heal import heal

app = typer.Typer(help="Faults that are open, and their undoing.", no_args_is_help=True)
app.command("faults")(faults)
app.command("heal")(heal)
