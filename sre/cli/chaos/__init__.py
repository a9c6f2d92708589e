"""`sre chaos ...`: experiments checked, run and judged; what is broken now, and its undoing, whoever broke it."""

from __future__ import annotations

import typer

from sre.cli.chaos.faults import faults
from sre.cli.chaos.heal import heal
from sre.cli.chaos.lint import lint
from sre.cli.chaos.run import run
from sre.cli.chaos.verdict import verdict

app = typer.Typer(help="Experiments checked, run and judged; open faults and their undoing.", no_args_is_help=True)
app.command("faults")(faults)
app.command("heal")(heal)
app.command("lint")(lint)
app.command("run")(run)
app.command("verdict")(verdict)
