"""`sre chaos ...`: what is broken now, undoing it whoever broke it, and what is wrong with an experiment."""

from __future__ import annotations

import typer

from sre.cli.chaos.faults import faults
from sre.cli.chaos.heal import heal
from sre.cli.chaos.lint import lint

app = typer.Typer(help="Faults that are open and their undoing; experiments checked.", no_args_is_help=True)
app.command("faults")(faults)
app.command("heal")(heal)
app.command("lint")(lint)
