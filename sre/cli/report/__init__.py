"""`sre report ...`. One module a verb."""

from __future__ import annotations

import typer

from sre.cli.report.approve import approve
from sre.cli.report.build import build
from sre.cli.report.lint import lint
from sre.cli.report.performance import performance
from sre.cli.report.sign import keygen, sign
from sre.cli.report.verify import verify

app = typer.Typer(
    help="Reports of drills, incidents and performance: build, check what they say, approve, prove they are unchanged.",
    no_args_is_help=True,
)
app.command("build")(build)
app.command("lint")(lint)
app.command("performance")(performance)
app.command("approve")(approve)
app.command("verify")(verify)
app.command("sign")(sign)
app.command("keygen")(keygen)
