"""`sre slo ...`: service level objectives from OpenSLO documents, on their own or beside the platform."""

from __future__ import annotations

import typer

from sre.cli.slo.backtest import backtest
from sre.cli.slo.gate import gate
from sre.cli.slo.lint import lint
from sre.cli.slo.rules import rules
from sre.cli.slo.status import status

app = typer.Typer(
    help="Objectives from OpenSLO files: lint, status, Prometheus rules, backtest, gate.", no_args_is_help=True
)
app.command("lint")(lint)
app.command("status")(status)
app.command("rules")(rules)
app.command("backtest")(backtest)
app.command("gate")(gate)
