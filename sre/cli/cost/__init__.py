"""`sre cost ...`: prices, and what the platform, an incident or a drill cost.

One module a verb. A module here imports nothing heavy at its top, so that `sre --help` stays fast: what computes is
imported inside the command.
"""

from __future__ import annotations

import typer

from sre.cli.cost.briefing import briefing
from sre.cli.cost.focus import focus
from sre.cli.cost.incident import drill, incident
from sre.cli.cost.prices import prices
from sre.cli.cost.report import report
from sre.cli.cost.roi import roi

app = typer.Typer(help="Prices, what serving cost and what for, billing exports.", no_args_is_help=True)
app.command("report")(report)
app.command("prices")(prices)
app.command("focus")(focus)
app.command("incident")(incident)
app.command("drill")(drill)
app.command("briefing")(briefing)
app.command("roi")(roi)
